/* q5_0 of ggml: the exported method over methods/common/block_code.h. Its arithmetic is in q5_0_ref.c. */
#include "methods/ggml/block.h"

static const struct fq_param_spec params[GGML_N_PARAMS] = {[GGML_HADAMARD] = FQ_PARAM_BLOCK_HADAMARD};

static struct fq_block_code code_of(const struct fq_params *p) {
    return (struct fq_block_code){.format = &ggml_q5_0, .hadamard = (enum fq_block_hadamard)p->v[GGML_HADAMARD]};
}

FQ_BLOCK_METHOD(code_of);

static double nominal_bits(const struct fq_params *p) {
    (void)p;
    return 5;
}

static const struct fq_gate gates[] = {
    {"", 128, FQ_GATE_MSE_GAUSS, 0.00182, 0.03, "methods.md 13"},
    {"", 96, FQ_GATE_MSE_GAUSS, 0.00182, 0.03, "methods.md 13 (blocks do not see d)"},
    {"hadamard=llama", 128, FQ_GATE_MSE_GAUSS, 0.00182, 0.03, "methods.md 13 (orthogonal matrix)"},
    {"hadamard=llama", 192, FQ_GATE_MSE_GAUSS, 0.00182, 0.03, "methods.md 13 (three blocks of 64)"},
    {"", 128, FQ_GATE_SLOPE, 0.9995, 0.001, "methods.md 7.1: -.05 %"},
};

static void known_answers(const struct fq_answers *answers) {
    static const int codes[FQ_BLOCK_KNOWN_CODES] = {7, 2, 16, 30, 20, 2};
    fq_block_known_answers(&ggml_q5_0, codes, 0.000845, 5e-7, "methods.md appendix B", answers);
}

const struct fq_method fq_method_q5_0 = {
    .abi = FQ_METHOD_ABI,
    .name = "q5_0",
    .role = FQ_BASELINE,
    .paper = "ggml (llama.cpp), block format q5_0",
    .summary = "blocks of 32 coordinates: 5-bit integers and one signed fp16 scale that hits the extreme value",
    .bits_formula = "5 + 16/32 = 5.5",
    .params = params,
    .n_params = GGML_N_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .kernels = {[FQ_REF] = &kernels_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
