/* E8P: parameters, bytes, gates, and the exported method. The code book is in e8p_lattice_ref.c, the kernels in
 * e8p_ref.c. */
#include "methods/e8/e8p.h"

#include "methods/common/known_answer.h"

#include <stdio.h>

static const struct fq_param_spec params[E8P_N_PARAMS] = {
    [E8P_INPUT_SCALE] = {.name = "input_scale",
                         .help = "factor on coordinates of unit variance before the nearest point is sought",
                         .kind = FQ_PARAM_REAL,
                         .min = 0.25,
                         .max = 4,
                         .def = 1.03},
    [E8P_SCALE] = FQ_PARAM_SCALE(FQ_SCALE_RAW),
    [E8P_SCALAR] = FQ_PARAM_SCALAR,
    [E8P_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_HAAR),
    [E8P_ROUNDS] = FQ_PARAM_ROUNDS,
};

struct e8p_layout e8p_layout_of(const struct fq_params *p, const struct fq_shape *shape) {
    struct e8p_layout l = {.input_scale = p->v[E8P_INPUT_SCALE],
                           .scale = (enum fq_scale_kind)p->v[E8P_SCALE],
                           .scalar = (enum fq_scalar_kind)p->v[E8P_SCALAR],
                           .rotation = (enum fq_rotation_kind)p->v[E8P_ROTATION],
                           .rounds = (int)p->v[E8P_ROUNDS],
                           .dim = shape->dim};
    l.work_dim = fq_rotation_work_dim(l.rotation, l.dim);
    l.blocks = l.work_dim / E8P_DIM;
    l.code_bytes = l.blocks * E8P_INDEX_BYTES;
    l.record_bytes = l.code_bytes + fq_scalar_bytes(l.scalar);
    l.rotation_bytes = fq_rotation_state_bytes(l.rotation, l.rounds, l.dim);
    return l;
}

static double nominal_bits(const struct fq_params *p) {
    (void)p;
    return 2;
}

static int check(const struct fq_params *p, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct e8p_layout l = e8p_layout_of(p, shape);
    if (l.work_dim % E8P_DIM != 0) {
        snprintf(why, why_size,
                 "e8p codes 8 coordinates at a time: needs a dimension divisible by 8, found %zu; rotation=rht pads to "
                 "the next power of two",
                 l.work_dim);
        return -1;
    }
    return fq_rotation_check(l.rotation, l.dim, why, why_size);
}

static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {
    const struct e8p_layout l = e8p_layout_of(p, shape);
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = l.record_bytes,
        .side_bytes = l.record_bytes - l.code_bytes,
        .work_dim = l.work_dim,
        .prepared_bytes = l.work_dim * sizeof(float),
        .shared_bytes = l.rotation_bytes + sizeof(struct e8p_table),
        .scratch_bytes = l.work_dim * (sizeof(double) + sizeof(float)), /* sums, code words */
    };
}

static void setup(const struct fq_params *p, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct e8p_layout l = e8p_layout_of(p, shape);
    fq_rotation_setup(l.rotation, l.rounds, l.dim, streams, shared, scratch);
    e8p_fill_table((struct e8p_table *)((uint8_t *)shared + l.rotation_bytes));
}

static size_t setup_scratch(const struct fq_params *p, const struct fq_shape *shape) {
    const struct e8p_layout l = e8p_layout_of(p, shape);
    return fq_rotation_setup_scratch(l.rotation, l.dim);
}

/* methods.md states N(0,1); on the sphere, which a vector with its norm divided out is on, tails are lighter: -1.5 % at
 * d = 128, -3 % at d = 64. */
static const char monte_carlo[] = "methods.md 10 (exact nearest, N(0,1))";
static const char on_sphere[] = "QuIP#'s published grid on the sphere, independent program";

static const struct fq_gate gates[] = {
    {"", 128, FQ_GATE_MSE, 0.0912, 0.03, "methods.md 13"},
    {"", 64, FQ_GATE_MSE, 0.0883, 0.03, on_sphere},
    {"input_scale=0.987", 128, FQ_GATE_MSE, 0.0923, 0.03, monte_carlo},
    {"input_scale=1.073 rotation=haar", 200, FQ_GATE_MSE, 0.0915, 0.03, monte_carlo},
    {"scale=unbiased", 128, FQ_GATE_SLOPE, 1, 0.01, "methods.md 1.1: any code, unbiased scale"},
    {"scale=unbiased", 128, FQ_GATE_SELF_IP, 1, 0.001, "methods.md 1.1"},
};

/* The published code book (its index format included) searched exhaustively by an independent program: 1.5 times the
 * vector of appendix B, 8 coordinates at a time. Margins of the nearest over the second nearest are above .0027. */
static void known_answers(const struct fq_answers *answers) {
    static const char source[] = "QuIP#'s published grid, all 65,536 points, independent program";
    static const uint16_t nearest[FQ_APPENDIX_B_DIM / E8P_DIM] = {0xef25, 0xb855, 0x859a, 0xca25, 0xf7dd, 0x469a,
                                                                  0x7224, 0xf1dd, 0x443a, 0x7924, 0xbf58, 0xa4ab,
                                                                  0x7f25, 0x7659, 0xb8aa, 0x8565};
    static const float words[3][1 + E8P_DIM] = {{0x1234, -0.75F, -0.75F, 0.25F, -0.75F, -1.75F, 0.25F, 0.25F, 1.25F},
                                                {0xe3ff, -1.25F, -0.25F, -0.25F, -0.25F, -1.25F, -1.25F, -1.25F, 1.75F},
                                                {0xff80, -1.75F, 1.25F, 0.25F, 0.25F, 1.25F, 1.25F, 1.25F, 0.25F}};
    float x[FQ_APPENDIX_B_DIM], q[FQ_APPENDIX_B_DIM], c[E8P_DIM];
    struct e8p_table table;
    char what[64];
    e8p_fill_table(&table);
    fq_appendix_b_vectors(x, q);
    for (size_t i = 0; i < FQ_APPENDIX_B_DIM; i++)
        x[i] *= 1.5F;
    for (size_t b = 0; b < sizeof nearest / sizeof nearest[0]; b++) {
        snprintf(what, sizeof what, "index of coordinates %zu to %zu", b * E8P_DIM, b * E8P_DIM + E8P_DIM - 1);
        answers->emit(answers->sink, what, nearest[b], e8p_nearest(&table, x + b * E8P_DIM), 0, source);
    }
    for (size_t w = 0; w < 3; w++) {
        double off = 0;
        e8p_decode(&table, (uint16_t)words[w][0], c);
        for (size_t i = 0; i < E8P_DIM; i++) {
            const double e = (double)c[i] - (double)words[w][1 + i];
            off += e * e;
        }
        snprintf(what, sizeof what, "code word 0x%04x, squared distance", (unsigned)words[w][0]);
        answers->emit(answers->sink, what, 0, off, 0, source);
    }
}

const struct fq_method fq_method_e8p = {
    .abi = FQ_METHOD_ABI,
    .name = "e8p",
    .role = FQ_CONTENDER,
    .paper = "Tseng et al. 2024, QuIP# (arXiv 2402.04396), E8P code book",
    .summary =
        "rotation, nearest point of a 2^16 subset of the lattice E8 for each 8 coordinates, one scale per vector",
    .bits_formula = "(2 w + s) / d; w = d or d padded for the rotation, s = 16 (fp16) or 32 (fp32)",
    .params = params,
    .n_params = E8P_N_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &e8p_kernels_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
