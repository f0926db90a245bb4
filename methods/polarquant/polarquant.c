/* polarquant: parameters, layout, setup, gates. The paper's polar transform; what the community calls PolarQuant is
 * rotation-lloyd-max. */
#include "methods/polarquant/polarquant.h"

#include "methods/common/pack.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct fq_param_spec params[] = {
    [POLAR_FIRST_BITS] = {.name = "first_bits",
                          .help = "bits of each angle of level 1, uniform on the circle",
                          .kind = FQ_PARAM_INT,
                          .min = 1,
                          .max = POLAR_MAX_FIRST,
                          .def = 4},
    [POLAR_UPPER_BITS] = {.name = "upper_bits",
                          .help = "bits of each angle of levels 2, 3 and 4",
                          .kind = FQ_PARAM_INT,
                          .min = 1,
                          .max = POLAR_MAX_UPPER,
                          .def = 2},
    [POLAR_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_HAAR),
    [POLAR_ROUNDS] = FQ_PARAM_ROUNDS,
    [POLAR_SCALAR] = FQ_PARAM_SCALAR,
};

struct polar polar_of(const struct fq_params *values, const struct fq_shape *shape) {
    struct polar p = {.first_bits = (int)values->v[POLAR_FIRST_BITS],
                      .upper_bits = (int)values->v[POLAR_UPPER_BITS],
                      .rotation = (enum fq_rotation_kind)values->v[POLAR_ROTATION],
                      .rounds = (int)values->v[POLAR_ROUNDS],
                      .scalar = (enum fq_scalar_kind)values->v[POLAR_SCALAR],
                      .dim = shape->dim};
    p.work_dim = fq_rotation_work_dim(p.rotation, p.dim);
    p.blocks = p.work_dim / POLAR_BLOCK;
    p.upper_at = fq_packed_bytes(p.first_bits, 8 * p.blocks);
    p.radius_at = p.upper_at + fq_packed_bytes(p.upper_bits, 7 * p.blocks);
    p.record_bytes = p.radius_at + p.blocks * fq_scalar_bytes(p.scalar);
    return p;
}

static double nominal_bits(const struct fq_params *values) {
    return (8 * values->v[POLAR_FIRST_BITS] + 7 * values->v[POLAR_UPPER_BITS]) / POLAR_BLOCK;
}

static int check(const struct fq_params *values, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct polar p = polar_of(values, shape);
    if (fq_rotation_check(p.rotation, p.dim, why, why_size) != 0)
        return -1;
    if (p.work_dim % POLAR_BLOCK != 0) {
        snprintf(why, why_size,
                 "polarquant codes blocks of %d coordinates, and a dimension of %zu leaves %zu over; use rotation=rht "
                 "or fht-kac, which pad",
                 (int)POLAR_BLOCK, p.work_dim, p.work_dim % POLAR_BLOCK);
        return -1;
    }
    return 0;
}

static struct fq_footprint footprint(const struct fq_params *values, const struct fq_shape *shape) {
    const struct polar p = polar_of(values, shape);
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = p.record_bytes,
        .side_bytes = p.blocks * fq_scalar_bytes(p.scalar),
        .work_dim = p.work_dim,
        .prepared_bytes = p.work_dim * sizeof(float),
        .shared_bytes = sizeof(struct polar_tables) + fq_rotation_state_bytes(p.rotation, p.rounds, p.dim),
        /* two vectors, the indices of all angles */
        .scratch_bytes = (p.work_dim * (2 * sizeof(float) + 1) + 63) / 64 * 64,
    };
}

static size_t setup_scratch(const struct fq_params *values, const struct fq_shape *shape) {
    const struct polar p = polar_of(values, shape);
    return fq_rotation_setup_scratch(p.rotation, p.dim);
}

static void setup(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct polar p = polar_of(values, shape);
    struct polar_tables *tables = shared;
    memset(tables, 0, sizeof *tables);
    const size_t n_first = (size_t)1 << p.first_bits, n_upper = (size_t)1 << p.upper_bits;
    for (size_t k = 0; k < n_first; k++) { /* Lloyd's codebook of a uniform angle: the middles of equal cells */
        const double theta = 2 * acos(-1.0) * ((double)k + 0.5) / (double)n_first;
        tables->first_cos[k] = (float)cos(theta);
        tables->first_sin[k] = (float)sin(theta);
    }
    for (int u = 0; u < POLAR_UPPER; u++) {
        double angle[POLAR_UPPER_CELLS], bound[POLAR_UPPER_CELLS];
        polar_codebook(u + 2, p.upper_bits, angle, bound);
        for (size_t k = 0; k < n_upper; k++) {
            tables->cosine[u][k] = (float)cos(angle[k]);
            tables->sine[u][k] = (float)sin(angle[k]);
            if (k + 1 < n_upper)
                tables->bound[u][k] = (float)bound[k];
        }
    }
    fq_rotation_setup(p.rotation, p.rounds, p.dim, streams, tables + 1, scratch);
}

/* The angles are independent and a block's radius is kept, so E <u, u^> is the product over levels of E cos(psi -
 * psi^), and the relative error is 2 minus twice that: the same at every d. By quadrature; methods.md 9 has .0320 and
 * -1.6 % by Monte Carlo. */
#define EXACT "2 - 2 prod E cos(psi - psi^), quadrature (methods.md 9: .0320)"
#define SLOPE "prod E cos(psi - psi^), quadrature (methods.md 9: -1.6 %)"
static const struct fq_gate gates[] = {
    {"", 64, FQ_GATE_MSE, 0.0320765, 0.03, EXACT},
    {"", 128, FQ_GATE_MSE, 0.0320765, 0.03, EXACT},
    {"", 80, FQ_GATE_MSE, 0.0320765, 0.03, EXACT},
    {"rotation=rht", 128, FQ_GATE_MSE, 0.0320765, 0.03, EXACT},
    {"rotation=none", 96, FQ_GATE_MSE_GAUSS, 0.0320765, 0.03, EXACT},
    {"", 128, FQ_GATE_IP_VAR, 0.0320765, 0.03, EXACT},
    {"", 64, FQ_GATE_SLOPE, 0.983962, 0.003, SLOPE},
    {"", 128, FQ_GATE_SLOPE, 0.983962, 0.003, SLOPE},
    {"", 128, FQ_GATE_SELF_IP, 0.983962, 0.001, SLOPE},
    {"first_bits=3", 128, FQ_GATE_MSE, 0.0698896, 0.03, EXACT},
    {"first_bits=4 upper_bits=3", 128, FQ_GATE_MSE, 0.0181140, 0.03, EXACT},
    {"first_bits=6 upper_bits=4", 64, FQ_GATE_MSE, 0.00220309, 0.03, EXACT},
    {"first_bits=3 upper_bits=1", 128, FQ_GATE_MSE, 0.115033, 0.03, EXACT},
};

static void known_answers(const struct fq_answers *answers) {
    static const double lloyd[POLAR_UPPER][4] = {{0.309656, 0.633828, 0.936665, 1.260941},
                                                 {0.426088, 0.674168, 0.896217, 1.144426},
                                                 {0.524082, 0.705715, 0.864674, 1.046416}};
    for (int u = 0; u < POLAR_UPPER; u++) {
        double angle[POLAR_UPPER_CELLS], bound[POLAR_UPPER_CELLS];
        polar_codebook(u + 2, 2, angle, bound);
        for (int k = 0; k < 4; k++) {
            char what[64];
            snprintf(what, sizeof what, "angle %d of the 2-bit codebook of level %d, radians", k, u + 2);
            answers->emit(answers->sink, what, lloyd[u][k], angle[k], 5e-4, "methods.md 9 (Monte Carlo)");
        }
    }
}

const struct fq_method fq_method_polarquant = {
    .abi = FQ_METHOD_ABI,
    .name = "polarquant",
    .role = FQ_CONTENDER,
    .paper = "Han, Kacham, Karbasi, Mirrokni, Zandieh 2025, PolarQuant, arXiv 2502.02617",
    .summary = "rotation, then blocks of 16 in recursive polar coordinates: quantized angles, one radius per block",
    .bits_formula = "(8 b1 + 7 bu + s) w / (16 d); b1 = first_bits, bu = upper_bits, w = d or d padded for the "
                    "rotation, s = 16 (fp16) or 32 (fp32), indices rounded up to bytes; 3.875 as published",
    .params = params,
    .n_params = POLAR_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &polarquant_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
