/* Kernel calls: one per worker and stage, over whole groups, with scratch poisoned before and everything looked at
 * after. Here and nowhere else does the harness call a method's kernels on behalf of a measurement.
 *
 * The time of a stage is the wall time the slowest worker spent inside kernel calls: poisoning scratch is the harness's
 * own work and must not be charged to a method that asks for much of it. */
#include "harness/measure/codec_internal.h"

#include "harness/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stage_run {
    struct fq_codec *codec;
    const struct codec_job *job;
    size_t grain; /* units of one slice; slices begin at its multiples */
};

struct fq_call fq_codec_call(const struct fq_codec *codec, unsigned worker) {
    return (struct fq_call){.params = &codec->config.params,
                            .shape = codec->config.shape,
                            .footprint = &codec->footprint,
                            .shared = codec->shared,
                            .scratch = codec->scratch[worker],
                            .stream = NULL};
}

void fq_codec_fill_scratch(const struct fq_codec *codec, unsigned worker) {
    if (codec->scratch_byte < 0)
        fq_arena_poison(codec->scratch_arena, codec->scratch[worker]);
    else if (codec->footprint.scratch_bytes > 0)
        memset(codec->scratch[worker], codec->scratch_byte, codec->footprint.scratch_bytes);
}

/* Scratch and bookkeeping for as many workers as the pool has now. */
int fq_codec_workers(struct fq_codec *codec, struct fq_error *err) {
    const unsigned threads = fq_pool_threads() > 0 ? fq_pool_threads() : 1;
    if (threads <= codec->n_workers)
        return FQ_OK;
    fq_arena_free(codec->scratch_arena);
    free(codec->scratch);
    free(codec->worker_ns);
    free(codec->worker_bad);
    codec->n_workers = 0;
    codec->scratch_arena = fq_arena_new("scratch");
    codec->scratch = calloc(threads, sizeof *codec->scratch);
    codec->worker_ns = calloc(threads, sizeof *codec->worker_ns);
    codec->worker_bad = calloc(threads, sizeof *codec->worker_bad);
    if (codec->scratch_arena == NULL || codec->scratch == NULL || codec->worker_ns == NULL || codec->worker_bad == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: scratch of %u workers", threads);
    for (unsigned w = 0; w < threads; w++) {
        codec->scratch[w] =
            fq_arena_take(codec->scratch_arena, "scratch of one worker", codec->footprint.scratch_bytes, err);
        if (codec->scratch[w] == NULL)
            return err->code;
    }
    codec->n_workers = threads;
    return FQ_OK;
}

static void note(struct fq_codec *codec, char *slot, const char *sentence) {
    if (slot[0] != '\0')
        return; /* the first violation of a kind is the one to read; later ones follow from it */
    snprintf(slot, CODEC_SENTENCE, "%s", sentence);
    const size_t used = strlen(codec->complaint);
    snprintf(codec->complaint + used, sizeof codec->complaint - used, "%s%s", used > 0 ? "; " : "", sentence);
}

void fq_codec_inspect(struct fq_codec *codec, enum fq_stage stage) {
    char sentence[CODEC_SENTENCE];
    const struct fq_arena *arenas[] = {codec->record_arena, codec->scratch_arena, codec->work_arena,
                                       codec->shared_arena};
    for (size_t i = 0; i < sizeof arenas / sizeof arenas[0] && codec->canaries[0] == '\0'; i++) {
        struct fq_error seen = {0};
        if (arenas[i] != NULL && fq_arena_check(arenas[i], &seen) != FQ_OK) {
            snprintf(sentence, sizeof sentence, "%s during %s: %.200s", codec->config.method->name,
                     fq_stage_name(stage), seen.text);
            note(codec, codec->canaries, sentence);
        }
    }
    const size_t bytes = codec->footprint.shared_bytes;
    if (codec->shared_state[0] == '\0' && bytes > 0 && memcmp(codec->shared, codec->shared_copy, bytes) != 0) {
        size_t at = 0;
        while (((const unsigned char *)codec->shared)[at] == codec->shared_copy[at])
            at++;
        snprintf(sentence, sizeof sentence, "%s wrote into its shared state during %s: byte %zu of %zu changed",
                 codec->config.method->name, fq_stage_name(stage), at, bytes);
        note(codec, codec->shared_state, sentence);
    }
    if (codec->promise[0] == '\0' && codec->extent > codec->footprint.record_bytes) {
        snprintf(sentence, sizeof sentence, "%s promises %zu bytes a record and writes %zu", codec->config.method->name,
                 codec->footprint.record_bytes, codec->extent);
        note(codec, codec->promise, sentence);
    }
}

static void score_units(const struct stage_run *run, unsigned worker, const struct fq_call *call, size_t begin,
                        size_t end) {
    const struct fq_codec *codec = run->codec;
    const struct codec_job *job = run->job;
    const size_t g = codec->footprint.granularity, record = codec->footprint.record_bytes;
    for (size_t i = begin; i < end; i++) {
        const uint8_t *prepared = (const uint8_t *)job->prepared + i * codec->footprint.prepared_bytes;
        const uint8_t *records = job->own ? job->records + i / g * record : job->records;
        fq_codec_fill_scratch(codec, worker);
        const uint64_t start = fq_now_ns();
        codec->kernels->score(call, prepared, job->own ? 1 : job->unit_groups, records,
                              job->out + i * job->score_stride);
        codec->worker_ns[worker] += fq_now_ns() - start;
    }
}

static void stage_work(void *arg, unsigned worker, size_t begin, size_t end) {
    const struct stage_run *run = arg;
    const struct fq_codec *codec = run->codec;
    const struct codec_job *job = run->job;
    const struct fq_kernels *k = codec->kernels;
    const struct fq_footprint *f = &codec->footprint;
    const size_t dim = codec->config.shape.dim, g = f->granularity, n = end - begin;
    if (begin >= end)
        return;
    const struct fq_call call = fq_codec_call(codec, worker);
    if (job->stage == FQ_STAGE_SCORE) {
        score_units(run, worker, &call, begin, end);
        return;
    }
    fq_codec_fill_scratch(codec, worker);
    size_t done = n;
    const uint64_t start = fq_now_ns();
    switch (job->stage) {
    case FQ_STAGE_ROTATE:
        k->rotate(&call, n, job->in + begin * dim, job->out + begin * f->work_dim);
        break;
    case FQ_STAGE_ENCODE:
        done = k->encode(&call, n, job->in + begin * g * f->work_dim, job->encoded + begin * f->record_bytes);
        break;
    case FQ_STAGE_PREPARE:
        k->prepare(&call, n, job->in + begin * dim, (uint8_t *)job->prepared + begin * f->prepared_bytes);
        break;
    case FQ_STAGE_DECODE:
        k->decode(&call, n, job->records + begin * f->record_bytes, job->out + begin * g * dim);
        break;
    case FQ_STAGE_ATTEND:
        k->attend(&call, n, job->records + begin * f->record_bytes, job->weights + begin * g,
                  job->out + begin / run->grain * dim); /* by slice: one worker may get two */
        break;
    case FQ_STAGE_SCORE:
    case FQ_STAGES:
        break;
    }
    codec->worker_ns[worker] += fq_now_ns() - start;
    if (done < n && begin + done < codec->worker_bad[worker])
        codec->worker_bad[worker] = begin + done;
}

int fq_codec_stage(struct fq_codec *codec, const struct codec_job *job, struct fq_error *err) {
    FQ_TRY(fq_codec_workers(codec, err));
    const unsigned threads = fq_pool_threads() > 0 ? fq_pool_threads() : 1;
    for (unsigned w = 0; w < codec->n_workers; w++) {
        codec->worker_ns[w] = 0;
        codec->worker_bad[w] = SIZE_MAX;
    }
    struct stage_run run = {codec, job, (job->units + threads - 1) / threads};
    if (job->units > 0)
        fq_pool_run(job->units, run.grain, stage_work, &run);
    if (job->timed) {
        uint64_t slowest = 0;
        for (unsigned w = 0; w < codec->n_workers; w++)
            slowest = codec->worker_ns[w] > slowest ? codec->worker_ns[w] : slowest;
        codec->times.ns[job->stage] += slowest;
    }
    fq_codec_inspect(codec, job->stage);
    return FQ_OK;
}
