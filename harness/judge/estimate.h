/* Cells -> estimates: one row per data, model, tensor, method instance and metric, each with an interval, or no number
 * at all. */
#ifndef FQ_JUDGE_ESTIMATE_H
#define FQ_JUDGE_ESTIMATE_H

#include "harness/base/error.h"
#include "harness/plan/results.h"

#include <stdbool.h>
#include <stddef.h>

struct fq_estimate {
    char data[128], model[64], tensor[12], method[64], parameters[FQ_CELL_PARAMETERS], label[96], role[20],
        rate_class[32], contract[48];
    char kind[12];
    char metric[56]; /* metric or metric.statistic */
    char unit[20];
    int replicate;
    double nominal_bits, rate_bits;
    double value, low, high; /* level 95 % unless said */
    size_t n;                /* samples */
    size_t seed_count;
    char resampled[48]; /* what was resampled: "seed, layer and head" */
    char flags[96];     /* verdict_flags: comma list: one-seed, few-units, single-unit, beyond-sample, too-wide,
                         * unfair:FIELD, partial, ...
                         */
};

struct fq_estimates {
    struct fq_estimate *rows;
    size_t n;
};

/* Bootstrap (hierarchical: seed, then cluster label_a, then label_b) with the "bootstrap" stream of `seed`. Failed
 * cells give no row. */
int fq_estimate_all(const struct fq_results *results, size_t n_results, uint64_t seed, struct fq_estimates *out,
                    struct fq_error *err);
void fq_estimates_free(struct fq_estimates *e);

#endif
