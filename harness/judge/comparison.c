/* One comparison of one test: audit, interval, and on which side of the claim's bounds the effect lies. Here because it
 * is the only place where fairness, statistics and the words of a claim meet. Multiplicity is verdict.c's business. */
#include "harness/judge/verdict_internal.h"

#include "harness/judge/audit.h"
#include "harness/judge/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double fq_test_margin(const struct fq_claim *claim, const struct fq_claim_test *test) {
    return test->margin ? *test->margin : claim->minimum_effect;
}

/* The audit of exactly the cells that are compared; the first objection goes into r->why. A sweep's author chooses the
 * rate classes, so they excuse nothing here: a table may show 2 bits and 4 bits, a verdict may not set them against
 * each other. */
static int audit_pair(const struct fq_claim_test *test, const struct fq_contract *contract, const struct fq_group *x,
                      const struct fq_group *y, struct fq_test_result *r, struct fq_error *err) {
    size_t n = x->n + (y ? y->n : 0), k = 0;
    const struct fq_cell **cells = malloc(n * sizeof(void *));
    if (cells == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory for %zu cells", n);
    for (size_t i = 0; i < x->n; i++)
        cells[k++] = x->entry[i].cell;
    for (size_t i = 0; y != NULL && i < y->n; i++)
        cells[k++] = y->entry[i].cell;
    struct fq_audit audit = {.n = 0};
    int code = fq_audit_cells(contract, cells, n, test->rates == FQ_RATES_DIFFER ? FQ_RATES_FREE : FQ_RATES_OF_PAIR,
                              &audit, err);
    free(cells);
    for (size_t i = 0; code == 0 && i < audit.n; i++)
        if (!audit.finding[i].fair) {
            r->outcome = FQ_REFUSED;
            snprintf(r->why, sizeof r->why, "%s differs under %s: %.90s", audit.finding[i].field, contract->name,
                     audit.finding[i].detail);
            break;
        }
    if (code == 0 && contract->exhibit && r->outcome != FQ_REFUSED) {
        r->outcome = FQ_REFUSED;
        snprintf(r->why, sizeof r->why, "%s is an exhibit: a knowingly unfair replay judges nothing", contract->name);
    }
    fq_audit_free(&audit);
    return code;
}

static int statistic_of(const struct fq_claim_test *test, const struct fq_series *series, enum fq_statistic *out,
                        struct fq_error *err) {
    char first[sizeof series->statistics];
    snprintf(first, sizeof first, "%s", test->statistic ? test->statistic : series->statistics);
    first[strcspn(first, ", ")] = '\0';
    return fq_statistic_parse(first[0] ? first : "mean", out, err);
}

static void describe(const struct fq_claim_test *test, const struct fq_group *x, const struct fq_group *y,
                     struct fq_test_result *r) {
    const struct fq_cell *c = fq_group_cell(x);
    const struct fq_series *s = fq_group_series(x);
    r->test = test;
    snprintf(r->data, sizeof r->data, "%s", c->data);
    snprintf(r->tensor, sizeof r->tensor, "%s", s->tensor);
    snprintf(r->unit, sizeof r->unit, "%s", s->unit);
    snprintf(r->metric, sizeof r->metric, "%s%s%s", s->metric, test->statistic ? "." : "",
             test->statistic ? test->statistic : "");
    snprintf(r->cells, sizeof r->cells, "%s", c->label);
    snprintf(r->parameters, sizeof r->parameters, "%s", c->parameters);
    r->rate_bits = c->rate_bits;
    r->against_rate_bits = NAN;
    if (y != NULL) {
        snprintf(r->against, sizeof r->against, "%s", fq_group_cell(y)->label);
        r->against_rate_bits = fq_group_cell(y)->rate_bits;
    }
    r->effect = r->low = r->high = r->p = r->p_holm = NAN;
}

/* Where the claim's bounds lie on the scale that is tested: the one that the interval was made on, so that test and
 * interval agree (the logarithm for the ratio of a pair and for exp_mean). */
struct scale {
    double estimate, se, df;
    double low, high; /* below: high alone; above: low alone; equivalent: both */
};

static struct scale scale_of(const struct fq_claim *claim, const struct fq_test_result *r) {
    const struct fq_claim_test *t = r->test;
    double margin = fq_test_margin(claim, t);
    struct scale s = {.estimate = r->measured.value, .se = r->measured.se, .df = r->measured.df};
    double up = t->as == FQ_AS_RATIO ? r->reference * (1.0 + margin) : r->reference + margin;
    double down = t->as == FQ_AS_RATIO ? r->reference * (1.0 - margin) : r->reference - margin;
    /* An order claim must clear the minimum effect: "below" means below reference less margin. */
    s.low = t->direction == FQ_IS_ABOVE ? up : down;
    s.high = t->direction == FQ_IS_BELOW ? down : up;
    if (r->measured.logarithm) {
        s.estimate = log(s.estimate);
        s.low = s.low > 0.0 ? log(s.low) : -INFINITY;
        s.high = s.high > 0.0 ? log(s.high) : -INFINITY;
    }
    return s;
}

/* "Holds" and "fails" are two tests, of which the nearer decides. Each is made at half the level (its p-value is
 * doubled), so that the chance of any wrong decision is at most 1 - level wherever the truth lies, a bound included.
 * For an equivalence this is also what the interval says: it holds when the whole interval lies between the bounds. */
void fq_test_side(const struct fq_claim *claim, struct fq_test_result *r) {
    struct scale s = scale_of(claim, r);
    double holds, fails;
    if (r->test->direction == FQ_IS_EQUIVALENT) {
        double over = fq_one_sided(s.estimate, s.se, s.df, s.high, true);
        double under = fq_one_sided(s.estimate, s.se, s.df, s.low, false);
        holds = fmin(1.0, 2.0 * fq_tost(s.estimate, s.se, s.df, s.low, s.high));
        fails = fmin(1.0, 2.0 * fmin(over, under));
    } else {
        bool above = r->test->direction == FQ_IS_ABOVE;
        double bound = above ? s.low : s.high;
        holds = fmin(1.0, 2.0 * fq_one_sided(s.estimate, s.se, s.df, bound, above));
        fails = fmin(1.0, 2.0 * fq_one_sided(s.estimate, s.se, s.df, bound, !above));
    }
    r->outcome = holds < fails ? FQ_HOLDS : fails < holds ? FQ_FAILS : FQ_UNDECIDED;
    r->p = fmin(holds, fails);
}

static void effect_of(struct fq_test_result *r) {
    const struct fq_comparison *m = &r->measured;
    bool ratio = r->test->as == FQ_AS_RATIO;
    r->effect = ratio ? m->value / r->reference : m->value - r->reference;
    r->low = ratio ? m->low / r->reference : m->low - r->reference;
    r->high = ratio ? m->high / r->reference : m->high - r->reference;
}

int fq_test_compare(const struct fq_claim *claim, const struct fq_claim_test *test, const struct fq_contract *contract,
                    struct fq_bootstrap *boot, const struct fq_groups *groups, const struct fq_group *x,
                    const struct fq_group *y, struct fq_test_result *r, struct fq_error *err) {
    enum fq_statistic statistic;
    memset(r, 0, sizeof *r);
    describe(test, x, y, r);
    r->outcome = FQ_UNDECIDED;
    FQ_TRY(statistic_of(test, fq_group_series(x), &statistic, err));
    FQ_TRY(audit_pair(test, contract, x, y, r, err));
    if (r->outcome == FQ_REFUSED)
        return 0;
    bool ratio = test->as == FQ_AS_RATIO;
    enum fq_effect effect = ratio ? FQ_EFFECT_RATIO : FQ_EFFECT_DIFFERENCE;
    r->reference = test->constant ? *test->constant : ratio ? 1.0 : 0.0;
    struct fq_error reason;
    if (fq_compare(boot, x, y, statistic, effect, claim->level, &r->measured, &reason) != 0) {
        snprintf(r->why, sizeof r->why, "%.150s", reason.text);
        return 0;
    }
    if (!r->measured.has_interval) {
        snprintf(r->why, sizeof r->why, "one seed and one unit give no interval");
        return 0;
    }
    effect_of(r);
    fq_test_side(claim, r);
    if (y == NULL)
        return 0;
    double floor = fq_noise_floor(boot, groups, x, statistic, effect, claim->level);
    r->below_floor = floor > 0.0 && fabs(ratio ? log(r->effect) : r->effect) <= floor;
    if (r->below_floor && test->direction != FQ_IS_EQUIVALENT) {
        r->outcome = FQ_UNDECIDED;
        snprintf(r->why, sizeof r->why, "the effect is below the noise floor of the A/A pair");
    }
    return 0;
}
