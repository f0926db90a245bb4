/* Time per stage: one warm, watched block. The caller interleaves methods, blocks and processes; nothing here picks a
 * best run.
 *
 * A round is one encode (with its rotation), one decode, all scores and one attend over the same vectors. Warm-up ends
 * when three rounds in a row agree within 5 %, or at a limit that is recorded. */
#include "harness/measure/measures.h"

#include "harness/base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct fq_codec *codec;
    size_t n, n_queries;
    const float *x, *q;
    float *xhat, *scores, *weights, *out;
    bool attends; /* with a kernel of its own; the harness's decode-and-sum would be charged to decode */
};

void fq_speed_options_default(struct fq_speed_options *options) {
    *options = (struct fq_speed_options){.warmup_limit_ns = 200000000, .block_ns = 20000000};
}

static int bench_open(struct bench *b, struct fq_error *err) {
    const struct fq_codec_config *config = fq_codec_configuration(b->codec);
    const size_t dim = config->shape.dim;
    b->attends = config->method->kernels[config->backend]->attend != NULL;
    b->xhat = malloc(b->n * dim * sizeof *b->xhat);
    b->scores = malloc((b->n_queries * b->n + 1) * sizeof *b->scores);
    b->weights = malloc(b->n * sizeof *b->weights);
    b->out = malloc(dim * sizeof *b->out);
    if (b->xhat == NULL || b->scores == NULL || b->weights == NULL || b->out == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: timing %zu vectors of dimension %zu", b->n, dim);
    for (size_t i = 0; i < b->n; i++)
        b->weights[i] = 1.0F / (float)b->n;
    return FQ_OK;
}

static void bench_close(struct bench *b) {
    free(b->xhat);
    free(b->scores);
    free(b->weights);
    free(b->out);
}

static int bench_round(const struct bench *b, struct fq_error *err) {
    FQ_TRY(fq_codec_encode(b->codec, b->n, b->x, err));
    if (fq_codec_has(b->codec, FQ_STAGE_DECODE))
        FQ_TRY(fq_codec_decode(b->codec, b->xhat, err));
    if (b->n_queries > 0 && fq_codec_has(b->codec, FQ_STAGE_SCORE))
        FQ_TRY(fq_codec_scores(b->codec, b->n_queries, b->q, b->scores, err));
    if (b->attends)
        FQ_TRY(fq_codec_attend(b->codec, b->weights, b->out, err));
    return FQ_OK;
}

static int warm_up(const struct bench *b, const struct fq_speed_options *options, struct fq_speed_facts *facts,
                   struct fq_error *err) {
    const uint64_t start = fq_now_ns();
    double before = 0.0;
    int calm = 0;
    while (calm < 2) { /* two agreements in a row: three rounds agree */
        const uint64_t round_start = fq_now_ns();
        FQ_TRY(bench_round(b, err));
        const double elapsed_ns = (double)(fq_now_ns() - round_start);
        calm = before > 0.0 && fabs(elapsed_ns - before) <= 0.05 * before ? calm + 1 : 0;
        before = elapsed_ns;
        facts->warmup_rounds++;
        if (calm < 2 && fq_now_ns() - start >= options->warmup_limit_ns)
            return FQ_OK;
    }
    facts->warmup_stable = true;
    return FQ_OK;
}

/* Bytes that a stage must at least read and write per unit (vector, query or pair), by the shapes of the contract. */
static double bytes_moved(const struct fq_codec *codec, enum fq_stage stage, double scored_per_query) {
    const struct fq_footprint *f = fq_codec_footprint(codec);
    const double floats = (double)sizeof(float), dim = (double)fq_codec_configuration(codec)->shape.dim;
    const double work = (double)f->work_dim, record = (double)f->record_bytes / (double)f->granularity;
    switch (stage) {
    case FQ_STAGE_ROTATE:
        return floats * (dim + work);
    case FQ_STAGE_ENCODE:
        return floats * work + record;
    case FQ_STAGE_PREPARE:
        return floats * dim + (double)f->prepared_bytes;
    case FQ_STAGE_SCORE: /* a record is read and a score written; the query is read once for all its pairs */
        return record + floats + (double)f->prepared_bytes / scored_per_query;
    case FQ_STAGE_DECODE:
        return record + floats * dim;
    case FQ_STAGE_ATTEND:
        return record + floats;
    case FQ_STAGES:
        break;
    }
    return 0.0;
}

static int push(struct fq_series_list *list, const char *prefix, enum fq_stage stage, const char *tensor,
                const char *unit, double value, const struct fq_speed_options *options, struct fq_error *err) {
    char metric[40];
    snprintf(metric, sizeof metric, "%s_%s", prefix, fq_stage_name(stage));
    struct fq_series *s = fq_series_add(list, metric, tensor, unit, "median", "process and block", err);
    if (s == NULL)
        return err->code;
    return fq_series_push(s, value, 1.0, options->process, options->block, err);
}

static int push_stages(const struct bench *b, const char *tensor, const struct fq_speed_options *options,
                       const struct fq_stage_times *times, struct fq_series_list *list, struct fq_error *err) {
    static const char *const units[FQ_STAGES] = {"ns/vector", "ns/vector", "ns/query",
                                                 "ns/pair",   "ns/vector", "ns/vector"};
    for (int i = 0; i < FQ_STAGES; i++) {
        const enum fq_stage stage = (enum fq_stage)i;
        if (times->vectors[i] == 0)
            continue; /* the method has no such kernel */
        const double ns = (double)times->ns[i] / (double)times->vectors[i];
        const double bytes = bytes_moved(b->codec, stage, (double)b->n);
        const double units_per_round = stage == FQ_STAGE_PREPARE ? (double)b->n_queries : (double)b->n;
        struct fq_floors floors;
        FQ_TRY(fq_floors_measure((size_t)(bytes * units_per_round), &floors, err));
        const double floor_ns = bytes / floors.bytes_per_ns;
        FQ_TRY(push(list, "ns", stage, tensor, units[i], ns, options, err));
        FQ_TRY(push(list, "bytes_moved", stage, tensor, "bytes", bytes, options, err));
        FQ_TRY(push(list, "floor_ns", stage, tensor, units[i], floor_ns, options, err));
        if (floor_ns > 0.0)
            FQ_TRY(push(list, "over_floor", stage, tensor, "1", ns / floor_ns, options, err));
    }
    return FQ_OK;
}

static int timed_block(const struct bench *b, const struct fq_speed_options *options, struct fq_stage_times *times,
                       struct fq_speed_facts *facts, struct fq_error *err) {
    fq_codec_times(b->codec, times, 1); /* what the warm-up took counts for nothing */
    struct fq_watch *watch = fq_watch_begin();
    if (watch == NULL)
        return fq_fail(err, FQ_FAILED, "the watcher thread cannot start; raise the limit on processes (ulimit -u)");
    const uint64_t start = fq_now_ns();
    int code = FQ_OK;
    do {
        code = bench_round(b, err);
        facts->rounds++;
    } while (code == FQ_OK && fq_now_ns() - start < options->block_ns);
    fq_watch_end(watch, &facts->watch);
    fq_codec_times(b->codec, times, 1);
    return code;
}

int fq_measure_speed(struct fq_codec *codec, size_t n, const float *x, size_t n_queries, const float *q,
                     const char *tensor, const struct fq_speed_options *options, struct fq_series_list *list,
                     struct fq_speed_facts *facts, struct fq_error *err) {
    struct bench b = {.codec = codec, .n = n, .n_queries = n_queries, .x = x, .q = q};
    struct fq_floors floors;
    struct fq_stage_times times;
    memset(facts, 0, sizeof *facts);
    FQ_TRY(fq_floors_measure(2 * n * fq_codec_configuration(codec)->shape.dim * sizeof(float), &floors, err));
    facts->read_gb_per_s = floors.bytes_per_ns;
    facts->multiply_add_gop_per_s = floors.multiply_adds_per_ns;
    facts->clock_overhead_ns = fq_clock_overhead_ns();
    int code = bench_open(&b, err);
    if (code == FQ_OK)
        code = warm_up(&b, options, facts, err);
    if (code == FQ_OK)
        code = timed_block(&b, options, &times, facts, err);
    if (code == FQ_OK)
        code = push_stages(&b, tensor, options, &times, list, err);
    bench_close(&b);
    return code;
}
