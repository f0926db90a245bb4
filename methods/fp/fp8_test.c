/* fp8 and bf16: every code, every midpoint, the gates, overflow. */
#include "methods/fp/fp.h"
#include "methods/fp/fp8.h"
#include "tests/support/method_gates.h"

extern const struct fq_method fq_method_bf16, fq_method_fp8_e4m3, fq_method_fp8_e5m2;
static const struct fq_method *const fp8[] = {&fq_method_fp8_e4m3, &fq_method_fp8_e5m2};
static const struct fp8_format *const formats[] = {&fp8_e4m3, &fp8_e5m2};

static void gates_pass(void **state) {
    (void)state;
    assert_int_equal(gates_misses(&fq_method_bf16, 0, true), 0);
    for (size_t m = 0; m < 2; m++)
        assert_int_equal(gates_misses(fp8[m], 0, true), 0);
}

static void known_answers_pass(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_bf16, 7);
    for (size_t m = 0; m < 2; m++)
        fixture_known_answers(fp8[m], 7);
}

/* Each finite code is its own rounding; between two neighbours the nearer one is taken, and half way the even one. */
static void conversion_is_right_everywhere(void **state) {
    (void)state;
    for (size_t m = 0; m < 2; m++)
        for (unsigned sign = 0; sign <= 0x80; sign += 0x80)
            for (unsigned code = 0; code < formats[m]->greatest; code++) {
                bool overflowed = false;
                const double low = fp8_value(formats[m], (uint8_t)(code | sign));
                const double high = fp8_value(formats[m], (uint8_t)((code + 1) | sign));
                const double middle = (low + high) / 2;
                assert_true(fabs(high) > fabs(low));
                assert_int_equal(fp8_from_double(formats[m], low, &overflowed), code | sign);
                assert_int_equal(fp8_from_double(formats[m], middle, &overflowed), (code + (code & 1U)) | sign);
                assert_int_equal(fp8_from_double(formats[m], nextafter(middle, low), &overflowed), code | sign);
                assert_int_equal(fp8_from_double(formats[m], nextafter(middle, high), &overflowed), (code + 1) | sign);
                assert_false(overflowed);
            }
}

static void greatest_values_are_the_last(void **state) {
    (void)state;
    static const double last[] = {464, 61439.999}; /* half way to the next step: E4M3 to even, E5M2 to infinity */
    for (size_t m = 0; m < 2; m++) {
        bool overflowed = false;
        assert_true(fp8_value(formats[m], formats[m]->greatest) == formats[m]->greatest_value);
        assert_int_equal(fp8_from_double(formats[m], -last[m], &overflowed), formats[m]->greatest | 0x80);
        assert_false(overflowed);
        assert_int_equal(fp8_from_double(formats[m], last[m] + 0.01, &overflowed), formats[m]->greatest);
        assert_true(overflowed);
    }
}

static void bf16_is_right_everywhere(void **state) {
    (void)state;
    for (uint32_t code = 0; code < 0x7f7fU; code++) {
        const double low = (double)fp_float_from_bf16((uint16_t)code),
                     high = (double)fp_float_from_bf16((uint16_t)(code + 1));
        const float middle = (float)((low + high) / 2); /* exact: one bit more */
        assert_int_equal(fp_bf16_from_float((float)low), code);
        assert_int_equal(fp_bf16_from_float(middle), code + (code & 1U));
        assert_int_equal(fp_bf16_from_float(nextafterf(middle, 0)), code);
        assert_int_equal(fp_bf16_from_float(-nextafterf(middle, INFINITY)), (code + 1) | 0x8000U);
    }
}

static void worst_cases_hold(void **state) {
    (void)state;
    static const char *const params[] = {"scale=none", "scale=vector", "scale=vector scalar=fp32"};
    gates_worst_cases(&fq_method_bf16, "", 80);
    gates_worst_cases(&fq_method_bf16, "", 128);
    for (size_t m = 0; m < 2; m++) {
        for (size_t p = 0; p < 3; p++) {
            gates_worst_cases(fp8[m], params[p], 80);
            struct fixture f;
            fixture_open(&f, fp8[m], params[p], 67, FQ_VALUE, 1);
            float *x = fixture_gaussian(9, 67, 3);
            fixture_linear(&f, 9, x, 1e-6);
            free(x);
            fixture_close(&f);
        }
        gates_overflow_is_named(fp8[m], "scale=none", 64);
        gates_scale_equivariant(fp8[m], "scale=vector scalar=fp32", 128);
    }
}

static void saturation_is_a_choice(void **state) {
    (void)state;
    const float x[4] = {1000, -1, 0.5F, -3e38F};
    float xhat[4];
    struct fixture f;
    size_t encoded;
    fixture_open(&f, &fq_method_fp8_e4m3, "scale=none overflow=saturate", 4, FQ_KEY, 1);
    fixture_roundtrip(&f, 1, x, xhat);
    assert_true(xhat[0] == 448 && xhat[1] == -1 && xhat[2] == 0.5F && xhat[3] == -448);
    fixture_close(&f);
    fixture_open(&f, &fq_method_fp8_e4m3, "scale=none", 4, FQ_KEY, 1);
    free(fixture_encode(&f, 1, x, &encoded));
    assert_int_equal(encoded, 0);
    assert_int_equal(f.footprint.record_bytes, 4);
    fixture_close(&f);
}

/* The greatest coordinate comes back as it was, up to the rounding of s. */
static void scale_maps_the_maximum(void **state) {
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        struct fixture f;
        fixture_open(&f, fp8[m], "scale=vector scalar=fp32", 64, FQ_KEY, 1);
        float *x = fixture_gaussian(20, 64, 5), *xhat = gates_floats(20 * 64);
        fixture_roundtrip(&f, 20, x, xhat);
        for (size_t v = 0; v < 20; v++) {
            size_t at = v * 64;
            for (size_t i = v * 64; i < (v + 1) * 64; i++)
                if (fabsf(x[i]) > fabsf(x[at]))
                    at = i;
            assert_true(fabs((double)xhat[at] / (double)x[at] - 1) < 1e-6);
        }
        free(x);
        free(xhat);
        fixture_close(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(known_answers_pass),
        cmocka_unit_test(conversion_is_right_everywhere),
        cmocka_unit_test(greatest_values_are_the_last),
        cmocka_unit_test(bf16_is_right_everywhere),
        cmocka_unit_test(worst_cases_hold),
        cmocka_unit_test(saturation_is_a_choice),
        cmocka_unit_test(scale_maps_the_maximum),
    };
    return cmocka_run_group_tests_name("fp8", tests, NULL, NULL);
}
