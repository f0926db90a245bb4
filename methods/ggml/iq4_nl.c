/* iq4_nl of ggml: the exported method over methods/common/block_code.h. Its arithmetic is in iq4_nl_ref.c. */
#include "methods/ggml/block.h"

/* No publication states its error: 10^6 Gaussian blocks and the vector of appendix B through libggml itself. */
#define GGML_ITSELF "quantize_row_iq4_nl_ref of the pinned llama.cpp"

static const struct fq_param_spec params[GGML_N_PARAMS] = {[GGML_HADAMARD] = FQ_PARAM_BLOCK_HADAMARD};

static struct fq_block_code code_of(const struct fq_params *p) {
    return (struct fq_block_code){.format = &ggml_iq4_nl, .hadamard = (enum fq_block_hadamard)p->v[GGML_HADAMARD]};
}

FQ_BLOCK_METHOD(code_of);

static double nominal_bits(const struct fq_params *p) {
    (void)p;
    return 4;
}

static const struct fq_gate gates[] = {
    {"", 128, FQ_GATE_MSE_GAUSS, 0.00619, 0.03, GGML_ITSELF},
    {"", 96, FQ_GATE_MSE_GAUSS, 0.00619, 0.03, GGML_ITSELF},
    {"hadamard=llama", 128, FQ_GATE_MSE_GAUSS, 0.00619, 0.03, GGML_ITSELF},
    {"hadamard=llama", 192, FQ_GATE_MSE_GAUSS, 0.00619, 0.03, GGML_ITSELF},
    {"", 128, FQ_GATE_SLOPE, 0.9971, 0.001, GGML_ITSELF},
};

static void known_answers(const struct fq_answers *answers) {
    static const int codes[FQ_BLOCK_KNOWN_CODES] = {3, 1, 8, 15, 10, 1};
    fq_block_known_answers(&ggml_iq4_nl, codes, 0.00448868, 5e-9, GGML_ITSELF, answers);
}

const struct fq_method fq_method_iq4_nl = {
    .abi = FQ_METHOD_ABI,
    .name = "iq4_nl",
    .role = FQ_BASELINE,
    .paper = "ggml (llama.cpp), block format iq4_nl",
    .summary =
        "blocks of 32 coordinates: 16 levels that are not evenly spaced and one fp16 scale by weighted least squares",
    .bits_formula = "4 + 16/32 = 4.5",
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
