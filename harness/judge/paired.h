/* Comparison of two method instances on the same data: ratio or difference, paired by seed and labels, with interval.
 *
 * Timed groups (kind "speed") are compared by the logarithm of the ratio inside each (process, block), whose median is
 * reported; everything else by the statistic of either side under common resamples. A side that drew no random number
 * has one seed and pairs with every seed of the other. */
#ifndef FQ_JUDGE_PAIRED_H
#define FQ_JUDGE_PAIRED_H

#include "harness/base/error.h"
#include "harness/judge/bootstrap.h"
#include "harness/judge/groups.h"

#include <stdbool.h>
#include <stddef.h>

struct fq_comparison {
    double value, low, high;
    double se, df;  /* of the logarithm where it says so */
    bool logarithm; /* ratios, exp_mean, positive values against a constant: the interval was made for the logarithm */
    bool has_interval; /* false: nothing to resample, the value must not be printed */
    size_t n;          /* pairs */
    size_t seeds, tops;
    char resampled[48];
};

/* y == NULL: x alone (VALUE). FQ_FAILED: no pair in common, a ratio of values not above zero, values not finite. */
int fq_compare(struct fq_bootstrap *boot, const struct fq_group *x, const struct fq_group *y,
               enum fq_statistic statistic, enum fq_effect effect, double level, struct fq_comparison *out,
               struct fq_error *err);

/* The noise floor of a group's kind, data, tensor and metric: the end farther from "no effect" of the A/A pair's
 * interval (as |log ratio| for RATIO, as |difference| otherwise). Effects smaller than it are below the floor. NaN: the
 * sweep holds no A/A pair there. */
double fq_noise_floor(struct fq_bootstrap *boot, const struct fq_groups *groups, const struct fq_group *of,
                      enum fq_statistic statistic, enum fq_effect effect, double level);

#endif
