/* fp32, fp16 and bf16: the baselines that need no quantizer. fp32 is lossless; fp16 is what caches hold today. */
#include "methods/fp/fp.h"

#include "methods/common/scale.h"

static double bits_32(const struct fq_params *params) {
    (void)params;
    return 32;
}

static double bits_16(const struct fq_params *params) {
    (void)params;
    return 16;
}

static struct fq_footprint footprint_of(size_t bytes, const struct fq_shape *shape) {
    return (struct fq_footprint){.granularity = 1,
                                 .record_bytes = bytes * shape->dim,
                                 .work_dim = shape->dim,
                                 .prepared_bytes = sizeof(float) * shape->dim};
}

static struct fq_footprint footprint_32(const struct fq_params *params, const struct fq_shape *shape) {
    (void)params;
    return footprint_of(sizeof(float), shape);
}

static struct fq_footprint footprint_16(const struct fq_params *params, const struct fq_shape *shape) {
    (void)params;
    return footprint_of(sizeof(uint16_t), shape);
}

static const struct fq_gate gates_32[] = {
    {"", 64, FQ_GATE_MSE, 0, 0, "lossless"},
    {"", 128, FQ_GATE_SLOPE, 1, 1e-5, "lossless"},
};

/* A uniform rounding error of one ulp in each binade, integrated over the sphere marginal. */
static const struct fq_gate gates_16[] = {
    {"", 64, FQ_GATE_MSE, 4.318e-8, 0.03, "rounding error over the sphere marginal, quadrature"},
    {"", 128, FQ_GATE_MSE, 4.283e-8, 0.03, "rounding error over the sphere marginal, quadrature"},
    {"", 128, FQ_GATE_SLOPE, 1, 1e-4, "round to nearest is unbiased"},
};

static const struct fq_gate gates_bf16[] = {
    {"", 128, FQ_GATE_MSE_GAUSS, 2.761e-6, 0.03, "rounding error of N(0,1), cell by cell"},
    {"", 64, FQ_GATE_MSE, 2.76e-6, 0.03, "rounding error of N(0,1/64), cell by cell"},
    {"", 128, FQ_GATE_SLOPE, 1, 1e-4, "round to nearest is unbiased"},
};

static void known_answers_bf16(const struct fq_answers *answers) {
    static const struct {
        const char *what;
        float value;
        uint16_t code;
    } rows[] = {
        {"bf16 of 1", 1, 0x3f80},
        {"bf16 of 1 + 2^-8, a tie, to even", 1 + 0x1p-8F, 0x3f80},
        {"bf16 of 1 + 3 2^-8, a tie, to even", 1 + 3 * 0x1p-8F, 0x3f82},
        {"bf16 of 1 + 2^-8 + 2^-23, above the tie", 1 + 0x1p-8F + 0x1p-23F, 0x3f81},
        {"bf16 of the greatest float, overflows", 0x1.fffffep127F, 0x7f80},
        {"bf16 of -2^-133, the least subnormal", -0x1p-133F, 0x8001},
        {"bf16 of -0.0", -0.0F, 0x8000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        answers->emit(answers->sink, rows[i].what, rows[i].code, fp_bf16_from_float(rows[i].value), 0,
                      "bfloat16: upper half of binary32");
}

static void known_answers_16(const struct fq_answers *answers) {
    static const struct {
        const char *what;
        float value;
        uint16_t half;
    } rows[] = {
        {"half of 1", 1, 0x3c00},
        {"half of 1 + 2^-11, a tie, to even", 1 + 0x1p-11F, 0x3c00},
        {"half of 1 + 3 2^-11, a tie, to even", 1 + 3 * 0x1p-11F, 0x3c02},
        {"half of 65519.996, the last finite", 65519.996F, 0x7bff},
        {"half of 65520, the first to overflow", 65520, 0x7c00},
        {"half of 2^-24, the least subnormal", 0x1p-24F, 0x0001},
        {"half of 2^-25, a tie, to even", 0x1p-25F, 0x0000},
        {"half of -0.0", -0.0F, 0x8000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        answers->emit(answers->sink, rows[i].what, rows[i].half, fq_half_from_float(rows[i].value), 0,
                      "IEEE 754-2008 binary16");
}

const struct fq_method fq_method_fp32 = {
    .abi = FQ_METHOD_ABI,
    .name = "fp32",
    .role = FQ_BASELINE,
    .paper = "IEEE 754 binary32",
    .summary = "the coordinates as they are: lossless",
    .bits_formula = "32",
    .data_oblivious = true,
    .nominal_bits = bits_32,
    .footprint = footprint_32,
    .kernels = {[FQ_REF] = &fp32_ref},
    .gates = gates_32,
    .n_gates = sizeof gates_32 / sizeof gates_32[0],
};

const struct fq_method fq_method_fp16 = {
    .abi = FQ_METHOD_ABI,
    .name = "fp16",
    .role = FQ_BASELINE,
    .paper = "IEEE 754 binary16",
    .summary = "each coordinate rounded to the nearest half",
    .bits_formula = "16",
    .data_oblivious = true,
    .nominal_bits = bits_16,
    .footprint = footprint_16,
    .kernels = {[FQ_REF] = &fp16_ref},
    .gates = gates_16,
    .n_gates = sizeof gates_16 / sizeof gates_16[0],
    .known_answers = known_answers_16,
};

const struct fq_method fq_method_bf16 = {
    .abi = FQ_METHOD_ABI,
    .name = "bf16",
    .role = FQ_BASELINE,
    .paper = "bfloat16",
    .summary = "each coordinate rounded to 8 bits of precision with the exponent of a float32",
    .bits_formula = "16",
    .data_oblivious = true,
    .nominal_bits = bits_16,
    .footprint = footprint_16,
    .kernels = {[FQ_REF] = &bf16_ref},
    .gates = gates_bf16,
    .n_gates = sizeof gates_bf16 / sizeof gates_bf16[0],
    .known_answers = known_answers_bf16,
};
