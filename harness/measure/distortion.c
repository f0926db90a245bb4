/* How far decoded vectors lie from the originals, and how estimates of inner products regress on the truth. Sums in
 * double; definitions in measures.h. */
#include "harness/measure/measure_internal.h"

#include <math.h>
#include <stdlib.h>

double fq_dot(size_t n, const float *a, const float *b) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static double squared_error(size_t n, const float *a, const float *b) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double e = (double)a[i] - (double)b[i];
        sum += e * e;
    }
    return sum;
}

void fq_distortion_add(struct distortion *d, size_t n, size_t dim, const float *x, const float *xhat, double *rel) {
    double energy = 0.0;
    for (size_t i = 0; i < n; i++)
        energy += fq_dot(dim, x + i * dim, x + i * dim);
    const double mean_energy = n > 0 ? energy / (double)n : 0.0;
    for (size_t i = 0; i < n; i++) {
        const float *a = x + i * dim, *b = xhat + i * dim;
        const double own = fq_dot(dim, a, a), error = squared_error(dim, a, b), decoded = fq_dot(dim, b, b);
        const double against = own > 0.0 ? own : mean_energy;
        /* All vectors zero: an exact zero is no error, anything else is wholly wrong. */
        const double relative = against > 0.0 ? error / against : (error > 0.0 ? 1.0 : 0.0);
        if (rel != NULL)
            rel[i] = relative;
        d->rel_sum += relative;
        d->cos_sum += own > 0.0 && decoded > 0.0 ? fq_dot(dim, a, b) / sqrt(own * decoded) : (own > 0.0 ? 0.0 : 1.0);
        d->error += error;
    }
    d->energy += energy;
    d->n += n;
}

int fq_distortion_open(const struct measure_pass *pass, struct distortion_series *s, struct fq_error *err) {
    const bool kv = pass->info->kind == FQ_DATA_KV;
    const char *unit = kv ? "layer and head" : "vector block";
    FQ_TRY(fq_pass_series(pass, "rel_mse", "1", kv ? "mean,median,max" : "mean,q99,max",
                          kv ? "layer and head" : "vector", &s->rel_mse, err));
    FQ_TRY(fq_pass_series(pass, "energy_mse", "1", "mean", unit, &s->energy_mse, err));
    return fq_pass_series(pass, "cosine", "1", "mean", unit, &s->cosine, err);
}

/* energy_mse and cosine of one matrix or block. */
static int push_sums(const struct measure_pass *pass, const struct distortion_series *s, const struct distortion *d,
                     size_t label_a, struct fq_error *err) {
    if (d->energy > 0.0)
        FQ_TRY(fq_pass_push(pass, s->energy_mse, d->error / d->energy, d->energy, label_a, 0, err));
    return fq_pass_push(pass, s->cosine, d->cos_sum / (double)d->n, 1.0, label_a, 0, err);
}

int fq_distortion_push(const struct measure_pass *pass, const struct distortion_series *s, const struct distortion *d,
                       size_t label_a, struct fq_error *err) {
    if (d->n == 0)
        return FQ_OK;
    FQ_TRY(fq_pass_push(pass, s->rel_mse, d->rel_sum / (double)d->n, 1.0, label_a, 0, err));
    return push_sums(pass, s, d, label_a, err);
}

int fq_distortion_push_vectors(const struct measure_pass *pass, const struct distortion_series *s, size_t first,
                               size_t n, const float *x, const float *xhat, struct fq_error *err) {
    const size_t dim = pass->info->dim;
    for (size_t begin = 0; begin < n; begin += MEASURE_BLOCK) {
        const size_t count = n - begin < MEASURE_BLOCK ? n - begin : MEASURE_BLOCK;
        double rel[MEASURE_BLOCK];
        struct distortion block = {0};
        fq_distortion_add(&block, count, dim, x + begin * dim, xhat + begin * dim, rel);
        for (size_t i = 0; i < count; i++)
            FQ_TRY(fq_pass_push(pass, s->rel_mse, rel[i], 1.0, first + begin + i, 0, err));
        FQ_TRY(push_sums(pass, s, &block, (first + begin) / MEASURE_BLOCK, err));
    }
    return FQ_OK;
}

/* ---- regression --------------------------------------------------------------------------------------------------*/

void fq_regression_add(struct regression *r, double truth, double estimate, double scale) {
    if (!(scale > 0.0))
        return;
    r->n += 1.0;
    r->t += truth;
    r->e += estimate;
    r->tt += truth * truth;
    r->te += truth * estimate;
    r->error2 += (estimate - truth) * (estimate - truth);
    r->bias += (estimate - truth) / scale;
}

int fq_regression_open(const struct measure_pass *pass, const char *resample, struct regression_series *s,
                       struct fq_error *err) {
    FQ_TRY(fq_pass_series(pass, "ip_slope", "1", "mean", resample, &s->slope, err));
    FQ_TRY(fq_pass_series(pass, "ip_rel_rmse", "1", "mean,median,max", resample, &s->rel_rmse, err));
    return fq_pass_series(pass, "ip_bias", "1", "mean", resample, &s->bias, err);
}

int fq_regression_push(const struct measure_pass *pass, const struct regression_series *s, const struct regression *r,
                       size_t label_a, struct fq_error *err) {
    const double spread = r->n * r->tt - r->t * r->t;
    if (r->n < 2.0 || !(spread > 0.0))
        return fq_fail(err, FQ_USAGE,
                       "%s: the true inner products of unit %zu do not vary (%.0f pairs), so no slope exists; use more "
                       "queries or keys",
                       pass->info->name, label_a, r->n);
    FQ_TRY(fq_pass_push(pass, s->slope, (r->n * r->te - r->t * r->e) / spread, 1.0, label_a, 0, err));
    FQ_TRY(fq_pass_push(pass, s->rel_rmse, sqrt(r->error2 / r->tt), 1.0, label_a, 0, err));
    return fq_pass_push(pass, s->bias, r->bias / r->n, 1.0, label_a, 0, err);
}
