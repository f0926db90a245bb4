/* A language model through libllama: opening, tokens, evaluation. The graph's hooks are in model_hooks.c.
 *
 * Everything runs on the processor in float32 around the weights' own type: no device, no flash attention (its fused
 * kernel has no scores and would need a float16 cache), a float32 cache (llama.cpp then applies no rotation of its own
 * to keys and values). Must not know what a hook does with the data. */
#include "harness/data/model_internal.h"

#ifdef FQ_HAVE_LLAMA

#include "harness/base/clock.h"
#include "harness/base/placement.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer windows are evaluated in several graphs, because the scores and the logits of one graph grow with its tokens:
 * 512 of them and a vocabulary of 151,936 are 311 MB, twice. It is also what llama.cpp's own tools take. */
enum { MAX_BATCH = 512, LEARN_TOKENS = 2 };

bool fq_model_available(void) {
    return true;
}

/* ---- logs ---- */

static pthread_once_t started = PTHREAD_ONCE_INIT;
static pthread_mutex_t complaint_lock = PTHREAD_MUTEX_INITIALIZER;
static char complaint[256];

static void keep_first_error(enum ggml_log_level level, const char *text, void *user) {
    (void)user;
    if (level != GGML_LOG_LEVEL_ERROR)
        return;
    pthread_mutex_lock(&complaint_lock);
    if (complaint[0] == '\0') {
        (void)snprintf(complaint, sizeof complaint, "%s", text);
        complaint[strcspn(complaint, "\n")] = '\0';
    }
    pthread_mutex_unlock(&complaint_lock);
}

static void start_once(void) {
    llama_log_set(keep_first_error, NULL);
    llama_backend_init();
}

void fq_llama_start(void) {
    pthread_once(&started, start_once);
    fq_llama_forget();
}

void fq_llama_forget(void) {
    pthread_mutex_lock(&complaint_lock);
    complaint[0] = '\0';
    pthread_mutex_unlock(&complaint_lock);
}

void fq_llama_complaint(char *out, size_t size) {
    pthread_mutex_lock(&complaint_lock);
    (void)snprintf(out, size, "%s", complaint[0] ? complaint : "no reason given");
    pthread_mutex_unlock(&complaint_lock);
}

/* ---- opening ---- */

/* libllama's workers are bound as the project's own pool is: without this they inherit the one processor that the
 * calling thread may be bound to. They sleep between graphs, so that hooks have the processors for themselves. */
static struct ggml_threadpool *new_pool(unsigned threads) {
    unsigned units[GGML_MAX_N_THREADS];
    size_t n = fq_placement_units(units, GGML_MAX_N_THREADS);
    struct ggml_threadpool_params p = ggml_threadpool_params_default((int)threads);
    p.poll = 0;
    bool fits = n >= threads;
    for (size_t i = 0; i < threads && fits; i++)
        fits = units[i] < GGML_MAX_N_THREADS;
    for (size_t i = 0; i < threads && fits; i++)
        p.cpumask[units[i]] = true;
    p.strict_cpu = fits;
    return ggml_threadpool_new(&p);
}

static int evaluate_graph(struct fq_model *m, const int32_t *tokens, size_t first, size_t n, size_t from, size_t to,
                          struct fq_error *err);

/* Watches one small graph to find the nodes to hook, and takes the shape from it. */
static int learn(struct fq_model *m, struct fq_error *err) {
    int32_t tokens[LEARN_TOKENS] = {0, 0};
    fq_hooks_learn_begin(&m->hooks, LEARN_TOKENS);
    int code = evaluate_graph(m, tokens, 0, LEARN_TOKENS, LEARN_TOKENS - 1, LEARN_TOKENS, err);
    int learned = fq_hooks_learn_end(&m->hooks, err);
    if (code != 0)
        return code;
    if (learned != 0)
        return fq_fail_in(err, "%s", m->info.name);
    m->info.layers = m->hooks.layers;
    m->info.layers_without_cache = m->hooks.graph_layers - m->hooks.layers;
    m->info.dim = m->hooks.dim;
    m->info.heads = m->hooks.heads;
    m->info.kv_heads = m->hooks.kv_heads;
    return 0;
}

static int open_context(struct fq_model *m, unsigned threads, struct fq_error *err) {
    char why[256];
    struct llama_model_params mp = llama_model_default_params();
    ggml_backend_dev_t no_device = NULL;
    mp.devices = &no_device;
    mp.n_gpu_layers = 0;
    m->model = llama_model_load_from_file(m->info.path, mp);
    if (!m->model) {
        fq_llama_complaint(why, sizeof why);
        return fq_fail(err, FQ_USAGE, "%s: llama.cpp cannot load this model: %s", m->info.path, why);
    }
    const struct llama_vocab *vocab = llama_model_get_vocab(m->model);
    m->info.vocabulary = (size_t)llama_vocab_n_tokens(vocab);
    m->info.add_bos = llama_vocab_get_add_bos(vocab);
    m->info.layers = (size_t)llama_model_n_layer(m->model);
    (void)snprintf(m->info.library, sizeof m->info.library, "llama.cpp %s", llama_version());
    FQ_TRY(fq_model_supported(m->model, &m->info, err));
    FQ_TRY(fq_model_fits(&m->info, llama_model_size(m->model), m->window, m->batch, fq_memory_available(), err));
    FQ_TRY(fq_hooks_init(&m->hooks, m->info.layers, err));

    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = (uint32_t)(m->window < LEARN_TOKENS ? LEARN_TOKENS : m->window);
    cp.n_batch = cp.n_ubatch = (uint32_t)m->batch;
    cp.n_seq_max = 1;
    cp.n_threads = cp.n_threads_batch = (int32_t)threads;
    cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    cp.type_k = cp.type_v = GGML_TYPE_F32;
    cp.cb_eval = fq_hooks_callback;
    cp.cb_eval_user_data = &m->hooks;
    cp.offload_kqv = cp.op_offload = false;
    cp.swa_full = true; /* slot = position in sliding-window layers too; the mask keeps the window */
    m->context = llama_init_from_model(m->model, cp);
    if (!m->context) {
        fq_llama_complaint(why, sizeof why);
        return fq_fail(err, FQ_USAGE, "%s: llama.cpp cannot open a context of %zu tokens: %s", m->info.path, m->window,
                       why);
    }
    m->pool = new_pool(threads);
    if (!m->pool)
        return fq_fail(err, FQ_FAILED, "llama.cpp could not start %u threads", threads);
    llama_attach_threadpool(m->context, m->pool, m->pool);
    return learn(m, err);
}

int fq_model_open(const char *name_or_path, size_t context, unsigned threads, struct fq_model **out,
                  struct fq_error *err) {
    return fq_model_open_batch(name_or_path, context, MAX_BATCH, threads, out, err);
}

int fq_model_open_batch(const char *name_or_path, size_t context, size_t batch, unsigned threads, struct fq_model **out,
                        struct fq_error *err) {
    *out = NULL;
    if (threads < 1 || threads > GGML_MAX_N_THREADS)
        return fq_fail(err, FQ_USAGE, "threads must be 1 to %d, found %u", GGML_MAX_N_THREADS, threads);
    struct fq_model *m = calloc(1, sizeof *m);
    if (!m)
        return fq_fail(err, FQ_FAILED, "out of memory");
    m->window = context;
    m->batch = context > batch ? batch : context;
    m->batch = m->batch < LEARN_TOKENS ? LEARN_TOKENS : m->batch;
    fq_llama_start();

    cpu_set_t mine; /* starting the pool and each evaluation bind the caller as worker 0 */
    bool restore = sched_getaffinity(0, sizeof mine, &mine) == 0;
    int code = fq_model_locate(name_or_path, &m->info, err);
    if (code == 0)
        code = fq_gguf_shape(m->info.path, &m->info, err);
    if (code == 0 && (context < 1 || context > m->info.train_context))
        code = fq_fail(err, FQ_USAGE, "context must be 1 to %zu, for which %s was trained, found %zu",
                       m->info.train_context, m->info.name, context);
    if (code == 0)
        code = open_context(m, threads, err);
    if (restore)
        (void)sched_setaffinity(0, sizeof mine, &mine);
    if (code != 0) {
        fq_model_close(m);
        return code;
    }
    *out = m;
    return 0;
}

void fq_model_close(struct fq_model *model) {
    if (!model)
        return;
    if (model->context)
        llama_free(model->context);
    if (model->pool)
        ggml_threadpool_free(model->pool);
    if (model->model)
        llama_model_free(model->model);
    fq_hooks_free(&model->hooks);
    free(model);
}

const struct fq_model_info *fq_model_info(const struct fq_model *model) {
    return &model->info;
}

int32_t fq_model_bos(const struct fq_model *model) {
    return llama_vocab_bos(llama_model_get_vocab(model->model));
}

const char *fq_model_attention_obstacle(const struct fq_model *model) {
    return model->hooks.attention_unread[0] ? model->hooks.attention_unread : NULL;
}

size_t fq_model_batch(const struct fq_model *model) {
    return model->batch;
}

/* ---- tokens ---- */

int fq_model_tokenize(struct fq_model *model, const char *text, size_t bytes, bool add_special, int32_t **tokens,
                      size_t *n, struct fq_error *err) {
    *tokens = NULL;
    *n = 0;
    if (bytes > INT32_MAX - 16)
        return fq_fail(err, FQ_USAGE, "a text of %zu bytes is too long for llama.cpp; at most 2 GiB", bytes);
    const struct llama_vocab *vocab = llama_model_get_vocab(model->model);
    int32_t room = (int32_t)bytes + 16; /* no token is shorter than a byte, special ones apart */
    for (;;) {
        int32_t *ids = malloc((size_t)room * sizeof *ids);
        if (!ids)
            return fq_fail(err, FQ_FAILED, "out of memory for the tokens of %zu bytes", bytes);
        int32_t found = llama_tokenize(vocab, text, (int32_t)bytes, ids, room, add_special, false);
        if (found >= 0) {
            *tokens = ids;
            *n = (size_t)found;
            return 0;
        }
        free(ids);
        if (found == INT32_MIN || -found <= room)
            return fq_fail(err, FQ_FAILED, "llama.cpp could not tokenize a text of %zu bytes", bytes);
        room = -found;
    }
}

/* ---- evaluation ---- */

/* Whose logits are made, and who gets them. */
struct wanted {
    size_t from, to; /* positions; none if equal */
    fq_model_logits *logits;
    void *arg;
};

/* tokens[n] at positions first .. first + n - 1, in one graph. */
static int evaluate_graph(struct fq_model *m, const int32_t *tokens, size_t first, size_t n, size_t from, size_t to,
                          struct fq_error *err) {
    struct llama_batch batch = llama_batch_init((int32_t)n, 0, 1);
    if (!batch.token || !batch.logits)
        return fq_fail(err, FQ_FAILED, "out of memory for a batch of %zu tokens", n);
    batch.n_tokens = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        batch.token[i] = tokens[i];
        batch.pos[i] = (llama_pos)(first + i);
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = first + i >= from && first + i < to;
    }
    fq_llama_forget();
    int status = llama_decode(m->context, batch);
    if (status == 0)
        llama_synchronize(m->context);
    llama_batch_free(batch);
    if (status != 0) {
        char why[256];
        fq_llama_complaint(why, sizeof why);
        return fq_fail(err, FQ_FAILED, "llama.cpp failed on tokens %zu to %zu (status %d): %s", first, first + n - 1,
                       status, why);
    }
    return 0;
}

static int evaluate(struct fq_model *m, const int32_t *tokens, size_t n, fq_model_hook *hook,
                    fq_model_attention_hook *attention, void *arg, const struct wanted *w, struct fq_error *err) {
    const size_t held = m->held;
    if (held == 0)
        llama_memory_clear(llama_get_memory(m->context), true);
    m->held = 0; /* until all went well */
    for (size_t done = 0; done < n; done += m->batch) {
        const size_t here = n - done < m->batch ? n - done : m->batch, first = held + done, end = first + here;
        fq_hooks_graph_begin(&m->hooks, hook, arg, first, here);
        fq_attention_graph_begin(&m->hooks, attention);
        int code = evaluate_graph(m, tokens + done, first, here, w->from, w->to, err);
        struct fq_error from_hook;
        int hook_code = fq_hooks_graph_end(&m->hooks, &from_hook);
        if (hook_code != 0) { /* it says more than llama.cpp's status of the graph that it stopped */
            *err = from_hook;
            return hook_code;
        }
        if (code != 0)
            return code;
        const size_t from = first > w->from ? first : w->from, to = end < w->to ? end : w->to;
        if (from >= to)
            continue;
        const float *rows = llama_get_logits(m->context);
        if (!rows)
            return fq_fail(err, FQ_FAILED, "llama.cpp gave no logits for tokens %zu to %zu", from, to - 1);
        const uint64_t start = fq_now_ns();
        code = w->logits(w->arg, from, to - from, rows, err);
        m->eval_ns -= fq_now_ns() - start; /* the receiver's time is not the model's; added back with the whole */
        if (code != 0)
            return code;
    }
    m->held = held + n;
    return 0;
}

/* Attention is hooked on top of the tensors, whose use is checked by their own hook. */
static int look_on(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                   size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    (void)arg, (void)which, (void)layer, (void)first_position, (void)n_tokens, (void)n_heads, (void)dim, (void)data;
    (void)err;
    return 0;
}

int fq_model_eval(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook, void *arg,
                  size_t logits_from, float *logits, struct fq_error *err) {
    return fq_model_eval_attention(model, tokens, n, hook, NULL, arg, logits_from, logits, err);
}

/* All rows of a window into one matrix. */
struct matrix {
    float *out;
    size_t from, vocabulary;
};

static int keep_rows(void *arg, size_t first, size_t n, const float *rows, struct fq_error *err) {
    const struct matrix *m = arg;
    (void)err;
    memcpy(m->out + (first - m->from) * m->vocabulary, rows, n * m->vocabulary * sizeof *rows);
    return 0;
}

int fq_model_eval_attention(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook,
                            fq_model_attention_hook *attention, void *arg, size_t logits_from, float *logits,
                            struct fq_error *err) {
    struct matrix m = {logits, logits_from, model->info.vocabulary};
    return fq_model_eval_rows(model, tokens, n, hook, attention, arg, logits_from, logits ? n : logits_from, keep_rows,
                              &m, err);
}

int fq_model_eval_rows(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook,
                       fq_model_attention_hook *attention, void *arg, size_t from, size_t to, fq_model_logits *logits,
                       void *logits_arg, struct fq_error *err) {
    model->held = 0;
    return fq_model_eval_more(model, tokens, n, hook, attention, arg, from, to, logits, logits_arg, err);
}

int fq_model_eval_more(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook,
                       fq_model_attention_hook *attention, void *arg, size_t from, size_t to, fq_model_logits *logits,
                       void *logits_arg, struct fq_error *err) {
    const struct wanted wanted = {from, to, logits, logits_arg};
    if (n < 1 || model->held + n > model->window)
        return fq_fail(err, FQ_USAGE, "expected 1 to %zu tokens, the context that the model was opened with, found %zu",
                       model->window, model->held + n);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (size_t)tokens[i] >= model->info.vocabulary)
            return fq_fail(err, FQ_USAGE, "token %zu is %d, outside the vocabulary of %zu", i, tokens[i],
                           model->info.vocabulary);
    uint64_t start = fq_now_ns();
    cpu_set_t mine;
    bool restore = sched_getaffinity(0, sizeof mine, &mine) == 0;
    int code = evaluate(model, tokens, n, attention && !hook ? look_on : hook, attention, arg, &wanted, err);
    if (restore)
        (void)sched_setaffinity(0, sizeof mine, &mine);
    model->eval_ns += fq_now_ns() - start;
    return code;
}

/* ---- the key bias ---- */

struct bias_table {
    float *out; /* [layers][kv_heads][n][dim] */
    size_t n;
};

static int keep_keys(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                     size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    const struct bias_table *b = arg;
    (void)err;
    if (which != FQ_HOOK_KEY)
        return 0;
    for (size_t t = 0; t < n_tokens; t++)
        for (size_t k = 0; k < n_heads; k++)
            memcpy(b->out + ((layer * n_heads + k) * b->n + first_position + t) * dim, data + (t * n_heads + k) * dim,
                   dim * sizeof *data);
    return 0;
}

int fq_model_key_bias(struct fq_model *model, size_t n, float *out, struct fq_error *err) {
    if (!model->info.key_bias)
        return fq_fail(err, FQ_USAGE, "%s has no bias on its keys, so there is no rope-bias to take off them",
                       model->info.name);
    for (size_t layer = 0; layer < model->info.layers; layer++)
        if (model->hooks.product[layer].op == GGML_OP_NONE)
            return fq_fail(err, FQ_USAGE,
                           "%s, layer %zu: something that is not linear, such as a norm, stands between the key bias "
                           "and the cache, so the bias cannot be taken off the keys",
                           model->info.name, model->hooks.site[3 * layer].layer);
    int32_t *tokens = calloc(n, sizeof *tokens); /* which ones does not matter: none of them reaches a key */
    if (!tokens)
        return fq_fail(err, FQ_FAILED, "out of memory for %zu tokens", n);
    struct bias_table b = {out, n};
    model->hooks.zero_products = true;
    int code = fq_model_eval(model, tokens, n, keep_keys, &b, n, NULL, err);
    model->hooks.zero_products = false;
    free(tokens);
    return code;
}

int fq_model_key_bias_weights(struct fq_model *model, float *out, struct fq_error *err) {
    const size_t n = model->info.kv_heads * model->info.dim;
    for (size_t layer = 0; layer < model->info.layers; layer++) {
        const struct fq_layer_shape *shape = &model->hooks.shape[layer];
        if (!shape->bias || shape->biases < n)
            return fq_fail(err, FQ_USAGE, "%s, layer %zu: the bias of its keys is not among its weights in float32",
                           model->info.name, model->hooks.site[3 * layer].layer);
        memcpy(out + layer * n, shape->bias, n * sizeof *out);
    }
    return 0;
}

void fq_model_times(struct fq_model *model, uint64_t *hook_ns, uint64_t *eval_ns) {
    *hook_ns = model->hooks.ns;
    *eval_ns = model->eval_ns;
    model->hooks.ns = 0;
    model->eval_ns = 0;
}

#endif
