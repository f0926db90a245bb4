/* KV sets: what the writer wrote comes back in slices, and every damage is one sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/half.h"
#include "harness/base/random.h"
#include "harness/data/dataset.h"

#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAYERS = 3, KV_HEADS = 2, HEADS = 4, DIM = 5, TOKENS = 23, CONTEXT = 10 };

static char folder[64], path[128];

static int make_folder(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/fq_kv_test_XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/set.h5", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static float number(size_t which, size_t layer, size_t head, size_t token, size_t c) {
    double x;
    fq_random_gaussian(fq_stream_key("data", which), ((layer * HEADS + head) * TOKENS + token) * DIM + c, 1, &x);
    return (float)x;
}

static const struct fq_kv_attributes shape = {.model = "tiny",
                                              .model_sha256 = "ab",
                                              .corpus = "words",
                                              .corpus_sha256 = "cd",
                                              .source = "test",
                                              .layers = LAYERS,
                                              .kv_heads = KV_HEADS,
                                              .heads = HEADS,
                                              .dim = DIM,
                                              .tokens = TOKENS,
                                              .context = CONTEXT,
                                              .half = false};

static size_t heads_of(int which) {
    return which == 2 ? HEADS : KV_HEADS;
}

/* Rows [first, first + n) of one tensor, as a hook would hand them over. */
static int write_slice(struct fq_kv_writer *w, int which, size_t layer, size_t first, size_t n, struct fq_error *err) {
    float rows[TOKENS * HEADS * DIM];
    for (size_t t = 0; t < n; t++)
        for (size_t h = 0; h < heads_of(which); h++)
            for (size_t c = 0; c < DIM; c++)
                rows[(t * heads_of(which) + h) * DIM + c] = number((size_t)which, layer, h, first + t, c);
    return fq_kv_writer_rows(w, which, layer, first, n, rows, err);
}

static void write_set(bool half) {
    struct fq_error err = {0};
    struct fq_kv_attributes a = shape;
    a.half = half;
    struct fq_kv_writer *w;
    assert_int_equal(fq_kv_writer_open(path, &a, &w, &err), FQ_OK);
    for (size_t first = 0; first < TOKENS; first += CONTEXT) {
        size_t n = TOKENS - first < CONTEXT ? TOKENS - first : CONTEXT;
        for (size_t layer = LAYERS; layer > 0; layer--)
            for (int which = 0; which < 3; which++)
                assert_int_equal(write_slice(w, which, layer - 1, first, n, &err), FQ_OK);
    }
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(fq_kv_writer_commit(w, &err), FQ_OK);
}

static void expect_rows(struct fq_dataset *set, size_t layer, size_t head, size_t first, size_t n, bool half) {
    struct fq_error err = {0};
    float out[TOKENS * DIM];
    for (int which = 0; which < 3; which++) {
        if (head >= heads_of(which))
            continue;
        int code = which == 2 ? fq_dataset_queries(set, layer, head, first, n, out, &err)
                              : fq_dataset_rows(set, which == 1 ? FQ_VALUE : FQ_KEY, layer, head, first, n, out, &err);
        assert_int_equal(code, FQ_OK);
        for (size_t t = 0; t < n; t++)
            for (size_t c = 0; c < DIM; c++) {
                float expected = number((size_t)which, layer, head, first + t, c);
                if (half)
                    expected = fq_half_to_float(fq_float_to_half(expected));
                assert_true(out[t * DIM + c] == expected);
            }
    }
}

static void round_trip(bool half) {
    struct fq_error err = {0};
    struct fq_dataset *set;
    write_set(half);
    assert_int_equal(fq_dataset_open(path, &set, &err), FQ_OK);
    const struct fq_dataset_info *info = fq_dataset_info(set);
    assert_int_equal(info->kind, FQ_DATA_KV);
    assert_string_equal(info->model, "tiny");
    assert_string_equal(info->corpus, "words");
    assert_string_equal(info->rope, "post");
    assert_string_equal(info->name, "set.h5");
    assert_int_equal(info->layers, LAYERS);
    assert_int_equal(info->kv_heads, KV_HEADS);
    assert_int_equal(info->heads, HEADS);
    assert_int_equal(info->dim, DIM);
    assert_int_equal(info->n, TOKENS);
    assert_int_equal(info->n_queries, TOKENS);
    assert_int_equal(info->context, CONTEXT);
    assert_true(info->has_value && info->has_query);
    assert_int_equal(strlen(info->sha256), 64);
    for (size_t layer = 0; layer < LAYERS; layer++)
        for (size_t head = 0; head < HEADS; head++)
            for (size_t first = 0; first < TOKENS; first += 7)
                expect_rows(set, layer, head, first, TOKENS - first < 7 ? TOKENS - first : 7, half);
    expect_rows(set, 1, 0, 0, TOKENS, half);
    float out[DIM];
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, KV_HEADS, 0, 1, out, &err), FQ_USAGE);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, LAYERS, 0, 0, 1, out, &err), FQ_USAGE);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, TOKENS, 1, out, &err), FQ_USAGE);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, 1, SIZE_MAX, out, &err), FQ_USAGE);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, TOKENS, 0, out, &err), FQ_OK);
    fq_dataset_close(set);
}

static void float32_comes_back_exactly(void **state) {
    (void)state;
    round_trip(false);
}

static void float16_comes_back_rounded_once(void **state) {
    (void)state;
    round_trip(true);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, "/layer_002/query", H5P_DEFAULT);
    hid_t type = H5Dget_type(set);
    assert_int_equal(H5Tget_size(type), 2);
    assert_int_equal(H5Tget_class(type), H5T_FLOAT);
    /* The library's own conversion agrees with ours, so that other readers see the same numbers. */
    float theirs[HEADS * TOKENS * DIM];
    assert_true(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, theirs) >= 0);
    float expected = fq_half_to_float(fq_float_to_half(number(2, 2, 3, 22, 4)));
    assert_true(theirs[HEADS * TOKENS * DIM - 1] == expected);
    (void)H5Tclose(type);
    (void)H5Dclose(set);
    (void)H5Fclose(file);
}

static void expect_refused(const char *part) {
    struct fq_error err = {0};
    struct fq_dataset *set;
    assert_int_equal(fq_dataset_open(path, &set, &err), FQ_USAGE);
    assert_null(set);
    if (strstr(err.text, part) == NULL || strstr(err.text, path) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, part);
    assert_null(strchr(err.text, '\n'));
}

static void a_truncated_file_is_refused(void **state) {
    (void)state;
    struct stat st;
    write_set(true);
    assert_int_equal(stat(path, &st), 0);
    const off_t sizes[] = {st.st_size - 1, st.st_size / 2, 2000, 100};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(truncate(path, sizes[i]), 0);
        expect_refused("truncated or damaged");
    }
    assert_int_equal(truncate(path, 5), 0);
    expect_refused("is no HDF5 file");
    assert_int_equal(truncate(path, 0), 0);
    expect_refused("is no HDF5 file");
}

static hid_t reopen(void) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static void set_text(const char *name, const char *text) {
    hid_t file = reopen(), type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    assert_true(H5Tset_size(type, H5T_VARIABLE) >= 0);
    (void)H5Adelete(file, name);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, type, &text) >= 0);
    (void)H5Aclose(attribute);
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    assert_true(H5Fclose(file) >= 0);
}

static void delete_attribute(const char *name) {
    hid_t file = reopen();
    assert_true(H5Adelete(file, name) >= 0);
    assert_true(H5Fclose(file) >= 0);
}

static void wrong_attributes_are_refused(void **state) {
    (void)state;
    write_set(false);
    set_text("schema", "fairquant/kv/7");
    expect_refused("found 'fairquant/kv/7'");
    delete_attribute("schema");
    expect_refused("neither");
    set_text("schema", "fairquant/kv/1");
    set_text("rope", "maybe");
    expect_refused("expected 'post' or 'pre'");
    set_text("rope", "pre");
    set_text("n_tokens", "many");
    expect_refused("'n_tokens'");
}

/* Attributes as h5py writes them (variable length) and without what is optional. */
static void another_engines_file_is_read(void **state) {
    (void)state;
    write_set(false);
    set_text("schema", "fairquant/kv/1");
    set_text("model", "other");
    const char *optional[] = {"corpus", "corpus_sha256", "model_sha256", "source", "context"};
    for (size_t i = 0; i < 5; i++)
        delete_attribute(optional[i]);
    struct fq_error err = {0};
    struct fq_dataset *set;
    assert_int_equal(fq_dataset_open(path, &set, &err), FQ_OK);
    assert_string_equal(fq_dataset_info(set)->model, "other");
    assert_string_equal(fq_dataset_info(set)->corpus, "unknown");
    assert_int_equal(fq_dataset_info(set)->context, TOKENS);
    fq_dataset_close(set);
}

static void unlink_in_file(const char *name) {
    hid_t file = reopen();
    assert_true(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
    assert_true(H5Fclose(file) >= 0);
}

static void put_matrix(const char *name, hsize_t a, hsize_t b, hsize_t c, hid_t type) {
    const hsize_t size[3] = {a, b, c};
    hid_t file = reopen(), space = H5Screate_simple(3, size, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0);
    (void)H5Dclose(set);
    (void)H5Sclose(space);
    assert_true(H5Fclose(file) >= 0);
}

static void missing_and_misshapen_tensors_are_refused(void **state) {
    (void)state;
    write_set(false);
    unlink_in_file("/layer_001/value");
    expect_refused("'/layer_001/value' is missing");
    put_matrix("/layer_001/value", KV_HEADS, TOKENS - 1, DIM, H5T_IEEE_F32LE);
    expect_refused("'/layer_001/value' has shape [2][22][5], expected [2][23][5]");
    unlink_in_file("/layer_001/value");
    put_matrix("/layer_001/value", KV_HEADS, TOKENS, DIM, H5T_IEEE_F64LE);
    expect_refused("float of 8 bytes; expected float16 or float32");
    unlink_in_file("/layer_001/value");
    put_matrix("/layer_001/value", KV_HEADS, TOKENS, DIM, H5T_STD_I16LE);
    expect_refused("integer of 2 bytes");
    unlink_in_file("/layer_001");
    expect_refused("the group /layer_001 is missing, though /layer_002 is there");
    unlink_in_file("/layer_000");
    unlink_in_file("/layer_002");
    expect_refused("no group /layer_000");
}

static void keys_alone_are_enough(void **state) {
    (void)state;
    write_set(false);
    for (int layer = 0; layer < LAYERS; layer++) {
        char name[32];
        (void)snprintf(name, sizeof name, "/layer_%03d/value", layer);
        unlink_in_file(name);
        (void)snprintf(name, sizeof name, "/layer_%03d/query", layer);
        unlink_in_file(name);
    }
    struct fq_error err = {0};
    struct fq_dataset *set;
    float out[DIM];
    assert_int_equal(fq_dataset_open(path, &set, &err), FQ_OK);
    assert_false(fq_dataset_info(set)->has_value || fq_dataset_info(set)->has_query);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, 0, 1, out, &err), FQ_OK);
    assert_int_equal(fq_dataset_rows(set, FQ_VALUE, 0, 0, 0, 1, out, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "no value vectors"));
    fq_dataset_close(set);
}

static void nan_is_named_by_its_place(void **state) {
    (void)state;
    write_set(false);
    hid_t file = reopen(), set_id = H5Dopen2(file, "/layer_002/value", H5P_DEFAULT), space = H5Dget_space(set_id);
    const hsize_t at[3] = {1, 17, 3}, one[3] = {1, 1, 1};
    hid_t memory = H5Screate_simple(3, one, NULL);
    const float nan = NAN;
    assert_true(H5Sselect_hyperslab(space, H5S_SELECT_SET, at, NULL, one, NULL) >= 0);
    assert_true(H5Dwrite(set_id, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, &nan) >= 0);
    (void)H5Sclose(memory);
    (void)H5Sclose(space);
    (void)H5Dclose(set_id);
    assert_true(H5Fclose(file) >= 0);
    struct fq_error err = {0};
    struct fq_dataset *set;
    float out[TOKENS * DIM];
    assert_int_equal(fq_dataset_open(path, &set, &err), FQ_OK);
    assert_int_equal(fq_dataset_rows(set, FQ_VALUE, 2, 1, 0, 17, out, &err), FQ_OK);
    assert_int_equal(fq_dataset_rows(set, FQ_VALUE, 2, 1, 10, 13, out, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "layer 2, head 1, value vector 17, channel 3 is NaN"));
    assert_non_null(strstr(err.text, path));
    fq_dataset_close(set);
}

static void the_writer_refuses_what_it_cannot_keep(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_kv_attributes a = shape;
    struct fq_kv_writer *w;
    a.half = true;
    assert_int_equal(fq_kv_writer_open(path, &a, &w, &err), FQ_OK);
    float rows[KV_HEADS * DIM] = {0};
    rows[DIM + 2] = 1e5f;
    assert_int_equal(fq_kv_writer_rows(w, 0, 1, 0, 1, rows, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "layer 1, head 1, key vector 0, channel 2 is 100000"));
    rows[DIM + 2] = NAN;
    assert_int_equal(fq_kv_writer_rows(w, 0, 1, 0, 1, rows, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "not finite"));
    rows[DIM + 2] = 1.0f;
    assert_int_equal(fq_kv_writer_rows(w, 0, 1, 1, 1, rows, &err), FQ_FAILED); /* row 0 comes first */
    assert_int_equal(fq_kv_writer_rows(w, 3, 1, 0, 1, rows, &err), FQ_FAILED);
    assert_int_equal(fq_kv_writer_rows(w, 0, LAYERS, 0, 1, rows, &err), FQ_FAILED);
    assert_int_equal(fq_kv_writer_rows(w, 0, 1, 0, 1, rows, &err), FQ_OK);
    assert_int_equal(fq_kv_writer_commit(w, &err), FQ_FAILED);
    assert_non_null(strstr(err.text, "layer 0, key: 0 of 23 rows were written"));
    assert_int_not_equal(access(path, F_OK), 0);

    a.dim = 0;
    assert_int_equal(fq_kv_writer_open(path, &a, &w, &err), FQ_USAGE);
    a = shape;
    assert_int_equal(fq_kv_writer_open("/nonexistent/set.h5", &a, &w, &err), FQ_USAGE);
    a.tokens = (size_t)1 << 40;
    assert_int_equal(fq_kv_writer_open(path, &a, &w, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "MiB are free"));
    fq_kv_writer_abort(NULL);
}

/* In a process of its own, because what counts is its end: the sentence, exit status 2, and nothing left behind. */
static int write_until_full(void) {
    struct fq_error err = {0};
    struct fq_kv_attributes a = shape;
    struct fq_kv_writer *w;
    a.dim = 512;
    if (fq_kv_writer_open(path, &a, &w, &err) != 0)
        return 7;
    const struct rlimit small = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &small) != 0)
        return 8;
    static float rows[TOKENS * HEADS * 512];
    int code = 0;
    for (size_t layer = 0; code == 0 && layer < LAYERS; layer++)
        for (int which = 0; code == 0 && which < 3; which++)
            code = fq_kv_writer_rows(w, which, layer, 0, TOKENS, rows, &err);
    if (code == 0)
        return 9;
    fq_kv_writer_abort(w);
    return strstr(err.text, "cannot write") != NULL && access(path, F_OK) != 0 ? code : 10;
}

static void a_full_disk_ends_with_a_sentence_and_status_2(void **state) {
    (void)state;
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        exit(write_until_full());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), FQ_USAGE);
}

/* One row for each position of a window, whole when the set is float16, narrowed with it. */
static void key_bias_is_kept_as_float32(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_kv_writer *w = NULL;
    struct fq_dataset *set = NULL;
    struct fq_kv_attributes a = shape;
    enum { BIAS_ROWS = LAYERS * KV_HEADS * CONTEXT };
    float rows[TOKENS * HEADS * DIM] = {0}, bias[BIAS_ROWS * DIM], got[CONTEXT * DIM];
    a.half = true;
    for (size_t i = 0; i < BIAS_ROWS * DIM; i++)
        bias[i] = 100.0F + 1e-3F * (float)i;
    assert_int_equal(fq_kv_writer_open(path, &a, &w, &err), 0);
    for (size_t layer = 0; layer < LAYERS; layer++)
        for (int which = 0; which < 3; which++)
            assert_int_equal(fq_kv_writer_rows(w, which, layer, 0, TOKENS, rows, &err), 0);
    assert_int_equal(fq_kv_writer_key_bias(w, bias, &err), 0);
    assert_int_equal(fq_kv_writer_commit(w, &err), 0);

    const size_t last = LAYERS - 1;
    assert_int_equal(fq_dataset_open(path, &set, &err), 0);
    assert_true(fq_dataset_info(set)->has_key_bias);
    assert_int_equal(fq_dataset_key_bias(set, last, 1, 3, CONTEXT - 3, got, &err), 0);
    assert_memory_equal(got, bias + ((last * KV_HEADS + 1) * CONTEXT + 3) * DIM, (CONTEXT - 3) * DIM * sizeof *got);
    assert_int_equal(fq_dataset_key_bias(set, 0, 0, CONTEXT, 1, got, &err), FQ_USAGE);
    assert_int_equal(fq_dataset_restrict(set, &last, 1, 4, &err), 0);
    assert_int_equal(fq_dataset_key_bias(set, 0, 0, 0, 4, got, &err), 0);
    assert_memory_equal(got, bias + last * KV_HEADS * CONTEXT * DIM, 4 * DIM * sizeof *got);
    fq_dataset_close(set);

    unlink_in_file("/layer_001/key_bias");
    expect_refused("key_bias");
    put_matrix("/layer_001/key_bias", KV_HEADS, TOKENS, DIM, H5T_IEEE_F32LE);
    expect_refused("key_bias: context instead of n_tokens");
}

static void put_bias_weights(const char *name, hsize_t n, hid_t type) {
    hid_t file = reopen(), matrix = H5Dopen2(file, name, H5P_DEFAULT), space = H5Screate_simple(1, &n, NULL);
    (void)H5Adelete(matrix, "pre_rope_bias");
    hid_t attribute = H5Acreate2(matrix, "pre_rope_bias", type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0);
    (void)H5Aclose(attribute);
    (void)H5Sclose(space);
    (void)H5Dclose(matrix);
    assert_true(H5Fclose(file) >= 0);
}

static void bias_weights_are_an_attribute_of_the_keys(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_kv_writer *w = NULL;
    struct fq_dataset *set = NULL;
    float rows[TOKENS * HEADS * DIM] = {0}, bias[LAYERS * KV_HEADS * DIM], got[KV_HEADS * DIM];
    for (size_t i = 0; i < sizeof bias / sizeof *bias; i++)
        bias[i] = 100.0F + 1e-3F * (float)i;
    assert_int_equal(fq_kv_writer_open(path, &shape, &w, &err), 0);
    for (size_t layer = 0; layer < LAYERS; layer++)
        for (int which = 0; which < 3; which++)
            assert_int_equal(fq_kv_writer_rows(w, which, layer, 0, TOKENS, rows, &err), 0);
    assert_int_equal(fq_kv_writer_bias_weights(w, bias, &err), 0);
    assert_int_equal(fq_kv_writer_commit(w, &err), 0);
    assert_int_equal(fq_dataset_open(path, &set, &err), 0);
    assert_false(fq_dataset_info(set)->has_key_bias); /* that is the other one, by positions */
    fq_dataset_close(set);

    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t attribute = H5Aopen_by_name(file, "/layer_001/key", "pre_rope_bias", H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Aread(attribute, H5T_NATIVE_FLOAT, got) >= 0);
    (void)H5Aclose(attribute);
    (void)H5Fclose(file);
    assert_memory_equal(got, bias + (size_t)KV_HEADS * DIM, sizeof got);

    put_bias_weights("/layer_002/key", KV_HEADS * DIM + 1, H5T_IEEE_F32LE);
    expect_refused("'pre_rope_bias' of '/layer_002/key' should be 10 float numbers");
    put_bias_weights("/layer_002/key", KV_HEADS * DIM, H5T_STD_I32LE);
    expect_refused("should be 10 float numbers");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(float32_comes_back_exactly, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(float16_comes_back_rounded_once, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_truncated_file_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(wrong_attributes_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(another_engines_file_is_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(missing_and_misshapen_tensors_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(keys_alone_are_enough, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(key_bias_is_kept_as_float32, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(bias_weights_are_an_attribute_of_the_keys, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(nan_is_named_by_its_place, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_full_disk_ends_with_a_sentence_and_status_2, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_writer_refuses_what_it_cannot_keep, make_folder, remove_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
