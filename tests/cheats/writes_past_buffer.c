/* Writes one byte behind the last record of every call. Seen by: canaries, written_bytes. */
#include "tests/cheats/base.h"

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    base_encode(call, n_groups, y, records);
    records[n_groups * call->footprint->record_bytes] = 0x5a;
    return n_groups;
}

static const struct fq_kernels kernels = {
    .encode = encode, .prepare = base_prepare, .score = base_score, .decode = base_decode};

static const struct fq_method method =
    BASE_METHOD("writes-past-buffer", "one byte too many", base_footprint, NULL, &kernels);

BASE_PLUGIN(method);
