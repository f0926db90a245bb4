/* Codes-only on the very batches of a measurement: one is kept while they go by, and examined afterwards.
 *
 * Which one is drawn as in reservoir sampling: the i-th batch replaces the one that is kept with probability 1 / i, so
 * that every batch is equally likely however many there are, and few are copied. Of the queries that met the kept batch
 * one is drawn in the same way. Nothing is copied inside a timed region: speed measurements have no witness, their last
 * batch is examined (fq_probe_last_batch). */
#include "harness/measure/probe.h"

#include "harness/base/random.h"
#include "harness/measure/codec_internal.h"
#include "harness/measure/probe_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_GROUPS = 3 }; /* encoded once more in a batch of their own */

struct fq_witness {
    uint64_t key, draws;
    uint64_t batches, kept; /* batches seen; number of the kept one */
    uint64_t scorings;      /* of the kept batch */
    bool current;           /* the codec's records are those of the kept batch */
    bool lacked_memory, has_decoded, has_query;
    size_t n, n_groups, query_vector; /* vectors in whole groups; query_vector: PROBE_ALL or the one it met */
    uint8_t *records, *shared;
    float *x, *decoded, *query, *scores;
};

static void forget(struct fq_witness *w) {
    free(w->records);
    free(w->shared);
    free(w->x);
    free(w->decoded);
    free(w->query);
    free(w->scores);
    w->records = w->shared = NULL;
    w->x = w->decoded = w->query = w->scores = NULL;
    w->has_decoded = w->has_query = w->current = false;
    w->scorings = 0;
}

void fq_witness_free(struct fq_witness *w) {
    if (w == NULL)
        return;
    forget(w);
    free(w);
}

/* True with probability 1 / n. */
static bool drawn(struct fq_witness *w, uint64_t n) {
    double u = 0.0;
    fq_random_uniform(w->key, w->draws++, 1, &u);
    return u * (double)n < 1.0;
}

static size_t draw_below(struct fq_witness *w, size_t n) {
    double u = 0.0;
    fq_random_uniform(w->key, w->draws++, 1, &u);
    const size_t i = (size_t)(u * (double)n);
    return i < n ? i : n - 1;
}

static void *copy_of(const void *from, size_t bytes) {
    void *to = malloc(bytes + 1);
    if (to != NULL && bytes > 0)
        memcpy(to, from, bytes);
    return to;
}

static void keep(struct fq_witness *w, const struct fq_codec *codec, const float *x) {
    const size_t dim = codec->config.shape.dim;
    forget(w);
    w->kept = w->batches;
    w->n_groups = codec->n_groups;
    w->n = codec->n_groups * codec->footprint.granularity;
    w->records = copy_of(codec->records, codec->n_groups * codec->footprint.record_bytes);
    w->shared = copy_of(codec->shared, codec->footprint.shared_bytes);
    w->x = copy_of(x, w->n * dim * sizeof *x);
    w->decoded = malloc((w->n * dim + 1) * sizeof *w->decoded);
    w->query = malloc(dim * sizeof *w->query);
    w->scores = calloc(w->n, sizeof *w->scores);
    w->lacked_memory = w->records == NULL || w->shared == NULL || w->x == NULL || w->decoded == NULL ||
                       w->query == NULL || w->scores == NULL;
    w->current = !w->lacked_memory;
}

void fq_witness_encoded(struct fq_codec *codec, const float *x) {
    struct fq_witness *w = codec->witness;
    if (w == NULL)
        return;
    w->current = false;
    if (codec->n_groups == 0)
        return;
    w->batches++;
    if (drawn(w, w->batches))
        keep(w, codec, x);
}

void fq_witness_decoded(struct fq_codec *codec, const float *xhat) {
    struct fq_witness *w = codec->witness;
    if (w == NULL || !w->current)
        return;
    memcpy(w->decoded, xhat, w->n * codec->config.shape.dim * sizeof *xhat);
    w->has_decoded = true;
}

void fq_witness_scored(struct fq_codec *codec, size_t n_queries, const float *q, const float *scores, bool own) {
    struct fq_witness *w = codec->witness;
    if (w == NULL || !w->current || n_queries == 0 || !drawn(w, ++w->scorings))
        return;
    const size_t dim = codec->config.shape.dim, i = draw_below(w, own ? w->n : n_queries);
    memcpy(w->query, q + i * dim, dim * sizeof *q);
    memset(w->scores, 0, w->n * sizeof *w->scores);
    if (own)
        w->scores[i] = scores[i];
    else
        memcpy(w->scores, scores + i * codec->n, w->n * sizeof *scores); /* without the float16 tail */
    w->query_vector = own ? i : PROBE_ALL;
    w->has_query = true;
}

int fq_witness_begin(struct fq_codec *codec, uint64_t draw, struct fq_error *err) {
    fq_witness_free(codec->witness);
    codec->witness = calloc(1, sizeof *codec->witness);
    if (codec->witness == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: a witness of %s", codec->config.method->name);
    codec->witness->key = fq_stream_key("sample", draw);
    return FQ_OK;
}

bool fq_witness_present(const struct fq_codec *codec) {
    return codec->witness != NULL;
}

/* ---- afterwards --------------------------------------------------------------------------------------------------*/

static void compare_consumed(const struct fq_witness *w, const struct probe_reading *there, size_t dim,
                             char sentence[FQ_PROBE_SENTENCE]) {
    for (size_t i = 0; w->has_decoded && sentence[0] == '\0' && i < w->n * dim; i++)
        if (memcmp(&w->decoded[i], &there->decoded[i], sizeof(float)) != 0)
            snprintf(sentence, FQ_PROBE_SENTENCE,
                     "the measurement was given other values than a fresh process decodes from the codes: vector %zu, "
                     "coordinate %zu is %.9g, then %.9g",
                     i / dim, i % dim, (double)w->decoded[i], (double)there->decoded[i]);
    for (size_t i = 0; w->has_query && sentence[0] == '\0' && i < w->n; i++) {
        const bool met = w->query_vector == PROBE_ALL || w->query_vector == i;
        if (met && memcmp(&w->scores[i], &there->asked[i], sizeof(float)) != 0)
            snprintf(sentence, FQ_PROBE_SENTENCE,
                     "the measurement was given other scores than a fresh process finds in the codes: vector %zu gives "
                     "%.9g, then %.9g",
                     i, (double)w->scores[i], (double)there->asked[i]);
    }
}

/* A few groups of the batch in a batch of their own: the same vectors, so the same bytes. */
static int encode_again(struct fq_codec *codec, struct fq_witness *w, char sentence[FQ_PROBE_SENTENCE],
                        struct fq_error *err) {
    const size_t g = codec->footprint.granularity, record = codec->footprint.record_bytes;
    const size_t groups = w->n_groups < AGAIN_GROUPS ? w->n_groups : AGAIN_GROUPS;
    const size_t first = draw_below(w, w->n_groups - groups + 1);
    FQ_TRY(fq_codec_encode(codec, groups * g, w->x + first * g * codec->config.shape.dim, err));
    if (sentence[0] == '\0' && groups * record > 0 &&
        memcmp(codec->records, w->records + first * record, groups * record) != 0)
        snprintf(sentence, FQ_PROBE_SENTENCE,
                 "the same vectors encode differently in a batch of %zu than in the measured one of %zu (from vector "
                 "%zu on)",
                 groups * g, w->n, first * g);
    return FQ_OK;
}

static int examine(struct fq_codec *codec, struct fq_witness *w, char sentence[FQ_PROBE_SENTENCE],
                   struct fq_error *err) {
    const size_t shared_bytes = codec->footprint.shared_bytes;
    const struct fq_bytes bytes = codec->bytes;
    const struct fq_stage_times times = codec->times;
    const struct probe_task task = {.n_groups = w->n_groups,
                                    .records = w->records,
                                    .query = w->has_query ? w->query : NULL,
                                    .own = w->has_query ? w->query_vector : PROBE_ALL};
    struct probe_reading here = {0}, there = {0};
    int code = fq_probe_elsewhere(codec, &task, w->shared, &there, sentence, err);
    if (code == FQ_OK && shared_bytes > 0 && memcmp(codec->shared, w->shared, shared_bytes) != 0)
        fq_codec_put_shared(codec, w->shared); /* of another matrix by now, if the codec learns */
    if (code == FQ_OK)
        code = fq_probe_read(codec, &task, &here, err);
    if (code == FQ_OK) {
        fq_probe_compare(&here, &there, "in a fresh process", sentence);
        compare_consumed(w, &there, codec->config.shape.dim, sentence);
        code = encode_again(codec, w, sentence, err);
    }
    fq_probe_reading_free(&here);
    fq_probe_reading_free(&there);
    codec->bytes = bytes;
    codec->times = times;
    codec->n = codec->n_groups = codec->n_tail = 0; /* the records are another batch's now */
    return code;
}

int fq_witness_end(struct fq_codec *codec, char *what, size_t what_size, char sentence[FQ_PROBE_SENTENCE],
                   struct fq_error *err) {
    struct fq_witness *w = codec->witness;
    int code = FQ_OK;
    codec->witness = NULL;
    sentence[0] = '\0';
    if (w == NULL)
        return fq_fail(err, FQ_FAILED, "%s: no witness was begun", codec->config.method->name);
    if (what != NULL)
        snprintf(what, what_size, "no whole group");
    if (w->lacked_memory) {
        code =
            fq_fail(err, FQ_FAILED, "out of memory: the codes-only probe of a batch of %s", codec->config.method->name);
    } else if (w->records != NULL) {
        if (what != NULL)
            snprintf(what, what_size, "batch %llu of %llu, %zu vectors", (unsigned long long)w->kept,
                     (unsigned long long)w->batches, w->n);
        code = examine(codec, w, sentence, err);
    }
    fq_witness_free(w);
    return code;
}

int fq_probe_last_batch(struct fq_codec *codec, size_t n, const float *x, uint64_t draw,
                        char sentence[FQ_PROBE_SENTENCE], struct fq_error *err) {
    sentence[0] = '\0';
    if (codec->n != n)
        return fq_fail(err, FQ_FAILED, "%s: the last batch had %zu vectors, not %zu", codec->config.method->name,
                       codec->n, n);
    FQ_TRY(fq_witness_begin(codec, draw, err));
    fq_witness_encoded(codec, x); /* the first batch is always kept */
    return fq_witness_end(codec, NULL, 0, sentence, err);
}
