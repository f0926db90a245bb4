/* Integer codes with one absolute maximum per vector: the simplest honest codec, and the template for new methods.
 *
 * This file says what the method is: parameters, bytes, gates, and the exported struct. The arithmetic is in
 * example_ref.c. Nothing in this file runs while vectors are coded. */
#include "methods/example/example.h"

/* Every knob there is. The harness reads this table to check ranges, to print `fairquant list`, and to multiply out a
 * sweep such as {name: example, bits: [4, 8]}. The name is the field's standard term, the help has the units. */
static const struct fq_param_spec params[EXAMPLE_N_PARAMS] = {
    [EXAMPLE_BITS] = {.name = "bits",
                      .help = "bits per coordinate of the integer code, sign included",
                      .kind = FQ_PARAM_INT,
                      .min = 2,
                      .max = 8,
                      .def = 4},
};

/* What the literature would call this width; side information is not in it. */
static double nominal_bits(const struct fq_params *p) {
    return p->v[EXAMPLE_BITS];
}

/* The promise in bytes, made before anything is written. The harness allocates exactly this, puts canaries behind it,
 * and computes the rate in bits from it, so a byte that is forgotten here is a byte that cannot be used. */
static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {
    const int bits = (int)p->v[EXAMPLE_BITS];
    return (struct fq_footprint){
        .granularity = 1, /* vectors are coded one by one; a group of tokens would be more */
        .record_bytes = fq_packed_bytes(bits, shape->dim) + fq_scalar_bytes(FQ_SCALAR_FP16),
        .side_bytes = fq_scalar_bytes(FQ_SCALAR_FP16),      /* of record_bytes: what is not code */
        .work_dim = shape->dim,                             /* no rotation, so nothing is padded */
        .prepared_bytes = shape->dim * sizeof(float),       /* the query stays in float */
        .shared_bytes = 0,                                  /* no rotation, codebook or sketch */
        .scratch_bytes = shape->dim * (sizeof(double) + 1), /* sums of attend, then one code a byte */
    };
}

/* Gates: numbers that theory or a publication predicts, measured by `fairquant verify`. A method without gates is a
 * method whose correctness nobody can check. Each has a source that a reader can look up.
 *
 * For a uniform vector on the sphere, amax^2 = max_i g_i^2 / d with iid N(0,1) numbers g; the step is amax / L with L =
 * 2^(b-1) - 1, the error of a coordinate is uniform within a step, and the greatest coordinate has none. So the
 * relative MSE is (1 - 1/d) E[max g^2] / (12 L^2), with E[max g^2] = 6.9139, 7.7058, 8.1483 at d = 64, 100, 128 by
 * quadrature. */
static const char theory[] = "uniform error of a step amax / (2^(b-1) - 1): (1 - 1/d) E[max g^2] / (12 L^2)";

static const struct fq_gate gates[] = {
    {.params = "bits=4", .dim = 64, .metric = FQ_GATE_MSE, .expected = 0.011575, .tolerance = 0.03, .source = theory},
    {.params = "bits=4", .dim = 100, .metric = FQ_GATE_MSE, .expected = 0.012974, .tolerance = 0.03, .source = theory},
    {.params = "bits=4", .dim = 128, .metric = FQ_GATE_MSE, .expected = 0.013749, .tolerance = 0.03, .source = theory},
    {.params = "bits=8", .dim = 64, .metric = FQ_GATE_MSE, .expected = 3.5164e-5, .tolerance = 0.03, .source = theory},
    {.params = "bits=8", .dim = 128, .metric = FQ_GATE_MSE, .expected = 4.177e-5, .tolerance = 0.03, .source = theory},
    {.params = "bits=8", .dim = 128, .metric = FQ_GATE_SLOPE, .expected = 1, .tolerance = 0.001, .source = theory},
};

/* Known answers: a small input whose codes were worked out by hand or by an independent program. */
static void known_answers(const struct fq_answers *answers) {
    static const float x[4] = {0.3F, -0.7F, 0.12F, 0.0F};
    /* 4 bits: L = 7, step = 0.7 / 7 = 0.1. */
    static const double expected[4] = {3, -7, 1, 0};
    static const char *const what[4] = {"coordinate 0", "coordinate 1", "coordinate 2", "coordinate 3"};
    uint8_t record[4], code[4];
    _Alignas(64) uint8_t scratch[64];
    const struct fq_params p = {.v = {[EXAMPLE_BITS] = 4}};
    const struct fq_shape shape = {.dim = 4, .tensor = FQ_KEY};
    const struct fq_footprint bytes = footprint(&p, &shape);
    const struct fq_call call = {.params = &p, .shape = shape, .footprint = &bytes, .scratch = scratch};
    const size_t encoded = example_kernels_ref.encode(&call, 1, x, record);
    answers->emit(answers->sink, "vectors encoded", 1, (double)encoded, 0, "by hand");
    fq_unpack(4, 4, record, code);
    for (size_t i = 0; i < 4; i++)
        answers->emit(answers->sink, what[i], expected[i], code[i] - 7.0, 0, "by hand");
}

/* The method. Fields left out are NULL: no check beyond the ranges, no setup, no training, no backend but ref. */
const struct fq_method fq_method_example = {
    .abi = FQ_METHOD_ABI,
    .name = "example",
    .role = FQ_BASELINE,
    .paper = "none: absolute-maximum scaling",
    .summary = "integer codes under one absolute maximum per vector; the template for new methods",
    .bits_formula = "b + 16/d",
    .params = params,
    .n_params = EXAMPLE_N_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .footprint = footprint,
    .kernels = {[FQ_REF] = &example_kernels_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
