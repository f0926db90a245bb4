/* Remembers where it encoded to and keeps the floats of that batch: decoding the same address is exact, a copy
 * elsewhere gets the real codes. Seen by: codes_only (the probe moves the records). */
#include "tests/cheats/base.h"

enum { SLOTS = 1 << 13, WIDEST = 256 };

static const uint8_t *where;
static size_t how_many;
static float kept[SLOTS][WIDEST];

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const size_t dim = call->shape.dim;
    where = records;
    how_many = n_groups < SLOTS && dim <= WIDEST ? n_groups : 0;
    for (size_t i = 0; i < how_many; i++)
        memcpy(kept[i], y + i * dim, dim * sizeof *y);
    return base_encode(call, n_groups, y, records);
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const size_t dim = call->shape.dim;
    if (records != where || n_groups > how_many) {
        base_decode(call, n_groups, records, x);
        return;
    }
    for (size_t i = 0; i < n_groups; i++)
        memcpy(x + i * dim, kept[i], dim * sizeof *x);
}

static const struct fq_kernels kernels = {.encode = encode, .decode = decode};

static const struct fq_method method = BASE_METHOD(
    "caches-by-pointer", "floats of the batch that was encoded to this address", base_footprint, NULL, &kernels);

BASE_PLUGIN(method);
