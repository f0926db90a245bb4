/* Inner-product error at chosen angles: for each vector x, queries built so that rho = <q, x> / (||q|| ||x||) is known.
 *
 * rho 0 is the query that knows nothing of x (uniform on the sphere): there theory predicts d Var (methods.md 1.1). At
 * rho .5, .9 and 1 the bias of a scale shows; independent queries alone hide it (methods.md 12.8). One more query per
 * vector, at a random rho in (0, 1), draws the curve of bias over inner product. Queries come from the stream "query"
 * of the data seed and from the vector's number only, so every method meets the same ones. */
#include "harness/measure/measure_internal.h"

#include "harness/base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_0, AT_50, AT_90, AT_100, AT_RANDOM, ANGLES, BINS = 10, TAIL_FIRST = 2, TAIL_LAST = 6 };

struct block { /* sums over up to MEASURE_BLOCK vectors */
    double n, err2[ANGLES], ratio[ANGLES];
    double bin_n[BINS], bin_err[BINS], bin_rho[BINS];
};

struct probing {
    const struct measure_pass *pass;
    struct block *blocks;
    size_t n_blocks;
    double *error; /* at rho 0, of every pair, in units of ||q|| ||x|| */
    size_t n, room;
    float *q, *estimate;
    size_t query_room;
};

int fq_probing_open(const struct measure_pass *pass, struct probing **out, struct fq_error *err) {
    struct probing *p = calloc(1, sizeof *p);
    *out = p;
    if (p == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: inner products");
    p->pass = pass;
    p->room = pass->options->max_pairs < pass->info->n ? pass->options->max_pairs : pass->info->n;
    p->n_blocks = (p->room + MEASURE_BLOCK - 1) / MEASURE_BLOCK;
    p->blocks = calloc(p->n_blocks + 1, sizeof *p->blocks);
    p->error = calloc(p->room + 1, sizeof *p->error);
    if (p->blocks == NULL || p->error == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: inner products of %zu vectors", p->room);
    return FQ_OK;
}

void fq_probing_free(struct probing *p) {
    if (p == NULL)
        return;
    free(p->blocks);
    free(p->error);
    free(p->q);
    free(p->estimate);
    free(p);
}

static double norm(size_t dim, const double *v) {
    double sum = 0.0;
    for (size_t j = 0; j < dim; j++)
        sum += v[j] * v[j];
    return sqrt(sum);
}

/* One unit query for vector number i at one angle. */
static void build_query(uint64_t key, size_t i, int angle, double rho, size_t dim, const float *x, double x_norm,
                        float *q) {
    double g[FQ_MAX_DIM];
    fq_random_gaussian(key, ((uint64_t)i * ANGLES + (uint64_t)angle) * FQ_MAX_DIM, dim, g);
    if (angle != AT_0) {
        double along = 0.0;
        for (size_t j = 0; j < dim; j++)
            along += g[j] * (double)x[j] / x_norm;
        for (size_t j = 0; j < dim; j++)
            g[j] -= along * (double)x[j] / x_norm;
    }
    const double length = norm(dim, g);
    const double across = angle == AT_0 ? 1.0 : sqrt(1.0 - rho * rho), with = angle == AT_0 ? 0.0 : rho;
    for (size_t j = 0; j < dim; j++)
        q[j] = (float)(with * (double)x[j] / x_norm + (length > 0.0 ? across * g[j] / length : 0.0));
}

static double angle_of(uint64_t key, size_t i, int angle) {
    static const double fixed[] = {0.0, 0.5, 0.9, 1.0};
    double rho;
    if (angle != AT_RANDOM)
        return fixed[angle];
    fq_random_uniform(key, (uint64_t)i, 1, &rho);
    return rho;
}

static void take(struct probing *p, size_t number, int angle, double truth, double estimate, double scale) {
    struct block *b = &p->blocks[number / MEASURE_BLOCK];
    const double error = (estimate - truth) / scale, rho = truth / scale;
    b->err2[angle] += error * error;
    if (angle == AT_0) {
        b->n += 1.0;
        p->error[p->n++] = error;
    } else if (angle == AT_RANDOM) {
        const int raw = (int)(rho * BINS), bin = raw < 0 ? 0 : raw >= BINS ? BINS - 1 : raw;
        b->bin_n[bin] += 1.0;
        b->bin_err[bin] += error;
        b->bin_rho[bin] += rho;
    } else {
        b->ratio[angle] += estimate / truth;
    }
}

static int ask(struct probing *p, size_t first, size_t n, int angle, const float *x, const float *xhat,
               const double *x_norm, struct fq_error *err) {
    const struct measure_pass *pass = p->pass;
    const size_t dim = pass->info->dim;
    const uint64_t key = fq_stream_key("query", pass->options->data_seed);
    const uint64_t rho_key = fq_stream_key("query rho", pass->options->data_seed);
    memset(p->q, 0, n * dim * sizeof *p->q);
    for (size_t i = 0; i < n; i++)
        if (x_norm[i] > 0.0)
            build_query(key, first + i, angle, angle_of(rho_key, first + i, angle), dim, x + i * dim, x_norm[i],
                        p->q + i * dim);
    if (fq_codec_has(pass->codec, FQ_STAGE_SCORE)) {
        FQ_TRY(fq_codec_scores_own(pass->codec, p->q, p->estimate, err));
    } else {
        for (size_t i = 0; i < n; i++)
            p->estimate[i] = (float)fq_dot(dim, p->q + i * dim, xhat + i * dim);
    }
    for (size_t i = 0; i < n && first + i < p->room; i++) {
        const float *q = p->q + i * dim;
        const double scale = x_norm[i] * sqrt(fq_dot(dim, q, q));
        if (scale > 0.0) /* a zero vector makes no angle with anything */
            take(p, first + i, angle, fq_dot(dim, q, x + i * dim), (double)p->estimate[i], scale);
    }
    return FQ_OK;
}

int fq_probing_add(struct probing *p, size_t first, size_t n, const float *x, const float *xhat, struct fq_error *err) {
    const size_t dim = p->pass->info->dim;
    if (first >= p->room)
        return FQ_OK;
    if (n > p->query_room) {
        free(p->q);
        free(p->estimate);
        p->q = malloc(n * dim * sizeof *p->q);
        p->estimate = malloc(n * sizeof *p->estimate);
        p->query_room = n;
    }
    double *x_norm = malloc(n * sizeof *x_norm);
    int code = FQ_OK;
    if (p->q == NULL || p->estimate == NULL || x_norm == NULL)
        code = fq_fail(err, FQ_FAILED, "out of memory: queries for %zu vectors", n);
    for (size_t i = 0; code == FQ_OK && i < n; i++)
        x_norm[i] = sqrt(fq_dot(dim, x + i * dim, x + i * dim));
    for (int angle = 0; code == FQ_OK && angle < ANGLES; angle++)
        code = ask(p, first, n, angle, x, xhat, x_norm, err);
    free(x_norm);
    return code;
}

/* ---- series ------------------------------------------------------------------------------------------------------*/

enum block_value { SQUARED, SCALED_SQUARED, SCALED_ROOT, RATIO };

/* One sample per block of vectors. */
static int push_blocks(const struct probing *p, const char *metric, const char *statistics, enum block_value what,
                       int angle, struct fq_error *err) {
    const double d = (double)p->pass->info->dim;
    size_t index = 0;
    FQ_TRY(fq_pass_series(p->pass, metric, "1", statistics, "vector block", &index, err));
    for (size_t i = 0; i < p->n_blocks; i++) {
        const struct block *b = &p->blocks[i];
        if (!(b->n > 0.0))
            continue;
        const double mean2 = b->err2[angle] / b->n;
        const double value = what == SQUARED          ? mean2
                             : what == SCALED_SQUARED ? d * mean2
                             : what == SCALED_ROOT    ? sqrt(d * mean2)
                                                      : b->ratio[angle] / b->n;
        FQ_TRY(fq_pass_push(p->pass, index, value, b->n, i, 0, err));
    }
    return FQ_OK;
}

static int push_tails(const struct probing *p, struct fq_error *err) {
    double sum = 0.0;
    for (size_t i = 0; i < p->n; i++)
        sum += p->error[i] * p->error[i];
    const double sigma = p->n > 0 ? sqrt(sum / (double)p->n) : 0.0;
    for (int k = TAIL_FIRST; k <= TAIL_LAST; k++) {
        char metric[24];
        size_t index = 0;
        snprintf(metric, sizeof metric, "ip_tail_%d", k);
        FQ_TRY(fq_pass_series(p->pass, metric, "1", "mean", "vector block", &index, err));
        for (size_t begin = 0; begin < p->n; begin += MEASURE_BLOCK) {
            const size_t end = begin + MEASURE_BLOCK < p->n ? begin + MEASURE_BLOCK : p->n;
            size_t beyond = 0;
            for (size_t i = begin; i < end; i++)
                beyond += fabs(p->error[i]) > (double)k * sigma;
            FQ_TRY(fq_pass_push(p->pass, index, (double)beyond / (double)(end - begin), (double)(end - begin),
                                begin / MEASURE_BLOCK, 0, err));
        }
    }
    return FQ_OK;
}

static int push_bias(const struct probing *p, struct fq_error *err) {
    for (int bin = 0; bin < BINS; bin++) {
        char metric[24];
        size_t bias = 0, centre = 0;
        snprintf(metric, sizeof metric, "ip_bias_bin%d", bin);
        FQ_TRY(fq_pass_series(p->pass, metric, "1", "mean", "vector block", &bias, err));
        snprintf(metric, sizeof metric, "ip_true_bin%d", bin);
        FQ_TRY(fq_pass_series(p->pass, metric, "1", "mean", "vector block", &centre, err));
        for (size_t i = 0; i < p->n_blocks; i++) {
            const struct block *b = &p->blocks[i];
            if (!(b->bin_n[bin] > 0.0))
                continue;
            FQ_TRY(fq_pass_push(p->pass, bias, b->bin_err[bin] / b->bin_n[bin], b->bin_n[bin], i, 0, err));
            FQ_TRY(fq_pass_push(p->pass, centre, b->bin_rho[bin] / b->bin_n[bin], b->bin_n[bin], i, 0, err));
        }
    }
    return FQ_OK;
}

int fq_probing_finish(struct probing *p, struct fq_error *err) {
    static const char *const suffix[] = {"rho0", "rho50", "rho90", "rho100"};
    char metric[40];
    FQ_TRY(push_blocks(p, "ip_dvar_rho0", "mean", SCALED_SQUARED, AT_0, err));
    for (int angle = AT_50; angle <= AT_100; angle++) {
        snprintf(metric, sizeof metric, "ip_slope_%s", suffix[angle]);
        FQ_TRY(push_blocks(p, metric, "mean", RATIO, angle, err));
    }
    for (int angle = AT_0; angle <= AT_100; angle++) {
        snprintf(metric, sizeof metric, "ip_rmse_sqrtd_%s", suffix[angle]);
        FQ_TRY(push_blocks(p, metric, "rms", SCALED_ROOT, angle, err));
    }
    FQ_TRY(push_blocks(p, "ip_sq_error", "mean", SQUARED, AT_0, err));
    FQ_TRY(push_tails(p, err));
    return push_bias(p, err);
}
