/* The life of an agent, and what it does with keys and values: encodes them into the stores; for path: decoded also
 * writes back what they decode to. Scores and outputs are in agent_attention.c. */
#include "harness/cache/agent_internal.h"

#include "harness/base/cpu.h"

#include <stdlib.h>
#include <string.h>

static const char *const tensor_names[2] = {"key", "value"};

/* ---- stores ------------------------------------------------------------------------------------------------------*/

static size_t slot(const struct fq_agent *a, size_t layer, enum fq_tensor tensor, enum fq_version version,
                   size_t head) {
    return ((layer * 2 + (size_t)tensor) * 2 + (version == FQ_VERSION_DECAYED ? 1 : 0)) * a->config.kv_heads + head;
}

struct fq_store *fq_agent_store(struct fq_agent *a, size_t layer, enum fq_tensor tensor, enum fq_version version,
                                size_t head) {
    struct fq_store *s = &a->store[slot(a, layer, tensor, version, head)];
    const struct fq_policy_tensor *t = &a->plan.layer[layer][tensor];
    if (!s->codec)
        return NULL;
    if (a->put && fq_codec_learns(s->codec))
        a->put(a->put_arg, (size_t)(version == FQ_VERSION_DECAYED ? t->decayed : t->codes), tensor, layer, head);
    return s;
}

static int open_stores(struct fq_agent *a, struct fq_error *err) {
    const size_t heads = a->config.kv_heads;
    a->store = calloc(a->config.layers * 4 * heads, sizeof *a->store);
    if (!a->store)
        return fq_fail(err, FQ_FAILED, "out of memory for the stores of %zu layers", a->config.layers);
    for (size_t layer = 0; layer < a->config.layers; layer++)
        for (int t = FQ_KEY; t <= FQ_VALUE; t++) {
            const struct fq_policy_tensor *at = &a->plan.layer[layer][t];
            for (size_t h = 0; h < heads; h++) {
                if (at->codes >= 0)
                    FQ_TRY(fq_store_open(&a->store[slot(a, layer, (enum fq_tensor)t, FQ_VERSION_CODES, h)],
                                         a->codec[at->codes], a->config.context, err));
                if (at->decayed >= 0)
                    FQ_TRY(fq_store_open(&a->store[slot(a, layer, (enum fq_tensor)t, FQ_VERSION_DECAYED, h)],
                                         a->codec[at->decayed], a->config.context, err));
            }
        }
    return 0;
}

/* ---- life --------------------------------------------------------------------------------------------------------*/

static int open_agent(struct fq_agent *a, struct fq_error *err) {
    const size_t cells = a->config.context * a->config.dim;
    FQ_TRY(fq_policy_plan_open(a->config.policy, a->config.layers, a->config.dim, &a->plan, err));
    for (size_t i = 0; i < a->plan.n_codes; i++) {
        const struct fq_codec_config config = {.method = a->plan.code[i].method,
                                               .params = a->plan.code[i].params,
                                               .shape = {a->config.dim, a->plan.tensor[i]},
                                               .seed = a->config.seed,
                                               .backend = fq_backend_pick(a->plan.code[i].method)};
        FQ_TRY(fq_codec_open(&config, &a->codec[i], err));
    }
    FQ_TRY(open_stores(a, err));
    a->rows = malloc(cells * sizeof *a->rows);
    a->decoded = malloc(cells * sizeof *a->decoded);
    a->taken = malloc(cells * sizeof *a->taken);
    a->block = malloc(FQ_AGENT_BLOCK * a->config.context * sizeof *a->block);
    a->begun_room = (a->config.context / FQ_AGENT_BLOCK + 1) * (a->config.heads / a->config.kv_heads);
    a->begun = calloc(a->begun_room, sizeof *a->begun);
    if (!a->rows || !a->decoded || !a->taken || !a->block || !a->begun)
        return fq_fail(err, FQ_FAILED, "out of memory for one head of %zu tokens", a->config.context);
    return fq_agent_errors_open(a, err);
}

int fq_agent_open(const struct fq_agent_config *config, struct fq_agent **out, struct fq_error *err) {
    *out = NULL;
    const enum fq_centre_kind kind = config->centre ? fq_centre_kind_of(config->centre) : FQ_CENTRE_NONE;
    if (kind != config->policy->centre)
        return fq_fail(err, FQ_FAILED, "the policy asks for centre %s and was given %s",
                       fq_centre_name(config->policy->centre), fq_centre_name(kind));
    struct fq_agent *a = calloc(1, sizeof *a);
    if (!a)
        return fq_fail(err, FQ_FAILED, "out of memory");
    a->config = *config;
    a->prompt = config->context / 2;
    const int code = open_agent(a, err);
    if (code != 0) {
        fq_agent_close(a);
        return code;
    }
    *out = a;
    return 0;
}

void fq_agent_close(struct fq_agent *agent) {
    if (!agent)
        return;
    for (size_t i = 0; agent->store && i < agent->config.layers * 4 * agent->config.kv_heads; i++)
        fq_store_close(&agent->store[i]);
    for (size_t i = 0; i < agent->plan.n_codes; i++)
        fq_codec_close(agent->codec[i]);
    fq_policy_plan_close(&agent->plan);
    fq_agent_errors_close(agent);
    free(agent->store);
    free(agent->rows);
    free(agent->decoded);
    free(agent->taken);
    free(agent->queries);
    free(agent->block);
    free(agent->begun);
    free(agent);
}

int fq_agent_window(void *agent, size_t chunk, struct fq_error *err) {
    struct fq_agent *a = agent;
    (void)err;
    if (a->loop)
        fq_ppl_loop_window(a->loop, chunk);
    a->reads_before = a->reads;
    a->prompt = a->config.context / 2;
    for (size_t i = 0; i < a->plan.n_codes; i++)
        fq_codec_bytes(a->codec[i], &a->bytes_before[i]);
    for (size_t i = 0; i < a->config.layers * 4 * a->config.kv_heads; i++)
        if (a->store[i].codec)
            fq_store_clear(&a->store[i]);
    return 0;
}

void fq_agent_prompt(void *agent, size_t tokens) {
    struct fq_agent *a = agent;
    a->prompt = tokens;
}

void fq_agent_forget(void *agent) {
    struct fq_agent *a = agent;
    a->reads = a->reads_before;
    for (size_t i = 0; i < a->plan.n_codes; i++)
        fq_codec_count_back(a->codec[i], &a->bytes_before[i]);
}

/* ---- what is known about it --------------------------------------------------------------------------------------*/

struct fq_policy_plan *fq_agent_plan(struct fq_agent *agent) {
    return &agent->plan;
}

struct fq_codec *fq_agent_codec(const struct fq_agent *agent, size_t i) {
    return agent->codec[i];
}

static int look(void *agent, const struct fq_attention_view *view, struct fq_error *err) {
    struct fq_agent *a = agent;
    (void)err;
    fq_ppl_attention_look(a->attention, view);
    fq_pool_rest();
    return 0;
}

fq_model_attention_hook *fq_agent_attention_hook(const struct fq_agent *agent) {
    return agent->config.policy->path == FQ_PATH_SCORES ? fq_agent_attention : agent->attention ? look : NULL;
}

const char *fq_agent_tensor(const struct fq_agent *agent) {
    bool touched[2];
    fq_agent_touches(agent, touched);
    touched[FQ_VALUE] = touched[FQ_VALUE] || agent->config.policy->sparse;
    return touched[FQ_KEY] && touched[FQ_VALUE] ? "kv" : touched[FQ_KEY] ? "key" : "value";
}

void fq_agent_learned(struct fq_agent *agent, fq_agent_put *put, void *arg) {
    agent->put = put;
    agent->put_arg = arg;
}

void fq_agent_reads(const struct fq_agent *agent, struct fq_agent_reads *out) {
    *out = agent->reads;
}

void fq_agent_count(struct fq_agent *agent, size_t n, struct fq_policy_bytes *out) {
    for (size_t i = 0; i < agent->plan.n_codes; i++) {
        struct fq_bytes b = {0};
        fq_codec_bytes(agent->codec[i], &b);
        const uint64_t records = b.vectors / fq_codec_footprint(agent->codec[i])->granularity;
        if (records > 0)
            agent->plan.record_bytes[i] = b.record_bytes / records;
    }
    fq_policy_count(&agent->plan, n, agent->config.kv_heads, out);
}

/* ---- windows that need not run again -----------------------------------------------------------------------------*/

struct saved {
    struct fq_agent_reads reads;
    struct fq_bytes bytes[FQ_POLICY_CODES];
};

size_t fq_agent_state_bytes(const struct fq_agent *agent) {
    return sizeof(struct saved) + fq_ppl_loop_bytes(agent->loop);
}

void fq_agent_save(void *agent, void *state) {
    const struct fq_agent *a = agent;
    struct saved s;
    memset(&s, 0, sizeof s);
    for (int t = FQ_KEY; t <= FQ_VALUE; t++)
        for (int v = FQ_VERSION_FULL; v < FQ_VERSIONS; v++)
            s.reads.pairs[t][v] = a->reads.pairs[t][v] - a->reads_before.pairs[t][v];
    s.reads.weights = a->reads.weights - a->reads_before.weights;
    s.reads.skipped = a->reads.skipped - a->reads_before.skipped;
    for (size_t i = 0; i < a->plan.n_codes; i++)
        fq_codec_bytes_since(a->codec[i], &a->bytes_before[i], &s.bytes[i]);
    memcpy(state, &s, sizeof s);
    if (a->loop)
        fq_ppl_loop_save(a->loop, (char *)state + sizeof s);
}

void fq_agent_restore(void *agent, size_t chunk, const void *state) {
    struct fq_agent *a = agent;
    struct saved s;
    memcpy(&s, state, sizeof s);
    if (a->loop) {
        fq_ppl_loop_window(a->loop, chunk);
        fq_ppl_loop_restore(a->loop, (const char *)state + sizeof s);
    }
    for (int t = FQ_KEY; t <= FQ_VALUE; t++)
        for (int v = FQ_VERSION_FULL; v < FQ_VERSIONS; v++)
            a->reads.pairs[t][v] += s.reads.pairs[t][v];
    a->reads.weights += s.reads.weights;
    a->reads.skipped += s.reads.skipped;
    for (size_t i = 0; i < a->plan.n_codes; i++)
        fq_codec_count_more(a->codec[i], &s.bytes[i]);
}

struct fq_policy_spans fq_agent_spans(const struct fq_agent *a, enum fq_tensor tensor, size_t layer, size_t position) {
    const size_t n = position + 1;
    if (a->config.policy->prefill_full && position < a->prompt)
        return (struct fq_policy_spans){n, n, n, n};
    return fq_policy_spans(&a->plan, tensor, layer, n);
}

/* ---- centres -----------------------------------------------------------------------------------------------------*/

static struct fq_centre *centre_for(const struct fq_agent *a, enum fq_tensor tensor) {
    return tensor == FQ_KEY ? a->config.centre : NULL;
}

/* Tokens that have one centre known beforehand: all of them, unless the mean runs. */
static size_t centre_step(const struct fq_centre *c, const struct fq_store *s, size_t n) {
    return fq_centre_kind_of(c) == FQ_CENTRE_RUNNING ? fq_centre_block(s->codec) : n;
}

/* Puts the centres back on tokens [first, first + n); a running mean is built up again from what is decoded, so it is
 * read from the first token on. */
static void put_back(struct fq_agent *a, struct fq_centre *c, const struct fq_store *s, size_t layer, size_t head,
                     size_t first, size_t n, float *x) {
    const size_t dim = a->config.dim, step = centre_step(c, s, n);
    for (size_t row = 0; row < n; row += step) {
        const size_t here = n - row < step ? n - row : step;
        fq_centre_vectors(c, layer, head, first + row, here, a->taken);
        for (size_t i = 0; i < here * dim; i++)
            x[row * dim + i] += a->taken[i];
        fq_centre_follow(c, layer, head, first + row, here, x + row * dim);
    }
}

int fq_agent_decode(struct fq_agent *a, size_t layer, enum fq_tensor tensor, enum fq_version version, size_t head,
                    size_t first, size_t n, float *out, struct fq_error *err) {
    struct fq_store *s = fq_agent_store(a, layer, tensor, version, head);
    struct fq_centre *c = centre_for(a, tensor);
    FQ_TRY(fq_store_decode(s, first, n, out, err));
    if (c)
        put_back(a, c, s, layer, head, first, n, out);
    return 0;
}

/* ---- keys and values ---------------------------------------------------------------------------------------------*/

/* Appends n rows (centres taken off) to the codes, and what became whole groups to the decayed codes. */
static int append(struct fq_agent *a, size_t layer, enum fq_tensor tensor, size_t head, size_t n, const float *x,
                  struct fq_error *err) {
    struct fq_store *codes = fq_agent_store(a, layer, tensor, FQ_VERSION_CODES, head);
    struct fq_store *decayed = fq_agent_store(a, layer, tensor, FQ_VERSION_DECAYED, head);
    const size_t g = codes ? fq_codec_footprint(codes->codec)->granularity : 1;
    const size_t before = codes ? codes->n_groups * g : 0;
    if (codes)
        FQ_TRY(fq_store_append(codes, n, x, err));
    if (!decayed)
        return 0;
    if (!codes)
        return fq_store_append(decayed, n, x, err);
    const size_t whole = codes->n_groups * g - before;
    if (whole == 0)
        return 0;
    FQ_TRY(fq_store_decode(codes, before, whole, a->decoded, err));
    return fq_store_append(decayed, whole, a->decoded, err);
}

/* Rows at position first of a window, centre by centre. */
static int put_rows(struct fq_agent *a, size_t layer, enum fq_tensor tensor, size_t head, size_t first, size_t n,
                    float *x, struct fq_error *err) {
    struct fq_centre *c = centre_for(a, tensor);
    struct fq_store *s = fq_agent_store(a, layer, tensor, FQ_VERSION_CODES, head);
    const size_t dim = a->config.dim;
    if (!s)
        s = fq_agent_store(a, layer, tensor, FQ_VERSION_DECAYED, head);
    const size_t step = c ? centre_step(c, s, n) : n;
    for (size_t row = 0; row < n; row += step) {
        const size_t here = n - row < step ? n - row : step;
        float *rows = x + row * dim;
        if (c) {
            fq_centre_vectors(c, layer, head, first + row, here, a->taken);
            for (size_t i = 0; i < here * dim; i++)
                rows[i] -= a->taken[i];
        }
        FQ_TRY(append(a, layer, tensor, head, here, rows, err));
        if (c && fq_centre_kind_of(c) == FQ_CENTRE_RUNNING) {
            FQ_TRY(fq_store_decode(s, first + row, here, rows, err));
            for (size_t i = 0; i < here * dim; i++)
                rows[i] += a->taken[i];
            fq_centre_follow(c, layer, head, first + row, here, rows);
        }
    }
    return 0;
}

static int keep_queries(struct fq_agent *a, size_t n_tokens, size_t n_heads, const float *data, struct fq_error *err) {
    const size_t dim = a->config.dim, need = n_tokens * n_heads * dim;
    if (a->queries_room < need) {
        float *grown = realloc(a->queries, need * sizeof *grown);
        if (!grown)
            return fq_fail(err, FQ_FAILED, "out of memory for the queries of %zu tokens", n_tokens);
        a->queries = grown;
        a->queries_room = need;
    }
    a->n_queries = n_tokens;
    for (size_t h = 0; h < n_heads; h++)
        for (size_t t = 0; t < n_tokens; t++)
            memcpy(a->queries + (h * n_tokens + t) * dim, data + (t * n_heads + h) * dim, dim * sizeof *data);
    return 0;
}

static int one_head(struct fq_agent *a, enum fq_tensor tensor, size_t layer, size_t head, size_t first, size_t n,
                    size_t n_heads, float *data, struct fq_error *err) {
    const size_t dim = a->config.dim;
    for (size_t t = 0; t < n; t++)
        memcpy(a->rows + t * dim, data + (t * n_heads + head) * dim, dim * sizeof *data);
    FQ_TRY(put_rows(a, layer, tensor, head, first, n, a->rows, err));
    if (a->config.policy->path == FQ_PATH_SCORES)
        return 0;
    /* A running mean must be rebuilt from the first token on; otherwise what is new is enough. */
    struct fq_centre *c = centre_for(a, tensor);
    const size_t from = c && fq_centre_kind_of(c) == FQ_CENTRE_RUNNING ? 0 : first;
    FQ_TRY(fq_agent_decode(a, layer, tensor, FQ_VERSION_CODES, head, from, first + n - from, a->decoded, err));
    for (size_t t = 0; t < n; t++) {
        float *to = data + (t * n_heads + head) * dim;
        const float *written = a->decoded + (first - from + t) * dim;
        fq_agent_error_row(a, tensor, layer, head, first + t, to, written);
        memcpy(to, written, dim * sizeof *data);
    }
    return 0;
}

int fq_agent_tensors(void *agent, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                     size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    struct fq_agent *a = agent;
    const bool scores = a->config.policy->path == FQ_PATH_SCORES;
    if (dim != a->config.dim || first_position + n_tokens > a->config.context || layer >= a->config.layers)
        return fq_fail(err, FQ_FAILED, "the policy was opened for another shape than the model's");
    if (which == FQ_HOOK_QUERY && !scores && a->attention)
        fq_ppl_attention_queries(a->attention, first_position, n_tokens, data);
    if (which == FQ_HOOK_QUERY)
        return scores ? keep_queries(a, n_tokens, n_heads, data, err) : 0;
    const enum fq_tensor tensor = which == FQ_HOOK_KEY ? FQ_KEY : FQ_VALUE;
    const struct fq_policy_tensor *t = &a->plan.layer[layer][tensor];
    if (t->codes < 0 && t->decayed < 0) {
        for (size_t i = 0; !scores && i < n_tokens * n_heads; i++)
            fq_agent_error_row(a, tensor, layer, i % n_heads, first_position + i / n_heads, data + i * dim,
                               data + i * dim);
        return 0;
    }
    for (size_t head = 0; head < n_heads; head++)
        if (one_head(a, tensor, layer, head, first_position, n_tokens, n_heads, data, err) != 0)
            return fq_fail_in(err, "%s of layer %zu, KV head %zu, tokens %zu to %zu", tensor_names[tensor], layer, head,
                              first_position, first_position + n_tokens - 1);
    fq_pool_rest(); /* the model's own threads go on */
    return 0;
}
