/* fp8-e4m3 and fp8-e5m2: parameters, bytes, gates, and the exported methods. The arithmetic is in fp8_ref.c. */
#include "methods/fp/fp8.h"

static const char *const scale_choices[] = {"none", "vector", NULL};
static const char *const overflow_choices[] = {"refuse", "saturate", NULL};

static const struct fq_param_spec params[FP8_N_PARAMS] = {
    [FP8_SCALE] = {.name = "scale",
                   .help = "none, or vector: the greatest magnitude of the vector becomes the format's greatest value",
                   .kind = FQ_PARAM_CHOICE,
                   .def = FP8_SCALE_VECTOR,
                   .choices = scale_choices},
    [FP8_SCALAR] = FQ_PARAM_SCALAR,
    [FP8_OVERFLOW] = {.name = "overflow",
                      .help = "without a scale, a coordinate beyond the greatest value: refuse the vector, or saturate "
                              "as hardware does",
                      .kind = FQ_PARAM_CHOICE,
                      .def = FP8_REFUSE,
                      .choices = overflow_choices},
};

static double nominal_bits(const struct fq_params *p) {
    (void)p;
    return 8;
}

static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {
    const bool scaled = (int)p->v[FP8_SCALE] == FP8_SCALE_VECTOR;
    const size_t side = scaled ? fq_scalar_bytes((enum fq_scalar_kind)p->v[FP8_SCALAR]) : 0;
    return (struct fq_footprint){.granularity = 1,
                                 .record_bytes = shape->dim + side,
                                 .side_bytes = side,
                                 .work_dim = shape->dim,
                                 .prepared_bytes = shape->dim * sizeof(float)};
}

/* Rounding error over N(0,1) cell by cell, exactly; it hardly depends on sigma (E4M3: .000700 to .000706). With a scale
 * the greatest coordinate has no error, and it holds about 8.1 / d of the energy. */
static const char exact[] = "rounding error of N(0,1), cell by cell (methods.md 10: .00071)";
static const char monte_carlo[] = "200,000 vectors of the sphere, rounded by an independent program";

static const struct fq_gate gates_e4m3[] = {
    {"scale=none", 128, FQ_GATE_MSE_GAUSS, 7.045e-4, 0.03, exact},
    {"scale=none", 80, FQ_GATE_MSE_GAUSS, 7.045e-4, 0.03, exact},
    {"scale=vector", 128, FQ_GATE_MSE, 0.00066, 0.03, "methods.md 10"},
    {"scale=vector scalar=fp32", 128, FQ_GATE_MSE_GAUSS, 0.00066, 0.03, "methods.md 10"},
    {"scale=none", 128, FQ_GATE_SLOPE, 0.9993, 0.0005, exact},
};
static const struct fq_gate gates_e5m2[] = {
    {"scale=none", 128, FQ_GATE_MSE_GAUSS, 2.791e-3, 0.03, "rounding error of N(0,1), cell by cell"},
    {"scale=vector", 128, FQ_GATE_MSE, 2.631e-3, 0.03, monte_carlo},
    {"scale=vector scalar=fp32", 64, FQ_GATE_MSE, 2.499e-3, 0.03, monte_carlo},
    {"scale=none", 128, FQ_GATE_SLOPE, 0.9972, 0.001, "rounding error of N(0,1), cell by cell"},
};

struct row {
    const char *what;
    double value;
    int code;
};

static void emit_rows(const struct fq_answers *answers, const struct fp8_format *format, size_t n,
                      const struct row *rows) {
    for (size_t i = 0; i < n; i++) {
        bool overflowed = false;
        answers->emit(answers->sink, rows[i].what, rows[i].code, fp8_from_double(format, rows[i].value, &overflowed), 0,
                      "OCP 8-bit floating point 1.0");
    }
}

static void known_answers_e4m3(const struct fq_answers *answers) {
    static const struct row rows[] = {
        {"E4M3 of 1", 1, 0x38},
        {"E4M3 of 1 + 2^-4, a tie, to even", 1.0625, 0x38},
        {"E4M3 of 1 + 3 2^-4, a tie, to even", 1.1875, 0x3a},
        {"E4M3 of 464, the last that is 448", 464, 0x7e},
        {"E4M3 of -2^-9, the least subnormal", -0x1p-9, 0x81},
        {"E4M3 of 2^-10, a tie, to even", 0x1p-10, 0x00},
        {"E4M3 of 15 2^-10, up to the least normal", 15 * 0x1p-10, 0x08},
    };
    emit_rows(answers, &fp8_e4m3, sizeof rows / sizeof rows[0], rows);
}

static void known_answers_e5m2(const struct fq_answers *answers) {
    static const struct row rows[] = {
        {"E5M2 of 1", 1, 0x3c},
        {"E5M2 of 1 + 2^-3, a tie, to even", 1.125, 0x3c},
        {"E5M2 of 1 + 3 2^-3, a tie, to even", 1.375, 0x3e},
        {"E5M2 of 61439, the last that is 57344", 61439, 0x7b},
        {"E5M2 of -2^-16, the least subnormal", -0x1p-16, 0x81},
        {"E5M2 of 2^-17, a tie, to even", 0x1p-17, 0x00},
        {"E5M2 of 7 2^-17, up to the least normal", 7 * 0x1p-17, 0x04},
    };
    emit_rows(answers, &fp8_e5m2, sizeof rows / sizeof rows[0], rows);
}

#define FP8_METHOD(symbol, name_, format, summary_)                                                                    \
    const struct fq_method symbol = {                                                                                  \
        .abi = FQ_METHOD_ABI,                                                                                          \
        .name = name_,                                                                                                 \
        .role = FQ_BASELINE,                                                                                           \
        .paper = "Micikevicius et al. 2022 (arXiv 2209.05433); OCP 8-bit floating point 1.0",                          \
        .summary = summary_,                                                                                           \
        .bits_formula = "8; scale=vector: + s/d; s = 16 (fp16) or 32 (fp32)",                                          \
        .params = params,                                                                                              \
        .n_params = FP8_N_PARAMS,                                                                                      \
        .data_oblivious = true,                                                                                        \
        .nominal_bits = nominal_bits,                                                                                  \
        .footprint = footprint,                                                                                        \
        .kernels = {[FQ_REF] = &fp8_##format##_ref},                                                                   \
        .gates = gates_##format,                                                                                       \
        .n_gates = sizeof gates_##format / sizeof gates_##format[0],                                                   \
        .known_answers = known_answers_##format,                                                                       \
    }
FP8_METHOD(fq_method_fp8_e4m3, "fp8-e4m3", e4m3, "4 bits of exponent, 3 of fraction, greatest value 448");
FP8_METHOD(fq_method_fp8_e5m2, "fp8-e5m2", e5m2, "5 bits of exponent, 2 of fraction, greatest value 57344");
