/* mxfp4 and nvfp4: known answers, published errors, every scale of both, worst cases. Byte-for-byte equality with ggml
 * is tests/peers/ggml_compare.c. */
#include "methods/mx/mx.h"
#include "tests/support/method_gates.h"

#include <float.h>

extern const struct fq_method fq_method_mxfp4, fq_method_nvfp4;

static void known_answers_match(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_mxfp4, 8);
    fixture_known_answers(&fq_method_nvfp4, 13);
}

static void gates_pass(void **state) {
    (void)state;
    assert_int_equal(gates_misses(&fq_method_mxfp4, 0, true), 0);
    assert_int_equal(gates_misses(&fq_method_nvfp4, 0, true), 0);
}

static void score_and_attend_follow_decode(void **state) {
    (void)state;
    static const struct {
        const struct fq_method *method;
        const char *params;
    } rows[] = {{&fq_method_mxfp4, ""},
                {&fq_method_mxfp4, "hadamard=llama"},
                {&fq_method_nvfp4, "hadamard=llama"},
                {&fq_method_nvfp4, "scale=vector"}};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        struct fixture f;
        fixture_open(&f, rows[r].method, rows[r].params, 192, FQ_KEY, 1);
        float *x = fixture_gaussian(9, 192, 4);
        fixture_linear(&f, 9, x, 1e-6);
        free(x);
        fixture_close(&f);
    }
}

static void worst_cases_hold(void **state) {
    (void)state;
    gates_worst_cases(&fq_method_mxfp4, "", 96);
    gates_worst_cases(&fq_method_nvfp4, "", 64);
    gates_worst_cases(&fq_method_nvfp4, "scale=vector", 128);
    gates_overflow_is_named(&fq_method_nvfp4, "", 128);
}

/* The formats hold any float32 with a power of two or a float32 in front; without, nvfp4 has the range of E4M3. */
static void range_is_as_documented(void **state) {
    (void)state;
    static const float sizes[] = {3e38F, 1e30F, 1e-30F};
    static const struct {
        const struct fq_method *method;
        const char *params;
    } rows[] = {{&fq_method_mxfp4, ""}, {&fq_method_nvfp4, "scale=vector"}};
    enum { D = 64 };
    float x[D], xhat[D];
    for (size_t r = 0; r < 2; r++)
        for (size_t s = 0; s < 3; s++) {
            struct fixture f;
            fixture_open(&f, rows[r].method, rows[r].params, D, FQ_KEY, 1);
            for (size_t i = 0; i < D; i++)
                x[i] = i % 2 ? sizes[s] : -sizes[s] / 3;
            fixture_roundtrip(&f, 1, x, xhat);
            for (size_t i = 0; i < D; i++)
                assert_true(fabs((double)xhat[i] / (double)x[i] - 1) < 0.3);
            fixture_close(&f);
        }
    struct fixture f;
    fixture_open(&f, &fq_method_nvfp4, "", D, FQ_KEY, 1);
    size_t encoded;
    for (size_t i = 0; i < D; i++)
        x[i] = 1e-3F;
    fixture_roundtrip(&f, 1, x, xhat);
    for (size_t i = 0; i < D; i++)
        assert_true(xhat[i] == 0); /* part scales below 2^-10 vanish */
    x[17] = 1490;
    free(fixture_encode(&f, 1, x, &encoded));
    assert_int_equal(encoded, 0); /* a part scale of 248 */
    fixture_close(&f);
}

/* Behind llama.cpp's Hadamard the sum of large coordinates is infinite: refused by name, not coded as something else.
 * Half of float's greatest length still goes through and comes back finite. */
static void a_sum_that_overflows_is_refused(void **state) {
    (void)state;
    static const struct {
        const struct fq_method *method;
        const char *params;
    } rows[] = {{&fq_method_mxfp4, "hadamard=llama"}, {&fq_method_nvfp4, "hadamard=llama scale=vector"}};
    enum { D = 64 };
    float x[2 * D], xhat[D];
    for (size_t r = 0; r < 2; r++) {
        struct fixture f;
        fixture_open(&f, rows[r].method, rows[r].params, D, FQ_KEY, 1);
        for (size_t i = 0; i < D; i++) {
            x[i] = FLT_MAX / 2 / 8 * 0.999F;
            x[D + i] = FLT_MAX;
        }
        size_t encoded;
        uint8_t *records = fixture_encode(&f, 2, x, &encoded);
        assert_int_equal(encoded, 1);
        f.kernels->decode(&f.call, 1, records, xhat);
        gates_assert_finite(D, xhat);
        free(records);
        fixture_close(&f);
    }
}

/* Every scale code is a fixed point of its own rounding, as far as ggml's rounding goes (up to 240), and the scale is
 * the value that E4M3 has in IEEE style. */
static void every_scale_is_right(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 0x7f; bits++) {
        const unsigned exponent = bits >> 3, fraction = bits & 7U;
        const double value = exponent == 0 ? fraction / 512.0 : (1 + fraction / 8.0) * ldexp(1, (int)exponent - 7);
        assert_true((double)mx_half_ue4m3((uint8_t)bits) == value / 2);
        if (bits < 0x78)
            assert_int_equal(mx_ue4m3((float)value), bits);
    }
    assert_true(mx_half_ue4m3(0x7f) == 0);
    for (unsigned e = 0; e < 255; e++)
        assert_true((double)mx_half_e8m0((uint8_t)e) == ldexp(1, (int)e - 128));
}

static void nearest_breaks_ties_downwards(void **state) {
    (void)state;
    assert_int_equal(mx_nearest(0.5F, 1), 0);   /* between 0 and 1 (doubled) */
    assert_int_equal(mx_nearest(2.5F, 1), 2);   /* between 2 and 3 */
    assert_int_equal(mx_nearest(-2.5F, 1), 10); /* between -2 and -3 */
    assert_int_equal(mx_nearest(10, 1), 6);     /* between 8 and 12 */
    assert_int_equal(mx_nearest(100, 1), 7);
    assert_int_equal(mx_nearest(-0.1F, 1), 0);
}

static void dimension_must_be_whole_blocks(void **state) {
    (void)state;
    char why[200] = "";
    const struct fq_shape shape = {.dim = 96, .tensor = FQ_KEY};
    const struct fq_params mx = fixture_params(&fq_method_mxfp4, ""), nv = fixture_params(&fq_method_nvfp4, "");
    assert_int_equal(fq_method_mxfp4.check(&mx, &shape, why, sizeof why), 0);
    assert_int_equal(fq_method_mxfp4.footprint(&mx, &shape).record_bytes, 3 * 17);
    assert_int_equal(fq_method_nvfp4.check(&nv, &shape, why, sizeof why), -1);
    assert_non_null(strstr(why, "divisible by 64, found 96"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_match),
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(score_and_attend_follow_decode),
        cmocka_unit_test(worst_cases_hold),
        cmocka_unit_test(range_is_as_documented),
        cmocka_unit_test(a_sum_that_overflows_is_refused),
        cmocka_unit_test(every_scale_is_right),
        cmocka_unit_test(nearest_breaks_ties_downwards),
        cmocka_unit_test(dimension_must_be_whole_blocks),
    };
    return cmocka_run_group_tests_name("mx", tests, NULL, NULL);
}
