/* Intervals and tests with a closed form. Here because they are the oracles beside the bootstrap and serve counts and
 * medians, which need no resampling. No randomness, no knowledge of cells. */
#include "harness/judge/stats.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void fq_sort(double *x, size_t n) {
    if (n > 1)
        qsort(x, n, sizeof *x, ascending);
}

double fq_median(double *x, size_t n) {
    fq_sort(x, n);
    return n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}

bool fq_median_interval(double *x, size_t n, double level, struct fq_interval *out, double *coverage) {
    out->value = fq_median(x, n);
    out->low = out->high = NAN;
    *coverage = 0.0;
    /* P(x_(l) <= median <= x_(n+1-l)) = 1 - 2 P(Binomial(n, 1/2) <= l - 1). */
    size_t best = 0;
    for (size_t l = 1; 2 * l <= n; l++) {
        double reached = 1.0 - 2.0 * fq_binomial_cdf(l - 1, n, 0.5);
        if (reached < level)
            break;
        best = l;
        *coverage = reached;
    }
    if (best == 0)
        return false;
    out->low = x[best - 1];
    out->high = x[n - best];
    return true;
}

struct fq_interval fq_clopper_pearson(size_t k, size_t n, double level) {
    double half = 0.5 * (1.0 - level), hits = (double)k, misses = (double)(n - k);
    struct fq_interval out = {.value = hits / (double)n, .low = 0.0, .high = 1.0};
    if (k > 0)
        out.low = fq_beta_quantile(hits, misses + 1.0, half);
    if (k < n)
        out.high = fq_beta_quantile(hits + 1.0, misses, 1.0 - half);
    return out;
}

struct fq_interval fq_student_interval(const double *x, size_t n, double level) {
    struct fq_interval out = {.value = NAN, .low = NAN, .high = NAN};
    if (n == 0)
        return out;
    double mean = 0.0, square = 0.0;
    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean);
    out.value = mean;
    if (n < 2)
        return out;
    double df = (double)n - 1.0;
    double half = fq_student_quantile(0.5 + 0.5 * level, df) * sqrt(square / df / (double)n);
    out.low = mean - half;
    out.high = mean + half;
    return out;
}

struct labelled {
    int32_t label;
    double value;
};

static int by_label(const void *a, const void *b) {
    int32_t x = ((const struct labelled *)a)->label, y = ((const struct labelled *)b)->label;
    return (x > y) - (x < y);
}

/* Sum over clusters of the squared cluster sums, and how many clusters there are. */
static double cluster_squares(struct labelled *score, size_t n, size_t *clusters) {
    qsort(score, n, sizeof *score, by_label);
    double total = 0.0, sum = 0.0;
    *clusters = 0;
    for (size_t i = 0; i < n; i++) {
        sum += score[i].value;
        if (i + 1 == n || score[i + 1].label != score[i].label) {
            total += sum * sum;
            sum = 0.0;
            ++*clusters;
        }
    }
    return total;
}

struct fq_interval fq_slope_clustered(const double *x, const double *y, const int32_t *cluster, size_t n,
                                      bool through_origin, double level) {
    struct fq_interval out = {.value = NAN, .low = NAN, .high = NAN};
    if (n < 3)
        return out;
    double mean_x = 0.0, mean_y = 0.0, xx = 0.0, xy = 0.0;
    for (size_t i = 0; i < n && !through_origin; i++) {
        mean_x += x[i] / (double)n;
        mean_y += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    if (!(xx > 0.0))
        return out;
    out.value = xy / xx;

    struct labelled *score = malloc(n * sizeof *score);
    if (score == NULL)
        return out;
    for (size_t i = 0; i < n; i++) {
        double residual = (y[i] - mean_y) - out.value * (x[i] - mean_x);
        score[i] = (struct labelled){.label = cluster[i], .value = (x[i] - mean_x) * residual};
    }
    size_t clusters = 0;
    double meat = cluster_squares(score, n, &clusters);
    free(score);
    if (clusters < 2)
        return out;
    double g = (double)clusters, free_rows = (double)n - (through_origin ? 1.0 : 2.0);
    double variance = meat / (xx * xx) * g / (g - 1.0) * ((double)n - 1.0) / free_rows;
    double half = fq_student_quantile(0.5 + 0.5 * level, g - 1.0) * sqrt(variance);
    out.low = out.value - half;
    out.high = out.value + half;
    return out;
}

struct ranked {
    double p;
    size_t index;
};

static int by_p(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    return x->p != y->p ? (x->p > y->p) - (x->p < y->p) : (x->index > y->index) - (x->index < y->index);
}

void fq_holm(const double *p, size_t n, double *adjusted) {
    if (n == 0)
        return;
    struct ranked *order = malloc(n * sizeof *order);
    if (order == NULL) { /* Bonferroni needs no memory and is never less strict */
        for (size_t i = 0; i < n; i++)
            adjusted[i] = fmin(1.0, p[i] * (double)n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        order[i] = (struct ranked){.p = p[i], .index = i};
    qsort(order, n, sizeof *order, by_p);
    double running = 0.0;
    for (size_t i = 0; i < n; i++) {
        running = fmax(running, fmin(1.0, order[i].p * (double)(n - i)));
        adjusted[order[i].index] = running;
    }
    free(order);
}

double fq_one_sided(double estimate, double se, double df, double bound, bool above) {
    double distance = above ? estimate - bound : bound - estimate;
    if (!(se > 0.0)) /* an exact value: it is beyond the bound, or it is not */
        return distance > 0.0 ? 0.0 : 1.0;
    return fq_student_cdf(-distance / se, df);
}

double fq_tost(double estimate, double se, double df, double low, double high) {
    double over_low = fq_one_sided(estimate, se, df, low, true);
    double under_high = fq_one_sided(estimate, se, df, high, false);
    return fmax(over_low, under_high);
}
