/* Closed-form statistics: distributions, intervals, tests. Nothing here draws a random number (bootstrap.h does).
 *
 * Written by hand because the libraries that offer these are under licences that cannot be linked here. Every function
 * has an oracle test in tests/unit/judge (tables, textbook examples, coverage). */
#ifndef FQ_JUDGE_STATS_H
#define FQ_JUDGE_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fq_interval {
    double value, low, high;
};

/* ---- distributions (special.c); probabilities are accurate to about 1e-12 ---- */
double fq_normal_cdf(double z);
double fq_normal_quantile(double p);                   /* p in (0, 1) */
double fq_beta_cdf(double a, double b, double x);      /* regularised incomplete beta I_x(a, b) */
double fq_beta_quantile(double a, double b, double p); /* x with I_x(a, b) = p */
double fq_student_cdf(double t, double df);
double fq_student_quantile(double p, double df);
double fq_f_upper(double f, double df1, double df2);  /* P(F >= f) */
double fq_binomial_cdf(size_t k, size_t n, double p); /* P(X <= k) */

/* ---- intervals ---- */

/* Median with a distribution-free interval: order statistics (l, n + 1 - l) of the largest l whose binomial coverage
 * is at least `level` (David and Nagaraja, Order Statistics, 7.1). x[n] is sorted by the call. *coverage receives what
 * is reached. false: n is too small for the level (n < 6 for 95 %); low and high are then NaN. n >= 1. */
bool fq_median_interval(double *x, size_t n, double level, struct fq_interval *out, double *coverage);

/* Exact binomial interval for k successes in n trials (Clopper and Pearson 1934); n >= 1. */
struct fq_interval fq_clopper_pearson(size_t k, size_t n, double level);

/* Mean of n independent values with Student's interval; NaN bounds when n < 2. */
struct fq_interval fq_student_interval(const double *x, size_t n, double level);

/* Least-squares line y = a + slope x, with the standard error of the slope robust to any dependence inside a cluster
 * (CR1: Liang and Zeger 1986, with the factor G/(G-1) (n-1)/(n-2)) and Student's quantile at G - 1 degrees of freedom.
 * cluster[n] are arbitrary labels, G of them differ. through_origin: the line y = slope x. NaN bounds when G < 2. */
struct fq_interval fq_slope_clustered(const double *x, const double *y, const int32_t *cluster, size_t n,
                                      bool through_origin, double level);

/* ---- tests ---- */

/* Holm's step-down adjustment (1979): adjusted[i] <= alpha rejects while the family-wise error stays at alpha. */
void fq_holm(const double *p, size_t n, double *adjusted);

/* Two one-sided tests of low < theta < high (Schuirmann 1987): the larger of both p-values. se = 0 gives 0 or 1. */
double fq_tost(double estimate, double se, double df, double low, double high);

/* P-value of the one-sided test against theta >= bound (above = false: evidence that theta < bound) or theta <= bound
 * (above = true). */
double fq_one_sided(double estimate, double se, double df, double bound, bool above);

/* ---- order ---- */
void fq_sort(double *x, size_t n);     /* ascending */
double fq_median(double *x, size_t n); /* sorts x; mean of the two middle values when n is even */

#endif
