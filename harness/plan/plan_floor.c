/* The noise floor of a model as cells of its own: full precision against full precision, evaluated with other threads
 * and graphs, and with keys and values that differ in their last bits. Every sweep with models has both per model and
 * corpus, so that each table says below what its numbers mean nothing.
 *
 * It must not measure anything. */
#include "harness/plan/plan_internal.h"

#include <stdio.h>
#include <string.h>

static const char tensor_list[3][8] = {"kv", "key", "value"};

static const char *own_tensor(const struct fq_sweep_model *m) {
    return m->key && m->value ? "kv" : m->key ? "key" : "value";
}

bool fq_plan_floor_tensor(const struct fq_plan *plan, size_t model, const char *tensor) {
    for (size_t i = 0; i < plan->n_cells; i++) {
        const struct fq_planned *p = &plan->cells[i];
        if (strcmp(p->cell.kind, "model") != 0 || p->source != model || p->noise_floor)
            continue;
        if (strcmp(p->policy ? p->touches : own_tensor(&plan->sweep->models[model]), tensor) == 0)
            return true;
    }
    return false;
}

static int add_floor(struct fq_plan *plan, size_t model, enum fq_planned_floor floor, const char *tensors,
                     struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    const struct fq_sweep_model *m = &s->models[model];
    const struct fq_model_info *info = &plan->models[model];
    struct fq_planned *p = fq_plan_grow(plan, "model", model, err);
    if (!p)
        return err->code;
    struct fq_cell *c = &p->cell;
    p->noise_floor = floor;
    p->instance = s->n_instances; /* none */
    p->vectors = (uint64_t)2 * info->layers * info->kv_heads * m->context * m->chunks;
    p->planned_bytes = 4.0 * (double)p->vectors * (double)info->dim;
    snprintf(p->touches, sizeof p->touches, "%s", own_tensor(m));
    snprintf(c->data, sizeof c->data, "%s", m->name);
    snprintf(c->model, sizeof c->model, "%s", info->name);
    snprintf(c->method, sizeof c->method, "noise-floor");
    snprintf(c->parameters, sizeof c->parameters, "changed=%s", floor == FQ_FLOOR_ORDER ? "order" : "last-bits");
    snprintf(c->label, sizeof c->label, "noise floor: %s",
             floor == FQ_FLOOR_ORDER ? "threads and graphs" : "last bits");
    snprintf(c->role, sizeof c->role, "%s", FQ_ROLE_NOISE_FLOOR);
    snprintf(c->rate_class, sizeof c->rate_class, "full precision");
    c->seed = s->seeds[0];
    c->nominal_bits = c->rate_bits = 32.0;
    snprintf(c->key, sizeof c->key,
             "sweep=%s contract=%s kind=%s data=%s context=%zu chunks=%zu %s tensors=%s metrics=%u threads=%u isa=%s",
             s->name, c->contract, c->kind, c->data, m->context, m->chunks, c->label, tensors, fq_plan_metrics(plan, p),
             s->workers, s->isa[0] ? s->isa : "best");
    fq_plan_identify(c);
    p->group = fq_plan_group(c->id);
    return 0;
}

int fq_plan_floor(struct fq_plan *plan, size_t model, struct fq_error *err) {
    char tensors[32] = "";
    for (size_t i = 0; i < 3; i++)
        if (fq_plan_floor_tensor(plan, model, tensor_list[i]))
            snprintf(tensors + strlen(tensors), sizeof tensors - strlen(tensors), "%s%s", tensors[0] ? "," : "",
                     tensor_list[i]);
    if (tensors[0] == '\0') /* nothing to be compared with it */
        return 0;
    FQ_TRY(add_floor(plan, model, FQ_FLOOR_LAST_BITS, tensors, err));
    return add_floor(plan, model, FQ_FLOOR_ORDER, tensors, err);
}
