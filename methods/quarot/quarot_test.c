/* QuaRot: published formulas by hand and by gate, the linear contract in every combination, worst cases, refusals. */
#include "methods/quarot/quarot.h"
#include "tests/support/method_gates.h"

extern const struct fq_method fq_method_quarot;

static void known_answers_match(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_quarot, 11);
}

static void gates_pass(void **state) {
    (void)state;
    assert_int_equal(gates_misses(&fq_method_quarot, 0, true), 0);
}

static const struct {
    const char *params;
    size_t dim;
} combinations[] = {
    {"", 128},
    {"bits=2 range=symmetric", 64},
    {"bits=3 group=32 clip_ratio=0.9", 128},
    {"bits=5 rotation=rht rounds=2", 80},
    {"bits=8 range=symmetric rotation=haar group=20", 100},
    {"bits=4 rotation=none group=1", 7},
};
enum { COMBINATIONS = sizeof combinations / sizeof combinations[0] };

static void score_and_attend_follow_decode(void **state) {
    (void)state;
    for (size_t i = 0; i < COMBINATIONS; i++) {
        struct fixture f;
        fixture_open(&f, &fq_method_quarot, combinations[i].params, combinations[i].dim, FQ_VALUE, 3);
        float *x = fixture_gaussian(9, combinations[i].dim, 3);
        fixture_linear(&f, 9, x, 2e-6);
        free(x);
        fixture_close(&f);
    }
}

static void worst_cases_hold(void **state) {
    (void)state;
    for (size_t i = 0; i < COMBINATIONS; i++)
        gates_worst_cases(&fq_method_quarot, combinations[i].params, combinations[i].dim);
    gates_overflow_is_named(&fq_method_quarot, "", 128);
}

static void footprint_is_as_stated(void **state) {
    (void)state;
    static const struct {
        const char *params;
        size_t dim, bytes;
    } rows[] = {{"bits=4", 128, 64 + 3},
                {"bits=4 range=symmetric", 128, 64 + 2},
                {"bits=3 group=32", 128, 48 + 4 * 3},
                {"bits=4 rotation=rht", 80, 64 + 3}};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        const struct fq_params p = fixture_params(&fq_method_quarot, rows[r].params);
        const struct fq_shape shape = {.dim = rows[r].dim, .tensor = FQ_KEY};
        assert_int_equal(fq_method_quarot.footprint(&p, &shape).record_bytes, rows[r].bytes);
    }
}

static void combinations_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *params, *word;
        size_t dim;
    } rows[] = {{"", "power of two, found 96", 96},
                {"group=48", "must divide the 128", 128},
                {"group=256", "must divide the 128", 128},
                {"rotation=block-64", "divisible by 64", 96}};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        char why[256] = "";
        const struct fq_params p = fixture_params(&fq_method_quarot, rows[r].params);
        const struct fq_shape shape = {.dim = rows[r].dim, .tensor = FQ_KEY};
        assert_int_equal(fq_method_quarot.check(&p, &shape, why, sizeof why), -1);
        assert_non_null(strstr(why, rows[r].word));
    }
}

/* Zero is within the range and on the grid: a vector of one sign decodes its zeros to zeros, and an offset that would
 * tempt a plain min/max code does not move the grid. */
static void zero_is_on_the_grid(void **state) {
    (void)state;
    enum { D = 16 };
    float x[D], xhat[D];
    struct fixture f;
    fixture_open(&f, &fq_method_quarot, "bits=3 rotation=none", D, FQ_KEY, 1);
    for (size_t i = 0; i < D; i++)
        x[i] = i % 3 == 0 ? 0 : 5 + (float)i * 0.1F;
    fixture_roundtrip(&f, 1, x, xhat);
    for (size_t i = 0; i < D; i += 3)
        assert_true(xhat[i] == 0);
    fixture_close(&f);
}

/* methods.md 8.4: without signs, data with a mean become one spike, which takes the whole range: the mean comes back
 * and everything else is lost (relative error = energy of the rest). With signs the error is the usual one, larger
 * here. */
static void hadamard_without_signs_keeps_the_mean_only(void **state) {
    (void)state;
    enum { N = 200, D = 128 };
    static const char *const params[] = {"bits=4", "bits=4 rotation=rht rounds=2"};
    double mse[2];
    for (size_t p = 0; p < 2; p++) {
        struct fixture f;
        float *x = fixture_gaussian(N, D, 6), *xhat = gates_floats((size_t)N * D);
        for (size_t i = 0; i < (size_t)N * D; i++)
            x[i] = 1 + 0.05F * x[i];
        fixture_open(&f, &fq_method_quarot, params[p], D, FQ_KEY, 2);
        fixture_roundtrip(&f, N, x, xhat);
        mse[p] = fixture_mse(N, D, x, xhat, true);
        free(x);
        free(xhat);
        fixture_close(&f);
    }
    assert_true(fabs(mse[0] / 0.0025 - 1) < 0.1);
    assert_true(mse[1] > 0.005 && mse[1] < 0.02);
}

/* Infinity minus infinity, as a rotation that overflowed leaves it, is no zero. */
static void what_overflowed_is_refused(void **state) {
    (void)state;
    enum { D = 64 };
    static const char *const params[] = {"rotation=none range=symmetric", "rotation=none range=asymmetric"};
    for (size_t p = 0; p < 2; p++) {
        struct fixture f;
        size_t encoded;
        float *x = fixture_gaussian(2, D, 6);
        fixture_open(&f, &fq_method_quarot, params[p], D, FQ_KEY, 2);
        for (size_t i = 0; i < D; i++)
            x[D + i] = NAN;
        free(fixture_encode(&f, 2, x, &encoded));
        assert_int_equal(encoded, 1);
        free(x);
        fixture_close(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_match),
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(score_and_attend_follow_decode),
        cmocka_unit_test(worst_cases_hold),
        cmocka_unit_test(footprint_is_as_stated),
        cmocka_unit_test(combinations_are_refused),
        cmocka_unit_test(zero_is_on_the_grid),
        cmocka_unit_test(hadamard_without_signs_keeps_the_mean_only),
        cmocka_unit_test(what_overflowed_is_refused),
    };
    return cmocka_run_group_tests_name("quarot", tests, NULL, NULL);
}
