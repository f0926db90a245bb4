/* lloyd-max-search: Lloyd-Max with a search over the scale at which the vector meets the codebook: the best scalar code
 * of fixed rate that we know (methods.md 5.3). No paper's name is on it; README.md says whose ideas it is made of.
 *
 * It stands beside eden because it is eden with another choice of the code: the same record, the same decoder. */
#include "methods/eden/eden.h"

#include "methods/common/scalar_code_gates.h"

static const char *const search_choices[] = {"grid", "exact", NULL};

static const struct fq_param_spec params[] = {
    [LMS_BITS] = FQ_PARAM_CODE_BITS(1, 4),
    [LMS_SEARCH] = {.name = "search",
                    .help = "scales that are tried: grid (eight in [.82, 1.18]), exact (all that give another code)",
                    .kind = FQ_PARAM_CHOICE,
                    .def = LMS_GRID,
                    .choices = search_choices},
    [LMS_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_HAAR),
    [LMS_ROUNDS] = FQ_PARAM_ROUNDS,
    [LMS_SCALE] = FQ_PARAM_SCALE(FQ_SCALE_UNBIASED),
    [LMS_SCALAR] = FQ_PARAM_SCALAR,
};

struct fq_scalar_code lms_code(const struct fq_params *values, const struct fq_shape *shape) {
    return (struct fq_scalar_code){
        .bits = (int)values->v[LMS_BITS],
        .rotation = (enum fq_rotation_kind)values->v[LMS_ROTATION],
        .rounds = (int)values->v[LMS_ROUNDS],
        .codebook = FQ_CODEBOOK_GAUSSIAN,
        .scale = (enum fq_scale_kind)values->v[LMS_SCALE],
        .scalar = (enum fq_scalar_kind)values->v[LMS_SCALAR],
        .dim = shape->dim,
    };
}

static double nominal_bits(const struct fq_params *values) {
    return values->v[LMS_BITS];
}

static int check(const struct fq_params *values, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct fq_scalar_code code = lms_code(values, shape);
    return fq_scalar_code_check(&code, why, why_size);
}

size_t lms_scratch_offset(const struct fq_scalar_code *code) {
    return fq_scalar_code_footprint(code).scratch_bytes;
}

static struct fq_footprint footprint(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = lms_code(values, shape);
    struct fq_footprint fp = fq_scalar_code_footprint(&code);
    /* z in double, then the search's own. */
    fp.scratch_bytes += (fp.work_dim * sizeof(double) + lms_search_bytes(fp.work_dim) + 63) / 64 * 64;
    return fp;
}

static void setup(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct fq_scalar_code code = lms_code(values, shape);
    fq_scalar_code_setup(&code, streams, shared, scratch);
}

static size_t setup_scratch(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = lms_code(values, shape);
    return fq_scalar_code_setup_scratch(&code);
}

#define FULL "methods.md 1.6, LM + scale search"
#define EIGHT "methods.md 5.3, eight candidates"
#define MORE_DIMS "methods.md 1.6, more dimensions"
#define HIGH_BITS "methods.md 1.6, b = 5..8"
static const struct fq_gate gates[] = {
    {"bits=1 search=exact", 128, FQ_GATE_IP_VAR, 0.56751, 0.03, "methods.md 1.6: one bit has one code"},
    {"bits=2 search=exact", 64, FQ_GATE_IP_VAR, 0.12546, 0.03, FULL},
    {"bits=3 search=exact", 64, FQ_GATE_IP_VAR, 0.03015, 0.03, FULL},
    {"bits=4 search=exact", 64, FQ_GATE_IP_VAR, 0.00695, 0.03, FULL},
    {"bits=2 search=exact", 128, FQ_GATE_IP_VAR, 0.12929, 0.03, FULL},
    {"bits=3 search=exact", 128, FQ_GATE_IP_VAR, 0.03265, 0.03, FULL},
    {"bits=4 search=exact", 128, FQ_GATE_IP_VAR, 0.00782, 0.03, FULL},
    {"bits=2 search=exact scale=mse", 64, FQ_GATE_MSE, 0.11100, 0.03, FULL},
    {"bits=3 search=exact scale=mse", 64, FQ_GATE_MSE, 0.02922, 0.03, FULL},
    {"bits=4 search=exact scale=mse", 64, FQ_GATE_MSE, 0.00690, 0.03, FULL},
    {"bits=2 search=exact scale=mse", 128, FQ_GATE_MSE, 0.11423, 0.03, FULL},
    {"bits=3 search=exact scale=mse", 128, FQ_GATE_MSE, 0.03159, 0.03, FULL},
    {"bits=4 search=exact scale=mse", 128, FQ_GATE_MSE, 0.00776, 0.03, FULL},
    {"bits=4 search=grid", 128, FQ_GATE_IP_VAR, 0.00795, 0.03, EIGHT},
    {"bits=4 search=grid scale=mse", 128, FQ_GATE_MSE, 0.0080, 0.03, "methods.md 0, eight candidates"},
    {"bits=2 search=grid", 128, FQ_GATE_IP_VAR, 0.1293, 0.03, "methods.md 0, eight candidates"},
    {"bits=2 search=exact rotation=none", 32, FQ_GATE_IP_VAR, 0.1182, 0.03, MORE_DIMS},
    {"bits=3 search=exact rotation=none", 32, FQ_GATE_IP_VAR, 0.0265, 0.03, MORE_DIMS},
    {"bits=4 search=exact rotation=none", 32, FQ_GATE_IP_VAR, 0.00583, 0.03,
     "dense grid of t in [.5, 2], n = 40000; .00615 of methods.md 1.6 is a narrower search"},
    {"bits=4 search=exact rotation=none", 1536, FQ_GATE_IP_VAR, 0.00936, 0.03, MORE_DIMS},
    {"bits=5 search=exact", 64, FQ_GATE_IP_VAR, 1.64e-3, 0.03, HIGH_BITS},
    {"bits=5 search=exact", 128, FQ_GATE_IP_VAR, 1.87e-3, 0.03, HIGH_BITS},
    {"bits=6 search=exact", 128, FQ_GATE_IP_VAR, 4.54e-4, 0.03, HIGH_BITS},
    {"bits=7 search=exact scalar=fp32", 128, FQ_GATE_IP_VAR, 1.10e-4, 0.03, HIGH_BITS},
    {"bits=8 search=exact scalar=fp32", 128, FQ_GATE_IP_VAR, 2.67e-5, 0.03, HIGH_BITS},
    {"bits=2 search=exact", 128, FQ_GATE_SLOPE, 1, 0.005, "methods.md 1.1: unbiased"},
    {"bits=4 search=grid", 64, FQ_GATE_SELF_IP, 1, 0.001, "methods.md 1.1: exact"},
};

const struct fq_method fq_method_lloyd_max_search = {
    .abi = FQ_METHOD_ABI,
    .name = "lloyd-max-search",
    .role = FQ_CONTENDER,
    .paper = "no paper of its own: EDEN 2022 with the per-vector search that RaBitQ (arXiv 2409.09913) makes",
    .summary =
        "rotation, Lloyd-Max levels at the scale whose code is nearest in angle: the best scalar code known here; "
        "the exact search takes about 21 us at 4 bits and 280 at 8 for d = 128, the grid 5",
    .bits_formula = "(b w + s) / d; w = d or d padded for the rotation, s = 16 (fp16) or 32 (fp32)",
    .params = params,
    .n_params = LMS_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &lloyd_max_search_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
};
