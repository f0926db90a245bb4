/* turboquant-outlier and turboquant-mse@release-outlier: parameters, layout, setup, training, gates.
 *
 * The rule for the channels: those of largest energy over the training vectors, lower numbers first among equals; a
 * quarter of them (32 of 128, the paper's) or a half. Before training the first channels count as loud. */
#include "methods/turboquant/turboquant_outlier.h"

#include "methods/turboquant/release_tables.h"

#include <stdio.h>
#include <string.h>

static const char *const bits_choices[] = {"2.5", "3.5", NULL};
static const char *const share_choices[] = {"1/4", "1/2", NULL};

static const struct fq_param_spec params[] = {
    [OUTLIER_BITS] = {.name = "bits",
                      .help = "the paper's name of the width: 2.5 (3 bits for loud channels, 2 for the rest), 3.5 (4 "
                              "and 3)",
                      .kind = FQ_PARAM_CHOICE,
                      .def = 1,
                      .choices = bits_choices},
    [OUTLIER_SHARE] = {.name = "share",
                       .help = "part of the channels that counts as loud: 1/4 (32 of 128, the paper's) or 1/2",
                       .kind = FQ_PARAM_CHOICE,
                       .def = 0,
                       .choices = share_choices},
    [OUTLIER_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_HAAR),
    [OUTLIER_ROUNDS] = FQ_PARAM_ROUNDS,
    [OUTLIER_SCALAR] = FQ_PARAM_SCALAR,
    [OUTLIER_CODEBOOK] = FQ_PARAM_CODEBOOK,
};

static size_t divisor(const struct fq_params *values) {
    return values->v[OUTLIER_SHARE] > 0 ? 2 : 4;
}

static size_t round_up_64(size_t n) {
    return (n + 63) / 64 * 64;
}

static struct turboquant_outlier split_of(const struct fq_params *values, const struct fq_shape *shape, bool released) {
    struct turboquant_outlier split = {.dim = shape->dim, .released = released};
    const size_t loud = shape->dim / divisor(values);
    split.shared_bytes = round_up_64(shape->dim * sizeof(uint16_t));
    split.part_scratch_at = round_up_64(shape->dim * sizeof(float));
    size_t part_scratch = 0;
    for (int p = 0; p < OUTLIER_PARTS; p++) {
        split.part[p] = (struct fq_scalar_code){
            .bits = (int)values->v[OUTLIER_BITS] + (p == OUTLIER_LOUD ? 3 : 2),
            .rotation = (enum fq_rotation_kind)values->v[OUTLIER_ROTATION],
            .rounds = (int)values->v[OUTLIER_ROUNDS],
            .codebook = (enum fq_codebook_kind)values->v[OUTLIER_CODEBOOK],
            .scale = FQ_SCALE_RAW,
            .scalar = (enum fq_scalar_kind)values->v[OUTLIER_SCALAR],
            .dim = p == OUTLIER_LOUD ? loud : shape->dim - loud,
            .unit_dim = released ? OUTLIER_RELEASED_UNIT_DIM : 0, /* the released defect, written as a number */
        };
        const struct fq_footprint fp = fq_scalar_code_footprint(&split.part[p]);
        split.work_dim[p] = fp.work_dim;
        split.shared_at[p] = split.shared_bytes;
        split.record_at[p] = split.record_bytes;
        split.shared_bytes += fp.shared_bytes;
        split.record_bytes += fp.record_bytes;
        part_scratch = fp.scratch_bytes > part_scratch ? fp.scratch_bytes : part_scratch;
    }
    split.scratch_bytes = split.part_scratch_at + part_scratch;
    return split;
}

struct turboquant_outlier turboquant_outlier_of(const struct fq_params *values, const struct fq_shape *shape) {
    return split_of(values, shape, false);
}

struct turboquant_outlier turboquant_release_outlier_of(const struct fq_params *values, const struct fq_shape *shape) {
    return split_of(values, shape, true);
}

static double nominal_bits(const struct fq_params *values) {
    return values->v[OUTLIER_BITS] + 2.5;
}

static int check(const struct fq_params *values, const struct fq_shape *shape, char *why, size_t why_size) {
    if (shape->dim % divisor(values) != 0 || shape->dim / divisor(values) < 2) {
        snprintf(why, why_size, "share=%s of the channels needs a dimension that %zu divides, at least %zu; found %zu",
                 share_choices[(size_t)values->v[OUTLIER_SHARE]], divisor(values), 2 * divisor(values), shape->dim);
        return -1;
    }
    const struct turboquant_outlier split = split_of(values, shape, false);
    for (int p = 0; p < OUTLIER_PARTS; p++)
        if (fq_scalar_code_check(&split.part[p], why, why_size) != 0)
            return -1;
    return 0;
}

static struct fq_footprint footprint(const struct fq_params *values, const struct fq_shape *shape) {
    const struct turboquant_outlier split = split_of(values, shape, false); /* the released one has the same sizes */
    const size_t work_dim = split.work_dim[OUTLIER_LOUD] + split.work_dim[OUTLIER_REST];
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = split.record_bytes,
        .side_bytes = OUTLIER_PARTS * fq_scalar_bytes(split.part[0].scalar),
        .work_dim = work_dim,
        .prepared_bytes = work_dim * sizeof(float),
        .shared_bytes = split.shared_bytes,
        .scratch_bytes = split.scratch_bytes,
    };
}

static size_t setup_scratch(const struct fq_params *values, const struct fq_shape *shape) {
    const struct turboquant_outlier split = split_of(values, shape, false);
    size_t bytes = split.dim * (sizeof(double) + 1); /* train: energies and flags */
    for (int p = 0; p < OUTLIER_PARTS; p++) {
        const size_t part = fq_scalar_code_setup_scratch(&split.part[p]);
        bytes = part > bytes ? part : bytes;
    }
    return bytes;
}

static void setup_split(const struct turboquant_outlier *split, const struct fq_streams *streams, void *shared,
                        void *scratch) {
    memset(shared, 0, split->shared_at[OUTLIER_LOUD]);
    uint16_t *channel = shared;
    for (size_t j = 0; j < split->dim; j++)
        channel[j] = (uint16_t)j;
    /* Two rotations that share no number: the second part draws its own from the stream that this method has no other
     * use for. */
    struct fq_streams own = *streams;
    for (int p = 0; p < OUTLIER_PARTS; p++) {
        void *part = (uint8_t *)shared + split->shared_at[p];
        fq_scalar_code_setup(&split->part[p], &own, part, scratch);
        if (split->released)
            turboquant_release_codebook(split->part[p].bits, part);
        own.rotation = streams->sketch;
    }
}

static void setup(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct turboquant_outlier split = turboquant_outlier_of(values, shape);
    setup_split(&split, streams, shared, scratch);
}

static void setup_released(const struct fq_params *values, const struct fq_shape *shape,
                           const struct fq_streams *streams, void *shared, void *scratch) {
    const struct turboquant_outlier split = turboquant_release_outlier_of(values, shape);
    setup_split(&split, streams, shared, scratch);
}

static void train(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  size_t n, const float *x, void *shared, void *scratch) {
    (void)streams;
    const struct turboquant_outlier split = split_of(values, shape, false);
    double *energy = scratch;
    uint8_t *loud = (uint8_t *)(energy + split.dim);
    memset(energy, 0, split.dim * sizeof *energy);
    memset(loud, 0, split.dim);
    for (size_t i = 0; i < n; i++, x += split.dim)
        for (size_t j = 0; j < split.dim; j++)
            energy[j] += (double)x[j] * (double)x[j];
    for (size_t k = 0; k < split.part[OUTLIER_LOUD].dim; k++) {
        double most = -1;
        size_t top = 0;
        for (size_t j = 0; j < split.dim; j++)
            if (!loud[j] && energy[j] > most) {
                most = energy[j];
                top = j;
            }
        loud[top] = 1;
    }
    uint16_t *channel = shared;
    for (int quiet = 0; quiet < 2; quiet++)
        for (size_t j = 0; j < split.dim; j++)
            if (loud[j] != quiet)
                *channel++ = (uint16_t)j;
}

/* For x uniform on the sphere all channels are alike: whichever are chosen, a quarter of them holds a quarter of the
 * energy. Quadrature of the sphere marginals of the parts. */
#define RIGHT "sphere marginals of both parts, quadrature (methods.md 2.3)"
#define SPHERE "Lloyd-Max of the sphere marginals of both parts, quadrature (methods.md 1.4)"
static const struct fq_gate gates[] = {
    {"bits=2.5", 128, FQ_GATE_MSE, 0.094756, 0.03, RIGHT},
    {"bits=3.5", 128, FQ_GATE_MSE, 0.027579, 0.03, RIGHT},
    {"bits=2.5", 64, FQ_GATE_MSE, 0.092925, 0.03, RIGHT},
    {"bits=3.5", 64, FQ_GATE_MSE, 0.026991, 0.03, RIGHT},
    {"bits=2.5 share=1/2", 128, FQ_GATE_MSE, 0.073995, 0.03, RIGHT},
    {"bits=3.5 share=1/2", 128, FQ_GATE_MSE, 0.021307, 0.03, RIGHT},
    {"bits=2.5", 128, FQ_GATE_SLOPE, 0.907774, 0.01, RIGHT},
    {"bits=3.5", 128, FQ_GATE_SLOPE, 0.974207, 0.005, RIGHT},
    /* At d = 16 the parts have 4 and 12 channels; codebook=gaussian would give .0851 and .0248. */
    {"bits=2.5 codebook=sphere", 16, FQ_GATE_MSE, 0.081391, 0.03, SPHERE},
    {"bits=3.5 codebook=sphere", 16, FQ_GATE_MSE, 0.022749, 0.03, SPHERE},
};

/* The same quadrature with the released levels in units of 1/sqrt(128): parts of 32 and 96 at d = 128, of 16 and 48 at
 * d = 64, of 32 and 32 with share=1/2 (README, the table of the released scale). */
#define BROKEN "1/sqrt(128) on both parts, quadrature (methods.md 2.3)"
static const struct fq_gate released_gates[] = {
    {"bits=2.5", 128, FQ_GATE_MSE, 0.123583, 0.03, BROKEN},
    {"bits=3.5", 128, FQ_GATE_MSE, 0.042769, 0.03, BROKEN},
    {"bits=2.5", 64, FQ_GATE_MSE, 0.204646, 0.03, BROKEN},
    {"bits=3.5", 64, FQ_GATE_MSE, 0.095545, 0.03, BROKEN},
    {"bits=2.5 share=1/2", 64, FQ_GATE_MSE, 0.192080, 0.03, BROKEN},
    {"bits=3.5 share=1/2", 64, FQ_GATE_MSE, 0.093311, 0.03, BROKEN},
    {"bits=2.5", 128, FQ_GATE_SLOPE, 0.800919, 0.01, BROKEN},
    {"bits=3.5", 128, FQ_GATE_SLOPE, 0.914113, 0.01, BROKEN},
    {"bits=2.5", 64, FQ_GATE_SLOPE, 0.634223, 0.01, BROKEN},
    {"bits=3.5", 64, FQ_GATE_SLOPE, 0.785184, 0.01, BROKEN},
};

#define SPLIT_METHOD                                                                                                   \
    .abi = FQ_METHOD_ABI, .role = FQ_CONTENDER, .params = params, .data_oblivious = false,                             \
    .nominal_bits = nominal_bits, .check = check, .footprint = footprint, .setup_scratch = setup_scratch,              \
    .train = train,                                                                                                    \
    .bits_formula = "((b + 1) w1 + b w2 + 2 s) / d; b = 2 or 3, w1, w2 = the channels of both parts, padded for the "  \
                    "rotation, s = 16 (fp16) or 32 (fp32); 2.5 and 3.5 at d = 128 with a quarter of the channels"

const struct fq_method fq_method_turboquant_outlier = {
    SPLIT_METHOD,
    .name = "turboquant-outlier",
    .n_params = OUTLIER_PARAMS,
    .paper = "Zandieh, Daliri, Hadian, Mirrokni 2025, arXiv 2504.19874, outlier channels (2.5 and 3.5 bits)",
    .summary = "turboquant-mse on two sets of channels, the louder quarter with one bit more",
    .setup = setup,
    .kernels = {[FQ_REF] = &turboquant_outlier_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
};

const struct fq_method fq_method_turboquant_mse_release_outlier = {
    SPLIT_METHOD,
    .name = "turboquant-mse@release-outlier",
    .n_params = OUTLIER_RELEASED_PARAMS,
    .paper = "released cache code of TurboQuant (arXiv 2504.19874) as kept by the RaBitQ comparison repository",
    .summary = "turboquant-outlier as released: both parts' codebooks scaled by 1/sqrt(128), whatever d is",
    .setup = setup_released,
    .kernels = {[FQ_REF] = &turboquant_release_outlier_ref},
    .gates = released_gates,
    .n_gates = sizeof released_gates / sizeof released_gates[0],
};
