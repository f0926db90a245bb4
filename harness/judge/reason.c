/* The one sentence that says why a verdict is what it is, with the numbers of the comparison that decided. */
#include "harness/judge/verdict_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(struct fq_verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct fq_verdict *v, const char *format, ...) {
    size_t used = strlen(v->reason);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(v->reason + used, sizeof v->reason - used, format, args);
    va_end(args);
}

static void counts(struct fq_verdict *v) {
    add(v, " (%zu of %zu comparison%s hold%s, %zu fail, %zu undecided)", v->holds, v->n, v->n == 1 ? "" : "s",
        v->n == 1 ? "s" : "", v->fails, v->undecided);
}

static const char *bound_words(const struct fq_claim_test *t) {
    return t->direction == FQ_IS_BELOW ? "below" : t->direction == FQ_IS_ABOVE ? "above" : "equivalent to";
}

/* "at bits=3: rel_mse of A on D is 0.034 [0.0339, 0.0341], 13 % above 0.03". */
static void measured(struct fq_verdict *v, const struct fq_test_result *r) {
    const struct fq_comparison *m = &r->measured;
    bool pair = r->against[0] != '\0', ratio = r->test->as == FQ_AS_RATIO;
    add(v, "%s: ", r->test->name);
    if (pair)
        add(v, "%s of %s %s %s on %s (%s) is", r->metric, r->cells, ratio ? "over" : "minus", r->against, r->data,
            r->tensor);
    else
        add(v, "%s of %s on %s (%s) is", r->metric, r->cells, r->data, r->tensor);
    add(v, " %.4g [%.4g, %.4g]", m->value, m->low, m->high);
    double margin = fq_test_margin(v->claim, r->test);
    if (!pair && ratio)
        add(v, ", %.3g %% %s %.5g", 100.0 * fabs(r->effect - 1.0), r->effect < 1.0 ? "below" : "above", r->reference);
    add(v, "; claimed: %s %.5g", bound_words(r->test), r->reference);
    if (margin > 0.0) /* equivalence has a margin on both sides, an order claim a least effect */
        add(v, "%s%.3g%s", r->test->direction == FQ_IS_EQUIVALENT ? " +- " : " by at least ",
            ratio ? 100.0 * margin : margin, ratio ? " %" : "");
}

void fq_verdict_reason(struct fq_verdict *v) {
    v->reason[0] = '\0';
    if (v->n == 0) {
        add(v, "no cell of these results matches any test");
        return;
    }
    const struct fq_test_result *r = v->decisive < v->n ? &v->result[v->decisive] : NULL;
    if (v->refused > 0) {
        add(v, "refused: %s on %s: %s", r ? r->cells : "", r ? r->data : "", r ? r->why : "");
        return;
    }
    if (r != NULL && isfinite(r->effect))
        measured(v, r);
    else if (r != NULL)
        add(v, "%s: %s on %s: %s", r->test->name, r->cells, r->data, r->why);
    if (r != NULL && isfinite(r->effect) && r->why[0] != '\0')
        add(v, "; %s", r->why);
    counts(v);
    if (v->missing > 0)
        add(v, "; %zu of %u tests match no cell", v->missing, v->claim->tests_count);
}
