/* Theory gates: what a method's table says a Haar-rotated vector must give, measured over fresh data and fresh
 * rotations. One seed is one sample, so that the interval holds the spread between rotations too. */
#include "harness/measure/conformance_internal.h"

#include "harness/base/cpu.h"
#include "harness/base/random.h"
#include "harness/measure/catalog.h"
#include "harness/measure/codec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEWEST_SEEDS = 6,
    MOST_SEEDS = 48,
    SEED_VECTORS = 1280,
    QUICK_VECTORS = 320,
    FREE_QUERIES = 16,
    TAIL_BLOCKS = 8, /* of FREE_QUERIES each: rare errors need many pairs */
    TRAINING_VECTORS = 6144
};

struct gate_run {
    const struct fq_method *method;
    const struct fq_gate *gate;
    struct fq_params params;
    struct fq_shape shape;
    size_t n, dim;
    float *x, *q, *y; /* [n][dim] each; y holds decoded vectors, q queries */
    float *train;     /* [TRAINING_VECTORS][dim] for what learns: other vectors than those it is measured on */
    float *scores;    /* [FREE_QUERIES][n] */
};

/* 97.5 % point of Student's t, from the expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5): within .5 % of
 * the exact value from 5 degrees of freedom on. */
static double student_975(double freedom) {
    const double z = 1.959963984540054, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
    return z + (z3 + z) / (4.0 * freedom) + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * freedom * freedom) +
           (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * freedom * freedom * freedom);
}

static double dot(size_t n, const float *a, const float *b) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* n rows of iid N(0,1), made unit vectors if asked. */
static void fill(uint64_t key, size_t n, size_t dim, bool unit, float *x) {
    double g[FQ_MAX_DIM];
    for (size_t i = 0; i < n; i++) {
        double sum = 0.0;
        fq_random_gaussian(key, (uint64_t)i * FQ_MAX_DIM, dim, g);
        for (size_t j = 0; j < dim; j++)
            sum += g[j] * g[j];
        const double scale = unit && sum > 0.0 ? 1.0 / sqrt(sum) : 1.0;
        for (size_t j = 0; j < dim; j++)
            x[i * dim + j] = (float)(g[j] * scale);
    }
}

static int estimate_own(const struct gate_run *r, struct fq_codec *codec, float *scores, struct fq_error *err) {
    if (fq_codec_has(codec, FQ_STAGE_SCORE))
        return fq_codec_scores_own(codec, r->q, scores, err);
    FQ_TRY(fq_codec_decode(codec, r->y, err));
    for (size_t i = 0; i < r->n; i++)
        scores[i] = (float)dot(r->dim, r->q + i * r->dim, r->y + i * r->dim);
    return FQ_OK;
}

static int measure_mse(const struct gate_run *r, struct fq_codec *codec, double *value, struct fq_error *err) {
    double relative = 0.0, error = 0.0, energy = 0.0;
    FQ_TRY(fq_codec_decode(codec, r->y, err));
    for (size_t i = 0; i < r->n; i++) {
        const float *x = r->x + i * r->dim, *y = r->y + i * r->dim;
        double own = dot(r->dim, x, x), off = 0.0;
        for (size_t j = 0; j < r->dim; j++)
            off += ((double)x[j] - (double)y[j]) * ((double)x[j] - (double)y[j]);
        relative += off / own;
        error += off;
        energy += own;
    }
    *value = r->gate->metric == FQ_GATE_MSE_GAUSS ? error / energy : relative / (double)r->n;
    return FQ_OK;
}

/* Scores of unit queries that know nothing of the data, each against all vectors. */
static int score_free_queries(const struct gate_run *r, struct fq_codec *codec, uint64_t key, struct fq_error *err) {
    fill(key, FREE_QUERIES, r->dim, true, r->q);
    if (fq_codec_has(codec, FQ_STAGE_SCORE)) {
        FQ_TRY(fq_codec_scores(codec, FREE_QUERIES, r->q, r->scores, err));
    } else {
        FQ_TRY(fq_codec_decode(codec, r->y, err));
        for (size_t k = 0; k < FREE_QUERIES; k++)
            for (size_t i = 0; i < r->n; i++)
                r->scores[k * r->n + i] = (float)dot(r->dim, r->q + k * r->dim, r->y + i * r->dim);
    }
    return FQ_OK;
}

static double pair_error(const struct gate_run *r, size_t k, size_t i) {
    return (double)r->scores[k * r->n + i] - dot(r->dim, r->q + k * r->dim, r->x + i * r->dim);
}

static int measure_variance(const struct gate_run *r, struct fq_codec *codec, uint64_t seed, double *value,
                            struct fq_error *err) {
    FQ_TRY(score_free_queries(r, codec, fq_stream_key("query", seed), err));
    double sum = 0.0, sum2 = 0.0;
    const double pairs = (double)FREE_QUERIES * (double)r->n;
    for (size_t k = 0; k < FREE_QUERIES; k++)
        for (size_t i = 0; i < r->n; i++) {
            const double e = pair_error(r, k, i);
            sum += e;
            sum2 += e * e;
        }
    *value = (double)r->dim * (sum2 / pairs - (sum / pairs) * (sum / pairs));
    return FQ_OK;
}

/* Share of the errors beyond 2 or 3 times their root mean square. Pairs that share a vector share its error's length,
 * so that a binomial interval over pairs would be too narrow: the interval is over seeds, as everywhere. */
static int measure_tail(const struct gate_run *r, struct fq_codec *codec, uint64_t seed, double *value,
                        struct fq_error *err) {
    const double beyond = r->gate->metric == FQ_GATE_TAIL_2 ? 2.0 : 3.0;
    const size_t block = FREE_QUERIES * r->n, pairs = TAIL_BLOCKS * block;
    double sum2 = 0.0;
    size_t n_beyond = 0;
    double *error = malloc((pairs + 1) * sizeof *error);
    if (error == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: gate of %zu errors", pairs);
    int code = FQ_OK;
    for (size_t b = 0; b < TAIL_BLOCKS && code == FQ_OK; b++) {
        code = score_free_queries(r, codec, fq_stream_key("query", seed * TAIL_BLOCKS + b), err);
        for (size_t k = 0; k < FREE_QUERIES && code == FQ_OK; k++)
            for (size_t i = 0; i < r->n; i++) {
                const double e = pair_error(r, k, i);
                error[b * block + k * r->n + i] = e;
                sum2 += e * e;
            }
    }
    for (size_t i = 0; i < pairs && code == FQ_OK; i++)
        n_beyond += error[i] * error[i] > beyond * beyond * sum2 / (double)pairs;
    free(error);
    *value = (double)n_beyond / (double)pairs;
    return code;
}

/* rho = .5: half along x, the rest across it. rho = 1: the vector itself. */
static int measure_ratio(const struct gate_run *r, struct fq_codec *codec, uint64_t seed, double *value,
                         struct fq_error *err) {
    const bool self = r->gate->metric == FQ_GATE_SELF_IP;
    if (self) {
        memcpy(r->q, r->x, r->n * r->dim * sizeof *r->q);
    } else {
        fill(fq_stream_key("query", seed), r->n, r->dim, true, r->q);
        for (size_t i = 0; i < r->n; i++) {
            const float *x = r->x + i * r->dim;
            float *q = r->q + i * r->dim;
            const double along = dot(r->dim, q, x), length = sqrt(1.0 - along * along);
            for (size_t j = 0; j < r->dim; j++)
                q[j] = (float)(0.5 * (double)x[j] + sqrt(0.75) * ((double)q[j] - along * (double)x[j]) / length);
        }
    }
    FQ_TRY(estimate_own(r, codec, r->scores, err));
    double sum = 0.0;
    for (size_t i = 0; i < r->n; i++)
        sum += (double)r->scores[i] / dot(r->dim, r->q + i * r->dim, r->x + i * r->dim);
    *value = sum / (double)r->n;
    return FQ_OK;
}

static int measure_seed(const struct gate_run *r, uint64_t seed, double *value, struct fq_error *err) {
    const bool unit = r->gate->metric != FQ_GATE_MSE_GAUSS;
    if (r->train != NULL) /* a stream of its own: "training" is what the method's seeds are drawn from */
        fill(fq_stream_key("training data", seed), TRAINING_VECTORS, r->dim, unit, r->train);
    const struct fq_codec_config config = {.method = r->method,
                                           .params = r->params,
                                           .shape = r->shape,
                                           .seed = seed,
                                           .backend = fq_backend_pick(r->method),
                                           .train = r->train,
                                           .n_train = r->train != NULL ? TRAINING_VECTORS : 0};
    struct fq_codec *codec = NULL;
    fill(fq_stream_key("data", seed), r->n, r->dim, unit, r->x);
    FQ_TRY(fq_codec_open(&config, &codec, err));
    int code = fq_codec_encode(codec, r->n, r->x, err);
    if (code == FQ_OK)
        switch (r->gate->metric) {
        case FQ_GATE_MSE:
        case FQ_GATE_MSE_GAUSS:
            code = measure_mse(r, codec, value, err);
            break;
        case FQ_GATE_IP_VAR:
            code = measure_variance(r, codec, seed, value, err);
            break;
        case FQ_GATE_TAIL_2:
        case FQ_GATE_TAIL_3:
            code = measure_tail(r, codec, seed, value, err);
            break;
        case FQ_GATE_SLOPE:
        case FQ_GATE_SELF_IP:
            code = measure_ratio(r, codec, seed, value, err);
            break;
        }
    fq_codec_close(codec);
    return code;
}

static const char *metric_name(enum fq_gate_metric metric) {
    switch (metric) {
    case FQ_GATE_MSE:
        return "relative MSE";
    case FQ_GATE_IP_VAR:
        return "d Var of <q,x>, rho 0";
    case FQ_GATE_SLOPE:
        return "slope at rho .5";
    case FQ_GATE_SELF_IP:
        return "self inner product";
    case FQ_GATE_MSE_GAUSS:
        return "MSE on N(0,1)";
    case FQ_GATE_TAIL_2:
        return "share of errors of <q,x> beyond 2 sigma";
    case FQ_GATE_TAIL_3:
        return "share of errors of <q,x> beyond 3 sigma";
    }
    return "unknown metric";
}

/* Mean and 95 % interval over seeds. */
static void summarise(const double *value, size_t n, struct fq_check *check) {
    double sum = 0.0, spread = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += value[i];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        spread += (value[i] - mean) * (value[i] - mean);
    const double half = student_975((double)(n - 1)) * sqrt(spread / (double)(n - 1) / (double)n);
    check->measured = mean;
    check->low = mean - half;
    check->high = mean + half;
}

static int measure_gate(const struct gate_run *r, struct fq_check *check, struct fq_error *err) {
    double value[MOST_SEEDS];
    size_t n = 0;
    while (n < MOST_SEEDS) {
        FQ_TRY(measure_seed(r, n + 1, &value[n], err));
        n++;
        if (n < FEWEST_SEEDS)
            continue;
        summarise(value, n, check);
        if (check->high - check->low <= check->tolerance) /* half the interval is half the tolerance */
            break;
    }
    check->passed = fabs(check->measured - check->expected) <= check->tolerance;
    if (check->high - check->low > 2.0 * check->tolerance) {
        check->passed = false;
        snprintf(check->note, sizeof check->note, "undecided: the interval of %zu seeds is wider than the tolerance",
                 n);
    }
    return FQ_OK;
}

static int open_room(struct gate_run *r, struct fq_error *err) {
    r->x = malloc(r->n * r->dim * sizeof *r->x);
    r->q = malloc(r->n * r->dim * sizeof *r->q);
    r->y = malloc(r->n * r->dim * sizeof *r->y);
    r->scores = malloc(FREE_QUERIES * r->n * sizeof *r->scores);
    const bool learns = fq_method_learns(r->method, &r->params);
    r->train = learns ? malloc(TRAINING_VECTORS * r->dim * sizeof *r->train) : NULL;
    if (r->x == NULL || r->q == NULL || r->y == NULL || r->scores == NULL || (learns && r->train == NULL))
        return fq_fail(err, FQ_FAILED, "out of memory: gate of %zu vectors", r->n);
    return FQ_OK;
}

static void close_room(struct gate_run *r) {
    free(r->x);
    free(r->q);
    free(r->y);
    free(r->scores);
    free(r->train);
}

size_t fq_gate_vectors(bool quick, size_t granularity) {
    const size_t wanted = quick ? QUICK_VECTORS : SEED_VECTORS;
    return (wanted + granularity - 1) / granularity * granularity;
}

static void check_gate(struct check_sink *sink, const struct fq_method *method, enum fq_tensor tensor,
                       const struct fq_gate *gate) {
    struct fq_check check = {.kind = FQ_CHECK_GATE, .expected = gate->expected, .has_numbers = true};
    struct gate_run r = {.method = method, .gate = gate, .shape = {gate->dim, tensor}, .dim = gate->dim};
    struct fq_error err = {0};
    const bool absolute = gate->metric == FQ_GATE_SLOPE || gate->metric == FQ_GATE_SELF_IP;
    check.tolerance = absolute ? gate->tolerance : gate->tolerance * fabs(gate->expected);
    snprintf(check.what, sizeof check.what, "%s%s%sd=%zu: %s", tensor == FQ_VALUE ? "values, " : "", gate->params,
             gate->params[0] != '\0' ? ", " : "", gate->dim, metric_name(gate->metric));
    snprintf(check.source, sizeof check.source, "%s", gate->source);
    fq_params_default(method, &r.params);
    int code = fq_params_parse(method, gate->params, &r.params, &err);
    if (code == FQ_OK) {
        code = fq_params_check(method, &r.params, &r.shape, &err);
        const size_t g = code == FQ_OK ? method->footprint(&r.params, &r.shape).granularity : 1;
        r.n = fq_gate_vectors(sink->options->quick, g);
    }
    if (code == FQ_OK)
        code = open_room(&r, &err);
    if (code == FQ_OK)
        code = measure_gate(&r, &check, &err);
    close_room(&r);
    if (code != FQ_OK) {
        check.passed = check.has_numbers = false;
        snprintf(check.note, sizeof check.note, "%.250s", err.text);
    }
    fq_check_add(sink, &check);
}

void fq_check_gates(struct check_sink *sink, const struct fq_method *method) {
    for (size_t i = 0; i < method->n_gates; i++)
        check_gate(sink, method, FQ_KEY, &method->gates[i]);
    for (size_t i = 0; i < method->n_value_gates; i++)
        check_gate(sink, method, FQ_VALUE, &method->value_gates[i]);
}
