/* Uses the shared state, which is read only after setup, as a place to keep things from one call to the next: here the
 * first floats of the last vector. Seen by: shared_state. */
#include "tests/cheats/base.h"

enum { SHARED_BYTES = 64 };

static struct fq_footprint footprint(const struct fq_params *params, const struct fq_shape *shape) {
    struct fq_footprint f = base_footprint(params, shape);
    f.shared_bytes = SHARED_BYTES;
    return f;
}

static void setup(const struct fq_params *params, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    (void)params;
    (void)shape;
    (void)streams;
    (void)scratch;
    memset(shared, 0, SHARED_BYTES);
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const size_t dim = call->shape.dim, bytes = dim * sizeof *y < SHARED_BYTES ? dim * sizeof *y : SHARED_BYTES;
    unsigned char *mine = (unsigned char *)(uintptr_t)call->shared;
    if (n_groups > 0)
        memcpy(mine, y + (n_groups - 1) * dim, bytes);
    return base_encode(call, n_groups, y, records);
}

static const struct fq_kernels kernels = {
    .encode = encode, .prepare = base_prepare, .score = base_score, .decode = base_decode};

static const struct fq_method method =
    BASE_METHOD("writes-shared", "keeps floats in the shared state", footprint, setup, &kernels);

BASE_PLUGIN(method);
