/* rotation-lloyd-max: gates, known answers, worst cases for every rotation, and that the rotation is the only thing
 * that sets it apart from turboquant-mse. */
#include "tests/support/method_gates.h"

#include "methods/common/rotation.h"

extern const struct fq_method fq_method_rotation_lloyd_max, fq_method_turboquant_mse;

static void gates_pass(void **state) {
    (void)state;
    assert_int_equal(gates_misses(&fq_method_rotation_lloyd_max, 0.01, true), 0);
}

static void known_answers_pass(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_rotation_lloyd_max, 48);
}

static void worst_cases_hold(void **state) {
    (void)state;
    static const size_t dims[] = {64, 80, 96, 128};
    char text[96], why[200];
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++)
        for (int kind = 0; fq_rotation_choices[kind]; kind++) {
            if (fq_rotation_check((enum fq_rotation_kind)kind, dims[i], why, sizeof why) != 0)
                continue;
            for (int bits = 1; bits <= 8; bits += 3) {
                snprintf(text, sizeof text, "bits=%d rotation=%s", bits, fq_rotation_choices[kind]);
                gates_worst_cases(&fq_method_rotation_lloyd_max, text, dims[i]);
            }
            snprintf(text, sizeof text, "rotation=%s scalar=fp32", fq_rotation_choices[kind]);
            gates_scale_equivariant(&fq_method_rotation_lloyd_max, text, dims[i]);
            snprintf(text, sizeof text, "rotation=%s", fq_rotation_choices[kind]);
            gates_overflow_is_named(&fq_method_rotation_lloyd_max, text, dims[i]);
        }
}

/* Same parameters, same seed: the same bytes as turboquant-mse, so that a comparison of the two compares settings. */
static void agrees_with_turboquant_mse(void **state) {
    (void)state;
    static const char *const rows[] = {"bits=3 rotation=haar scale=matched", "bits=4 rotation=rht rounds=3 scale=mse",
                                       "bits=2 rotation=none scale=raw scalar=fp32"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture a, b;
        fixture_open(&a, &fq_method_rotation_lloyd_max, rows[i], 96, FQ_KEY, 8);
        fixture_open(&b, &fq_method_turboquant_mse, rows[i], 96, FQ_KEY, 8);
        float *x = fixture_gaussian(40, 96, 8);
        uint8_t *first = fixture_encode(&a, 40, x, NULL), *second = fixture_encode(&b, 40, x, NULL);
        assert_int_equal(a.footprint.record_bytes, b.footprint.record_bytes);
        assert_memory_equal(first, second, 40 * a.footprint.record_bytes);
        free(x);
        free(first);
        free(second);
        fixture_close(&a);
        fixture_close(&b);
    }
}

static double error_of(const char *params, size_t dim, const float *x) {
    double sum = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fixture f;
        float xhat[256];
        fixture_open(&f, &fq_method_rotation_lloyd_max, params, dim, FQ_KEY, seed);
        fixture_roundtrip(&f, 1, x, xhat);
        sum += fixture_mse(1, dim, x, xhat, true) / 20;
        fixture_close(&f);
    }
    return sum;
}

/* 12.9 and 12.10 (methods.md 8.4): plain H puts a constant vector on one axis; signs repair that; a one-hot vector is
 * coded exactly by one round, and like a Gaussian by a Haar rotation. */
static void structured_inputs_tell_rotations_apart(void **state) {
    (void)state;
    float constant[128], one_hot[128] = {0};
    one_hot[17] = 2;
    for (size_t i = 0; i < 128; i++)
        constant[i] = 1;
    assert_true(error_of("bits=2 rotation=hadamard", 128, constant) > 1.2);
    assert_true(error_of("bits=2 rotation=rht rounds=1", 128, constant) < 0.2);
    assert_true(error_of("bits=2 rotation=none", 128, one_hot) > 1.2);
    assert_true(error_of("bits=2 rotation=rht rounds=1", 128, one_hot) < 1e-6);
    const double haar = error_of("bits=2 rotation=haar", 128, one_hot);
    assert_true(haar > 0.09 && haar < 0.15);
    assert_true(error_of("bits=2 rotation=block-32", 128, one_hot) > haar + 0.05);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(known_answers_pass),
        cmocka_unit_test(worst_cases_hold),
        cmocka_unit_test(agrees_with_turboquant_mse),
        cmocka_unit_test(structured_inputs_tell_rotations_apart),
    };
    return cmocka_run_group_tests_name("rotation-lloyd-max", tests, NULL, NULL);
}
