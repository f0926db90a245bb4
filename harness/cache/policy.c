/* Policies written out for the layers of a model: checks, versions of tokens, bytes.
 *
 * It must not see data: a version is a pure function of positions, so that it can be tested for every small case. */
#include "harness/cache/policy.h"

#include "harness/measure/catalog.h"
#include "harness/measure/codec.h"

#include <stdlib.h>
#include <string.h>

static const char *const tensor_names[2] = {"key", "value"};

static bool same_code(const struct fq_policy_code *a, const struct fq_policy_code *b) {
    return a->method == b->method && memcmp(&a->params, &b->params, sizeof a->params) == 0;
}

static size_t common_multiple(size_t a, size_t b) {
    size_t x = a, y = b;
    while (y != 0) {
        const size_t rest = x % y;
        x = y;
        y = rest;
    }
    return a / x * b;
}

/* ---- checks ------------------------------------------------------------------------------------------------------*/

static bool streams(const struct fq_policy *p) {
    return p->window > 0 || p->residual > 0 || p->sinks > 0 || p->decay_every > 0 || p->sparse || p->prefill_full;
}

static int check_code(const struct fq_policy *p, const struct fq_policy_code *code, enum fq_tensor tensor, size_t dim,
                      struct fq_error *err) {
    const struct fq_shape shape = {dim, tensor};
    const struct fq_method *m = code->method;
    if (!m)
        return 0;
    FQ_TRY(fq_params_check(m, &code->params, &shape, err));
    const struct fq_kernels *ref = m->kernels[FQ_REF];
    const bool decodes = ref != NULL && ref->decode != NULL;
    if (!decodes && tensor == FQ_VALUE)
        return fq_fail(err, FQ_USAGE, "value: %s decodes nothing, and values are summed from what they decode to",
                       m->name);
    if (!decodes && (p->decays[tensor] || p->path == FQ_PATH_DECODED))
        return fq_fail(err, FQ_USAGE, "key: %s decodes nothing, which %s needs", m->name,
                       p->path == FQ_PATH_DECODED ? "path: decoded" : "decay");
    if (p->path == FQ_PATH_DECODED && tensor == FQ_KEY && m->quantizes_query && m->quantizes_query(&code->params))
        return fq_fail(err, FQ_USAGE,
                       "key: %s quantizes the query with these parameters, which path: decoded cannot show; use "
                       "path: scores",
                       m->name);
    const size_t g = m->footprint(&code->params, &shape).granularity;
    if (p->residual % (g ? g : 1) != 0)
        return fq_fail(err, FQ_USAGE,
                       "residual: %zu is no multiple of %zu, the tokens in one record of the %ss of %s; whole groups "
                       "leave the residual",
                       p->residual, g, tensor_names[tensor], m->name);
    return 0;
}

static int check_layers(const struct fq_policy *p, size_t layers, struct fq_error *err) {
    for (size_t r = 0; r < p->n_rules; r++)
        for (size_t i = 0; i < p->rules[r].n_layers; i++) {
            const long layer = p->rules[r].layers[i], most = (long)layers;
            if (layer >= most || layer < -most)
                return fq_fail(err, FQ_USAGE,
                               "layers: layer %ld is out of range; the model has %zu, so expected %ld to %ld", layer,
                               layers, -most, most - 1);
        }
    return 0;
}

int fq_policy_check(const struct fq_policy *p, size_t layers, size_t dim, struct fq_error *err) {
    bool any = p->sparse;
    if (p->window > 0 && p->residual > 0)
        return fq_fail(err, FQ_USAGE,
                       "window and residual are two rules for the same tokens; give one of them (window: the most "
                       "recent ones, residual: KIVI's groups)");
    if (p->path == FQ_PATH_DECODED && streams(p))
        return fq_fail(err, FQ_USAGE,
                       "path: decoded writes one form of a token for all queries; it takes layer rules and no window, "
                       "sinks, residual, decay, sparse_v or prefill: full; use path: scores");
    for (int t = FQ_KEY; t <= FQ_VALUE; t++) {
        FQ_TRY(check_code(p, &p->code[t], (enum fq_tensor)t, dim, err));
        any = any || p->code[t].method;
        if (p->decays[t]) {
            FQ_TRY(check_code(p, &p->decayed[t], (enum fq_tensor)t, dim, err));
            if (!p->decayed[t].method)
                return fq_fail(err, FQ_USAGE, "decay: old %ss cannot become full again", tensor_names[t]);
            any = true;
        }
        for (size_t r = 0; r < p->n_rules; r++)
            if (p->rules[r].given[t]) {
                FQ_TRY(check_code(p, &p->rules[r].code[t], (enum fq_tensor)t, dim, err));
                any = any || p->rules[r].code[t].method;
            }
    }
    if (p->centre != FQ_CENTRE_NONE && !p->code[FQ_KEY].method && !p->decays[FQ_KEY])
        return fq_fail(err, FQ_USAGE, "centre: only encoded keys are centred, and the keys of this policy are full");
    if (p->centre == FQ_CENTRE_RUNNING) {
        if (p->decays[FQ_KEY])
            return fq_fail(err, FQ_USAGE,
                           "centre: running needs every key as it was first decoded, and decay forgets that; use "
                           "calibrated");
        const struct fq_policy_code *k = &p->code[FQ_KEY];
        if (!k->method->kernels[FQ_REF]->decode ||
            (k->method->quantizes_query && k->method->quantizes_query(&k->params)))
            return fq_fail(err, FQ_USAGE,
                           "centre: running needs keys that are read as what they decode to, which "
                           "%s is not here",
                           k->method->name);
    }
    if (p->decay_every == 0 && (p->decays[FQ_KEY] || p->decays[FQ_VALUE]))
        return fq_fail(err, FQ_USAGE, "decay: every is 0; give the number of tokens between two passes");
    if (!any)
        return fq_fail(err, FQ_USAGE,
                       "key and value are full and nothing else is asked for: there is nothing to measure");
    return layers > 0 ? check_layers(p, layers, err) : 0;
}

/* ---- layer by layer ----------------------------------------------------------------------------------------------*/

/* The index of a code, added if it is new; -1 for full precision. */
static int index_of(struct fq_policy_plan *plan, const struct fq_policy_code *code, enum fq_tensor tensor, int *out,
                    struct fq_error *err) {
    *out = -1;
    if (!code->method)
        return 0;
    for (size_t i = 0; i < plan->n_codes; i++)
        if (plan->tensor[i] == tensor && same_code(&plan->code[i], code)) {
            *out = (int)i;
            return 0;
        }
    if (plan->n_codes == FQ_POLICY_CODES)
        return fq_fail(err, FQ_USAGE, "a policy may name at most %d different codes", FQ_POLICY_CODES);
    const struct fq_shape shape = {plan->dim, tensor};
    const struct fq_footprint f = code->method->footprint(&code->params, &shape);
    plan->code[plan->n_codes] = *code;
    plan->tensor[plan->n_codes] = tensor;
    plan->record_bytes[plan->n_codes] = f.record_bytes;
    plan->shared_bytes[plan->n_codes] = f.shared_bytes;
    *out = (int)plan->n_codes++;
    return 0;
}

static size_t group_of(const struct fq_policy_plan *plan, int code) {
    if (code < 0)
        return 1;
    const struct fq_shape shape = {plan->dim, plan->tensor[code]};
    const size_t g = plan->code[code].method->footprint(&plan->code[code].params, &shape).granularity;
    return g ? g : 1;
}

static bool names(const struct fq_policy_rule *rule, size_t layer, size_t layers) {
    for (size_t i = 0; i < rule->n_layers; i++)
        if ((rule->layers[i] < 0 ? (size_t)((long)layers + rule->layers[i]) : (size_t)rule->layers[i]) == layer)
            return true;
    return false;
}

static int write_tensor(struct fq_policy_plan *plan, size_t layer, enum fq_tensor tensor, struct fq_error *err) {
    const struct fq_policy *p = plan->policy;
    const struct fq_policy_code *code = &p->code[tensor];
    struct fq_policy_tensor *to = &plan->layer[layer][tensor];
    bool decays = p->decays[tensor];
    for (size_t r = 0; r < p->n_rules; r++)
        if (names(&p->rules[r], layer, plan->layers)) {
            if (p->rules[r].given[tensor])
                code = &p->rules[r].code[tensor];
            decays = decays && !p->rules[r].no_decay;
        }
    to->decayed = -1;
    FQ_TRY(index_of(plan, code, tensor, &to->codes, err));
    if (decays)
        FQ_TRY(index_of(plan, &p->decayed[tensor], tensor, &to->decayed, err));
    to->group = group_of(plan, to->codes);
    to->decayed_group = common_multiple(to->group, group_of(plan, to->decayed));
    if (to->codes >= 0 && fq_method_learns(plan->code[to->codes].method, &plan->code[to->codes].params))
        plan->states[to->codes]++;
    if (to->decayed >= 0 && to->decayed != to->codes &&
        fq_method_learns(plan->code[to->decayed].method, &plan->code[to->decayed].params))
        plan->states[to->decayed]++;
    return 0;
}

int fq_policy_plan_open(const struct fq_policy *policy, size_t layers, size_t dim, struct fq_policy_plan *out,
                        struct fq_error *err) {
    memset(out, 0, sizeof *out);
    out->policy = policy;
    out->layers = layers;
    out->dim = dim;
    FQ_TRY(fq_policy_check(policy, layers, dim, err));
    out->layer = calloc(layers, sizeof *out->layer);
    if (!out->layer)
        return fq_fail(err, FQ_FAILED, "out of memory for a policy of %zu layers", layers);
    int code = 0;
    for (size_t layer = 0; code == 0 && layer < layers; layer++)
        for (int t = FQ_KEY; code == 0 && t <= FQ_VALUE; t++)
            code = write_tensor(out, layer, (enum fq_tensor)t, err);
    if (code != 0)
        fq_policy_plan_close(out);
    return code;
}

void fq_policy_plan_close(struct fq_policy_plan *plan) {
    free(plan->layer);
    memset(plan, 0, sizeof *plan);
}

/* ---- versions ----------------------------------------------------------------------------------------------------*/

/* Tokens that have left the window or the residual when the cache holds n, in whole groups. */
static size_t left_behind(const struct fq_policy *p, const struct fq_policy_tensor *t, enum fq_tensor tensor,
                          size_t n) {
    const size_t recent = p->residual > 0 ? p->residual : p->window;
    if (recent == 0)
        return n;
    const size_t left = p->residual > 0 && tensor == FQ_KEY ? n / recent * recent : n > recent ? n - recent : 0;
    return left / t->group * t->group;
}

struct fq_policy_spans fq_policy_spans(const struct fq_policy_plan *plan, enum fq_tensor tensor, size_t layer,
                                       size_t n) {
    const struct fq_policy *p = plan->policy;
    const struct fq_policy_tensor *t = &plan->layer[layer][tensor];
    struct fq_policy_spans s = {.sinks = p->sinks < n ? p->sinks : n, .n = n};
    size_t codes = left_behind(p, t, tensor, n), decayed = 0;
    if (t->decayed >= 0) { /* as the last pass found it */
        const size_t pass = n / p->decay_every * p->decay_every;
        const size_t there = left_behind(p, t, tensor, pass);
        decayed = pass > p->decay_after ? pass - p->decay_after : 0;
        decayed = (decayed < there ? decayed : there) / t->decayed_group * t->decayed_group;
    }
    if (t->codes < 0)
        codes = decayed;
    s.decayed = decayed > s.sinks ? decayed : s.sinks;
    s.codes = codes > s.decayed ? codes : s.decayed;
    return s;
}

enum fq_version fq_policy_version(const struct fq_policy_plan *plan, enum fq_tensor tensor, size_t layer, size_t n,
                                  size_t j) {
    const struct fq_policy_spans s = fq_policy_spans(plan, tensor, layer, n);
    if (j < s.sinks || j >= s.codes)
        return FQ_VERSION_FULL;
    return j < s.decayed ? FQ_VERSION_DECAYED : FQ_VERSION_CODES;
}

/* ---- bytes -------------------------------------------------------------------------------------------------------*/

/* Records that hold a token of [begin, end), and tokens there that fill no group of the n. */
static size_t records_of(size_t begin, size_t end, size_t group, size_t n, size_t *rest) {
    const size_t whole = n / group * group, last = end < whole ? end : whole;
    *rest = end > whole ? end - (begin > whole ? begin : whole) : 0;
    return last > begin ? (last + group - 1) / group - begin / group : 0;
}

static void count_tensor(const struct fq_policy_plan *plan, size_t layer, enum fq_tensor tensor, size_t n,
                         struct fq_policy_bytes *out) {
    const struct fq_policy_tensor *t = &plan->layer[layer][tensor];
    const struct fq_policy_spans s = fq_policy_spans(plan, tensor, layer, n);
    size_t full = s.sinks + (n - s.codes), rest = 0;
    if (s.decayed > s.sinks) {
        const size_t records = records_of(s.sinks, s.decayed, group_of(plan, t->decayed), n, &rest);
        out->code_bytes += (uint64_t)records * plan->record_bytes[t->decayed];
        full += rest;
    }
    if (s.codes > s.decayed) {
        const size_t records = records_of(s.decayed, s.codes, t->group, n, &rest);
        out->code_bytes += (uint64_t)records * plan->record_bytes[t->codes];
        full += rest;
    }
    out->full_bytes += (uint64_t)full * plan->dim * sizeof(uint16_t);
}

void fq_policy_count(const struct fq_policy_plan *plan, size_t n, size_t kv_heads, struct fq_policy_bytes *out) {
    memset(out, 0, sizeof *out);
    for (size_t layer = 0; layer < plan->layers; layer++)
        for (int t = FQ_KEY; t <= FQ_VALUE; t++)
            count_tensor(plan, layer, (enum fq_tensor)t, n, out);
    out->code_bytes *= kv_heads;
    out->full_bytes *= kv_heads;
    for (size_t i = 0; i < plan->n_codes; i++)
        out->shared_bytes += plan->shared_bytes[i] * (plan->states[i] > 0 ? plan->states[i] * kv_heads : 1);
    out->shared_bytes += fq_centre_shared_bytes(plan->policy->centre, plan->layers, kv_heads, plan->dim);
    const double coordinates = 2.0 * (double)plan->layers * (double)kv_heads * (double)n * (double)plan->dim;
    out->rate_bits = n ? 8.0 * (double)(out->code_bytes + out->full_bytes) / coordinates : 0.0;
}
