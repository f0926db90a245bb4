/* Cells -> estimates: pooling, flags, and the refusal to give a number an interval that it does not have. */
#include "harness/judge/estimate.h"

#include "cells.h"
#include "harness/base/random.h"
#include "harness/judge/paired.h"

static const struct fq_estimate *find(const struct fq_estimates *e, const char *method, const char *metric,
                                      int replicate) {
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->rows[i].method, method) == 0 && strcmp(e->rows[i].metric, metric) == 0 &&
            e->rows[i].replicate == replicate)
            return &e->rows[i];
    fail_msg("no row for %s of %s", metric, method);
    return NULL;
}

static void estimate(const struct fq_results *r, struct fq_estimates *out) {
    struct fq_error err;
    assert_int_equal(fq_estimate_all(r, 1, 1, out, &err), 0);
}

static void pools_seeds(void **state) {
    (void)state;
    struct fq_results r = {.planned = 4};
    const double a[4] = {1, 2, 3, 4}, b[4] = {2, 3, 4, 5}, c[4] = {3, 4, 5, 6};
    put_series(put_cell(&r, "codec", "alpha", "bits=2", 1, 0, 0, 0), "rel_mse", "1", "mean,q99,max", a, 4);
    put_series(put_cell(&r, "codec", "alpha", "bits=2", 2, 0, 0, 0), "rel_mse", "1", "mean,q99,max", b, 4);
    put_series(put_cell(&r, "codec", "alpha", "bits=2", 3, 0, 0, 0), "rel_mse", "1", "mean,q99,max", c, 4);
    put_series(put_cell(&r, "codec", "alpha", "bits=3", 1, 0, 0, 0), "rel_mse", "1", "mean", a, 4);
    struct fq_estimates e;
    estimate(&r, &e);
    assert_int_equal(e.n, 4);
    const struct fq_estimate *mean = find(&e, "alpha", "rel_mse", 0);
    assert_int_equal(mean->n, 12);
    assert_int_equal(mean->seed_count, 3);
    near(mean->value, 3.5, 1e-14);
    assert_true(mean->low < mean->value && mean->value < mean->high);
    assert_string_equal(mean->resampled, "seed, vector");
    assert_string_equal(mean->flags, "");
    assert_string_equal(mean->unit, "1");
    near(find(&e, "alpha", "rel_mse.max", 0)->value, 6.0, 0.0);
    assert_string_equal(find(&e, "alpha", "rel_mse.max", 0)->flags, "sample-maximum");
    const struct fq_estimate *one = &e.rows[3];
    assert_string_equal(one->parameters, "bits=3");
    assert_string_equal(one->flags, "one-seed,few-units"); /* four vectors */
    assert_string_equal(one->resampled, "vector");
    assert_true(isfinite(one->low));
    set_fact(&r.cells[3], "shared_bytes", "0"); /* it draws nothing: one seed is all there is */
    fq_estimates_free(&e);
    estimate(&r, &e);
    assert_string_equal(e.rows[3].flags, "few-units");
    fq_estimates_free(&e);
    fq_results_free(&r);
}

static void no_number_without_interval(void **state) {
    (void)state;
    struct fq_results r = {.planned = 5};
    const double one = 3.0, bytes = 17.0, bad[2] = {1.0, NAN};
    struct fq_cell *cell = put_cell(&r, "codec", "alpha", "bits=2", 1, 0, 0, 0);
    put_series(cell, "perplexity", "1", "mean", &one, 1);
    put_series(cell, "record_bytes", "bytes/vector", "mean", &bytes, 1);
    put_series(cell, "broken", "1", "mean", bad, 2);
    struct fq_cell *failed = put_cell(&r, "codec", "beta", "bits=2", 1, 0, 0, 0);
    put_series(failed, "perplexity", "1", "mean", &one, 1);
    failed->ok = false;
    struct fq_estimates e;
    estimate(&r, &e);
    assert_int_equal(e.n, 3); /* the failed cell gives no row */
    const struct fq_estimate *p = find(&e, "alpha", "perplexity", 0);
    assert_true(isnan(p->low) && isnan(p->high));
    assert_string_equal(p->flags, "one-seed,partial,single-unit");
    const struct fq_estimate *exact = find(&e, "alpha", "record_bytes", 0);
    near(exact->low, 17.0, 0.0);
    near(exact->high, 17.0, 0.0);
    assert_string_equal(exact->flags, "one-seed,partial,exact");
    const struct fq_estimate *broken = find(&e, "alpha", "broken", 0);
    assert_true(isnan(broken->value) && isnan(broken->low));
    assert_non_null(strstr(broken->flags, "not-finite"));
    fq_estimates_free(&e);
    fq_results_free(&r);
}

/* Two chunks and two seeds have an interval, which says so itself; five units or three seeds need no flag. */
static void few_units(void **state) {
    (void)state;
    static const struct {
        int seeds, units;
        bool flagged;
    } list[] = {{1, 2, true}, {2, 2, true}, {2, 4, true}, {2, 5, false}, {3, 2, false}};
    const double value[5] = {2.6, 2.9, 2.7, 2.75, 2.8};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct fq_results r = {0};
        for (int seed = 1; seed <= list[i].seeds; seed++)
            put_series(put_cell(&r, "codec", "alpha", "bits=2", (uint64_t)seed, 0, 0, 0), "perplexity", "1", "exp_mean",
                       value, (size_t)list[i].units);
        r.planned = r.n_cells;
        struct fq_estimates e;
        estimate(&r, &e);
        assert_int_equal(e.n, 1);
        if ((strstr(e.rows[0].flags, "few-units") != NULL) != list[i].flagged)
            fail_msg("%d seeds, %d units: '%s'", list[i].seeds, list[i].units, e.rows[0].flags);
        assert_true(e.rows[0].low > 0.0);
        fq_estimates_free(&e);
        fq_results_free(&r);
    }
}

/* Two files that share a cell count it once. */
static void a_shared_cell_counts_once(void **state) {
    (void)state;
    struct fq_results r[2] = {{.planned = 1}, {.planned = 1}};
    const double a[3] = {1, 2, 3};
    for (int k = 0; k < 2; k++)
        put_series(put_cell(&r[k], "codec", "alpha", "bits=2", 1, 0, 0, 0), "rel_mse", "1", "mean", a, 3);
    struct fq_estimates e;
    struct fq_error err;
    assert_int_equal(fq_estimate_all(r, 2, 1, &e, &err), 0);
    assert_int_equal(e.n, 1);
    assert_int_equal(e.rows[0].n, 3);
    fq_estimates_free(&e);
    fq_results_free(&r[0]);
    fq_results_free(&r[1]);
}

/* Speed cells: three processes of ten blocks, an A/A twin, and a method that is 20 % slower. */
static void timed(struct fq_results *r, const char *method, int replicate, double factor) {
    for (int process = 0; process < 3; process++)
        for (int block = 0; block < 10; block++) {
            double noise[2];
            fq_random_gaussian(fq_stream_key("test timed", (uint64_t)(replicate + 2 * (method[0] == 'b'))),
                               (uint64_t)(process * 10 + block), 1, noise);
            /* a slow block is slow for everybody: what pairing takes out */
            double ns = factor * (100.0 + 10.0 * ((process + block) % 4) + noise[0]);
            put_series(put_cell(r, "speed", method, "bits=2", 1, process, block, replicate), "ns_encode", "ns/vector",
                       "median", &ns, 1);
        }
}

static void speed(void **state) {
    (void)state;
    struct fq_results r = {.planned = 90};
    timed(&r, "alpha", 0, 1.0);
    timed(&r, "alpha", 1, 1.0);
    timed(&r, "beta", 0, 1.2);
    struct fq_estimates e;
    for (size_t i = 0; i < r.n_cells; i++) /* twins 100 times apart: as a difference, their floor is above any value */
        if (r.cells[i].replicate == 1)
            r.cells[i].series.series[0].value[0] *= 100.0;
    estimate(&r, &e);
    assert_string_equal(find(&e, "alpha", "ns_encode", 0)->flags, ""); /* a time is no difference */
    fq_estimates_free(&e);
    for (size_t i = 0; i < r.n_cells; i++)
        if (r.cells[i].replicate == 1)
            r.cells[i].series.series[0].value[0] /= 100.0;
    estimate(&r, &e);
    assert_int_equal(e.n, 3);
    const struct fq_estimate *alpha = find(&e, "alpha", "ns_encode", 0), *beta = find(&e, "beta", "ns_encode", 0);
    assert_true(alpha->low < 115.0 && 115.0 < alpha->high);
    assert_true(beta->low < 138.0 && 138.0 < beta->high);
    assert_string_equal(alpha->resampled, "process and block");
    assert_string_equal(alpha->flags, "");
    fq_estimates_free(&e);

    struct fq_groups g;
    struct fq_error err;
    struct fq_comparison c;
    struct fq_bootstrap *boot = fq_bootstrap_new(1, FQ_RESAMPLES);
    assert_int_equal(fq_groups_build(&r, 1, &g, &err), 0);
    assert_int_equal(g.n, 3);
    assert_int_equal(fq_compare(boot, &g.group[2], &g.group[0], FQ_MEDIAN, FQ_EFFECT_RATIO, 0.95, &c, &err), 0);
    assert_int_equal(c.n, 30);
    assert_true(c.low < 1.2 && 1.2 < c.high);
    assert_true(c.high - c.low < 0.05); /* far narrower than the blocks differ */
    double floor = fq_noise_floor(boot, &g, &g.group[2], FQ_MEDIAN, FQ_EFFECT_RATIO, 0.95);
    assert_true(floor > 0.0 && floor < 0.03);
    assert_true(fabs(log(c.value)) > floor);
    fq_bootstrap_free(boot);
    fq_groups_free(&g);
    fq_results_free(&r);
}

/* Two processes that saw two different machines: the row stays, above zero, and says that nothing is to be read off it.
 * A signed quantity whose few samples happen to be positive may still be negative. */
static void disturbed_times(void **state) {
    (void)state;
    struct fq_results r = {0};
    for (int process = 0; process < 2; process++)
        for (int block = 0; block < 5; block++) {
            double slow = (process ? 9000.0 : 600.0) + 10.0 * block, even = 600.0 + 10.0 * block;
            struct fq_cell *cell = put_cell(&r, "speed", "alpha", "bits=2", 1, process, block, 0);
            put_series(cell, "ns_rotate", "ns/vector", "median", &slow, 1);
            put_series(cell, "ns_encode", "ns/vector", "median", &even, 1);
        }
    const double delta[3] = {0.01, 0.5, 0.02};
    struct fq_cell *model = put_cell(&r, "model", "alpha", "bits=2", 1, 0, 0, 0);
    put_series(model, "delta_log_ppl", "nats", "mean", delta, 3);
    put_series(model, "kl", "nats", "mean", delta, 3);
    r.planned = r.n_cells;
    struct fq_estimates e;
    estimate(&r, &e);
    const struct fq_estimate *slow = find(&e, "alpha", "ns_rotate", 0), *even = find(&e, "alpha", "ns_encode", 0);
    assert_string_equal(slow->flags, "few-units,too-wide");
    assert_true(slow->low > 0.0 && slow->low < 600.0 && slow->high > 9000.0 && isfinite(slow->high));
    assert_null(strstr(even->flags, "too-wide"));
    assert_true(even->low > 590.0 && even->high < 650.0);
    assert_true(find(&e, "alpha", "delta_log_ppl", 0)->low < 0.0);
    assert_true(find(&e, "alpha", "kl", 0)->low > 0.0);
    assert_null(strstr(find(&e, "alpha", "kl", 0)->flags, "too-wide")); /* that is for times */
    fq_estimates_free(&e);
    fq_results_free(&r);
}

/* Pairing is by identity: a missing unit of one side leaves the pair out and shifts nothing. */
static void pairs_by_label(void **state) {
    (void)state;
    struct fq_results r = {.planned = 3};
    struct fq_error err;
    struct fq_series *s =
        put_series(put_cell(&r, "codec", "alpha", "bits=2", 1, 0, 0, 0), "rel_mse", "1", "mean", NULL, 0);
    for (int i = 0; i < 9; i++)
        if (i != 4)
            assert_int_equal(fq_series_push(s, 2.0 * (i + 1), 1.0, i, 0, &err), 0);
    const double b[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    put_series(put_cell(&r, "codec", "beta", "bits=2", 7, 0, 0, 0), "rel_mse", "1", "mean", b, 9);
    struct fq_groups g;
    struct fq_comparison c;
    struct fq_bootstrap *boot = fq_bootstrap_new(1, FQ_RESAMPLES);
    assert_int_equal(fq_groups_build(&r, 1, &g, &err), 0);
    /* seeds 1 and 7 have nothing in common, and neither side has several seeds to pair with */
    assert_int_equal(fq_compare(boot, &g.group[0], &g.group[1], FQ_MEAN, FQ_EFFECT_RATIO, 0.95, &c, &err), FQ_FAILED);
    assert_non_null(strstr(err.text, "in common"));
    fq_groups_free(&g);
    r.cells[1].seed = 1;
    assert_int_equal(fq_groups_build(&r, 1, &g, &err), 0);
    assert_int_equal(fq_compare(boot, &g.group[0], &g.group[1], FQ_MEAN, FQ_EFFECT_RATIO, 0.95, &c, &err), 0);
    assert_int_equal(c.n, 8);
    near(c.value, 2.0, 1e-14);
    near(c.high - c.low, 0.0, 1e-12);
    assert_int_equal(fq_compare(boot, &g.group[0], &g.group[1], FQ_MEAN, FQ_EFFECT_DIFFERENCE, 0.95, &c, &err), 0);
    near(c.value, 5.0, 1e-14); /* mean of 1..9 without 5 */
    fq_groups_free(&g);

    /* A side that drew nothing has one seed and pairs with each of the other's. */
    put_series(put_cell(&r, "codec", "beta", "bits=2", 2, 0, 0, 0), "rel_mse", "1", "mean", b, 9);
    assert_int_equal(fq_groups_build(&r, 1, &g, &err), 0);
    assert_int_equal(fq_compare(boot, &g.group[0], &g.group[1], FQ_MEAN, FQ_EFFECT_RATIO, 0.95, &c, &err), 0);
    assert_int_equal(c.n, 16);
    assert_int_equal(c.seeds, 2);
    near(c.value, 2.0, 1e-14);
    fq_groups_free(&g);
    fq_bootstrap_free(boot);
    fq_results_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_seeds),
        cmocka_unit_test(no_number_without_interval),
        cmocka_unit_test(a_shared_cell_counts_once),
        cmocka_unit_test(few_units),
        cmocka_unit_test(speed),
        cmocka_unit_test(disturbed_times),
        cmocka_unit_test(pairs_by_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
