/* fp32 is lossless to the bit; fp16 is one rounding per coordinate, and names the vector that overflows. */
#include "tests/support/method_gates.h"

#include "methods/common/scale.h"

extern const struct fq_method fq_method_fp16, fq_method_fp32;

static void gates_pass(void **state) {
    (void)state;
    assert_int_equal(gates_misses(&fq_method_fp32, 0, true), 0);
    assert_int_equal(gates_misses(&fq_method_fp16, 0, true), 0);
}

static void known_answers_pass(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_fp16, 8);
}

static void worst_cases_hold(void **state) {
    (void)state;
    static const size_t dims[] = {1, 64, 80, 96, 128};
    for (size_t i = 1; i < sizeof dims / sizeof dims[0]; i++) {
        gates_worst_cases(&fq_method_fp16, "", dims[i]);
        gates_worst_cases(&fq_method_fp32, "", dims[i]);
        gates_scale_equivariant(&fq_method_fp32, "", dims[i]);
        gates_overflow_is_named(&fq_method_fp16, "", dims[i]);
    }
}

static void fp32_keeps_every_bit(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, &fq_method_fp32, "", 80, FQ_KEY, 1);
    float *x = fixture_gaussian(50, 80, 1), xhat[50 * 80];
    x[3] = -0.0F;
    x[4] = 1e-42F;
    x[5] = 3.4e38F;
    fixture_roundtrip(&f, 50, x, xhat);
    assert_memory_equal(x, xhat, sizeof xhat);
    assert_int_equal(f.footprint.record_bytes, 320);
    free(x);
    fixture_close(&f);
}

static void fp16_rounds_each_coordinate(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, &fq_method_fp16, "", 80, FQ_KEY, 1);
    float *x = fixture_gaussian(50, 80, 2), xhat[50 * 80];
    fixture_roundtrip(&f, 50, x, xhat);
    for (size_t i = 0; i < 50 * 80; i++)
        assert_true(xhat[i] == fq_float_from_half(fq_half_from_float(x[i])));
    assert_int_equal(f.footprint.record_bytes, 160);
    size_t encoded;
    x[7 * 80 + 79] = 65520;
    free(fixture_encode(&f, 50, x, &encoded));
    assert_int_equal(encoded, 7);
    x[7 * 80 + 79] = 65519;
    free(fixture_encode(&f, 50, x, &encoded));
    assert_int_equal(encoded, 50);
    free(x);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(known_answers_pass),
        cmocka_unit_test(worst_cases_hold),
        cmocka_unit_test(fp32_keeps_every_bit),
        cmocka_unit_test(fp16_rounds_each_coordinate),
    };
    return cmocka_run_group_tests_name("fp", tests, NULL, NULL);
}
