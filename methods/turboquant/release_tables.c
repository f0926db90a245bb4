/* Constants of the authors' released script. */
#include "methods/turboquant/release_tables.h"

#include "methods/common/scalar_code.h"

#include <stddef.h>

static const double level_1[] = {-0.797885, 0.797885};
static const double level_2[] = {-1.510017, -0.4526475, 0.4526475, 1.510017};
static const double level_3[] = {-2.1509, -1.34335, -0.75567, -0.244893, 0.244961, 0.75567, 1.34335, 2.1509};
static const double level_4[] = {-2.7235756, -2.0604305,  -1.6096783, -1.2484536, -0.9357067, -0.6516434,
                                 -0.3848085, -0.12730813, 0.12730813, 0.3848085,  0.6516434,  0.9357067,
                                 1.2484536,  1.6096783,   2.0604305,  2.7235756};
static const double *const codebook[RELEASE_CODEBOOK_BITS + 1] = {NULL, level_1, level_2, level_3, level_4};
static const double residual[RELEASE_MAX_BITS] = {1, 0.60281, 0.3426687, 0.185758, 0.0974343};

void turboquant_release_codebook(int bits, void *shared) {
    if (bits == 0)
        return; /* one level, zero: nothing to replace */
    float *levels = shared, *bounds = levels + (fq_scalar_code_bounds(shared) - fq_scalar_code_levels(shared));
    const size_t n = (size_t)1 << bits;
    for (size_t k = 0; k < n; k++) {
        levels[k] = (float)codebook[bits][k];
        if (k + 1 < n)
            bounds[k] = (float)((codebook[bits][k] + codebook[bits][k + 1]) / 2);
    }
}

double turboquant_release_residual(int bits) {
    return residual[bits - 1];
}
