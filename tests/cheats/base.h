/* The honest codec that every plug-in here starts from: one float32 scale (absmax / 127), then dim signed bytes.
 *
 * A plug-in includes this, changes the one thing that its name says, and exports fq_plugin. Like any user's plug-in it
 * sees harness/method.h and nothing else of the harness. */
#ifndef FQ_TESTS_CHEATS_BASE_H
#define FQ_TESTS_CHEATS_BASE_H

#include "harness/method.h"

#include <math.h>
#include <string.h>

enum { SCALE_BYTES = 4 };

static inline double base_nominal_bits(const struct fq_params *params) {
    (void)params;
    return 8.0;
}

static inline struct fq_footprint base_footprint(const struct fq_params *params, const struct fq_shape *shape) {
    (void)params;
    return (struct fq_footprint){.granularity = 1,
                                 .record_bytes = SCALE_BYTES + shape->dim,
                                 .side_bytes = SCALE_BYTES,
                                 .work_dim = shape->dim,
                                 .prepared_bytes = shape->dim * sizeof(float)};
}

static inline void base_encode_one(size_t dim, const float *x, uint8_t *record) {
    float largest = 0.0F;
    for (size_t j = 0; j < dim; j++)
        largest = fabsf(x[j]) > largest ? fabsf(x[j]) : largest;
    const float scale = largest / 127.0F;
    memcpy(record, &scale, SCALE_BYTES);
    for (size_t j = 0; j < dim; j++)
        record[SCALE_BYTES + j] = (uint8_t)(int8_t)(scale > 0.0F ? rintf(x[j] / scale) : 0.0F);
}

static inline void base_decode_one(size_t dim, const uint8_t *record, float *x) {
    float scale;
    memcpy(&scale, record, SCALE_BYTES);
    for (size_t j = 0; j < dim; j++)
        x[j] = scale * (float)(int8_t)record[SCALE_BYTES + j];
}

static inline size_t base_encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const size_t dim = call->shape.dim;
    for (size_t i = 0; i < n_groups; i++)
        base_encode_one(dim, y + i * dim, records + i * call->footprint->record_bytes);
    return n_groups;
}

static inline void base_decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const size_t dim = call->shape.dim;
    for (size_t i = 0; i < n_groups; i++)
        base_decode_one(dim, records + i * call->footprint->record_bytes, x + i * dim);
}

static inline void base_prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    memcpy(prepared, q, n * call->shape.dim * sizeof *q);
}

static inline void base_score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                              float *scores) {
    const size_t dim = call->shape.dim;
    const float *q = prepared;
    for (size_t i = 0; i < n_groups; i++) {
        const uint8_t *record = records + i * call->footprint->record_bytes;
        float scale, sum = 0.0F;
        memcpy(&scale, record, SCALE_BYTES);
        for (size_t j = 0; j < dim; j++)
            sum += q[j] * (float)(int8_t)record[SCALE_BYTES + j];
        scores[i] = scale * sum;
    }
}

/* Everything but name, summary, footprint, setup and kernels is the same for all. */
#define BASE_METHOD(method_name, what, footprint_function, setup_function, kernel_table)                               \
    {                                                                                                                  \
        .abi = FQ_METHOD_ABI, .name = (method_name), .role = FQ_CONTENDER, .paper = "none; made for a test",           \
        .summary = (what), .bits_formula = "8 + 32/d", .data_oblivious = true, .nominal_bits = base_nominal_bits,      \
        .footprint = (footprint_function), .setup = (setup_function), .kernels = {                                     \
            [FQ_REF] = (kernel_table)                                                                                  \
        }                                                                                                              \
    }

#define BASE_PLUGIN(method)                                                                                            \
    static const struct fq_method *const plugin_methods[] = {&(method), NULL};                                         \
    extern const struct fq_plugin fq_plugin;                                                                           \
    const struct fq_plugin fq_plugin = {FQ_METHOD_ABI, plugin_methods}

#endif
