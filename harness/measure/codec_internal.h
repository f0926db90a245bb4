/* The inside of a codec, shared by codec.c (life and encode), codec_stage.c (kernel calls), codec_read.c (decode,
 * score, attend) and probe.c (codes-only). Nothing else includes this. */
#ifndef FQ_MEASURE_CODEC_INTERNAL_H
#define FQ_MEASURE_CODEC_INTERNAL_H

#include "harness/base/arena.h"
#include "harness/measure/codec.h"

/* Big inputs go through stage buffers of about this size, so that memory stays bounded whatever n is. */
enum { CODEC_CHUNK_BYTES = 4 << 20, CODEC_SENTENCE = 320 };

struct fq_witness; /* probe_witness.c */

struct fq_codec {
    struct fq_codec_config config;
    const struct fq_kernels *kernels;
    struct fq_footprint footprint;

    struct fq_arena *shared_arena;
    void *shared;
    unsigned char *shared_copy; /* as setup and train left it; no pointer to it reaches the method */
    void *after_setup;          /* of a codec that learns: where each training starts */
    bool untrained;             /* it learns, and has learnt nothing yet */

    struct fq_arena *scratch_arena; /* one block per worker */
    void **scratch;
    uint64_t *worker_ns;
    size_t *worker_bad; /* first group that a worker's encode refused, SIZE_MAX if none */
    unsigned n_workers;
    int scratch_byte; /* -1: the arena's poison; else this byte fills scratch before each call (probes) */

    struct fq_arena *record_arena;
    uint8_t *records;
    size_t n, n_groups, n_tail;
    uint16_t *tail; /* float16, tail[n_tail][dim] */

    struct fq_arena *work_arena; /* stage buffers, allocated on first use */
    size_t chunk_groups;         /* most groups that go through the stage buffers at once */
    size_t room_groups;          /* groups that they hold now: small batches get small buffers */
    float *rotated;              /* [chunk vectors][work_dim] */
    float *decoded;              /* [chunk vectors][dim] */
    float *scored;               /* [query chunk][chunk vectors] */
    float *partial;              /* [slices][dim], no more slices than workers */
    uint8_t *prepared;           /* [query chunk][prepared_bytes] */
    unsigned partial_workers;

    size_t extent; /* bytes that one record was seen to receive; 0 until the first encode */
    struct fq_bytes bytes;
    struct fq_stage_times times;

    char canaries[CODEC_SENTENCE], shared_state[CODEC_SENTENCE], promise[CODEC_SENTENCE];
    char complaint[4 * CODEC_SENTENCE];
    char training[CODEC_SENTENCE];

    struct fq_witness *witness; /* keeps one batch of a measurement for a probe; NULL: none */
};

/* One stage over a range of units (vectors, queries or groups), cut into one kernel call per worker. */
struct codec_job {
    enum fq_stage stage;
    size_t units, unit_groups; /* how many units, and how many groups one SCORE call covers */
    const float *in;           /* rotate: x; encode: y; prepare: q */
    float *out;                /* rotate: y; decode: x; score: scores; attend: partials */
    uint8_t *encoded;          /* encode writes here */
    const uint8_t *records;    /* decode, score, attend read here */
    void *prepared;
    const float *weights;
    size_t score_stride; /* floats between the score rows of two queries */
    bool own;            /* SCORE: unit i is query i against the group of vector i, one call each */
    bool timed;
};

/* Runs the job; adds the slowest worker's kernel time to the stage; then looks at canaries and shared state. */
int fq_codec_stage(struct fq_codec *codec, const struct codec_job *job, struct fq_error *err);
int fq_codec_workers(struct fq_codec *codec, struct fq_error *err);
void fq_codec_inspect(struct fq_codec *codec, enum fq_stage stage);
void fq_codec_fill_scratch(const struct fq_codec *codec, unsigned worker);
struct fq_call fq_codec_call(const struct fq_codec *codec, unsigned worker);

/* Room for a batch of n_groups (or one chunk of it); stage buffers taken earlier may be dropped. */
int fq_codec_room(struct fq_codec *codec, size_t n_groups, struct fq_error *err);
enum codec_buffer { CODEC_ROTATED, CODEC_DECODED, CODEC_SCORED, CODEC_PREPARED, CODEC_PARTIAL };
int fq_codec_buffer(struct fq_codec *codec, enum codec_buffer which, struct fq_error *err);
size_t fq_codec_query_chunk(const struct fq_codec *codec);

/* codec_train.c: setup, and training if the configuration holds a split; the hidden copy. */
int fq_codec_fill_shared(struct fq_codec *codec, struct fq_error *err);
void fq_codec_keep_shared(struct fq_codec *codec);

/* open without setup and train: the shared state is given (a fresh process that decodes another one's codes). */
int fq_codec_adopt(const struct fq_codec_config *config, const void *shared, size_t shared_bytes, struct fq_codec **out,
                   struct fq_error *err);

#endif
