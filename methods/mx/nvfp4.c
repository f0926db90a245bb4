/* nvfp4: the exported method over methods/common/block_code.h. Its arithmetic is in nvfp4_ref.c. */
#include "methods/mx/mx.h"

enum { NVFP4_HADAMARD, NVFP4_SCALE, NVFP4_N_PARAMS };

static const char *const scale_choices[] = {"none", "vector", NULL};

static const struct fq_param_spec params[NVFP4_N_PARAMS] = {
    [NVFP4_HADAMARD] = FQ_PARAM_BLOCK_HADAMARD,
    [NVFP4_SCALE] = {.name = "scale",
                     .help = "second-level scale: none (as in ggml), or one float32 for each vector",
                     .kind = FQ_PARAM_CHOICE,
                     .def = 0,
                     .choices = scale_choices},
};

/* Part scales reach 240: from 248 on ggml's rounding to E4M3 makes 448 of everything. */
static const double greatest = 6 * 240;

static struct fq_block_code code_of(const struct fq_params *p) {
    return (struct fq_block_code){.format = &mx_nvfp4,
                                  .hadamard = (enum fq_block_hadamard)p->v[NVFP4_HADAMARD],
                                  .greatest = p->v[NVFP4_SCALE] > 0 ? greatest : 0};
}

FQ_BLOCK_METHOD(code_of);

static double nominal_bits(const struct fq_params *p) {
    (void)p;
    return 4;
}

#define GGML_ITSELF "quantize_row_nvfp4_ref of the pinned llama.cpp"

static const struct fq_gate gates[] = {
    {"", 128, FQ_GATE_MSE_GAUSS, 0.00905, 0.03, "methods.md 10"},
    {"", 64, FQ_GATE_MSE_GAUSS, 0.00905, 0.03, "methods.md 10 (blocks do not see d)"},
    {"hadamard=llama", 192, FQ_GATE_MSE_GAUSS, 0.00905, 0.03, "methods.md 10 (orthogonal matrix)"},
    {"scale=vector", 128, FQ_GATE_MSE_GAUSS, 0.00905, 0.03, "methods.md 10 (relative precision is the same)"},
    {"", 128, FQ_GATE_SLOPE, 0.9955, 0.001, GGML_ITSELF},
};

static void known_answers(const struct fq_answers *answers) {
    static const int codes[FQ_BLOCK_KNOWN_CODES] = {6, 7, 0, 15, 11, 7};
    fq_block_known_answers(&mx_nvfp4, codes, 0.0109388, 5e-8, GGML_ITSELF, answers);
    static const struct {
        const char *what;
        float value;
        uint8_t bits;
    } rows[] = {
        {"UE4M3 of 2^-10, a tie, up", 0x1p-10F, 0x01},
        {"UE4M3 of 2^-6, the least normal", 0x1p-6F, 0x08},
        {"UE4M3 of 1", 1, 0x38},
        {"UE4M3 of 1.0625, a tie, up", 1.0625F, 0x39},
        {"UE4M3 of 240", 240, 0x77},
        {"UE4M3 of 256, taken for 448", 256, 0x7e},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        answers->emit(answers->sink, rows[i].what, rows[i].bits, mx_ue4m3(rows[i].value), 0, GGML_ITSELF);
}

const struct fq_method fq_method_nvfp4 = {
    .abi = FQ_METHOD_ABI,
    .name = "nvfp4",
    .role = FQ_BASELINE,
    .paper = "NVIDIA NVFP4, laid out as in ggml",
    .summary = "parts of 16 coordinates: E2M1 entries under an unsigned E4M3 scale",
    .bits_formula = "4 + 8/16 = 4.5; scale=vector: + 32/d",
    .params = params,
    .n_params = NVFP4_N_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .kernels = {[FQ_REF] = &kernels_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
