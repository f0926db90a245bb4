/* What every method's test should ask: are the known answers met, is the error as predicted, does score follow decode,
 * are the promised bytes the right ones, is every worst case defined. tests/support/method_fixture.h gives buffers of
 * exactly the promised size, so that a sanitizer build (make SAN=1) sees one byte too many. */
#include "methods/example/example.h"
#include "tests/support/method_fixture.h"

extern const struct fq_method fq_method_example;

static void known_answers_match(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_example, 5);
}

/* A gate in small: fewer vectors than `fairquant verify` takes, but here on each build. */
static void distortion_is_as_predicted(void **state) {
    (void)state;
    enum { N = 2000, D = 128 };
    struct fixture f;
    fixture_open(&f, &fq_method_example, "bits=4", D, FQ_KEY, 1);
    float *x = fixture_gaussian(N, D, 2), *xhat = malloc(sizeof *xhat * N * D);
    assert_non_null(xhat);
    fixture_roundtrip(&f, N, x, xhat);
    const double mse = fixture_mse(N, D, x, xhat, true);
    assert_true(fabs(mse / 0.013749 - 1) < 0.03);
    free(x);
    free(xhat);
    fixture_close(&f);
}

/* <q, decode> = score, and attend = weighted sum of decode; also for a dimension whose codes end within a byte. */
static void score_and_attend_follow_decode(void **state) {
    (void)state;
    static const char *const params[] = {"bits=2", "bits=3", "bits=8"};
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++)
        for (size_t dim = 5; dim <= 64; dim += 59) {
            struct fixture f;
            fixture_open(&f, &fq_method_example, params[i], dim, FQ_VALUE, 1);
            float *x = fixture_gaussian(9, dim, 3);
            fixture_linear(&f, 9, x, 1e-6);
            free(x);
            fixture_close(&f);
        }
}

static void footprint_is_codes_and_one_scalar(void **state) {
    (void)state;
    const struct fq_params p = fixture_params(&fq_method_example, "bits=3");
    const struct fq_shape shape = {.dim = 128, .tensor = FQ_KEY};
    assert_int_equal(fq_method_example.footprint(&p, &shape).record_bytes, 48 + 2);
}

static void worst_cases_are_defined(void **state) {
    (void)state;
    enum { D = 16, N = 4 };
    struct fixture f;
    fixture_open(&f, &fq_method_example, "bits=2", D, FQ_KEY, 1);
    float x[N * D] = {0}, xhat[N * D];
    x[D + 3] = -2; /* 0: zero, 1: one-hot */
    for (size_t i = 0; i < D; i++) {
        x[2 * D + i] = 0.5F;   /* constant */
        x[3 * D + i] = 1e-40F; /* nothing in fp16 */
    }
    fixture_roundtrip(&f, N, x, xhat);
    for (size_t i = 0; i < D; i++) {
        assert_true(xhat[i] == 0 && xhat[3 * D + i] == 0);
        assert_true(xhat[D + i] == x[D + i]);
        assert_true(xhat[2 * D + i] == 0.5F);
    }
    x[2 * D] = 1e6F; /* a step beyond fp16: refused, and the vector named */
    size_t encoded;
    free(fixture_encode(&f, N, x, &encoded));
    assert_int_equal(encoded, 2);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_match),
        cmocka_unit_test(distortion_is_as_predicted),
        cmocka_unit_test(score_and_attend_follow_decode),
        cmocka_unit_test(footprint_is_codes_and_one_scalar),
        cmocka_unit_test(worst_cases_are_defined),
    };
    return cmocka_run_group_tests_name("example", tests, NULL, NULL);
}
