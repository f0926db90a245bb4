/* Product quantization: parameters, bytes, gates, and the exported method. Training is in pq_train.c, the kernels in
 * pq_ref.c. */
#include "methods/pq/pq.h"

#include "methods/common/known_answer.h"

#include <stdio.h>

static const char *const norm_choices[] = {"none", "fp16", "fp32", NULL};

static const struct fq_param_spec params[PQ_N_PARAMS] = {
    [PQ_SUB_DIM] = {.name = "sub_dim",
                    .help = "coordinates of a sub-vector",
                    .kind = FQ_PARAM_INT,
                    .min = 1,
                    .max = PQ_MOST_SUB_DIM,
                    .def = 4},
    [PQ_CODE_BITS] = {.name = "code_bits",
                      .help = "bits of a sub-vector's index: its codebook has 2^code_bits entries",
                      .kind = FQ_PARAM_INT,
                      .min = 1,
                      .max = 8,
                      .def = 8},
    [PQ_NORM] = {.name = "norm",
                 .help = "none: vectors are coded as they are; fp16, fp32: directions are coded, the norm is stored",
                 .kind = FQ_PARAM_CHOICE,
                 .def = PQ_NORM_NONE,
                 .choices = norm_choices},
    [PQ_ITERATIONS] = {.name = "iterations",
                       .help = "most rounds of Lloyd's iteration in training",
                       .kind = FQ_PARAM_INT,
                       .min = 1,
                       .max = 100,
                       .def = 25},
    [PQ_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_NONE),
    [PQ_ROUNDS] = FQ_PARAM_ROUNDS,
};

/* Training looks at 8192 vectors, or at 256 for each entry of a codebook if that is more, as far as they fit into 32
 * MB.
 */
enum { LEAST_TRAINING = 8192, VECTORS_PER_LEVEL = 256, MOST_TRAINING_FLOATS = 1 << 23 };

struct pq_layout pq_layout_of(const struct fq_params *p, const struct fq_shape *shape) {
    struct pq_layout l = {.code_bits = (int)p->v[PQ_CODE_BITS],
                          .norm = (int)p->v[PQ_NORM],
                          .iterations = (int)p->v[PQ_ITERATIONS],
                          .rotation = (enum fq_rotation_kind)p->v[PQ_ROTATION],
                          .rounds = (int)p->v[PQ_ROUNDS],
                          .dim = shape->dim,
                          .sub_dim = (size_t)p->v[PQ_SUB_DIM]};
    l.work_dim = fq_rotation_work_dim(l.rotation, l.dim);
    l.subs = l.work_dim / l.sub_dim;
    l.levels = (size_t)1 << l.code_bits;
    l.rotation_bytes = fq_rotation_state_bytes(l.rotation, l.rounds, l.dim);
    l.codebook_bytes = l.subs * l.levels * l.sub_dim * sizeof(float);
    l.code_bytes = fq_packed_bytes(l.code_bits, l.subs);
    l.norm_bytes =
        l.norm == PQ_NORM_NONE ? 0 : fq_scalar_bytes(l.norm == PQ_NORM_FP16 ? FQ_SCALAR_FP16 : FQ_SCALAR_FP32);
    const size_t wanted = VECTORS_PER_LEVEL * l.levels > LEAST_TRAINING ? VECTORS_PER_LEVEL * l.levels : LEAST_TRAINING;
    l.most_training = MOST_TRAINING_FLOATS / l.work_dim < wanted ? MOST_TRAINING_FLOATS / l.work_dim : wanted;
    return l;
}

static double nominal_bits(const struct fq_params *p) {
    return p->v[PQ_CODE_BITS] / p->v[PQ_SUB_DIM];
}

static int check(const struct fq_params *p, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct pq_layout l = pq_layout_of(p, shape);
    if (l.work_dim % l.sub_dim != 0) {
        snprintf(why, why_size, "pq's sub_dim=%zu must divide the %zu coordinates; use a divisor", l.sub_dim,
                 l.work_dim);
        return -1;
    }
    return fq_rotation_check(l.rotation, l.dim, why, why_size);
}

static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {
    const struct pq_layout l = pq_layout_of(p, shape);
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = l.code_bytes + l.norm_bytes,
        .side_bytes = l.norm_bytes,
        .work_dim = l.work_dim,
        .prepared_bytes = l.subs * l.levels * sizeof(float), /* <q_m, c> for every sub-vector m and entry c */
        .shared_bytes = l.rotation_bytes + l.codebook_bytes,
        .scratch_bytes = l.work_dim * (sizeof(double) + sizeof(float) + 1), /* sums, a rotated vector, indices */
    };
}

static void setup(const struct fq_params *p, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct pq_layout l = pq_layout_of(p, shape);
    fq_rotation_setup(l.rotation, l.rounds, l.dim, streams, shared, scratch);
    void *behind = (uint8_t *)shared + l.rotation_bytes;
    float *codebook = behind;
    for (size_t i = 0; i < l.codebook_bytes / sizeof *codebook; i++)
        codebook[i] = 0; /* until train() */
}

static size_t setup_scratch(const struct fq_params *p, const struct fq_shape *shape) {
    const struct pq_layout l = pq_layout_of(p, shape);
    const size_t rotation = fq_rotation_setup_scratch(l.rotation, l.dim), training = pq_train_scratch(&l);
    return rotation > training ? rotation : training;
}

static void train(const struct fq_params *p, const struct fq_shape *shape, const struct fq_streams *streams, size_t n,
                  const float *x, void *shared, void *scratch) {
    const struct pq_layout l = pq_layout_of(p, shape);
    pq_train(&l, streams, n, x, shared, scratch);
}

static const char source[] = "methods.md 10: k-means on 60,000 vectors, iid N(0,1)";

/* Sub-vectors are coded apart, so d hardly matters; a small one keeps training short. Lloyd's iteration ends in a local
 * optimum one to two per cent above the best. */
static const struct fq_gate gates[] = {
    {"sub_dim=2 code_bits=4 iterations=50", 32, FQ_GATE_MSE_GAUSS, 0.1084, 0.03, source},
    {"sub_dim=4 code_bits=4 iterations=50", 32, FQ_GATE_MSE_GAUSS, 0.3455, 0.03, source},
    {"sub_dim=2 code_bits=4 iterations=50 rotation=haar", 20, FQ_GATE_MSE_GAUSS, 0.1084, 0.03, source},
    {"sub_dim=1 code_bits=2", 32, FQ_GATE_MSE_GAUSS, 0.117482, 0.03, "PQ of single coordinates is Lloyd-Max (1.3)"},
    {"sub_dim=2 code_bits=4 iterations=50", 32, FQ_GATE_SLOPE, 0.8916, 0.01, "centroid condition: 1 - D, D = .1084"},
};

/* Eight vectors in two far clusters per half: means and codes by hand. */
static void known_answers(const struct fq_answers *answers) {
    static const char by_hand[] = "by hand";
    static const float x[8][4] = {{0, 0, 5, 5},   {0, 2, 5, 7},   {2, 0, 7, 5},   {2, 2, 7, 7},
                                  {9, 9, -5, -5}, {9, 8, -4, -4}, {8, 9, -5, -4}, {8, 8, -4, -5}};
    static const double near[4] = {1, 1, 6, 6}, far[4] = {8.5, 8.5, -4.5, -4.5};
    struct fq_params p = {.v = {[PQ_SUB_DIM] = 2, [PQ_CODE_BITS] = 1, [PQ_ITERATIONS] = 25, [PQ_ROUNDS] = 1}};
    const struct fq_shape shape = {.dim = 4, .tensor = FQ_KEY};
    const struct pq_layout l = pq_layout_of(&p, &shape);
    const struct fq_footprint bytes = footprint(&p, &shape);
    _Alignas(64) uint8_t work[256 << 10];
    _Alignas(64) uint8_t shared[64], scratch[64];
    const struct fq_streams streams = fq_appendix_b_streams();
    const bool fits = pq_train_scratch(&l) <= sizeof work && bytes.shared_bytes <= sizeof shared;
    answers->emit(answers->sink, "work space as expected", 1, fits, 0, by_hand);
    if (!fits)
        return;
    setup(&p, &shape, &streams, shared, work);
    pq_train(&l, &streams, 8, x[0], shared, work);
    const struct fq_call call = {
        .params = &p, .shape = shape, .footprint = &bytes, .shared = shared, .scratch = scratch};
    for (size_t v = 0; v < 8; v += 4) {
        uint8_t record[1];
        float decoded[4];
        answers->emit(answers->sink, "vectors encoded", 1, (double)pq_kernels_ref.encode(&call, 1, x[v], record), 0,
                      by_hand);
        pq_kernels_ref.decode(&call, 1, record, decoded);
        for (size_t i = 0; i < 4; i++)
            answers->emit(answers->sink, v == 0 ? "mean of the near cluster" : "mean of the far cluster",
                          v == 0 ? near[i] : far[i], (double)decoded[i], 0, by_hand);
    }
}

const struct fq_method fq_method_pq = {
    .abi = FQ_METHOD_ABI,
    .name = "pq",
    .role = FQ_BASELINE,
    .paper = "Jegou, Douze, Schmid 2011, Product quantization for nearest neighbor search",
    .summary = "sub-vectors replaced by entries of codebooks that k-means learnt, scored by tables",
    .bits_formula = "code_bits w / (sub_dim d); norm=fp16: + 16/d; norm=fp32: + 32/d; w = d or d padded for the "
                    "rotation, codes rounded up to bytes; codebooks of 4 d 2^code_bits bytes apart",
    .params = params,
    .n_params = PQ_N_PARAMS,
    .data_oblivious = false,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .train = train,
    .kernels = {[FQ_REF] = &pq_kernels_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
