/* fp32 and fp16, reference bodies: store the coordinates, give them back. Sums run in double in index order. */
#include "methods/fp/fp.h"

#include "methods/common/scale.h"

#include <math.h>
#include <string.h>

static void prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    memcpy(prepared, q, n * call->shape.dim * sizeof *q);
}

static size_t encode_fp32(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    memcpy(records, y, n_groups * call->footprint->record_bytes);
    return n_groups;
}

static void decode_fp32(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    memcpy(x, records, n_groups * call->footprint->record_bytes);
}

static void score_fp32(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                       float *scores) {
    const float *q = prepared;
    for (size_t i = 0; i < n_groups; i++, records += call->footprint->record_bytes) {
        double sum = 0;
        for (size_t j = 0; j < call->shape.dim; j++) {
            float x; /* records promise no alignment */
            memcpy(&x, records + j * sizeof x, sizeof x);
            sum += (double)x * (double)q[j];
        }
        scores[i] = (float)sum;
    }
}

/* Each coordinate rounded to the nearest half, ties to even; one that overflows has no representation. */
static size_t encode_fp16(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    for (size_t i = 0; i < n_groups; i++) {
        for (size_t j = 0; j < call->shape.dim; j++, y++, records += sizeof(uint16_t)) {
            const uint16_t h = fq_half_from_float(*y);
            if ((h & 0x7c00U) == 0x7c00U)
                return i;
            memcpy(records, &h, sizeof h);
        }
    }
    return n_groups;
}

static float half_at(const uint8_t *records, size_t j) {
    uint16_t h;
    memcpy(&h, records + j * sizeof h, sizeof h);
    return fq_float_from_half(h);
}

static void decode_fp16(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    for (size_t j = 0; j < n_groups * call->shape.dim; j++)
        x[j] = half_at(records, j);
}

static void score_fp16(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                       float *scores) {
    const float *q = prepared;
    for (size_t i = 0; i < n_groups; i++, records += call->footprint->record_bytes) {
        double sum = 0;
        for (size_t j = 0; j < call->shape.dim; j++)
            sum += (double)half_at(records, j) * (double)q[j];
        scores[i] = (float)sum;
    }
}

const struct fq_kernels fp32_ref = {
    .encode = encode_fp32, .prepare = prepare, .score = score_fp32, .decode = decode_fp32};
const struct fq_kernels fp16_ref = {
    .encode = encode_fp16, .prepare = prepare, .score = score_fp16, .decode = decode_fp16};
