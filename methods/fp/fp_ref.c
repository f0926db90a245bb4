/* fp32, fp16 and bf16, reference bodies: store the coordinates, give them back. Sums run in double in index order. */
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

uint16_t fp_bf16_from_float(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    const uint32_t odd = (u >> 16) & 1U; /* half way goes up only from an odd code */
    return (uint16_t)((u + 0x7fffU + odd) >> 16);
}

float fp_float_from_bf16(uint16_t b) {
    const uint32_t u = (uint32_t)b << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static size_t encode_bf16(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    for (size_t i = 0; i < n_groups; i++) {
        for (size_t j = 0; j < call->shape.dim; j++, y++, records += sizeof(uint16_t)) {
            const uint16_t b = fp_bf16_from_float(*y);
            if ((b & 0x7f80U) == 0x7f80U)
                return i;
            memcpy(records, &b, sizeof b);
        }
    }
    return n_groups;
}

static float bf16_at(const uint8_t *records, size_t j) {
    uint16_t b;
    memcpy(&b, records + j * sizeof b, sizeof b);
    return fp_float_from_bf16(b);
}

static void decode_bf16(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    for (size_t j = 0; j < n_groups * call->shape.dim; j++)
        x[j] = bf16_at(records, j);
}

static void score_bf16(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                       float *scores) {
    const float *q = prepared;
    for (size_t i = 0; i < n_groups; i++, records += call->footprint->record_bytes) {
        double sum = 0;
        for (size_t j = 0; j < call->shape.dim; j++)
            sum += (double)bf16_at(records, j) * (double)q[j];
        scores[i] = (float)sum;
    }
}

const struct fq_kernels fp32_ref = {
    .encode = encode_fp32, .prepare = prepare, .score = score_fp32, .decode = decode_fp32};
const struct fq_kernels fp16_ref = {
    .encode = encode_fp16, .prepare = prepare, .score = score_fp16, .decode = decode_fp16};
const struct fq_kernels bf16_ref = {
    .encode = encode_bf16, .prepare = prepare, .score = score_bf16, .decode = decode_bf16};
