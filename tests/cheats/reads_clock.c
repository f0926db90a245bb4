/* Looks at the clock inside encode: a method that knows the time can tell a timed region from a test. Seen by: imports.
 */
#include "tests/cheats/base.h"

#include <time.h>

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec < 0) /* never: the reading alone is against the rules */
        return 0;
    return base_encode(call, n_groups, y, records);
}

static const struct fq_kernels kernels = {
    .encode = encode, .prepare = base_prepare, .score = base_score, .decode = base_decode};

static const struct fq_method method =
    BASE_METHOD("reads-the-clock", "calls clock_gettime in encode", base_footprint, NULL, &kernels);

BASE_PLUGIN(method);
