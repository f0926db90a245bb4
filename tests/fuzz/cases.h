/* From the fuzzer's bytes to a case: a method, its parameters, a shape, seeds and vectors.
 *
 * A short prefix of bytes decides everything, so that a mutation of one byte changes one thing; bytes that are missing
 * count as zero. It must not know a method by name. */
#ifndef FQ_TESTS_FUZZ_CASES_H
#define FQ_TESTS_FUZZ_CASES_H

#include "harness/method.h"

#include <stddef.h>
#include <stdint.h>

struct fuzz_bytes {
    const uint8_t *at;
    size_t left;
};
uint8_t fuzz_byte(struct fuzz_bytes *b);
uint64_t fuzz_word(struct fuzz_bytes *b, size_t bytes); /* little endian, 1 to 8 of them */

/* A dimension: mostly one that people use or that is next to one, else any from 1 to `most`, at times any that is
 * allowed (for footprints), 0 or too much. */
size_t fuzz_dim(struct fuzz_bytes *b, size_t most);

/* Every parameter of the table: its default, an end of its range, anything inside; and at times a value that no table
 * allows (outside, fractional, NaN). */
void fuzz_params(struct fuzz_bytes *b, const struct fq_method *method, struct fq_params *out);

/* n vectors x[n][dim], each of a kind of its own: zeros, constants, one-hot, few-sparse, normal at any magnitude of
 * float, a huge channel, denormals, raw floats of the input, copies of the one before. All finite. */
void fuzz_vectors(struct fuzz_bytes *b, size_t n, size_t dim, float *x);

/* One query of a length of at most 1/64, so that its inner product with any finite vector of up to 1024 coordinates is
 * finite as well, with room for an estimator's error. */
void fuzz_query(struct fuzz_bytes *b, size_t dim, float *q);

#endif
