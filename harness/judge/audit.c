/* The fairness audit. Cells are compared inside one kind and data item; `everywhere` facts over the whole run. The
 * checks themselves are audit_checks.c and audit_seeds.c. */
#include "harness/judge/audit_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_place(const void *p, const void *q) {
    const struct fq_cell *a = *(const struct fq_cell *const *)p, *b = *(const struct fq_cell *const *)q;
    int c = strcmp(a->kind, b->kind);
    if (c == 0)
        c = strcmp(a->data, b->data);
    if (c == 0)
        c = (a->order > b->order) - (a->order < b->order);
    return c ? c : strcmp(a->id, b->id);
}

static int audit_place(const struct fq_contract *c, const struct fq_audit_set *s, struct fq_audit *a,
                       struct fq_error *err) {
    for (unsigned i = 0; i < c->equal_count; i++)
        if (fq_kind_listed(c->equal[i].kinds, c->equal[i].kinds_count, s->kind))
            for (unsigned k = 0; k < c->equal[i].facts_count; k++)
                FQ_TRY(fq_audit_equal(a, s, c->equal[i].facts[k], err));
    for (unsigned i = 0; i < c->tolerance_count; i++)
        if (fq_kind_listed(c->tolerance[i].kinds, c->tolerance[i].kinds_count, s->kind))
            FQ_TRY(fq_audit_tolerance(a, s, &c->tolerance[i], err));
    for (unsigned i = 0; i < c->require_count; i++)
        if (fq_kind_listed(c->require[i].kinds, c->require[i].kinds_count, s->kind))
            FQ_TRY(fq_audit_require(a, s, &c->require[i], err));
    FQ_TRY(fq_audit_nominal(a, s, err));
    return c->same_seeds ? fq_audit_seeds(a, s, err) : 0;
}

static int audit_ordered(const struct fq_contract *c, const struct fq_cell **ok, size_t n, enum fq_audit_rates rates,
                         struct fq_audit *out, struct fq_error *err) {
    struct fq_audit_set all = {.cell = ok, .n = n, .kind = "", .data = ""};
    for (unsigned i = 0; i < c->everywhere_count && n > 0; i++)
        FQ_TRY(fq_audit_equal(out, &all, c->everywhere[i], err));
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n; end++)
            if (strcmp(ok[end]->kind, ok[begin]->kind) != 0 || strcmp(ok[end]->data, ok[begin]->data) != 0)
                break;
        struct fq_audit_set place = {
            .cell = ok + begin, .n = end - begin, .kind = ok[begin]->kind, .data = ok[begin]->data, .rates = rates};
        FQ_TRY(audit_place(c, &place, out, err));
    }
    return 0;
}

int fq_audit_cells(const struct fq_contract *contract, const struct fq_cell *const *cells, size_t n,
                   enum fq_audit_rates rates, struct fq_audit *out, struct fq_error *err) {
    snprintf(out->contract, sizeof out->contract, "%s", contract->name);
    out->exhibit = contract->exhibit;
    const struct fq_cell **ok = malloc((n ? n : 1) * sizeof(void *));
    if (ok == NULL)
        return fq_audit_no_memory(err);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!cells[i]->ok)
            out->failed++;
        else if (strcmp(cells[i]->role, FQ_ROLE_NOISE_FLOOR) != 0) /* differs on purpose, and competes with nothing */
            ok[kept++] = cells[i];
    if (kept > 0)
        qsort(ok, kept, sizeof(void *), by_place);
    out->cells += n;
    int code = audit_ordered(contract, ok, kept, rates, out, err);
    free(ok);
    return code;
}

int fq_audit_results(const struct fq_contracts *contracts, const struct fq_results *results, size_t n_results,
                     const char *name, struct fq_audit *out, struct fq_error *err) {
    memset(out, 0, sizeof *out);
    size_t n = 0, finished = 0;
    for (size_t k = 0; k < n_results; k++)
        n += results[k].n_cells;
    const struct fq_cell **cells = malloc((n ? n : 1) * sizeof(void *));
    if (cells == NULL)
        return fq_audit_no_memory(err);
    n = 0;
    int code = 0;
    for (size_t k = 0; k < n_results; k++)
        for (size_t i = 0; i < results[k].n_cells; i++) {
            const struct fq_cell *cell = &results[k].cells[i];
            cells[n++] = cell;
            finished += cell->ok;
        }
    if (finished == 0)
        code = fq_fail(err, FQ_USAGE, "the results hold no finished cell, so there is nothing to audit");
    for (size_t i = 0; code == 0 && name == NULL && i < n; i++)
        if (strcmp(cells[i]->contract, cells[0]->contract) != 0)
            code = fq_fail(err, FQ_USAGE,
                           "the cells name two contracts, '%s' and '%s'; say which one to audit with --contract",
                           cells[0]->contract, cells[i]->contract);
    const struct fq_contract *contract = NULL;
    if (code == 0)
        code = fq_contract_find(contracts, name ? name : cells[0]->contract, &contract, err);
    if (code == 0)
        code = fq_audit_cells(contract, cells, n, FQ_RATES_BY_CLASS, out, err);
    free(cells);
    if (code != 0)
        fq_audit_free(out);
    return code;
}
