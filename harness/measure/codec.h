/* Runs one method instance on vectors while owning everything it touches: buffers, threads, clock.
 *
 * Records are allocated to exactly the promised footprint, poisoned, with canaries that are checked after every stage
 * (one kernel call per worker); scratch is poisoned before every kernel call; the shared state is compared, byte by
 * byte, with a copy that the method never sees, after every stage. Slices of the batch go over the pool by whole
 * groups. A violation does not stop the work: it is kept as a sentence, so that the audit can name it. */
#ifndef FQ_MEASURE_CODEC_H
#define FQ_MEASURE_CODEC_H

#include "harness/base/error.h"
#include "harness/base/pool.h"
#include "harness/method.h"

#include <stddef.h>
#include <stdint.h>

enum fq_stage {
    FQ_STAGE_ROTATE,
    FQ_STAGE_ENCODE,
    FQ_STAGE_PREPARE,
    FQ_STAGE_SCORE,
    FQ_STAGE_DECODE,
    FQ_STAGE_ATTEND,
    FQ_STAGES
};
const char *fq_stage_name(enum fq_stage stage);

struct fq_codec_config {
    const struct fq_method *method;
    struct fq_params params;
    struct fq_shape shape;
    uint64_t seed; /* rotation and sketch streams */
    enum fq_backend backend;
    const float *train; /* train[n_train][dim]; NULL: not now (fq_codec_train), or the method learns nothing */
    size_t n_train;
};

/* Whether a codec with these parameters is fitted to a training split. */
bool fq_method_learns(const struct fq_method *method, const struct fq_params *params);

struct fq_codec;
int fq_codec_open(const struct fq_codec_config *config, struct fq_codec **out, struct fq_error *err);
void fq_codec_close(struct fq_codec *codec);
const struct fq_footprint *fq_codec_footprint(const struct fq_codec *codec);
const struct fq_codec_config *fq_codec_configuration(const struct fq_codec *codec); /* train is NULL by now */

/* ---- codecs that learn: one state for each matrix, as a cache has one for each layer and head ---- */
bool fq_codec_learns(const struct fq_codec *codec);
/* Fits the shared state, from where setup left it, to x[n][dim]; records of earlier encodes are gone. `split` says in
 * words what x is. Until the first training encode is FQ_USAGE. */
int fq_codec_train(struct fq_codec *codec, size_t n, const float *x, const char *split, struct fq_error *err);
/* Puts back a state that fq_codec_shared showed after an earlier training of this codec. */
void fq_codec_put_shared(struct fq_codec *codec, const void *shared);
/* How many states a cache would hold for what was measured: bytes.shared_bytes is that many. */
void fq_codec_count_states(struct fq_codec *codec, size_t states);
/* "2048 vectors, the other half of the windows of each layer and head": of the last training; "" without. */
const char *fq_codec_training(const struct fq_codec *codec);

/* Checks x finite, rotates, encodes x[n][dim] into records owned by the codec (replacing earlier ones). The n mod
 * granularity last vectors stay as a float16 tail, counted in bytes. Errors name method, vector and cause. */
int fq_codec_encode(struct fq_codec *codec, size_t n, const float *x, struct fq_error *err);
/* From the records of the last encode. FQ_USAGE if the method has no such stage. */
int fq_codec_decode(struct fq_codec *codec, float *xhat, struct fq_error *err); /* [n][dim] */
int fq_codec_scores(struct fq_codec *codec, size_t n_queries, const float *q, float *scores,
                    struct fq_error *err); /* [n_queries][n] */
int fq_codec_attend(struct fq_codec *codec, const float *weights, float *out,
                    struct fq_error *err); /* weights[n] -> out[dim] */
/* Query i against vector i only: q[n][dim] -> scores[n] for the n vectors of the last encode. Not timed. */
int fq_codec_scores_own(struct fq_codec *codec, const float *q, float *scores, struct fq_error *err);
/* true if the backend has a kernel for the stage (ATTEND: also if the harness can decode and sum). */
bool fq_codec_has(const struct fq_codec *codec, enum fq_stage stage);
/* The same from records that the caller keeps: n_groups whole groups that this codec encoded, with the shared state
 * that it has now. No float16 tail; the output is not looked at for NaN and Inf. */
int fq_codec_decode_from(struct fq_codec *codec, size_t n_groups, const uint8_t *records, float *x,
                         struct fq_error *err); /* [n_groups granularity][dim] */
int fq_codec_scores_from(struct fq_codec *codec, size_t n_groups, const uint8_t *records, size_t n_queries,
                         const float *q, float *scores, size_t stride,
                         struct fq_error *err); /* row i at scores + i stride */
/* encode, then decode. */
int fq_codec_roundtrip(struct fq_codec *codec, size_t n, const float *x, float *xhat, struct fq_error *err);

struct fq_bytes {
    uint64_t vectors;        /* encoded so far */
    uint64_t record_bytes;   /* written into records: their number times the bytes one record was seen to receive */
    uint64_t tail_bytes;     /* float16 tail */
    uint64_t side_bytes;     /* of record_bytes: not codes */
    uint64_t shared_bytes;   /* once */
    uint64_t promised_bytes; /* what footprint said beforehand for the same vectors, tail included */
};
void fq_codec_bytes(const struct fq_codec *codec, struct fq_bytes *out); /* totals since open */
void fq_codec_count_more(struct fq_codec *codec,
                         const struct fq_bytes *more); /* counted elsewhere; shared_bytes apart */
/* What was counted since `before`, and back to `before` as if it had not been encoded; shared_bytes apart (0, kept). */
void fq_codec_bytes_since(const struct fq_codec *codec, const struct fq_bytes *before, struct fq_bytes *out);
void fq_codec_count_back(struct fq_codec *codec, const struct fq_bytes *before);
double fq_codec_rate_bits(const struct fq_codec *codec); /* 8 (record + tail) / (vectors dim) */

/* Stage times accumulated since open or the last reset: wall time that the slowest worker spent inside kernels, so that
 * poisoning and copying, which are the harness's own, are charged to nobody. */
struct fq_stage_times {
    uint64_t ns[FQ_STAGES];
    uint64_t vectors[FQ_STAGES]; /* vectors handled (queries for PREPARE, pairs for SCORE) */
};
void fq_codec_times(struct fq_codec *codec, struct fq_stage_times *out, int reset);

/* Integrity as observed so far: canaries intact, shared state unchanged, scratch not relied on. Empty text = fine. */
const char *fq_codec_complaint(const struct fq_codec *codec);
/* The same, one fact each: "intact", or the sentence. */
const char *fq_codec_canaries(const struct fq_codec *codec);
const char *fq_codec_shared_state(const struct fq_codec *codec);

/* Shared state and records as bytes, to decode them in another process (the codes-only probe). */
const void *fq_codec_shared(const struct fq_codec *codec, size_t *bytes);
const uint8_t *fq_codec_records(const struct fq_codec *codec, size_t *bytes);

#endif
