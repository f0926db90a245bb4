/* turboquant-prod@release: the inner-product quantizer as the authors' released script computes it.
 *
 * Against Algorithm 2 of the paper: the sketch is orthogonal, the residual's norm is a constant from a table and is not
 * stored, the coefficient is sqrt(pi/2)/sqrt(d) (the limit for large d), and the codebooks are the script's. The layout
 * and the kernel bodies are turboquant-prod's. */
#include "methods/turboquant/release_tables.h"
#include "methods/turboquant/turboquant_prod.h"

#include <math.h>

static const struct fq_param_spec params[] = {
    [RELEASE_BITS] = {.name = "bits",
                      .help = "bits per coordinate of code, of which one is the sketch; the script has 1 to 5",
                      .kind = FQ_PARAM_INT,
                      .min = 1,
                      .max = RELEASE_MAX_BITS,
                      .def = 4},
    [RELEASE_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_HAAR),
    [RELEASE_ROUNDS] = FQ_PARAM_ROUNDS,
    [RELEASE_SCALAR] = FQ_PARAM_SCALAR,
};

struct turboquant_prod turboquant_prod_release_of(const struct fq_params *values, const struct fq_shape *shape) {
    const int bits = (int)values->v[RELEASE_BITS];
    struct turboquant_prod prod = {
        .stage = {.bits = bits - 1,
                  .rotation = (enum fq_rotation_kind)values->v[RELEASE_ROTATION],
                  .rounds = (int)values->v[RELEASE_ROUNDS],
                  .codebook = FQ_CODEBOOK_GAUSSIAN,
                  .scale = FQ_SCALE_RAW,
                  .scalar = (enum fq_scalar_kind)values->v[RELEASE_SCALAR],
                  .dim = shape->dim},
        .sketch = PROD_ORTHOGONAL,
        .stores_residual = false,
    };
    turboquant_prod_lay_out(&prod);
    prod.gain = sqrt(acos(-1.0) / 2);
    prod.constant_residual = turboquant_release_residual(bits);
    return prod;
}

static double nominal_bits(const struct fq_params *values) {
    return values->v[RELEASE_BITS];
}

static int check(const struct fq_params *values, const struct fq_shape *shape, char *why, size_t why_size) {
    return fq_rotation_check((enum fq_rotation_kind)values->v[RELEASE_ROTATION], shape->dim, why, why_size);
}

static struct fq_footprint footprint(const struct fq_params *values, const struct fq_shape *shape) {
    const struct turboquant_prod prod = turboquant_prod_release_of(values, shape);
    return turboquant_prod_footprint(&prod);
}

static size_t setup_scratch(const struct fq_params *values, const struct fq_shape *shape) {
    const struct turboquant_prod prod = turboquant_prod_release_of(values, shape);
    return turboquant_prod_setup_scratch(&prod);
}

static void setup(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct turboquant_prod prod = turboquant_prod_release_of(values, shape);
    turboquant_prod_setup(&prod, streams, shared, scratch);
    turboquant_release_codebook(prod.stage.bits, shared);
}

#define RELEASED "methods.md 1.6, orth S, constant gamma (release)"
static const struct fq_gate gates[] = {
    {"bits=2", 64, FQ_GATE_IP_VAR, 0.2058, 0.03, RELEASED},
    {"bits=3", 64, FQ_GATE_IP_VAR, 0.0671, 0.03, RELEASED},
    {"bits=4", 64, FQ_GATE_IP_VAR, 0.0199, 0.03, RELEASED},
    {"bits=2", 128, FQ_GATE_IP_VAR, 0.2066, 0.03, RELEASED},
    {"bits=3", 128, FQ_GATE_IP_VAR, 0.0671, 0.03, RELEASED},
    {"bits=4", 128, FQ_GATE_IP_VAR, 0.0198, 0.03, RELEASED},
    {"bits=1", 64, FQ_GATE_IP_VAR, 0.56297, 0.03, "pi/2 + 1 - 2 e, e = sqrt(pi d/2) E|u_1|"},
    {"bits=1", 64, FQ_GATE_SELF_IP, 1.00391, 0.002, "e: the script's coefficient is the limit for large d"},
    {"bits=2", 128, FQ_GATE_SLOPE, 1, 0.01, "methods.md 2.2: nearly unbiased"},
};

const struct fq_method fq_method_turboquant_prod_release = {
    .abi = FQ_METHOD_ABI,
    .name = "turboquant-prod@release",
    .role = FQ_CONTENDER,
    .paper = "released script of Zandieh, Daliri, Hadian, Mirrokni 2025 (arXiv 2504.19874, Algorithm 2)",
    .summary = "turboquant-prod as released: orthogonal sketch, constant residual norm, the script's constants",
    .bits_formula = "(b w + s) / d; w = d or d padded, s = 16 (fp16) or 32 (fp32)",
    .params = params,
    .n_params = RELEASE_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &turboquant_prod_release_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
};
