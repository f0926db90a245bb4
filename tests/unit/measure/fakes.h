/* Tiny methods with known properties, for tests of the harness alone. Each stores float32, so that what is wrong with
 * it is only what its name says. */
#ifndef FQ_TESTS_MEASURE_FAKES_H
#define FQ_TESTS_MEASURE_FAKES_H

#include "harness/base/pool.h"
#include "harness/measure/catalog.h"
#include "harness/measure/codec.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { FAKE_SHARED_BYTES = 48 };

static inline double fake_nominal(const struct fq_params *p) {
    (void)p;
    return 32.0;
}

static inline struct fq_footprint fake_footprint(const struct fq_params *p, const struct fq_shape *shape) {
    (void)p;
    return (struct fq_footprint){.granularity = 1,
                                 .record_bytes = 4 * shape->dim,
                                 .work_dim = shape->dim,
                                 .prepared_bytes = 4 * shape->dim,
                                 .shared_bytes = FAKE_SHARED_BYTES,
                                 .scratch_bytes = 4 * shape->dim};
}

/* The same in groups of four vectors. */
static inline struct fq_footprint fake_group_footprint(const struct fq_params *p, const struct fq_shape *shape) {
    struct fq_footprint f = fake_footprint(p, shape);
    f.granularity = 4;
    f.record_bytes = 16 * shape->dim;
    return f;
}

static inline void fake_setup(const struct fq_params *p, const struct fq_shape *shape, const struct fq_streams *streams,
                              void *shared, void *scratch) {
    (void)p;
    (void)shape;
    (void)scratch;
    uint64_t words[FAKE_SHARED_BYTES / 8];
    streams->bits(streams->rotation, 0, FAKE_SHARED_BYTES / 8, words);
    memcpy(shared, words, sizeof words);
}

static inline size_t fake_vectors(const struct fq_call *call, size_t n_groups) {
    return n_groups * call->footprint->granularity;
}

static inline size_t fake_encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    memcpy(records, y, 4 * fake_vectors(call, n_groups) * call->shape.dim);
    return n_groups;
}

static inline void fake_decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    memcpy(x, records, 4 * fake_vectors(call, n_groups) * call->shape.dim);
}

static inline void fake_prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    memcpy(prepared, q, 4 * n * call->shape.dim);
}

static inline void fake_score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                              float *scores) {
    const size_t dim = call->shape.dim;
    const float *q = prepared;
    for (size_t i = 0; i < fake_vectors(call, n_groups); i++) {
        double sum = 0.0;
        for (size_t j = 0; j < dim; j++) {
            float v;
            memcpy(&v, records + 4 * (i * dim + j), sizeof v);
            sum += (double)q[j] * (double)v;
        }
        scores[i] = (float)sum;
    }
}

/* Everything comes back at nine tenths of its length. */
static inline size_t fake_encode_scaled(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    for (size_t i = 0; i < fake_vectors(call, n_groups) * call->shape.dim; i++) {
        const float v = 0.9F * y[i];
        memcpy(records + 4 * i, &v, sizeof v);
    }
    return n_groups;
}

static inline size_t fake_encode_overrun(const struct fq_call *call, size_t n_groups, const float *y,
                                         uint8_t *records) {
    fake_encode(call, n_groups, y, records);
    records[n_groups * call->footprint->record_bytes] = 1;
    return n_groups;
}

/* Gives up on the vector of index 5 in a batch. */
static inline size_t fake_encode_refusing(const struct fq_call *call, size_t n_groups, const float *y,
                                          uint8_t *records) {
    const size_t most = 5;
    return fake_encode(call, n_groups < most ? n_groups : most, y, records);
}

static float fake_kept[64];

static inline size_t fake_encode_keeping(const struct fq_call *call, size_t n_groups, const float *y,
                                         uint8_t *records) {
    memcpy(fake_kept, y, sizeof(float) * (call->shape.dim < 64 ? call->shape.dim : 64));
    return fake_encode(call, n_groups, y, records);
}

static inline void fake_decode_kept(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    fake_decode(call, n_groups, records, x);
    memcpy(x, fake_kept, sizeof(float) * (call->shape.dim < 64 ? call->shape.dim : 64));
}

/* Not what it kept, but how often it encoded: the fresh process counts anew. */
static unsigned fake_count;

static inline size_t fake_encode_counting(const struct fq_call *call, size_t n_groups, const float *y,
                                          uint8_t *records) {
    fake_count = 1;
    return fake_encode(call, n_groups, y, records);
}

static inline void fake_decode_counting(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    fake_decode(call, n_groups, records, x);
    x[0] += (float)fake_count;
}

static inline size_t fake_encode_into_shared(const struct fq_call *call, size_t n_groups, const float *y,
                                             uint8_t *records) {
    unsigned char *shared = (unsigned char *)(uintptr_t)call->shared;
    shared[17] ^= 1;
    return fake_encode(call, n_groups, y, records);
}

static inline size_t fake_encode_scratch(const struct fq_call *call, size_t n_groups, const float *y,
                                         uint8_t *records) {
    memcpy(call->scratch, y, call->footprint->scratch_bytes);
    return fake_encode(call, n_groups, y, records);
}

static inline void fake_decode_scratch(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    fake_decode(call, n_groups, records, x);
    float left;
    memcpy(&left, call->scratch, sizeof left);
    if (isfinite(left))
        x[0] = left;
}

static inline void *fake_sleeper(void *arg) {
    usleep(20000);
    return arg;
}

static inline size_t fake_encode_threaded(const struct fq_call *call, size_t n_groups, const float *y,
                                          uint8_t *records) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, fake_sleeper, NULL) == 0)
        pthread_join(thread, NULL);
    return fake_encode(call, n_groups, y, records);
}

static inline void fake_decode_nan(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    fake_decode(call, n_groups, records, x);
    if (n_groups > 2)
        x[2 * call->shape.dim + 3] = NAN;
}

#define FAKE_KERNELS(symbol, encode_body, decode_body)                                                                 \
    static const struct fq_kernels symbol##_kernels = {                                                                \
        .encode = (encode_body), .prepare = fake_prepare, .score = fake_score, .decode = (decode_body)}

#define FAKE_METHOD(symbol, label, footprint_function, encode_body, decode_body)                                       \
    FAKE_KERNELS(symbol, encode_body, decode_body);                                                                    \
    static const struct fq_method symbol __attribute__((unused)) = {.abi = FQ_METHOD_ABI,                              \
                                                                    .name = (label),                                   \
                                                                    .role = FQ_BASELINE,                               \
                                                                    .paper = "none",                                   \
                                                                    .summary = "a fake",                               \
                                                                    .bits_formula = "32",                              \
                                                                    .data_oblivious = true,                            \
                                                                    .nominal_bits = fake_nominal,                      \
                                                                    .footprint = (footprint_function),                 \
                                                                    .setup = fake_setup,                               \
                                                                    .kernels = {[FQ_REF] = &symbol##_kernels}}

FAKE_METHOD(fake_store, "fake-store", fake_footprint, fake_encode, fake_decode);
FAKE_METHOD(fake_group, "fake-group", fake_group_footprint, fake_encode, fake_decode);
FAKE_METHOD(fake_scaled, "fake-scaled", fake_footprint, fake_encode_scaled, fake_decode);
FAKE_METHOD(fake_overrun, "fake-overrun", fake_footprint, fake_encode_overrun, fake_decode);
FAKE_METHOD(fake_refusing, "fake-refusing", fake_footprint, fake_encode_refusing, fake_decode);
FAKE_METHOD(fake_keeping, "fake-keeping", fake_footprint, fake_encode_keeping, fake_decode_kept);
FAKE_METHOD(fake_counting, "fake-counting", fake_footprint, fake_encode_counting, fake_decode_counting);
FAKE_METHOD(fake_shared, "fake-shared", fake_footprint, fake_encode_into_shared, fake_decode);
FAKE_METHOD(fake_scratch, "fake-scratch", fake_footprint, fake_encode_scratch, fake_decode_scratch);
FAKE_METHOD(fake_threaded, "fake-threaded", fake_footprint, fake_encode_threaded, fake_decode);
FAKE_METHOD(fake_nan, "fake-nan", fake_footprint, fake_encode, fake_decode_nan);

static inline struct fq_codec *fake_open(const struct fq_method *method, size_t dim) {
    struct fq_error err = {0};
    struct fq_codec *codec = NULL;
    const struct fq_codec_config config = {.method = method, .shape = {dim, FQ_KEY}, .seed = 7, .backend = FQ_REF};
    if (fq_codec_open(&config, &codec, &err) != FQ_OK)
        fail_msg("%s", err.text);
    return codec;
}

/* n vectors of plain numbers that no test needs to be random. */
static inline float *fake_vectors_new(size_t n, size_t dim) {
    float *x = malloc(n * dim * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n * dim; i++)
        x[i] = (float)sin(1.3 * (double)i + 0.7) + 0.02F * (float)((37 * i) % 11);
    return x;
}

#endif
