/* Hooks on the attention of a layer: scores (kq-L), weights (kq_soft_max-L) and weighted values (kqv-L), handed out
 * after each is computed and before anything reads it.
 *
 * These names stand on one node each, so name and operation find it; still every node is checked when it comes up:
 * float32, one dense row per query and head, as many queries as the graph has tokens, at least as many slots as
 * positions so far, and a weighted sum that reads the very weights that were handed out. Anything else stops the
 * evaluation with a sentence that names layer and node.
 *
 * This file must not know anything of codecs or policies. */
#include "harness/data/model_internal.h"

#ifdef FQ_HAVE_LLAMA

#include <stdio.h>
#include <string.h>

static const struct {
    const char *prefix;
    enum ggml_op op;
} stages[3] = {{"kq-", GGML_OP_MUL_MAT}, {"kq_soft_max-", GGML_OP_SOFT_MAX}, {"kqv-", GGML_OP_MUL_MAT}};

static bool stage_of(const struct fq_hooks *h, const struct ggml_tensor *t, enum fq_attention_stage *stage,
                     size_t *layer) {
    for (int s = FQ_ATTENTION_SCORES; s <= FQ_ATTENTION_OUTPUT; s++) {
        const size_t n = strlen(stages[s].prefix);
        if (t->op != stages[s].op || strncmp(t->name, stages[s].prefix, n) != 0 ||
            !fq_hooks_layer(h, t->name + n, layer) || *layer == FQ_NO_CACHE)
            continue;
        *stage = (enum fq_attention_stage)s;
        return true;
    }
    return false;
}

static void fail(struct fq_hooks *h, size_t layer, const char *node, const char *what) {
    if (h->failed)
        return;
    h->failed = true;
    (void)fq_fail(&h->error, FQ_FAILED, "layer %zu: %s at the node '%s'; this model's attention is not supported",
                  h->site[3 * layer].layer, what, node);
}

static bool rows_are_dense(const struct ggml_tensor *t) {
    return t->type == GGML_TYPE_F32 && t->nb[0] == sizeof(float) && t->nb[1] % sizeof(float) == 0 &&
           t->nb[2] % sizeof(float) == 0 && t->ne[3] == 1;
}

/* What is wrong with the node, or NULL. */
static const char *misfit(const struct fq_hooks *h, const struct ggml_tensor *t, enum fq_attention_stage stage,
                          size_t layer) {
    const struct fq_attention_site *at = &h->attention_site[layer];
    const size_t slots = h->first_position + h->n_tokens;
    if (!rows_are_dense(t) || !t->data)
        return "expected dense float32 rows, found another layout";
    if ((size_t)t->ne[1] != h->n_tokens || (size_t)t->ne[2] != h->heads)
        return "expected one row for each query and head, found another shape";
    if (stage != FQ_ATTENTION_OUTPUT && (size_t)t->ne[0] < slots)
        return "expected a slot for each position of the window so far, found fewer";
    if (stage == FQ_ATTENTION_SCORES) {
        const struct ggml_tensor *keys = t->src[0];
        if (!keys || !keys->data || !rows_are_dense(keys) || (size_t)keys->ne[0] != h->dim || keys->ne[1] != t->ne[0] ||
            (size_t)keys->ne[2] != h->kv_heads)
            return "expected the keys as one float32 row for each slot, found another layout";
        return NULL;
    }
    const struct ggml_tensor *before = t->src[stage == FQ_ATTENTION_WEIGHTS ? 0 : 1];
    if (stage == FQ_ATTENTION_WEIGHTS) {
        const struct ggml_tensor *mask = t->src[1];
        if (at->calls[FQ_ATTENTION_SCORES] != 1 || !before || before->ne[0] != t->ne[0])
            return "the weights do not follow the scores that were seen";
        if (t->src[2])
            return "attention sinks of the weights take part in the softmax, which no policy here reads";
        if (!mask || mask->type != GGML_TYPE_F32 || mask->nb[0] != sizeof(float) || mask->ne[0] != t->ne[0] ||
            (size_t)mask->ne[1] < h->n_tokens || mask->ne[2] != 1)
            return "expected one float32 mask for all heads, found another";
        return NULL;
    }
    const struct ggml_tensor *values = t->src[0];
    if (before != at->node[FQ_ATTENTION_WEIGHTS] || at->calls[FQ_ATTENTION_WEIGHTS] != 1)
        return "the sum does not read the weights that were seen";
    if ((size_t)t->ne[0] != h->dim || !values || !rows_are_dense(values) || values->ne[0] != before->ne[0] ||
        (size_t)values->ne[1] != h->dim || (size_t)values->ne[2] != h->kv_heads)
        return "expected the values as one float32 row of slots for each channel, found another layout";
    return NULL;
}

/* What stands between scores and weights, from the softmax back: its scale, and a soft cap as llama.cpp writes it,
 * scale(tanh(scale(scores, 1 / cap)), cap). Returns what cannot be read so, or NULL. */
static const char *read_softmax(const struct ggml_tensor *t, float *scale, float *cap) {
    float bias, inner, offset;
    memcpy(scale, &t->op_params[0], sizeof *scale);
    memcpy(&bias, &t->op_params[1], sizeof bias);
    *cap = 0.0F;
    if (t->src[2])
        return "attention sinks take part in the softmax";
    if (bias != 0.0F)
        return "biases by distance (ALiBi) take part in the softmax";
    const struct ggml_tensor *x = t->src[0];
    if (x && x->op == GGML_OP_SCALE && x->src[0] && x->src[0]->op == GGML_OP_UNARY &&
        ggml_get_unary_op(x->src[0]) == GGML_UNARY_OP_TANH) {
        memcpy(cap, &x->op_params[0], sizeof *cap);
        memcpy(&offset, &x->op_params[1], sizeof offset);
        x = x->src[0]->src[0];
        if (offset != 0.0F || !(*cap > 0.0F) || !x || x->op != GGML_OP_SCALE)
            return "the soft cap is not of the known form";
        memcpy(&inner, &x->op_params[0], sizeof inner);
        memcpy(&offset, &x->op_params[1], sizeof offset);
        if (offset != 0.0F || !(inner * *cap > 0.999999F && inner * *cap < 1.000001F))
            return "the soft cap is not of the known form";
        x = x->src[0];
    }
    if (!x || x->op != GGML_OP_MUL_MAT || strncmp(x->name, stages[0].prefix, strlen(stages[0].prefix)) != 0)
        return "something unknown stands between scores and softmax";
    return NULL;
}

static void unread(struct fq_hooks *h, size_t layer, const char *why) {
    if (!h->attention_unread[0])
        (void)snprintf(h->attention_unread, sizeof h->attention_unread, "layer %zu: %s", layer, why);
}

void fq_attention_learn(struct fq_hooks *h, const struct ggml_tensor *t) {
    enum fq_attention_stage stage;
    size_t layer;
    if (!stage_of(h, t, &stage, &layer))
        return;
    h->attention_site[layer].calls[stage]++;
    if (!rows_are_dense(t))
        unread(h, layer, "its rows are not dense float32");
    if (stage != FQ_ATTENTION_WEIGHTS)
        return;
    float scale, cap;
    const char *why = read_softmax(t, &scale, &cap);
    const struct ggml_tensor *mask = t->src[1];
    if (!why && (!mask || mask->type != GGML_TYPE_F32 || mask->ne[2] != 1))
        why = "there is no float32 mask for all heads";
    if (why)
        unread(h, layer, why);
}

void fq_attention_learn_end(struct fq_hooks *h) {
    for (size_t layer = 0; layer < h->graph_layers; layer++)
        for (int s = FQ_ATTENTION_SCORES; s <= FQ_ATTENTION_OUTPUT; s++)
            if (h->shape[layer].attends && h->attention_site[layer].calls[s] != 1)
                unread(h, layer, "its scores, weights and sums do not stand on one node each");
}

static struct fq_attention_view view_of(const struct fq_hooks *h, struct ggml_tensor *t, enum fq_attention_stage stage,
                                        size_t layer) {
    struct fq_attention_view v = {.stage = stage,
                                  .layer = layer,
                                  .first_position = h->first_position,
                                  .n_queries = h->n_tokens,
                                  .n_keys = (size_t)t->ne[0],
                                  .heads = h->heads,
                                  .kv_heads = h->kv_heads,
                                  .dim = h->dim,
                                  .data = t->data,
                                  .query_stride = t->nb[1] / sizeof(float),
                                  .head_stride = t->nb[2] / sizeof(float)};
    if (stage == FQ_ATTENTION_SCORES) {
        const struct ggml_tensor *keys = t->src[0];
        v.keys = keys->data;
        v.key_stride = keys->nb[1] / sizeof(float);
        v.key_head_stride = keys->nb[2] / sizeof(float);
        return v;
    }
    const struct ggml_tensor *weights = h->attention_site[layer].node[FQ_ATTENTION_WEIGHTS];
    v.mask = weights->src[1]->data;
    v.mask_stride = weights->src[1]->nb[1] / sizeof(float);
    (void)read_softmax(weights, &v.scale, &v.cap);
    if (stage == FQ_ATTENTION_WEIGHTS)
        return v;
    v.n_keys = (size_t)weights->ne[0];
    v.weights = weights->data;
    v.weight_query_stride = weights->nb[1] / sizeof(float);
    v.weight_head_stride = weights->nb[2] / sizeof(float);
    v.values = t->src[0]->data;
    v.value_stride = t->src[0]->nb[1] / sizeof(float);
    v.value_head_stride = t->src[0]->nb[2] / sizeof(float);
    return v;
}

void fq_attention_graph_begin(struct fq_hooks *h, fq_model_attention_hook *attention) {
    h->attention = attention;
    memset(h->attention_site, 0, h->layers * sizeof *h->attention_site);
}

bool fq_attention_ask(struct fq_hooks *h, struct ggml_tensor *t) {
    enum fq_attention_stage stage;
    size_t layer;
    if (!h->attention || !stage_of(h, t, &stage, &layer))
        return false;
    if (h->attention_site[layer].node[stage])
        fail(h, layer, t->name, "there are two nodes");
    h->attention_site[layer].node[stage] = t;
    return true;
}

void fq_attention_computed(struct fq_hooks *h, struct ggml_tensor *t) {
    enum fq_attention_stage stage;
    size_t layer;
    if (!h->attention || h->failed || !stage_of(h, t, &stage, &layer))
        return;
    const char *why = misfit(h, t, stage, layer);
    if (h->attention_site[layer].node[stage] != t)
        why = "the node was not announced";
    if (why) {
        fail(h, layer, t->name, why);
        return;
    }
    const struct fq_attention_view view = view_of(h, t, stage, layer);
    h->attention_site[layer].calls[stage]++;
    h->failed = h->attention(h->arg, &view, &h->error) != 0;
}

void fq_attention_graph_end(struct fq_hooks *h) {
    char node[GGML_MAX_NAME];
    for (size_t layer = 0; h->attention && layer < h->layers && !h->failed; layer++)
        for (int s = FQ_ATTENTION_SCORES; s <= FQ_ATTENTION_OUTPUT; s++)
            if (h->attention_site[layer].calls[s] != 1) {
                (void)snprintf(node, sizeof node, "%s%zu", stages[s].prefix, h->site[3 * layer].layer);
                fail(h, layer, node, "there was no hook, or more than one,");
            }
    h->attention = NULL;
}

#endif
