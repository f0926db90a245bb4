/* Codes-only, seen from inside the process: everything that encode could have kept is overwritten before the copied
 * records are decoded. The out-of-process probe is in probe_process.c. */
#include "harness/measure/probe.h"

#include "harness/measure/codec_internal.h"
#include "harness/measure/probe_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCRATCH_ONE = 0x11, SCRATCH_TWO = 0x77 };

void fq_probe_query(size_t dim, float *q) {
    for (size_t j = 0; j < dim; j++)
        q[j] = (float)cos(0.9 * (double)j + 0.2); /* the query of methods.md, appendix B: no coordinate is special */
}

int fq_probe_reading_new(const struct fq_codec *codec, const struct probe_task *task, struct probe_reading *r,
                         struct fq_error *err) {
    const size_t n = task->n_groups * codec->footprint.granularity, dim = codec->config.shape.dim;
    *r = (struct probe_reading){.n = n,
                                .dim = dim,
                                .n_values = n * dim + 2 * n + dim,
                                .has_decode = fq_codec_has(codec, FQ_STAGE_DECODE),
                                .has_score = fq_codec_has(codec, FQ_STAGE_SCORE),
                                .has_attend = codec->kernels->attend != NULL};
    r->has_query = r->has_score && task->query != NULL;
    r->values = calloc(r->n_values, sizeof *r->values);
    if (r->values == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: the codes-only probe of %zu vectors", n);
    r->decoded = r->values;
    r->scores = r->decoded + n * dim;
    r->asked = r->scores + n;
    r->attended = r->asked + n;
    return FQ_OK;
}

void fq_probe_reading_free(struct probe_reading *r) {
    free(r->values);
    memset(r, 0, sizeof *r);
}

/* The measurement's own query, as it was asked: of all records, or of the one of its vector. */
static int ask(struct fq_codec *codec, const struct probe_task *task, struct probe_reading *r, struct fq_error *err) {
    const size_t g = codec->footprint.granularity;
    if (task->own == PROBE_ALL)
        return fq_codec_scores_from(codec, task->n_groups, task->records, 1, task->query, r->asked, r->n, err);
    const size_t group = task->own / g;
    return fq_codec_scores_from(codec, 1, task->records + group * codec->footprint.record_bytes, 1, task->query,
                                r->asked + group * g, g, err);
}

/* One kernel call over all records: sums of slices would depend on the number of threads, which is not what is asked
 * here. */
static int attend(struct fq_codec *codec, const struct probe_task *task, struct probe_reading *r,
                  struct fq_error *err) {
    FQ_TRY(fq_codec_workers(codec, err));
    float *weights = malloc((r->n + 1) * sizeof *weights);
    if (weights == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: the codes-only probe of %zu vectors", r->n);
    for (size_t i = 0; i < r->n; i++)
        weights[i] = 1.0F / (float)(i + 1);
    const struct fq_call call = fq_codec_call(codec, 0);
    fq_codec_fill_scratch(codec, 0);
    codec->kernels->attend(&call, task->n_groups, task->records, weights, r->attended);
    free(weights);
    fq_codec_inspect(codec, FQ_STAGE_ATTEND);
    return FQ_OK;
}

int fq_probe_read(struct fq_codec *codec, const struct probe_task *task, struct probe_reading *r,
                  struct fq_error *err) {
    FQ_TRY(fq_probe_reading_new(codec, task, r, err));
    int code = FQ_OK;
    if (r->has_decode)
        code = fq_codec_decode_from(codec, task->n_groups, task->records, r->decoded, err);
    float *q = malloc(r->dim * sizeof *q);
    if (q == NULL)
        code = fq_fail(err, FQ_FAILED, "out of memory: the codes-only probe's query");
    if (code == FQ_OK && r->has_score) {
        fq_probe_query(r->dim, q);
        code = fq_codec_scores_from(codec, task->n_groups, task->records, 1, q, r->scores, r->n, err);
    }
    free(q);
    if (code == FQ_OK && r->has_query)
        code = ask(codec, task, r, err);
    if (code == FQ_OK && r->has_attend)
        code = attend(codec, task, r, err);
    return code;
}

static void compare_rows(const float *a, const float *b, size_t n, const char *verb, const char *circumstance,
                         char sentence[FQ_PROBE_SENTENCE]) {
    for (size_t i = 0; i < n && sentence[0] == '\0'; i++)
        if (memcmp(&a[i], &b[i], sizeof(float)) != 0)
            snprintf(sentence, FQ_PROBE_SENTENCE, "the same codes %s differently %s: %s %zu gives %.9g, then %.9g",
                     verb, circumstance, strcmp(verb, "attend") == 0 ? "coordinate" : "vector", i, (double)a[i],
                     (double)b[i]);
}

void fq_probe_compare(const struct probe_reading *a, const struct probe_reading *b, const char *circumstance,
                      char sentence[FQ_PROBE_SENTENCE]) {
    if (sentence[0] != '\0')
        return;
    for (size_t i = 0; a->has_decode && i < a->n * a->dim; i++)
        if (memcmp(&a->decoded[i], &b->decoded[i], sizeof(float)) != 0) {
            snprintf(sentence, FQ_PROBE_SENTENCE,
                     "the same codes decode differently %s: vector %zu, coordinate %zu is %.9g, then %.9g",
                     circumstance, i / a->dim, i % a->dim, (double)a->decoded[i], (double)b->decoded[i]);
            return;
        }
    if (a->has_score)
        compare_rows(a->scores, b->scores, a->n, "score", circumstance, sentence);
    if (a->has_query)
        compare_rows(a->asked, b->asked, a->n, "score", circumstance, sentence);
    if (a->has_attend)
        compare_rows(a->attended, b->attended, a->dim, "attend", circumstance, sentence);
}

int fq_probe_groups(const struct fq_codec *codec, size_t n, size_t *groups, struct fq_error *err) {
    *groups = n / codec->footprint.granularity;
    if (*groups > 0)
        return FQ_OK;
    return fq_fail(err, FQ_USAGE, "%s: the codes-only probe needs at least one group of %zu vectors, got %zu",
                   codec->config.method->name, codec->footprint.granularity, n);
}

/* What the probe works with: copies, so that no pointer a method may have kept still holds what it held. */
struct probe_room {
    float *x;
    uint8_t *copy;
    size_t n, groups, record_bytes;
    struct probe_reading first, second, third;
};

static void room_free(struct probe_room *room) {
    free(room->x);
    free(room->copy);
    fq_probe_reading_free(&room->first);
    fq_probe_reading_free(&room->second);
    fq_probe_reading_free(&room->third);
}

static int read_records(struct fq_codec *codec, const struct probe_room *room, const uint8_t *records,
                        struct probe_reading *r, struct fq_error *err) {
    const struct probe_task task = {.n_groups = room->groups, .records = records, .own = PROBE_ALL};
    return fq_probe_read(codec, &task, r, err);
}

/* Another batch in the same memory: reversed order, other signs, another length. */
static void overwrite(struct probe_room *room, size_t dim, const float *x) {
    const size_t total = room->n * dim;
    for (size_t i = 0; i < total; i++)
        room->x[i] = x[total - 1 - i] * ((i % 3) == 0 ? -0.75F : 0.5F);
}

static int probe_moved(struct fq_codec *codec, struct probe_room *room, const float *x, char *sentence,
                       struct fq_error *err) {
    const size_t dim = codec->config.shape.dim;
    memcpy(room->x, x, room->n * dim * sizeof *x);
    FQ_TRY(fq_codec_encode(codec, room->n, room->x, err));
    FQ_TRY(read_records(codec, room, codec->records, &room->first, err));
    if (room->record_bytes > 0)
        memcpy(room->copy, codec->records, room->record_bytes);
    overwrite(room, dim, x);
    FQ_TRY(fq_codec_encode(codec, room->n, room->x, err));
    FQ_TRY(read_records(codec, room, room->copy, &room->second, err));
    fq_probe_compare(&room->first, &room->second, "after they were moved and another batch was encoded", sentence);
    return FQ_OK;
}

static int probe_scratch(struct fq_codec *codec, struct probe_room *room, const float *x, char *sentence,
                         struct fq_error *err) {
    const size_t dim = codec->config.shape.dim;
    fq_probe_reading_free(&room->second);
    codec->scratch_byte = SCRATCH_ONE;
    FQ_TRY(read_records(codec, room, room->copy, &room->second, err));
    codec->scratch_byte = SCRATCH_TWO;
    FQ_TRY(read_records(codec, room, room->copy, &room->third, err));
    fq_probe_compare(&room->second, &room->third, "when scratch holds something else before the call", sentence);
    memcpy(room->x, x, room->n * dim * sizeof *x);
    FQ_TRY(fq_codec_encode(codec, room->n, room->x, err));
    if (sentence[0] == '\0' && room->record_bytes > 0 && memcmp(room->copy, codec->records, room->record_bytes) != 0)
        snprintf(sentence, FQ_PROBE_SENTENCE,
                 "the same vectors encode differently when scratch or earlier batches differ, "
                 "or a promised byte is never written");
    return FQ_OK;
}

int fq_codec_probe_codes_only(struct fq_codec *codec, size_t n, const float *x, char sentence[FQ_PROBE_SENTENCE],
                              struct fq_error *err) {
    const struct fq_bytes bytes = codec->bytes;
    const struct fq_stage_times times = codec->times;
    struct probe_room room = {0};
    sentence[0] = '\0';
    FQ_TRY(fq_probe_groups(codec, n, &room.groups, err));
    room.n = room.groups * codec->footprint.granularity;
    room.record_bytes = room.groups * codec->footprint.record_bytes;
    room.x = malloc(room.n * codec->config.shape.dim * sizeof *room.x);
    room.copy = malloc(room.record_bytes + 1);
    int code = FQ_OK;
    if (room.x == NULL || room.copy == NULL)
        code = fq_fail(err, FQ_FAILED, "out of memory: the codes-only probe of %zu vectors", n);
    if (code == FQ_OK)
        code = probe_moved(codec, &room, x, sentence, err);
    if (code == FQ_OK)
        code = probe_scratch(codec, &room, x, sentence, err);
    codec->scratch_byte = -1;
    codec->bytes = bytes;
    codec->times = times;
    codec->n = codec->n_groups = codec->n_tail = 0; /* the records are another batch's now */
    room_free(&room);
    return code;
}
