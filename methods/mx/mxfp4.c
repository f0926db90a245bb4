/* mxfp4: the exported method over methods/common/block_code.h. Its arithmetic is in mxfp4_ref.c. */
#include "methods/mx/mx.h"

#include "methods/common/known_answer.h"

enum { MXFP4_HADAMARD, MXFP4_N_PARAMS };

static const struct fq_param_spec params[MXFP4_N_PARAMS] = {[MXFP4_HADAMARD] = FQ_PARAM_BLOCK_HADAMARD};

static struct fq_block_code code_of(const struct fq_params *p) {
    return (struct fq_block_code){.format = &mx_mxfp4, .hadamard = (enum fq_block_hadamard)p->v[MXFP4_HADAMARD]};
}

FQ_BLOCK_METHOD(code_of);

static double nominal_bits(const struct fq_params *p) {
    (void)p;
    return 4;
}

/* The scale is a power of two, so the error depends on where the data lie within an octave: .0128 to .0139 on N(0,
 * sigma^2). The gates are at sigma = 1. */
static const struct fq_gate gates[] = {
    {"", 128, FQ_GATE_MSE_GAUSS, 0.0133, 0.03, "methods.md 13"},
    {"", 96, FQ_GATE_MSE_GAUSS, 0.0133, 0.03, "methods.md 13 (blocks do not see d)"},
    {"hadamard=llama", 128, FQ_GATE_MSE_GAUSS, 0.0133, 0.03, "methods.md 13 (orthogonal matrix)"},
    {"", 128, FQ_GATE_SLOPE, 0.98, 0.005, "methods.md 10: -2.0 %, the range above 6 clips"},
};

static void known_answers(const struct fq_answers *answers) {
    static const char source[] = "methods.md appendix B";
    static const int codes[FQ_BLOCK_KNOWN_CODES] = {5, 6, 0, 14, 10, 6};
    fq_block_known_answers(&mx_mxfp4, codes, 0.008690, 5e-7, source, answers);
    float x[FQ_APPENDIX_B_DIM], q[FQ_APPENDIX_B_DIM];
    uint8_t block[MXFP4_BYTES];
    fq_appendix_b_vectors(x, q);
    mx_mxfp4.encode(x, block);
    answers->emit(answers->sink, "block 0: exponent", 125, block[0], 0, source);
}

const struct fq_method fq_method_mxfp4 = {
    .abi = FQ_METHOD_ABI,
    .name = "mxfp4",
    .role = FQ_BASELINE,
    .paper = "OCP Microscaling Formats 1.0 (MXFP4), laid out as in ggml",
    .summary = "blocks of 32 coordinates: E2M1 entries under a power of two",
    .bits_formula = "4 + 8/32 = 4.25",
    .params = params,
    .n_params = MXFP4_N_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .kernels = {[FQ_REF] = &kernels_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
