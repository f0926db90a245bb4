/* An arm of the perplexity measurement whose agent is a pair of codecs: each layer's and KV head's keys and values are
 * encoded, decoded and written over what the cache is about to store. Passes and scores are in perplexity.c. Must not
 * open codecs: which method runs is the caller's affair. */
#include "harness/base/pool.h"
#include "harness/measure/ppl_attention.h"
#include "harness/measure/ppl_internal.h"
#include "harness/measure/ppl_loop.h"
#include "harness/measure/ppl_training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- centres of keys ---- */

static struct fq_ppl_text text_of(const struct fq_ppl_reference *ref) {
    return (struct fq_ppl_text){.tokens = ref->tokens,
                                .n = ref->n_tokens,
                                .measured = ref->info.chunks * ref->info.context,
                                .context = ref->info.context,
                                .bos = ref->info.model->add_bos ? fq_model_bos(ref->model) : -1};
}

/* Calibration and biases belong to model and text, not to an arm: made once. */
static int centre_of(struct fq_ppl_reference *ref, enum fq_centre_kind kind, struct fq_error *err) {
    const struct fq_model_info *m = ref->info.model;
    struct fq_centre *c = NULL;
    if (ref->centre[kind])
        return 0;
    FQ_TRY(fq_centre_open(kind, m->layers, m->kv_heads, m->dim, ref->info.context, &c, err));
    const struct fq_ppl_text text = text_of(ref);
    int code = kind == FQ_CENTRE_CALIBRATED ? fq_ppl_calibrate(ref->model, &text, c, err) : 0;
    if (kind == FQ_CENTRE_ROPE_BIAS)
        code = fq_model_key_bias(ref->model, ref->info.context, fq_centre_table(c, 0, 0), err);
    if (code != 0) {
        fq_centre_close(c);
        return code;
    }
    ref->centre[kind] = c;
    return 0;
}

int fq_ppl_centre(struct fq_ppl_reference *ref, enum fq_centre_kind kind, struct fq_centre **out,
                  struct fq_error *err) {
    *out = NULL;
    if (kind == FQ_CENTRE_NONE)
        return 0;
    FQ_TRY(centre_of(ref, kind, err));
    *out = ref->centre[kind];
    return 0;
}

int fq_ppl_train(struct fq_ppl_reference *ref, struct fq_codec *const codec[2], struct fq_centre *centre,
                 struct fq_ppl_training **out, struct fq_error *err) {
    const struct fq_ppl_text text = text_of(ref);
    return fq_ppl_training_open(ref->model, &text, codec, centre, out, err);
}

void fq_ppl_centre_source(const struct fq_ppl_reference *ref, enum fq_centre_kind kind, char *out, size_t size) {
    const struct fq_ppl_text text = text_of(ref);
    if (kind == FQ_CENTRE_CALIBRATED)
        (void)snprintf(out, size, "mean of %zu windows of %zu tokens behind the measured %zu tokens of the corpus",
                       fq_ppl_windows_behind(&text), text.context, text.measured);
    else if (kind == FQ_CENTRE_RUNNING)
        (void)snprintf(out, size, "decoded keys of the same window before the block being encoded");
    else
        (void)snprintf(out, size, "%s", kind == FQ_CENTRE_ROPE_BIAS ? "the model's weights" : "none");
}

/* ---- an arm ---- */

struct arm {
    struct fq_codec *codec[2]; /* by enum fq_hook_tensor: key, value */
    struct fq_centre *centre[2];
    enum fq_centre_kind centre_kind;
    float *x, *xhat; /* [kv_heads][context][dim]: rows of the heads of a layer, before and after */
    struct fq_ppl_training *training;
    struct fq_bytes before[2];          /* what the codecs had counted when the window began */
    struct fq_ppl_loop *loop;           /* what the codecs do to what the model gives them */
    struct fq_ppl_attention *attention; /* NULL: not looked at */
};

static const char *const tensor_names[2] = {"key", "value"};

/* Heads [first, first + count) of one layer in one encode: rows head by head, as if each were encoded alone. */
static int replace_heads(struct arm *a, const struct fq_centre_job *at, enum fq_hook_tensor which, size_t count,
                         size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    const size_t n = at->n, first = at->head;
    for (size_t h = 0; h < count; h++)
        for (size_t t = 0; t < n; t++)
            memcpy(a->x + (h * n + t) * dim, data + (t * n_heads + first + h) * dim, dim * sizeof(float));
    struct fq_centre_job job = *at;
    job.n = n * count;
    job.x = a->x;
    job.xhat = a->xhat;
    if (fq_centre_run(a->centre[which], a->codec[which], &job, err) != 0)
        return fq_fail_in(err, "%s of layer %zu, KV head %zu, tokens %zu to %zu", tensor_names[which], at->layer, first,
                          at->first, at->first + n - 1);
    for (size_t h = 0; h < count; h++)
        for (size_t t = 0; t < n; t++) {
            float *to = data + (t * n_heads + first + h) * dim;
            const float *from = a->xhat + (h * n + t) * dim;
            fq_ppl_loop_add(a->loop, which == FQ_HOOK_KEY ? FQ_PPL_KEY : FQ_PPL_VALUE, at->layer, first + h, dim, to,
                            from);
            if (a->attention)
                fq_ppl_attention_row(a->attention, which, at->layer, first + h, at->first + t, to, from);
            memcpy(to, from, dim * sizeof(float));
        }
    return 0;
}

/* All heads go through a codec at once where that changes no bit of what is written: one state for all of them, no
 * centre, whole groups. Waking the pool for each stage of each head would cost more than the work of many methods. */
static bool at_once(const struct arm *a, enum fq_hook_tensor which, size_t n_tokens) {
    const struct fq_codec *codec = a->codec[which];
    return a->centre_kind == FQ_CENTRE_NONE && !fq_codec_learns(codec) &&
           n_tokens % fq_codec_footprint(codec)->granularity == 0;
}

static int hook(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    struct arm *a = arg;
    if (which == FQ_HOOK_QUERY && a->attention)
        fq_ppl_attention_queries(a->attention, first_position, n_tokens, data);
    if (which == FQ_HOOK_QUERY || !a->codec[which])
        return 0;
    struct fq_centre_job job = {.layer = layer, .first = first_position, .n = n_tokens};
    struct fq_error ignored;
    bool done = n_heads > 1 && at_once(a, which, n_tokens) &&
                replace_heads(a, &job, which, n_heads, n_heads, dim, data, &ignored) == 0;
    for (size_t head = 0; !done && head < n_heads; head++) { /* after a failure too: to say which head it was */
        job.head = head;
        fq_ppl_training_put(a->training, which, layer, head);
        FQ_TRY(replace_heads(a, &job, which, 1, n_heads, dim, data, err));
    }
    fq_pool_rest(); /* the model's own threads go on */
    return 0;
}

static int attention(void *arg, const struct fq_attention_view *view, struct fq_error *err) {
    struct arm *a = arg;
    (void)err;
    fq_ppl_attention_look(a->attention, view);
    fq_pool_rest();
    return 0;
}

/* Zeros where there is no codec. */
static void bytes_since(const struct fq_codec *codec, const struct fq_bytes *before, struct fq_bytes *out) {
    memset(out, 0, sizeof *out);
    if (codec)
        fq_codec_bytes_since(codec, before, out);
}

static int next_window(void *arg, size_t chunk, struct fq_error *err) {
    struct arm *a = arg;
    (void)err;
    for (int t = 0; t < 2; t++)
        if (a->codec[t])
            fq_codec_bytes(a->codec[t], &a->before[t]);
    fq_ppl_loop_window(a->loop, chunk);
    return 0;
}

/* A window's state: bytes of both codecs, then sums of errors. */
static void save_window(void *arg, void *state) {
    const struct arm *a = arg;
    struct fq_bytes more[2];
    for (int t = 0; t < 2; t++)
        bytes_since(a->codec[t], &a->before[t], &more[t]);
    memcpy(state, more, sizeof more);
    fq_ppl_loop_save(a->loop, (char *)state + sizeof more);
}

static void restore_window(void *arg, size_t chunk, const void *state) {
    struct arm *a = arg;
    struct fq_bytes more[2];
    memcpy(more, state, sizeof more);
    for (int t = 0; t < 2; t++)
        if (a->codec[t])
            fq_codec_count_more(a->codec[t], &more[t]);
    fq_ppl_loop_window(a->loop, chunk);
    fq_ppl_loop_restore(a->loop, (const char *)state + sizeof more);
}

/* Bytes are those of the measured windows. */
static void forget_window(void *arg) {
    const struct arm *a = arg;
    for (int t = 0; t < 2; t++)
        if (a->codec[t])
            fq_codec_count_back(a->codec[t], &a->before[t]);
}

static int check_decodes(const struct fq_ppl_reference *ref, struct fq_codec *codec, enum fq_tensor tensor,
                         struct fq_error *err) {
    if (codec && !fq_codec_has(codec, FQ_STAGE_DECODE))
        return fq_fail(err, FQ_USAGE,
                       "perplexity of %s: this method decodes no %s, and the cache needs decoded vectors; leave it out "
                       "of model metrics",
                       ref->info.model->name, tensor_names[tensor]);
    const struct fq_codec_config *config = codec ? fq_codec_configuration(codec) : NULL;
    if (tensor == FQ_KEY && config && config->method->quantizes_query &&
        config->method->quantizes_query(&config->params))
        return fq_fail(err, FQ_USAGE,
                       "perplexity of %s: %s quantizes the query with these parameters, and the model would meet its "
                       "decoded keys with a float query; measure it by inner products, or leave the query in float",
                       ref->info.model->name, config->method->name);
    return 0;
}

/* Not where the graph hides what the attention is made of (fq_ppl_attention_source says why). */
static int open_attention(const struct fq_ppl_reference *ref, struct arm *a, struct fq_error *err) {
    const struct fq_model_info *m = ref->info.model;
    const struct fq_ppl_attention_shape shape = {.layers = m->layers,
                                                 .heads = m->heads,
                                                 .kv_heads = m->kv_heads,
                                                 .dim = m->dim,
                                                 .context = ref->info.context,
                                                 .batch = fq_model_batch(ref->model),
                                                 .written = {a->codec[FQ_KEY] != NULL, a->codec[FQ_VALUE] != NULL}};
    if ((!shape.written[0] && !shape.written[1]) || fq_model_attention_obstacle(ref->model))
        return 0;
    return fq_ppl_attention_open(&shape, a->loop, &a->attention, err);
}

void fq_ppl_attention_source(const struct fq_ppl_reference *ref, char *out, size_t size) {
    const char *why = fq_model_attention_obstacle(ref->model);
    size_t positions[FQ_PPL_QUERIES];
    if (why)
        (void)snprintf(out, size, "not measured: %s", why);
    else
        (void)snprintf(out, size, "%zu query positions of each window", fq_ppl_queries(ref->info.context, positions));
}

int fq_ppl_arm(struct fq_ppl_reference *ref, struct fq_codec *key, struct fq_codec *value, fq_ppl_progress *progress,
               void *progress_arg, struct fq_series_list *out, struct fq_ppl_arm_result *result, struct fq_error *err) {
    return fq_ppl_arm_centred(ref, FQ_CENTRE_NONE, key, value, progress, progress_arg, out, result, err);
}

int fq_ppl_arm_centred(struct fq_ppl_reference *ref, enum fq_centre_kind centre, struct fq_codec *key,
                       struct fq_codec *value, fq_ppl_progress *progress, void *progress_arg,
                       struct fq_series_list *out, struct fq_ppl_arm_result *result, struct fq_error *err) {
    memset(result, 0, sizeof *result);
    FQ_TRY(check_decodes(ref, key, FQ_KEY, err));
    FQ_TRY(check_decodes(ref, value, FQ_VALUE, err));
    const char *why = fq_centre_model_obstacle(centre, ref->info.model, key != NULL, true);
    if (why)
        return fq_fail(err, FQ_USAGE, "centre %s on %s is not possible: %s", fq_centre_name(centre),
                       ref->info.model->name, why);
    FQ_TRY(centre_of(ref, centre, err));
    FQ_TRY(centre_of(ref, FQ_CENTRE_NONE, err));
    const size_t dim = ref->info.model->dim, rows = ref->info.context * ref->info.model->kv_heads;
    struct fq_bytes key_before = {0}, value_before = {0};
    if (key)
        fq_codec_bytes(key, &key_before);
    if (value)
        fq_codec_bytes(value, &value_before);
    struct arm a = {.codec = {key, value},
                    .centre = {ref->centre[centre], ref->centre[FQ_CENTRE_NONE]},
                    .centre_kind = centre,
                    .x = malloc(rows * dim * sizeof(float)),
                    .xhat = malloc(rows * dim * sizeof(float))};
    int code = a.x && a.xhat ? 0 : fq_fail(err, FQ_FAILED, "out of memory for the heads of a window");
    const struct fq_ppl_text text = text_of(ref);
    if (code == 0)
        code = fq_ppl_training_open(ref->model, &text, a.codec, a.centre[0], &a.training, err);
    if (code == 0)
        code = fq_ppl_loop_open(ref->info.model->layers, ref->info.model->heads, ref->info.model->kv_heads,
                                ref->info.chunks, &a.loop, err);
    if (code == 0)
        code = open_attention(ref, &a, err);
    const struct fq_ppl_agent agent = {.tensors = key || value ? hook : NULL,
                                       .attention = a.attention ? attention : NULL,
                                       .window = next_window,
                                       .state_bytes = 2 * sizeof(struct fq_bytes) + fq_ppl_loop_bytes(a.loop),
                                       .save = save_window,
                                       .restore = restore_window,
                                       .forget = forget_window,
                                       .arg = &a,
                                       .tensor = key && !value   ? "key"
                                                 : value && !key ? "value"
                                                                 : "kv"};
    if (code == 0)
        code = fq_ppl_run(ref, &agent, progress, progress_arg, out, &result->perplexity, err);
    for (int t = FQ_KEY; code == 0 && t <= FQ_VALUE; t++)
        if (a.codec[t])
            code = fq_ppl_loop_series(a.loop, t == FQ_KEY ? FQ_PPL_KEY : FQ_PPL_VALUE, agent.tensor, out, err);
    if (code == 0 && a.attention)
        code = fq_ppl_loop_series(a.loop, FQ_PPL_ATTENTION, agent.tensor, out, err);
    /* What follows is no measured window: it has no errors of attention, and its bytes are forgotten (forget_window).
     */
    struct fq_ppl_agent plain = agent;
    plain.attention = NULL;
    fq_ppl_attention_close(a.attention);
    a.attention = NULL;
    if (code == 0 && ref->wants_generation)
        code = fq_ppl_generate(ref, &plain, out, err);
    if (code == 0 && ref->wants_needle_text)
        code = fq_ppl_needle_text(ref, &plain, out, err);
    fq_ppl_loop_close(a.loop);
    fq_ppl_training_close(a.training);
    free(a.x);
    free(a.xhat);
    FQ_TRY(code);

    fq_ppl_times(ref, &result->hook_ns, &result->eval_ns);
    bytes_since(key, &key_before, &result->key);
    bytes_since(value, &value_before, &result->value);
    uint64_t vectors = result->key.vectors + result->value.vectors;
    uint64_t bytes =
        result->key.record_bytes + result->key.tail_bytes + result->value.record_bytes + result->value.tail_bytes;
    result->rate_bits = vectors ? 8.0 * (double)bytes / (double)(vectors * dim) : 0.0;
    return 0;
}
