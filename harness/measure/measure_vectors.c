/* The walk over vector sets and generated vectors: chunks of whole groups, so that a set larger than memory works. */
#include "harness/measure/measure_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_VECTORS = 4096, CHUNK_BYTES = 16 << 20 };

struct walk {
    const struct measure_pass *pass;
    size_t chunk, n_queries;
    float *x, *xhat;                /* [chunk][dim] */
    float *q;                       /* [n_queries][dim] */
    float *estimate;                /* [n_queries][chunk] */
    struct regression *regressions; /* [n_queries] */
    struct probing *probing;
    struct distortion_series distortion;
    struct regression_series regression;
    struct training training;
    struct needle *needle; /* NULL: not asked for */
};

/* Blocks of 64 vectors must not straddle chunks, nor may groups: a multiple of both where that fits. */
static size_t chunk_unit(const struct measure_pass *pass) {
    const size_t g = fq_codec_footprint(pass->codec)->granularity;
    return g % MEASURE_BLOCK == 0 ? g : g * MEASURE_BLOCK;
}

static size_t chunk_vectors(const struct measure_pass *pass) {
    const size_t fit = CHUNK_BYTES / (pass->info->dim * sizeof(float));
    size_t chunk = fit < CHUNK_VECTORS ? fit : CHUNK_VECTORS;
    const size_t unit = chunk_unit(pass);
    chunk = chunk / unit * unit;
    return chunk > 0 ? chunk : unit;
}

static int walk_open(struct walk *w, struct fq_error *err) {
    const struct measure_pass *pass = w->pass;
    const size_t dim = pass->info->dim;
    const bool products = (pass->options->metrics & FQ_MEASURE_INNER_PRODUCT) != 0;
    w->chunk = chunk_vectors(pass);
    if (w->chunk > pass->info->n)
        w->chunk = pass->info->n;
    if (products && pass->info->has_query)
        w->n_queries = pass->info->n_queries < pass->options->max_real_queries ? pass->info->n_queries
                                                                               : pass->options->max_real_queries;
    w->x = malloc(w->chunk * dim * sizeof *w->x);
    w->xhat = malloc(w->chunk * dim * sizeof *w->xhat);
    w->q = malloc((w->n_queries * dim + 1) * sizeof *w->q);
    w->estimate = malloc((w->n_queries * w->chunk + 1) * sizeof *w->estimate);
    w->regressions = calloc(w->n_queries + 1, sizeof *w->regressions);
    if (w->x == NULL || w->xhat == NULL || w->q == NULL || w->estimate == NULL || w->regressions == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: chunks of %zu vectors of dimension %zu", w->chunk, dim);
    if ((pass->options->metrics & FQ_MEASURE_DISTORTION) != 0)
        FQ_TRY(fq_distortion_open(pass, &w->distortion, err));
    FQ_TRY(fq_training_open(&w->training, pass, pass->info->n, err));
    if ((pass->options->metrics & FQ_MEASURE_NEEDLE) != 0)
        FQ_TRY(fq_needle_open(pass, w->chunk, NEEDLE_WINDOW, "window", &w->needle, err));
    if (products)
        FQ_TRY(fq_probing_open(pass, &w->probing, err));
    if (w->n_queries > 0) {
        FQ_TRY(fq_regression_open(pass, "query", &w->regression, err));
        FQ_TRY(fq_dataset_queries(pass->set, 0, 0, 0, w->n_queries, w->q, err));
    }
    return FQ_OK;
}

static void walk_close(struct walk *w) {
    fq_probing_free(w->probing);
    fq_needle_free(w->needle);
    free(w->x);
    free(w->xhat);
    free(w->q);
    free(w->estimate);
    free(w->regressions);
    fq_training_close(&w->training);
}

static int real_queries(struct walk *w, size_t n, const float *xhat, struct fq_error *err) {
    const size_t dim = w->pass->info->dim;
    FQ_TRY(fq_estimates(w->pass->codec, n, xhat, w->n_queries, w->q, w->estimate, err));
    for (size_t i = 0; i < w->n_queries; i++) {
        const float *q = w->q + i * dim;
        const double q_norm = sqrt(fq_dot(dim, q, q));
        for (size_t j = 0; j < n; j++) {
            const float *x = w->x + j * dim;
            fq_regression_add(&w->regressions[i], fq_dot(dim, q, x), (double)w->estimate[i * n + j],
                              q_norm * sqrt(fq_dot(dim, x, x)));
        }
    }
    return FQ_OK;
}

static int walk_chunk(struct walk *w, size_t first, size_t n, struct fq_error *err) {
    const struct measure_pass *pass = w->pass;
    const bool decode = fq_codec_has(pass->codec, FQ_STAGE_DECODE);
    const float *xhat = decode ? w->xhat : NULL;
    FQ_TRY(fq_dataset_rows(pass->set, FQ_KEY, 0, 0, first, n, w->x, err));
    FQ_TRY(fq_codec_encode(pass->codec, n, w->x, err));
    if (decode)
        FQ_TRY(fq_codec_decode(pass->codec, w->xhat, err));
    if ((pass->options->metrics & FQ_MEASURE_DISTORTION) != 0)
        FQ_TRY(fq_distortion_push_vectors(pass, &w->distortion, first, n, w->x, xhat, err));
    if (w->probing != NULL)
        FQ_TRY(fq_probing_add(w->probing, first, n, w->x, xhat, err));
    if (w->needle != NULL && first < pass->options->max_pairs)
        FQ_TRY(fq_needle_add(w->needle, n, NEEDLE_WINDOW, first, w->x, xhat, true, first / NEEDLE_WINDOW, 0, err));
    if (w->n_queries > 0 && first < pass->options->max_pairs)
        FQ_TRY(real_queries(w, n, xhat, err));
    return FQ_OK;
}

static int walk_range(struct walk *w, size_t begin, size_t end, struct fq_error *err) {
    for (size_t first = begin; first < end; first += w->chunk)
        FQ_TRY(walk_chunk(w, first, end - first < w->chunk ? end - first : w->chunk, err));
    return FQ_OK;
}

/* Halves of whole groups, each measured with what was learnt from the other. */
static int walk_learning(struct walk *w, struct fq_error *err) {
    const size_t n = w->pass->info->n, unit = chunk_unit(w->pass), half = n / 2 / unit * unit;
    const size_t begin[] = {0, half}, end[] = {half, n};
    for (size_t part = half > 0 ? 0 : 1; part < 2; part++) {
        const size_t from = half > 0 ? 1 - part : 1;
        fq_training_begin(&w->training, 0, 0);
        FQ_TRY(fq_training_add(&w->training, begin[from], end[from] - begin[from], err));
        FQ_TRY(fq_training_end(&w->training,
                               half > 0 ? "the other half of the set" : "the measured set itself, too small for halves",
                               err));
        FQ_TRY(walk_range(w, begin[part], end[part], err));
    }
    return FQ_OK;
}

static int walk_all(struct walk *w, struct fq_error *err) {
    FQ_TRY(walk_open(w, err));
    FQ_TRY(w->training.learns ? walk_learning(w, err) : walk_range(w, 0, w->pass->info->n, err));
    if (w->probing != NULL)
        FQ_TRY(fq_probing_finish(w->probing, err));
    for (size_t i = 0; i < w->n_queries; i++)
        FQ_TRY(fq_regression_push(w->pass, &w->regression, &w->regressions[i], i, err));
    return FQ_OK;
}

int fq_measure_vectors(const struct measure_pass *pass, struct fq_error *err) {
    struct walk w = {.pass = pass};
    const int code = walk_all(&w, err);
    walk_close(&w);
    return code;
}
