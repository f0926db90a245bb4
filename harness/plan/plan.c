/* A sweep as the list of its cells, in the order in which they run.
 *
 * It must not measure anything, and it must not depend on the machine: a shard elsewhere plans the same list. */
#include "harness/plan/plan.h"

#include "harness/measure/catalog.h"
#include "harness/plan/plan_internal.h"
#include "harness/plan/sources.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fq_plan_note(struct fq_plan *plan, struct fq_error *err, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (size_t i = 0; i < plan->n_notes; i++)
        if (strcmp(plan->notes[i], text) == 0)
            return 0;
    char **grown = realloc(plan->notes, (plan->n_notes + 1) * sizeof *grown);
    if (grown)
        plan->notes = grown;
    char *copy = strdup(text);
    if (!grown || !copy) {
        free(copy);
        return fq_fail(err, FQ_FAILED, "out of memory");
    }
    plan->notes[plan->n_notes++] = copy;
    return 0;
}

/* Facts of the record sizes: groups of `granularity` vectors per encode call, the rest as a float16 tail. */
static double bytes_for(const struct fq_sweep_instance *instance, const struct fq_shape *shape, uint64_t vectors,
                        size_t per_call) {
    const struct fq_footprint f = instance->method->footprint(&instance->params, shape);
    const size_t granularity = f.granularity ? f.granularity : 1;
    const size_t call = per_call && per_call < vectors ? per_call : (size_t)vectors;
    if (call == 0)
        return 0;
    const size_t groups = call / granularity, tail = call % granularity;
    const double calls = (double)vectors / (double)call;
    return calls * ((double)groups * (double)f.record_bytes + (double)tail * (double)shape->dim * 2.0);
}

/* Everything that makes this cell the one it is. Two cells with one key are the same measurement. */
static void identify(const struct fq_plan *plan, struct fq_planned *p, const char *where) {
    const struct fq_sweep *s = plan->sweep;
    const struct fq_sweep_instance *at = &s->instances[p->instance];
    struct fq_cell *c = &p->cell;
    const unsigned threads = strcmp(c->kind, "speed") == 0 || at->threads_given ? at->threads : s->workers;
    snprintf(c->key, sizeof c->key,
             "sweep=%s contract=%s kind=%s data=%s %s tensor=%s method=%s %s rate_class=%s seed=%llu replicate=%d "
             "process=%d block=%d metrics=%u threads=%u isa=%s queries=%zu speed_vectors=%zu",
             s->name, c->contract, c->kind, c->data, where, p->tensor == FQ_KEY ? "key" : "value", c->method,
             c->parameters, c->rate_class, (unsigned long long)c->seed, c->replicate, c->process, c->block,
             fq_plan_metrics(plan, p), threads, s->isa[0] ? s->isa : "best", s->queries, s->speed_vectors);
    fq_plan_identify(c);
}

void fq_plan_identify(struct fq_cell *cell) {
    char hex[FQ_SHA256_HEX];
    fq_sha256(cell->key, strlen(cell->key), hex);
    memcpy(cell->id, hex, sizeof cell->id - 1);
}

uint64_t fq_plan_group(const char *text) {
    char hex[FQ_SHA256_HEX];
    fq_sha256(text, strlen(text), hex);
    hex[16] = '\0';
    return strtoull(hex, NULL, 16);
}

static const char *role_text(enum fq_role role) {
    return role == FQ_CONTENDER ? "contender" : role == FQ_BASELINE ? "baseline" : "negative control";
}

struct fq_planned *fq_plan_grow(struct fq_plan *plan, const char *kind, size_t source, struct fq_error *err) {
    if (plan->n_cells == plan->room) {
        const size_t room = plan->room ? 2 * plan->room : 64;
        struct fq_planned *grown = realloc(plan->cells, room * sizeof *grown);
        if (!grown) {
            (void)fq_fail(err, FQ_FAILED, "out of memory for %zu planned cells", room);
            return NULL;
        }
        plan->cells = grown;
        plan->room = room;
    }
    struct fq_planned *p = &plan->cells[plan->n_cells];
    memset(p, 0, sizeof *p);
    p->source = source;
    snprintf(p->cell.kind, sizeof p->cell.kind, "%s", kind);
    snprintf(p->cell.contract, sizeof p->cell.contract, "%s", plan->sweep->contract);
    p->cell.order = plan->n_cells++;
    return p;
}

static struct fq_planned *add(struct fq_plan *plan, const char *kind, size_t source, size_t instance,
                              struct fq_error *err) {
    struct fq_planned *p = fq_plan_grow(plan, kind, source, err);
    const struct fq_sweep_instance *at = &plan->sweep->instances[instance];
    if (!p)
        return NULL;
    p->instance = instance;
    snprintf(p->cell.method, sizeof p->cell.method, "%s", at->method->name);
    snprintf(p->cell.parameters, sizeof p->cell.parameters, "%s", at->parameters);
    snprintf(p->cell.label, sizeof p->cell.label, "%s", at->label);
    snprintf(p->cell.role, sizeof p->cell.role, "%s", role_text(at->method->role));
    snprintf(p->cell.rate_class, sizeof p->cell.rate_class, "%s", at->rate_class);
    p->cell.replicate = at->replicate;
    p->cell.nominal_bits = at->method->nominal_bits(&at->params);
    return p;
}

/* A method that refuses a shape is a mistake of the sweep, found before hours of work and before its footprint. */
static int check_shape(const struct fq_plan *plan, const struct fq_planned *p, const char *data, size_t dim,
                       enum fq_tensor tensor, struct fq_error *err) {
    const struct fq_sweep_instance *at = &plan->sweep->instances[p->instance];
    const struct fq_shape shape = {dim, tensor};
    if (fq_params_check(at->method, &at->params, &shape, err) != 0)
        return fq_fail_in(err, "%s:%d: on %s", plan->sweep->path, at->line, data);
    return 0;
}

static int place_codec(const struct fq_plan *plan, struct fq_planned *p, uint64_t vectors, struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    const struct fq_sweep_data *d = &s->data[p->source];
    const struct fq_dataset_info *info = &plan->data[p->source];
    const struct fq_shape shape = {info->dim, p->tensor};
    char where[256];
    FQ_TRY(check_shape(plan, p, d->name, info->dim, p->tensor, err));
    size_t used = (size_t)snprintf(where, sizeof where,
                                   "source=%d what=%.120s rows=%zu dim=%zu data_seed=%llu layers=", (int)d->source,
                                   d->what, info->n, info->dim, (unsigned long long)d->seed);
    for (size_t i = 0; i < d->n_layers && used < sizeof where; i++)
        used += (size_t)snprintf(where + used, sizeof where - used, "%zu,", d->layers[i]);
    snprintf(p->cell.data, sizeof p->cell.data, "%s", d->name);
    snprintf(p->cell.model, sizeof p->cell.model, "%s", info->model);
    p->vectors = vectors;
    p->planned_bytes =
        bytes_for(&s->instances[p->instance], &shape, vectors, info->kind == FQ_DATA_KV ? info->context : 0);
    p->cell.rate_bits = vectors ? 8.0 * p->planned_bytes / ((double)vectors * (double)info->dim) : 0;
    identify(plan, p, where);
    return 0;
}

/* ---- the three kinds ---- */

enum {
    CODEC_METRICS =
        FQ_METRIC_DISTORTION | FQ_METRIC_INNER_PRODUCT | FQ_METRIC_ATTENTION | FQ_METRIC_BYTES | FQ_METRIC_NEEDLE
};

/* What a codec cell was asked for and cannot give. */
static int note_missing(struct fq_plan *plan, const struct fq_planned *p, struct fq_error *err) {
    const struct fq_sweep_instance *at = &plan->sweep->instances[p->instance];
    const struct fq_sweep_data *d = &plan->sweep->data[p->source];
    const unsigned missing = at->metrics & d->metrics & CODEC_METRICS & ~fq_plan_metrics(plan, p);
    const char *tensor = plan->data[p->source].kind != FQ_DATA_KV ? "vectors" : p->tensor == FQ_KEY ? "keys" : "values";
    const bool queries = plan->data[p->source].kind == FQ_DATA_KV && plan->data[p->source].has_query;
    if ((missing & FQ_METRIC_ATTENTION) && queries && p->tensor == FQ_VALUE && !at->method->kernels[FQ_REF]->decode)
        FQ_TRY(fq_plan_note(plan, err, "attention on the values of %s: not planned, %s decodes nothing", d->name,
                            at->method->name));
    else if (missing & FQ_METRIC_ATTENTION)
        FQ_TRY(fq_plan_note(plan, err, "attention on %s: not planned, it needs a KV set with queries", d->name));
    if (missing & FQ_METRIC_INNER_PRODUCT)
        FQ_TRY(fq_plan_note(plan, err, "inner_product on the %s of %s: not planned, it needs keys and queries", tensor,
                            d->name));
    if (missing & FQ_METRIC_NEEDLE)
        FQ_TRY(fq_plan_note(plan, err, "needle on the %s of %s: not planned, it needs keys or vectors without a centre",
                            tensor, d->name));
    if (missing & FQ_METRIC_DISTORTION)
        FQ_TRY(fq_plan_note(plan, err, "distortion of %s: not planned, the method decodes nothing", at->method->name));
    return 0;
}

static bool decodes(const struct fq_sweep_instance *at) {
    return at->method->kernels[FQ_REF]->decode != NULL;
}

/* `what`: "keys of", "speed on"; `why` NULL: nothing to say. */
static int note_centre(struct fq_plan *plan, const struct fq_sweep_instance *at, const char *what, const char *name,
                       const char *why, struct fq_error *err) {
    return why ? fq_plan_note(plan, err, "centre=%s, %s %s: not planned, %s", fq_centre_name(at->centre), what, name,
                              why)
               : 0;
}

/* An entry that asks for a centre and gets no cell is a mistake of the sweep, unless it is for models and they cannot
 * run here. */
static int check_centres(const struct fq_plan *plan, struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    for (size_t i = 0; i < s->n_instances && (s->n_models == 0 || fq_model_available()); i++) {
        const struct fq_sweep_instance *at = &s->instances[i];
        bool any = at->centre == FQ_CENTRE_NONE;
        for (size_t k = 0; k < plan->n_cells && !any; k++)
            any = plan->cells[k].instance == i && strcmp(plan->cells[k].cell.method, at->method->name) == 0;
        if (any)
            continue;
        char start[48];
        const char *why = "";
        snprintf(start, sizeof start, "centre=%s,", fq_centre_name(at->centre));
        for (size_t k = 0; k < plan->n_notes && !*why; k++)
            why = strncmp(plan->notes[k], start, strlen(start)) == 0 ? plan->notes[k] : "";
        return fq_fail(err, FQ_USAGE, "%s:%d: %s with centre: %s has nothing to run on%s%s", s->path, at->line,
                       at->method->name, fq_centre_name(at->centre), *why ? "; " : "", why);
    }
    return 0;
}

static int add_codec_cells(struct fq_plan *plan, size_t data, struct fq_random *order, struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    const struct fq_sweep_data *d = &s->data[data];
    const struct fq_dataset_info *info = &plan->data[data];
    const size_t first = plan->n_cells;
    for (size_t i = 0; i < s->n_instances; i++)
        for (int tensor = FQ_KEY; tensor <= FQ_VALUE && fq_sweep_runs_on(&s->instances[i], d->name); tensor++)
            for (size_t k = 0; k < s->instances[i].n_seeds && (d->seeds_at_most == 0 || k < d->seeds_at_most); k++) {
                if (!(tensor == FQ_KEY ? d->key : d->value) || !(s->instances[i].metrics & d->metrics & CODEC_METRICS))
                    continue;
                const char *why =
                    fq_centre_obstacle(s->instances[i].centre, info, (enum fq_tensor)tensor, decodes(&s->instances[i]));
                const char *what = info->kind != FQ_DATA_KV ? "vectors of" : tensor == FQ_KEY ? "keys of" : "values of";
                FQ_TRY(note_centre(plan, &s->instances[i], what, d->name, why, err));
                if (why)
                    continue;
                struct fq_planned *p = add(plan, "codec", data, i, err);
                if (!p)
                    return err->code;
                p->tensor = (enum fq_tensor)tensor;
                p->cell.seed = s->instances[i].seeds[k];
                FQ_TRY(note_missing(plan, p, err));
                if (fq_plan_metrics(plan, p) == 0)
                    plan->n_cells--;
            }
    const size_t n = plan->n_cells - first;
    size_t *index = calloc(n + 1, sizeof *index);
    struct fq_planned *copy = calloc(n + 1, sizeof *copy);
    if (!index || !copy) {
        free(index);
        free(copy);
        return fq_fail(err, FQ_FAILED, "out of memory");
    }
    for (size_t i = 0; i < n; i++)
        index[i] = i;
    fq_random_shuffle(order, index, n);
    if (n)
        memcpy(copy, plan->cells + first, n * sizeof *copy);
    int code = 0;
    for (size_t i = 0; code == 0 && i < n; i++) {
        struct fq_planned *p = &plan->cells[first + i];
        *p = copy[index[i]];
        p->cell.order = first + i;
        code = place_codec(plan, p, (uint64_t)info->layers * info->kv_heads * info->n, err);
        p->group = fq_plan_group(p->cell.id);
    }
    free(index);
    free(copy);
    return code;
}

static int place_model(const struct fq_plan *plan, struct fq_planned *p, struct fq_error *err) {
    const struct fq_sweep_model *m = &plan->sweep->models[p->source];
    const struct fq_model_info *info = &plan->models[p->source];
    const struct fq_sweep_instance *at = &plan->sweep->instances[p->instance];
    const uint64_t rows = (uint64_t)info->layers * info->kv_heads * m->context * m->chunks;
    char where[128];
    for (int tensor = FQ_KEY; tensor <= FQ_VALUE; tensor++) {
        const struct fq_shape shape = {info->dim, (enum fq_tensor)tensor};
        if (!(tensor == FQ_KEY ? m->key : m->value))
            continue;
        FQ_TRY(check_shape(plan, p, m->name, info->dim, shape.tensor, err));
        p->vectors += rows;
        p->planned_bytes += bytes_for(at, &shape, rows, m->context);
    }
    snprintf(p->cell.data, sizeof p->cell.data, "%s", m->name);
    snprintf(p->cell.model, sizeof p->cell.model, "%s", info->name);
    p->cell.rate_bits = 8.0 * p->planned_bytes / ((double)p->vectors * (double)info->dim);
    snprintf(where, sizeof where, "context=%zu chunks=%zu key=%d value=%d", m->context, m->chunks, m->key, m->value);
    identify(plan, p, where);
    p->group = fq_plan_group(p->cell.id);
    return 0;
}

static int add_model_instance(struct fq_plan *plan, size_t model, size_t instance, struct fq_error *err) {
    const struct fq_sweep_model *m = &plan->sweep->models[model];
    const struct fq_sweep_instance *at = &plan->sweep->instances[instance];
    /* A model entry may ask for fewer seeds than the sweep; a method that draws nothing has one in any case. */
    const bool narrowed = m->n_seeds > 0 && at->n_seeds > 1;
    const uint64_t *seeds = narrowed ? m->seeds : at->seeds;
    const size_t n_seeds = narrowed ? m->n_seeds : at->n_seeds;
    if (!(at->metrics & FQ_METRIC_PERPLEXITY) || !fq_sweep_runs_on(at, m->name))
        return 0;
    if (!at->method->kernels[FQ_REF]->decode)
        return fq_plan_note(plan, err,
                            "perplexity of %s: not planned, the method decodes nothing that a cache could hold",
                            at->method->name);
    const char *why = fq_centre_model_obstacle(at->centre, &plan->models[model], m->key, decodes(at));
    if (why)
        return note_centre(plan, at, "perplexity on", m->name, why, err);
    for (size_t i = 0; i < n_seeds; i++) {
        struct fq_planned *p = add(plan, "model", model, instance, err);
        if (!p)
            return err->code;
        p->cell.seed = seeds[i];
        FQ_TRY(place_model(plan, p, err));
    }
    return 0;
}

static int add_model_cells(struct fq_plan *plan, size_t model, struct fq_random *order, struct fq_error *err) {
    const size_t n = plan->sweep->n_instances;
    size_t *index = calloc(n + 1, sizeof *index);
    if (!index)
        return fq_fail(err, FQ_FAILED, "out of memory");
    for (size_t i = 0; i < n; i++)
        index[i] = i;
    fq_random_shuffle(order, index, n);
    int code = 0;
    for (size_t i = 0; code == 0 && i < n; i++)
        code = add_model_instance(plan, model, index[i], err);
    free(index);
    if (code == 0)
        code = fq_plan_policies(plan, model, order, err);
    return code == 0 ? fq_plan_floor(plan, model, err) : code;
}

static int add_speed_block(struct fq_plan *plan, size_t data, size_t process, size_t block, size_t *index,
                           struct fq_random *order, struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    const struct fq_sweep_data *d = &s->data[data];
    const size_t rows = plan->data[data].n;
    char group[256];
    snprintf(group, sizeof group, "speed %s process=%zu block=%zu", d->name, process, block);
    for (size_t i = 0; i < s->n_instances; i++)
        index[i] = i;
    fq_random_shuffle(order, index, s->n_instances);
    for (size_t i = 0; i < s->n_instances; i++) {
        const struct fq_sweep_instance *at = &s->instances[index[i]];
        if (!(at->metrics & FQ_METRIC_SPEED) || !fq_sweep_runs_on(at, d->name))
            continue;
        if (at->centre != FQ_CENTRE_NONE) {
            FQ_TRY(note_centre(plan, at, "speed on", d->name, "centring is outside of the timed kernels", err));
            continue;
        }
        struct fq_planned *p = add(plan, "speed", data, index[i], err);
        if (!p)
            return err->code;
        p->tensor = d->key ? FQ_KEY : FQ_VALUE;
        p->cell.seed = at->seeds[0];
        p->cell.process = (int)process;
        p->cell.block = (int)block;
        FQ_TRY(place_codec(plan, p, rows < s->speed_vectors ? rows : s->speed_vectors, err));
        p->group = fq_plan_group(group);
    }
    return 0;
}

static int add_speed_cells(struct fq_plan *plan, struct fq_random *order, struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    size_t *index = calloc(s->n_instances + 1, sizeof *index);
    int code = index ? 0 : fq_fail(err, FQ_FAILED, "out of memory");
    for (size_t process = 0; code == 0 && process < s->processes; process++)
        for (size_t data = 0; code == 0 && data < s->n_data; data++)
            for (size_t block = 0; code == 0 && block < s->blocks && (s->data[data].metrics & FQ_METRIC_SPEED); block++)
                code = add_speed_block(plan, data, process, block, index, order, err);
    free(index);
    return code;
}

/* ---- the whole ---- */

unsigned fq_plan_metrics(const struct fq_plan *plan, const struct fq_planned *cell) {
    const struct fq_sweep *s = plan->sweep;
    if (strcmp(cell->cell.kind, "model") == 0) {
        const unsigned asked = cell->policy || cell->noise_floor ? s->metrics : s->instances[cell->instance].metrics;
        return FQ_METRIC_PERPLEXITY | (asked & FQ_METRIC_NEEDLE_TEXT) |
               (cell->policy ? 0U : asked & FQ_METRIC_GENERATION);
    }
    const unsigned wanted = s->instances[cell->instance].metrics;
    if (strcmp(cell->cell.kind, "speed") == 0)
        return FQ_METRIC_SPEED;
    const struct fq_dataset_info *info = &plan->data[cell->source];
    const bool kv = info->kind == FQ_DATA_KV;
    unsigned metrics = wanted & s->data[cell->source].metrics & CODEC_METRICS;
    if (!kv || !info->has_query || (cell->tensor == FQ_VALUE && !info->has_value))
        metrics &= ~(unsigned)FQ_METRIC_ATTENTION;
    if (kv && (cell->tensor == FQ_VALUE || !info->has_query)) /* queries meet keys, never values */
        metrics &= ~(unsigned)FQ_METRIC_INNER_PRODUCT;
    if ((kv && cell->tensor == FQ_VALUE) || s->instances[cell->instance].centre != FQ_CENTRE_NONE)
        metrics &= ~(unsigned)FQ_METRIC_NEEDLE;
    if (!s->instances[cell->instance].method->kernels[FQ_REF]->decode) {
        metrics &= ~(unsigned)FQ_METRIC_DISTORTION;
        if (cell->tensor == FQ_VALUE) /* a sum of values is a sum of what was decoded */
            metrics &= ~(unsigned)FQ_METRIC_ATTENTION;
    }
    return metrics;
}

static int look_at_data(struct fq_plan *plan, bool scan, struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    for (size_t i = 0; i < s->n_data; i++) {
        struct fq_dataset *set = NULL;
        FQ_TRY(fq_source_open(s, &s->data[i], &set, err));
        plan->data[i] = *fq_dataset_info(set);
        int code = scan ? fq_source_scan(set, &s->data[i], err) : 0;
        fq_dataset_close(set);
        FQ_TRY(code);
    }
    return 0;
}

static int look_at_models(struct fq_plan *plan, struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    for (size_t i = 0; i < s->n_models; i++) {
        if (!(s->metrics & FQ_METRIC_PERPLEXITY))
            return fq_plan_note(plan, err, "models: not planned, perplexity is not among the metrics");
        if (fq_model_peek(s->models[i].model, &plan->models[i], err) != 0)
            return fq_fail_in(err, "%s:%d", s->path, s->models[i].line);
        if (!fq_model_available())
            FQ_TRY(fq_plan_note(plan, err, "%s: not planned, this program was built without libllama (make setup)",
                                s->models[i].name));
    }
    return 0;
}

static int make(struct fq_plan *plan, bool scan, struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    struct fq_random order = fq_random_open("order", s->order_seed);
    plan->data = calloc(s->n_data + 1, sizeof *plan->data);
    plan->models = calloc(s->n_models + 1, sizeof *plan->models);
    if (!plan->data || !plan->models)
        return fq_fail(err, FQ_FAILED, "out of memory");
    FQ_TRY(look_at_data(plan, scan, err));
    FQ_TRY(look_at_models(plan, err));
    for (size_t i = 0; i < s->n_data; i++)
        FQ_TRY(add_codec_cells(plan, i, &order, err));
    FQ_TRY(add_speed_cells(plan, &order, err));
    for (size_t i = 0; i < s->n_models && (s->metrics & FQ_METRIC_PERPLEXITY) && fq_model_available(); i++)
        FQ_TRY(add_model_cells(plan, i, &order, err));
    FQ_TRY(check_centres(plan, err));
    FQ_TRY(fq_plan_check_policies(plan, err));
    if (plan->n_cells == 0)
        return fq_fail(err, FQ_USAGE, "%s: the sweep plans no cell%s%s", s->path, plan->n_notes ? ": " : "",
                       plan->n_notes ? plan->notes[0] : "");
    return 0;
}

int fq_plan_make(const struct fq_sweep *sweep, bool scan, struct fq_plan *out, struct fq_error *err) {
    memset(out, 0, sizeof *out);
    out->sweep = sweep;
    const int code = make(out, scan, err);
    if (code != 0)
        fq_plan_free(out);
    return code;
}

void fq_plan_free(struct fq_plan *plan) {
    for (size_t i = 0; i < plan->n_notes; i++)
        free(plan->notes[i]);
    free(plan->notes);
    free(plan->cells);
    free(plan->data);
    free(plan->models);
    memset(plan, 0, sizeof *plan);
}

bool fq_plan_in_shard(const struct fq_planned *cell, unsigned i, unsigned n) {
    return n <= 1 || cell->group % n == i - 1;
}
