/* turboquant-mse: parameters, promised bytes, gates. The pipeline itself is methods/common/scalar_code.c, which the
 * rotation-only presets share; what is the paper's own here is the choice of defaults (Haar rotation, S = 1). */
#include "methods/turboquant/turboquant_mse.h"

#include "methods/common/known_answer.h"
#include "methods/common/scalar_code_gates.h"

extern const struct fq_method fq_method_turboquant_mse;

static const struct fq_param_spec params[] = {
    [MSE_BITS] = FQ_PARAM_CODE_BITS(1, 4), [MSE_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_HAAR),
    [MSE_ROUNDS] = FQ_PARAM_ROUNDS,        [MSE_SCALE] = FQ_PARAM_SCALE(FQ_SCALE_RAW),
    [MSE_CODEBOOK] = FQ_PARAM_CODEBOOK,    [MSE_SCALAR] = FQ_PARAM_SCALAR,
};

static double nominal_bits(const struct fq_params *values) {
    return values->v[MSE_BITS];
}

static int check(const struct fq_params *values, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct fq_scalar_code code = turboquant_mse_code(values, shape);
    return fq_scalar_code_check(&code, why, why_size);
}

static struct fq_footprint footprint(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = turboquant_mse_code(values, shape);
    return fq_scalar_code_footprint(&code);
}

static void setup(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct fq_scalar_code code = turboquant_mse_code(values, shape);
    fq_scalar_code_setup(&code, streams, shared, scratch);
}

static size_t setup_scratch(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = turboquant_mse_code(values, shape);
    return fq_scalar_code_setup_scratch(&code);
}

static const struct fq_gate gates[] = {
    FQ_SCALAR_CODE_GATES,
    {"bits=2 codebook=sphere", 64, FQ_GATE_MSE, 0.114526, 0.03, "methods.md 1.4"},
    {"bits=4 codebook=sphere", 64, FQ_GATE_MSE, 0.009132, 0.03, "methods.md 1.4"},
};

static void known_answers(const struct fq_answers *answers) {
    fq_scalar_code_known_answers(&fq_method_turboquant_mse, answers);
}

const struct fq_method fq_method_turboquant_mse = {
    .abi = FQ_METHOD_ABI,
    .name = "turboquant-mse",
    .role = FQ_CONTENDER,
    .paper = "Zandieh, Daliri, Hadian, Mirrokni 2025, arXiv 2504.19874, Algorithm 1",
    .summary = "random rotation, Lloyd-Max level of each coordinate, one norm per vector",
    .bits_formula = "(b w + s) / d; w = d or d padded for the rotation, s = 16 (fp16) or 32 (fp32)",
    .params = params,
    .n_params = MSE_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &turboquant_mse_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
