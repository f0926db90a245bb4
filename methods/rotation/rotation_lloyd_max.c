/* rotation-lloyd-max: what the community calls PolarQuant (rotation, Lloyd-Max, corrected norm), by kind of rotation.
 *
 * The paper named PolarQuant is another method; README.md says how the name got here. The pipeline is
 * methods/common/scalar_code.c, shared with turboquant-mse: only the defaults differ. */
#include "methods/rotation/rotation_lloyd_max.h"

#include "methods/common/known_answer.h"
#include "methods/common/scalar_code_gates.h"

extern const struct fq_method fq_method_rotation_lloyd_max;

static const struct fq_param_spec params[] = {
    [ROT_BITS] = FQ_PARAM_CODE_BITS(1, 4), [ROT_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_HAAR),
    [ROT_ROUNDS] = FQ_PARAM_ROUNDS,        [ROT_SCALE] = FQ_PARAM_SCALE(FQ_SCALE_MATCHED),
    [ROT_SCALAR] = FQ_PARAM_SCALAR,
};

static double nominal_bits(const struct fq_params *values) {
    return values->v[ROT_BITS];
}

static int check(const struct fq_params *values, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct fq_scalar_code code = rotation_lloyd_max_code(values, shape);
    return fq_scalar_code_check(&code, why, why_size);
}

static struct fq_footprint footprint(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = rotation_lloyd_max_code(values, shape);
    return fq_scalar_code_footprint(&code);
}

static void setup(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct fq_scalar_code code = rotation_lloyd_max_code(values, shape);
    fq_scalar_code_setup(&code, streams, shared, scratch);
}

static size_t setup_scratch(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = rotation_lloyd_max_code(values, shape);
    return fq_scalar_code_setup_scratch(&code);
}

static const struct fq_gate gates[] = {
    FQ_SCALAR_CODE_GATES,
    {"bits=2 rotation=rht rounds=3 scale=matched", 128, FQ_GATE_MSE, 0.11884, 0.03, FQ_TABLE_1_6},
    {"bits=2 rotation=hadamard scale=matched", 128, FQ_GATE_MSE, 0.11884, 0.03, FQ_TABLE_1_6},
    {"bits=2 rotation=block-32 scale=matched", 128, FQ_GATE_MSE, 0.11884, 0.03, FQ_TABLE_1_6},
    {"bits=2 rotation=fht-kac scale=matched", 128, FQ_GATE_MSE, 0.11884, 0.03, FQ_TABLE_1_6},
};

static void known_answers(const struct fq_answers *answers) {
    fq_scalar_code_known_answers(&fq_method_rotation_lloyd_max, answers);
}

const struct fq_method fq_method_rotation_lloyd_max = {
    .abi = FQ_METHOD_ABI,
    .name = "rotation-lloyd-max",
    .role = FQ_CONTENDER,
    .paper = "Lloyd 1957, Max 1960, after a rotation; community implementations under the name PolarQuant",
    .summary = "rotation of any kind, Lloyd-Max level of each coordinate, one corrected norm per vector",
    .bits_formula = "(b w + s) / d; w = d or d padded for the rotation, s = 16 (fp16) or 32 (fp32)",
    .params = params,
    .n_params = ROT_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &rotation_lloyd_max_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
