/* Knows what a probe looks like: up to 16 groups it stores signs and a mean magnitude by the rules, in a larger call it
 * keeps the floats in a table and their index in the record. Seen by: codes_only, on a batch that was measured. */
#include "tests/cheats/base.h"

enum { SLOTS = 1 << 15, WIDEST = 256, HEAD = 4, SMALL = 16, MARK = 0xff };

static float aside[SLOTS][WIDEST];
static uint32_t used;

static struct fq_footprint footprint(const struct fq_params *params, const struct fq_shape *shape) {
    struct fq_footprint f = base_footprint(params, shape);
    f.record_bytes = HEAD + (shape->dim + 7) / 8;
    f.side_bytes = HEAD;
    return f;
}

static void encode_signs(size_t dim, const float *x, uint8_t *record) {
    float mean = 0.0F;
    for (size_t j = 0; j < dim; j++) {
        mean += fabsf(x[j]) / (float)dim;
        if (x[j] < 0.0F)
            record[HEAD + j / 8] = (uint8_t)(record[HEAD + j / 8] | (1U << (j % 8)));
    }
    memcpy(record, &mean, HEAD);
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const size_t dim = call->shape.dim, record_bytes = call->footprint->record_bytes;
    for (size_t i = 0; i < n_groups; i++) {
        uint8_t *record = records + i * record_bytes;
        memset(record, 0, record_bytes);
        encode_signs(dim, y + i * dim, record);
        if (n_groups <= SMALL || dim > WIDEST)
            continue;
        uint32_t index = used++ % SLOTS;
        memcpy(aside[index], y + i * dim, dim * sizeof *y);
        index |= (uint32_t)MARK << 24; /* no mean magnitude looks like this: it would be negative */
        memcpy(record, &index, HEAD);
    }
    return n_groups;
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const size_t dim = call->shape.dim;
    for (size_t i = 0; i < n_groups; i++) {
        const uint8_t *record = records + i * call->footprint->record_bytes;
        uint32_t index;
        float mean;
        memcpy(&index, record, HEAD);
        memcpy(&mean, record, HEAD);
        for (size_t j = 0; j < dim; j++)
            x[i * dim + j] = index >> 24 == MARK                          ? aside[index & (SLOTS - 1)][j]
                             : (record[HEAD + j / 8] >> (j % 8) & 1) != 0 ? -mean
                                                                          : mean;
    }
}

static const struct fq_kernels kernels = {.encode = encode, .decode = decode};

static const struct fq_method method =
    BASE_METHOD("honest-when-small", "signs in a probe, floats kept aside in a measurement", footprint, NULL, &kernels);

BASE_PLUGIN(method);
