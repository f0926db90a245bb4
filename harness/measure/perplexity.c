/* Perplexity and its pairs: the windows of a text through a model, once at full precision and once per arm with a codec
 * on the cache. Which positions count, and how, follows llama.cpp's perplexity tool; the arithmetic is in ppl_score.c.
 * Must not open codecs: which method runs is the caller's affair. */
#include "harness/measure/perplexity.h"

#include "harness/base/file.h"
#include "harness/base/pool.h"
#include "harness/data/manifest.h"
#include "harness/measure/ppl_score.h"
#include "harness/measure/ppl_training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fq_ppl_reference {
    struct fq_ppl_info info;
    struct fq_model *model;
    int32_t *tokens; /* [n_tokens], as the text has them; the first chunks * context are measured */
    size_t n_tokens;
    int32_t *window; /* [context], with BOS in front if the model wants it */
    float *full;     /* [chunks][scored][vocabulary] */
    float *now;      /* [context - context / 2][vocabulary], of the window evaluated last */
    double *chunk_nll;
    double *token_nll;                         /* [scored] of the window scored last */
    struct fq_centre *centre[FQ_CENTRE_KINDS]; /* NULL until an arm wants it */
};

/* ---- scoring a window ---- */

struct scoring {
    const struct fq_ppl_reference *ref;
    size_t chunk;
    const float *full; /* NULL: the full-precision pass itself */
    double *nll, *kl, *same;
};

static void score_tokens(void *arg, unsigned worker, size_t begin, size_t end) {
    (void)worker;
    const struct scoring *s = arg;
    const struct fq_ppl_reference *ref = s->ref;
    size_t vocabulary = ref->info.model->vocabulary;
    const int32_t *next = ref->tokens + s->chunk * ref->info.context + ref->info.context / 2 + 1;
    for (size_t i = begin; i < end; i++) {
        const float *row = ref->now + i * vocabulary;
        s->nll[i] = fq_score_nll(row, vocabulary, next[i]);
        if (s->full) {
            const float *full = s->full + i * vocabulary;
            s->kl[i] = fq_score_kl(full, row, vocabulary);
            s->same[i] = fq_score_top1(full, vocabulary) == fq_score_top1(row, vocabulary) ? 1.0 : 0.0;
        }
    }
}

static double sum(const double *x, size_t n) {
    double s = 0.0;
    for (size_t i = 0; i < n; i++)
        s += x[i];
    return s;
}

/* Logits of the second half of one window into ref->now. */
static int evaluate_chunk(struct fq_ppl_reference *ref, size_t chunk, fq_model_hook *hook, void *arg,
                          struct fq_error *err) {
    size_t context = ref->info.context;
    memcpy(ref->window, ref->tokens + chunk * context, context * sizeof *ref->window);
    if (ref->info.model->add_bos)
        ref->window[0] = fq_model_bos(ref->model);
    return fq_model_eval(ref->model, ref->window, context, hook, arg, context / 2, ref->now, err);
}

/* ---- the full-precision pass ---- */

static int load_tokens(struct fq_ppl_reference *ref, const struct fq_ppl_config *config, struct fq_error *err) {
    char path[4096];
    FQ_TRY(fq_manifest_resolve(config->corpus, "corpus", path, sizeof path, ref->info.corpus_sha256, err));
    char *text = NULL;
    size_t bytes = 0, found = 0, needed = config->context * config->chunks;
    FQ_TRY(fq_read_text(path, &text, &bytes, err));
    int code = fq_model_tokenize(ref->model, text, bytes, true, &ref->tokens, &found, err);
    free(text);
    FQ_TRY(code);
    ref->n_tokens = found;
    if (found < needed)
        return fq_fail(err, FQ_USAGE,
                       "%s: %zu chunks of %zu tokens need %zu, the corpus has %zu; take fewer chunks or a longer text",
                       path, config->chunks, config->context, needed, found);
    return 0;
}

static int full_pass(struct fq_ppl_reference *ref, const struct fq_ppl_config *config, struct fq_error *err) {
    size_t row = ref->info.scored * ref->info.model->vocabulary;
    uint64_t hook_ns;
    fq_model_times(ref->model, &hook_ns, &ref->info.eval_ns);
    for (size_t c = 0; c < ref->info.chunks; c++) {
        FQ_TRY(evaluate_chunk(ref, c, NULL, NULL, err));
        struct scoring s = {.ref = ref, .chunk = c, .nll = ref->token_nll};
        fq_pool_run(ref->info.scored, 1, score_tokens, &s);
        fq_pool_rest();
        ref->chunk_nll[c] = sum(ref->token_nll, ref->info.scored);
        memcpy(ref->full + c * row, ref->now, row * sizeof *ref->full);
        if (config->progress)
            config->progress(config->progress_arg, c + 1, ref->info.chunks);
    }
    fq_model_times(ref->model, &hook_ns, &ref->info.eval_ns);
    ref->info.perplexity = exp(sum(ref->chunk_nll, ref->info.chunks) / (double)(ref->info.chunks * ref->info.scored));
    if (!isfinite(ref->info.perplexity))
        return fq_fail(err, FQ_FAILED, "the full-precision perplexity of %s is not finite", ref->info.model->name);
    return 0;
}

static int open_reference(struct fq_ppl_reference *ref, const struct fq_ppl_config *config, struct fq_error *err) {
    FQ_TRY(fq_model_open(config->model, config->context, config->threads, &ref->model, err));
    ref->info.model = fq_model_info(ref->model);
    ref->info.context = config->context;
    ref->info.chunks = config->chunks;
    ref->info.scored = config->context - 1 - config->context / 2;
    FQ_TRY(load_tokens(ref, config, err));
    size_t vocabulary = ref->info.model->vocabulary;
    ref->window = malloc(config->context * sizeof *ref->window);
    ref->full = calloc(config->chunks * ref->info.scored, vocabulary * sizeof *ref->full);
    ref->now = calloc(config->context - config->context / 2, vocabulary * sizeof *ref->now);
    ref->chunk_nll = calloc(config->chunks, sizeof *ref->chunk_nll);
    ref->token_nll = calloc(ref->info.scored, sizeof *ref->token_nll);
    if (!ref->window || !ref->full || !ref->now || !ref->chunk_nll || !ref->token_nll)
        return fq_fail(err, FQ_FAILED, "out of memory for the logits of %zu chunks of %zu tokens x %zu words",
                       config->chunks, ref->info.scored, vocabulary);
    ref->info.chunk_nll = ref->chunk_nll;
    return full_pass(ref, config, err);
}

int fq_ppl_reference_open(const struct fq_ppl_config *config, struct fq_ppl_reference **out, struct fq_error *err) {
    *out = NULL;
    if (config->context < 4 || config->chunks < 1)
        return fq_fail(err, FQ_USAGE,
                       "perplexity: expected context >= 4 and chunks >= 1, found context %zu, chunks %zu",
                       config->context, config->chunks);
    struct fq_ppl_reference *ref = calloc(1, sizeof *ref);
    if (!ref)
        return fq_fail(err, FQ_FAILED, "out of memory");
    int code = open_reference(ref, config, err);
    if (code != 0) {
        fq_ppl_reference_close(ref);
        return code;
    }
    *out = ref;
    return 0;
}

void fq_ppl_reference_close(struct fq_ppl_reference *ref) {
    if (!ref)
        return;
    fq_model_close(ref->model);
    for (size_t i = 0; i < FQ_CENTRE_KINDS; i++)
        fq_centre_close(ref->centre[i]);
    free(ref->tokens);
    free(ref->window);
    free(ref->full);
    free(ref->now);
    free(ref->chunk_nll);
    free(ref->token_nll);
    free(ref);
}

const struct fq_ppl_info *fq_ppl_reference_info(const struct fq_ppl_reference *ref) {
    return &ref->info;
}

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
    float *x, *xhat; /* [context][dim]: one head's rows, before and after */
    struct fq_ppl_training *training;
};

static const char *const tensor_names[2] = {"key", "value"};

static int hook(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    struct arm *a = arg;
    if (which == FQ_HOOK_QUERY || !a->codec[which])
        return 0;
    for (size_t head = 0; head < n_heads; head++) {
        for (size_t t = 0; t < n_tokens; t++)
            memcpy(a->x + t * dim, data + (t * n_heads + head) * dim, dim * sizeof(float));
        fq_ppl_training_put(a->training, which, layer, head);
        const struct fq_centre_job job = {
            .layer = layer, .head = head, .first = first_position, .n = n_tokens, .x = a->x, .xhat = a->xhat};
        if (fq_centre_run(a->centre[which], a->codec[which], &job, err) != 0)
            return fq_fail_in(err, "%s of layer %zu, KV head %zu, tokens %zu to %zu", tensor_names[which], layer, head,
                              first_position, first_position + n_tokens - 1);
        for (size_t t = 0; t < n_tokens; t++)
            memcpy(data + (t * n_heads + head) * dim, a->xhat + t * dim, dim * sizeof(float));
    }
    fq_pool_rest(); /* the model's own threads go on */
    return 0;
}

/* The series of one arm; pointers into a list move when it grows, so they are looked up after all are added. */
static int add_series(struct fq_series_list *out, const char *tensor, size_t *first, struct fq_error *err) {
    static const char *const of[4][4] = {{"perplexity", "1", "exp_mean", "chunk"},
                                         {"delta_log_ppl", "nats", "mean", "chunk"},
                                         {"kl", "nats", "mean,median,q99,max", "chunk"},
                                         {"top1_agreement", "1", "mean", "chunk"}};
    *first = out->n;
    for (size_t i = 0; i < 4; i++)
        if (!fq_series_add(out, of[i][0], tensor, of[i][1], of[i][2], of[i][3], err))
            return err->code;
    return 0;
}

static int push_chunk(struct fq_series *s, const struct scoring *scored, double nll, size_t n, double full_nll,
                      struct fq_error *err) {
    int32_t chunk = (int32_t)scored->chunk;
    double tokens = (double)n;
    FQ_TRY(fq_series_push(&s[0], nll / tokens, tokens, chunk, 0, err));
    FQ_TRY(fq_series_push(&s[1], nll / tokens - full_nll / tokens, tokens, chunk, 0, err));
    for (size_t i = 0; i < n; i++) {
        FQ_TRY(fq_series_push(&s[2], scored->kl[i], 1.0, chunk, (int32_t)i, err));
        FQ_TRY(fq_series_push(&s[3], scored->same[i], 1.0, chunk, (int32_t)i, err));
    }
    return 0;
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

static void bytes_since(struct fq_codec *codec, const struct fq_bytes *before, struct fq_bytes *out) {
    memset(out, 0, sizeof *out);
    if (!codec)
        return;
    fq_codec_bytes(codec, out);
    out->vectors -= before->vectors;
    out->record_bytes -= before->record_bytes;
    out->tail_bytes -= before->tail_bytes;
    out->side_bytes -= before->side_bytes;
    out->promised_bytes -= before->promised_bytes;
}

static int run_chunks(struct fq_ppl_reference *ref, struct arm *a, struct scoring *s, struct fq_series *series,
                      fq_ppl_progress *progress, void *progress_arg, double *total, struct fq_error *err) {
    size_t n = ref->info.scored;
    for (size_t c = 0; c < ref->info.chunks; c++) {
        FQ_TRY(evaluate_chunk(ref, c, a->codec[0] || a->codec[1] ? hook : NULL, a, err));
        s->chunk = c;
        s->full = ref->full + c * n * ref->info.model->vocabulary;
        fq_pool_run(n, 1, score_tokens, s);
        fq_pool_rest();
        double nll = sum(s->nll, n);
        if (!isfinite(nll))
            return fq_fail(err, FQ_FAILED, "%s, chunk %zu: the log-likelihood is not finite with this method's cache",
                           ref->info.model->name, c);
        *total += nll;
        FQ_TRY(push_chunk(series, s, nll, n, ref->chunk_nll[c], err));
        if (progress)
            progress(progress_arg, c + 1, ref->info.chunks);
    }
    return 0;
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
    size_t first, dim = ref->info.model->dim, n = ref->info.scored;
    FQ_TRY(add_series(out, key && !value ? "key" : (value && !key ? "value" : "kv"), &first, err));

    struct fq_bytes key_before = {0}, value_before = {0};
    if (key)
        fq_codec_bytes(key, &key_before);
    if (value)
        fq_codec_bytes(value, &value_before);
    struct arm a = {.codec = {key, value},
                    .centre = {ref->centre[centre], ref->centre[FQ_CENTRE_NONE]},
                    .x = malloc(ref->info.context * dim * sizeof(float)),
                    .xhat = malloc(ref->info.context * dim * sizeof(float))};
    double *scores = malloc(3 * n * sizeof *scores), total = 0.0;
    int code = a.x && a.xhat && scores ? 0 : fq_fail(err, FQ_FAILED, "out of memory for one head of a window");
    const struct fq_ppl_text text = text_of(ref);
    if (code == 0)
        code = fq_ppl_training_open(ref->model, &text, a.codec, a.centre[0], &a.training, err);
    uint64_t dropped[2];
    fq_model_times(ref->model, &dropped[0], &dropped[1]);
    if (code == 0) {
        struct scoring s = {.ref = ref, .nll = scores, .kl = scores + n, .same = scores + 2 * n};
        code = run_chunks(ref, &a, &s, out->series + first, progress, progress_arg, &total, err);
    }
    fq_ppl_training_close(a.training);
    free(a.x);
    free(a.xhat);
    free(scores);
    FQ_TRY(code);

    fq_model_times(ref->model, &result->hook_ns, &result->eval_ns);
    result->perplexity = exp(total / (double)(ref->info.chunks * n));
    bytes_since(key, &key_before, &result->key);
    bytes_since(value, &value_before, &result->value);
    uint64_t vectors = result->key.vectors + result->value.vectors;
    uint64_t bytes =
        result->key.record_bytes + result->key.tail_bytes + result->value.record_bytes + result->value.tail_bytes;
    result->rate_bits = vectors ? 8.0 * (double)bytes / (double)(vectors * dim) : 0.0;
    return 0;
}
