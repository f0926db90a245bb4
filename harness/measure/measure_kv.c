/* The walk over a KV set: layer by layer, KV head by KV head, window by window, each window encoded once for all
 * metrics. Query heads of a group share their KV head's codes, as they do in a cache (grouped-query attention). */
#include "harness/measure/measure_internal.h"

#include "harness/base/blas.h"
#include "harness/base/pool.h"
#include "harness/base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    const struct measure_pass *pass;
    size_t windows, context, group; /* group: query heads per KV head */
    size_t samples;                 /* sampled positions per window and query head */
    float *x, *xhat, *other;        /* [context][dim]; other: values beside keys, keys beside values */
    float *queries;                 /* [context][dim] of one query head */
    float *q;                       /* [group * samples][dim] */
    float *truth, *estimate;        /* [group * samples][context] */
    double *x_norm;
    size_t *position;              /* [group * samples] */
    struct attention *attention;   /* [group] */
    struct regression *regression; /* [group] */
    struct distortion distortion;  /* of this matrix */
    struct distortion_series distortion_series;
    struct attention_series attention_series;
    struct regression_series regression_series;
    bool wants_distortion, wants_products, wants_attention;
    struct needle *needle; /* NULL: not asked for */
    struct training training;
    struct fq_centre *centre; /* of this matrix; calibrated: two heads, the means of both halves of the windows */
};

static int walk_open(struct walk *w, struct fq_error *err) {
    const struct fq_dataset_info *info = w->pass->info;
    const unsigned metrics = w->pass->options->metrics;
    const size_t dim = info->dim;
    w->wants_distortion = (metrics & FQ_MEASURE_DISTORTION) != 0;
    w->wants_products = (metrics & FQ_MEASURE_INNER_PRODUCT) != 0;
    w->wants_attention = (metrics & FQ_MEASURE_ATTENTION) != 0;
    w->context = info->context > 0 && info->context < info->n ? info->context : info->n;
    w->windows = (info->n + w->context - 1) / w->context;
    w->group = info->heads / info->kv_heads;
    w->samples = w->wants_products || w->wants_attention ? w->pass->options->window_queries : 0;
    const size_t matrix = w->context * dim, asked = w->group * w->samples;
    w->x = malloc(matrix * sizeof *w->x);
    w->xhat = malloc(matrix * sizeof *w->xhat);
    w->other = malloc(matrix * sizeof *w->other);
    w->queries = malloc(matrix * sizeof *w->queries);
    w->q = malloc((asked * dim + 1) * sizeof *w->q);
    w->truth = malloc((asked * w->context + 1) * sizeof *w->truth);
    w->estimate = malloc((asked * w->context + 1) * sizeof *w->estimate);
    w->x_norm = malloc(w->context * sizeof *w->x_norm);
    w->position = malloc((asked + 1) * sizeof *w->position);
    w->attention = calloc(w->group + 1, sizeof *w->attention);
    w->regression = calloc(w->group + 1, sizeof *w->regression);
    if (w->x == NULL || w->xhat == NULL || w->other == NULL || w->queries == NULL || w->q == NULL || w->truth == NULL ||
        w->estimate == NULL || w->x_norm == NULL || w->position == NULL || w->attention == NULL ||
        w->regression == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: windows of %zu tokens of dimension %zu", w->context, dim);
    if (w->wants_distortion)
        FQ_TRY(fq_distortion_open(w->pass, &w->distortion_series, err));
    if (w->wants_products)
        FQ_TRY(fq_regression_open(w->pass, "layer and head", &w->regression_series, err));
    if (w->wants_attention)
        FQ_TRY(fq_attention_open(w->pass, &w->attention_series, err));
    if ((metrics & FQ_MEASURE_NEEDLE) != 0)
        FQ_TRY(fq_needle_open(w->pass, w->context, w->context, "layer and head", &w->needle, err));
    FQ_TRY(fq_centre_open(w->pass->options->centre, 1, 2, dim, w->context, &w->centre, err));
    FQ_TRY(fq_training_open(&w->training, w->pass, info->n, err));
    w->training.centre = w->centre;
    return FQ_OK;
}

static void walk_close(struct walk *w) {
    free(w->x);
    free(w->xhat);
    free(w->other);
    free(w->queries);
    free(w->q);
    free(w->truth);
    free(w->estimate);
    free(w->x_norm);
    free(w->position);
    free(w->attention);
    free(w->regression);
    fq_needle_free(w->needle);
    fq_training_close(&w->training);
    fq_centre_close(w->centre);
}

/* Sampled queries of one query head in one window of n tokens: positions depend on data seed, layer, head and window
 * only. Position 0 sees one key and tells nothing, so it is never drawn. */
static int sample_queries(struct walk *w, size_t layer, size_t head, size_t window, size_t n, size_t slot,
                          struct fq_error *err) {
    const struct fq_dataset_info *info = w->pass->info;
    const uint64_t key = fq_stream_key("sample", w->pass->options->data_seed);
    const uint64_t first = ((uint64_t)layer * info->heads + head) * w->windows + window;
    FQ_TRY(fq_dataset_queries(w->pass->set, layer, head, window * w->context, n, w->queries, err));
    for (size_t k = 0; k < w->samples; k++) {
        double u;
        fq_random_uniform(key, first * w->samples + k, 1, &u);
        const size_t t = n > 1 ? 1 + (size_t)(u * (double)(n - 1)) : 0;
        w->position[slot * w->samples + k] = t < n ? t : n - 1;
        memcpy(w->q + (slot * w->samples + k) * info->dim, w->queries + w->position[slot * w->samples + k] * info->dim,
               info->dim * sizeof *w->q);
    }
    return FQ_OK;
}

static void add_products(struct walk *w, size_t slot, size_t k, size_t n) {
    const size_t at = slot * w->samples + k, dim = w->pass->info->dim;
    const float *q = w->q + at * dim;
    const double q_norm = sqrt(fq_dot(dim, q, q));
    for (size_t i = 0; i <= w->position[at]; i++)
        fq_regression_add(&w->regression[slot], (double)w->truth[at * n + i], (double)w->estimate[at * n + i],
                          q_norm * w->x_norm[i]);
}

/* All that needs queries, for one window whose keys (tensor key; their estimates are there) or values (tensor value)
 * are encoded. */
static int with_queries(struct walk *w, size_t layer, size_t kv_head, size_t window, size_t n, struct fq_error *err) {
    const struct measure_pass *pass = w->pass;
    const bool key = pass->tensor == FQ_KEY;
    const size_t dim = pass->info->dim, asked = w->group * w->samples;
    if (!key || (w->wants_attention && pass->info->has_value))
        FQ_TRY(
            fq_dataset_rows(pass->set, key ? FQ_VALUE : FQ_KEY, layer, kv_head, window * w->context, n, w->other, err));
    fq_blas_abt(fq_pool_threads(), asked, n, dim, w->q, key ? w->x : w->other, w->truth);
    for (size_t i = 0; i < n; i++)
        w->x_norm[i] = sqrt(fq_dot(dim, w->x + i * dim, w->x + i * dim));
    for (size_t slot = 0; slot < w->group; slot++)
        for (size_t k = 0; k < w->samples; k++) {
            const size_t at = slot * w->samples + k;
            if (w->wants_products)
                add_products(w, slot, k, n);
            if (w->wants_attention)
                FQ_TRY(fq_attention_add(
                    &w->attention[slot], w->position[at], dim, w->truth + at * n, key ? w->estimate + at * n : NULL,
                    key ? (pass->info->has_value ? w->other : NULL) : w->x, key ? NULL : w->xhat, err));
        }
    return FQ_OK;
}

/* Which head of the walk's centre a window takes: the mean of the half that it is not in. */
static size_t centre_for(const struct walk *w, size_t window) {
    return w->pass->options->centre == FQ_CENTRE_CALIBRATED ? 1 - fq_centre_half(window) : 0;
}

/* What this layer and head need before their first window is encoded. */
static int prepare_centre(struct walk *w, size_t layer, size_t kv_head, struct fq_error *err) {
    const struct measure_pass *pass = w->pass;
    if (pass->options->centre == FQ_CENTRE_ROPE_BIAS)
        return fq_dataset_key_bias(pass->set, layer, kv_head, 0, w->context, fq_centre_table(w->centre, 0, 0), err);
    if (pass->options->centre != FQ_CENTRE_CALIBRATED)
        return FQ_OK;
    fq_centre_forget(w->centre, 0, 0);
    fq_centre_forget(w->centre, 0, 1);
    for (size_t window = 0; window < w->windows; window++) {
        const size_t first = window * w->context, left = pass->info->n - first;
        const size_t n = left < w->context ? left : w->context;
        FQ_TRY(fq_dataset_rows(pass->set, FQ_KEY, layer, kv_head, first, n, w->x, err));
        fq_centre_learn(w->centre, 0, fq_centre_half(window), n, pass->info->dim, w->x);
    }
    return FQ_OK;
}

static int walk_window(struct walk *w, size_t layer, size_t kv_head, size_t window, struct fq_error *err) {
    const struct measure_pass *pass = w->pass;
    const size_t first = window * w->context;
    const size_t n = pass->info->n - first < w->context ? pass->info->n - first : w->context;
    FQ_TRY(fq_dataset_rows(pass->set, pass->tensor, layer, kv_head, first, n, w->x, err));
    for (size_t slot = 0; w->samples > 0 && slot < w->group; slot++)
        FQ_TRY(sample_queries(w, layer, kv_head * w->group + slot, window, n, slot, err));
    const struct fq_centre_job job = {.head = centre_for(w, window),
                                      .n = n,
                                      .x = w->x,
                                      .xhat = w->xhat,
                                      .n_queries = pass->tensor == FQ_KEY ? w->group * w->samples : 0,
                                      .q = w->q,
                                      .scores = w->estimate};
    FQ_TRY(fq_centre_run(w->centre, pass->codec, &job, err));
    if (w->wants_distortion)
        fq_distortion_add(&w->distortion, n, pass->info->dim, w->x, w->xhat, NULL);
    const size_t matrix = layer * pass->info->kv_heads + kv_head;
    if (w->needle != NULL)
        FQ_TRY(fq_needle_add(w->needle, n, n, matrix * w->windows + window, w->x, w->xhat, false, matrix,
                             window * NEEDLE_LABELS, err));
    return w->samples > 0 ? with_queries(w, layer, kv_head, window, n, err) : FQ_OK;
}

/* Windows 0 .. windows - 1, all of them or max_windows evenly spaced. */
static size_t window_at(const struct walk *w, size_t i, size_t count) {
    return count == w->windows ? i : i * w->windows / count;
}

/* Learns from the windows of the other parity; a single window teaches itself. */
static int train_for(struct walk *w, size_t layer, size_t kv_head, size_t count, size_t fold, struct fq_error *err) {
    fq_training_begin(&w->training, layer, kv_head);
    w->training.centre_head = centre_for(w, window_at(w, fold, count));
    for (size_t i = count > 1 ? 1 - fold : 0; i < count; i += 2) {
        const size_t first = window_at(w, i, count) * w->context, left = w->pass->info->n - first;
        FQ_TRY(fq_training_add(&w->training, first, left < w->context ? left : w->context, err));
    }
    return fq_training_end(&w->training,
                           count > 1 ? "the other half of the windows of each layer and head"
                                     : "the measured window itself, for want of a second one",
                           err);
}

static int walk_windows(struct walk *w, size_t layer, size_t kv_head, size_t count, struct fq_error *err) {
    const size_t folds = w->training.learns && count > 1 ? 2 : 1;
    for (size_t fold = 0; fold < folds; fold++) {
        if (w->training.learns)
            FQ_TRY(train_for(w, layer, kv_head, count, fold, err));
        for (size_t i = fold; i < count; i += folds)
            if (walk_window(w, layer, kv_head, window_at(w, i, count), err) != FQ_OK)
                return fq_fail_in(err, "%s, layer %zu, %s head %zu, window at token %zu", w->pass->info->name, layer,
                                  w->pass->label, kv_head, window_at(w, i, count) * w->context);
    }
    return FQ_OK;
}

static int walk_matrix(struct walk *w, size_t layer, size_t kv_head, struct fq_error *err) {
    const struct fq_dataset_info *info = w->pass->info;
    const size_t most = w->pass->options->max_windows, count = most == 0 || most > w->windows ? w->windows : most;
    memset(&w->distortion, 0, sizeof w->distortion);
    memset(w->attention, 0, w->group * sizeof *w->attention);
    memset(w->regression, 0, w->group * sizeof *w->regression);
    FQ_TRY(prepare_centre(w, layer, kv_head, err));
    FQ_TRY(walk_windows(w, layer, kv_head, count, err));
    if (w->wants_distortion)
        FQ_TRY(
            fq_distortion_push(w->pass, &w->distortion_series, &w->distortion, layer * info->kv_heads + kv_head, err));
    for (size_t slot = 0; slot < w->group; slot++) {
        const size_t label = layer * info->heads + kv_head * w->group + slot;
        if (w->wants_products)
            FQ_TRY(fq_regression_push(w->pass, &w->regression_series, &w->regression[slot], label, err));
        if (w->wants_attention)
            FQ_TRY(fq_attention_push(w->pass, &w->attention_series, &w->attention[slot], label, err));
    }
    return FQ_OK;
}

int fq_measure_kv(const struct measure_pass *pass, struct fq_error *err) {
    const struct fq_dataset_info *info = pass->info;
    struct walk w = {.pass = pass};
    if (info->kv_heads == 0 || info->heads % info->kv_heads != 0)
        return fq_fail(err, FQ_USAGE, "%s: %zu query heads are no multiple of %zu KV heads", info->name, info->heads,
                       info->kv_heads);
    int code = walk_open(&w, err);
    for (size_t layer = 0; code == FQ_OK && layer < info->layers; layer++)
        for (size_t head = 0; code == FQ_OK && head < info->kv_heads; head++)
            code = walk_matrix(&w, layer, head, err);
    if (w.training.learns)
        fq_codec_count_states(pass->codec, info->layers * info->kv_heads);
    walk_close(&w);
    return code;
}
