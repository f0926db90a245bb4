/* One method, one parameter set, one seed, run from setup to decode by plain calls: for known answers and method tests.
 *
 * It is the least driver that keeps the contract (buffers of exactly the footprint, scratch poisoned before each
 * kernel call) and it measures nothing. The harness has its own, with canaries and clocks. It allocates; kernels must
 * not. */
#ifndef FQ_METHODS_COMMON_METHOD_RUN_H
#define FQ_METHODS_COMMON_METHOD_RUN_H

#include "harness/method.h"

struct fq_method_run {
    const struct fq_method *method;
    const struct fq_kernels *kernels; /* reference bodies */
    struct fq_params params;
    struct fq_shape shape;
    struct fq_footprint footprint;
    struct fq_call call;
    void *shared, *scratch;
};

/* Defaults, then "name=value name=value" over them. 0, or -1 for a name or value that the table does not hold. */
int fq_method_run_params(const struct fq_method *method, const char *text, struct fq_params *params);

/* 0, or -1 when the text does not parse, the check refuses, or memory is out. */
int fq_method_run_open(struct fq_method_run *run, const struct fq_method *method, const char *params, size_t dim,
                       const struct fq_streams *streams);
void fq_method_run_close(struct fq_method_run *run);

/* n_groups groups x[n_groups * granularity][dim] -> records; rotates first where the method rotates. Returns what
 * encode returns. */
size_t fq_method_run_encode(struct fq_method_run *run, size_t n_groups, const float *x, uint8_t *records);
void fq_method_run_decode(struct fq_method_run *run, size_t n_groups, const uint8_t *records, float *x);
/* Scores of one query q[dim]. */
void fq_method_run_score(struct fq_method_run *run, const float *q, size_t n_groups, const uint8_t *records,
                         float *scores);
void fq_method_run_attend(struct fq_method_run *run, size_t n_groups, const uint8_t *records, const float *weights,
                          float *out);

#endif
