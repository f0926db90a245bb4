/* The hierarchical bootstrap. Statistics are evaluated on multiplicities instead of copied samples: a mean over a
 * million values costs one pass over its units per resample. Draws come from draws.c, the calibration from
 * components.c. */
#include "harness/judge/bootstrap.h"

#include "harness/judge/draws.h"
#include "harness/judge/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[FQ_STATISTICS] = {"mean", "median", "q99", "q999", "max", "exp_mean", "rms"};

const char *fq_statistic_name(enum fq_statistic s) {
    return names[s];
}

int fq_statistic_parse(const char *name, enum fq_statistic *out, struct fq_error *err) {
    for (int i = 0; i < FQ_STATISTICS; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum fq_statistic)i;
            return 0;
        }
    return fq_fail(err, FQ_USAGE, "unknown statistic '%s': expected mean, median, q99, q999, max, exp_mean or rms",
                   name);
}

/* Below this many degrees of freedom the asymmetry of the resamples says which of two or three processes the median
 * fell next to, and nothing about the distribution. */
static const double SHAPELESS = 3.0;

struct fq_bootstrap {
    struct fq_draws *draws;
};

struct fq_bootstrap *fq_bootstrap_new(uint64_t seed, size_t resamples) {
    struct fq_bootstrap *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->draws = fq_draws_new(seed, resamples < FQ_RESAMPLES ? FQ_RESAMPLES : resamples);
    if (b->draws == NULL) {
        free(b);
        return NULL;
    }
    return b;
}

void fq_bootstrap_free(struct fq_bootstrap *b) {
    if (b == NULL)
        return;
    fq_draws_free(b->draws);
    free(b);
}

static bool is_quantile(enum fq_statistic s) {
    return s == FQ_MEDIAN || s == FQ_Q99 || s == FQ_Q999 || s == FQ_MAX;
}

/* One sample, whose statistic is the effect. */
static bool is_single(enum fq_effect e) {
    return e == FQ_EFFECT_VALUE || e == FQ_EFFECT_MAGNITUDE;
}

static double probability(enum fq_statistic s) {
    return s == FQ_MEDIAN ? 0.5 : s == FQ_Q99 ? 0.99 : s == FQ_Q999 ? 0.999 : 1.0;
}

/* One variable (x or y) ready for resampling. */
struct column {
    const double *value;
    double *sum;     /* linear statistics: grid[outer][unit] of weight * f(value) */
    uint32_t *order; /* quantiles: samples by ascending value */
};

struct problem {
    const struct fq_design *d;
    enum fq_statistic statistic;
    enum fq_effect effect;
    struct column column[2];
    size_t columns;
    double *mass;    /* grid[outer][unit] of weight */
    double *current; /* quantiles: multiplicity of each sample */
};

struct keyed {
    double value;
    uint32_t index;
};

static int by_value(const void *p, const void *q) {
    const struct keyed *x = p, *y = q;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static bool prepare_order(struct column *c, size_t n) {
    struct keyed *k = malloc(n * sizeof *k);
    c->order = malloc(n * sizeof *c->order);
    if (k == NULL || c->order == NULL) {
        free(k);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        k[i] = (struct keyed){.value = c->value[i], .index = (uint32_t)i};
    qsort(k, n, sizeof *k, by_value);
    for (size_t i = 0; i < n; i++)
        c->order[i] = k[i].index;
    free(k);
    return true;
}

static bool prepare(struct problem *p) {
    const struct fq_design *d = p->d;
    size_t cells = d->n_outer * d->n_units;
    p->column[0].value = d->x;
    p->column[1].value = d->y;
    p->columns = is_single(p->effect) ? 1 : 2;
    if (is_quantile(p->statistic)) {
        p->current = malloc(d->n * sizeof *p->current);
        bool fine = p->current != NULL;
        for (size_t k = 0; k < p->columns; k++)
            fine = fine && prepare_order(&p->column[k], d->n);
        return fine;
    }
    p->mass = calloc(cells, sizeof *p->mass);
    bool fine = p->mass != NULL;
    for (size_t i = 0; fine && i < d->n; i++)
        p->mass[(size_t)d->outer[i] * d->n_units + d->unit[i]] += d->weight[i];
    for (size_t k = 0; fine && k < p->columns; k++) {
        struct column *c = &p->column[k];
        c->sum = calloc(cells, sizeof *c->sum);
        fine = c->sum != NULL;
        for (size_t i = 0; fine && i < d->n; i++) {
            double v = p->statistic == FQ_RMS ? c->value[i] * c->value[i] : c->value[i];
            c->sum[(size_t)d->outer[i] * d->n_units + d->unit[i]] += d->weight[i] * v;
        }
    }
    return fine;
}

static void release(struct problem *p) {
    for (size_t k = 0; k < 2; k++) {
        free(p->column[k].sum);
        free(p->column[k].order);
    }
    free(p->mass);
    free(p->current);
}

/* Quantile of a weighted sample in sorted order: the smallest value that at least the fraction p of the mass does not
 * exceed; the mean of two neighbours where the mass is cut exactly between them. */
static double weighted_quantile(const struct column *c, const double *mass, size_t n, double p) {
    double total = 0.0, sum = 0.0;
    for (size_t i = 0; i < n; i++)
        total += mass[i];
    double target = p * total, slack = 1e-9 * total, last = NAN;
    for (size_t i = 0; i < n; i++) {
        uint32_t k = c->order[i];
        if (mass[k] == 0.0)
            continue;
        if (!isnan(last))
            return 0.5 * (last + c->value[k]);
        sum += mass[k];
        if (p < 1.0 && fabs(sum - target) <= slack)
            last = c->value[k];
        else if (p < 1.0 ? sum > target : sum >= total - slack)
            return c->value[k];
    }
    return last;
}

static double finish(enum fq_statistic s, double mean) {
    return s == FQ_EXP_MEAN ? exp(mean) : s == FQ_RMS ? sqrt(mean) : mean;
}

/* The statistic of one column under multiplicities (NULL: all 1). */
static double evaluate(struct problem *p, size_t k, const uint16_t *outer, const uint16_t *unit) {
    const struct fq_design *d = p->d;
    const struct column *c = &p->column[k];
    if (is_quantile(p->statistic)) {
        for (size_t i = 0; i < d->n && k == 0; i++) { /* the second column has the multiplicities of the first */
            double times = outer ? (double)outer[d->outer[i]] * (double)unit[d->unit[i]] : 1.0;
            p->current[i] = d->weight[i] * times;
        }
        return weighted_quantile(c, p->current, d->n, probability(p->statistic));
    }
    double total = 0.0, mass = 0.0;
    for (size_t s = 0; s < d->n_outer; s++) {
        double row = 0.0, row_mass = 0.0, times = outer ? (double)outer[s] : 1.0;
        const double *sum = c->sum + s * d->n_units, *weight = p->mass + s * d->n_units;
        if (times == 0.0)
            continue;
        for (size_t u = 0; u < d->n_units; u++) {
            double m = unit ? (double)unit[u] : 1.0;
            row += m * sum[u];
            row_mass += m * weight[u];
        }
        total += times * row;
        mass += times * row_mass;
    }
    return finish(p->statistic, total / mass);
}

/* The effect on the scale that is resampled: logarithm for ratios and magnitudes. */
static double effect_of(struct problem *p, const uint16_t *outer, const uint16_t *unit) {
    double x = evaluate(p, 0, outer, unit);
    if (is_single(p->effect))
        return p->effect == FQ_EFFECT_MAGNITUDE ? log(x) : x;
    double y = evaluate(p, 1, outer, unit);
    return p->effect == FQ_EFFECT_RATIO ? log(x / y) : x - y;
}

/* Adds factor * influence of each sample on the statistic of column k; quantiles up to their unknown density, which
 * cancels in the ratio of variances that the influences are used for. */
static void add_influence(struct problem *p, size_t k, double theta, double factor, double *psi) {
    const struct fq_design *d = p->d;
    const double *value = p->column[k].value;
    double total = 0.0;
    for (size_t i = 0; i < d->n; i++)
        total += d->weight[i];
    for (size_t i = 0; i < d->n; i++) {
        double v = value[i], term;
        if (is_quantile(p->statistic))
            term = v > theta ? 1.0 : v < theta ? 0.0 : 0.5;
        else if (p->statistic == FQ_RMS)
            term = theta > 0.0 ? (v * v - theta * theta) / (2.0 * theta) : 0.0;
        else if (p->statistic == FQ_EXP_MEAN)
            term = theta * (v - log(theta));
        else
            term = v - theta;
        psi[i] += factor * d->weight[i] * term / total;
    }
}

static void centre(double *psi, const double *weight, size_t n) {
    double sum = 0.0, total = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += psi[i];
        total += weight[i];
    }
    for (size_t i = 0; i < n; i++)
        psi[i] -= sum * weight[i] / total;
}

static bool components(struct problem *p, struct fq_components *out) {
    const struct fq_design *d = p->d;
    double *psi = calloc(d->n, sizeof *psi);
    if (psi == NULL)
        return false;
    double x = evaluate(p, 0, NULL, NULL);
    bool logarithm = p->effect == FQ_EFFECT_RATIO || p->effect == FQ_EFFECT_MAGNITUDE;
    double sx = logarithm && !is_quantile(p->statistic) ? 1.0 / x : 1.0;
    add_influence(p, 0, x, sx, psi);
    if (!is_single(p->effect)) {
        double y = evaluate(p, 1, NULL, NULL);
        double sy = logarithm && !is_quantile(p->statistic) ? 1.0 / y : 1.0;
        add_influence(p, 1, y, -sy, psi);
    }
    centre(psi, d->weight, d->n);
    bool can = fq_components_of(d, psi, out);
    free(psi);
    return can;
}

static double sorted_quantile(const double *x, size_t n, double p) {
    double at = p * (double)(n - 1), whole = floor(at);
    size_t i = (size_t)whole;
    return i + 1 < n ? x[i] + (at - whole) * (x[i + 1] - x[i]) : x[n - 1];
}

/* Fills the interval: the components give its width (2 t se), the replicates its asymmetry. The width of the replicates
 * themselves is not used, because three seeds have ten distinct resamples. */
static void calibrate(const double *replicate, size_t n, double theta, double level, const struct problem *p,
                      const struct fq_components *c, struct fq_boot_result *out) {
    enum fq_statistic statistic = p->statistic;
    double mean = 0.0, square = 0.0, tail = 0.5 * (1.0 - level);
    for (size_t r = 0; r < n; r++)
        mean += replicate[r] / (double)n;
    for (size_t r = 0; r < n; r++)
        square += (replicate[r] - mean) * (replicate[r] - mean);
    double sd = sqrt(square / ((double)n - 1.0));
    double down = fmax(0.0, theta - sorted_quantile(replicate, n, tail));
    double up = fmax(0.0, sorted_quantile(replicate, n, 1.0 - tail) - theta);
    out->df = c->df;
    if (statistic == FQ_MAX) /* no smooth function of the sample: nothing to calibrate with */
        out->se = sd;
    else if (is_quantile(statistic)) /* influences are known up to the density, which the bootstrap supplies */
        out->se = c->boot_variance > 0.0 ? sd * sqrt(c->variance / c->boot_variance) : sd;
    else
        out->se = sqrt(c->variance);
    double stretch = 1.0;
    if (statistic != FQ_MAX && down + up > 0.0)
        stretch = 2.0 * out->se * fq_student_quantile(1.0 - tail, c->df) / (down + up);
    if (p->effect == FQ_EFFECT_MAGNITUDE && statistic != FQ_MAX && c->df < SHAPELESS)
        down = up = 0.5 * (down + up);
    out->low = theta - down * stretch;
    out->high = theta + up * stretch;
}

static int resample(struct fq_bootstrap *boot, struct problem *p, double level, struct fq_boot_result *out,
                    struct fq_error *err) {
    struct fq_components c;
    double theta = effect_of(p, NULL, NULL);
    if (!isfinite(theta))
        return fq_fail(err, FQ_FAILED, "a ratio needs two values above zero");
    bool can = components(p, &c);
    *out = (struct fq_boot_result){.value = theta, .low = NAN, .high = NAN, .se = NAN, .df = NAN};
    out->seeds = p->d->n_outer;
    out->by_label_a = p->d->by_label_a;
    out->tops = fq_design_tops(p->d);
    if (!can)
        return 0;
    size_t n = fq_draws_resamples(boot->draws);
    const uint16_t *unit = fq_draws_units(boot->draws, p->d);
    const uint16_t *outer = fq_draws_outer(boot->draws, p->d->n_outer);
    double *replicate = malloc(n * sizeof *replicate);
    if (unit == NULL || outer == NULL || replicate == NULL) {
        free(replicate);
        return fq_fail(err, FQ_FAILED, "out of memory for %zu resamples", n);
    }
    size_t kept = 0;
    for (size_t r = 0; r < n; r++) {
        double v = effect_of(p, outer + r * p->d->n_outer, unit + r * p->d->n_units);
        if (isfinite(v))
            replicate[kept++] = v;
    }
    int code = 0;
    if (kept * 10 < n * 9)
        code = fq_fail(err, FQ_FAILED, "only %zu of %zu resamples have a finite value", kept, n);
    else {
        fq_sort(replicate, kept);
        out->has_interval = true;
        calibrate(replicate, kept, theta, level, p, &c, out);
    }
    free(replicate);
    return code;
}

/* Can the statistic of these samples be zero or less? Then its logarithm is not what is nearly normal. */
static bool is_above_zero(const struct fq_design *d, enum fq_statistic statistic) {
    for (size_t i = 0; i < d->n; i++)
        if (!(statistic == FQ_RMS ? d->x[i] != 0.0 : d->x[i] > 0.0))
            return false;
    return true;
}

int fq_bootstrap_run(struct fq_bootstrap *boot, const struct fq_design *design, enum fq_statistic statistic,
                     enum fq_effect effect, double level, struct fq_boot_result *out, struct fq_error *err) {
    if (!is_single(effect) && !design->paired)
        return fq_fail(err, FQ_FAILED, "a comparison needs paired samples");
    bool magnitude = effect == FQ_EFFECT_MAGNITUDE || (effect == FQ_EFFECT_VALUE && statistic == FQ_RMS);
    /* exp_mean alone: the mean of the logarithms is what is nearly normal, and its exponential cannot be negative. */
    bool exponential = is_single(effect) && statistic == FQ_EXP_MEAN;
    if (effect == FQ_EFFECT_MAGNITUDE && (exponential || !is_above_zero(design, statistic)))
        effect = FQ_EFFECT_VALUE;
    struct problem p = {.d = design, .statistic = exponential ? FQ_MEAN : statistic, .effect = effect};
    int code = prepare(&p) ? resample(boot, &p, level, out, err) : fq_fail(err, FQ_FAILED, "out of memory");
    release(&p);
    if (code == 0 && (exponential || effect == FQ_EFFECT_RATIO || effect == FQ_EFFECT_MAGNITUDE)) {
        out->logarithm = true;
        out->value = exp(out->value);
        out->low = exp(out->low);
        out->high = exp(out->high);
    } else if (code == 0 && magnitude && out->value >= 0.0 && out->low < 0.0)
        out->low = 0.0; /* what cannot be negative loses nothing by saying so */
    return code;
}
