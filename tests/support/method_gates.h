/* Gates and worst cases of one method, measured small: what `fairquant verify` does at full size, for unit tests that
 * link no floor above base. Seeds are fixed, so a result is the same in every run. Header only; no test of speed. */
#ifndef FQ_TESTS_METHOD_GATES_H
#define FQ_TESTS_METHOD_GATES_H

#include "tests/support/method_fixture.h"

/* An allocation that cannot fail quietly; abort rather than an assertion, so that the analyzer follows it. */
static inline float *gates_floats(size_t n) {
    float *p = malloc(n * sizeof *p);
    if (!p)
        abort();
    return p;
}

enum { GATE_SEEDS = 3, GATE_VECTORS = 1500, GATE_QUERIES = 48, GATE_TRAINING = 6000 };

/* n vectors uniform on the unit sphere. */
static inline float *gates_sphere(size_t n, size_t dim, uint64_t seed) {
    float *x = fixture_gaussian(n, dim, seed);
    for (size_t v = 0; v < n; v++) {
        float *row = x + v * dim;
        const double scale = 1 / sqrt(fixture_dot(dim, row, row));
        for (size_t i = 0; i < dim; i++)
            row[i] = (float)((double)row[i] * scale);
    }
    return x;
}

/* Sum over all pairs of squared errors of <q, x>, q independent of x. */
static inline double gates_pair_errors(struct fixture *f, size_t n, const float *x, const uint8_t *records,
                                       uint64_t seed) {
    const size_t dim = f->call.shape.dim;
    float *q = gates_sphere(GATE_QUERIES, dim, seed), *scores = gates_floats(n);
    double sum = 0;
    for (size_t i = 0; i < GATE_QUERIES; i++) {
        fixture_scores(f, q + i * dim, n, records, scores);
        for (size_t v = 0; v < n; v++) {
            const double e = (double)scores[v] - fixture_dot(dim, q + i * dim, x + v * dim);
            sum += e * e;
        }
    }
    free(q);
    free(scores);
    return sum / GATE_QUERIES;
}

/* Share of the errors of <q, x> beyond `sigmas` times their root mean square, q independent of x. */
static inline double gates_tail(struct fixture *f, size_t n, const float *x, const uint8_t *records, double sigmas,
                                uint64_t seed) {
    const size_t dim = f->call.shape.dim;
    const double limit = sigmas * sigmas * gates_pair_errors(f, n, x, records, seed) / (double)n;
    float *q = gates_sphere(GATE_QUERIES, dim, seed), *scores = gates_floats(n);
    size_t beyond = 0;
    for (size_t i = 0; i < GATE_QUERIES; i++) {
        fixture_scores(f, q + i * dim, n, records, scores);
        for (size_t v = 0; v < n; v++) {
            const double e = (double)scores[v] - fixture_dot(dim, q + i * dim, x + v * dim);
            beyond += e * e > limit;
        }
    }
    free(q);
    free(scores);
    return (double)beyond / GATE_QUERIES / (double)n;
}

/* Mean of estimate / rho over unit x, with q at cosine rho to x. */
static inline double gates_slope(struct fixture *f, size_t n, const float *x, const uint8_t *records, double rho,
                                 uint64_t seed) {
    const size_t dim = f->call.shape.dim;
    float *q = gates_sphere(n, dim, seed);
    double sum = 0;
    for (size_t v = 0; v < n; v++) {
        const float *row = x + v * dim;
        float *other = q + v * dim, estimate;
        const double along = fixture_dot(dim, row, other), across = sqrt(1 - along * along);
        for (size_t i = 0; i < dim; i++)
            other[i] = (float)(rho * (double)row[i] +
                               sqrt(1 - rho * rho) * ((double)other[i] - along * (double)row[i]) / across);
        fixture_scores(f, other, 1, records + v * f->footprint.record_bytes, &estimate);
        sum += (double)estimate;
    }
    free(q);
    return sum / (double)n / rho;
}

/* What learns is fitted to other vectors of the same kind than it is measured on. */
static inline void gates_train(struct fixture *f, bool sphere, uint64_t seed) {
    const size_t dim = f->call.shape.dim;
    if (!fixture_learns(f))
        return;
    float *x =
        sphere ? gates_sphere(GATE_TRAINING, dim, 5000 + seed) : fixture_gaussian(GATE_TRAINING, dim, 5000 + seed);
    fixture_train(f, GATE_TRAINING, x, seed);
    free(x);
}

static inline double gates_measure_tensor(const struct fq_method *method, enum fq_tensor tensor,
                                          const struct fq_gate *gate) {
    double sum = 0;
    for (uint64_t seed = 1; seed <= GATE_SEEDS; seed++) {
        struct fixture f;
        fixture_open(&f, method, gate->params, gate->dim, tensor, seed);
        const size_t n = GATE_VECTORS;
        gates_train(&f, gate->metric != FQ_GATE_MSE_GAUSS, seed);
        float *x =
            gate->metric == FQ_GATE_MSE_GAUSS ? fixture_gaussian(n, gate->dim, seed) : gates_sphere(n, gate->dim, seed);
        uint8_t *records = fixture_encode(&f, n, x, NULL);
        float *xhat = gates_floats(n * gate->dim);
        switch (gate->metric) {
        case FQ_GATE_MSE:
        case FQ_GATE_MSE_GAUSS:
            fixture_poison(&f);
            f.kernels->decode(&f.call, n, records, xhat);
            sum += fixture_mse(n, gate->dim, x, xhat, gate->metric == FQ_GATE_MSE);
            break;
        case FQ_GATE_IP_VAR:
            sum += (double)gate->dim * gates_pair_errors(&f, n, x, records, 1000 + seed) / (double)n;
            break;
        case FQ_GATE_TAIL_2:
        case FQ_GATE_TAIL_3:
            sum += gates_tail(&f, n, x, records, gate->metric == FQ_GATE_TAIL_2 ? 2 : 3, 4000 + seed);
            break;
        case FQ_GATE_SLOPE:
            sum += gates_slope(&f, n, x, records, 0.5, 2000 + seed);
            break;
        case FQ_GATE_SELF_IP:
            sum += gates_slope(&f, n, x, records, 1, 3000 + seed);
            break;
        }
        free(x);
        free(records);
        free(xhat);
        fixture_close(&f);
    }
    return sum / GATE_SEEDS;
}

static inline double gates_measure(const struct fq_method *method, const struct fq_gate *gate) {
    return gates_measure_tensor(method, FQ_KEY, gate);
}

/* Gates of keys, then of values. slack: what the small sample adds to the gate's own tolerance, in the gate's unit.
 * Returns the number of misses. */
static inline size_t gates_misses(const struct fq_method *method, double slack, bool say) {
    size_t missed = 0;
    for (size_t i = 0; i < method->n_gates + method->n_value_gates; i++) {
        const bool key = i < method->n_gates;
        const struct fq_gate *gate = key ? &method->gates[i] : &method->value_gates[i - method->n_gates];
        const bool absolute = gate->metric == FQ_GATE_SLOPE || gate->metric == FQ_GATE_SELF_IP;
        const double measured = gates_measure_tensor(method, key ? FQ_KEY : FQ_VALUE, gate);
        const double unit = absolute ? 1 : gate->expected;
        const bool passed = fabs(measured - gate->expected) <= (gate->tolerance + slack) * unit;
        missed += !passed;
        if (say && !passed)
            print_error("%s, d=%zu, metric %d, %s: expected %.6g, measured %.6g\n", method->name, gate->dim,
                        (int)gate->metric, gate->params, gate->expected, measured);
        else if (getenv("FQ_TEST_PRINT"))
            print_message("%s, d=%zu, metric %d, %s: expected %.6g, measured %.6g\n", method->name, gate->dim,
                          (int)gate->metric, gate->params, gate->expected, measured);
    }
    return missed;
}

static inline void gates_assert_finite(size_t n, const float *x) {
    for (size_t i = 0; i < n; i++)
        assert_true(isfinite(x[i]));
}

/* Vectors that break quantizers: zero, one-hot, constant, alternating, sparse, a wide range within one vector. */
enum { GATE_HARD_CASES = 6 };
static inline float *gates_hard_cases(size_t dim) {
    float *x = gates_floats(GATE_HARD_CASES * dim);
    memset(x, 0, GATE_HARD_CASES * dim * sizeof *x);
    x[dim + dim / 3] = -3;
    for (size_t i = 0; i < dim; i++) {
        x[2 * dim + i] = 0.25F;
        x[3 * dim + i] = i % 2 ? -1.0F : 1.0F;
        x[4 * dim + i] = i % 29 == 5 ? (float)i - 40 : 0.0F;
        x[5 * dim + i] = ldexpf(i % 3 ? 1.0F : -1.0F, -(int)(i % 24));
    }
    return x;
}

/* attend against the weighted sum of what decode gave; to rounding, measured by the length of what was summed, because
 * structured vectors cancel coordinate by coordinate. */
static inline void gates_attend(struct fixture *f, size_t n, const uint8_t *records, const float *xhat) {
    const size_t dim = f->call.shape.dim;
    float weights[GATE_HARD_CASES], *out = gates_floats(dim);
    double size = 0;
    for (size_t v = 0; v < n; v++) {
        weights[v] = (float)(v % 5) - 1.5F;
        size += fabs((double)weights[v]) * sqrt(fixture_dot(dim, xhat + v * dim, xhat + v * dim));
    }
    if (f->kernels->attend) {
        fixture_poison(f);
        f->kernels->attend(&f->call, n, records, weights, out);
        for (size_t i = 0; i < dim; i++) {
            double expected = 0;
            for (size_t v = 0; v < n; v++)
                expected += (double)weights[v] * (double)xhat[v * dim + i];
            assert_true(fabs((double)out[i] - expected) <= 1e-6 * size);
        }
    }
    free(out);
}

/* Finite everywhere, zero for zero, a function of the bytes alone: the records, copied to an odd address and decoded by
 * a second instance set up from the same seed, give the same floats; encoded one by one or in a batch, the same bytes.
 */
static inline void gates_worst_cases(const struct fq_method *method, const char *params, size_t dim) {
    struct fixture f, again;
    fixture_open(&f, method, params, dim, FQ_KEY, 11);
    fixture_open(&again, method, params, dim, FQ_KEY, 11);
    assert_memory_equal(f.shared, again.shared, f.footprint.shared_bytes);
    const size_t n = GATE_HARD_CASES, bytes = f.footprint.record_bytes;
    float *x = gates_hard_cases(dim), *xhat = gates_floats(n * dim), *second = gates_floats(n * dim);
    float scores[GATE_HARD_CASES];
    uint8_t *records = fixture_encode(&f, n, x, NULL), *moved = malloc(n * bytes + 1);
    if (!moved)
        abort();
    memcpy(moved + 1, records, n * bytes);
    fixture_poison(&f);
    f.kernels->decode(&f.call, n, records, xhat);
    fixture_poison(&again);
    again.kernels->decode(&again.call, n, moved + 1, second);
    assert_memory_equal(xhat, second, n * dim * sizeof *xhat);
    gates_assert_finite(n * dim, xhat);
    for (size_t i = 0; i < dim; i++)
        assert_true(xhat[i] == 0);
    fixture_scores(&f, x + 2 * dim, n, records, scores);
    gates_assert_finite(n, scores);
    assert_true(scores[0] == 0);
    for (size_t v = 0; v < n; v++) {
        uint8_t *alone = fixture_encode(&again, 1, x + v * dim, NULL);
        assert_memory_equal(alone, records + v * bytes, bytes);
        free(alone);
    }
    gates_attend(&f, n, records, xhat);
    free(x);
    free(xhat);
    free(second);
    free(records);
    free(moved);
    fixture_close(&f);
    fixture_close(&again);
}

/* A vector times 1e30 or 1e-30 decodes to 1e30 or 1e-30 times what it decodes to (scalars in float). */
static inline void gates_scale_equivariant(const struct fq_method *method, const char *params, size_t dim) {
    struct fixture f;
    fixture_open(&f, method, params, dim, FQ_KEY, 12);
    static const float factor[2] = {1e30F, 1e-30F};
    float *x = gates_sphere(3, dim, 5), *plain = gates_floats(3 * dim), *xhat = gates_floats(3 * dim);
    fixture_roundtrip(&f, 3, x, plain);
    for (size_t v = 0; v < 2; v++)
        for (size_t i = 0; i < dim; i++)
            x[v * dim + i] *= factor[v];
    fixture_roundtrip(&f, 3, x, xhat);
    for (size_t v = 0; v < 2; v++)
        for (size_t i = 0; i < dim; i++)
            assert_true(fabs((double)xhat[v * dim + i] / (double)factor[v] - (double)plain[v * dim + i]) < 1e-4);
    free(x);
    free(plain);
    free(xhat);
    fixture_close(&f);
}

/* With scalars in half a vector that is too long has no record, and encode says which one. */
static inline void gates_overflow_is_named(const struct fq_method *method, const char *params, size_t dim) {
    struct fixture f;
    fixture_open(&f, method, params, dim, FQ_KEY, 13);
    float *x = gates_sphere(5, dim, 6);
    for (size_t i = 0; i < dim; i++)
        x[3 * dim + i] *= 1e8F;
    size_t encoded;
    uint8_t *records = fixture_encode(&f, 5, x, &encoded);
    assert_int_equal(encoded, 3);
    free(records);
    free(x);
    fixture_close(&f);
}

#endif
