/* The cells of cache policies: bytes at the context in question, window and all, and identities.
 *
 * It must not measure anything. */
#include "harness/plan/plan_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum fq_role role_of(const struct fq_policy *p) {
    for (int t = FQ_KEY; t <= FQ_VALUE; t++)
        if (p->code[t].method && p->code[t].method->role != FQ_BASELINE)
            return p->code[t].method->role;
    return p->code[FQ_KEY].method || p->code[FQ_VALUE].method ? FQ_BASELINE : FQ_CONTENDER;
}

static const char *tensor_of(const struct fq_policy_plan *p) {
    bool touched[2] = {false, p->policy->sparse};
    for (size_t i = 0; i < p->n_codes; i++)
        touched[p->tensor[i]] = true;
    return touched[FQ_KEY] && touched[FQ_VALUE] ? "kv" : touched[FQ_KEY] ? "key" : "value";
}

/* What a width would be called: the mean of what codes are called, 16 for full precision. */
static double nominal(const struct fq_policy *p) {
    double bits = 0.0;
    for (int t = FQ_KEY; t <= FQ_VALUE; t++)
        bits += p->code[t].method ? p->code[t].method->nominal_bits(&p->code[t].params) : 16.0;
    return bits / 2.0;
}

static int place(struct fq_plan *plan, struct fq_planned *p, const struct fq_policy_plan *layers) {
    const struct fq_sweep *s = plan->sweep;
    const struct fq_sweep_model *m = &s->models[p->source];
    const struct fq_model_info *info = &plan->models[p->source];
    struct fq_cell *c = &p->cell;
    struct fq_policy_bytes bytes;
    fq_policy_count(layers, m->context, info->kv_heads, &bytes);
    p->vectors = (uint64_t)2 * info->layers * info->kv_heads * m->context * m->chunks;
    p->planned_bytes = (double)(bytes.code_bytes + bytes.full_bytes) * (double)m->chunks;
    snprintf(p->touches, sizeof p->touches, "%s", tensor_of(layers));
    snprintf(c->data, sizeof c->data, "%s", m->name);
    snprintf(c->model, sizeof c->model, "%s", info->name);
    c->rate_bits = bytes.rate_bits;
    snprintf(c->rate_class, sizeof c->rate_class, "%s", p->policy->rate_class);
    if (c->rate_class[0] == '\0')
        snprintf(c->rate_class, sizeof c->rate_class, "%.2f", bytes.rate_bits);
    snprintf(c->key, sizeof c->key,
             "sweep=%s contract=%s kind=%s data=%s context=%zu chunks=%zu policy=%s %s rate_class=%s seed=%" PRIu64
             " replicate=%d threads=%u isa=%s",
             s->name, c->contract, c->kind, c->data, m->context, m->chunks, p->policy->name, c->parameters,
             c->rate_class, c->seed, c->replicate, s->workers, s->isa[0] ? s->isa : "best");
    fq_plan_identify(c);
    p->group = fq_plan_group(c->id);
    return 0;
}

static int add_policy(struct fq_plan *plan, size_t model, const struct fq_sweep_policy *at, struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    const struct fq_sweep_model *m = &s->models[model];
    const struct fq_model_info *info = &plan->models[model];
    static const char *const roles[] = {"contender", "baseline", "negative control"};
    struct fq_policy_plan layers;
    int code = fq_policy_plan_open(&at->policy, info->layers, info->dim, &layers, err);
    const char *why = code == 0 && at->policy.centre != FQ_CENTRE_NONE
                          ? fq_centre_model_obstacle(at->policy.centre, info, true, true)
                          : NULL;
    if (code != 0 || why) {
        fq_policy_plan_close(&layers);
        return why ? fq_plan_note(plan, err, "policy %s on %s: not planned, centre %s is not possible: %s", at->name,
                                  m->name, fq_centre_name(at->policy.centre), why)
                   : fq_fail_in(err, "%s:%d: policy %s on %s", s->path, at->line, at->name, m->name);
    }
    const uint64_t *seeds = m->n_seeds > 0 ? m->seeds : s->seeds;
    const size_t n_seeds = at->draws ? (m->n_seeds > 0 ? m->n_seeds : s->n_seeds) : 1;
    for (size_t i = 0; code == 0 && i < n_seeds; i++) {
        struct fq_planned *p = fq_plan_grow(plan, "model", model, err);
        if (!p) {
            code = err->code;
            break;
        }
        p->policy = at;
        snprintf(p->cell.method, sizeof p->cell.method, "policy");
        snprintf(p->cell.parameters, sizeof p->cell.parameters, "%s", at->parameters);
        snprintf(p->cell.label, sizeof p->cell.label, "%s", at->label);
        snprintf(p->cell.role, sizeof p->cell.role, "%s", roles[role_of(&at->policy)]);
        p->cell.replicate = at->replicate;
        p->cell.nominal_bits = nominal(&at->policy);
        p->cell.seed = at->draws ? seeds[i] : s->seeds[0];
        code = place(plan, p, &layers);
    }
    fq_policy_plan_close(&layers);
    return code;
}

static bool seen_before(const struct fq_sweep *s, size_t model) {
    const struct fq_sweep_model *m = &s->models[model];
    for (size_t i = 0; i < model; i++)
        if (strcmp(s->models[i].name, m->name) == 0 && s->models[i].context == m->context &&
            s->models[i].chunks == m->chunks)
            return true;
    return false;
}

int fq_plan_check_policies(const struct fq_plan *plan, struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    for (size_t i = 0; i < s->n_policies && fq_model_available(); i++) {
        const struct fq_sweep_policy *at = &s->policies[i];
        bool any = at->policy.centre == FQ_CENTRE_NONE;
        for (size_t k = 0; k < plan->n_cells && !any; k++)
            any = plan->cells[k].policy == at;
        if (any)
            continue;
        char start[sizeof at->name + 16];
        const char *why = "";
        snprintf(start, sizeof start, "policy %s on ", at->name);
        for (size_t k = 0; k < plan->n_notes && !*why; k++)
            why = strncmp(plan->notes[k], start, strlen(start)) == 0 ? plan->notes[k] : "";
        return fq_fail(err, FQ_USAGE, "%s:%d: policy %s with centre: %s has nothing to run on%s%s", s->path, at->line,
                       at->name, fq_centre_name(at->policy.centre), *why ? "; " : "", why);
    }
    return 0;
}

int fq_plan_policies(struct fq_plan *plan, size_t model, struct fq_random *order, struct fq_error *err) {
    const size_t n = plan->sweep->n_policies;
    if (n == 0 || seen_before(plan->sweep, model))
        return 0;
    size_t *index = calloc(n, sizeof *index);
    if (!index)
        return fq_fail(err, FQ_FAILED, "out of memory");
    for (size_t i = 0; i < n; i++)
        index[i] = i;
    fq_random_shuffle(order, index, n);
    int code = 0;
    for (size_t i = 0; code == 0 && i < n; i++)
        if (fq_sweep_policy_runs_on(&plan->sweep->policies[index[i]], plan->sweep->models[model].name))
            code = add_policy(plan, model, &plan->sweep->policies[index[i]], err);
    free(index);
    return code;
}
