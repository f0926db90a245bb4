/* What is learnt from the text behind the measured windows: training states of a model's cache (collect rows at full
 * precision, fit one state per layer and head, keep the bytes), and means of its keys. */
#include "harness/measure/ppl_training.h"

#include "harness/base/pool.h"

#include <stdlib.h>
#include <string.h>

struct fq_ppl_training {
    struct fq_codec *codec[2];
    struct fq_centre *centre; /* of keys; NULL: none */
    size_t layers, heads, dim, windows, context;
    float *rows[2];           /* [layers][heads][windows * context][dim] while collecting */
    unsigned char *states[2]; /* [layers][heads][state_bytes] */
    size_t state_bytes[2];
    size_t window; /* that is being evaluated */
};

size_t fq_ppl_windows_behind(const struct fq_ppl_text *text) {
    const size_t there = (text->n - text->measured) / text->context;
    return there < FQ_PPL_TRAINING_WINDOWS ? there : FQ_PPL_TRAINING_WINDOWS;
}

int fq_ppl_windows(struct fq_model *model, const struct fq_ppl_text *text, size_t first, size_t n, size_t *window,
                   fq_model_hook *hook, void *arg, struct fq_error *err) {
    int32_t *tokens = malloc(text->context * sizeof *tokens);
    int code = tokens != NULL ? FQ_OK : fq_fail(err, FQ_FAILED, "out of memory: a window of tokens");
    for (*window = 0; code == FQ_OK && *window < n; ++*window) {
        memcpy(tokens, text->tokens + first + *window * text->context, text->context * sizeof *tokens);
        if (text->bos >= 0)
            tokens[0] = text->bos;
        code = fq_model_eval(model, tokens, text->context, hook, arg, 0, NULL, err);
    }
    free(tokens);
    return code;
}

static int collect(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                   size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    struct fq_ppl_training *t = arg;
    if (which == FQ_HOOK_QUERY || t->rows[which] == NULL)
        return FQ_OK;
    if (layer >= t->layers || n_heads != t->heads || dim != t->dim || first_position + n_tokens > t->context)
        return fq_fail(err, FQ_FAILED, "training: layer %zu gave %zu heads of %zu, the model has %zu of %zu", layer,
                       n_heads, dim, t->heads, t->dim);
    for (size_t head = 0; head < n_heads; head++)
        for (size_t i = 0; i < n_tokens; i++) {
            const size_t row = t->window * t->context + first_position + i;
            memcpy(t->rows[which] + (((layer * t->heads + head) * t->windows * t->context) + row) * dim,
                   data + (i * n_heads + head) * dim, dim * sizeof *data);
        }
    return FQ_OK;
}

static int fit(struct fq_ppl_training *t, size_t which, const char *split, struct fq_error *err) {
    const size_t n = t->windows * t->context;
    for (size_t m = 0; m < t->layers * t->heads; m++) {
        size_t bytes = 0;
        for (size_t w = 0; which == FQ_HOOK_KEY && t->centre != NULL && w < t->windows; w++)
            fq_centre_take_off(t->centre, m / t->heads, m % t->heads, 0, t->context,
                               t->rows[which] + (m * n + w * t->context) * t->dim);
        if (fq_codec_train(t->codec[which], n, t->rows[which] + m * n * t->dim, split, err) != FQ_OK)
            return fq_fail_in(err, "training of %s, layer %zu, KV head %zu", which == 0 ? "key" : "value", m / t->heads,
                              m % t->heads);
        const void *state = fq_codec_shared(t->codec[which], &bytes);
        memcpy(t->states[which] + m * bytes, state, bytes);
    }
    fq_codec_count_states(t->codec[which], t->layers * t->heads);
    fq_pool_rest();
    return FQ_OK;
}

static int make_room(struct fq_ppl_training *t, struct fq_error *err) {
    const size_t matrices = t->layers * t->heads;
    for (size_t which = 0; which < 2; which++) {
        if (t->codec[which] == NULL)
            continue;
        (void)fq_codec_shared(t->codec[which], &t->state_bytes[which]);
        t->rows[which] = malloc(matrices * t->windows * t->context * t->dim * sizeof(float));
        t->states[which] = malloc(matrices * t->state_bytes[which] + 1);
        if (t->rows[which] == NULL || t->states[which] == NULL)
            return fq_fail(err, FQ_FAILED, "out of memory: %zu training vectors for each of %zu layers and heads",
                           t->windows * t->context, matrices);
    }
    return FQ_OK;
}

static int fill(struct fq_ppl_training *t, struct fq_model *model, const struct fq_ppl_text *text,
                struct fq_error *err) {
    const size_t behind = fq_ppl_windows_behind(text), there = text->measured / text->context;
    t->windows = behind > 0 ? behind : there < FQ_PPL_TRAINING_WINDOWS ? there : FQ_PPL_TRAINING_WINDOWS;
    FQ_TRY(make_room(t, err));
    FQ_TRY(fq_ppl_windows(model, text, behind > 0 ? text->measured : 0, t->windows, &t->window, collect, t, err));
    for (size_t which = 0; which < 2; which++)
        if (t->codec[which] != NULL)
            FQ_TRY(fit(t, which,
                       behind > 0 ? "for each layer and head, of the text behind the measured windows"
                                  : "for each layer and head, of the measured windows themselves, the text being too "
                                    "short for others",
                       err));
    for (size_t which = 0; which < 2; which++) {
        free(t->rows[which]);
        t->rows[which] = NULL;
    }
    return FQ_OK;
}

int fq_ppl_training_open(struct fq_model *model, const struct fq_ppl_text *text, struct fq_codec *const codec[2],
                         struct fq_centre *centre, struct fq_ppl_training **out, struct fq_error *err) {
    const struct fq_model_info *info = fq_model_info(model);
    *out = NULL;
    struct fq_ppl_training *t = calloc(1, sizeof *t);
    if (t == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: training");
    for (size_t which = 0; which < 2; which++)
        t->codec[which] = codec[which] != NULL && fq_codec_learns(codec[which]) ? codec[which] : NULL;
    t->centre = centre;
    t->layers = info->layers;
    t->heads = info->kv_heads;
    t->dim = info->dim;
    t->context = text->context;
    const int code = t->codec[0] != NULL || t->codec[1] != NULL ? fill(t, model, text, err) : FQ_OK;
    if (code != FQ_OK) {
        fq_ppl_training_close(t);
        return code;
    }
    *out = t;
    return FQ_OK;
}

void fq_ppl_training_close(struct fq_ppl_training *t) {
    if (t == NULL)
        return;
    for (size_t which = 0; which < 2; which++) {
        free(t->rows[which]);
        free(t->states[which]);
    }
    free(t);
}

void fq_ppl_training_put(const struct fq_ppl_training *t, enum fq_hook_tensor which, size_t layer, size_t head) {
    if (which == FQ_HOOK_QUERY || t->codec[which] == NULL)
        return;
    fq_codec_put_shared(t->codec[which], t->states[which] + (layer * t->heads + head) * t->state_bytes[which]);
}

/* ---- means of keys ---- */

static int learn_keys(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                      size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    (void)first_position, (void)err;
    for (size_t head = 0; which == FQ_HOOK_KEY && head < n_heads; head++)
        fq_centre_learn(arg, layer, head, n_tokens, n_heads * dim, data + head * dim);
    return FQ_OK;
}

int fq_ppl_calibrate(struct fq_model *model, const struct fq_ppl_text *text, struct fq_centre *centre,
                     struct fq_error *err) {
    const size_t windows = fq_ppl_windows_behind(text);
    size_t window;
    if (windows == 0)
        return fq_fail(err, FQ_USAGE,
                       "centre calibrated: the text has %zu tokens behind the %zu measured ones, and a mean of tokens "
                       "that are not measured needs a window of %zu; take fewer chunks or a longer text",
                       text->n - text->measured, text->measured, text->context);
    return fq_ppl_windows(model, text, text->measured, windows, &window, learn_keys, centre, err);
}
