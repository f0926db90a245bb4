/* Block-GTQ: parameters, bytes, gates, and the exported method. Calibration is in blockgtq_train.c, the kernels in
 * blockgtq_ref.c. */
#include "methods/blockgtq/blockgtq.h"

#include "methods/common/lloyd_max.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const pairing_choices[] = {"half", "adjacent", NULL};
static const char *const gain_choices[] = {"rate-law", "lloyd-max", NULL};
static const char *const norms_choices[] = {"group", "vector", NULL};
static const char *const rotation_choices[] = {"haar", "none", NULL};

static const struct fq_param_spec params[GTQ_N_PARAMS] = {
    [GTQ_AVG_BITS] = {.name = "avg_bits",
                      .help = "bits per coordinate of code, averaged over the RoPE blocks",
                      .kind = FQ_PARAM_REAL,
                      .min = GTQ_LEAST_BITS,
                      .max = GTQ_MOST_BITS,
                      .def = 3},
    [GTQ_GROUPS] = {.name = "groups",
                    .help = "most distinct widths, each with a rotation and a norm; 8: as published",
                    .kind = FQ_PARAM_INT,
                    .min = 1,
                    .max = GTQ_MOST_BITS,
                    .def = 4},
    [GTQ_PAIRING] = {.name = "pairing",
                     .help = "RoPE blocks are coordinates (i, i + d/2), or adjacent ones (2i, 2i + 1)",
                     .kind = FQ_PARAM_CHOICE,
                     .def = GTQ_HALF,
                     .choices = pairing_choices},
    [GTQ_GAIN] = {.name = "gain",
                  .help = "what a bit is worth: rate-law (4^-b, as published) or the distortion of the Lloyd-Max code",
                  .kind = FQ_PARAM_CHOICE,
                  .def = GTQ_RATE_LAW,
                  .choices = gain_choices},
    [GTQ_NORMS] = {.name = "norms",
                   .help = "fp16 norms that are stored: one for each group (published), or one for the vector",
                   .kind = FQ_PARAM_CHOICE,
                   .def = GTQ_PER_GROUP,
                   .choices = norms_choices},
    [GTQ_ROTATION] = {.name = "rotation",
                      .help = "random rotation of each group: haar or none",
                      .kind = FQ_PARAM_CHOICE,
                      .def = GTQ_HAAR,
                      .choices = rotation_choices},
};

struct gtq_layout gtq_layout_of(const struct fq_params *p, const struct fq_shape *shape) {
    struct gtq_layout l = {.dim = shape->dim,
                           .blocks = shape->dim / 2,
                           .groups = (size_t)p->v[GTQ_GROUPS],
                           .pairing = (int)p->v[GTQ_PAIRING],
                           .gain = (int)p->v[GTQ_GAIN],
                           .norms = (int)p->v[GTQ_NORMS],
                           .rotation = (int)p->v[GTQ_ROTATION]};
    l.budget = (size_t)floor((double)l.blocks * p->v[GTQ_AVG_BITS] + 1e-9);
    l.code_bytes = (2 * l.budget + 7) / 8;
    l.n_norms = l.norms == GTQ_PER_GROUP ? l.groups : 1;
    l.record_bytes = l.code_bytes + 2 * l.n_norms;
    const size_t tables = sizeof(struct gtq_state) + l.dim * sizeof(uint16_t) + l.blocks;
    l.rotation_at = (tables + 63) / 64 * 64;
    l.shared_bytes = l.rotation_at + (l.rotation == GTQ_HAAR ? l.dim * l.dim * sizeof(float) : 0);
    return l;
}

static double nominal_bits(const struct fq_params *p) {
    return p->v[GTQ_AVG_BITS];
}

static int check(const struct fq_params *p, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct gtq_layout l = gtq_layout_of(p, shape);
    if (l.dim % 2 != 0) {
        snprintf(why, why_size, "blockgtq codes pairs of coordinates: needs an even dimension, found %zu", l.dim);
        return -1;
    }
    if (l.groups == 1 && l.budget % l.blocks != 0) {
        snprintf(why, why_size, "blockgtq with groups=1 has one width for all blocks: avg_bits must be whole, found %g",
                 p->v[GTQ_AVG_BITS]);
        return -1;
    }
    return 0;
}

static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {
    const struct gtq_layout l = gtq_layout_of(p, shape);
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = l.record_bytes,
        .side_bytes = l.record_bytes - l.code_bytes,
        .work_dim = l.dim,
        .prepared_bytes = l.dim * sizeof(float),
        .shared_bytes = l.shared_bytes,
        .scratch_bytes = l.dim * (sizeof(double) + 2 * sizeof(float)), /* sums, a sorted vector, the same turned */
    };
}

/* Code tables; widths, groups and matrices come from training. */
static void setup(const struct fq_params *p, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    (void)streams;
    (void)scratch;
    const struct gtq_layout l = gtq_layout_of(p, shape);
    struct gtq_state *state = shared;
    memset(shared, 0, l.shared_bytes);
    for (int bits = GTQ_LEAST_BITS; bits <= GTQ_MOST_BITS; bits++)
        fq_lloyd_max_gaussian(bits, state->levels + (1U << bits), state->bounds + (1U << bits));
}

static size_t setup_scratch(const struct fq_params *p, const struct fq_shape *shape) {
    const struct gtq_layout l = gtq_layout_of(p, shape);
    return gtq_train_scratch(&l);
}

static void train(const struct fq_params *p, const struct fq_shape *shape, const struct fq_streams *streams, size_t n,
                  const float *x, void *shared, void *scratch) {
    const struct gtq_layout l = gtq_layout_of(p, shape);
    gtq_train(&l, streams, n, x, shared, scratch);
}

/* On the sphere all blocks have the same energy: whole budgets give one width, and the method is TurboQuant-mse with
 * corrected norms; half a bit more goes to half of the blocks. */
static const char same[] = "methods.md 1.6, matched norm: equal energies, one width";

static const struct fq_gate gates[] = {
    {"avg_bits=2", 128, FQ_GATE_MSE, 0.11884, 0.03, same},
    {"avg_bits=3 norms=vector", 128, FQ_GATE_MSE, 0.03383, 0.03, same},
    {"avg_bits=4 pairing=adjacent", 128, FQ_GATE_MSE, 0.00918, 0.03, same},
    {"avg_bits=2 groups=1", 64, FQ_GATE_MSE, 0.11648, 0.03, same},
    {"avg_bits=2.5", 128, FQ_GATE_MSE, 0.07465, 0.03, "1.6 at d = 64: half of the blocks 2 bits, half 3"},
    {"avg_bits=4 gain=lloyd-max rotation=none", 80, FQ_GATE_MSE_GAUSS, 0.0090, 0.03, "1.6: between d = 64 and 128"},
    {"avg_bits=2", 128, FQ_GATE_SLOPE, 0.94, 0.01, "methods.md 1.6, matched norm"},
};

/* Energies 16 4 1 1, eight bits: each starts with one; then 16/4 > 4/4 gives the first block its second bit, then 1 = 1
 * its third (the first of equals), then the second block its second, then 1/4 everywhere: the first again. By the
 * Lloyd-Max distortions the last bit is worth 16 (D3 - D4) = .401 against 4 (D2 - D3) = .332 and D1 - D2 = .246. */
static void known_answers(const struct fq_answers *answers) {
    static const double energy[4] = {16, 4, 1, 1};
    static const uint8_t expected[4] = {4, 2, 1, 1};
    static const char *const what[2] = {"rate-law: width of block %zu", "lloyd-max: width of block %zu"};
    for (int gain = GTQ_RATE_LAW; gain <= GTQ_LLOYD_MAX; gain++) {
        uint8_t width[4];
        char text[64];
        gtq_allocate(gain, 4, energy, GTQ_LEAST_BITS, GTQ_MOST_BITS, 8, width);
        for (size_t i = 0; i < 4; i++) {
            snprintf(text, sizeof text, what[gain], i);
            answers->emit(answers->sink, text, expected[i], width[i], 0, "by hand");
        }
    }
}

const struct fq_method fq_method_blockgtq = {
    .abi = FQ_METHOD_ABI,
    .name = "blockgtq",
    .role = FQ_CONTENDER,
    .paper = "Liang, Zhang, Jia 2026, Block-GTQ (arXiv 2606.24033)",
    .summary =
        "bits given to RoPE blocks by their energy, then rotation and Lloyd-Max within each group of equal width",
    .bits_formula = "avg_bits + 16 groups/d; norms=vector: avg_bits + 16/d; widths and matrices in the shared state",
    .params = params,
    .n_params = GTQ_N_PARAMS,
    .data_oblivious = false,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .train = train,
    .kernels = {[FQ_REF] = &gtq_kernels_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
