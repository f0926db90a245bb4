/* float16: every value there and back, and rounding against the definition (nearest, ties to even). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/half.h"
#include "harness/base/random.h"

#include <math.h>
#include <string.h>

static void every_half_survives(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = fq_half_to_float((uint16_t)h);
        if ((h & 0x7C00) == 0x7C00 && (h & 0x3FF) != 0) {
            assert_true(isnan(f) && isnan(fq_half_to_float(fq_float_to_half(f))));
            continue;
        }
        double expected = (h & 0x7C00) == 0        ? ldexp((double)(h & 0x3FF), -24)
                          : (h & 0x7C00) == 0x7C00 ? INFINITY
                                                   : ldexp(1024.0 + (h & 0x3FF), (int)(h >> 10 & 31) - 25);
        assert_true((double)fabsf(f) == expected);
        assert_int_equal(signbit(f) != 0, h >> 15);
        assert_int_equal(fq_float_to_half(f), h);
    }
}

/* Of the two halves around a number, the nearer; between two equally near the one with an even last bit. */
static void rounds_to_nearest_even(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x7BFF; h++) {
        double low = (double)fq_half_to_float((uint16_t)h), high = (double)fq_half_to_float((uint16_t)(h + 1));
        float middle = (float)((low + high) / 2);
        uint16_t even = (uint16_t)(h & 1 ? h + 1 : h);
        assert_int_equal(fq_float_to_half(middle), even);
        assert_int_equal(fq_float_to_half(-middle), even | 0x8000);
        assert_int_equal(fq_float_to_half(nextafterf(middle, 0.0f)), h);
        assert_int_equal(fq_float_to_half(nextafterf(middle, 1e6f)), h + 1);
    }
    assert_int_equal(fq_float_to_half(65519.99f), 0x7BFF);
    assert_int_equal(fq_float_to_half(65520.0f), 0x7C00);
    assert_int_equal(fq_float_to_half(-1e30f), 0xFC00);
    assert_int_equal(fq_float_to_half(-0.0f), 0x8000);
    assert_int_equal(fq_float_to_half(1e-30f), 0);
}

static void arrays_equal_single_values(void **state) {
    (void)state;
    double wide[257];
    float x[257], back[257];
    uint16_t halves[257];
    fq_random_gaussian(fq_stream_key("data", 1), 0, 257, wide);
    for (size_t i = 0; i < 257; i++)
        x[i] = (float)wide[i];
    fq_floats_to_halves(257, x, halves);
    fq_halves_to_floats(257, halves, back);
    for (size_t i = 0; i < 257; i++) {
        assert_int_equal(halves[i], fq_float_to_half(x[i]));
        assert_true(fabsf(back[i] - x[i]) <= fabsf(x[i]) * 0x1p-11f + 0x1p-25f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_half_survives), cmocka_unit_test(rounds_to_nearest_even),
                                       cmocka_unit_test(arrays_equal_single_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
