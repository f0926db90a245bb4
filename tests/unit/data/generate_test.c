/* Generators: any slice alone, streams of their own, and the shape that each name promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/random.h"
#include "harness/data/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2000, DIM = 96 };
static float x[N * DIM], q[N * DIM];

static struct fq_dataset *make(const char *kind, size_t n, size_t dim, uint64_t seed) {
    struct fq_error err = {0};
    struct fq_dataset *set;
    assert_int_equal(fq_dataset_generate(kind, n, dim, seed, &set, &err), FQ_OK);
    return set;
}

static void fill(const char *kind) {
    struct fq_error err = {0};
    struct fq_dataset *set = make(kind, N, DIM, 7);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, 0, N, x, &err), FQ_OK);
    assert_int_equal(fq_dataset_queries(set, 0, 0, 0, fq_dataset_info(set)->n_queries, q, &err), FQ_OK);
    fq_dataset_close(set);
}

static void slices_equal_the_whole(void **state) {
    (void)state;
    struct fq_error err = {0};
    static float part[DIM * 50];
    for (const char *const *kind = fq_generator_names(); *kind != NULL; kind++) {
        fill(*kind);
        struct fq_dataset *set = make(*kind, N, DIM, 7), *more = make(*kind, 2 * N, DIM, 7);
        for (size_t first = 0; first + 50 <= N; first += 333) {
            assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, first, 50, part, &err), FQ_OK);
            assert_memory_equal(part, x + first * DIM, sizeof part);
            assert_int_equal(fq_dataset_rows(more, FQ_KEY, 0, 0, first, 50, part, &err), FQ_OK);
            assert_memory_equal(part, x + first * DIM, sizeof part);
        }
        assert_int_equal(fq_check_finite(*kind, x, N, DIM, &err), FQ_OK);
        fq_dataset_close(more);
        fq_dataset_close(set);
    }
}

static void hash_names_the_content(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_dataset *a = make("gaussian", 300, 10, 1), *b = make("gaussian", 300, 10, 1);
    struct fq_dataset *c = make("gaussian", 300, 10, 2), *d = make("sphere", 300, 10, 1);
    assert_string_equal(fq_dataset_info(a)->sha256, fq_dataset_info(b)->sha256);
    assert_string_not_equal(fq_dataset_info(a)->sha256, fq_dataset_info(c)->sha256);
    assert_string_not_equal(fq_dataset_info(a)->sha256, fq_dataset_info(d)->sha256);
    size_t nq = fq_dataset_info(a)->n_queries;
    float *all = malloc((300 + nq) * 10 * sizeof *all);
    assert_non_null(all);
    assert_int_equal(fq_dataset_rows(a, FQ_KEY, 0, 0, 0, 300, all, &err), FQ_OK);
    assert_int_equal(fq_dataset_queries(a, 0, 0, 0, nq, all + 3000, &err), FQ_OK);
    char hex[FQ_SHA256_HEX];
    fq_sha256(all, (300 + nq) * 10 * sizeof *all, hex);
    assert_string_equal(hex, fq_dataset_info(a)->sha256);
    free(all);
    fq_dataset_close(a);
    fq_dataset_close(b);
    fq_dataset_close(c);
    fq_dataset_close(d);
}

/* A rotation drawn with the data's seed must not be made of the data (methods.md 8.6). */
static void data_come_from_the_data_stream_alone(void **state) {
    (void)state;
    double data[DIM], rotation[DIM], query[DIM];
    fill("gaussian");
    fq_random_gaussian(fq_stream_key("data", 7), 0, DIM, data);
    fq_random_gaussian(fq_stream_key("query", 7), 0, DIM, query);
    fq_random_gaussian(fq_streams_for(7).rotation, 0, DIM, rotation);
    size_t same = 0;
    for (size_t c = 0; c < DIM; c++) {
        assert_true(x[c] == (float)data[c]);
        assert_true(q[c] == (float)query[c]);
        same += x[c] == (float)rotation[c];
    }
    assert_int_equal(same, 0);
}

static double norm2(const float *v) {
    double sum = 0.0;
    for (size_t c = 0; c < DIM; c++)
        sum += (double)v[c] * (double)v[c];
    return sum;
}

static size_t nonzeros(const float *v) {
    size_t n = 0;
    for (size_t c = 0; c < DIM; c++)
        n += v[c] != 0.0f;
    return n;
}

static void sphere_has_norm_one_and_even_directions(void **state) {
    (void)state;
    fill("sphere");
    double mean = 0.0, fourth = 0.0;
    for (size_t i = 0; i < N; i++) {
        assert_true(fabs(norm2(x + i * DIM) - 1.0) < 1e-6);
        double t = (double)x[i * DIM] * (double)x[i * DIM] * DIM;
        mean += t / N;
        fourth += t * t / N;
    }
    assert_true(fabs(mean - 1.0) < 5.0 * sqrt(2.0 / N));
    assert_true(fabs(fourth - 3.0 * DIM / (DIM + 2.0)) < 5.0 * sqrt(96.0 / N));
}

static void sparse_kinds_are_sparse(void **state) {
    (void)state;
    size_t used[DIM] = {0}, negative = 0;
    fill("one-hot");
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(nonzeros(x + i * DIM), 1);
        assert_true(norm2(x + i * DIM) == 1.0);
        for (size_t c = 0; c < DIM; c++) {
            used[c] += x[i * DIM + c] != 0.0f;
            negative += x[i * DIM + c] < 0.0f;
        }
    }
    for (size_t c = 0; c < DIM; c++)
        assert_true(used[c] > 0 && used[c] < 60);
    assert_true(negative > N / 2 - 120 && negative < N / 2 + 120);
    assert_true(nonzeros(q) == DIM);
    fill("few-sparse");
    for (size_t i = 0; i < N; i++)
        assert_int_equal(nonzeros(x + i * DIM), 3);
}

static void structured_kinds_have_their_structure(void **state) {
    (void)state;
    fill("constant");
    for (size_t i = 0; i < (size_t)N * DIM; i++)
        assert_true(fabsf(x[i] - 1.0f) < 0.35f);
    fill("lognormal");
    double log_mean = 0.0;
    for (size_t i = 0; i < (size_t)N * DIM; i++) {
        assert_true(x[i] > 0.0f);
        log_mean += log((double)x[i]) / (N * DIM);
    }
    assert_true(fabs(log_mean) < 5.0 / sqrt((double)N * DIM));

    fill("outliers");
    size_t loud = 0;
    for (size_t c = 0; c < DIM; c++) {
        double energy = 0.0;
        for (size_t i = 0; i < N; i++)
            energy += (double)x[i * DIM + c] * (double)x[i * DIM + c] / N;
        assert_true((energy > 0.8 && energy < 1.2) || (energy > 720.0 && energy < 1080.0));
        loud += energy > 100.0;
    }
    assert_int_equal(loud, 4);

    fill("clustered");
    double nearest = 1e30, total = 0.0;
    for (size_t i = 1; i < N; i++) {
        double distance = 0.0;
        for (size_t c = 0; c < DIM; c++)
            distance += pow((double)(x[i * DIM + c] - x[c]), 2.0);
        nearest = fmin(nearest, distance);
        total += distance / (N - 1);
    }
    assert_true(nearest < 2.0 * 0.09 * DIM * 1.8 && total > 1.5 * DIM); /* one near, the others in other clusters */
}

static void nonsense_is_refused(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_dataset *set;
    assert_int_equal(fq_dataset_generate("sphere", 10, 0, 1, &set, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "dim 0; expected 1 to 4096"));
    assert_int_equal(fq_dataset_generate("sphere", 10, 5000, 1, &set, &err), FQ_USAGE);
    assert_int_equal(fq_dataset_generate("sphere", 0, 5, 1, &set, &err), FQ_USAGE);
    assert_int_equal(fq_dataset_generate("spheer", 10, 5, 1, &set, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "'spheer'"));
    assert_null(set);
    for (const char *const *kind = fq_generator_names(); *kind != NULL; kind++) /* the smallest there is */
        fq_dataset_close(make(*kind, 1, 1, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(slices_equal_the_whole),
                                       cmocka_unit_test(hash_names_the_content),
                                       cmocka_unit_test(data_come_from_the_data_stream_alone),
                                       cmocka_unit_test(sphere_has_norm_one_and_even_directions),
                                       cmocka_unit_test(sparse_kinds_are_sparse),
                                       cmocka_unit_test(structured_kinds_have_their_structure),
                                       cmocka_unit_test(nonsense_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
