/* Its footprint leaves out the scale: each record receives 4 bytes more than was promised. Seen by: written_bytes above
 * promised_bytes, canaries. */
#include "tests/cheats/base.h"

static struct fq_footprint footprint(const struct fq_params *params, const struct fq_shape *shape) {
    struct fq_footprint f = base_footprint(params, shape);
    f.record_bytes = shape->dim;
    f.side_bytes = 0;
    return f;
}

static const struct fq_kernels kernels = {
    .encode = base_encode, .prepare = base_prepare, .score = base_score, .decode = base_decode};

static const struct fq_method method =
    BASE_METHOD("promises-less", "a footprint without its scale", footprint, NULL, &kernels);

BASE_PLUGIN(method);
