/* turbo2, turbo3, turbo4, and each before pull request 197: formats, parameters, gates.
 *
 * Tables and signs are those that the fork ships (methods.md 7.3 and appendix C), with their published digits. */
#include "methods/turboquant/llama_turbo.h"

#include <stdio.h>

const uint8_t turbo_signs_1[TURBO_GROUP / 8] = {0x59, 0x03, 0x6a, 0xe4, 0x49, 0x59, 0xf8, 0x42,
                                                0xbb, 0x3b, 0xc6, 0xa4, 0xa9, 0x50, 0xf2, 0x49};
const uint8_t turbo_signs_2[TURBO_GROUP / 8] = {0x90, 0xee, 0xac, 0x16, 0xdc, 0x8f, 0x62, 0x3f,
                                                0x7a, 0x35, 0xa5, 0xb7, 0x62, 0x65, 0xa5, 0xbe};

#define TURBO2_TABLE .bits = 2, .level = {0.039994F, 0.133462F}, .bound = {0.086728F}
#define TURBO3_TABLE                                                                                                   \
    .bits = 3, .level = {0.021460F, 0.065717F, 0.117832F, 0.190685F}, .bound = {0.043589F, 0.091775F, 0.154259F}
const struct turbo_format turbo2_format = {TURBO2_TABLE};
const struct turbo_format turbo3_format = {TURBO3_TABLE};
const struct turbo_format turbo2_before_197_format = {TURBO2_TABLE, .block = TURBO_OLD_BLOCK};
const struct turbo_format turbo3_before_197_format = {TURBO3_TABLE, .block = TURBO_OLD_BLOCK};
const struct turbo_format turbo4_format = {
    .bits = 4,
    .level = {0.011353F, 0.034311F, 0.058069F, 0.083317F, 0.111065F, 0.143047F, 0.182907F, 0.241556F},
    .bound = {0.022832F, 0.046190F, 0.070693F, 0.097191F, 0.127056F, 0.162977F, 0.2122315F}};
/* Fitted to the wrong sigma: 2.13 times the distortion of the optimum. */
const struct turbo_format turbo4_before_197_format = {
    .bits = 4,
    .unused_norm = true,
    .level = {0.006938F, 0.020989F, 0.035597F, 0.051262F, 0.068756F, 0.089527F, 0.117195F, 0.173926F},
    .bound = {0.013963F, 0.028293F, 0.043430F, 0.060009F, 0.079142F, 0.103361F, 0.145560F}};

static const char *const narrow_choices[] = {"pad", "group-64", NULL};

static const struct fq_param_spec params[] = {
    [TURBO_NARROW] = {.name = "narrow",
                      .help = "dimensions that 64 divides but 128 does not: pad (zeros up to a multiple of 128, the "
                              "later snapshots), group-64 (groups of 64 with the table of 128: turbo2 and turbo3 "
                              "stood so on a branch for a day of March 2026, turbo4 never did)",
                      .kind = FQ_PARAM_CHOICE,
                      .def = TURBO_PAD,
                      .choices = narrow_choices},
};

struct turbo_layout turbo_layout_of(const struct turbo_format *format, const struct fq_params *values,
                                    const struct fq_shape *shape) {
    struct turbo_layout l = {.format = format, .dim = shape->dim, .group = TURBO_GROUP};
    if (shape->dim % TURBO_GROUP == TURBO_GROUP / 2 && values->v[TURBO_NARROW] > 0)
        l.group = TURBO_GROUP / 2;
    l.groups = (shape->dim + l.group - 1) / l.group;
    l.work_dim = l.groups * l.group;
    l.block = format->block > 0 ? format->block : l.group;
    l.blocks = l.group / l.block;
    l.codes_at = (size_t)(format->unused_norm ? 2 : 1) * TURBO_SCALAR_BYTES;
    l.block_bytes = l.codes_at + l.block * (size_t)format->bits / 8;
    l.group_bytes = l.blocks * l.block_bytes;
    l.record_bytes = l.groups * l.group_bytes;
    return l;
}

static struct fq_footprint footprint_of(const struct turbo_format *format, const struct fq_params *values,
                                        const struct fq_shape *shape) {
    const struct turbo_layout l = turbo_layout_of(format, values, shape);
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = l.record_bytes,
        .side_bytes = l.groups * l.blocks * l.codes_at,
        .work_dim = l.work_dim,
        .prepared_bytes = l.work_dim * sizeof(float),
        /* a decoded vector, a sum, the indices of a group */
        .scratch_bytes = (2 * l.work_dim * sizeof(float) + TURBO_GROUP + 63) / 64 * 64,
    };
}

#define MC_7_3 "methods.md 7.3 and 13, matched norm"
#define MISSCALED "table of 128 on unit vectors of 64: Monte Carlo, n = 100000, of the released formula"
/* The fork's turbo4 came to groups of 64 when these had already given way to padding: a combination nobody ran. */
#define NEVER_SHIPPED "hypothetical, never shipped: table of 128 on unit vectors of 64, Monte Carlo, n = 100000"
#define DOUBLED "zeros up to 128 code every coordinate twice: methods.md 1.6, d = 64, matched norm"
static const struct fq_gate turbo2_gates[] = {
    {"", 128, FQ_GATE_MSE, 0.1188, 0.03, MC_7_3},
    {"", 256, FQ_GATE_MSE, 0.1188, 0.03, MC_7_3},
    {"narrow=group-64", 64, FQ_GATE_MSE, 0.13800, 0.03, MISSCALED},
    {"narrow=pad", 64, FQ_GATE_MSE, 0.11648, 0.03, DOUBLED},
    {"", 128, FQ_GATE_SLOPE, 0.9406, 0.005, "cosine, methods.md 1.2"},
};
static const struct fq_gate turbo3_gates[] = {
    {"", 128, FQ_GATE_MSE, 0.0338, 0.03, MC_7_3},
    {"", 256, FQ_GATE_MSE, 0.0338, 0.03, MC_7_3},
    {"narrow=group-64", 64, FQ_GATE_MSE, 0.04791, 0.03, MISSCALED},
    {"narrow=pad", 64, FQ_GATE_MSE, 0.03282, 0.03, DOUBLED},
    {"", 128, FQ_GATE_SLOPE, 0.9831, 0.003, "cosine, methods.md 1.2"},
};
static const struct fq_gate turbo4_gates[] = {
    {"", 128, FQ_GATE_MSE, 0.00917, 0.03, MC_7_3},
    {"", 256, FQ_GATE_MSE, 0.00917, 0.03, MC_7_3},
    {"narrow=group-64", 64, FQ_GATE_MSE, 0.01586, 0.03, NEVER_SHIPPED},
    {"narrow=pad", 64, FQ_GATE_MSE, 0.00887, 0.03, DOUBLED},
};
/* The norm of a group of 128 stands four times in its record: 3/8 of a bit more, the same error. */
#define COPIES "methods.md 7.3 and 13: the old blocks of 32 change the bytes alone"
static const struct fq_gate turbo2_before_197_gates[] = {
    {"", 128, FQ_GATE_MSE, 0.1188, 0.03, COPIES},
    {"narrow=group-64", 64, FQ_GATE_MSE, 0.13800, 0.03, MISSCALED},
    {"", 128, FQ_GATE_SLOPE, 0.9406, 0.005, "cosine, methods.md 1.2"},
};
static const struct fq_gate turbo3_before_197_gates[] = {
    {"", 128, FQ_GATE_MSE, 0.0338, 0.03, COPIES},
    {"narrow=group-64", 64, FQ_GATE_MSE, 0.04791, 0.03, MISSCALED},
    {"", 128, FQ_GATE_SLOPE, 0.9831, 0.003, "cosine, methods.md 1.2"},
};
static const struct fq_gate turbo4_before_197_gates[] = {
    {"", 128, FQ_GATE_MSE, 0.0181, 0.03, MC_7_3},
    {"", 256, FQ_GATE_MSE, 0.0181, 0.03, MC_7_3},
    {"narrow=group-64", 64, FQ_GATE_MSE, 0.04808, 0.03, NEVER_SHIPPED},
    {"", 128, FQ_GATE_SLOPE, 0.9909, 0.002, "cosine, methods.md 1.2"},
};

/* One method of the six; `symbol` names its format, gates and kernels. */
#define OLD_BLOCKS(code_bits)                                                                                          \
    "(" code_bits " + 16/32) w/d; w = d padded to 128, or to 64 with narrow=group-64 where 64 divides d and 128 "      \
    "does not"
#define FORMULA(code_bits, side_bits)                                                                                  \
    "(" code_bits " + " side_bits "/g) w/d; g = 128, or 64 with narrow=group-64 where 64 divides d and 128 does "      \
    "not, w = d padded to g"

#define TURBO_METHOD(symbol, method_name, nominal, method_summary, formula)                                            \
    static double symbol##_nominal_bits(const struct fq_params *values) {                                              \
        (void)values;                                                                                                  \
        return nominal;                                                                                                \
    }                                                                                                                  \
    static struct fq_footprint symbol##_footprint(const struct fq_params *values, const struct fq_shape *shape) {      \
        return footprint_of(&symbol##_format, values, shape);                                                          \
    }                                                                                                                  \
    const struct fq_method fq_method_##symbol = {                                                                      \
        .abi = FQ_METHOD_ABI,                                                                                          \
        .name = method_name,                                                                                           \
        .role = FQ_CONTENDER,                                                                                          \
        .paper = "TheTom's fork of llama.cpp, cache types turbo*, after arXiv 2504.19874",                             \
        .summary = method_summary,                                                                                     \
        .bits_formula = formula,                                                                                       \
        .params = params,                                                                                              \
        .n_params = TURBO_PARAMS,                                                                                      \
        .data_oblivious = true,                                                                                        \
        .nominal_bits = symbol##_nominal_bits,                                                                         \
        .footprint = symbol##_footprint,                                                                               \
        .kernels = {[FQ_REF] = &symbol##_ref},                                                                         \
        .gates = symbol##_gates,                                                                                       \
        .n_gates = sizeof symbol##_gates / sizeof symbol##_gates[0],                                                   \
    }

TURBO_METHOD(turbo2, "turbo2", 2, "fixed signed Hadamard, 4 levels, corrected norm per group", FORMULA("2", "16"));
TURBO_METHOD(turbo3, "turbo3", 3, "fixed signed Hadamard, 8 levels in two planes, corrected norm per group",
             FORMULA("3", "16"));
TURBO_METHOD(turbo4, "turbo4", 4, "fixed signed Hadamard, 16 levels, corrected norm per group", FORMULA("4", "16"));
TURBO_METHOD(turbo2_before_197, "turbo2@before-197", 2,
             "turbo2 in its old blocks of 32 coordinates, each with a copy of the group's norm", OLD_BLOCKS("2"));
TURBO_METHOD(turbo3_before_197, "turbo3@before-197", 3,
             "turbo3 in its old blocks of 32 coordinates, each with a copy of the group's norm", OLD_BLOCKS("3"));
TURBO_METHOD(turbo4_before_197, "turbo4@before-197", 4,
             "turbo4 as shipped until pull request 197: mis-scaled table, a norm that is stored and not used",
             FORMULA("4", "32"));
