/* Shared by the driver of conformance and its two halves. */
#ifndef FQ_MEASURE_CONFORMANCE_INTERNAL_H
#define FQ_MEASURE_CONFORMANCE_INTERNAL_H

#include "harness/measure/conformance.h"

struct check_sink {
    struct fq_conformance *list;
    const struct fq_conformance_options *options;
    bool out_of_memory;
};

/* Appends, counts and shows one check. */
void fq_check_add(struct check_sink *sink, const struct fq_check *check);

/* Vectors that a gate measures for each seed: whole groups, the float16 tail is the harness's and not the method's. */
size_t fq_gate_vectors(bool quick, size_t granularity);

void fq_check_gates(struct check_sink *sink, const struct fq_method *method);
void fq_check_invariants(struct check_sink *sink, const struct fq_method *method);

#endif
