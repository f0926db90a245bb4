/* Vector files: .fvecs, .bvecs, .npy and ann-benchmarks, the held-out queries, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/half.h"
#include "harness/data/dataset.h"
#include "harness/data/model.h"
#include "tests/unit/data/tiny_model.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], path[128];

static int make_folder(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/fq_vec_test_XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state) {
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static FILE *make(const char *name) {
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    return file;
}

static void put(FILE *file, const void *bytes, size_t n) {
    assert_int_equal(fwrite(bytes, 1, n, file), n);
}

/* Coordinate c of file row r: a number that every stored type holds exactly. */
static float number(size_t r, size_t c) {
    return (float)((r * 7 + c * 3) % 251);
}

static void make_vecs(const char *name, size_t rows, size_t dim) {
    FILE *file = make(name);
    int32_t length = (int32_t)dim;
    for (size_t r = 0; r < rows; r++) {
        put(file, &length, sizeof length);
        for (size_t c = 0; c < dim; c++) {
            float x = number(r, c);
            unsigned char byte = (unsigned char)x;
            if (name[0] == 'b')
                put(file, &byte, 1);
            else
                put(file, &x, sizeof x);
        }
    }
    assert_int_equal(fclose(file), 0);
}

static void make_npy(int version, const char *descr, const char *rest, size_t rows, size_t dim) {
    FILE *file = make("x.npy");
    char header[256];
    unsigned char start[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0};
    int n = snprintf(header, sizeof header, "{'descr': '%s', %s}          \n", descr, rest);
    start[8] = (unsigned char)n;
    put(file, start, version == 1 ? 10 : 12);
    put(file, header, (size_t)n);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < dim; c++) {
            float x = number(r, c);
            double wide = (double)x;
            uint16_t half = fq_float_to_half(x);
            unsigned char byte = (unsigned char)x;
            const void *from = descr[1] == 'u' ? (void *)&byte : descr[2] == '2' ? (void *)&half : (void *)&x;
            put(file, descr[2] == '8' ? (void *)&wide : from, (size_t)(descr[2] - '0'));
        }
    assert_int_equal(fclose(file), 0);
}

/* Every file row is either a base vector or a query, in order, and queries are every s-th row. */
static void expect_all_rows(size_t rows, size_t dim) {
    struct fq_error err = {0};
    struct fq_dataset *set;
    assert_int_equal(fq_dataset_open(path, &set, &err), FQ_OK);
    const struct fq_dataset_info *info = fq_dataset_info(set);
    size_t queries = rows >= 20 ? (rows / 10 < 1000 ? rows / 10 : 1000) : 0, stride = queries > 0 ? rows / queries : 0;
    assert_int_equal(info->kind, FQ_DATA_VECTORS);
    assert_int_equal(info->dim, dim);
    assert_int_equal(info->n, rows - queries);
    assert_int_equal(info->n_queries, queries);
    assert_int_equal(info->has_query, queries > 0);
    float *base = malloc((rows + 1) * dim * sizeof *base), *query = malloc((queries + 1) * dim * sizeof *query);
    float *some = malloc(dim * 13 * sizeof *some);
    assert_true(base != NULL && query != NULL && some != NULL);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, 0, info->n, base, &err), FQ_OK);
    if (queries > 0)
        assert_int_equal(fq_dataset_queries(set, 0, 0, 0, queries, query, &err), FQ_OK);
    size_t at_base = 0, at_query = 0;
    for (size_t r = 0; r < rows; r++) {
        int is_query = queries > 0 && r % stride == stride - 1 && r / stride < queries;
        const float *found = is_query ? query + at_query++ * dim : base + at_base++ * dim;
        for (size_t c = 0; c < dim; c++)
            assert_true(found[c] == number(r, c));
    }
    for (size_t first = 0; first + 13 <= info->n; first += 5) { /* any slice equals the same part of the whole */
        assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, first, 13, some, &err), FQ_OK);
        assert_memory_equal(some, base + first * dim, 13 * dim * sizeof *some);
    }
    assert_int_equal(fq_dataset_rows(set, FQ_VALUE, 0, 0, 0, 1, some, &err), FQ_USAGE);
    free(base);
    free(query);
    free(some);
    fq_dataset_close(set);
}

static void vecs_are_read(void **state) {
    (void)state;
    const size_t rows[] = {1, 19, 20, 29, 137};
    for (size_t i = 0; i < 5; i++) {
        make_vecs("f.fvecs", rows[i], 6);
        expect_all_rows(rows[i], 6);
        (void)unlink(path);
        make_vecs("b.bvecs", rows[i], 3);
        expect_all_rows(rows[i], 3);
        (void)unlink(path);
    }
}

static void many_rows_hold_out_a_thousand_queries(void **state) {
    (void)state;
    make_vecs("f.fvecs", 10999, 2);
    expect_all_rows(10999, 2);
}

static void npy_is_read_in_all_its_types(void **state) {
    (void)state;
    const char *types[] = {"<f4", "<f8", "<f2", "|u1"};
    for (size_t i = 0; i < 4; i++)
        for (int version = 1; version <= 2; version++) {
            make_npy(version, types[i], "'fortran_order': False, 'shape': (45, 7), ", 45, 7);
            expect_all_rows(45, 7);
        }
}

static void expect_refused(const char *part) {
    struct fq_error err = {0};
    struct fq_dataset *set;
    assert_int_equal(fq_dataset_open(path, &set, &err), FQ_USAGE);
    if (strstr(err.text, part) == NULL || strstr(err.text, path) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, part);
}

static void wrong_npy_is_refused(void **state) {
    (void)state;
    make_npy(1, "<f4", "'fortran_order': True, 'shape': (45, 7), ", 45, 7);
    expect_refused("Fortran order");
    make_npy(1, "<f4", "'fortran_order': False, 'shape': (45,), ", 45, 1);
    expect_refused("shape (45,); expected a matrix");
    make_npy(1, "<f4", "'fortran_order': False, 'shape': (5, 3, 3), ", 45, 1);
    expect_refused("shape (5, 3, 3); expected a matrix");
    make_npy(1, "<f4", "'fortran_order': False, 'shape': (45, 7), ", 44, 7);
    expect_refused("the header says 45 vectors of 7 numbers, the file holds 44");
    make_npy(1, ">i4", "'fortran_order': False, 'shape': (45, 7), ", 0, 7);
    expect_refused("numbers of type '>i4'");
    make_npy(1, "<f4", "'fortran_order': False, 'shape': (4, 9999), ", 0, 1);
    expect_refused("vectors of length 9999; expected 1 to 4096");
    make_npy(1, "<f4", "'fortran_order': False, 'shape': (0, 9), ", 0, 1);
    expect_refused("holds no vectors");
    FILE *file = make("x.npy");
    put(file, "\x93NUMPY\x01\x00\xff\x00{", 11);
    assert_int_equal(fclose(file), 0);
    expect_refused("header is truncated");
    file = make("x.npy");
    put(file, "PK", 2);
    assert_int_equal(fclose(file), 0);
    expect_refused("does not begin with its signature");
}

static void wrong_vecs_are_refused(void **state) {
    (void)state;
    make_vecs("f.fvecs", 30, 6);
    assert_int_equal(truncate(path, 30 * 28 - 1), 0);
    expect_refused("839 bytes are no whole number of rows of 28 bytes");
    assert_int_equal(truncate(path, 3), 0);
    expect_refused("too short");
    FILE *file = make("f.fvecs");
    const int32_t lengths[] = {1, 0, 2, 0};
    put(file, lengths, sizeof lengths);
    assert_int_equal(fclose(file), 0);
    struct fq_error err = {0};
    struct fq_dataset *set;
    float out[2];
    assert_int_equal(fq_dataset_open(path, &set, &err), FQ_OK);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, 0, 2, out, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "row 1 says length 2, row 0 says 1"));
    fq_dataset_close(set);
    file = make("f.fvecs");
    const int32_t negative[] = {-5, 0};
    put(file, negative, sizeof negative);
    assert_int_equal(fclose(file), 0);
    expect_refused("length -5");
}

static void put_matrix(hid_t file, const char *name, hsize_t rows, hsize_t dim, hid_t type) {
    const hsize_t size[2] = {rows, dim};
    float x[64 * 8];
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < dim; c++)
            x[r * dim + c] = number(r, c);
    hid_t space = H5Screate_simple(2, size, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
    (void)H5Dclose(set);
    (void)H5Sclose(space);
}

static void ann_benchmarks_is_read(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_dataset *set;
    (void)snprintf(path, sizeof path, "%s/x.hdf5", folder);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put_matrix(file, "train", 60, 8, H5T_IEEE_F32LE);
    put_matrix(file, "test", 9, 8, H5T_IEEE_F64LE);
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(fq_dataset_open(path, &set, &err), FQ_OK);
    const struct fq_dataset_info *info = fq_dataset_info(set);
    assert_int_equal(info->n, 60);
    assert_int_equal(info->n_queries, 9);
    assert_int_equal(info->dim, 8);
    float out[3 * 8];
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, 57, 3, out, &err), FQ_OK);
    assert_true(out[23] == number(59, 7));
    assert_int_equal(fq_dataset_queries(set, 0, 0, 6, 3, out, &err), FQ_OK);
    assert_true(out[23] == number(8, 7));
    assert_int_equal(fq_dataset_queries(set, 0, 0, 7, 3, out, &err), FQ_USAGE);
    fq_dataset_close(set);
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put_matrix(file, "train", 60, 8, H5T_IEEE_F32LE);
    put_matrix(file, "test", 9, 7, H5T_IEEE_F32LE);
    assert_true(H5Fclose(file) >= 0);
    expect_refused("'test' has vectors of length 7, 'train' of length 8");
}

/* 50 rows of embeddings: every tenth is a query, the others are base vectors. */
static void embeddings_of_a_model_are_vectors(void **state) {
    (void)state;
    if (!fq_model_available())
        skip();
    static struct tiny_model tiny;
    struct fq_error err = {0};
    struct fq_dataset *set;
    (void)snprintf(path, sizeof path, "%s/tiny.gguf", folder);
    tiny_build(&tiny, TINY_LLAMA);
    tiny_write(&tiny, path, 0);
    const float *table = tiny_get(&tiny, "token_embd.weight");
    assert_int_equal(fq_dataset_open(path, &set, &err), FQ_OK);
    const struct fq_dataset_info *info = fq_dataset_info(set);
    assert_int_equal(info->dim, TINY_WIDTH);
    assert_int_equal(info->n, 45);
    assert_int_equal(info->n_queries, 5);
    float base[45 * TINY_WIDTH], query[5 * TINY_WIDTH];
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, 0, 45, base, &err), FQ_OK);
    assert_int_equal(fq_dataset_queries(set, 0, 0, 0, 5, query, &err), FQ_OK);
    for (size_t r = 0; r < TINY_WORDS; r++) {
        const float *found = r % 10 == 9 ? query + r / 10 * TINY_WIDTH : base + (r - r / 10) * TINY_WIDTH;
        assert_memory_equal(found, table + r * TINY_WIDTH, TINY_WIDTH * sizeof *found);
    }
    fq_dataset_close(set);
    tiny_free(&tiny);
    FILE *file = make("tiny.gguf");
    put(file, "no model", 8);
    assert_int_equal(fclose(file), 0);
    expect_refused("GGUF");
}

static void finiteness_is_checked_by_place(void **state) {
    (void)state;
    struct fq_error err = {0};
    float x[3000];
    for (size_t i = 0; i < 3000; i++)
        x[i] = 1.0f;
    x[7] = 3.4e38f;
    assert_int_equal(fq_check_finite("queries", x, 300, 10, &err), FQ_OK);
    x[2345] = -INFINITY;
    assert_int_equal(fq_check_finite("queries", x, 300, 10, &err), FQ_USAGE);
    assert_string_equal(err.text, "queries: vector 234, coordinate 5 is -Inf");
    x[0] = NAN;
    assert_int_equal(fq_check_finite("queries", x, 300, 10, &err), FQ_USAGE);
    assert_string_equal(err.text, "queries: vector 0, coordinate 0 is NaN");
    assert_int_equal(fq_check_finite("queries", x, 0, 10, &err), FQ_OK);
    (void)snprintf(path, sizeof path, "%s/none", folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vecs_are_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(many_rows_hold_out_a_thousand_queries, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(npy_is_read_in_all_its_types, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(wrong_npy_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(wrong_vecs_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(ann_benchmarks_is_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(embeddings_of_a_model_are_vectors, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(finiteness_is_checked_by_place, make_folder, remove_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
