/* Shared by the codes-only probes: what is asked of a set of records, what one reading of them gave, how two readings
 * are compared, and the file that carries them to another process. */
#ifndef FQ_MEASURE_PROBE_INTERNAL_H
#define FQ_MEASURE_PROBE_INTERNAL_H

#include "harness/measure/codec.h"
#include "harness/measure/probe.h"

#include <stdbool.h>

struct probe_task {
    size_t n_groups;
    const uint8_t *records;
    const float *query; /* [dim], one that the measurement asked; NULL: none */
    size_t own;         /* PROBE_ALL: it met all records; else the record of this vector alone */
};
#define PROBE_ALL SIZE_MAX

/* One block of floats: decoded[n][dim], scores[n] for fq_probe_query, asked[n] for the task's query, attended[dim]. */
struct probe_reading {
    size_t n, dim, n_values;
    bool has_decode, has_score, has_attend, has_query;
    float *values, *decoded, *scores, *asked, *attended;
};

void fq_probe_query(size_t dim, float *q);
int fq_probe_groups(const struct fq_codec *codec, size_t n, size_t *groups, struct fq_error *err);
int fq_probe_reading_new(const struct fq_codec *codec, const struct probe_task *task, struct probe_reading *r,
                         struct fq_error *err);
int fq_probe_read(struct fq_codec *codec, const struct probe_task *task, struct probe_reading *r, struct fq_error *err);
void fq_probe_reading_free(struct probe_reading *r);
/* Bit for bit; the first difference goes into an empty sentence. */
void fq_probe_compare(const struct probe_reading *a, const struct probe_reading *b, const char *circumstance,
                      char sentence[FQ_PROBE_SENTENCE]);

/* probe_process.c: a fresh process reads the records with the shared state given; a process that cannot is a sentence,
 * and the reading stays zero. */
int fq_probe_elsewhere(const struct fq_codec *codec, const struct probe_task *task, const void *shared,
                       struct probe_reading *there, char sentence[FQ_PROBE_SENTENCE], struct fq_error *err);

/* The file, little-endian and for the same binary only: this header, then shared state, records, query. The child
 * answers in FILE.out: struct probe_answer, then the values of its reading. */
struct probe_header {
    char magic[16];
    char method[128];
    char plugin[1024]; /* "" for built-in methods */
    struct fq_params params;
    struct fq_shape shape;
    uint32_t backend, has_query;
    uint64_t seed, n_groups, own, shared_bytes, record_bytes;
};
extern const char fq_probe_magic[16];

/* probe_sandbox.c. Two steps, since loading a plug-in runs code of its own (constructors): before, everything but
 * reading the one file is closed; after, everything but memory, the answer's descriptor and the end. */
enum probe_walls { PROBE_NO_WALLS = 0, PROBE_SECCOMP = 1, PROBE_LANDLOCK = 2 };
enum probe_walls fq_probe_close_before(const char *plugin);
enum probe_walls fq_probe_close_after(int answer);
/* "" or the first mapping that is shared with somebody else: memory that other processes can write. */
void fq_probe_shared_mapping(char *out, size_t size);

struct probe_answer {
    uint64_t walls; /* enum probe_walls, both steps done */
};

struct fq_witness;

/* ---- what codec.c and codec_read.c report to a witness (probe_witness.c); nothing without one ---- */
void fq_witness_encoded(struct fq_codec *codec, const float *x);
void fq_witness_decoded(struct fq_codec *codec, const float *xhat);
/* own: query i met vector i alone, and there are as many queries as vectors. scores[n_queries][n] or [n]. */
void fq_witness_scored(struct fq_codec *codec, size_t n_queries, const float *q, const float *scores, bool own);
void fq_witness_free(struct fq_witness *w); /* NULL is fine */

#endif
