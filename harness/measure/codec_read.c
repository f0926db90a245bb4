/* Reading codes back: decode, scores, attend. Every output passes through a canaried buffer of the harness before it
 * reaches the caller, and a value that is not finite is an error that names vector and coordinate.
 *
 * Vectors of the float16 tail (those that fill no group) are answered by the harness itself. */
#include "harness/measure/codec_internal.h"

#include "harness/base/half.h"
#include "harness/measure/probe_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_QUERY_CHUNK = 64 };

size_t fq_codec_query_chunk(const struct fq_codec *codec) {
    const size_t bytes = codec->footprint.prepared_bytes > 0 ? codec->footprint.prepared_bytes : 1;
    const size_t fit = CODEC_CHUNK_BYTES / bytes;
    return fit < 1 ? 1 : fit > MAX_QUERY_CHUNK ? MAX_QUERY_CHUNK : fit;
}

/* Floats in the score buffer: all queries of a chunk against the room's groups, but not more than one chunk's bytes,
 * and never less than one group for each query. */
static size_t score_room(const struct fq_codec *codec) {
    const size_t least = fq_codec_query_chunk(codec) * codec->footprint.granularity;
    const size_t usual = CODEC_CHUNK_BYTES / sizeof(float), all = least * codec->room_groups;
    return least > usual ? least : all < usual ? all : usual;
}

int fq_codec_room(struct fq_codec *codec, size_t n_groups, struct fq_error *err) {
    size_t groups = n_groups < codec->chunk_groups ? n_groups : codec->chunk_groups;
    if (groups == 0)
        groups = 1;
    if (groups <= codec->room_groups)
        return FQ_OK;
    struct fq_arena *arena = fq_arena_new("stage buffers");
    if (arena == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: stage buffers of %s", codec->config.method->name);
    fq_arena_free(codec->work_arena);
    codec->work_arena = arena;
    codec->rotated = codec->decoded = codec->scored = codec->partial = NULL;
    codec->prepared = NULL;
    codec->room_groups = groups;
    return FQ_OK;
}

/* A stage buffer, taken on first use: a sketch without decode never pays for a decode buffer. */
int fq_codec_buffer(struct fq_codec *codec, enum codec_buffer which, struct fq_error *err) {
    const size_t vectors = codec->room_groups * codec->footprint.granularity, dim = codec->config.shape.dim;
    void *taken = codec;
    switch (which) {
    case CODEC_ROTATED:
        if (codec->rotated == NULL)
            taken = codec->rotated = fq_arena_take(codec->work_arena, "rotated vectors",
                                                   vectors * codec->footprint.work_dim * sizeof(float), err);
        break;
    case CODEC_DECODED:
        if (codec->decoded == NULL)
            taken = codec->decoded =
                fq_arena_take(codec->work_arena, "decoded vectors", vectors * dim * sizeof(float), err);
        break;
    case CODEC_SCORED:
        if (codec->scored == NULL)
            taken = codec->scored = fq_arena_take(codec->work_arena, "scores", score_room(codec) * sizeof(float), err);
        break;
    case CODEC_PREPARED:
        if (codec->prepared == NULL)
            taken = codec->prepared = fq_arena_take(codec->work_arena, "prepared queries",
                                                    fq_codec_query_chunk(codec) * codec->footprint.prepared_bytes, err);
        break;
    case CODEC_PARTIAL:
        if (codec->partial == NULL || codec->partial_workers < codec->n_workers) {
            taken = codec->partial =
                fq_arena_take(codec->work_arena, "partial sums", codec->n_workers * dim * sizeof(float), err);
            codec->partial_workers = codec->n_workers;
        }
        break;
    }
    return taken != NULL ? FQ_OK : err->code;
}

bool fq_codec_has(const struct fq_codec *codec, enum fq_stage stage) {
    const struct fq_kernels *k = codec->kernels;
    switch (stage) {
    case FQ_STAGE_ROTATE:
        return k->rotate != NULL;
    case FQ_STAGE_ENCODE:
        return true;
    case FQ_STAGE_PREPARE:
        return k->prepare != NULL;
    case FQ_STAGE_SCORE:
        return k->score != NULL && k->prepare != NULL;
    case FQ_STAGE_DECODE:
        return k->decode != NULL;
    case FQ_STAGE_ATTEND:
        return k->attend != NULL || k->decode != NULL;
    case FQ_STAGES:
        break;
    }
    return false;
}

static int need(const struct fq_codec *codec, enum fq_stage stage, struct fq_error *err) {
    if (fq_codec_has(codec, stage))
        return FQ_OK;
    return fq_fail(err, FQ_USAGE, "%s has no %s stage; leave out the metrics that need it", codec->config.method->name,
                   fq_stage_name(stage));
}

static int need_codes(const struct fq_codec *codec, struct fq_error *err) {
    if (codec->n > 0)
        return FQ_OK;
    return fq_fail(err, FQ_USAGE, "%s: nothing is encoded yet", codec->config.method->name);
}

static int finite_output(const struct fq_codec *codec, enum fq_stage stage, const float *v, size_t rows, size_t columns,
                         size_t first_row, struct fq_error *err) {
    for (size_t i = 0; i < rows * columns; i++)
        if (!isfinite(v[i]))
            return fq_fail(err, FQ_FAILED, "%s: %s gave %s for vector %zu, coordinate %zu, from finite input",
                           codec->config.method->name, fq_stage_name(stage), isnan(v[i]) ? "NaN" : "Inf",
                           first_row + i / columns, i % columns);
    return FQ_OK;
}

static void tail_vector(const struct fq_codec *codec, size_t i, float *x) {
    const size_t dim = codec->config.shape.dim;
    for (size_t j = 0; j < dim; j++)
        x[j] = fq_half_to_float(codec->tail[i * dim + j]);
}

static float tail_score(const struct fq_codec *codec, size_t i, const float *q) {
    const size_t dim = codec->config.shape.dim;
    double sum = 0.0;
    for (size_t j = 0; j < dim; j++)
        sum += (double)q[j] * (double)fq_half_to_float(codec->tail[i * dim + j]);
    return (float)sum;
}

/* ---- decode -----------------------------------------------------------------------------------------------------*/

/* One chunk into codec->decoded. */
static int decode_chunk(struct fq_codec *codec, size_t groups, const uint8_t *records, struct fq_error *err) {
    const struct codec_job job = {
        .stage = FQ_STAGE_DECODE, .units = groups, .records = records, .out = codec->decoded, .timed = true};
    FQ_TRY(fq_codec_stage(codec, &job, err));
    codec->times.vectors[FQ_STAGE_DECODE] += groups * codec->footprint.granularity;
    return FQ_OK;
}

int fq_codec_decode_from(struct fq_codec *codec, size_t n_groups, const uint8_t *records, float *x,
                         struct fq_error *err) {
    const size_t g = codec->footprint.granularity, dim = codec->config.shape.dim;
    FQ_TRY(fq_codec_room(codec, n_groups, err));
    FQ_TRY(fq_codec_buffer(codec, CODEC_DECODED, err));
    for (size_t first = 0; first < n_groups; first += codec->room_groups) {
        const size_t left = n_groups - first, groups = left < codec->room_groups ? left : codec->room_groups;
        FQ_TRY(decode_chunk(codec, groups, records + first * codec->footprint.record_bytes, err));
        memcpy(x + first * g * dim, codec->decoded, groups * g * dim * sizeof *x);
    }
    return FQ_OK;
}

int fq_codec_decode(struct fq_codec *codec, float *xhat, struct fq_error *err) {
    const size_t dim = codec->config.shape.dim, whole = codec->n - codec->n_tail;
    FQ_TRY(need(codec, FQ_STAGE_DECODE, err));
    FQ_TRY(need_codes(codec, err));
    FQ_TRY(fq_codec_decode_from(codec, codec->n_groups, codec->records, xhat, err));
    FQ_TRY(finite_output(codec, FQ_STAGE_DECODE, xhat, whole, dim, 0, err));
    for (size_t i = 0; i < codec->n_tail; i++)
        tail_vector(codec, i, xhat + (whole + i) * dim);
    fq_witness_decoded(codec, xhat);
    return FQ_OK;
}

/* ---- scores -----------------------------------------------------------------------------------------------------*/

static int prepare_queries(struct fq_codec *codec, size_t n, const float *q, bool timed, struct fq_error *err) {
    const struct codec_job job = {
        .stage = FQ_STAGE_PREPARE, .units = n, .in = q, .prepared = codec->prepared, .timed = timed};
    FQ_TRY(fq_codec_stage(codec, &job, err));
    if (timed)
        codec->times.vectors[FQ_STAGE_PREPARE] += n;
    return FQ_OK;
}

/* Prepared queries against one block of groups at a time, small enough that all its scores fit the canaried buffer. */
static int score_block(struct fq_codec *codec, size_t queries, size_t first, size_t groups, const uint8_t *records,
                       float *scores, size_t stride, struct fq_error *err) {
    const size_t g = codec->footprint.granularity;
    const struct codec_job job = {.stage = FQ_STAGE_SCORE,
                                  .units = queries,
                                  .unit_groups = groups,
                                  .records = records + first * codec->footprint.record_bytes,
                                  .prepared = codec->prepared,
                                  .out = codec->scored,
                                  .score_stride = groups * g,
                                  .timed = true};
    FQ_TRY(fq_codec_stage(codec, &job, err));
    codec->times.vectors[FQ_STAGE_SCORE] += queries * groups * g;
    for (size_t i = 0; i < queries; i++)
        memcpy(scores + i * stride + first * g, codec->scored + i * groups * g, groups * g * sizeof *scores);
    return FQ_OK;
}

int fq_codec_scores_from(struct fq_codec *codec, size_t n_groups, const uint8_t *records, size_t n_queries,
                         const float *q, float *scores, size_t stride, struct fq_error *err) {
    const size_t dim = codec->config.shape.dim, chunk = fq_codec_query_chunk(codec);
    FQ_TRY(fq_codec_room(codec, n_groups, err));
    FQ_TRY(fq_codec_buffer(codec, CODEC_PREPARED, err));
    FQ_TRY(fq_codec_buffer(codec, CODEC_SCORED, err));
    for (size_t i = 0; i < n_queries; i += chunk) {
        const size_t queries = n_queries - i < chunk ? n_queries - i : chunk;
        FQ_TRY(prepare_queries(codec, queries, q + i * dim, true, err));
        const size_t block = score_room(codec) / (queries * codec->footprint.granularity);
        for (size_t first = 0; first < n_groups; first += block) {
            const size_t groups = n_groups - first < block ? n_groups - first : block;
            FQ_TRY(score_block(codec, queries, first, groups, records, scores + i * stride, stride, err));
        }
    }
    return FQ_OK;
}

int fq_codec_scores(struct fq_codec *codec, size_t n_queries, const float *q, float *scores, struct fq_error *err) {
    const size_t dim = codec->config.shape.dim, whole = codec->n - codec->n_tail;
    FQ_TRY(need(codec, FQ_STAGE_SCORE, err));
    FQ_TRY(need_codes(codec, err));
    FQ_TRY(fq_codec_scores_from(codec, codec->n_groups, codec->records, n_queries, q, scores, codec->n, err));
    for (size_t i = 0; i < n_queries; i++)
        for (size_t t = 0; t < codec->n_tail; t++)
            scores[i * codec->n + whole + t] = tail_score(codec, t, q + i * dim);
    fq_witness_scored(codec, n_queries, q, scores, false);
    return finite_output(codec, FQ_STAGE_SCORE, scores, n_queries, codec->n, 0, err);
}

int fq_codec_scores_own(struct fq_codec *codec, const float *q, float *scores, struct fq_error *err) {
    const size_t dim = codec->config.shape.dim, g = codec->footprint.granularity;
    const size_t whole = codec->n - codec->n_tail;
    FQ_TRY(need(codec, FQ_STAGE_SCORE, err));
    FQ_TRY(need_codes(codec, err));
    FQ_TRY(fq_codec_buffer(codec, CODEC_PREPARED, err));
    FQ_TRY(fq_codec_buffer(codec, CODEC_SCORED, err));
    /* Chunks of whole groups, so that record i / g of the chunk is the one of vector i. */
    size_t chunk = fq_codec_query_chunk(codec) / g * g;
    const bool wide = chunk == 0; /* one group is wider than a query chunk: then query by query */
    if (wide)
        chunk = 1;
    for (size_t i = 0; i < whole; i += chunk) {
        const size_t queries = whole - i < chunk ? whole - i : chunk;
        FQ_TRY(prepare_queries(codec, queries, q + i * dim, false, err));
        const struct codec_job job = {.stage = FQ_STAGE_SCORE,
                                      .units = queries,
                                      .records = codec->records + i / g * codec->footprint.record_bytes,
                                      .prepared = codec->prepared,
                                      .out = codec->scored,
                                      .score_stride = g,
                                      .own = true};
        FQ_TRY(fq_codec_stage(codec, &job, err));
        for (size_t k = 0; k < queries; k++)
            scores[i + k] = codec->scored[k * g + (i + k) % g];
    }
    for (size_t t = 0; t < codec->n_tail; t++)
        scores[whole + t] = tail_score(codec, t, q + (whole + t) * dim);
    fq_witness_scored(codec, codec->n, q, scores, true);
    return finite_output(codec, FQ_STAGE_SCORE, scores, codec->n, 1, 0, err);
}

/* ---- attend -----------------------------------------------------------------------------------------------------*/

/* out += sum_i weight_i x_i in double: the sum is the harness's and must add no error of its own. */
static void add_weighted(size_t n, size_t dim, const float *weights, const float *x, double *sum) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < dim; j++)
            sum[j] += (double)weights[i] * (double)x[i * dim + j];
}

static int attend_chunk(struct fq_codec *codec, size_t groups, const uint8_t *records, const float *weights,
                        double *sum, struct fq_error *err) {
    const size_t dim = codec->config.shape.dim;
    if (codec->kernels->attend == NULL) {
        FQ_TRY(decode_chunk(codec, groups, records, err));
        add_weighted(groups * codec->footprint.granularity, dim, weights, codec->decoded, sum);
        return FQ_OK;
    }
    FQ_TRY(fq_codec_workers(codec, err));
    FQ_TRY(fq_codec_buffer(codec, CODEC_PARTIAL, err));
    memset(codec->partial, 0, codec->n_workers * dim * sizeof *codec->partial);
    const struct codec_job job = {.stage = FQ_STAGE_ATTEND,
                                  .units = groups,
                                  .records = records,
                                  .weights = weights,
                                  .out = codec->partial,
                                  .timed = true};
    FQ_TRY(fq_codec_stage(codec, &job, err));
    codec->times.vectors[FQ_STAGE_ATTEND] += groups * codec->footprint.granularity;
    for (unsigned w = 0; w < codec->n_workers; w++)
        for (size_t j = 0; j < dim; j++)
            sum[j] += (double)codec->partial[w * dim + j];
    return FQ_OK;
}

int fq_codec_attend(struct fq_codec *codec, const float *weights, float *out, struct fq_error *err) {
    const size_t dim = codec->config.shape.dim, g = codec->footprint.granularity;
    const size_t whole = codec->n - codec->n_tail;
    double sum[FQ_MAX_DIM] = {0};
    float tail[FQ_MAX_DIM] = {0};
    FQ_TRY(need(codec, FQ_STAGE_ATTEND, err));
    FQ_TRY(need_codes(codec, err));
    if (codec->kernels->attend == NULL)
        FQ_TRY(fq_codec_buffer(codec, CODEC_DECODED, err));
    for (size_t first = 0; first < codec->n_groups; first += codec->room_groups) {
        const size_t left = codec->n_groups - first, groups = left < codec->room_groups ? left : codec->room_groups;
        FQ_TRY(attend_chunk(codec, groups, codec->records + first * codec->footprint.record_bytes, weights + first * g,
                            sum, err));
    }
    for (size_t t = 0; t < codec->n_tail; t++) {
        tail_vector(codec, t, tail);
        add_weighted(1, dim, weights + whole + t, tail, sum);
    }
    for (size_t j = 0; j < dim; j++)
        out[j] = (float)sum[j];
    return finite_output(codec, FQ_STAGE_ATTEND, out, 1, dim, 0, err);
}
