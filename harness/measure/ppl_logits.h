/* The full-precision pass on disk: for each scored token its logits in 16 bits, its negative log-likelihood and its
 * most likely word. One file per window, whole or absent, with its own SHA-256, so that a pass that was stopped goes on
 * where it stopped and a longer one begins with the windows of a shorter one. Internal to the measure floor.
 *
 * A row of logits z is kept as z = top - step * below, below in 0 .. 65535 and step = (max - min) / 65535: steps are
 * equal everywhere, because an error of e in a logit costs about e^2 / 2 of KL whatever the logit is (docs/adr/0009).
 * Both sides of a comparison go through the same rounding, so that equal logits have a divergence of exactly 0. */
#ifndef FQ_MEASURE_PPL_LOGITS_H
#define FQ_MEASURE_PPL_LOGITS_H

#include "harness/base/error.h"
#include "harness/base/sha256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One scored token; below[vocabulary] follows it. */
struct fq_logits_row {
    double nll;    /* -log softmax[token] of the float32 logits */
    double logsum; /* log sum exp(-step below): of the rounded ones */
    float top, step;
    int32_t best, token; /* most likely word of the float32 logits (the first of equals); the word that follows */
};

size_t fq_logits_row_bytes(size_t vocabulary); /* a multiple of 8 */
void fq_logits_pack(const float *logits, size_t vocabulary, int32_t token, void *row);
void fq_logits_unpack(const void *row, size_t vocabulary, float *logits);
/* KL(softmax(full) || softmax(other)) of rounded rows, nats; exactly 0 for equal ones. */
double fq_logits_kl(const void *full, const void *other, size_t vocabulary);

/* ---- the store ---- */

/* What makes two passes the same to the last bit. */
struct fq_logits_key {
    const char *model_sha256, *corpus_sha256, *library;
    size_t context, batch, scored, vocabulary;
    unsigned threads;
};

/* What a file says of its window besides the rows. */
struct fq_logits_note {
    double rounding_kl_sum, rounding_kl_max; /* KL(float32 || 16 bits) over its tokens */
    uint64_t eval_ns;                        /* the evaluation, when it was made */
};

/* A folder of windows: $FQ_CACHE (default: cache/ in the data folder)/logits/HASH-OF-THE-KEY. Where nothing can be
 * written, a temporary folder that goes away with the store. */
struct fq_logits;
int fq_logits_open(const struct fq_logits_key *key, struct fq_logits **out, struct fq_error *err);
void fq_logits_close(struct fq_logits *store); /* NULL is fine */
const char *fq_logits_folder(const struct fq_logits *store);
const char *fq_logits_name(const struct fq_logits *store); /* the hash of its key: the same wherever it lies */

/* Maps the rows of a window, checking its hash the first time; *rows is NULL if there is none (or none that is whole,
 * which is said and removed). One window at a time is mapped; the pointer lives until the next call. */
int fq_logits_map(struct fq_logits *store, size_t chunk, const uint8_t **rows, struct fq_logits_note *note,
                  struct fq_error *err);

/* Writing a window: begin, rows in order, end. Only after end does it exist. */
int fq_logits_begin(struct fq_logits *store, size_t chunk, struct fq_error *err);
int fq_logits_add(struct fq_logits *store, const void *rows, size_t n, struct fq_error *err);
int fq_logits_end(struct fq_logits *store, const struct fq_logits_note *note, struct fq_error *err);

#endif
