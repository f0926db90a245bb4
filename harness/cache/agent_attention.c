/* An agent in a layer's attention: scores from codes, weights dropped, outputs from what codes decode to.
 *
 * Each version of a head's tokens is decoded once into scratch and meets all queries in one matrix product per block;
 * then each query takes, span by span, what the policy gives it. A method that quantizes its query, or that only
 * scores, is asked for its own estimates. Pairs that are read at full precision keep what the model computed, to the
 * bit, and so does the output of a query that reads all values at full precision.
 *
 * It must not decide which version a pair reads: that is policy.c. */
#include "harness/cache/agent_internal.h"

#include "harness/base/blas.h"

#include <math.h>
#include <string.h>

static unsigned threads(void) {
    return fq_pool_threads() > 0 ? fq_pool_threads() : 1;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Where a version's tokens lie within a query's spans. */
static size_t begin_of(const struct fq_policy_spans *s, enum fq_version version) {
    return version == FQ_VERSION_DECAYED ? s->sinks : s->decayed;
}

static size_t end_of(const struct fq_policy_spans *s, enum fq_version version) {
    return version == FQ_VERSION_DECAYED ? s->decayed : s->codes;
}

static bool all_full(const struct fq_policy_spans *s) {
    return s->codes <= s->sinks;
}

/* The first query of the view that reads this version, n_queries if none does. */
static size_t first_reader(const struct fq_agent *a, const struct fq_attention_view *v, enum fq_tensor tensor,
                           enum fq_version version) {
    for (size_t i = 0; i < v->n_queries; i++) {
        const struct fq_policy_spans s = fq_agent_spans(a, tensor, v->layer, v->first_position + i);
        if (begin_of(&s, version) < end_of(&s, version))
            return i;
    }
    return v->n_queries;
}

static void count_reads(struct fq_agent *a, const struct fq_attention_view *v) {
    for (int t = FQ_KEY; t <= FQ_VALUE; t++)
        for (size_t i = 0; i < v->n_queries; i++) {
            const struct fq_policy_spans s = fq_agent_spans(a, (enum fq_tensor)t, v->layer, v->first_position + i);
            const uint64_t decayed = s.decayed - s.sinks, codes = s.codes - s.decayed;
            a->reads.pairs[t][FQ_VERSION_DECAYED] += decayed * v->kv_heads;
            a->reads.pairs[t][FQ_VERSION_CODES] += codes * v->kv_heads;
            a->reads.pairs[t][FQ_VERSION_FULL] += (s.n - decayed - codes) * v->kv_heads;
        }
}

/* ---- scores ------------------------------------------------------------------------------------------------------*/

/* Must its own kernel score? */
static bool scores_itself(const struct fq_codec *codec) {
    const struct fq_codec_config *config = fq_codec_configuration(codec);
    return !fq_codec_has(codec, FQ_STAGE_DECODE) ||
           (config->method->quantizes_query && config->method->quantizes_query(&config->params));
}

/* Estimates of <q, k - c> become those of <q, k>. */
static void add_centres(struct fq_agent *a, size_t layer, size_t head, size_t n_queries, const float *q, size_t tokens,
                        size_t stride) {
    const size_t dim = a->config.dim;
    if (!a->config.centre)
        return;
    fq_centre_vectors(a->config.centre, layer, head, 0, tokens, a->taken);
    fq_blas_gemm(threads(), n_queries, tokens, dim, (struct fq_blas_matrix){q, dim},
                 (struct fq_blas_matrix){a->taken, dim}, true, true, a->block, stride);
}

/* Scores of queries [i, i + m) of one query head against the first `tokens` tokens of a store, into a->block. */
static int score_block(struct fq_agent *a, const struct fq_attention_view *v, struct fq_store *s, size_t kv_head,
                       size_t head, size_t i, size_t m, size_t tokens, struct fq_error *err) {
    const size_t dim = a->config.dim, stride = a->config.context;
    const float *q = a->queries + (head * a->n_queries + i) * dim;
    if (scores_itself(s->codec)) {
        FQ_TRY(fq_store_scores(s, m, q, a->block, stride, err));
        add_centres(a, v->layer, kv_head, m, q, fq_store_tokens(s), stride);
        return 0;
    }
    fq_blas_gemm(threads(), m, tokens, dim, (struct fq_blas_matrix){q, dim}, (struct fq_blas_matrix){a->decoded, dim},
                 true, false, a->block, stride);
    return 0;
}

/* Of keys that are scored from codes, too, as far as these can be decoded. */
static int key_errors(struct fq_agent *a, const struct fq_attention_view *v, enum fq_version version, size_t kv_head,
                      struct fq_store *s, struct fq_error *err) {
    if (!a->loop)
        return 0;
    if (!fq_codec_has(s->codec, FQ_STAGE_DECODE)) {
        a->keys_unread = true;
        return 0;
    }
    if (scores_itself(s->codec))
        FQ_TRY(fq_agent_decode(a, v->layer, FQ_KEY, version, kv_head, 0, fq_store_tokens(s), a->decoded, err));
    fq_agent_error_version(a, v, FQ_KEY, version, kv_head);
    return 0;
}

static int score_version(struct fq_agent *a, const struct fq_attention_view *v, enum fq_version version, size_t kv_head,
                         struct fq_error *err) {
    const size_t group = v->heads / v->kv_heads, first = first_reader(a, v, FQ_KEY, version);
    struct fq_store *s = fq_agent_store(a, v->layer, FQ_KEY, version, kv_head);
    if (!s || first == v->n_queries)
        return 0;
    if (!scores_itself(s->codec))
        FQ_TRY(fq_agent_decode(a, v->layer, FQ_KEY, version, kv_head, 0, fq_store_tokens(s), a->decoded, err));
    FQ_TRY(key_errors(a, v, version, kv_head, s, err));
    for (size_t head = kv_head * group; head < (kv_head + 1) * group; head++)
        for (size_t i = first; i < v->n_queries; i += FQ_AGENT_BLOCK) {
            const size_t m = smaller(FQ_AGENT_BLOCK, v->n_queries - i);
            const size_t tokens = smaller(fq_store_tokens(s), v->first_position + i + m);
            FQ_TRY(score_block(a, v, s, kv_head, head, i, m, tokens, err));
            for (size_t k = 0; k < m; k++) {
                const struct fq_policy_spans spans = fq_agent_spans(a, FQ_KEY, v->layer, v->first_position + i + k);
                const size_t begin = begin_of(&spans, version), end = end_of(&spans, version);
                if (begin < end)
                    memcpy(v->data + head * v->head_stride + (i + k) * v->query_stride + begin,
                           a->block + k * a->config.context + begin, (end - begin) * sizeof *a->block);
            }
        }
    return 0;
}

static int replace_scores(struct fq_agent *a, const struct fq_attention_view *v, struct fq_error *err) {
    count_reads(a, v);
    if (a->n_queries != v->n_queries)
        return fq_fail(err, FQ_FAILED, "%zu queries are scored and %zu were seen", v->n_queries, a->n_queries);
    fq_agent_error_scores(a, v);
    for (size_t kv_head = 0; kv_head < v->kv_heads; kv_head++)
        for (int version = FQ_VERSION_CODES; version <= FQ_VERSION_DECAYED; version++)
            FQ_TRY(score_version(a, v, (enum fq_version)version, kv_head, err));
    if (a->attention)
        fq_ppl_attention_after(a->attention, v);
    return 0;
}

/* ---- weights -----------------------------------------------------------------------------------------------------*/

/* Weights below the threshold become zero; the others are not made larger for it. */
static void drop_weights(struct fq_agent *a, const struct fq_attention_view *v) {
    const struct fq_policy *p = a->config.policy;
    if (!p->sparse)
        return;
    if (a->attention)
        fq_ppl_attention_undropped(a->attention, v);
    for (size_t h = 0; h < v->heads; h++)
        for (size_t i = 0; i < v->n_queries; i++) {
            const size_t position = v->first_position + i;
            float *w = v->data + h * v->head_stride + i * v->query_stride;
            const float *mask = v->mask + i * v->mask_stride;
            if (p->prefill_full && position < a->prompt)
                continue;
            for (size_t j = 0; j <= position; j++) {
                if (isinf(mask[j]))
                    continue; /* outside of a sliding window */
                a->reads.weights++;
                if ((double)w[j] < p->sparse_v) {
                    a->reads.skipped++;
                    w[j] = 0.0F;
                }
            }
        }
    if (a->attention)
        fq_ppl_attention_dropped(a->attention, v);
}

/* ---- outputs -----------------------------------------------------------------------------------------------------*/

/* The weights of queries [i, i + m) that meet this version, zeros elsewhere, into a->block; false if there are none. */
static bool mask_weights(struct fq_agent *a, const struct fq_attention_view *v, enum fq_version version, size_t head,
                         size_t i, size_t m, size_t tokens) {
    bool any = false;
    for (size_t k = 0; k < m; k++) {
        const struct fq_policy_spans s = fq_agent_spans(a, FQ_VALUE, v->layer, v->first_position + i + k);
        const float *w = v->weights + head * v->weight_head_stride + (i + k) * v->weight_query_stride;
        float *to = a->block + k * a->config.context;
        const size_t n = smaller(s.n, tokens);
        memset(to, 0, tokens * sizeof *to);
        if (version == FQ_VERSION_FULL) {
            memcpy(to, w, smaller(s.sinks, n) * sizeof *to);
            if (s.codes < n)
                memcpy(to + s.codes, w + s.codes, (n - s.codes) * sizeof *to);
            any = any || s.sinks > 0 || s.codes < n;
            continue;
        }
        const size_t begin = begin_of(&s, version), end = end_of(&s, version);
        if (begin < end)
            memcpy(to + begin, w + begin, (end - begin) * sizeof *to);
        any = any || begin < end;
    }
    return any;
}

/* Adds one version's part to the outputs of a KV head's query heads; the first part overwrites what the model had. */
static void add_version(struct fq_agent *a, const struct fq_attention_view *v, enum fq_version version, size_t kv_head,
                        size_t first, bool *begun) {
    const size_t group = v->heads / v->kv_heads, dim = a->config.dim;
    const bool full = version == FQ_VERSION_FULL;
    const struct fq_blas_matrix values =
        full ? (struct fq_blas_matrix){v->values + kv_head * v->value_head_stride, v->value_stride}
             : (struct fq_blas_matrix){a->decoded, dim};
    size_t block = 0;
    for (size_t head = kv_head * group; head < (kv_head + 1) * group; head++)
        for (size_t i = first; i < v->n_queries; i += FQ_AGENT_BLOCK, block++) {
            const size_t m = smaller(FQ_AGENT_BLOCK, v->n_queries - i), tokens = v->first_position + i + m;
            if (!mask_weights(a, v, version, head, i, m, tokens))
                continue;
            fq_blas_gemm(threads(), m, dim, tokens, (struct fq_blas_matrix){a->block, a->config.context}, values, full,
                         begun[block], v->data + head * v->head_stride + i * v->query_stride, v->query_stride);
            begun[block] = true;
        }
}

/* The outputs of a KV head's query heads from query `first` on. */
static int replace_head(struct fq_agent *a, const struct fq_attention_view *v, size_t kv_head, size_t first,
                        struct fq_error *err) {
    memset(a->begun, 0, a->begun_room * sizeof *a->begun);
    add_version(a, v, FQ_VERSION_FULL, kv_head, first, a->begun);
    for (int version = FQ_VERSION_CODES; version <= FQ_VERSION_DECAYED; version++) {
        struct fq_store *s = fq_agent_store(a, v->layer, FQ_VALUE, (enum fq_version)version, kv_head);
        if (!s || first_reader(a, v, FQ_VALUE, (enum fq_version)version) == v->n_queries)
            continue;
        /* Tokens of the decayed store that no query reads yet may be missing at its end: zeros meet zero weights */
        memset(a->decoded, 0, (v->first_position + v->n_queries) * a->config.dim * sizeof *a->decoded);
        FQ_TRY(fq_agent_decode(a, v->layer, FQ_VALUE, (enum fq_version)version, kv_head, 0, fq_store_tokens(s),
                               a->decoded, err));
        add_version(a, v, (enum fq_version)version, kv_head, first, a->begun);
        fq_agent_error_version(a, v, FQ_VALUE, (enum fq_version)version, kv_head);
    }
    return 0;
}

static int replace_outputs(struct fq_agent *a, const struct fq_attention_view *v, struct fq_error *err) {
    size_t first = 0;
    while (first < v->n_queries) {
        const struct fq_policy_spans s = fq_agent_spans(a, FQ_VALUE, v->layer, v->first_position + first);
        if (!all_full(&s))
            break;
        first++;
    }
    for (size_t kv_head = 0; kv_head < v->kv_heads; kv_head++) {
        fq_agent_error_begin(a, v, kv_head);
        if (first < v->n_queries)
            FQ_TRY(replace_head(a, v, kv_head, first, err));
        if (a->attention)
            fq_ppl_attention_end(a->attention);
    }
    return 0;
}

int fq_agent_attention(void *agent, const struct fq_attention_view *view, struct fq_error *err) {
    struct fq_agent *a = agent;
    int code = 0;
    switch (view->stage) {
    case FQ_ATTENTION_SCORES:
        code = replace_scores(a, view, err);
        break;
    case FQ_ATTENTION_WEIGHTS:
        drop_weights(a, view);
        break;
    case FQ_ATTENTION_OUTPUT:
        code = replace_outputs(a, view, err);
        break;
    }
    fq_pool_rest(); /* the model's own threads go on */
    return code == 0 ? 0 : fq_fail_in(err, "attention of layer %zu", view->layer);
}
