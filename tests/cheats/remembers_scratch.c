/* Leaves the floats of a vector in scratch and corrects its codes by what it finds there when it decodes. Seen by:
 * codes_only (the same codes decode differently when scratch holds something else). */
#include "tests/cheats/base.h"

static struct fq_footprint footprint(const struct fq_params *params, const struct fq_shape *shape) {
    struct fq_footprint f = base_footprint(params, shape);
    f.scratch_bytes = shape->dim * sizeof(float);
    return f;
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    base_encode(call, n_groups, y, records);
    if (n_groups > 0)
        memcpy(call->scratch, y, call->footprint->scratch_bytes);
    return n_groups;
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const size_t dim = call->shape.dim;
    base_decode(call, n_groups, records, x);
    for (size_t j = 0; j < dim && n_groups > 0; j++) {
        float left;
        memcpy(&left, (const unsigned char *)call->scratch + j * sizeof left, sizeof left);
        if (isfinite(left)) /* poison is a NaN: without this the cheat would show itself at once */
            x[j] = 0.5F * (x[j] + left);
    }
}

static const struct fq_kernels kernels = {.encode = encode, .decode = decode};

static const struct fq_method method =
    BASE_METHOD("remembers-scratch", "averages its codes with what scratch still holds", footprint, NULL, &kernels);

BASE_PLUGIN(method);
