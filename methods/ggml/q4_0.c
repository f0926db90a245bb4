/* q4_0 of ggml: the exported method over the shared block code (block.h). Its arithmetic is in q4_0_ref.c. */
#include "methods/ggml/block.h"

static double nominal_bits(const struct fq_params *params) {
    (void)params;
    return 4;
}

static int check(const struct fq_params *params, const struct fq_shape *shape, char *why, size_t why_size) {
    (void)params;
    return ggml_check("q4_0", shape, why, why_size);
}

static struct fq_footprint footprint(const struct fq_params *params, const struct fq_shape *shape) {
    (void)params;
    return ggml_footprint(&ggml_q4_0, shape);
}

static size_t q4_0_encode_ref(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    return ggml_encode(&ggml_q4_0, call, n_groups, y, records);
}

static void q4_0_score_ref(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                           float *scores) {
    ggml_score(&ggml_q4_0, call, prepared, n_groups, records, scores);
}

static void q4_0_decode_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    ggml_decode(&ggml_q4_0, call, n_groups, records, x);
}

static void q4_0_attend_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                            float *out) {
    ggml_attend(&ggml_q4_0, call, n_groups, records, weights, out);
}

static const struct fq_kernels kernels_ref = {
    .encode = q4_0_encode_ref,
    .prepare = ggml_prepare,
    .score = q4_0_score_ref,
    .decode = q4_0_decode_ref,
    .attend = q4_0_attend_ref,
};

static const struct fq_gate gates[] = {
    {"", 128, FQ_GATE_MSE_GAUSS, 0.00737, 0.03, "methods.md 13"},
    {"", 64, FQ_GATE_MSE_GAUSS, 0.00737, 0.03, "methods.md 13 (blocks do not see d)"},
    {"", 96, FQ_GATE_MSE_GAUSS, 0.00737, 0.03, "methods.md 13 (blocks do not see d)"},
    {"", 128, FQ_GATE_SLOPE, 0.9975, 0.001, "methods.md 7.1: the side opposite to the extreme clips"},
};

static void known_answers(const struct fq_answers *answers) {
    static const int first[] = {3, 1, 8, 15, 10, 1};
    static const char source[] = "methods.md appendix B";
    float x[GGML_KNOWN_DIM];
    uint8_t block[GGML_SCALE_BYTES + GGML_BLOCK / 2];
    ggml_known_vector(x);
    const bool fits = ggml_q4_0.encode(x, block);
    answers->emit(answers->sink, "block 0: encoded", 1, fits, 0, source);
    if (!fits)
        return;
    answers->emit(answers->sink, "block 0: scale", -0.13867188, (double)fq_scalar_get(FQ_SCALAR_FP16, block), 5e-9,
                  source);
    for (size_t j = 0; j < sizeof first / sizeof first[0]; j++) {
        static const char *const names[] = {"block 0: code 0", "block 0: code 1", "block 0: code 2",
                                            "block 0: code 3", "block 0: code 4", "block 0: code 5"};
        answers->emit(answers->sink, names[j], first[j], block[GGML_SCALE_BYTES + j] & 15, 0, source);
    }
    answers->emit(answers->sink, "whole vector: relative MSE", 0.003933, ggml_known_error(&ggml_q4_0, x), 5e-7, source);
}

const struct fq_method fq_method_q4_0 = {
    .abi = FQ_METHOD_ABI,
    .name = "q4_0",
    .role = FQ_BASELINE,
    .paper = "ggml (llama.cpp), block format q4_0",
    .summary = "blocks of 32 coordinates: 4-bit integers and one signed fp16 scale that hits the extreme value",
    .bits_formula = "4 + 16/32 = 4.5",
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .kernels = {[FQ_REF] = &kernels_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
