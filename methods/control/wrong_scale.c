/* wrong-scale: a negative control. It repeats a published mistake: the codebook divided by sqrt(128) for every vector,
 * also for the 32- and 96-dimensional parts of a split head (methods.md 2.3). At d = 128 it is right by accident.
 *
 * It declares the gates of the method that it pretends to be, unchanged. If it passes them all, the gates are
 * worthless. */
#include "methods/control/wrong_scale.h"

#include "methods/common/scalar_code_gates.h"

static const struct fq_param_spec params[] = {
    [WRONG_BITS] = FQ_PARAM_CODE_BITS(1, 4), [WRONG_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_HAAR),
    [WRONG_ROUNDS] = FQ_PARAM_ROUNDS,        [WRONG_SCALE] = FQ_PARAM_SCALE(FQ_SCALE_RAW),
    [WRONG_SCALAR] = FQ_PARAM_SCALAR,
};

static double nominal_bits(const struct fq_params *values) {
    return values->v[WRONG_BITS];
}

static int check(const struct fq_params *values, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct fq_scalar_code code = wrong_scale_code(values, shape);
    return fq_scalar_code_check(&code, why, why_size);
}

static struct fq_footprint footprint(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = wrong_scale_code(values, shape);
    return fq_scalar_code_footprint(&code);
}

static void setup(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct fq_scalar_code code = wrong_scale_code(values, shape);
    fq_scalar_code_setup(&code, streams, shared, scratch);
}

static size_t setup_scratch(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = wrong_scale_code(values, shape);
    return fq_scalar_code_setup_scratch(&code);
}

static const struct fq_gate gates[] = {
    FQ_SCALAR_CODE_GATES,
};

const struct fq_method fq_method_wrong_scale = {
    .abi = FQ_METHOD_ABI,
    .name = "wrong-scale",
    .role = FQ_NEGATIVE_CONTROL,
    .paper = "none: the sub-vector scale of a released KV-cache code, methods.md 2.3",
    .summary = "turboquant-mse with the codebook scaled for d = 128 at every d: deliberately wrong",
    .bits_formula = "(b w + s) / d; w = d or d padded for the rotation, s = 16 (fp16) or 32 (fp32)",
    .params = params,
    .n_params = WRONG_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &wrong_scale_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
};
