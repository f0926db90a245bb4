/* OpenBLAS with its threads set per call site and read back; its kernel (core name) is part of every result. */
#ifndef FQ_BASE_BLAS_H
#define FQ_BASE_BLAS_H

#include <stdbool.h>
#include <stddef.h>

/* c[m][n] = a[m][k] b[n][k]^T on exactly `threads` threads (read back; aborts if the library disobeys). */
void fq_blas_abt(unsigned threads, size_t m, size_t n, size_t k, const float *a, const float *b, float *c);

/* The same with strides, in floats from row to row: c[m][n] = a[m][k] B, or added to c with `add`; B is b[k][n], or the
 * transpose of b[n][k] with `transposed`. */
struct fq_blas_matrix {
    const float *data;
    size_t stride;
};
void fq_blas_gemm(unsigned threads, size_t m, size_t n, size_t k, struct fq_blas_matrix a, struct fq_blas_matrix b,
                  bool transposed, bool add, float *c, size_t c_stride);

/* Sets the number of threads for what follows and reads it back (aborts if the library disobeys). A cell does this
 * before it observes its conditions, so that the number is the cell's own and not what an earlier call left behind. */
void fq_blas_use(unsigned threads);

const char *fq_blas_core(void);     /* "Haswell", "SkylakeX", "Zen" ... as OpenBLAS says */
const char *fq_blas_config(void);   /* version and build options */
unsigned fq_blas_threads(void);     /* as read back now */
const char *fq_blas_coretype(void); /* OPENBLAS_CORETYPE of the environment, "" if unset: recorded, never changed */

#endif
