/* rabitq@library: parameters, footprint, gates, and the exported method. The arithmetic is in library_ref.c,
 * library_search_ref.c and library_pack_ref.c; no kernel may live here. */
#include "methods/rabitq/library.h"

#include <stdio.h>
#include <string.h>

static const char *const search_choices[] = {"shipped", "faster_quant", NULL};
static const char *const form_choices[] = {"split", "reconstruction", "unbiased", "plain", NULL};

static const struct fq_param_spec params[LIBRARY_N_PARAMS] = {
    [LIBRARY_BITS] = {.name = "bits",
                      .help = "total bits per coordinate: one sign and bits - 1 extended (ex_bits)",
                      .kind = FQ_PARAM_INT,
                      .min = 1,
                      .max = LIBRARY_MAX_BITS,
                      .def = 4},
    [LIBRARY_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_FHT_KAC),
    [LIBRARY_ROUNDS] = FQ_PARAM_ROUNDS,
    [LIBRARY_SEARCH] = {.name = "search",
                        .help = "rescale factor t: shipped (best_rescale_factor, per vector) or faster_quant (its mean "
                                "over 100 random vectors)",
                        .kind = FQ_PARAM_CHOICE,
                        .def = LIBRARY_SHIPPED,
                        .choices = search_choices},
    [LIBRARY_FORM] = {.name = "form",
                      .help = "stored factors: split (estimator, BinDataMap and ExDataMap), or delta and vl of "
                              "quantize_scalar as reconstruction, unbiased or plain",
                      .kind = FQ_PARAM_CHOICE,
                      .def = LIBRARY_SPLIT,
                      .choices = form_choices},
};

struct rabitq_library_config rabitq_library_config_of(const struct fq_params *p) {
    return (struct rabitq_library_config){
        .bits = (int)p->v[LIBRARY_BITS],
        .search = (int)p->v[LIBRARY_SEARCH],
        .form = (int)p->v[LIBRARY_FORM],
        .rotation = (enum fq_rotation_kind)p->v[LIBRARY_ROTATION],
        .rounds = (int)p->v[LIBRARY_ROUNDS],
    };
}

static double nominal_bits(const struct fq_params *p) {
    return p->v[LIBRARY_BITS];
}

static int check(const struct fq_params *p, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct rabitq_library_config c = rabitq_library_config_of(p);
    if (c.form != LIBRARY_SPLIT && c.bits > 8) {
        snprintf(why, why_size, "form=%s stores codes of at most 8 bits, found %d; use form=split",
                 form_choices[c.form], c.bits);
        return -1;
    }
    return fq_rotation_check(c.rotation, rabitq_library_rotated(&c, shape->dim), why, why_size);
}

static bool has_constant(const struct rabitq_library_config *c) {
    return c->search == LIBRARY_FASTER_QUANT && c->bits > 1;
}

static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {
    const struct rabitq_library_config c = rabitq_library_config_of(p);
    const size_t rotated = rabitq_library_rotated(&c, shape->dim);
    /* hadamard and rht go on to the next power of two, a multiple of 64 from here on */
    const size_t padded = fq_rotation_work_dim(c.rotation, rotated);
    const size_t codes = rabitq_library_code_bytes(&c, padded), factors = rabitq_library_factor_bytes(&c);
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = codes + factors,
        .side_bytes = factors,
        .work_dim = padded,
        .prepared_bytes = (padded + 1) * sizeof(float),
        .shared_bytes =
            fq_rotation_state_bytes(c.rotation, c.rounds, rotated) + (has_constant(&c) ? LIBRARY_CONSTANT_BYTES : 0),
        .scratch_bytes = rabitq_library_scratch_bytes(padded),
    };
}

static void setup(const struct fq_params *p, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct rabitq_library_config c = rabitq_library_config_of(p);
    const size_t rotated = rabitq_library_rotated(&c, shape->dim);
    fq_rotation_setup(c.rotation, c.rounds, rotated, streams, shared, scratch);
    if (has_constant(&c)) {
        uint8_t *at = (uint8_t *)shared + fq_rotation_state_bytes(c.rotation, c.rounds, rotated);
        const double t = rabitq_library_constant(c.bits - 1, fq_rotation_work_dim(c.rotation, rotated), scratch);
        memset(at, 0, LIBRARY_CONSTANT_BYTES);
        memcpy(at, &t, sizeof t);
    }
}

static size_t setup_scratch(const struct fq_params *p, const struct fq_shape *shape) {
    const struct rabitq_library_config c = rabitq_library_config_of(p);
    const size_t rotated = rabitq_library_rotated(&c, shape->dim);
    const size_t rotation = fq_rotation_setup_scratch(c.rotation, rotated);
    const size_t constant =
        has_constant(&c) ? rabitq_library_constant_bytes(fq_rotation_work_dim(c.rotation, rotated)) : 0;
    return rotation > constant ? rotation : constant;
}

/* ---- gates ---------------------------------------------------------------------------------------------------------
 * d Var of the estimator for x uniform on the sphere. Beside the paper's optimum (rabitq): .1314, .0364, .0100 at
 * d = 128 and .1279, .0341, .0088 at d = 64. */

#define IP(dim_, params_, expected_)                                                                                   \
    {                                                                                                                  \
        .params = params_, .dim = dim_, .metric = FQ_GATE_IP_VAR, .expected = expected_, .tolerance = 0.03,            \
        .source = "methods.md 1.6 and 4.4"                                                                             \
    }
#define MSE(dim_, params_, expected_, source_)                                                                         \
    {                                                                                                                  \
        .params = params_, .dim = dim_, .metric = FQ_GATE_MSE, .expected = expected_, .tolerance = 0.03,               \
        .source = source_                                                                                              \
    }

/* The mean over 100 vectors depends on which 100. Expected here is what the library itself gives on 60,000 vectors
 * (docs/fidelity.md: .14384 +- .0002, .01612 +- .0001, .01442 +- .0001); methods.md 1.6 has .14147, .01566 and .01415,
 * from other vectors than those of the library's seed. */
#define OWN(dim_, params_, expected_)                                                                                  \
    {                                                                                                                  \
        .params = params_, .dim = dim_, .metric = FQ_GATE_IP_VAR, .expected = expected_, .tolerance = 0.03,            \
        .source = "RaBitQ-Library 7c2d0d7 run on 60,000 vectors"                                                       \
    }

static const struct fq_gate gates[] = {
    IP(64, "bits=1", 0.56335),
    IP(128, "bits=1", 0.56751),
    IP(64, "bits=2", 0.14503),
    IP(128, "bits=2", 0.14393),
    IP(64, "bits=3", 0.03411),
    IP(128, "bits=3", 0.03638),
    IP(64, "bits=4", 0.01395),
    IP(128, "bits=4", 0.01331),
    IP(64, "bits=2 search=faster_quant", 0.14297),
    OWN(128, "bits=2 search=faster_quant", 0.14384),
    IP(64, "bits=3 search=faster_quant", 0.03673),
    IP(128, "bits=3 search=faster_quant", 0.03776),
    OWN(64, "bits=4 search=faster_quant", 0.01612),
    OWN(128, "bits=4 search=faster_quant", 0.01442),
    MSE(1536, "bits=2 rotation=none", 0.1370, "methods.md 1.6"),
    MSE(1536, "bits=3 rotation=none", 0.0386, "methods.md 1.6"),
    MSE(1536, "bits=4 rotation=none", 0.01186, "methods.md 1.6"),
    MSE(1536, "bits=4 rotation=none search=faster_quant", 0.01191, "methods.md 1.6"),
    /* The least-squares error is 1 - 1/(1 + d Var) of the rows above. */
    MSE(128, "bits=1 form=reconstruction", 0.36065, "methods.md 1.6: the sign code"),
    MSE(128, "bits=4 form=reconstruction", 0.01314, "methods.md 1.2: 1 - cos^2"),
    {.params = "bits=1 rotation=haar",
     .dim = 128,
     .metric = FQ_GATE_SLOPE,
     .expected = 1,
     .tolerance = 0.004,
     .source = "methods.md 1.1: unbiased"},
    {.params = "bits=4 rotation=haar",
     .dim = 128,
     .metric = FQ_GATE_SLOPE,
     .expected = 1,
     .tolerance = 0.004,
     .source = "methods.md 1.1: unbiased"},
    {.params = "bits=4",
     .dim = 128,
     .metric = FQ_GATE_SELF_IP,
     .expected = 1,
     .tolerance = 0.001,
     .source = "methods.md 1.1: exact at rho = 1"},
};

const struct fq_method fq_method_rabitq_library = {
    .abi = FQ_METHOD_ABI,
    .name = "rabitq@library",
    .role = FQ_CONTENDER,
    .paper = "VectorDB-NTU/RaBitQ-Library 7c2d0d7; Gao et al. 2024 (arXiv 2409.09913)",
    .summary = "RaBitQ as its authors' library ships it: search range cut short, codes scored unclamped, single "
               "precision factors",
    .bits_formula = "(b w + 160) / d; bits=1: (w + 96) / d; form!=split: (b w + 64) / d; w = d padded to 64, and then "
                    "for the rotation",
    .params = params,
    .n_params = LIBRARY_N_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &rabitq_library_kernels_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
};
