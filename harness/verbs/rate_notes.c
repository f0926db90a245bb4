/* Rate classes whose members will not have equal rates: found from the bytes that the plan promises.
 *
 * Why here: the rule is the contract's (judge), the rates are the plan's, and the plan stands below and does not know
 * contracts. The default class is the nominal width, which keeps a method with many scales beside one with few. It
 * refuses nothing: the audit decides, on what was written. */
#include "harness/verbs/rate_notes.h"

#include "harness/judge/contract.h"

#include <stdio.h>
#include <string.h>

static bool same_place(const struct fq_cell *a, const struct fq_cell *b) {
    return strcmp(a->kind, b->kind) == 0 && strcmp(a->data, b->data) == 0;
}

static bool together(const struct fq_cell *a, const struct fq_cell *b) {
    return a->rate_class[0] != '\0' && same_place(a, b) && strcmp(a->rate_class, b->rate_class) == 0;
}

static double dim_of(const struct fq_plan *plan, const struct fq_planned *p) {
    return (double)(strcmp(p->cell.kind, "model") == 0 ? plan->models[p->source].dim : plan->data[p->source].dim);
}

/* One class in one place: its first cell is number i. */
static void note_class(const struct fq_plan *plan, size_t i, const struct fq_tolerance_rule *rule) {
    const struct fq_planned *low = &plan->cells[i], *high = low;
    for (size_t k = i + 1; k < plan->n_cells; k++) {
        const struct fq_planned *p = &plan->cells[k];
        if (!together(&plan->cells[i].cell, &p->cell))
            continue;
        if (p->cell.rate_bits < low->cell.rate_bits)
            low = p;
        if (p->cell.rate_bits > high->cell.rate_bits)
            high = p;
    }
    const double within = rule->within + rule->per_vector / dim_of(plan, high);
    if (!(high->cell.rate_bits - low->cell.rate_bits > within))
        return;
    printf(
        "note: rate class %s on %s (%s) spans %.4g bits (%s) to %.4g bits (%s), more than %.4g apart: the audit will "
        "object to all of this class; write a rate_class: of its own for one of them\n",
        low->cell.rate_class, low->cell.data, low->cell.kind, low->cell.rate_bits, low->cell.label,
        high->cell.rate_bits, high->cell.label, within);
}

int fq_rate_notes(const struct fq_plan *plan, struct fq_error *err) {
    struct fq_contracts contracts;
    const struct fq_contract *contract = NULL;
    FQ_TRY(fq_contracts_load(NULL, &contracts, err));
    const int code = fq_contract_find(&contracts, plan->sweep->contract, &contract, err);
    for (unsigned r = 0; code == 0 && r < contract->tolerance_count; r++) {
        const struct fq_tolerance_rule *rule = &contract->tolerance[r];
        if (strcmp(rule->fact, "rate_bits") != 0)
            continue;
        for (size_t i = 0; i < plan->n_cells; i++) {
            const struct fq_cell *c = &plan->cells[i].cell;
            bool seen = c->rate_class[0] == '\0' || !fq_kind_listed(rule->kinds, rule->kinds_count, c->kind);
            for (size_t k = 0; k < i && !seen; k++)
                seen = together(&plan->cells[k].cell, c);
            if (!seen)
                note_class(plan, i, rule);
        }
    }
    fq_contracts_free(&contracts);
    return code;
}
