/* Product quantization: means by hand, published errors, tables against decoded vectors, what training may and may not
 * do. */
#include "methods/pq/pq.h"
#include "tests/support/method_gates.h"

extern const struct fq_method fq_method_pq;

static void known_answers_match(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_pq, 11);
}

static void gates_pass(void **state) {
    (void)state;
    assert_int_equal(gates_misses(&fq_method_pq, 0, true), 0);
}

static void open_trained(struct fixture *f, const char *params, size_t dim, size_t n) {
    fixture_open(f, &fq_method_pq, params, dim, FQ_VALUE, 1);
    float *x = fixture_gaussian(n, dim, 41);
    fixture_train(f, n, x, 1);
    free(x);
}

static void score_and_attend_follow_decode(void **state) {
    (void)state;
    static const struct {
        const char *params;
        size_t dim;
    } rows[] = {{"sub_dim=4 code_bits=5", 64},
                {"sub_dim=1 code_bits=1 norm=fp16", 7},
                {"sub_dim=5 code_bits=3 norm=fp32 rotation=haar", 80},
                {"sub_dim=8 code_bits=4 rotation=rht", 96}};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        struct fixture f;
        open_trained(&f, rows[r].params, rows[r].dim, 300);
        float *x = fixture_gaussian(9, rows[r].dim, 3);
        fixture_linear(&f, 9, x, 2e-6);
        free(x);
        fixture_close(&f);
    }
}

/* Same vectors and stream, same bytes; another stream, other seeds. */
static void training_is_a_function_of_data_and_stream(void **state) {
    (void)state;
    struct fixture f;
    open_trained(&f, "sub_dim=2 code_bits=4", 16, 500);
    const size_t bytes = f.footprint.shared_bytes;
    uint8_t *first = fixture_alloc(bytes);
    memcpy(first, f.shared, bytes);
    float *x = fixture_gaussian(500, 16, 41);
    fixture_train(&f, 500, x, 1);
    assert_memory_equal(first, f.shared, bytes);
    fixture_train(&f, 500, x, 2);
    assert_true(memcmp(first, f.shared, bytes) != 0);
    free(x);
    free(first);
    fixture_close(&f);
}

/* With an entry for each vector all come back exactly, duplicates or not, however few there are. */
static void few_vectors_are_learnt_by_heart(void **state) {
    (void)state;
    enum { N = 9, D = 8 };
    struct fixture f;
    float *x = fixture_gaussian(N, D, 8), xhat[N * D];
    for (size_t i = 0; i < D; i++)
        x[D + i] = x[i]; /* a duplicate */
    fixture_open(&f, &fq_method_pq, "sub_dim=4 code_bits=6", D, FQ_KEY, 1);
    fixture_train(&f, N, x, 1);
    fixture_roundtrip(&f, N, x, xhat);
    assert_memory_equal(x, xhat, sizeof xhat);
    memset(x, 0, sizeof xhat);
    fixture_train(&f, N, x, 1);
    fixture_roundtrip(&f, N, x, xhat);
    assert_memory_equal(x, xhat, sizeof xhat);
    free(x);
    fixture_close(&f);
}

/* Measured on what it was fitted to, a large codebook looks better than it is; the gates train on other vectors. */
static void training_vectors_flatter(void **state) {
    (void)state;
    enum { N = 512, D = 16 };
    struct fixture f;
    float *x = fixture_gaussian(N, D, 8), *fresh = fixture_gaussian(N, D, 9), *xhat = gates_floats((size_t)N * D);
    fixture_open(&f, &fq_method_pq, "sub_dim=4 code_bits=7", D, FQ_KEY, 1);
    fixture_train(&f, N, x, 1);
    fixture_roundtrip(&f, N, x, xhat);
    const double seen = fixture_mse(N, D, x, xhat, false);
    fixture_roundtrip(&f, N, fresh, xhat);
    assert_true(fixture_mse(N, D, fresh, xhat, false) > 1.5 * seen);
    free(x);
    free(fresh);
    free(xhat);
    fixture_close(&f);
}

/* With the norm stored apart, length does not matter and zero is zero. */
static void norm_makes_it_scale_free(void **state) {
    (void)state;
    enum { N = 20, D = 32 };
    struct fixture f;
    float *x = fixture_gaussian(N, D, 5), *big = gates_floats((size_t)N * D);
    float *a = gates_floats((size_t)N * D), *b = gates_floats((size_t)N * D);
    open_trained(&f, "sub_dim=4 code_bits=6 norm=fp32", D, 400);
    memset(x, 0, D * sizeof *x);
    for (size_t i = 0; i < (size_t)N * D; i++)
        big[i] = 1e6F * x[i];
    fixture_roundtrip(&f, N, x, a);
    fixture_roundtrip(&f, N, big, b);
    for (size_t i = 0; i < (size_t)N * D; i++)
        assert_true(fabs((double)b[i] / 1e6 - (double)a[i]) < 1e-5);
    for (size_t i = 0; i < D; i++)
        assert_true(a[i] == 0);
    free(x);
    free(big);
    free(a);
    free(b);
    fixture_close(&f);
}

static void footprint_and_refusals(void **state) {
    (void)state;
    struct fq_params p = fixture_params(&fq_method_pq, "sub_dim=4 code_bits=8 norm=fp16");
    struct fq_shape shape = {.dim = 128, .tensor = FQ_KEY};
    char why[200] = "";
    assert_int_equal(fq_method_pq.footprint(&p, &shape).record_bytes, 32 + 2);
    assert_int_equal(fq_method_pq.footprint(&p, &shape).shared_bytes, 128 * 256 * 4);
    p = fixture_params(&fq_method_pq, "sub_dim=6");
    assert_int_equal(fq_method_pq.check(&p, &shape, why, sizeof why), -1);
    assert_non_null(strstr(why, "sub_dim=6 must divide the 128"));
}

/* Entries learnt from different vectors may add up to one that float cannot hold once it is rotated back. */
static void what_would_decode_to_infinity_is_refused(void **state) {
    (void)state;
    enum { D = 64 };
    struct fixture f;
    fixture_open(&f, &fq_method_pq, "sub_dim=1 code_bits=1 norm=none rotation=rht", D, FQ_VALUE, 1);
    float *x = fixture_gaussian(8, D, 41), y[D];
    for (size_t i = 0; i < (size_t)8 * D; i++)
        x[i] *= 1e37F;
    fixture_train(&f, 8, x, 1);
    for (size_t i = 0; i < D; i++)
        y[i] = 1e37F; /* a finite vector, as its rotation left it */
    uint8_t *records = malloc(f.footprint.record_bytes);
    assert_non_null(records);
    fixture_poison(&f);
    assert_int_equal(f.kernels->encode(&f.call, 1, y, records), 0);
    free(records);
    free(x);
    fixture_close(&f);
}

static void what_overflowed_is_refused(void **state) {
    (void)state;
    struct fixture f;
    open_trained(&f, "sub_dim=2 code_bits=2 rotation=none norm=none", 8, 50);
    fixture_refuses_no_number(&f, 8);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_match),
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(score_and_attend_follow_decode),
        cmocka_unit_test(training_is_a_function_of_data_and_stream),
        cmocka_unit_test(few_vectors_are_learnt_by_heart),
        cmocka_unit_test(training_vectors_flatter),
        cmocka_unit_test(norm_makes_it_scale_free),
        cmocka_unit_test(footprint_and_refusals),
        cmocka_unit_test(what_overflowed_is_refused),
        cmocka_unit_test(what_would_decode_to_infinity_is_refused),
    };
    return cmocka_run_group_tests_name("pq", tests, NULL, NULL);
}
