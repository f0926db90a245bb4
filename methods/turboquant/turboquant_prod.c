/* turboquant-prod: parameters, gates, known answers. Layout and setup: turboquant_prod_layout.c. */
#include "methods/turboquant/turboquant_prod.h"

#include "methods/common/known_answer.h"
#include "methods/common/method_run.h"

#include <stdio.h>

extern const struct fq_method fq_method_turboquant_prod;

static const char *const sketch_choices[] = {"gaussian", "orthogonal", NULL};
static const char *const residual_choices[] = {"vector", "constant", NULL};

static const struct fq_param_spec params[] = {
    [PROD_BITS] = FQ_PARAM_CODE_BITS(1, 4),
    [PROD_SKETCH] = {.name = "sketch",
                     .help = "matrix of the one-bit residual sketch: gaussian (the paper), orthogonal (the released "
                             "code, less variance)",
                     .kind = FQ_PARAM_CHOICE,
                     .def = PROD_GAUSSIAN,
                     .choices = sketch_choices},
    [PROD_RESIDUAL] = {.name = "residual",
                       .help = "norm of the residual: vector (stored per vector), constant (its expectation from the "
                               "table, not stored)",
                       .kind = FQ_PARAM_CHOICE,
                       .def = PROD_VECTOR,
                       .choices = residual_choices},
    [PROD_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_HAAR),
    [PROD_ROUNDS] = FQ_PARAM_ROUNDS,
    [PROD_SCALAR] = FQ_PARAM_SCALAR,
    [PROD_CODEBOOK] = FQ_PARAM_CODEBOOK,
};

struct turboquant_prod turboquant_prod_of(const struct fq_params *values, const struct fq_shape *shape) {
    const int bits = (int)values->v[PROD_BITS];
    struct turboquant_prod prod = {
        .stage = {.bits = bits - 1,
                  .rotation = (enum fq_rotation_kind)values->v[PROD_ROTATION],
                  .rounds = (int)values->v[PROD_ROUNDS],
                  .codebook = (enum fq_codebook_kind)values->v[PROD_CODEBOOK],
                  .scale = FQ_SCALE_RAW,
                  .scalar = (enum fq_scalar_kind)values->v[PROD_SCALAR],
                  .dim = shape->dim},
        .sketch = (enum prod_sketch)values->v[PROD_SKETCH],
        .stores_residual = bits > 1 && (enum prod_residual)values->v[PROD_RESIDUAL] == PROD_VECTOR,
    };
    turboquant_prod_lay_out(&prod);
    return prod;
}

static double nominal_bits(const struct fq_params *values) {
    return values->v[PROD_BITS];
}

static int check(const struct fq_params *values, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct turboquant_prod prod = turboquant_prod_of(values, shape);
    return fq_scalar_code_check(&prod.stage, why, why_size);
}

static struct fq_footprint footprint(const struct fq_params *values, const struct fq_shape *shape) {
    const struct turboquant_prod prod = turboquant_prod_of(values, shape);
    return turboquant_prod_footprint(&prod);
}

static size_t setup_scratch(const struct fq_params *values, const struct fq_shape *shape) {
    const struct turboquant_prod prod = turboquant_prod_of(values, shape);
    return turboquant_prod_setup_scratch(&prod);
}

static void setup(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct turboquant_prod prod = turboquant_prod_of(values, shape);
    turboquant_prod_setup(&prod, streams, shared, scratch);
}

/* For x and q independent and uniform, with D the exact error of the first stage at this d (methods.md 1.4). The
 * orthogonal rows lie 0.4 % (d = 128) below methods.md 1.6, which was computed with the limit of the constant. */
#define EXACT_GAUSSIAN "(pi/2 - 1/d) D, methods.md 2.2"
#define EXACT_ORTHOGONAL "(1 / (d (E|u_1|)^2) - 1) D, methods.md 2.2"
#define EXACT_SPHERE "(1 / (d (E|u_1|)^2) - 1) D, D of the sphere's own code by quadrature, methods.md 1.4"
#define TABLE_1_6 "methods.md 1.6"
static const struct fq_gate gates[] = {
    {"bits=2 sketch=gaussian", 64, FQ_GATE_IP_VAR, 0.55737, 0.03, EXACT_GAUSSIAN},
    {"bits=3 sketch=gaussian", 64, FQ_GATE_IP_VAR, 0.17814, 0.03, EXACT_GAUSSIAN},
    {"bits=4 sketch=gaussian", 64, FQ_GATE_IP_VAR, 0.052011, 0.03, EXACT_GAUSSIAN},
    {"bits=1 sketch=gaussian", 128, FQ_GATE_IP_VAR, 1.563, 0.03, EXACT_GAUSSIAN},
    {"bits=2 sketch=gaussian", 128, FQ_GATE_IP_VAR, 0.56407, 0.03, EXACT_GAUSSIAN},
    {"bits=3 sketch=gaussian", 128, FQ_GATE_IP_VAR, 0.18131, 0.03, EXACT_GAUSSIAN},
    {"bits=4 sketch=gaussian", 128, FQ_GATE_IP_VAR, 0.053109, 0.03, EXACT_GAUSSIAN},
    {"bits=2 sketch=orthogonal", 64, FQ_GATE_IP_VAR, 0.20019, 0.03, EXACT_ORTHOGONAL},
    {"bits=3 sketch=orthogonal", 64, FQ_GATE_IP_VAR, 0.063982, 0.03, EXACT_ORTHOGONAL},
    {"bits=4 sketch=orthogonal", 64, FQ_GATE_IP_VAR, 0.018681, 0.03, EXACT_ORTHOGONAL},
    {"bits=1 sketch=orthogonal", 128, FQ_GATE_IP_VAR, 0.56467, 0.03, EXACT_ORTHOGONAL},
    {"bits=2 sketch=orthogonal", 128, FQ_GATE_IP_VAR, 0.20379, 0.03, EXACT_ORTHOGONAL},
    {"bits=3 sketch=orthogonal", 128, FQ_GATE_IP_VAR, 0.065505, 0.03, EXACT_ORTHOGONAL},
    {"bits=4 sketch=orthogonal", 128, FQ_GATE_IP_VAR, 0.019187, 0.03, EXACT_ORTHOGONAL},
    {"bits=2 sketch=orthogonal residual=constant", 128, FQ_GATE_IP_VAR, 0.2066, 0.03, TABLE_1_6 " (release)"},
    {"bits=4 sketch=orthogonal residual=constant", 128, FQ_GATE_IP_VAR, 0.0198, 0.03, TABLE_1_6 " (release)"},
    /* Where the sphere's levels differ: codebook=gaussian would give .00404. */
    {"bits=5 codebook=sphere sketch=orthogonal", 8, FQ_GATE_IP_VAR, 0.0032694, 0.03, EXACT_SPHERE},
    {"bits=2 sketch=gaussian", 128, FQ_GATE_SLOPE, 1, 0.01, "methods.md 2.2: unbiased"},
    {"bits=3 sketch=gaussian", 128, FQ_GATE_SELF_IP, 1, 0.01, "methods.md 2.2: unbiased"},
    {"bits=1 sketch=orthogonal", 128, FQ_GATE_SLOPE, 1, 0.01, "methods.md 2.2, exact constant"},
    {"bits=2 sketch=orthogonal", 128, FQ_GATE_SLOPE, 1, 0.01, "methods.md 2.2, exact constant"},
    {"bits=1 sketch=orthogonal", 64, FQ_GATE_SELF_IP, 1, 0.003, "methods.md 2.2, exact constant"},
    {"bits=2 sketch=orthogonal rotation=haar", 96, FQ_GATE_SELF_IP, 1, 0.003, "methods.md 2.2, exact constant"},
};

/* The first stage at b bits is turboquant-mse at b - 1: same codes, and ||r|| is the root of its relative error. */
static void known_answers(const struct fq_answers *answers) {
    enum { MAX_RECORD = 256 };
    const char source[] = "methods.md appendix B, row b - 1, S = 1";
    const struct fq_streams streams = fq_appendix_b_streams();
    float x[FQ_APPENDIX_B_DIM], q[FQ_APPENDIX_B_DIM];
    fq_appendix_b_vectors(x, q);
    for (int bits = 2; bits <= FQ_APPENDIX_B_BITS + 1; bits++) {
        struct fq_method_run run;
        uint8_t record[MAX_RECORD];
        char text[96];
        snprintf(text, sizeof text, "bits=%d rotation=rht rounds=1 scalar=fp32", bits);
        if (fq_method_run_open(&run, &fq_method_turboquant_prod, text, FQ_APPENDIX_B_DIM, &streams) != 0) {
            answers->emit(answers->sink, text, 1, 0, 0, "the set-up of appendix B failed");
            continue;
        }
        const struct turboquant_prod prod = turboquant_prod_of(&run.params, &run.shape);
        if (fq_method_run_encode(&run, 1, x, record) == 1) {
            const double residual = (double)fq_scalar_get(FQ_SCALAR_FP32, record + prod.residual_at);
            snprintf(text, sizeof text, "sum of code_i (i+1) of the first stage, b=%d", bits);
            answers->emit(answers->sink, text, fq_appendix_b_code_sum[bits - 2],
                          fq_appendix_b_code_sum_of(bits - 1, record), 0, source);
            snprintf(text, sizeof text, "squared norm of the residual, b=%d", bits);
            answers->emit(answers->sink, text, fq_appendix_b_raw_error[bits - 2], residual * residual, 2e-6, source);
        } else {
            answers->emit(answers->sink, text, 1, 0, 0, "the record of appendix B could not be made");
        }
        fq_method_run_close(&run);
    }
}

const struct fq_method fq_method_turboquant_prod = {
    .abi = FQ_METHOD_ABI,
    .name = "turboquant-prod",
    .role = FQ_CONTENDER,
    .paper = "Zandieh, Daliri, Hadian, Mirrokni 2025, arXiv 2504.19874, Algorithm 2",
    .summary = "turboquant-mse at b-1 bits, then a one-bit sketch of the residual: an unbiased inner product",
    .bits_formula = "(b w + 2 s) / d; bits=1: (w + s) / d; residual=constant: (b w + s) / d; w = d or d padded for the "
                    "rotation, s = 16 (fp16) or 32 (fp32)",
    .params = params,
    .n_params = PROD_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &turboquant_prod_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
