/* A small stand-in for the harness, for the unit tests of methods (which link no floor above base): one method
 * instance with its parameters as text, buffers of exactly the promised size (so that AddressSanitizer sees the first
 * byte too many), poisoned before use, and the statistics that the gates are about. Header only; no test of speed. */
#ifndef FQ_TESTS_METHOD_FIXTURE_H
#define FQ_TESTS_METHOD_FIXTURE_H

#include "harness/base/random.h"
#include "harness/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    const struct fq_method *method;
    struct fq_params params;
    struct fq_footprint footprint;
    struct fq_call call;
    const struct fq_kernels *kernels;
    void *shared, *scratch;
};

static inline void *fixture_alloc(size_t bytes) {
    const size_t padded = (bytes + 63) / 64 * 64;
    uint8_t *p = aligned_alloc(64, padded ? padded : 64);
    assert_non_null(p);
    memset(p, 0xA5, padded);
    return p;
}

/* "bits=3 scale=mse" over the defaults; an unknown name or choice fails the test. */
static inline struct fq_params fixture_params(const struct fq_method *method, const char *text) {
    struct fq_params out = {{0}};
    for (size_t i = 0; i < method->n_params; i++)
        out.v[i] = method->params[i].def;
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = 0;
        bool known = false;
        for (size_t i = 0; i < method->n_params; i++) {
            const struct fq_param_spec *spec = &method->params[i];
            if (strcmp(spec->name, word) != 0)
                continue;
            if (spec->kind != FQ_PARAM_CHOICE) {
                out.v[i] = strtod(value, NULL);
                known = out.v[i] >= spec->min && out.v[i] <= spec->max;
            }
            for (int c = 0; spec->kind == FQ_PARAM_CHOICE && spec->choices[c]; c++)
                if (strcmp(spec->choices[c], value) == 0) {
                    out.v[i] = c;
                    known = true;
                }
        }
        if (!known)
            fail_msg("%s has no %s=%s", method->name, word, value);
    }
    return out;
}

static inline void fixture_open(struct fixture *f, const struct fq_method *method, const char *params, size_t dim,
                                enum fq_tensor tensor, uint64_t seed) {
    const struct fq_shape shape = {.dim = dim, .tensor = tensor};
    *f = (struct fixture){.method = method, .params = fixture_params(method, params)};
    char why[256] = "";
    if (method->check && method->check(&f->params, &shape, why, sizeof why) != 0)
        fail_msg("%s %s: %s", method->name, params, why);
    f->footprint = method->footprint(&f->params, &shape);
    f->shared = fixture_alloc(f->footprint.shared_bytes);
    f->scratch = fixture_alloc(f->footprint.scratch_bytes);
    if (f->footprint.shared_bytes > 0) {
        const struct fq_streams streams = fq_streams_for(seed);
        void *work = fixture_alloc(method->setup_scratch ? method->setup_scratch(&f->params, &shape) : 0);
        method->setup(&f->params, &shape, &streams, f->shared, work);
        free(work);
    }
    f->kernels = method->kernels[FQ_REF];
    f->call = (struct fq_call){
        .params = &f->params, .shape = shape, .footprint = &f->footprint, .shared = f->shared, .scratch = f->scratch};
}

/* For parameters that learn: fits the shared state to x[n][dim], with work space of exactly the promised size. */
static inline void fixture_train(struct fixture *f, size_t n, const float *x, uint64_t seed) {
    const struct fq_streams streams = fq_streams_for(seed);
    const struct fq_method *m = f->method;
    void *work = fixture_alloc(m->setup_scratch ? m->setup_scratch(&f->params, &f->call.shape) : 0);
    m->train(&f->params, &f->call.shape, &streams, n, x, f->shared, work);
    free(work);
}

static inline bool fixture_learns(const struct fixture *f) {
    const struct fq_method *m = f->method;
    return m->train && (m->needs_training ? m->needs_training(&f->params) : !m->data_oblivious);
}

static inline void fixture_close(struct fixture *f) {
    free(f->shared);
    free(f->scratch);
}

static inline void fixture_poison(struct fixture *f) {
    memset(f->scratch, 0xA5, f->footprint.scratch_bytes);
}

/* x[n][dim], n a multiple of the granularity, to records in exactly n / granularity * record_bytes bytes (free them).
 * `encoded`, if not NULL, gets the number of groups encoded; else all must be. */
static inline uint8_t *fixture_encode(struct fixture *f, size_t n, const float *x, size_t *encoded) {
    const size_t groups = n / f->footprint.granularity;
    assert_int_equal(groups * f->footprint.granularity, n);
    uint8_t *records = malloc(groups * f->footprint.record_bytes);
    assert_non_null(records);
    memset(records, 0xA5, groups * f->footprint.record_bytes);
    float *y = malloc(n * f->footprint.work_dim * sizeof *y);
    assert_non_null(y);
    if (f->kernels->rotate) {
        fixture_poison(f);
        f->kernels->rotate(&f->call, n, x, y);
    } else {
        memcpy(y, x, n * f->footprint.work_dim * sizeof *y);
    }
    fixture_poison(f);
    const size_t done = f->kernels->encode(&f->call, groups, y, records);
    if (encoded)
        *encoded = done;
    else
        assert_int_equal(done, groups);
    free(y);
    return records;
}

static inline void fixture_roundtrip(struct fixture *f, size_t n, const float *x, float *xhat) {
    uint8_t *records = fixture_encode(f, n, x, NULL);
    fixture_poison(f);
    f->kernels->decode(&f->call, n / f->footprint.granularity, records, xhat);
    free(records);
}

/* scores[n] of one query. */
static inline void fixture_scores(struct fixture *f, const float *q, size_t n, const uint8_t *records, float *scores) {
    void *prepared = malloc(f->footprint.prepared_bytes);
    assert_non_null(prepared);
    fixture_poison(f);
    f->kernels->prepare(&f->call, 1, q, prepared);
    fixture_poison(f);
    f->kernels->score(&f->call, prepared, n / f->footprint.granularity, records, scores);
    free(prepared);
}

/* n x dim iid N(0, 1) values of the data stream (free them). */
static inline float *fixture_gaussian(size_t n, size_t dim, uint64_t seed) {
    float *x = malloc(n * dim * sizeof *x);
    double *row = malloc(dim * sizeof *row);
    assert_true(x && row);
    const uint64_t key = fq_stream_key("data", seed);
    const size_t stride = (dim + 1) / 2 * 2;
    for (size_t v = 0; v < n; v++) {
        fq_random_gaussian(key, v * stride, dim, row);
        for (size_t i = 0; i < dim; i++)
            x[v * dim + i] = (float)row[i];
    }
    free(row);
    return x;
}

/* A rotation of coordinates near the end of float's range may leave no number: of three rotated vectors whose second
 * holds one, the encoder takes the first and refuses the second. Granularity 1, work_dim = dim. */
static inline void fixture_refuses_no_number(struct fixture *f, size_t dim) {
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    assert_int_equal(f->footprint.granularity, 1);
    assert_int_equal(f->footprint.work_dim, dim);
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        float *y = fixture_gaussian(3, dim, 6);
        uint8_t *records = malloc(3 * f->footprint.record_bytes);
        assert_non_null(records);
        y[dim + 4] = bad[k];
        fixture_poison(f);
        assert_int_equal(f->kernels->encode(&f->call, 3, y, records), 1);
        free(records);
        free(y);
    }
}

static inline double fixture_dot(size_t n, const float *a, const float *b) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* E ||x - xhat||^2 / ||x||^2 with each vector on its own length (ratio of means with per_vector = false). */
static inline double fixture_mse(size_t n, size_t dim, const float *x, const float *xhat, bool per_vector) {
    double sum = 0, all_error = 0, all_square = 0;
    for (size_t v = 0; v < n; v++) {
        double error = 0, square = 0;
        for (size_t i = v * dim; i < (v + 1) * dim; i++) {
            const double e = (double)x[i] - (double)xhat[i];
            error += e * e;
            square += (double)x[i] * (double)x[i];
        }
        sum += error / square;
        all_error += error;
        all_square += square;
    }
    return per_vector ? sum / (double)n : all_error / all_square;
}

/* <q, decode> against score, and attend against the weighted sum of decode, for random x and q: the linear contract. */
static inline void fixture_linear(struct fixture *f, size_t n, const float *x, double tolerance) {
    const size_t dim = f->call.shape.dim, groups = n / f->footprint.granularity;
    uint8_t *records = fixture_encode(f, n, x, NULL);
    float *xhat = malloc(n * dim * sizeof *xhat), *scores = malloc(n * sizeof *scores);
    float *q = fixture_gaussian(1, dim, 977), *weights = malloc(n * sizeof *weights), *out = malloc(dim * sizeof *out);
    assert_true(xhat && scores && weights && out);
    fixture_poison(f);
    f->kernels->decode(&f->call, groups, records, xhat);
    fixture_scores(f, q, n, records, scores);
    for (size_t v = 0; v < n; v++) {
        const float *row = xhat + v * dim;
        const double size = sqrt(fixture_dot(dim, row, row) * fixture_dot(dim, q, q));
        const double expected = fixture_dot(dim, row, q);
        if (!(fabs((double)scores[v] - expected) <= tolerance * size))
            fail_msg("vector %zu: score %.9g, <q, decode> %.9g", v, (double)scores[v], expected);
        weights[v] = (float)(v % 5) - 1.5F;
    }
    if (f->kernels->attend) {
        fixture_poison(f);
        f->kernels->attend(&f->call, groups, records, weights, out);
        for (size_t i = 0; i < dim; i++) {
            double expected = 0, size = 0;
            for (size_t v = 0; v < n; v++) {
                expected += (double)weights[v] * (double)xhat[v * dim + i];
                size += fabs((double)weights[v] * (double)xhat[v * dim + i]);
            }
            if (!(fabs((double)out[i] - expected) <= tolerance * (size + 1e-30)))
                fail_msg("attend[%zu] = %.9g, expected %.9g", i, (double)out[i], expected);
        }
    }
    free(records);
    free(xhat);
    free(scores);
    free(q);
    free(weights);
    free(out);
}

/* Sink of known_answers: each miss fails the test and is printed. */
struct fixture_answers {
    size_t asked, missed;
};

static inline void fixture_emit(void *sink, const char *what, double expected, double measured, double tolerance,
                                const char *source) {
    struct fixture_answers *a = sink;
    a->asked++;
    if (!(fabs(measured - expected) <= tolerance)) {
        a->missed++;
        print_error("%s: expected %.9g, measured %.9g (%s)\n", what, expected, measured, source);
    }
}

static inline void fixture_known_answers(const struct fq_method *method, size_t at_least) {
    struct fixture_answers a = {0};
    const struct fq_answers answers = {.sink = &a, .emit = fixture_emit};
    method->known_answers(&answers);
    assert_true(a.asked >= at_least);
    assert_int_equal(a.missed, 0);
}

#endif
