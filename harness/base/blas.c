/* The only place that calls OpenBLAS.
 *
 * OpenBLAS chooses its kernel when it is loaded and keeps a thread count of its own. Both are observed here, after the
 * fact, because a comparison once ran one contestant on every core of a machine and the other on one. */
#include "harness/base/blas.h"

#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static void give_up(const char *what, size_t wanted, size_t found) {
    (void)fprintf(stderr, "fairquant: OpenBLAS: %s: wanted %zu, found %zu\n", what, wanted, found);
    abort();
}

static int as_int(const char *what, size_t n) {
    if (n > INT_MAX)
        give_up(what, n, INT_MAX);
    return (int)n;
}

void fq_blas_use(unsigned threads) {
    if (openblas_get_num_threads() != (int)threads)
        openblas_set_num_threads((int)threads);
    if (fq_blas_threads() != threads)
        give_up("the number of threads was not taken over", threads, fq_blas_threads());
}

void fq_blas_abt(unsigned threads, size_t m, size_t n, size_t k, const float *a, const float *b, float *c) {
    if (m == 0 || n == 0)
        return;
    fq_blas_use(threads);
    int rows = as_int("rows", m), columns = as_int("columns", n), depth = as_int("depth", k);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, columns, depth, 1.0f, a, depth > 0 ? depth : 1, b,
                depth > 0 ? depth : 1, 0.0f, c, columns);
}

void fq_blas_gemm(unsigned threads, size_t m, size_t n, size_t k, struct fq_blas_matrix a, struct fq_blas_matrix b,
                  bool transposed, bool add, float *c, size_t c_stride) {
    if (m == 0 || n == 0)
        return;
    fq_blas_use(threads);
    const int rows = as_int("rows", m), columns = as_int("columns", n), depth = as_int("depth", k);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, rows, columns, depth, 1.0f, a.data,
                as_int("stride", a.stride), b.data, as_int("stride", b.stride), add ? 1.0f : 0.0f, c,
                as_int("stride", c_stride));
}

const char *fq_blas_core(void) {
    return openblas_get_corename();
}

const char *fq_blas_config(void) {
    return openblas_get_config();
}

unsigned fq_blas_threads(void) {
    return (unsigned)openblas_get_num_threads();
}

const char *fq_blas_coretype(void) {
    const char *text = getenv("OPENBLAS_CORETYPE");
    return text == NULL ? "" : text;
}
