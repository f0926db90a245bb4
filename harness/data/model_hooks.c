/* The hooks: which nodes of a model's graph hold what the KV cache stores and what the scores are computed from, and
 * how their data is handed out and written back.
 *
 * libllama calls back for every node twice at most: with ask, in graph order, before it is computed, and, if the answer
 * was yes, after it. A name alone does not tell the right node (K carries one name before and after RoPE, V as product,
 * sum and reshape). So one small graph is first watched without stopping; what each cache write (SET_ROWS) and each
 * score product (MUL_MAT kq-L) reads is followed back through views to the node that computed it, and that node is
 * hooked in later graphs. There each cache write and product is checked again: if it reads anything else than what the
 * hook saw, the evaluation stops, so a tensor can be neither missed nor hooked twice.
 *
 * Layers that neither write a cache nor attend (recurrent ones, plain feed-forward ones) are left out: from then on
 * layers are counted among those with a cache, and only sentences speak of the graph's own numbers.
 *
 * The same walk goes on from each key to the node that its bias is added to, if there is one, so that an evaluation can
 * put zeros there and see what the bias alone becomes.
 *
 * This file must not know anything of codecs or captures. */
#include "harness/data/model_internal.h"

#ifdef FQ_HAVE_LLAMA

#include "harness/base/clock.h"

#include <stdlib.h>
#include <string.h>

static const char *const site_names[3] = {"keys", "values", "queries"};

int fq_hooks_init(struct fq_hooks *h, size_t layers, struct fq_error *err) {
    memset(h, 0, sizeof *h);
    h->layers = h->graph_layers = layers;
    h->site = calloc(3 * layers, sizeof *h->site);
    h->shape = calloc(layers, sizeof *h->shape);
    h->product = calloc(layers, sizeof *h->product);
    h->attention_site = calloc(layers, sizeof *h->attention_site);
    h->place = calloc(layers, sizeof *h->place);
    if (!h->site || !h->shape || !h->product || !h->attention_site || !h->place)
        return fq_fail(err, FQ_FAILED, "out of memory for the hooks of %zu layers", layers);
    for (size_t layer = 0; layer < layers; layer++)
        h->place[layer] = layer;
    return 0;
}

void fq_hooks_free(struct fq_hooks *h) {
    free(h->site);
    free(h->shape);
    free(h->product);
    free(h->attention_site);
    free(h->place);
    free(h->seen);
    free(h->copy);
    memset(h, 0, sizeof *h);
}

/* The node that computed what t shows: through views only, which compute nothing. In-place operations are computing
 * nodes although they share memory, so this walks by operation and not by view_src. */
static struct ggml_tensor *computing_node(struct ggml_tensor *t) {
    while (
        (t->op == GGML_OP_VIEW || t->op == GGML_OP_RESHAPE || t->op == GGML_OP_PERMUTE || t->op == GGML_OP_TRANSPOSE) &&
        t->src[0])
        t = t->src[0];
    return t;
}

bool fq_hooks_layer(const struct fq_hooks *h, const char *digits, size_t *layer) {
    char *end = NULL;
    unsigned long v = strtoul(digits, &end, 10);
    if (end == digits || *end != '\0' || v >= h->graph_layers)
        return false;
    *layer = h->place[v];
    return true;
}

/* Is t the write of a layer's keys or values into the cache? The cache's tensors are named cache_[tag]k_lN, v_lN. */
static bool cache_write(const struct fq_hooks *h, const struct ggml_tensor *t, enum fq_hook_tensor *which,
                        size_t *layer) {
    if (t->op != GGML_OP_SET_ROWS || !t->view_src || strncmp(t->view_src->name, "cache_", 6) != 0)
        return false;
    const char *mark = strstr(t->view_src->name, "k_l");
    *which = FQ_HOOK_KEY;
    if (!mark) {
        mark = strstr(t->view_src->name, "v_l");
        *which = FQ_HOOK_VALUE;
    }
    return mark && fq_hooks_layer(h, mark + 3, layer);
}

static bool product(const struct fq_hooks *h, const struct ggml_tensor *t, const char *prefix, size_t *layer) {
    size_t n = strlen(prefix);
    return t->op == GGML_OP_MUL_MAT && strncmp(t->name, prefix, n) == 0 && fq_hooks_layer(h, t->name + n, layer);
}

static void fail(struct fq_hooks *h, int code, const char *what, const struct fq_site *site) {
    if (h->failed)
        return;
    h->failed = true;
    (void)fq_fail(&h->error, code, "layer %zu: %s of the %s ('%s'); this model's graph is not supported", site->layer,
                  what, site_names[site->which], site->name[0] ? site->name : "absent");
}

/* Strides of the source of a cache write. Its rows are either whole tokens or, for a transposed V cache, single
 * elements of a dense tensor; head_stride comes later, from the head length. */
static void source_strides(const struct ggml_tensor *source, enum fq_hook_tensor which, struct fq_site *out) {
    if (which == FQ_HOOK_QUERY) {
        out->token_stride = source->nb[1];
        out->head_stride = source->nb[2];
    } else {
        out->token_stride = source->ne[0] > 1 ? source->nb[1] : 0;
        out->head_stride = 0;
    }
}

static size_t data_offset(const struct ggml_tensor *source, const struct ggml_tensor *node) {
    return (size_t)((const char *)source->data - (const char *)node->data);
}

/* ---- learning ---- */

/* How to find this node again in another graph. */
static void name_site(const struct fq_hooks *h, const struct ggml_tensor *node, struct fq_site *s) {
    s->op = node->op;
    memcpy(s->name, node->name, sizeof s->name);
    s->occurrence = 0;
    for (size_t i = 0; i < h->n_seen && h->seen[i].node != node; i++)
        if (h->seen[i].node->op == s->op && strcmp(h->seen[i].node->name, s->name) == 0)
            s->occurrence++;
}

/* From what the cache stores as keys back through what is linear in it (RoPE, copies, views) to the sum of a computed
 * node and a vector of the weights. The product is left at GGML_OP_NONE if anything else stands in between. Where the
 * keys' channels stand in the sum, their biases stand in the vector: densely, or they are not kept. */
static void learn_bias(struct fq_hooks *h, size_t layer, struct ggml_tensor *source) {
    struct ggml_tensor *read = source, *t = computing_node(read);
    size_t offset = data_offset(read, t);
    while ((t->op == GGML_OP_ROPE || t->op == GGML_OP_CONT) && t->src[0]) {
        read = t->src[0];
        t = computing_node(read);
        offset += data_offset(read, t);
    }
    if (t->op != GGML_OP_ADD || !t->src[1] || t->src[1]->op != GGML_OP_NONE || ggml_nrows(t->src[1]) != 1)
        return;
    struct ggml_tensor *product = computing_node(t->src[0]);
    if (product->op == GGML_OP_NONE || product->type != GGML_TYPE_F32)
        return;
    h->product[layer].which = FQ_HOOK_KEY;
    h->product[layer].layer = layer;
    name_site(h, product, &h->product[layer]);
    const struct ggml_tensor *bias = t->src[1];
    if (bias->type != GGML_TYPE_F32 || !bias->buffer || !ggml_backend_buffer_is_host(bias->buffer) ||
        offset >= ggml_nbytes(bias))
        return;
    const size_t dense =
        (size_t)read->ne[0] * (read->nb[1] == (size_t)read->ne[0] * sizeof(float) ? (size_t)read->ne[1] : 1);
    const size_t room = (ggml_nbytes(bias) - offset) / sizeof(float);
    h->shape[layer].bias = (const float *)bias->data + offset / sizeof(float);
    h->shape[layer].biases = room < dense ? room : dense;
}

static void learn_site(struct fq_hooks *h, enum fq_hook_tensor which, size_t layer, struct ggml_tensor *source) {
    struct fq_site *s = &h->site[3 * layer + which];
    struct ggml_tensor *node = computing_node(source);
    bool again = s->op != GGML_OP_NONE;
    s->which = which;
    s->layer = layer;
    name_site(h, node, s);
    if (again) {
        fail(h, FQ_USAGE, "there are two uses", s);
        return;
    }
    if (node->type != GGML_TYPE_F32 || source->type != GGML_TYPE_F32 || source->nb[0] != sizeof(float)) {
        fail(h, FQ_USAGE, "expected float32 with dense heads, found another layout", s);
        return;
    }
    if (node->op == GGML_OP_PAD || node->op == GGML_OP_NONE) {
        fail(h, FQ_USAGE, "the values are padded or not computed at the use", s);
        return;
    }
    s->offset = data_offset(source, node);
    if (which == FQ_HOOK_KEY)
        learn_bias(h, layer, source);
    source_strides(source, which, s);
}

/* Does t belong to an attention of any kind? Wider than what the hooks can read, so that a layer whose attention is of
 * another kind is not taken for one that has none. */
static bool attends(const struct fq_hooks *h, const struct ggml_tensor *t, size_t *layer) {
    const char *dash = strrchr(t->name, '-');
    return dash && fq_hooks_layer(h, dash + 1, layer) &&
           (t->op == GGML_OP_FLASH_ATTN_EXT || strncmp(t->name, "kq", 2) == 0);
}

static void learn_node(struct fq_hooks *h, struct ggml_tensor *t) {
    if (h->n_seen == h->room_seen) {
        size_t room = h->room_seen ? 2 * h->room_seen : 4096;
        struct fq_seen_node *grown = realloc(h->seen, room * sizeof *grown);
        if (!grown) {
            h->failed = true;
            (void)fq_fail(&h->error, FQ_FAILED, "out of memory while reading the model's graph");
            return;
        }
        h->seen = grown;
        h->room_seen = room;
    }
    h->seen[h->n_seen++].node = t;

    enum fq_hook_tensor which;
    size_t layer;
    if (cache_write(h, t, &which, &layer)) {
        h->shape[layer].cache_elements[which] = (size_t)ggml_nelements(t->src[0]);
        learn_site(h, which, layer, t->src[0]);
    } else if (product(h, t, "kq-", &layer)) {
        h->shape[layer].dim = (size_t)t->src[0]->ne[0];
        h->shape[layer].kv_heads = (size_t)t->src[0]->ne[2];
        h->shape[layer].heads = (size_t)t->src[1]->ne[2];
        learn_site(h, FQ_HOOK_QUERY, layer, t->src[1]);
    } else if (product(h, t, "kqv-", &layer)) {
        h->shape[layer].value_dim = (size_t)t->src[0]->ne[1];
    }
    if (attends(h, t, &layer))
        h->shape[layer].attends = true;
    fq_attention_learn(h, t);
}

void fq_hooks_learn_begin(struct fq_hooks *h, size_t n_tokens) {
    h->learning = true;
    h->failed = false;
    h->learn_tokens = n_tokens;
    h->n_seen = 0;
}

/* A layer without a cache is left out; one that attends without a cache that the hooks can read is an error. */
static int find_cache(const struct fq_hooks *h, size_t layer, bool *has_cache, struct fq_error *err) {
    const struct fq_site *s = &h->site[3 * layer];
    *has_cache = true;
    if (s[FQ_HOOK_KEY].op == GGML_OP_NONE && s[FQ_HOOK_VALUE].op == GGML_OP_NONE &&
        s[FQ_HOOK_QUERY].op == GGML_OP_NONE && !h->shape[layer].attends) {
        *has_cache = false;
        return 0;
    }
    for (int w = 0; w < 3; w++)
        if (s[w].op == GGML_OP_NONE)
            return fq_fail(err, FQ_USAGE,
                           "layer %zu attends, but has no %s that a float32 KV cache of its own is written or scored "
                           "with (it shares another layer's cache, or its cache has another layout); only layers with "
                           "one cache of keys and values each, or with none and no attention, are supported",
                           layer, site_names[w]);
    return 0;
}

static int check_layer(struct fq_hooks *h, size_t layer, size_t first_layer, struct fq_error *err) {
    const struct fq_layer_shape *a = &h->shape[layer], *first = &h->shape[first_layer];
    struct fq_site *s = &h->site[3 * layer];
    if (a->dim != a->value_dim || a->dim == 0 || a->kv_heads == 0 || a->heads % a->kv_heads != 0)
        return fq_fail(err, FQ_USAGE,
                       "layer %zu: %zu query heads, %zu KV heads, keys of %zu and values of %zu elements; expected "
                       "equal lengths and a multiple of heads",
                       layer, a->heads, a->kv_heads, a->dim, a->value_dim);
    if (a->dim != first->dim || a->heads != first->heads || a->kv_heads != first->kv_heads)
        return fq_fail(err, FQ_USAGE,
                       "layer %zu has heads %zu/%zu of %zu elements, layer %zu has %zu/%zu of %zu; models whose layers "
                       "differ in shape are not supported",
                       layer, a->heads, a->kv_heads, a->dim, first_layer, first->heads, first->kv_heads, first->dim);
    for (int w = FQ_HOOK_KEY; w <= FQ_HOOK_VALUE; w++) {
        if (a->cache_elements[w] != h->learn_tokens * a->kv_heads * a->dim)
            return fq_fail(err, FQ_USAGE, "layer %zu: the cache stores %zu elements of the %s, expected %zu", layer,
                           a->cache_elements[w], site_names[w], h->learn_tokens * a->kv_heads * a->dim);
        s[w].head_stride = a->dim * sizeof(float);
        if (s[w].token_stride == 0)
            s[w].token_stride = a->kv_heads * a->dim * sizeof(float);
    }
    if (s[0].occurrence == s[1].occurrence && s[0].op == s[1].op && strcmp(s[0].name, s[1].name) == 0 &&
        s[0].offset == s[1].offset)
        return fq_fail(err, FQ_USAGE, "layer %zu: keys and values are one tensor, which is not supported", layer);
    return 0;
}

/* Moves what was learned of layer `from` to place `to` <= from. */
static void move_layer(struct fq_hooks *h, size_t from, size_t to) {
    h->place[from] = to;
    memmove(&h->site[3 * to], &h->site[3 * from], 3 * sizeof *h->site);
    h->shape[to] = h->shape[from];
    h->product[to] = h->product[from];
}

int fq_hooks_learn_end(struct fq_hooks *h, struct fq_error *err) {
    h->learning = false;
    free(h->seen);
    h->seen = NULL;
    h->n_seen = h->room_seen = 0;
    if (h->failed) {
        *err = h->error;
        return err->code;
    }
    size_t with_cache = 0, first = 0;
    for (size_t layer = 0; layer < h->graph_layers; layer++) {
        bool has_cache;
        FQ_TRY(find_cache(h, layer, &has_cache, err));
        if (!has_cache) {
            h->place[layer] = FQ_NO_CACHE;
            continue;
        }
        first = with_cache == 0 ? layer : first;
        FQ_TRY(check_layer(h, layer, first, err));
        with_cache++;
    }
    if (with_cache == 0)
        return fq_fail(err, FQ_USAGE,
                       "none of its %zu layers writes keys and values into a cache (layer 0 is recurrent or of an "
                       "unknown kind), so there is nothing to quantize",
                       h->graph_layers);
    fq_attention_learn_end(h);
    size_t to = 0; /* only now: sentences above speak of all layers by their own numbers */
    for (size_t layer = 0; layer < h->graph_layers; layer++)
        if (h->place[layer] != FQ_NO_CACHE)
            move_layer(h, layer, to++);
    h->layers = with_cache;
    h->dim = h->shape[0].dim;
    h->heads = h->shape[0].heads;
    h->kv_heads = h->shape[0].kv_heads;
    return 0;
}

/* ---- evaluating ---- */

void fq_hooks_graph_begin(struct fq_hooks *h, fq_model_hook *hook, void *arg, size_t first_position, size_t n_tokens) {
    h->hook = hook;
    h->arg = arg;
    h->first_position = first_position;
    h->n_tokens = n_tokens;
    h->failed = false;
    for (size_t i = 0; i < 4 * h->layers; i++) {
        struct fq_site *s = i < 3 * h->layers ? &h->site[i] : &h->product[i - 3 * h->layers];
        s->met = s->calls = 0;
        s->node = NULL;
    }
}

int fq_hooks_graph_end(struct fq_hooks *h, struct fq_error *err) {
    if (h->hook)
        for (size_t i = 0; i < 3 * h->layers && !h->failed; i++)
            if (h->site[i].calls != 1)
                fail(h, FQ_FAILED, h->site[i].calls ? "there was more than one hook" : "there was no hook",
                     &h->site[i]);
    if (h->hook && h->zero_products)
        for (size_t i = 0; i < h->layers && !h->failed; i++)
            if (h->product[i].calls != 1)
                fail(h, FQ_FAILED, "the product under the bias was not found once", &h->product[i]);
    fq_attention_graph_end(h);
    h->hook = NULL;
    if (!h->failed)
        return 0;
    *err = h->error;
    return err->code;
}

/* The data of one site as [token][head][dim] to the hook, and back where it lay. */
static int call_hook(struct fq_hooks *h, struct fq_site *s) {
    size_t heads = s->which == FQ_HOOK_QUERY ? h->heads : h->kv_heads, row = heads * h->dim;
    size_t last = (h->n_tokens - 1) * s->token_stride + (heads - 1) * s->head_stride + h->dim * sizeof(float);
    if (s->node->data == NULL || s->offset + last > ggml_nbytes(s->node)) {
        fail(h, FQ_FAILED, "another size than in the learned graph", s);
        return h->error.code;
    }
    char *data = (char *)s->node->data + s->offset;
    const size_t layer = (size_t)(s - h->site) / 3;
    bool dense = s->head_stride == h->dim * sizeof(float) && s->token_stride == row * sizeof(float);
    if (dense)
        return h->hook(h->arg, s->which, layer, h->first_position, h->n_tokens, heads, h->dim, (float *)(void *)data,
                       &h->error);

    if (h->copy_room < h->n_tokens * row) {
        float *grown = realloc(h->copy, h->n_tokens * row * sizeof *grown);
        if (!grown)
            return fq_fail(&h->error, FQ_FAILED, "out of memory for %zu tokens of layer %zu", h->n_tokens, s->layer);
        h->copy = grown;
        h->copy_room = h->n_tokens * row;
    }
    for (size_t t = 0; t < h->n_tokens; t++)
        for (size_t k = 0; k < heads; k++)
            memcpy(h->copy + t * row + k * h->dim, data + t * s->token_stride + k * s->head_stride,
                   h->dim * sizeof(float));
    int code = h->hook(h->arg, s->which, layer, h->first_position, h->n_tokens, heads, h->dim, h->copy, &h->error);
    for (size_t t = 0; t < h->n_tokens; t++)
        for (size_t k = 0; k < heads; k++)
            memcpy(data + t * s->token_stride + k * s->head_stride, h->copy + t * row + k * h->dim,
                   h->dim * sizeof(float));
    return code;
}

/* A use of keys, values or queries comes up: does it read what the hook has seen, whole and in the same layout? */
static void check_use(struct fq_hooks *h, struct fq_site *s, struct ggml_tensor *source) {
    struct fq_site now = *s;
    source_strides(source, s->which, &now);
    if (s->which != FQ_HOOK_QUERY) {
        now.head_stride = s->head_stride;
        if (now.token_stride == 0)
            now.token_stride = h->kv_heads * h->dim * sizeof(float);
    }
    struct ggml_tensor *node = computing_node(source);
    size_t heads = s->which == FQ_HOOK_QUERY ? h->heads : h->kv_heads;
    if (node != s->node || s->calls != 1)
        fail(h, FQ_FAILED, "the graph uses a node that the hook has not seen", s);
    else if (data_offset(source, node) != s->offset || now.token_stride != s->token_stride ||
             now.head_stride != s->head_stride || (size_t)ggml_nelements(source) != h->n_tokens * heads * h->dim)
        fail(h, FQ_FAILED, "another layout than in the learned graph", s);
}

static void fail_cacheless(struct fq_hooks *h, const struct ggml_tensor *t) {
    if (!h->failed)
        (void)fq_fail(&h->error, FQ_FAILED, "'%s' uses the cache of a layer that had none when the graph was learned",
                      t->name);
    h->failed = true;
}

static bool ask_node(struct fq_hooks *h, struct ggml_tensor *t) {
    enum fq_hook_tensor which;
    size_t layer;
    const bool writes = cache_write(h, t, &which, &layer), scores = !writes && product(h, t, "kq-", &layer);
    if ((writes || scores) && layer == FQ_NO_CACHE)
        fail_cacheless(h, t);
    else if (writes || scores)
        check_use(h, &h->site[3 * layer + (writes ? which : FQ_HOOK_QUERY)], t->src[writes ? 0 : 1]);
    bool wanted = false;
    const size_t sites = (h->zero_products ? 4 : 3) * h->layers;
    for (size_t i = 0; i < sites; i++) {
        struct fq_site *s = i < 3 * h->layers ? &h->site[i] : &h->product[i - 3 * h->layers];
        if (s->op == t->op && strcmp(s->name, t->name) == 0 && s->met++ == s->occurrence) {
            s->node = t;
            wanted = true;
        }
    }
    return fq_attention_ask(h, t) || wanted;
}

bool fq_hooks_callback(struct ggml_tensor *t, bool ask, void *arg) {
    struct fq_hooks *h = arg;
    if (h->learning) {
        if (ask && !h->failed)
            learn_node(h, t);
        return false;
    }
    if (!h->hook)
        return false;
    uint64_t start = fq_now_ns();
    bool go;
    if (ask) {
        /* After a failure every node is asked to stop, and the second call refuses to go on. */
        go = h->failed || ask_node(h, t);
    } else {
        for (size_t i = 0; h->zero_products && i < h->layers; i++)
            if (h->product[i].node == t) {
                memset(t->data, 0, ggml_nbytes(t));
                h->product[i].calls++;
            }
        for (size_t i = 0; i < 3 * h->layers && !h->failed; i++)
            if (h->site[i].node == t && h->site[i].calls++ == 0 && call_hook(h, &h->site[i]) != 0)
                h->failed = true;
        fq_attention_computed(h, t);
        go = !h->failed;
    }
    h->ns += fq_now_ns() - start;
    return go;
}

#endif
