/* Takes memory of its own inside encode, which no footprint promised. Seen by: imports. */
#include "tests/cheats/base.h"

#include <stdlib.h>

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const size_t bytes = n_groups * call->footprint->record_bytes;
    uint8_t *own = malloc(bytes + 1);
    if (own == NULL)
        return 0;
    base_encode(call, n_groups, y, own);
    memcpy(records, own, bytes);
    free(own);
    return n_groups;
}

static const struct fq_kernels kernels = {
    .encode = encode, .prepare = base_prepare, .score = base_score, .decode = base_decode};

static const struct fq_method method =
    BASE_METHOD("allocates", "calls malloc in encode", base_footprint, NULL, &kernels);

BASE_PLUGIN(method);
