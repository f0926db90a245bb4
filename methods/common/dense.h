/* Dense square matrices as shared state: the Haar rotation, and the sketches of QJL and turboquant-prod.
 *
 * A matrix A of size d is stored as d*d float32 by columns: m[j d + i] = A_ij. So Gram-Schmidt works on contiguous
 * vectors and y = A x is a sum of columns. Every output is summed in ascending order of the summation index, in float:
 * scalar and bit-stable. */
#ifndef FQ_METHODS_COMMON_DENSE_H
#define FQ_METHODS_COMMON_DENSE_H

#include <stddef.h>
#include <stdint.h>

/* Source of N(0,1) values: streams->gaussian with one of its keys. */
typedef void fq_gaussian_source(uint64_t key, uint64_t first, size_t n, double *out);

/* A_ij iid N(0,1): value number j d + i of the stream. scratch: d doubles. */
void fq_dense_gaussian(fq_gaussian_source *gaussian, uint64_t key, size_t d, float *m, double *scratch);
/* The Q factor of the same Gaussian matrix with R_jj > 0, which makes Q Haar distributed (methods.md 8.1). In double by
 * modified Gram-Schmidt, stored as float. scratch: d*d doubles. */
void fq_dense_haar(fq_gaussian_source *gaussian, uint64_t key, size_t d, float *m, double *scratch);
/* The same from the d*d values of the stream that begin at number `first`: blocks of one sketch. */
void fq_dense_haar_at(fq_gaussian_source *gaussian, uint64_t key, uint64_t first, size_t d, float *m, double *scratch);

/* y[d] = A x[d] and y[d] = A^T x[d]; y does not overlap x. */
void fq_dense_apply(const float *m, size_t d, const float *x, float *y);
void fq_dense_apply_transposed(const float *m, size_t d, const float *x, float *y);

#endif
