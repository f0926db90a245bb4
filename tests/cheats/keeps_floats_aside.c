/* "Fake quantization": promises and writes one bit a coordinate, but keeps the floats in a table and writes their index
 * into the record. In the same process decoding is exact. Seen by: codes_only (a fresh process has no table). */
#include "tests/cheats/base.h"

enum { SLOTS = 1 << 14, WIDEST = 256, INDEX_BYTES = 4 };

static float aside[SLOTS][WIDEST];
static uint32_t used;

static struct fq_footprint footprint(const struct fq_params *params, const struct fq_shape *shape) {
    struct fq_footprint f = base_footprint(params, shape);
    f.record_bytes = INDEX_BYTES + (shape->dim + 7) / 8;
    f.side_bytes = INDEX_BYTES;
    return f;
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const size_t dim = call->shape.dim, kept = dim < WIDEST ? dim : WIDEST;
    for (size_t i = 0; i < n_groups; i++) {
        uint8_t *record = records + i * call->footprint->record_bytes;
        const uint32_t index = used % SLOTS;
        used++;
        memset(record, 0, call->footprint->record_bytes);
        memcpy(record, &index, INDEX_BYTES);
        for (size_t j = 0; j < dim; j++)
            if (y[i * dim + j] < 0.0F)
                record[INDEX_BYTES + j / 8] = (uint8_t)(record[INDEX_BYTES + j / 8] | (1U << (j % 8)));
        memcpy(aside[index], y + i * dim, kept * sizeof(float));
    }
    return n_groups;
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const size_t dim = call->shape.dim;
    for (size_t i = 0; i < n_groups; i++) {
        uint32_t index;
        memcpy(&index, records + i * call->footprint->record_bytes, INDEX_BYTES);
        for (size_t j = 0; j < dim; j++)
            x[i * dim + j] = j < WIDEST ? aside[index % SLOTS][j] : 0.0F;
    }
}

static const struct fq_kernels kernels = {.encode = encode, .decode = decode};

static const struct fq_method method =
    BASE_METHOD("keeps-floats-aside", "one bit in the record, the floats in a static table", footprint, NULL, &kernels);

BASE_PLUGIN(method);
