/* Numbers: digits by interval, and none without one. */
#include "harness/report/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(double v, double low, double high, const char *number, const char *range) {
    char a[FQ_NUMBER_SIZE], b[FQ_RANGE_SIZE];
    (void)fq_print_estimate(v, low, high, a, b);
    assert_string_equal(a, number);
    assert_string_equal(b, range);
}

static void digits(void **state) {
    (void)state;
    expect(0.115234567, 0.1149, 0.1156, "0.11523", "0.11490 \u2013 0.11560");
    expect(23.7145, 22.1, 25.4, "23.7", "22.1 \u2013 25.4");
    expect(2.93e-5, 2.90e-5, 2.96e-5, "2.930e-5", "2.900e-5 \u2013 2.960e-5");
    expect(15012.3, 14000, 16000, "15012", "14000 \u2013 16000");
    expect(-0.004, -0.01, 0.002, "-0.0040", "-0.0100 \u2013 0.0020");
    expect(0.0, -0.01, 0.01, "0.000", "-0.010 \u2013 0.010");
}

static void no_interval_no_number(void **state) {
    (void)state;
    expect(0.5, NAN, NAN, "no interval", "");
    expect(0.5, -INFINITY, 1, "no interval", "");
    expect(NAN, 0, 1, "no interval", "");
    expect(0.5, 1, 0, "no interval", "");
}

static void exact(void **state) {
    (void)state;
    expect(18432, 18432, 18432, "18,432", "exact");
    expect(4.125, 4.125, 4.125, "4.125", "exact");
    char out[FQ_NUMBER_SIZE];
    fq_print_exact(-1234567, out);
    assert_string_equal(out, "-1,234,567");
    fq_print_exact(999, out);
    assert_string_equal(out, "999");
    fq_print_exact(NAN, out);
    assert_string_equal(out, "none");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(digits), cmocka_unit_test(no_interval_no_number),
                                       cmocka_unit_test(exact)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
