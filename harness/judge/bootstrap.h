/* Hierarchical bootstrap: seeds crossed with (cluster, unit), percentile interval, calibrated for few levels.
 *
 * Random numbers come from the streams "bootstrap" (data units) and "bootstrap outer" (seeds) and from nowhere else.
 * All statistics of one layout share the same draws. The interval is as wide as Student's with the standard error and
 * Satterthwaite degrees of freedom of the variance components (design.h), and as asymmetric as the percentile interval
 * of the resamples: the components give the width, the bootstrap the shape. (A magnitude with less than three degrees
 * of freedom is symmetric on its logarithm: two processes have a middle, but no shape.) With 3 seeds or 3 processes the
 * plain percentile interval covers far less than it says (a third of the variance is missing);
 * tests/unit/judge/bootstrap_test.c prints what this one covers. */
#ifndef FQ_JUDGE_BOOTSTRAP_H
#define FQ_JUDGE_BOOTSTRAP_H

#include "harness/base/error.h"
#include "harness/judge/design.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FQ_RESAMPLES = 2000 };

enum fq_statistic { FQ_MEAN, FQ_MEDIAN, FQ_Q99, FQ_Q999, FQ_MAX, FQ_EXP_MEAN, FQ_RMS, FQ_STATISTICS };

/* "mean" "median" "q99" "q999" "max" "exp_mean" (exp of the mean) "rms" (root of the mean square). */
const char *fq_statistic_name(enum fq_statistic s);
int fq_statistic_parse(const char *name, enum fq_statistic *out, struct fq_error *err);

/* VALUE: the statistic of x. RATIO: statistic of x over statistic of y (resampled as a logarithm). DIFFERENCE: of x
 * minus of y. RATIO and DIFFERENCE need a paired design. MAGNITUDE: the statistic of an x that cannot be negative by
 * its nature (a time, a squared error): its interval is made for the logarithm where every sample is above zero (for
 * rms: not zero), and on the linear scale otherwise; it never goes below zero. */
enum fq_effect { FQ_EFFECT_VALUE, FQ_EFFECT_RATIO, FQ_EFFECT_DIFFERENCE, FQ_EFFECT_MAGNITUDE };

struct fq_boot_result {
    double value, low, high;
    double se, df;     /* calibrated standard error (of the logarithm where that is so), degrees of freedom */
    bool logarithm;    /* RATIO, exp_mean, most MAGNITUDEs: the interval was made for the logarithm, so it is above 0 */
    bool has_interval; /* false: one seed and one unit, low and high are NaN */
    size_t seeds, tops; /* how many seeds, and how many clusters or units, were resampled */
    bool by_label_a;    /* tops counts label_a, else label_b */
};

struct fq_bootstrap;
struct fq_bootstrap *fq_bootstrap_new(uint64_t seed, size_t resamples); /* resamples >= 2000; NULL: no memory */
void fq_bootstrap_free(struct fq_bootstrap *boot);

/* FQ_FAILED: a ratio of values that are not positive, or no memory. */
int fq_bootstrap_run(struct fq_bootstrap *boot, const struct fq_design *design, enum fq_statistic statistic,
                     enum fq_effect effect, double level, struct fq_boot_result *out, struct fq_error *err);

#endif
