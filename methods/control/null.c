/* null: what a call costs when there is nothing to do. The codes are the float32 bytes themselves, so it is the
 * identity: a sweep with null in the cache must give the full-precision perplexity to the last digit, and its encode
 * and decode times are the floor that no method can pass with 32 bits per coordinate. */
#include "methods/control/null.h"

static double nominal_bits(const struct fq_params *params) {
    (void)params;
    return 32;
}

static struct fq_footprint footprint(const struct fq_params *params, const struct fq_shape *shape) {
    (void)params;
    return (struct fq_footprint){.granularity = 1,
                                 .record_bytes = sizeof(float) * shape->dim,
                                 .work_dim = shape->dim,
                                 .prepared_bytes = sizeof(float) * shape->dim};
}

static const struct fq_gate gates[] = {
    {"", 64, FQ_GATE_MSE, 0, 0, "identity"},
    {"", 96, FQ_GATE_MSE, 0, 0, "identity"},
    {"", 128, FQ_GATE_SELF_IP, 1, 1e-5, "identity"},
};

const struct fq_method fq_method_null = {
    .abi = FQ_METHOD_ABI,
    .name = "null",
    .role = FQ_BASELINE,
    .paper = "none",
    .summary = "copies the vectors: call overhead, and full precision to the last digit",
    .bits_formula = "32",
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .footprint = footprint,
    .kernels = {[FQ_REF] = &null_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
};
