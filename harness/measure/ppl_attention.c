/* Errors of attention outputs at sampled queries; see ppl_attention.h. The error is summed from differences (of
 * weights, of values) and never as the difference of two outputs, so that equal caches give exactly 0 and small errors
 * keep their digits. Must not know codecs or policies. */
#include "harness/measure/ppl_attention.h"

#include "harness/base/pool.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct fq_ppl_attention {
    struct fq_ppl_attention_shape shape;
    struct fq_ppl_loop *loop;
    size_t position[FQ_PPL_QUERIES], n, slots;
    float
        *difference[2]; /* [slots][kv_heads][context][dim]: what the model made less what was written; NULL: nothing */
    float *queries;     /* [heads][n][dim] */
    float *score[2];    /* [heads][n][context]: of the model's own keys; of what the cache returns */
    float *whole;       /* [heads][n][context]: weights before some are dropped */
    uint8_t *gone;      /* [heads][n][context]: dropped; NULL until any may be */
    float *values;      /* [context][dim]: as the model made them */

    /* The KV head between begin and end, rows r = (head in group) * samples + sample. */
    size_t layer, kv_head, group, tokens;
    struct fq_ppl_samples samples;
    float *weight[2], *part; /* [group n][context]: the model's, the cache's; their difference, or a part of those */
    double *softmax[2];      /* [context]: the same of one row */
    float *output, *error;   /* [group n][dim] */
};

/* k with its three bits in reverse order, in eighths: 0, 1/2, 1/4, 3/4, 1/8 ... */
static size_t reversed(size_t k) {
    return (k & 1) << 2 | (k & 2) | (k & 4) >> 2;
}

size_t fq_ppl_queries(size_t context, size_t positions[FQ_PPL_QUERIES]) {
    const size_t half = context - context / 2, n = half < FQ_PPL_QUERIES ? half : FQ_PPL_QUERIES;
    for (size_t k = 0; k < n; k++) { /* k counts from the end */
        const size_t begin = k * half / n, width = (k + 1) * half / n - begin;
        positions[n - 1 - k] = context - 1 - begin - width * reversed(k) / FQ_PPL_QUERIES;
    }
    return n;
}

static float *floats(size_t n) {
    return malloc((n ? n : 1) * sizeof(float));
}

int fq_ppl_attention_open(const struct fq_ppl_attention_shape *shape, struct fq_ppl_loop *loop,
                          struct fq_ppl_attention **out, struct fq_error *err) {
    *out = NULL;
    struct fq_ppl_attention *p = calloc(1, sizeof *p);
    if (!p)
        return fq_fail(err, FQ_FAILED, "out of memory");
    p->shape = *shape;
    p->loop = loop;
    p->n = fq_ppl_queries(shape->context, p->position);
    p->slots = shape->context > shape->batch ? shape->layers : 1;
    p->group = shape->heads / shape->kv_heads;
    const size_t rows = shape->heads * p->n, cells = rows * shape->context, grouped = p->group * p->n;
    bool ok = true;
    for (int t = 0; t < 2; t++) {
        p->score[t] = floats(cells);
        p->weight[t] = floats(grouped * shape->context);
        p->softmax[t] = malloc(shape->context * sizeof *p->softmax[t]);
        ok = ok && p->score[t] && p->weight[t] && p->softmax[t];
        if (!shape->written[t])
            continue;
        p->difference[t] = calloc(p->slots * shape->kv_heads * shape->context * shape->dim, sizeof(float));
        ok = ok && p->difference[t];
    }
    p->queries = floats(rows * shape->dim);
    p->values = floats(shape->context * shape->dim);
    p->part = floats(grouped * shape->context);
    p->output = floats(grouped * shape->dim);
    p->error = floats(grouped * shape->dim);
    if (!ok || !p->queries || !p->values || !p->part || !p->output || !p->error) {
        fq_ppl_attention_close(p);
        return fq_fail(err, FQ_FAILED, "out of memory for the attention errors of %zu tokens", shape->context);
    }
    *out = p;
    return 0;
}

void fq_ppl_attention_close(struct fq_ppl_attention *p) {
    if (!p)
        return;
    for (int t = 0; t < 2; t++) {
        free(p->difference[t]);
        free(p->score[t]);
        free(p->weight[t]);
        free(p->softmax[t]);
    }
    free(p->queries);
    free(p->whole);
    free(p->gone);
    free(p->values);
    free(p->part);
    free(p->output);
    free(p->error);
    free(p);
}

static unsigned threads(void) {
    return fq_pool_threads() > 0 ? fq_pool_threads() : 1;
}

/* ---- which queries ---- */

static struct fq_ppl_samples among(const struct fq_ppl_attention *p, size_t first, size_t n) {
    struct fq_ppl_samples s = {0};
    while (s.first < p->n && p->position[s.first] < first)
        s.first++;
    s.end = s.first;
    while (s.end < p->n && p->position[s.end] < first + n)
        s.end++;
    return s;
}

struct fq_ppl_samples fq_ppl_attention_samples(const struct fq_ppl_attention *p, const struct fq_attention_view *view) {
    return among(p, view->first_position, view->n_queries);
}

size_t fq_ppl_attention_position(const struct fq_ppl_attention *p, size_t sample) {
    return p->position[sample];
}

static float *row_of(const struct fq_ppl_attention *p, float *rows, size_t head, size_t sample) {
    return rows + (head * p->n + sample) * p->shape.context;
}

/* Rows of the sampled queries of a view into rows[heads][n][context]. */
static void copy_rows(const struct fq_ppl_attention *p, const struct fq_attention_view *v, float *rows) {
    const struct fq_ppl_samples s = fq_ppl_attention_samples(p, v);
    for (size_t head = 0; head < v->heads; head++)
        for (size_t k = s.first; k < s.end; k++)
            memcpy(row_of(p, rows, head, k),
                   v->data + head * v->head_stride + (p->position[k] - v->first_position) * v->query_stride,
                   (p->position[k] + 1) * sizeof *rows);
}

/* ---- scores and weights ---- */

void fq_ppl_attention_before(struct fq_ppl_attention *p, const struct fq_attention_view *scores) {
    copy_rows(p, scores, p->score[0]);
}

void fq_ppl_attention_after(struct fq_ppl_attention *p, const struct fq_attention_view *scores) {
    copy_rows(p, scores, p->score[1]);
}

void fq_ppl_attention_undropped(struct fq_ppl_attention *p, const struct fq_attention_view *weights) {
    const size_t cells = p->shape.heads * p->n * p->shape.context;
    if (!p->whole)
        p->whole = floats(cells);
    if (!p->gone)
        p->gone = calloc(cells, 1);
    if (p->whole && p->gone)
        copy_rows(p, weights, p->whole);
}

void fq_ppl_attention_dropped(struct fq_ppl_attention *p, const struct fq_attention_view *weights) {
    const struct fq_ppl_samples s = fq_ppl_attention_samples(p, weights);
    if (!p->whole || !p->gone)
        return;
    for (size_t head = 0; head < weights->heads; head++)
        for (size_t k = s.first; k < s.end; k++) {
            const float *was = row_of(p, p->whole, head, k);
            const float *is = weights->data + head * weights->head_stride +
                              (p->position[k] - weights->first_position) * weights->query_stride;
            uint8_t *gone = p->gone + (head * p->n + k) * p->shape.context;
            for (size_t j = 0; j <= p->position[k]; j++)
                gone[j] = was[j] > 0.0F && !(is[j] > 0.0F);
        }
}

/* softmax(scale cap tanh(score / cap) + mask) of n tokens. */
static void softmax(const struct fq_attention_view *v, const float *score, const float *mask, size_t n, double *out) {
    const double scale = (double)v->scale, cap = (double)v->cap;
    double most = -INFINITY, sum = 0.0;
    for (size_t j = 0; j < n; j++) {
        const double x = cap > 0.0 ? cap * tanh((double)score[j] / cap) : (double)score[j];
        out[j] = scale * x + (double)mask[j];
        most = out[j] > most ? out[j] : most;
    }
    for (size_t j = 0; j < n; j++) {
        out[j] = isinf(out[j]) ? 0.0 : exp(out[j] - most);
        sum += out[j];
    }
    for (size_t j = 0; j < n; j++)
        out[j] /= sum;
}

/* ---- outputs ---- */

void fq_ppl_attention_begin(struct fq_ppl_attention *p, const struct fq_attention_view *v, size_t kv_head,
                            struct fq_blas_matrix values, bool values_are_transposed) {
    const size_t stride = p->shape.context, dim = p->shape.dim;
    p->samples = fq_ppl_attention_samples(p, v);
    p->layer = v->layer;
    p->kv_head = kv_head;
    const size_t n = p->samples.end - p->samples.first, rows = p->group * n;
    if (n == 0)
        return;
    p->tokens = p->position[p->samples.end - 1] + 1;
    for (size_t r = 0; r < rows; r++) {
        const size_t head = kv_head * p->group + r / n, k = p->samples.first + r % n, seen = p->position[k] + 1;
        const float *mask = v->mask + (p->position[k] - v->first_position) * v->mask_stride;
        const float *own = row_of(p, p->score[0], head, k), *back = row_of(p, p->score[1], head, k);
        const uint8_t *gone = p->gone ? p->gone + (head * p->n + k) * stride : NULL;
        float *w = p->weight[0] + r * stride, *what = p->weight[1] + r * stride, *less = p->part + r * stride;
        const bool same = memcmp(own, back, seen * sizeof *own) == 0;
        softmax(v, own, mask, seen, p->softmax[0]);
        if (!same)
            softmax(v, back, mask, seen, p->softmax[1]);
        const double *was = p->softmax[0], *is = p->softmax[same ? 0 : 1];
        for (size_t j = 0; j < seen; j++) {
            w[j] = (float)was[j];
            what[j] = (float)is[j];
            less[j] = (float)(was[j] - is[j]);
        }
        for (size_t j = seen; j < p->tokens; j++)
            w[j] = what[j] = less[j] = 0.0F;
        for (size_t j = 0; gone && j < seen; j++)
            if (gone[j]) {
                what[j] = 0.0F;
                less[j] = w[j];
            }
    }
    fq_blas_gemm(threads(), rows, dim, p->tokens, (struct fq_blas_matrix){p->weight[0], stride}, values,
                 values_are_transposed, false, p->output, dim);
    fq_blas_gemm(threads(), rows, dim, p->tokens, (struct fq_blas_matrix){p->part, stride}, values,
                 values_are_transposed, false, p->error, dim);
}

void fq_ppl_attention_add(struct fq_ppl_attention *p, const float *difference, const size_t begin[FQ_PPL_QUERIES],
                          const size_t end[FQ_PPL_QUERIES]) {
    const size_t stride = p->shape.context, dim = p->shape.dim, n = p->samples.end - p->samples.first;
    const size_t rows = p->group * n;
    size_t last = 0;
    for (size_t k = p->samples.first; k < p->samples.end; k++)
        last = end[k] > last ? end[k] : last;
    for (size_t r = 0; r < rows && last > 0; r++) {
        const size_t k = p->samples.first + r % n;
        float *to = p->part + r * stride;
        memset(to, 0, last * sizeof *to);
        if (begin[k] < end[k])
            memcpy(to + begin[k], p->weight[1] + r * stride + begin[k], (end[k] - begin[k]) * sizeof *to);
    }
    if (last > 0)
        fq_blas_gemm(threads(), rows, dim, last, (struct fq_blas_matrix){p->part, stride},
                     (struct fq_blas_matrix){difference, dim}, false, true, p->error, dim);
}

void fq_ppl_attention_end(struct fq_ppl_attention *p) {
    const size_t n = p->samples.end - p->samples.first, dim = p->shape.dim;
    for (size_t g = 0; g < p->group && n > 0; g++) {
        double error = 0.0, energy = 0.0;
        for (size_t i = g * n * dim; i < (g + 1) * n * dim; i++) {
            error += (double)p->error[i] * (double)p->error[i];
            energy += (double)p->output[i] * (double)p->output[i];
        }
        fq_ppl_loop_sums(p->loop, FQ_PPL_ATTENTION, p->layer, p->kv_head * p->group + g, error, energy);
    }
}

/* ---- a cache that was written over ---- */

static float *difference_of(const struct fq_ppl_attention *p, enum fq_hook_tensor tensor, size_t layer, size_t head) {
    return p->difference[tensor] + (layer % p->slots * p->shape.kv_heads + head) * p->shape.context * p->shape.dim;
}

void fq_ppl_attention_row(struct fq_ppl_attention *p, enum fq_hook_tensor tensor, size_t layer, size_t head,
                          size_t position, const float *x, const float *written) {
    float *to = difference_of(p, tensor, layer, head) + position * p->shape.dim;
    for (size_t c = 0; c < p->shape.dim; c++)
        to[c] = x[c] - written[c];
}

void fq_ppl_attention_queries(struct fq_ppl_attention *p, size_t first_position, size_t n_tokens, const float *data) {
    const struct fq_ppl_samples s = among(p, first_position, n_tokens);
    const size_t dim = p->shape.dim;
    for (size_t k = s.first; k < s.end; k++)
        for (size_t head = 0; head < p->shape.heads; head++)
            memcpy(p->queries + (head * p->n + k) * dim,
                   data + ((p->position[k] - first_position) * p->shape.heads + head) * dim, dim * sizeof *data);
}

/* Scores of the model's own keys: those of the written ones, and the queries against the difference. */
static void own_scores(struct fq_ppl_attention *p, const struct fq_attention_view *v) {
    const struct fq_ppl_samples s = fq_ppl_attention_samples(p, v);
    const size_t dim = p->shape.dim, stride = p->shape.context, n = s.end - s.first;
    copy_rows(p, v, p->score[1]);
    copy_rows(p, v, p->score[0]);
    if (!p->difference[FQ_HOOK_KEY] || n == 0)
        return;
    const size_t tokens = p->position[s.end - 1] + 1;
    for (size_t head = 0; head < v->heads; head++) {
        const float *difference = difference_of(p, FQ_HOOK_KEY, v->layer, head / p->group);
        fq_blas_gemm(
            threads(), n, tokens, dim, (struct fq_blas_matrix){p->queries + (head * p->n + s.first) * dim, dim},
            (struct fq_blas_matrix){difference, dim}, true, true, row_of(p, p->score[0], head, s.first), stride);
    }
}

static void look_at_outputs(struct fq_ppl_attention *p, const struct fq_attention_view *v) {
    const size_t dim = p->shape.dim;
    size_t begin[FQ_PPL_QUERIES] = {0}, end[FQ_PPL_QUERIES];
    const struct fq_ppl_samples s = fq_ppl_attention_samples(p, v);
    if (s.first == s.end)
        return;
    for (size_t k = 0; k < p->n; k++)
        end[k] = p->position[k] + 1;
    const size_t tokens = end[s.end - 1];
    for (size_t kv_head = 0; kv_head < v->kv_heads; kv_head++) {
        const float *cache = v->values + kv_head * v->value_head_stride;
        if (!p->difference[FQ_HOOK_VALUE]) {
            fq_ppl_attention_begin(p, v, kv_head, (struct fq_blas_matrix){cache, v->value_stride}, true);
        } else {
            const float *difference = difference_of(p, FQ_HOOK_VALUE, v->layer, kv_head);
            for (size_t j = 0; j < tokens; j++)
                for (size_t c = 0; c < dim; c++)
                    p->values[j * dim + c] = cache[c * v->value_stride + j] + difference[j * dim + c];
            fq_ppl_attention_begin(p, v, kv_head, (struct fq_blas_matrix){p->values, dim}, false);
            fq_ppl_attention_add(p, difference, begin, end);
        }
        fq_ppl_attention_end(p);
    }
}

void fq_ppl_attention_look(struct fq_ppl_attention *p, const struct fq_attention_view *view) {
    if (view->stage == FQ_ATTENTION_SCORES)
        own_scores(p, view);
    else if (view->stage == FQ_ATTENTION_OUTPUT)
        look_at_outputs(p, view);
}
