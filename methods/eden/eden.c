/* eden: parameters, promised bytes, gates. The pipeline is methods/common/scalar_code.c; the paper's own is the choice
 * of rotation (one randomized Hadamard round) and of the scale. */
#include "methods/eden/eden.h"

#include "methods/common/known_answer.h"
#include "methods/common/scalar_code_gates.h"

extern const struct fq_method fq_method_eden;

const char *const eden_scale_choices[] = {"unbiased", "mse", NULL};

static const struct fq_param_spec params[] = {
    [EDEN_BITS] = FQ_PARAM_CODE_BITS(1, 4), [EDEN_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_RHT),
    [EDEN_ROUNDS] = EDEN_PARAM_ROUNDS,      [EDEN_SCALE] = EDEN_PARAM_SCALE,
    [EDEN_SCALAR] = FQ_PARAM_SCALAR,
};

struct fq_scalar_code eden_code(const struct fq_params *values, const struct fq_shape *shape) {
    return (struct fq_scalar_code){
        .bits = (int)values->v[EDEN_BITS],
        .rotation = (enum fq_rotation_kind)values->v[EDEN_ROTATION],
        .rounds = (int)values->v[EDEN_ROUNDS],
        .codebook = FQ_CODEBOOK_GAUSSIAN,
        .scale = values->v[EDEN_SCALE] > 0 ? FQ_SCALE_MSE : FQ_SCALE_UNBIASED,
        .scalar = (enum fq_scalar_kind)values->v[EDEN_SCALAR],
        .dim = shape->dim,
    };
}

static double nominal_bits(const struct fq_params *values) {
    return values->v[EDEN_BITS];
}

static int check(const struct fq_params *values, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct fq_scalar_code code = eden_code(values, shape);
    return fq_scalar_code_check(&code, why, why_size);
}

static struct fq_footprint footprint(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = eden_code(values, shape);
    return fq_scalar_code_footprint(&code);
}

static void setup(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct fq_scalar_code code = eden_code(values, shape);
    fq_scalar_code_setup(&code, streams, shared, scratch);
}

static size_t setup_scratch(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = eden_code(values, shape);
    return fq_scalar_code_setup_scratch(&code);
}

/* A vector that is uniform on the sphere is Haar rotated already: rotation=none measures the code alone, at any d. */
#define MORE_DIMS "methods.md 1.6, more dimensions"
#define HIGH_BITS "methods.md 1.6, b = 5..8"
/* A tenth of slack beyond 3 sigma: the expected share itself is known to 2 %, and one pair in 370 counts. */
#define TAILS "one coordinate of the sphere times the error's length: tests/oracles/tails.py"
static const struct fq_gate gates[] = {
    {"bits=1 scale=mse", 64, FQ_GATE_MSE, 0.35758, 0.03, FQ_TABLE_1_6},
    {"bits=2 scale=mse", 64, FQ_GATE_MSE, 0.11297, 0.03, FQ_TABLE_1_6},
    {"bits=3 scale=mse", 64, FQ_GATE_MSE, 0.03254, 0.03, FQ_TABLE_1_6},
    {"bits=4 scale=mse", 64, FQ_GATE_MSE, 0.00885, 0.03, FQ_TABLE_1_6},
    {"bits=1 scale=mse", 128, FQ_GATE_MSE, 0.36065, 0.03, FQ_TABLE_1_6},
    {"bits=2 scale=mse", 128, FQ_GATE_MSE, 0.11524, 0.03, FQ_TABLE_1_6},
    {"bits=3 scale=mse", 128, FQ_GATE_MSE, 0.03353, 0.03, FQ_TABLE_1_6},
    {"bits=4 scale=mse", 128, FQ_GATE_MSE, 0.00916, 0.03, FQ_TABLE_1_6},
    {"bits=2 scale=unbiased", 64, FQ_GATE_TAIL_2, 0.04577, 0.03, TAILS},
    {"bits=2 scale=unbiased", 64, FQ_GATE_TAIL_3, 0.00299, 0.1, TAILS},
    {"bits=1 scale=unbiased", 64, FQ_GATE_IP_VAR, 0.56335, 0.03, FQ_TABLE_1_6},
    {"bits=2 scale=unbiased", 64, FQ_GATE_IP_VAR, 0.12799, 0.03, FQ_TABLE_1_6},
    {"bits=3 scale=unbiased", 64, FQ_GATE_IP_VAR, 0.03370, 0.03, FQ_TABLE_1_6},
    {"bits=4 scale=unbiased", 64, FQ_GATE_IP_VAR, 0.00894, 0.03, FQ_TABLE_1_6},
    {"bits=1 scale=unbiased", 128, FQ_GATE_IP_VAR, 0.56751, 0.03, FQ_TABLE_1_6},
    {"bits=2 scale=unbiased", 128, FQ_GATE_IP_VAR, 0.13059, 0.03, FQ_TABLE_1_6},
    {"bits=3 scale=unbiased", 128, FQ_GATE_IP_VAR, 0.03474, 0.03, FQ_TABLE_1_6},
    {"bits=4 scale=unbiased", 128, FQ_GATE_IP_VAR, 0.00925, 0.03, FQ_TABLE_1_6},
    {"bits=4 scale=unbiased rotation=haar", 128, FQ_GATE_IP_VAR, 0.00925, 0.03, FQ_TABLE_1_6},
    {"bits=2 scale=unbiased rotation=none", 32, FQ_GATE_IP_VAR, 0.1227, 0.03, MORE_DIMS},
    {"bits=3 scale=unbiased rotation=none", 32, FQ_GATE_IP_VAR, 0.0318, 0.03, MORE_DIMS},
    {"bits=4 scale=unbiased rotation=none", 32, FQ_GATE_IP_VAR, 0.00843, 0.03, MORE_DIMS},
    {"bits=2 scale=unbiased rotation=none", 1536, FQ_GATE_IP_VAR, 0.1328, 0.03, MORE_DIMS},
    {"bits=4 scale=unbiased rotation=none", 1536, FQ_GATE_IP_VAR, 0.00958, 0.03, MORE_DIMS},
    {"bits=5 scale=unbiased", 128, FQ_GATE_IP_VAR, 2.41e-3, 0.03, HIGH_BITS},
    {"bits=6 scale=unbiased", 128, FQ_GATE_IP_VAR, 6.15e-4, 0.03, HIGH_BITS},
    {"bits=7 scale=unbiased scalar=fp32", 128, FQ_GATE_IP_VAR, 1.57e-4, 0.03, HIGH_BITS},
    {"bits=8 scale=unbiased scalar=fp32", 128, FQ_GATE_IP_VAR, 3.95e-5, 0.03, HIGH_BITS},
    {"bits=1 scale=unbiased", 128, FQ_GATE_SLOPE, 1, 0.01, "methods.md 1.1: unbiased"},
    {"bits=3 scale=unbiased", 64, FQ_GATE_SLOPE, 1, 0.005, "methods.md 1.1: unbiased"},
    {"bits=1 scale=unbiased", 128, FQ_GATE_SELF_IP, 1, 0.001, "methods.md 1.1: exact"},
    {"bits=4 scale=unbiased", 64, FQ_GATE_SELF_IP, 1, 0.001, "methods.md 1.1: exact"},
    {"bits=1 scale=mse", 64, FQ_GATE_SLOPE, 0.642, 0.01, FQ_TABLE_1_6},
    {"bits=2 scale=mse", 128, FQ_GATE_SLOPE, 0.885, 0.01, FQ_TABLE_1_6},
};

static void known_answers(const struct fq_answers *answers) {
    fq_scalar_code_known_answers(&fq_method_eden, answers);
}

const struct fq_method fq_method_eden = {
    .abi = FQ_METHOD_ABI,
    .name = "eden",
    .role = FQ_CONTENDER,
    .paper = "Vargaftik, Ben Basat, Portnoy, Mendelson, Ben Itzhak, Mitzenmacher 2022, EDEN (ICML 2022)",
    .summary = "randomized Hadamard transform, Lloyd-Max level of each coordinate, one unbiased scale per vector",
    .bits_formula = "(b w + s) / d; w = d or d padded for the rotation, s = 16 (fp16) or 32 (fp32)",
    .params = params,
    .n_params = EDEN_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &eden_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
