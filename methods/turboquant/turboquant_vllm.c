/* turboquant@vllm: what vLLM ships under the name TurboQuant: keys rotated by a Hadamard matrix without signs and coded
 * with Lloyd-Max levels, values coded between minimum and maximum without a rotation, no residual sketch. */
#include "methods/turboquant/turboquant_vllm.h"

#include "methods/common/pack.h"

#include <stdio.h>

static const char *const correction_choices[] = {"off", "on", NULL};

static const struct fq_param_spec params[] = {
    [VLLM_BITS] = {.name = "bits",
                   .help = "bits per coordinate of code: 3 or 4; keys and values are given apart by the cache",
                   .kind = FQ_PARAM_INT,
                   .min = 3,
                   .max = 4,
                   .def = 4},
    [VLLM_NORM_CORRECTION] = {.name = "norm_correction",
                              .help = "keys: whether the codeword is made a unit vector before it meets the norm (the "
                                      "presets named _nc)",
                              .kind = FQ_PARAM_CHOICE,
                              .def = 1,
                              .choices = correction_choices},
};

struct vllm_layout vllm_layout_of(const struct fq_params *values, const struct fq_shape *shape) {
    struct vllm_layout l = {
        .bits = (int)values->v[VLLM_BITS],
        .is_key = shape->tensor == FQ_KEY,
        .corrects_norm = values->v[VLLM_NORM_CORRECTION] > 0,
        .dim = shape->dim,
    };
    l.code = (struct fq_scalar_code){.bits = l.bits,
                                     .rotation = l.is_key ? FQ_ROTATION_HADAMARD : FQ_ROTATION_NONE,
                                     .codebook = FQ_CODEBOOK_GAUSSIAN,
                                     .scale = FQ_SCALE_RAW,
                                     .scalar = FQ_SCALAR_FP16,
                                     .dim = shape->dim};
    l.code_bytes = fq_packed_bytes(l.bits, l.dim);
    l.record_bytes = l.code_bytes + (size_t)(l.is_key ? 1 : 2) * VLLM_SCALAR_BYTES;
    return l;
}

static double nominal_bits(const struct fq_params *values) {
    return values->v[VLLM_BITS];
}

static int check(const struct fq_params *values, const struct fq_shape *shape, char *why, size_t why_size) {
    (void)values;
    if (shape->tensor == FQ_KEY && (shape->dim & (shape->dim - 1)) != 0) {
        snprintf(why, why_size,
                 "turboquant@vllm rotates keys by a Hadamard matrix and needs a dimension that is a power of two, "
                 "found %zu; use turboquant-mse",
                 shape->dim);
        return -1;
    }
    return 0;
}

static struct fq_footprint footprint(const struct fq_params *values, const struct fq_shape *shape) {
    const struct vllm_layout l = vllm_layout_of(values, shape);
    struct fq_footprint fp = fq_scalar_code_footprint(&l.code);
    fp.record_bytes = l.record_bytes;
    fp.side_bytes = l.record_bytes - l.code_bytes;
    return fp;
}

static void setup(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct vllm_layout l = vllm_layout_of(values, shape);
    fq_scalar_code_setup(&l.code, streams, shared, scratch);
}

/* Of keys: x is uniform on the sphere, so a matrix without signs does no harm here. */
#define TABLE_1_6 "methods.md 1.6, matched norm"
#define EXACT "sphere marginal x Gaussian codebook, quadrature (methods.md 1.4)"
static const struct fq_gate gates[] = {
    {"bits=3", 64, FQ_GATE_MSE, 0.03282, 0.03, TABLE_1_6},
    {"bits=4", 64, FQ_GATE_MSE, 0.00887, 0.03, TABLE_1_6},
    {"bits=3", 128, FQ_GATE_MSE, 0.03383, 0.03, TABLE_1_6},
    {"bits=4", 128, FQ_GATE_MSE, 0.00918, 0.03, TABLE_1_6},
    {"bits=3 norm_correction=off", 128, FQ_GATE_MSE, 0.0339791, 0.03, EXACT},
    {"bits=4 norm_correction=off", 128, FQ_GATE_MSE, 0.00932486, 0.03, EXACT},
    {"bits=3", 128, FQ_GATE_SLOPE, 0.9829, 0.003, TABLE_1_6},
    {"bits=3 norm_correction=off", 128, FQ_GATE_SLOPE, 0.9671, 0.005, TABLE_1_6},
};

/* Of values: quadrature over the joint density of minimum and maximum (README). Codes that are
 * cut off instead of rounded would give four times as much. */
#define MIN_MAX "iid N(0,1) between minimum and maximum, rounded to nearest: quadrature (methods.md 2.1)"
static const struct fq_gate value_gates[] = {
    {"bits=3", 64, FQ_GATE_MSE_GAUSS, 0.036923, 0.03, MIN_MAX},
    {"bits=4", 64, FQ_GATE_MSE_GAUSS, 0.0080309, 0.03, MIN_MAX},
    {"bits=3", 128, FQ_GATE_MSE_GAUSS, 0.045719, 0.03, MIN_MAX},
    {"bits=4", 128, FQ_GATE_MSE_GAUSS, 0.0099472, 0.03, MIN_MAX},
};

const struct fq_method fq_method_turboquant_vllm = {
    .abi = FQ_METHOD_ABI,
    .name = "turboquant@vllm",
    .role = FQ_CONTENDER,
    .paper = "vLLM pull request 38479, after Zandieh, Daliri, Hadian, Mirrokni 2025 (arXiv 2504.19874)",
    .summary = "keys: unsigned Hadamard and Lloyd-Max levels; values: integers between minimum and maximum",
    .bits_formula = "keys: b + 16/d; values: b + 32/d",
    .params = params,
    .n_params = VLLM_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .kernels = {[FQ_REF] = &turboquant_vllm_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .value_gates = value_gates,
    .n_value_gates = sizeof value_gates / sizeof value_gates[0],
};
