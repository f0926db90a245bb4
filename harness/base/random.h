/* Counter-based random numbers (Philox4x32-10: Salmon et al., SC 2011) with named streams.
 *
 * A value is a pure function of (key, index): no state, any order, any thread. A key is derived by SHA-256 from the
 * stream's name and the seed, so that equal seeds of two streams share nothing. The data stream and the rotation stream
 * once shared a generator in a published comparison, and a Hadamard "beat" a Haar rotation by 71 % (methods.md 8.6). */
#ifndef FQ_BASE_RANDOM_H
#define FQ_BASE_RANDOM_H

#include "harness/method.h"

#include <stddef.h>
#include <stdint.h>

/* Stream names in use: "data", "query", "rotation", "sketch", "training", "bootstrap", "order", "sample". Others are
 * allowed. */
uint64_t fq_stream_key(const char *name, uint64_t seed);

void fq_random_bits(uint64_t key, uint64_t first, size_t n, uint64_t *out);
void fq_random_uniform(uint64_t key, uint64_t first, size_t n, double *out); /* 53 bits, in (0, 1) */
void fq_random_gaussian(uint64_t key, uint64_t first, size_t n,
                        double *out); /* Box-Muller on words 2i, 2i+1 of the stream */

/* The streams that a method is given for one seed. */
struct fq_streams fq_streams_for(uint64_t seed);

/* Sequential reader over a stream, for shuffles and bootstraps. */
struct fq_random {
    uint64_t key, next;
};
struct fq_random fq_random_open(const char *name, uint64_t seed);
uint64_t fq_random_next(struct fq_random *r);
size_t fq_random_below(struct fq_random *r, size_t n); /* unbiased, in [0, n); n >= 1 */
void fq_random_shuffle(struct fq_random *r, size_t *index, size_t n);

#endif
