/* Centres of keys, and the walk of one window through a codec with them. Definitions in centre.h; why a running mean is
 * one of decoded keys: docs/adr/0008-centring.md. */
#include "harness/measure/centre.h"

#include "harness/measure/measure_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNNING_BLOCK = 32 };

struct fq_centre {
    enum fq_centre_kind kind;
    size_t heads, dim, context;
    double *sum;         /* [layers heads][dim]; calibrated, running */
    double *count;       /* [layers heads]: tokens in sum */
    float *table;        /* [layers heads][context][dim]; rope-bias */
    float *taken, *rest; /* [context][dim]: what is subtracted, and what is left */
    float *scored;       /* [queries][block], grown when needed */
    size_t scored_room;
};

static const char *const names[FQ_CENTRE_KINDS] = {"none", "calibrated", "running", "rope-bias"};

const char *fq_centre_name(enum fq_centre_kind kind) {
    return names[kind];
}

int fq_centre_parse(const char *word, enum fq_centre_kind *out, struct fq_error *err) {
    for (size_t i = 0; i < FQ_CENTRE_KINDS; i++)
        if (strcmp(word, names[i]) == 0) {
            *out = (enum fq_centre_kind)i;
            return FQ_OK;
        }
    return fq_fail(err, FQ_USAGE, "centre: expected none, calibrated, running or rope-bias, found '%s'", word);
}

static const char no_decode[] = "a running mean is one of decoded keys, and the method decodes nothing";

static size_t windows_of(const struct fq_dataset_info *info) {
    return info->context > 0 ? (info->n + info->context - 1) / info->context : 1;
}

const char *fq_centre_obstacle(enum fq_centre_kind kind, const struct fq_dataset_info *info, enum fq_tensor tensor,
                               bool decodes) {
    if (kind == FQ_CENTRE_NONE)
        return NULL;
    if (info->kind != FQ_DATA_KV)
        return "only keys of a KV set or of a model are centred, and these are plain vectors";
    if (tensor != FQ_KEY)
        return "only keys are centred, not values";
    if (kind == FQ_CENTRE_CALIBRATED && windows_of(info) < 2)
        return "a calibrated mean needs tokens that are not measured, and the set is one window; capture it with a "
               "smaller context, or use running";
    if (kind == FQ_CENTRE_RUNNING && !decodes)
        return no_decode;
    if (kind == FQ_CENTRE_ROPE_BIAS && !info->has_key_bias)
        return "the set holds no key_bias: its model has no bias on keys, or the set was not captured with it";
    return NULL;
}

const char *fq_centre_model_obstacle(enum fq_centre_kind kind, const struct fq_model_info *info, bool keys,
                                     bool decodes) {
    if (kind == FQ_CENTRE_NONE)
        return NULL;
    if (!keys)
        return "only keys are centred, not values";
    if (kind == FQ_CENTRE_RUNNING && !decodes)
        return no_decode;
    return kind == FQ_CENTRE_ROPE_BIAS && !info->key_bias ? "the model has no bias on keys" : NULL;
}

uint64_t fq_centre_shared_bytes(enum fq_centre_kind kind, size_t layers, size_t kv_heads, size_t dim) {
    return kind == FQ_CENTRE_CALIBRATED ? (uint64_t)layers * kv_heads * dim * sizeof(float) : 0;
}

size_t fq_centre_half(size_t window) {
    return window % 2;
}

void fq_centre_dataset_source(enum fq_centre_kind kind, const struct fq_dataset_info *info, char *out, size_t size) {
    const size_t windows = windows_of(info);
    if (kind == FQ_CENTRE_CALIBRATED)
        (void)snprintf(
            out, size,
            "mean of the other half of the windows of each layer and head: even windows take that of the odd "
            "ones, and the reverse; %zu windows of %zu tokens",
            windows, info->context);
    else if (kind == FQ_CENTRE_RUNNING)
        (void)snprintf(out, size, "decoded keys of the same window before the block being encoded");
    else
        (void)snprintf(out, size, "%s", kind == FQ_CENTRE_ROPE_BIAS ? "key_bias of the set" : "none");
}

/* ---- a grid of centres ---- */

int fq_centre_open(enum fq_centre_kind kind, size_t layers, size_t heads, size_t dim, size_t context,
                   struct fq_centre **out, struct fq_error *err) {
    *out = NULL;
    struct fq_centre *c = calloc(1, sizeof *c);
    if (c == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory");
    *c = (struct fq_centre){.kind = kind, .heads = heads, .dim = dim, .context = context};
    const size_t slots = layers * heads;
    bool there = true;
    if (kind == FQ_CENTRE_CALIBRATED || kind == FQ_CENTRE_RUNNING) {
        c->sum = calloc(slots * dim, sizeof *c->sum);
        c->count = calloc(slots, sizeof *c->count);
        there = c->sum != NULL && c->count != NULL;
    } else if (kind == FQ_CENTRE_ROPE_BIAS) {
        c->table = calloc(slots * context * dim, sizeof *c->table);
        there = c->table != NULL;
    }
    if (kind != FQ_CENTRE_NONE) {
        c->taken = malloc(context * dim * sizeof *c->taken);
        c->rest = malloc(context * dim * sizeof *c->rest);
        there = there && c->taken != NULL && c->rest != NULL;
    }
    if (!there) {
        fq_centre_close(c);
        return fq_fail(err, FQ_FAILED, "out of memory for the centres of %zu heads, %zu tokens of dimension %zu", slots,
                       context, dim);
    }
    *out = c;
    return FQ_OK;
}

void fq_centre_close(struct fq_centre *c) {
    if (c == NULL)
        return;
    free(c->sum);
    free(c->count);
    free(c->table);
    free(c->taken);
    free(c->rest);
    free(c->scored);
    free(c);
}

enum fq_centre_kind fq_centre_kind_of(const struct fq_centre *c) {
    return c->kind;
}

void fq_centre_forget(struct fq_centre *c, size_t layer, size_t head) {
    const size_t slot = layer * c->heads + head;
    memset(c->sum + slot * c->dim, 0, c->dim * sizeof *c->sum);
    c->count[slot] = 0.0;
}

void fq_centre_learn(struct fq_centre *c, size_t layer, size_t head, size_t n, size_t stride, const float *x) {
    const size_t slot = layer * c->heads + head;
    double *sum = c->sum + slot * c->dim;
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < c->dim; i++)
            sum[i] += (double)x[t * stride + i];
    c->count[slot] += (double)n;
}

float *fq_centre_table(struct fq_centre *c, size_t layer, size_t head) {
    return c->table + (layer * c->heads + head) * c->context * c->dim;
}

void fq_centre_vectors(const struct fq_centre *c, size_t layer, size_t head, size_t first, size_t n, float *out) {
    const size_t slot = layer * c->heads + head, dim = c->dim;
    if (c->kind == FQ_CENTRE_ROPE_BIAS) {
        memcpy(out, c->table + (slot * c->context + first) * dim, n * dim * sizeof *out);
        return;
    }
    const bool any = c->kind != FQ_CENTRE_NONE && c->count[slot] > 0.0 && (c->kind != FQ_CENTRE_RUNNING || first > 0);
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < dim; i++)
            out[t * dim + i] = any ? (float)(c->sum[slot * dim + i] / c->count[slot]) : 0.0F;
}

void fq_centre_follow(struct fq_centre *c, size_t layer, size_t head, size_t first, size_t n, const float *xhat) {
    if (c->kind != FQ_CENTRE_RUNNING)
        return;
    if (first == 0)
        fq_centre_forget(c, layer, head);
    fq_centre_learn(c, layer, head, n, c->dim, xhat);
}

void fq_centre_take_off(struct fq_centre *c, size_t layer, size_t head, size_t first, size_t n, float *x) {
    if (c->kind == FQ_CENTRE_NONE)
        return;
    const size_t step = c->kind == FQ_CENTRE_RUNNING ? RUNNING_BLOCK : c->context;
    for (size_t row = 0; row < n; row += step) {
        const size_t here = n - row < step ? n - row : step;
        float *rows = x + row * c->dim;
        fq_centre_vectors(c, layer, head, first + row, here, c->taken);
        fq_centre_follow(c, layer, head, first + row, here, rows);
        for (size_t i = 0; i < here * c->dim; i++)
            rows[i] -= c->taken[i];
    }
}

size_t fq_centre_block(const struct fq_codec *codec) {
    const size_t g = fq_codec_footprint(codec)->granularity;
    return g * ((RUNNING_BLOCK + g - 1) / g);
}

/* ---- a window through a codec ---- */

/* n keys at position first of the window, rows of the job from `row` on. */
struct block {
    size_t row, n;
};

/* Scores of a block into the columns of its keys; `back`[n][dim] is what was taken off them, NULL if nothing was. */
static int score(struct fq_centre *c, struct fq_codec *codec, const struct fq_centre_job *job, struct block b,
                 const float *decoded, const float *back, struct fq_error *err) {
    const size_t need = job->n_queries * b.n, dim = c->dim;
    float *out = job->scores;
    if (b.n != job->n) {
        if (c->scored_room < need) {
            float *grown = realloc(c->scored, need * sizeof *grown);
            if (grown == NULL)
                return fq_fail(err, FQ_FAILED, "out of memory for %zu scores", need);
            c->scored = grown;
            c->scored_room = need;
        }
        out = c->scored;
    }
    FQ_TRY(fq_estimates(codec, b.n, decoded, job->n_queries, job->q, out, err));
    const bool each = c->kind == FQ_CENTRE_ROPE_BIAS; /* else all keys of a block have one centre */
    for (size_t i = 0; i < job->n_queries; i++) {
        const float *q = job->q + i * dim;
        double offset = back != NULL ? fq_dot(dim, q, back) : 0.0;
        for (size_t j = 0; j < b.n; j++) {
            if (each && j > 0)
                offset = fq_dot(dim, q, back + j * dim);
            const float raw = out[i * b.n + j];
            job->scores[i * job->n + b.row + j] = back != NULL ? (float)((double)raw + offset) : raw;
        }
    }
    return FQ_OK;
}

static int run_block(struct fq_centre *c, struct fq_codec *codec, const struct fq_centre_job *job, struct block b,
                     struct fq_error *err) {
    const size_t dim = c->dim, first = job->first + b.row, values = b.n * dim;
    const bool centred = c->kind != FQ_CENTRE_NONE, decodes = fq_codec_has(codec, FQ_STAGE_DECODE);
    const float *x = job->x + b.row * dim;
    float *xhat = job->xhat + b.row * dim;
    if (centred) {
        fq_centre_vectors(c, job->layer, job->head, first, b.n, c->taken);
        for (size_t i = 0; i < values; i++)
            c->rest[i] = x[i] - c->taken[i];
    }
    FQ_TRY(fq_codec_encode(codec, b.n, centred ? c->rest : x, err));
    if (decodes)
        FQ_TRY(fq_codec_decode(codec, xhat, err));
    if (job->n_queries > 0)
        FQ_TRY(score(c, codec, job, b, decodes ? xhat : NULL, centred ? c->taken : NULL, err));
    if (centred && decodes)
        for (size_t i = 0; i < values; i++)
            xhat[i] += c->taken[i];
    if (decodes)
        fq_centre_follow(c, job->layer, job->head, first, b.n, xhat);
    return FQ_OK;
}

int fq_centre_run(struct fq_centre *c, struct fq_codec *codec, const struct fq_centre_job *job, struct fq_error *err) {
    if (c->kind == FQ_CENTRE_RUNNING && !fq_codec_has(codec, FQ_STAGE_DECODE))
        return fq_fail(err, FQ_USAGE, "%s", no_decode);
    const size_t step = c->kind == FQ_CENTRE_RUNNING ? fq_centre_block(codec) : job->n;
    for (size_t row = 0; row < job->n; row += step) {
        const struct block b = {row, job->n - row < step ? job->n - row : step};
        FQ_TRY(run_block(c, codec, job, b, err));
    }
    return FQ_OK;
}
