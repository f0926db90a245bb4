/* Closed-form statistics against tables, textbook examples and simulated coverage. */
#include "harness/base/random.h"
#include "harness/judge/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void near(double measured, double expected, double tolerance) {
    if (!(fabs(measured - expected) <= tolerance))
        fail_msg("measured %.12g, expected %.12g +- %g", measured, expected, tolerance);
}

/* Standard tables (Abramowitz and Stegun 26.2, 26.7, 26.9). */
static void distributions(void **state) {
    (void)state;
    near(fq_normal_cdf(1.959963984540054), 0.975, 1e-14);
    near(fq_normal_quantile(0.975), 1.959963984540054, 1e-12);
    near(fq_normal_quantile(0.001), -3.090232306167813, 1e-11);
    near(fq_student_quantile(0.975, 1.0), 12.706204736432095, 1e-9);
    near(fq_student_quantile(0.975, 2.0), 4.302652729749464, 1e-11);
    near(fq_student_quantile(0.95, 10.0), 1.812461122811676, 1e-11);
    near(fq_student_quantile(0.995, 30.0), 2.749995653567231, 1e-11);
    near(fq_student_quantile(0.025, 2.0), -4.302652729749464, 1e-11);
    near(fq_student_cdf(1.0, 1.0), 0.75, 1e-13);              /* Cauchy: 1/2 + atan(1)/pi */
    near(fq_student_cdf(2.5, 1e6), fq_normal_cdf(2.5), 1e-6); /* the normal limit */
    near(fq_beta_cdf(2.0, 3.0, 0.4), 0.5248, 1e-12);          /* 6x^2 - 8x^3 + 3x^4 */
    near(fq_beta_cdf(0.5, 0.5, 0.25), 1.0 / 3.0, 1e-12);      /* arcsine law */
    near(fq_beta_quantile(2.0, 3.0, 0.5248), 0.4, 1e-12);
    near(fq_f_upper(4.102821, 2.0, 10.0), 0.05, 1e-7);
    near(fq_binomial_cdf(3, 10, 0.5), 176.0 / 1024.0, 1e-13);
    near(fq_binomial_cdf(10, 10, 0.5), 1.0, 0.0);
}

static void clopper_pearson(void **state) {
    (void)state;
    /* 0 of 10: high = 1 - 0.025^(1/10); 4 of 20: published table values. */
    struct fq_interval none = fq_clopper_pearson(0, 10, 0.95);
    near(none.low, 0.0, 0.0);
    near(none.high, 1.0 - pow(0.025, 0.1), 1e-12);
    struct fq_interval all = fq_clopper_pearson(10, 10, 0.95);
    near(all.low, pow(0.025, 0.1), 1e-12);
    near(all.high, 1.0, 0.0);
    struct fq_interval some = fq_clopper_pearson(4, 20, 0.95);
    near(some.low, 0.0573, 5e-5);
    near(some.high, 0.4366, 5e-5);
    /* The defining equations: each end puts exactly 2.5 % into its tail. */
    near(1.0 - fq_binomial_cdf(3, 20, some.low), 0.025, 1e-10);
    near(fq_binomial_cdf(4, 20, some.high), 0.025, 1e-10);
}

static void holm(void **state) {
    (void)state;
    /* Holm's procedure on 0.01 0.04 0.03 0.005 gives 0.03 0.06 0.06 0.02. */
    const double p[4] = {0.01, 0.04, 0.03, 0.005}, expected[4] = {0.03, 0.06, 0.06, 0.02};
    double adjusted[4];
    fq_holm(p, 4, adjusted);
    for (int i = 0; i < 4; i++)
        near(adjusted[i], expected[i], 1e-15);
    const double big[2] = {0.9, 0.8};
    fq_holm(big, 2, adjusted);
    near(adjusted[0], 1.0, 0.0);
    near(adjusted[1], 1.0, 0.0);
}

static void tost(void **state) {
    (void)state;
    /* Estimate 0.1, se 0.1, margins +-0.3, normal: the nearer margin is 2 se away. */
    near(fq_tost(0.1, 0.1, INFINITY, -0.3, 0.3), fq_normal_cdf(-2.0), 1e-12);
    near(fq_tost(-0.1, 0.1, INFINITY, -0.3, 0.3), fq_normal_cdf(-2.0), 1e-12);
    assert_true(fq_tost(0.31, 0.01, 20.0, -0.3, 0.3) > 0.5);
    near(fq_tost(0.1, 0.0, 5.0, -0.3, 0.3), 0.0, 0.0);
    near(fq_tost(0.4, 0.0, 5.0, -0.3, 0.3), 1.0, 0.0);
    near(fq_one_sided(2.0, 1.0, 2.0, -2.302652729749464, true), 0.025, 1e-10);
    near(fq_one_sided(0.0, 1.0, 2.0, 4.302652729749464, false), 0.025, 1e-10);
}

static void median_interval(void **state) {
    (void)state;
    struct fq_interval out;
    double coverage, x[10] = {3, 1, 2, 5, 4, 9, 8, 7, 6, 10};
    /* n = 10: ranks 2 and 9 reach 97.85 %, ranks 3 and 8 only 89.06 %. */
    assert_true(fq_median_interval(x, 10, 0.95, &out, &coverage));
    near(out.value, 5.5, 0.0);
    near(out.low, 2.0, 0.0);
    near(out.high, 9.0, 0.0);
    near(coverage, 1.0 - 22.0 / 1024.0, 1e-12);
    double few[5] = {5, 4, 3, 2, 1};
    assert_false(fq_median_interval(few, 5, 0.95, &out, &coverage)); /* 1 - 2/32 = 93.75 % at most */
    near(out.value, 3.0, 0.0);
    assert_true(isnan(out.low) && isnan(out.high));
}

static void student_interval(void **state) {
    (void)state;
    const double x[4] = {1, 2, 3, 4};
    struct fq_interval out = fq_student_interval(x, 4, 0.95);
    near(out.value, 2.5, 1e-15);
    near(out.high - out.value, 3.182446305284263 * sqrt(5.0 / 3.0 / 4.0), 1e-10);
    assert_true(isnan(fq_student_interval(x, 1, 0.95).low));
}

static void slope(void **state) {
    (void)state;
    /* An exact line has slope 2 and no error. */
    const double x[6] = {0, 1, 2, 3, 4, 5}, y[6] = {1, 3, 5, 7, 9, 11};
    const int32_t own[6] = {0, 1, 2, 3, 4, 5}, one[6] = {7, 7, 7, 7, 7, 7};
    struct fq_interval out = fq_slope_clustered(x, y, own, 6, false, 0.95);
    near(out.value, 2.0, 1e-14);
    near(out.high - out.low, 0.0, 1e-12);
    assert_true(isnan(fq_slope_clustered(x, y, one, 6, false, 0.95).low));
    /* Through the origin, two points a cluster, by hand: x = 1 1 2 2, y = 1 2 2 5; slope 17/10; scores x (y - 1.7 x) =
     * -.7 .3 -2.8 3.2; clusters {0,1}: (-.4)^2 + .4^2 = .32; CR1 factor 2 * 3/3; variance .32 * 2 / 100. */
    const double u[4] = {1, 1, 2, 2}, v[4] = {1, 2, 2, 5};
    const int32_t pair[4] = {0, 0, 1, 1};
    out = fq_slope_clustered(u, v, pair, 4, true, 0.95);
    near(out.value, 1.7, 1e-14);
    near(out.high - out.value, 12.706204736432095 * sqrt(0.0064), 1e-9);
}

/* Coverage of the 95 % intervals on 1000 simulated samples: binomial noise alone is +-1.4 points. */
static void coverage(void **state) {
    (void)state;
    enum { RUNS = 1000, N = 25, CLUSTERS = 20, EACH = 5 };
    uint64_t key = fq_stream_key("test coverage", 1);
    int median_hits = 0, mean_hits = 0, slope_hits = 0;
    for (int run = 0; run < RUNS; run++) {
        double x[N], reached;
        fq_random_gaussian(key, (uint64_t)run * 1000, N, x);
        struct fq_interval m = fq_student_interval(x, N, 0.95), out;
        mean_hits += m.low <= 0.0 && 0.0 <= m.high;
        assert_true(fq_median_interval(x, N, 0.95, &out, &reached));
        median_hits += out.low <= 0.0 && 0.0 <= out.high;

        double effect[CLUSTERS], noise[2 * CLUSTERS * EACH], a[CLUSTERS * EACH], b[CLUSTERS * EACH];
        int32_t cluster[CLUSTERS * EACH];
        fq_random_gaussian(key, (uint64_t)run * 1000 + 100, CLUSTERS, effect);
        fq_random_gaussian(key, (uint64_t)run * 1000 + 200, 2 * CLUSTERS * EACH, noise);
        for (int i = 0; i < CLUSTERS * EACH; i++) {
            cluster[i] = i / EACH;
            a[i] = noise[2 * i];
            b[i] = (0.9 + 0.3 * effect[i / EACH]) * a[i] + 0.5 * noise[2 * i + 1]; /* slopes differ by cluster */
        }
        out = fq_slope_clustered(a, b, cluster, CLUSTERS * EACH, true, 0.95);
        slope_hits += out.low <= 0.9 && 0.9 <= out.high;
    }
    print_message("coverage of 95 %%: mean %d, median %d (exact 95.7), clustered slope %d of %d\n", mean_hits,
                  median_hits, slope_hits, RUNS);
    assert_in_range(mean_hits, 930, 970);
    assert_in_range(median_hits, 935, 975);
    assert_in_range(slope_hits, 920, 970);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions), cmocka_unit_test(clopper_pearson), cmocka_unit_test(holm),
        cmocka_unit_test(tost),          cmocka_unit_test(median_interval), cmocka_unit_test(student_interval),
        cmocka_unit_test(slope),         cmocka_unit_test(coverage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
