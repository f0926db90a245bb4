/* QuaRot's codec for keys and values: parameters, bytes, gates, and the exported method. The arithmetic is in
 * quarot_ref.c. Rotating the weights, which QuaRot does too, is not a matter of the cache and not here. */
#include "methods/quarot/quarot.h"

#include <stdio.h>

static const char *const range_choices[] = {"symmetric", "asymmetric", NULL};

static const struct fq_param_spec params[QUAROT_N_PARAMS] = {
    [QUAROT_BITS] =
        {.name = "bits", .help = "bits per coordinate of code", .kind = FQ_PARAM_INT, .min = 2, .max = 8, .def = 4},
    [QUAROT_RANGE] = {.name = "range",
                      .help = "symmetric (one absolute maximum) or asymmetric (minimum to maximum, zero included)",
                      .kind = FQ_PARAM_CHOICE,
                      .def = QUAROT_ASYMMETRIC,
                      .choices = range_choices},
    [QUAROT_GROUP] = {.name = "group",
                      .help = "coordinates that share a scale; 0: the whole head",
                      .kind = FQ_PARAM_INT,
                      .min = 0,
                      .max = FQ_MAX_DIM,
                      .def = 0},
    [QUAROT_CLIP] = {.name = "clip_ratio",
                     .help = "factor on minimum and maximum; what lies outside clips",
                     .kind = FQ_PARAM_REAL,
                     .min = 0.1,
                     .max = 1,
                     .def = 1},
    [QUAROT_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_HADAMARD),
    [QUAROT_ROUNDS] = FQ_PARAM_ROUNDS,
};

struct quarot_layout quarot_layout_of(const struct fq_params *p, const struct fq_shape *shape) {
    struct quarot_layout l = {.bits = (int)p->v[QUAROT_BITS],
                              .asymmetric = (int)p->v[QUAROT_RANGE] == QUAROT_ASYMMETRIC,
                              .clip = p->v[QUAROT_CLIP],
                              .rotation = (enum fq_rotation_kind)p->v[QUAROT_ROTATION],
                              .rounds = (int)p->v[QUAROT_ROUNDS],
                              .dim = shape->dim};
    l.work_dim = fq_rotation_work_dim(l.rotation, l.dim);
    l.group = p->v[QUAROT_GROUP] > 0 ? (size_t)p->v[QUAROT_GROUP] : l.work_dim;
    l.groups = l.work_dim / l.group;
    l.code_bytes = fq_packed_bytes(l.bits, l.work_dim);
    l.record_bytes = l.code_bytes + l.groups * (QUAROT_SCALE_BYTES + (l.asymmetric ? 1U : 0U));
    return l;
}

static double nominal_bits(const struct fq_params *p) {
    return p->v[QUAROT_BITS];
}

static int check(const struct fq_params *p, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct quarot_layout l = quarot_layout_of(p, shape);
    if (l.rotation == FQ_ROTATION_HADAMARD && l.work_dim != l.dim) {
        snprintf(why, why_size,
                 "quarot's Hadamard needs a dimension that is a power of two, found %zu; use rotation=rht (padded) or "
                 "haar",
                 l.dim);
        return -1;
    }
    if (l.group > l.work_dim || l.work_dim % l.group != 0) {
        snprintf(why, why_size, "quarot's group of %zu must divide the %zu rotated coordinates; use group=0 for all",
                 l.group, l.work_dim);
        return -1;
    }
    return fq_rotation_check(l.rotation, l.dim, why, why_size);
}

static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {
    const struct quarot_layout l = quarot_layout_of(p, shape);
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = l.record_bytes,
        .side_bytes = l.record_bytes - l.code_bytes,
        .work_dim = l.work_dim,
        .prepared_bytes = l.work_dim * sizeof(float),
        .shared_bytes = fq_rotation_state_bytes(l.rotation, l.rounds, l.dim),
        .scratch_bytes = l.work_dim * (sizeof(double) + sizeof(float) + 1), /* sums, a rotated vector, codes */
    };
}

static void setup(const struct fq_params *p, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct quarot_layout l = quarot_layout_of(p, shape);
    fq_rotation_setup(l.rotation, l.rounds, l.dim, streams, shared, scratch);
}

static size_t setup_scratch(const struct fq_params *p, const struct fq_shape *shape) {
    const struct quarot_layout l = quarot_layout_of(p, shape);
    return fq_rotation_setup_scratch(l.rotation, l.dim);
}

/* On the sphere a rotation changes nothing but what it is made of. Symmetric: error uniform in a step, and the greatest
 * coordinate has none: (1 - 1/d) E[max g^2] / (12 L^2), as for methods/example. Asymmetric and clipped: 200,000 vectors
 * through an independent program of the published formulas. */
static const char uniform[] = "(1 - 1/d) E[max g^2] / (12 L^2), L = 2^(b-1) - 1 (methods.md 0: 4.2e-5 at 8 bits)";
static const char published[] = "the published formulas, 200,000 vectors, independent program";

static const struct fq_gate gates[] = {
    {"bits=4 range=symmetric", 128, FQ_GATE_MSE, 0.013749, 0.03, uniform},
    {"bits=4 range=symmetric", 64, FQ_GATE_MSE, 0.011575, 0.03, uniform},
    {"bits=8 range=symmetric", 128, FQ_GATE_MSE, 4.177e-5, 0.03, uniform},
    {"bits=2 range=asymmetric", 128, FQ_GATE_MSE, 0.25283, 0.03, published},
    {"bits=3 range=asymmetric", 128, FQ_GATE_MSE, 0.046413, 0.03, published},
    {"bits=4 range=asymmetric", 128, FQ_GATE_MSE, 0.010105, 0.03, published},
    {"bits=4 range=asymmetric", 64, FQ_GATE_MSE, 0.0082745, 0.03, published},
    {"bits=4 range=asymmetric clip_ratio=0.95", 128, FQ_GATE_MSE, 0.0094131, 0.03, published},
    {"bits=4 range=symmetric clip_ratio=0.95", 128, FQ_GATE_MSE, 0.0125475, 0.03, published},
    {"bits=4 range=asymmetric group=32", 128, FQ_GATE_MSE_GAUSS, 0.006518, 0.03, published},
    {"bits=4 range=symmetric rotation=haar", 100, FQ_GATE_MSE, 0.012974, 0.03, uniform},
    {"bits=4 range=symmetric rotation=none", 100, FQ_GATE_MSE, 0.012974, 0.03, uniform},
    {"bits=2 range=symmetric", 128, FQ_GATE_SLOPE, 0.8255, 0.005, published},
    {"bits=4 range=asymmetric", 128, FQ_GATE_SLOPE, 1, 0.001, published},
};

/* Without a rotation and at four coordinates the codes can be had by hand. */
static void by_hand(const struct fq_answers *answers, int range, const float x[4], const double expected[4]) {
    static const char *const what[2][4] = {
        {"symmetric: code 0", "symmetric: code 1", "symmetric: code 2", "symmetric: code 3"},
        {"asymmetric: code 0", "asymmetric: code 1", "asymmetric: code 2", "asymmetric: code 3"}};
    struct fq_params p = {.v = {[QUAROT_BITS] = 4, [QUAROT_RANGE] = range, [QUAROT_CLIP] = 1, [QUAROT_ROUNDS] = 1}};
    p.v[QUAROT_ROTATION] = FQ_ROTATION_NONE;
    const struct fq_shape shape = {.dim = 4, .tensor = FQ_KEY};
    const struct fq_footprint bytes = footprint(&p, &shape);
    _Alignas(64) uint8_t scratch[64];
    uint8_t record[8], code[4];
    const struct fq_call call = {.params = &p, .shape = shape, .footprint = &bytes, .scratch = scratch};
    answers->emit(answers->sink, "vectors encoded", 1, (double)quarot_kernels_ref.encode(&call, 1, x, record), 0,
                  "by hand");
    fq_unpack(4, 4, record, code);
    for (size_t i = 0; i < 4; i++)
        answers->emit(answers->sink, what[range][i], expected[i], code[i], 0, "by hand");
    if (range == QUAROT_ASYMMETRIC)
        answers->emit(answers->sink, "asymmetric: zero point", 5, record[4], 0, "by hand");
}

static void known_answers(const struct fq_answers *answers) {
    /* L = 7, step .1; stored codes are shifted by 8. */
    by_hand(answers, QUAROT_SYMMETRIC, (const float[4]){0.3F, -0.7F, 0.12F, 0}, (const double[4]){11, 1, 9, 8});
    /* step (1 + .5) / 15 = .1, zero point 5. */
    by_hand(answers, QUAROT_ASYMMETRIC, (const float[4]){-0.5F, 1, 0.24F, 0}, (const double[4]){0, 15, 7, 5});
}

const struct fq_method fq_method_quarot = {
    .abi = FQ_METHOD_ABI,
    .name = "quarot",
    .role = FQ_CONTENDER,
    .paper = "Ashkboos et al. 2024, QuaRot (arXiv 2404.00456), KV cache",
    .summary = "Hadamard matrix without signs, then integers between minimum and maximum of the head",
    .bits_formula = "(b + 24/g) w/d; range=symmetric: (b + 16/g) w/d; g = group, or w for a whole head (group=0), "
                    "w = d or d padded for the rotation",
    .params = params,
    .n_params = QUAROT_N_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &quarot_kernels_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
