/* Joins the samples of two groups and resamples them together. Pairing is by identity (seed, label_a, label_b), never
 * by position, so that a missing sample cannot shift its neighbours. */
#include "harness/judge/paired.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_labels(const void *p, const void *q) {
    const struct fq_sample *x = p, *y = q;
    if (x->outer != y->outer)
        return x->outer < y->outer ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return (x->b > y->b) - (x->b < y->b);
}

/* Repeats the samples of a one-seed group once for every seed of `of` (sorted). */
static struct fq_sample *repeat_for_seeds(struct fq_sample *s, size_t *n, const struct fq_sample *of, size_t n_of,
                                          size_t seeds) {
    struct fq_sample *more = malloc(*n * seeds * sizeof *more);
    size_t filled = 0;
    for (size_t i = 0; more != NULL && i < n_of; i++)
        if (i == 0 || of[i].outer != of[i - 1].outer)
            for (size_t k = 0; k < *n; k++) {
                more[filled] = s[k];
                more[filled++].outer = of[i].outer;
            }
    free(s);
    *n = filled;
    return more;
}

/* Merges two sorted lists; x keeps the pairs, y its partner's value. */
static size_t join(struct fq_sample *x, size_t n, const struct fq_sample *y, size_t m) {
    size_t kept = 0, j = 0;
    for (size_t i = 0; i < n; i++) {
        while (j < m && by_labels(&y[j], &x[i]) < 0)
            j++;
        if (j < m && by_labels(&y[j], &x[i]) == 0) {
            x[kept] = x[i];
            x[kept++].y = y[j++].x; /* several samples of one label pair in their order */
        }
    }
    return kept;
}

static int paired_samples(const struct fq_group *x, const struct fq_group *y, struct fq_sample **out, size_t *n,
                          struct fq_error *err) {
    struct fq_sample *a = fq_group_samples(x), *b = fq_group_samples(y);
    size_t n_a = x->samples, n_b = y->samples;
    if (a != NULL && b != NULL) {
        qsort(a, n_a, sizeof *a, by_labels);
        qsort(b, n_b, sizeof *b, by_labels);
        if (!x->timed && x->seeds > 1 && y->seeds == 1)
            b = repeat_for_seeds(b, &n_b, a, n_a, x->seeds);
        else if (!x->timed && y->seeds > 1 && x->seeds == 1)
            a = repeat_for_seeds(a, &n_a, b, n_b, y->seeds);
    }
    if (a == NULL || b == NULL) {
        free(a);
        free(b);
        return fq_fail(err, FQ_FAILED, "out of memory for %zu and %zu samples", x->samples, y->samples);
    }
    *n = join(a, n_a, b, n_b);
    free(b);
    *out = a;
    if (*n > 0)
        return 0;
    free(a);
    *out = NULL;
    return fq_fail(err, FQ_FAILED, "%s and %s have no seed and unit in common on %s", fq_group_cell(x)->label,
                   fq_group_cell(y)->label, fq_group_cell(x)->data);
}

/* Paired log-ratio per block: one value per pair. */
static bool log_ratios(struct fq_sample *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!(s[i].x > 0.0) || !(s[i].y > 0.0))
            return false;
        s[i].x = log(s[i].x / s[i].y);
    }
    return true;
}

int fq_compare(struct fq_bootstrap *boot, const struct fq_group *x, const struct fq_group *y,
               enum fq_statistic statistic, enum fq_effect effect, double level, struct fq_comparison *out,
               struct fq_error *err) {
    struct fq_sample *s = NULL;
    size_t n = x->samples;
    bool blockwise = y != NULL && x->timed && effect == FQ_EFFECT_RATIO;
    memset(out, 0, sizeof *out);
    if (y == NULL) {
        /* Held against a constant as a ratio: the same scale as a ratio of two, where the samples allow it. */
        effect = effect == FQ_EFFECT_RATIO ? FQ_EFFECT_MAGNITUDE : FQ_EFFECT_VALUE;
        s = fq_group_samples(x);
        if (s == NULL)
            return fq_fail(err, FQ_FAILED, "out of memory for %zu samples", n);
    } else
        FQ_TRY(paired_samples(x, y, &s, &n, err));
    if (blockwise && !log_ratios(s, n)) {
        free(s);
        return fq_fail(err, FQ_FAILED, "a ratio needs two values above zero");
    }
    struct fq_design design;
    int code = fq_design_build(s, n, y != NULL, &design, err);
    free(s);
    if (code != 0)
        return code;
    design.independent = fq_group_independent(x);
    struct fq_boot_result r;
    code = fq_bootstrap_run(boot, &design, blockwise ? FQ_MEDIAN : statistic, blockwise ? FQ_EFFECT_VALUE : effect,
                            level, &r, err);
    fq_design_free(&design);
    if (code != 0)
        return code;
    *out = (struct fq_comparison){.value = r.value, .low = r.low, .high = r.high, .se = r.se, .df = r.df};
    out->logarithm = blockwise || r.logarithm;
    if (blockwise) {
        out->value = exp(r.value);
        out->low = exp(r.low);
        out->high = exp(r.high);
    }
    out->has_interval = r.has_interval;
    out->n = n;
    out->seeds = r.seeds;
    out->tops = r.tops;
    fq_group_resampled(x, r.by_label_a, r.seeds, r.tops, out->resampled, sizeof out->resampled);
    return 0;
}

static bool twins(const struct fq_group *a, const struct fq_group *b) {
    const struct fq_cell *x = fq_group_cell(a), *y = fq_group_cell(b);
    return x->replicate == 0 && y->replicate == 1 && strcmp(x->method, y->method) == 0 &&
           strcmp(x->parameters, y->parameters) == 0;
}

double fq_noise_floor(struct fq_bootstrap *boot, const struct fq_groups *groups, const struct fq_group *of,
                      enum fq_statistic statistic, enum fq_effect effect, double level) {
    /* Twins are neighbours, because the replicate is the last key of the order. */
    for (size_t i = 1; i < groups->n; i++) {
        const struct fq_group *a = &groups->group[i - 1], *b = &groups->group[i];
        if (!fq_groups_comparable(a, of) || !fq_groups_comparable(b, of) || !twins(a, b) ||
            strcmp(fq_group_series(a)->metric, fq_group_series(of)->metric) != 0 ||
            strcmp(fq_group_series(b)->metric, fq_group_series(of)->metric) != 0)
            continue;
        struct fq_comparison c;
        struct fq_error ignored; /* no comparison: no floor, which the caller says */
        if (fq_compare(boot, b, a, statistic, effect, level, &c, &ignored) != 0 || !c.has_interval)
            return NAN;
        bool ratio = effect == FQ_EFFECT_RATIO;
        double low = ratio ? log(c.low) : c.low, high = ratio ? log(c.high) : c.high;
        return fmax(fabs(low), fabs(high));
    }
    return NAN;
}
