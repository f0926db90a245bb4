/* Claims -> verdicts: selects the comparisons of every test, adjusts all p-values of a family together (Holm), and
 * combines outcomes. The comparison itself is comparison.c, the sentence reason.c. */
#include "harness/judge/verdict.h"

#include "harness/judge/stats.h"
#include "harness/judge/verdict_internal.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *fq_outcome_name(enum fq_outcome outcome) {
    static const char *const names[] = {"holds", "fails", "undecided", "refused"};
    return names[outcome];
}

const char *fq_verdict_name(enum fq_verdict_kind kind) {
    static const char *const names[] = {"supported", "refuted", "inconclusive", "not measured here"};
    return names[kind];
}

static bool fits(const char *pattern, const char *fallback, const char *text) {
    const char *p = pattern ? pattern : fallback;
    return p == NULL || fnmatch(p, text, 0) == 0;
}

/* A sweep may centre keys before a method sees them: another experiment, which a claim has to ask for by name. */
static bool centred_unasked(const struct fq_selector *s, const struct fq_cell *c) {
    char value[64];
    return fq_parameter_value(c->parameters, "centre", value, sizeof value) &&
           !(s->parameters != NULL && fq_parameter_value(s->parameters, "centre", value, sizeof value));
}

/* `base` gives what `s` leaves out; parameters are not inherited, since the partner is another method or setting. */
static bool selects(const struct fq_selector *s, const struct fq_selector *base, const struct fq_group *g) {
    const struct fq_cell *c = fq_group_cell(g);
    return c->replicate == 0 && !centred_unasked(s, c) && fits(s->kind, base ? base->kind : NULL, c->kind) &&
           fits(s->data, base ? base->data : NULL, c->data) && fits(s->model, base ? base->model : NULL, c->model) &&
           fits(s->tensor, base ? base->tensor : NULL, fq_group_series(g)->tensor) &&
           fits(s->method, base ? base->method : NULL, c->method) &&
           (s->parameters == NULL || fq_parameters_match(c->parameters, s->parameters));
}

static bool is_partner(const struct fq_claim_test *t, const struct fq_group *x, const struct fq_group *y) {
    if (x == y || !fq_groups_comparable(x, y) || !selects(t->against, &t->cells, y) ||
        strcmp(fq_group_series(y)->metric, fq_group_series(x)->metric) != 0)
        return false;
    for (unsigned i = 0; i < t->pair_count; i++) {
        char a[128], b[128];
        if (!fq_parameter_value(fq_group_cell(x)->parameters, t->pair[i], a, sizeof a) ||
            !fq_parameter_value(fq_group_cell(y)->parameters, t->pair[i], b, sizeof b) || strcmp(a, b) != 0)
            return false;
    }
    return true;
}

struct judge {
    struct fq_bootstrap *boot;
    const struct fq_groups *groups;
    const struct fq_contract *contract;
};

static int add_result(const struct judge *j, struct fq_verdict *v, const struct fq_claim_test *t,
                      const struct fq_group *x, const struct fq_group *y, struct fq_error *err) {
    if (v->n == v->room) {
        size_t room = v->room ? 2 * v->room : 16;
        struct fq_test_result *more = realloc(v->result, room * sizeof *more);
        if (more == NULL)
            return fq_fail(err, FQ_FAILED, "out of memory for %zu comparisons", room);
        v->result = more;
        v->room = room;
    }
    return fq_test_compare(v->claim, t, j->contract, j->boot, j->groups, x, y, &v->result[v->n++], err);
}

static int run_test(const struct judge *j, struct fq_verdict *v, const struct fq_claim_test *t, struct fq_error *err) {
    size_t before = v->n;
    for (size_t i = 0; i < j->groups->n; i++) {
        const struct fq_group *x = &j->groups->group[i];
        if (!fits(t->metric, NULL, fq_group_series(x)->metric) || !selects(&t->cells, NULL, x))
            continue;
        if (t->against == NULL) {
            FQ_TRY(add_result(j, v, t, x, NULL, err));
            continue;
        }
        for (size_t k = 0; k < j->groups->n; k++)
            if (is_partner(t, x, &j->groups->group[k]))
                FQ_TRY(add_result(j, v, t, x, &j->groups->group[k], err));
    }
    v->missing += v->n == before;
    return 0;
}

/* Holm over every comparison of every claim of one family; an outcome stands only if its adjusted p does. */
static int adjust_family(struct fq_verdicts *all, const char *family, struct fq_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->verdict[i].claim->family, family) == 0)
            n += all->verdict[i].n;
    double *p = calloc(2 * (n ? n : 1), sizeof *p);
    if (p == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory for %zu p-values", n);
    for (int pass = 0; pass < 2; pass++) {
        size_t m = 0;
        for (size_t i = 0; i < all->n; i++) {
            struct fq_verdict *v = &all->verdict[i];
            for (size_t k = 0; k < v->n && strcmp(v->claim->family, family) == 0; k++) {
                struct fq_test_result *r = &v->result[k];
                if (!(r->p >= 0.0))
                    continue; /* refused, or without an interval: no test was made */
                if (pass == 0)
                    p[m] = r->p;
                else
                    r->p_holm = p[n + m];
                m++;
            }
        }
        if (pass == 0)
            fq_holm(p, m, p + n);
    }
    free(p);
    return 0;
}

static int adjust_all(const struct fq_claims *claims, struct fq_verdicts *all, struct fq_error *err) {
    for (size_t i = 0; i < claims->n; i++) {
        bool before = false;
        for (size_t k = 0; k < i && !before; k++)
            before = strcmp(claims->claim[k]->family, claims->claim[i]->family) == 0;
        if (!before)
            FQ_TRY(adjust_family(all, claims->claim[i]->family, err));
    }
    return 0;
}

/* Which result the table shows: a failing one for a refuted claim, the least decided one otherwise. */
static size_t decisive(const struct fq_verdict *v, enum fq_outcome wanted, bool strongest) {
    size_t best = v->n;
    for (size_t i = 0; i < v->n; i++) {
        const struct fq_test_result *r = &v->result[i];
        if (r->outcome != wanted)
            continue;
        double here = fabs(r->effect - (r->test->as == FQ_AS_RATIO ? 1.0 : 0.0));
        double there =
            best < v->n ? fabs(v->result[best].effect - (v->result[best].test->as == FQ_AS_RATIO ? 1.0 : 0.0)) : 0.0;
        if (best == v->n || (strongest ? here > there : here < there))
            best = i;
    }
    return best;
}

/* Does one comparison of every test hold; is there a test all of whose comparisons fail? */
static void each_test(const struct fq_claim *claim, const struct fq_verdict *v, bool *all_hold, bool *one_fails) {
    *all_hold = true;
    *one_fails = false;
    for (unsigned t = 0; t < claim->tests_count; t++) {
        size_t n = 0, holds = 0, fails = 0;
        for (size_t i = 0; i < v->n; i++) {
            bool mine = v->result[i].test == &claim->tests[t];
            n += mine;
            holds += mine && v->result[i].outcome == FQ_HOLDS;
            fails += mine && v->result[i].outcome == FQ_FAILS;
        }
        *all_hold = *all_hold && holds > 0;
        *one_fails = *one_fails || (n > 0 && fails == n);
    }
}

static void combine(const struct fq_claim *claim, struct fq_verdict *v) {
    for (size_t i = 0; i < v->n; i++) {
        struct fq_test_result *r = &v->result[i];
        if ((r->outcome == FQ_HOLDS || r->outcome == FQ_FAILS) && !(r->p_holm <= 1.0 - claim->level))
            r->outcome = FQ_UNDECIDED;
        v->holds += r->outcome == FQ_HOLDS;
        v->fails += r->outcome == FQ_FAILS;
        v->undecided += r->outcome == FQ_UNDECIDED;
        v->refused += r->outcome == FQ_REFUSED;
    }
    bool all = claim->combine == FQ_COMBINE_ALL, supported, refuted;
    if (claim->combine == FQ_COMBINE_EACH)
        each_test(claim, v, &supported, &refuted);
    else {
        refuted = all ? v->fails > 0 : v->fails == v->n && v->missing == 0;
        supported = all ? v->holds == v->n && v->missing == 0 : v->holds > 0;
    }
    if (v->n == 0 || v->refused > 0) {
        v->kind = FQ_NOT_MEASURED;
        v->decisive = decisive(v, FQ_REFUSED, true);
    } else if (refuted) {
        v->kind = FQ_REFUTED;
        v->decisive = decisive(v, FQ_FAILS, true);
    } else if (supported) {
        v->kind = FQ_SUPPORTED;
        v->decisive = decisive(v, FQ_HOLDS, !all);
    } else {
        v->kind = FQ_INCONCLUSIVE;
        v->decisive = decisive(v, v->undecided ? FQ_UNDECIDED : FQ_HOLDS, true);
    }
    fq_verdict_reason(v);
}

static int judge_claim(const struct judge *shared, const struct fq_contracts *contracts, struct fq_verdict *v,
                       struct fq_error *err) {
    struct judge j = *shared;
    int code = fq_contract_find(contracts, v->claim->contract, &j.contract, err);
    for (unsigned t = 0; code == 0 && t < v->claim->tests_count; t++)
        code = run_test(&j, v, &v->claim->tests[t], err);
    return code == 0 ? 0 : fq_fail_in(err, "%s", v->claim->path);
}

int fq_judge_results(const struct fq_claims *claims, const struct fq_contracts *contracts,
                     const struct fq_results *results, size_t n_results, uint64_t seed, struct fq_verdicts *out,
                     struct fq_error *err) {
    memset(out, 0, sizeof *out);
    struct fq_groups groups;
    FQ_TRY(fq_groups_build(results, n_results, &groups, err));
    struct judge j = {.boot = fq_bootstrap_new(seed, FQ_RESAMPLES), .groups = &groups};
    out->verdict = calloc(claims->n ? claims->n : 1, sizeof *out->verdict);
    int code = j.boot && out->verdict ? 0 : fq_fail(err, FQ_FAILED, "out of memory for %zu claims", claims->n);
    for (size_t i = 0; code == 0 && i < claims->n; i++) {
        struct fq_verdict *v = &out->verdict[out->n++];
        v->claim = claims->claim[i];
        code = judge_claim(&j, contracts, v, err);
    }
    if (code == 0)
        code = adjust_all(claims, out, err);
    for (size_t i = 0; code == 0 && i < out->n; i++)
        combine(claims->claim[i], &out->verdict[i]);
    fq_bootstrap_free(j.boot);
    fq_groups_free(&groups);
    if (code != 0)
        fq_verdicts_free(out);
    return code;
}

void fq_verdicts_free(struct fq_verdicts *v) {
    for (size_t i = 0; i < v->n; i++)
        free(v->verdict[i].result);
    free(v->verdict);
    memset(v, 0, sizeof *v);
}
