/* The hierarchical bootstrap: exact cases, and coverage where seeds or processes are few. */
#include "harness/base/random.h"
#include "harness/judge/bootstrap.h"
#include "harness/judge/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void near(double measured, double expected, double tolerance) {
    if (!(fabs(measured - expected) <= tolerance))
        fail_msg("measured %.12g, expected %.12g +- %g", measured, expected, tolerance);
}

static struct fq_boot_result run_units(struct fq_bootstrap *boot, const struct fq_sample *s, size_t n,
                                       enum fq_statistic statistic, enum fq_effect effect, bool independent) {
    struct fq_design d;
    struct fq_error err;
    struct fq_boot_result out;
    assert_int_equal(fq_design_build(s, n, effect != FQ_EFFECT_VALUE, &d, &err), 0);
    d.independent = independent;
    assert_int_equal(fq_bootstrap_run(boot, &d, statistic, effect, 0.95, &out, &err), 0);
    fq_design_free(&d);
    return out;
}

static struct fq_boot_result run(struct fq_bootstrap *boot, const struct fq_sample *s, size_t n,
                                 enum fq_statistic statistic, enum fq_effect effect) {
    return run_units(boot, s, n, statistic, effect, true);
}

static void values(void **state) {
    (void)state;
    struct fq_bootstrap *boot = fq_bootstrap_new(1, FQ_RESAMPLES);
    struct fq_sample s[4] = {{.x = 1, .y = 2, .weight = 1, .b = 0},
                             {.x = 2, .y = 4, .weight = 1, .b = 1},
                             {.x = 3, .y = 6, .weight = 1, .b = 2},
                             {.x = 6, .y = 12, .weight = 1, .b = 3}};
    near(run(boot, s, 4, FQ_MEAN, FQ_EFFECT_VALUE).value, 3.0, 1e-15);
    near(run(boot, s, 4, FQ_MEDIAN, FQ_EFFECT_VALUE).value, 2.5, 1e-15);
    near(run(boot, s, 4, FQ_MAX, FQ_EFFECT_VALUE).value, 6.0, 0.0);
    near(run(boot, s, 4, FQ_RMS, FQ_EFFECT_VALUE).value, sqrt(12.5), 1e-14);
    near(run(boot, s, 4, FQ_EXP_MEAN, FQ_EFFECT_VALUE).value, exp(3.0), 1e-12);
    near(run(boot, s, 4, FQ_MEAN, FQ_EFFECT_DIFFERENCE).value, -3.0, 1e-14);
    /* y = 2 x in every sample: the ratio is 1/2 in every resample, so pairing leaves no width. */
    struct fq_boot_result ratio = run(boot, s, 4, FQ_MEAN, FQ_EFFECT_RATIO);
    near(ratio.value, 0.5, 1e-15);
    near(ratio.high - ratio.low, 0.0, 1e-12);
    /* Weights: the last value counts three times. */
    s[3].weight = 3;
    near(run(boot, s, 4, FQ_MEAN, FQ_EFFECT_VALUE).value, 4.0, 1e-15);
    near(run(boot, s, 4, FQ_MEDIAN, FQ_EFFECT_VALUE).value, 4.5, 1e-15);
    fq_bootstrap_free(boot);
}

/* A perplexity from two chunks: its interval is wide, but not below zero, and it is that of the mean, exponentiated. */
static void exponential_of_the_mean(void **state) {
    (void)state;
    struct fq_bootstrap *boot = fq_bootstrap_new(1, FQ_RESAMPLES);
    struct fq_sample s[2] = {{.x = 2.6, .weight = 1, .a = 0}, {.x = 2.9, .weight = 1, .a = 1}};
    struct fq_boot_result perplexity = run(boot, s, 2, FQ_EXP_MEAN, FQ_EFFECT_VALUE),
                          mean = run(boot, s, 2, FQ_MEAN, FQ_EFFECT_VALUE);
    near(perplexity.value, exp(2.75), 1e-12);
    assert_true(perplexity.low > 0.0 && perplexity.low < perplexity.value && perplexity.value < perplexity.high);
    near(log(perplexity.low), mean.low, 1e-12);
    near(log(perplexity.high), mean.high, 1e-12);
    near(perplexity.se, mean.se, 1e-15);
    assert_true(perplexity.logarithm && !mean.logarithm);
    for (int i = 0; i < 2; i++) /* a root is not negative either */
        s[i].x = i;
    assert_true(run(boot, s, 2, FQ_RMS, FQ_EFFECT_VALUE).low >= 0.0);
    fq_bootstrap_free(boot);
}

/* Times from two processes of which one was disturbed, and magnitudes in general: nothing below zero, whatever the
 * statistic; on a linear scale the same samples have bounds far below it. */
static void magnitudes(void **state) {
    (void)state;
    struct fq_bootstrap *boot = fq_bootstrap_new(1, FQ_RESAMPLES);
    struct fq_sample s[10];
    for (int i = 0; i < 10; i++)
        s[i] = (struct fq_sample){.x = (i < 5 ? 600.0 : 9000.0) + 10.0 * (i % 5), .weight = 1, .a = i / 5, .b = i % 5};
    static const enum fq_statistic list[] = {FQ_MEAN, FQ_MEDIAN, FQ_Q99, FQ_Q999, FQ_MAX, FQ_RMS};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct fq_boot_result linear = run(boot, s, 10, list[i], FQ_EFFECT_VALUE),
                              out = run(boot, s, 10, list[i], FQ_EFFECT_MAGNITUDE);
        near(out.value, linear.value, 1e-9);
        assert_true(out.logarithm && !linear.logarithm);
        assert_true(out.low > 0.0 && out.low <= out.value && out.value <= out.high);
    }
    struct fq_boot_result out = run(boot, s, 10, FQ_MEDIAN, FQ_EFFECT_MAGNITUDE);
    assert_true(run(boot, s, 10, FQ_MEDIAN, FQ_EFFECT_VALUE).low < 0.0);
    near(log(out.high / out.value), log(out.value / out.low), 1e-9); /* one degree of freedom has no shape */
    near(out.df, 1.0, 1e-12);
    assert_true(out.high > 10.0 * out.low);
    /* Where the processes agree, the scale makes no difference to speak of. */
    for (int i = 0; i < 10; i++)
        s[i].x = 600.0 + (i * 7) % 10;
    struct fq_boot_result near_linear = run(boot, s, 10, FQ_MEDIAN, FQ_EFFECT_VALUE);
    out = run(boot, s, 10, FQ_MEDIAN, FQ_EFFECT_MAGNITUDE);
    near(out.low, near_linear.low, 0.5);
    near(out.high, near_linear.high, 0.5);
    /* A zero among the samples has no logarithm: linear, but not below zero; what is signed keeps its sign. */
    for (int i = 0; i < 10; i++)
        s[i].x = i == 3 ? 5.0 : 0.0;
    out = run(boot, s, 10, FQ_MEAN, FQ_EFFECT_MAGNITUDE);
    assert_false(out.logarithm);
    near(out.low, 0.0, 0.0);
    assert_true(run(boot, s, 10, FQ_MEAN, FQ_EFFECT_VALUE).low < 0.0);
    fq_bootstrap_free(boot);
}

static void no_interval_from_one_unit(void **state) {
    (void)state;
    struct fq_bootstrap *boot = fq_bootstrap_new(1, FQ_RESAMPLES);
    struct fq_sample one = {.x = 3, .weight = 1};
    struct fq_boot_result out = run(boot, &one, 1, FQ_MEAN, FQ_EFFECT_VALUE);
    assert_false(out.has_interval);
    assert_true(isnan(out.low) && isnan(out.high));
    struct fq_error err;
    struct fq_design d;
    one.x = NAN;
    assert_int_equal(fq_design_build(&one, 1, false, &d, &err), FQ_FAILED);
    assert_int_equal(fq_design_build(&one, 0, false, &d, &err), FQ_FAILED);
    fq_bootstrap_free(boot);
}

/* The tokens of one chunk of text are no sample of texts; three seeds on it are a sample of seeds. */
static void no_interval_from_one_text(void **state) {
    (void)state;
    struct fq_bootstrap *boot = fq_bootstrap_new(1, FQ_RESAMPLES);
    struct fq_sample s[30];
    for (int i = 0; i < 30; i++)
        s[i] = (struct fq_sample){.x = i % 7 + i / 10, .weight = 1, .outer = i / 10, .b = i % 10};
    assert_false(run_units(boot, s, 10, FQ_MEAN, FQ_EFFECT_VALUE, false).has_interval);
    assert_true(run_units(boot, s, 10, FQ_MEAN, FQ_EFFECT_VALUE, true).has_interval);
    struct fq_boot_result out = run_units(boot, s, 30, FQ_MEAN, FQ_EFFECT_VALUE, false);
    assert_true(out.has_interval);
    near(out.df, 2.0, 1e-12);
    fq_bootstrap_free(boot);
}

/* Few chunks that look alike are still few: Student's interval on their means, not on their tokens. */
static void chunks_are_not_tokens(void **state) {
    (void)state;
    enum { CHUNKS = 4, TOKENS = 50, N = CHUNKS * TOKENS };
    struct fq_bootstrap *boot = fq_bootstrap_new(5, 20000);
    struct fq_sample s[N];
    double noise[N], mean[CHUNKS] = {0};
    fq_random_gaussian(fq_stream_key("test chunks", 3), 0, N, noise);
    for (int i = 0; i < N; i++) {
        s[i] = (struct fq_sample){.x = noise[i], .weight = 1, .a = i / TOKENS, .b = i % TOKENS};
        mean[i / TOKENS] += noise[i] / TOKENS;
    }
    struct fq_boot_result out = run_units(boot, s, N, FQ_MEAN, FQ_EFFECT_VALUE, false);
    struct fq_interval t = fq_student_interval(mean, CHUNKS, 0.95);
    near(out.df, 3.0, 1e-12);
    near((out.high - out.low) / (t.high - t.low), 1.0, 1e-9);
    near(run(boot, s, N, FQ_MEAN, FQ_EFFECT_VALUE).df, N - 1.0, 1e-9); /* these do look alike: blocks would be pooled */
    fq_bootstrap_free(boot);
}

/* Layout: unsorted labels, folding of many units into blocks, crossed seeds. */
static void layout(void **state) {
    (void)state;
    enum { N = 6000 };
    struct fq_sample *s = calloc(N, sizeof *s);
    assert_non_null(s);
    for (int i = 0; i < N; i++)
        s[i] = (struct fq_sample){.x = i, .weight = 1, .outer = 100 - i % 2, .a = 0, .b = N - i / 2};
    struct fq_design d;
    struct fq_error err;
    assert_int_equal(fq_design_build(s, N, false, &d, &err), 0);
    assert_int_equal(d.n_outer, 2);
    assert_int_equal(d.n_clusters, 1);
    assert_int_equal(d.n_units, FQ_DESIGN_MAX_UNITS);
    fq_design_free(&d);
    free(s);
}

/* Where only seeds are resampled, the interval is Student's on the seeds, up to the bootstrap's skew. */
static void seeds_alone(void **state) {
    (void)state;
    struct fq_bootstrap *boot = fq_bootstrap_new(3, 20000);
    const double x[5] = {1, 2, 3, 4, 5};
    struct fq_sample s[5];
    for (int i = 0; i < 5; i++)
        s[i] = (struct fq_sample){.x = x[i], .weight = 1, .outer = i};
    struct fq_boot_result out = run(boot, s, 5, FQ_MEAN, FQ_EFFECT_VALUE);
    struct fq_interval t = fq_student_interval(x, 5, 0.95);
    near(out.df, 4.0, 1e-12);
    near((out.high - out.low) / (t.high - t.low), 1.0, 1e-9);
    near(out.se, sqrt(0.5), 1e-12);
    fq_bootstrap_free(boot);
}

/* One simulated layout: seeds x clusters x units with effects of given standard deviations. */
struct scenario {
    const char *what;
    int seeds, clusters, units;
    double seed_sd, cluster_sd, noise_sd;
    enum fq_statistic statistic;
    bool magnitude; /* the samples are exponentials, which a disturbed clock gives */
    double lag;     /* correlation of neighbouring units of a cluster, which then are no draws of their own */
};

/* What the statistic estimates. */
static double truth(const struct scenario *c) {
    double variance = c->seed_sd * c->seed_sd + c->cluster_sd * c->cluster_sd + c->noise_sd * c->noise_sd;
    return !c->magnitude ? 0.0 : c->statistic == FQ_MEDIAN ? 1.0 : exp(0.5 * variance);
}

static int hits_of(struct fq_bootstrap *boot, const struct scenario *c, int runs, uint64_t key) {
    int n = c->seeds * c->clusters * c->units, hits = 0;
    struct fq_sample *s = calloc((size_t)n, sizeof *s);
    double *noise = calloc((size_t)(n + c->seeds + c->clusters), sizeof *noise);
    assert_true(s != NULL && noise != NULL);
    for (int r = 0; r < runs; r++) {
        fq_random_gaussian(key, (uint64_t)r * 100000, (size_t)(n + c->seeds + c->clusters), noise);
        const double *seed = noise + n, *cluster = seed + c->seeds;
        double along = 0.0;
        for (int i = 0; i < n; i++) {
            int k = i / (c->clusters * c->units), a = i / c->units % c->clusters;
            along = i % c->units && c->lag > 0.0 ? c->lag * along + sqrt(1.0 - c->lag * c->lag) * noise[i] : noise[i];
            double x = c->seed_sd * seed[k] + c->cluster_sd * cluster[a] + c->noise_sd * along;
            s[i] =
                (struct fq_sample){.x = c->magnitude ? exp(x) : x, .weight = 1, .outer = k, .a = a, .b = i % c->units};
        }
        struct fq_boot_result out = run_units(boot, s, (size_t)n, c->statistic,
                                              c->magnitude ? FQ_EFFECT_MAGNITUDE : FQ_EFFECT_VALUE, !(c->lag > 0.0));
        assert_true(!c->magnitude || out.low > 0.0);
        hits += out.low <= truth(c) && truth(c) <= out.high;
    }
    free(s);
    free(noise);
    return hits;
}

static void coverage(void **state) {
    (void)state;
    /* clusters = layers and heads, chunks or processes; units = tokens or blocks */
    static const struct scenario list[] = {
        {"30 normal values, one seed", 1, 1, 30, 0, 0, 1, FQ_MEAN, false, 0},
        {"median of 30 values", 1, 1, 30, 0, 0, 1, FQ_MEDIAN, false, 0},
        {"8 chunks of 16 tokens", 1, 8, 16, 0, 0.5, 1, FQ_MEAN, false, 0},
        {"3 seeds, noise only", 3, 1, 40, 0, 0, 1, FQ_MEAN, false, 0},
        {"3 seeds that differ, 20 units", 3, 1, 20, 0.5, 0, 1, FQ_MEAN, false, 0},
        {"3 seeds crossed with 20 layers", 3, 20, 2, 0.3, 0.5, 0.5, FQ_MEAN, false, 0},
        {"5 seeds crossed with 20 layers", 5, 20, 2, 0.2, 0.2, 1, FQ_MEAN, false, 0},
        {"20 seeds crossed with 40 units", 20, 1, 40, 0.2, 0, 1, FQ_MEAN, false, 0},
        {"3 processes of 10 blocks", 1, 3, 10, 0, 0, 1, FQ_MEDIAN, false, 0},
        {"3 processes that differ", 1, 3, 10, 0, 1, 1, FQ_MEDIAN, false, 0},
        {"times of 2 processes", 1, 2, 5, 0, 0, 0.1, FQ_MEDIAN, true, 0},
        {"times of 2 that differ", 1, 2, 5, 0, 0.5, 0.1, FQ_MEDIAN, true, 0},
        {"times of 3 that differ", 1, 3, 10, 0, 0.5, 0.2, FQ_MEDIAN, true, 0},
        {"mean of 40 errors", 1, 1, 40, 0, 0, 0.4, FQ_MEAN, true, 0},
        {"3 seeds that differ, errors", 3, 1, 20, 0.2, 0, 0.4, FQ_MEAN, true, 0},
        {"4 chunks of 255 tokens, lag .3", 1, 4, 255, 0, 0, 1, FQ_MEAN, false, 0.3},
    };
    enum { RUNS = 1000 };
    struct fq_bootstrap *boot = fq_bootstrap_new(7, FQ_RESAMPLES);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        int hits = hits_of(boot, &list[i], RUNS, fq_stream_key("test bootstrap coverage", i));
        print_message("coverage of 95 %%: %-32s %d of %d\n", list[i].what, hits, RUNS);
        if (hits < (i < 3 ? 930 : 915) || hits > (i < 3 ? 970 : 990))
            fail_msg("%s: the 95 %% interval covered %d of %d", list[i].what, hits, RUNS);
    }
    fq_bootstrap_free(boot);
}

/* Same seed, same interval; another bootstrap seed, another interval but close. */
static void repeatable(void **state) {
    (void)state;
    enum { N = 40 };
    double x[N];
    struct fq_sample s[N];
    fq_random_gaussian(fq_stream_key("test repeatable", 1), 0, N, x);
    for (int i = 0; i < N; i++)
        s[i] = (struct fq_sample){.x = x[i], .weight = 1, .b = i};
    struct fq_bootstrap *one = fq_bootstrap_new(1, FQ_RESAMPLES), *again = fq_bootstrap_new(1, FQ_RESAMPLES),
                        *other = fq_bootstrap_new(2, FQ_RESAMPLES);
    struct fq_boot_result a = run(one, s, N, FQ_MEAN, FQ_EFFECT_VALUE), b = run(again, s, N, FQ_MEAN, FQ_EFFECT_VALUE),
                          c = run(other, s, N, FQ_MEAN, FQ_EFFECT_VALUE);
    near(a.low, b.low, 0.0);
    near(a.high, b.high, 0.0);
    assert_true(a.low != c.low);
    near(a.low, c.low, 0.1 * (a.high - a.low));
    fq_bootstrap_free(one);
    fq_bootstrap_free(again);
    fq_bootstrap_free(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(magnitudes),
        cmocka_unit_test(no_interval_from_one_unit),
        cmocka_unit_test(no_interval_from_one_text),
        cmocka_unit_test(chunks_are_not_tokens),
        cmocka_unit_test(layout),
        cmocka_unit_test(seeds_alone),
        cmocka_unit_test(coverage),
        cmocka_unit_test(repeatable),
        cmocka_unit_test(exponential_of_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
