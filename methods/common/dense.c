/* Dense matrices: Gaussian, Haar, and their products with a vector.
 *
 * Both products keep eight sums open at once. Each sum still adds its terms one by one in index order, so the value
 * does not depend on the blocking; but eight chains run side by side, which makes the scalar body about as fast as
 * scalar code can be without changing the arithmetic. */
#include "methods/common/dense.h"

#include <math.h>

enum { OPEN_SUMS = 8 };

void fq_dense_gaussian(fq_gaussian_source *gaussian, uint64_t key, size_t d, float *m, double *scratch) {
    for (size_t j = 0; j < d; j++) {
        gaussian(key, (uint64_t)j * d, d, scratch);
        for (size_t i = 0; i < d; i++)
            m[j * d + i] = (float)scratch[i];
    }
}

static double dot(const double *a, const double *b, size_t n) {
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        s0 += a[i] * b[i];
        s1 += a[i + 1] * b[i + 1];
        s2 += a[i + 2] * b[i + 2];
        s3 += a[i + 3] * b[i + 3];
    }
    for (; i < n; i++)
        s0 += a[i] * b[i];
    return (s0 + s1) + (s2 + s3);
}

void fq_dense_haar(fq_gaussian_source *gaussian, uint64_t key, size_t d, float *m, double *scratch) {
    fq_dense_haar_at(gaussian, key, 0, d, m, scratch);
}

void fq_dense_haar_at(fq_gaussian_source *gaussian, uint64_t key, uint64_t first, size_t d, float *m, double *scratch) {
    gaussian(key, first, d * d, scratch);
    for (size_t j = 0; j < d; j++) {
        double *column = scratch + j * d;
        /* R_jj is this norm, hence positive: the sign fix needs no step of its own. */
        const double inverse = 1 / sqrt(dot(column, column, d));
        for (size_t i = 0; i < d; i++) {
            column[i] *= inverse;
            m[j * d + i] = (float)column[i];
        }
        for (size_t k = j + 1; k < d; k++) {
            double *later = scratch + k * d;
            const double r = dot(column, later, d);
            for (size_t i = 0; i < d; i++)
                later[i] -= r * column[i];
        }
    }
}

void fq_dense_apply(const float *m, size_t d, const float *x, float *y) {
    size_t i = 0;
    for (; i + OPEN_SUMS <= d; i += OPEN_SUMS) {
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
        const float *a = m + i;
        for (size_t j = 0; j < d; j++, a += d) {
            const float xj = x[j];
            s0 += a[0] * xj;
            s1 += a[1] * xj;
            s2 += a[2] * xj;
            s3 += a[3] * xj;
            s4 += a[4] * xj;
            s5 += a[5] * xj;
            s6 += a[6] * xj;
            s7 += a[7] * xj;
        }
        y[i] = s0, y[i + 1] = s1, y[i + 2] = s2, y[i + 3] = s3;
        y[i + 4] = s4, y[i + 5] = s5, y[i + 6] = s6, y[i + 7] = s7;
    }
    for (; i < d; i++) {
        float s = 0;
        for (size_t j = 0; j < d; j++)
            s += m[j * d + i] * x[j];
        y[i] = s;
    }
}

void fq_dense_apply_transposed(const float *m, size_t d, const float *x, float *y) {
    size_t j = 0;
    for (; j + OPEN_SUMS <= d; j += OPEN_SUMS) {
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
        const float *a = m + j * d;
        for (size_t i = 0; i < d; i++) {
            const float xi = x[i];
            s0 += a[i] * xi;
            s1 += a[i + d] * xi;
            s2 += a[i + 2 * d] * xi;
            s3 += a[i + 3 * d] * xi;
            s4 += a[i + 4 * d] * xi;
            s5 += a[i + 5 * d] * xi;
            s6 += a[i + 6 * d] * xi;
            s7 += a[i + 7 * d] * xi;
        }
        y[j] = s0, y[j + 1] = s1, y[j + 2] = s2, y[j + 3] = s3;
        y[j + 4] = s4, y[j + 5] = s5, y[j + 6] = s6, y[j + 7] = s7;
    }
    for (; j < d; j++) {
        float s = 0;
        for (size_t i = 0; i < d; i++)
            s += m[j * d + i] * x[i];
        y[j] = s;
    }
}
