/* Cells -> estimates. Pools the seeds, processes and blocks of an instance (groups.c) and gives every statistic that a
 * series asks for an interval (bootstrap.c), or none and a flag. Judges nothing. */
#include "harness/judge/estimate.h"

#include "harness/judge/bootstrap.h"
#include "harness/judge/groups.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double LEVEL = 0.95;
static const double WIDEST = 10.0;   /* times: high over low beyond which there is nothing to be read off */
static const double FEWEST_DF = 3.0; /* times: below, Student's quantile is all that the interval says */

static void add_flag(struct fq_estimate *e, const char *flag) {
    size_t used = strlen(e->flags);
    snprintf(e->flags + used, sizeof e->flags - used, "%s%s", used ? "," : "", flag);
}

static void copy(char *to, size_t size, const char *from) {
    snprintf(to, size, "%s", from);
}

static void identity(const struct fq_group *g, struct fq_estimate *e) {
    const struct fq_cell *c = fq_group_cell(g);
    const struct fq_series *s = fq_group_series(g);
    memset(e, 0, sizeof *e);
    copy(e->data, sizeof e->data, c->data);
    copy(e->model, sizeof e->model, c->model);
    copy(e->tensor, sizeof e->tensor, s->tensor);
    copy(e->method, sizeof e->method, c->method);
    copy(e->parameters, sizeof e->parameters, c->parameters);
    copy(e->label, sizeof e->label, c->label);
    copy(e->role, sizeof e->role, c->role);
    copy(e->rate_class, sizeof e->rate_class, c->rate_class);
    copy(e->contract, sizeof e->contract, c->contract);
    copy(e->kind, sizeof e->kind, c->kind);
    copy(e->unit, sizeof e->unit, s->unit);
    e->replicate = c->replicate;
    e->nominal_bits = c->nominal_bits;
    e->rate_bits = c->rate_bits;
    e->n = g->samples;
    e->seed_count = g->seeds;
    e->value = e->low = e->high = NAN;
}

/* Bytes are counted, not sampled: where every count is the same, the value is exact. */
static bool is_exact_count(const struct fq_group *g) {
    const char *unit = fq_group_series(g)->unit;
    if (strncmp(unit, "bit", 3) != 0 && strncmp(unit, "byte", 4) != 0)
        return false;
    double first = fq_group_series(g)->n > 0 ? fq_group_series(g)->value[0] : NAN;
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->entry[i].series->n; k++)
            if (g->entry[i].series->value[k] != first)
                return false;
    return g->samples > 0;
}

/* Several seeds are wanted where something was drawn; what was drawn lies in the shared state. */
static bool wants_seeds(const struct fq_group *g) {
    const char *shared = fq_cell_fact_text(fq_group_cell(g), "shared_bytes");
    return !g->timed && (shared == NULL || strcmp(shared, "0") != 0);
}

struct builder {
    struct fq_estimates *out;
    size_t room;
    struct fq_bootstrap *boot;
};

static struct fq_estimate *new_row(struct builder *b, const struct fq_group *g, struct fq_error *err) {
    if (b->out->n == b->room) {
        size_t room = b->room ? 2 * b->room : 256;
        struct fq_estimate *rows = realloc(b->out->rows, room * sizeof *rows);
        if (rows == NULL) {
            fq_fail(err, FQ_FAILED, "out of memory for %zu estimates", room);
            return NULL;
        }
        b->out->rows = rows;
        b->room = room;
    }
    struct fq_estimate *e = &b->out->rows[b->out->n++];
    identity(g, e);
    return e;
}

/* An interval from so few levels is what Student's quantile makes of them: wide, and no more than a hint. Blocks of
 * processes that do not differ count as units, which the degrees of freedom tell. */
static bool rests_on_few(const struct fq_group *g, const struct fq_boot_result *r) {
    if (g->timed)
        return r->has_interval && (r->df < FEWEST_DF || (r->seeds <= 2 && r->tops < 5 && r->df < 4.0));
    return r->has_interval && r->seeds <= 2 && r->tops < 5;
}

/* May the quantity be below zero by its nature? Then its interval must be able to reach zero, even when the samples at
 * hand all lie above it; everything else that is measured is a size: a time, an error, a count, a divergence. */
static bool is_signed(const char *metric) {
    static const char *const words[] = {"delta", "bias", "slope", "cosine", "correlation", "gain"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(metric, words[i]) != NULL)
            return true;
    return false;
}

static void summarise(struct builder *b, const struct fq_group *g, const struct fq_design *design,
                      enum fq_statistic statistic, struct fq_estimate *e) {
    struct fq_boot_result r;
    struct fq_error reason;
    if (is_exact_count(g)) {
        e->value = e->low = e->high = fq_group_series(g)->value[0];
        copy(e->resampled, sizeof e->resampled, "nothing");
        add_flag(e, "exact");
        return;
    }
    enum fq_effect effect = is_signed(fq_group_series(g)->metric) ? FQ_EFFECT_VALUE : FQ_EFFECT_MAGNITUDE;
    if (design == NULL || fq_bootstrap_run(b->boot, design, statistic, effect, LEVEL, &r, &reason) != 0) {
        add_flag(e, "not-finite");
        return;
    }
    e->value = r.value;
    e->low = r.low;
    e->high = r.high;
    fq_group_resampled(g, r.by_label_a, r.seeds, r.tops, e->resampled, sizeof e->resampled);
    if (!r.has_interval)
        add_flag(e, "single-unit");
    if (rests_on_few(g, &r))
        add_flag(e, "few-units");
    if (g->timed && r.has_interval && r.logarithm && r.high > WIDEST * r.low)
        add_flag(e, "too-wide");
    if (statistic == FQ_MAX)
        add_flag(e, "sample-maximum");
}

/* A quantile has an upper bound only if the sample is likely to reach beyond it: with n independent values the largest
 * lies above the q quantile with probability 1 - q^n, which must be as much as the upper half of the level asks for.
 * That is 368 values for p99 and 3,688 for p99.9. Seeds see the same units again, so they add none. */
static bool beyond_sample(enum fq_statistic statistic, const struct fq_group *g) {
    const double q = statistic == FQ_Q99 ? 0.99 : 0.999;
    const double n = (double)g->samples / (double)(g->seeds > 0 ? g->seeds : 1);
    return (statistic == FQ_Q99 || statistic == FQ_Q999) && 1.0 - pow(q, n) < 0.5 + LEVEL / 2.0;
}

/* All statistics of one group: one row each. */
static int estimate_group(struct builder *b, const struct fq_group *g, struct fq_error *err) {
    const struct fq_series *series = fq_group_series(g);
    struct fq_sample *samples = fq_group_samples(g);
    if (samples == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory for %zu samples", g->samples);
    struct fq_design design;
    struct fq_error reason;
    bool built = fq_design_build(samples, g->samples, false, &design, &reason) == 0;
    free(samples);
    design.independent = fq_group_independent(g);

    char list[sizeof series->statistics], *rest = NULL;
    copy(list, sizeof list, series->statistics[0] ? series->statistics : "mean");
    int code = 0, position = 0;
    for (char *name = strtok_r(list, ", ", &rest); name != NULL && code == 0; name = strtok_r(NULL, ", ", &rest)) {
        enum fq_statistic statistic;
        code = fq_statistic_parse(name, &statistic, err);
        struct fq_estimate *e = code == 0 ? new_row(b, g, err) : NULL;
        if (e == NULL)
            code = FQ_FAILED;
        else {
            snprintf(e->metric, sizeof e->metric, position++ ? "%s.%s" : "%s", series->metric, name);
            if (g->seeds == 1 && wants_seeds(g))
                add_flag(e, "one-seed");
            if (g->partial)
                add_flag(e, "partial");
            summarise(b, g, built ? &design : NULL, statistic, e);
            if (beyond_sample(statistic, g) && isfinite(e->value)) {
                e->low = e->high = NAN;
                add_flag(e, "beyond-sample");
            }
        }
    }
    if (built)
        fq_design_free(&design);
    return code == 0 ? 0 : fq_fail_in(err, "metric %s of %s", series->metric, fq_group_cell(g)->label);
}

int fq_estimate_all(const struct fq_results *results, size_t n_results, uint64_t seed, struct fq_estimates *out,
                    struct fq_error *err) {
    memset(out, 0, sizeof *out);
    struct fq_groups groups;
    FQ_TRY(fq_groups_build(results, n_results, &groups, err));
    struct builder b = {.out = out, .boot = fq_bootstrap_new(seed, FQ_RESAMPLES)};
    int code = b.boot ? 0 : fq_fail(err, FQ_FAILED, "out of memory for the bootstrap");
    for (size_t i = 0; code == 0 && i < groups.n; i++)
        code = estimate_group(&b, &groups.group[i], err);
    fq_bootstrap_free(b.boot);
    fq_groups_free(&groups);
    if (code != 0)
        fq_estimates_free(out);
    return code;
}

void fq_estimates_free(struct fq_estimates *e) {
    free(e->rows);
    memset(e, 0, sizeof *e);
}
