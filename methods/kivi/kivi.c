/* KIVI: parameters, footprint, gates, and the exported method. The arithmetic is in kivi_ref.c; the full-precision
 * window of recent tokens is a policy of the cache and not of this codec. */
#include "methods/kivi/kivi.h"

#include <stdio.h>

const char *const kivi_axis_choices[] = {"auto", "channel", "token", NULL};

static const struct fq_param_spec params[KIVI_N_PARAMS] = {
    [KIVI_BITS] =
        {.name = "bits", .help = "bits per code: 2, 4 or 8", .kind = FQ_PARAM_INT, .min = 2, .max = 8, .def = 2},
    [KIVI_GROUP] = {.name = "group",
                    .help = "numbers that share a scale and a minimum: 32, 64 or 128",
                    .kind = FQ_PARAM_INT,
                    .min = 32,
                    .max = KIVI_MAX_GROUP,
                    .def = 32},
    [KIVI_AXIS] = {.name = "axis",
                   .help = "groups of consecutive tokens in a channel, of channels in a token, or auto (keys: channel, "
                           "values: token)",
                   .kind = FQ_PARAM_CHOICE,
                   .def = KIVI_AUTO,
                   .choices = kivi_axis_choices},
};

struct kivi_layout kivi_layout_of(const struct fq_params *p, const struct fq_shape *shape) {
    const int axis = (int)p->v[KIVI_AXIS];
    struct kivi_layout l = {.bits = (int)p->v[KIVI_BITS], .group = (size_t)p->v[KIVI_GROUP], .dim = shape->dim};
    l.per_channel = axis == KIVI_CHANNEL || (axis == KIVI_AUTO && shape->tensor == FQ_KEY);
    l.groups = l.per_channel ? l.dim : l.dim / l.group;
    l.granularity = l.per_channel ? l.group : 1;
    l.code_bytes = fq_packed_bytes(l.bits, l.group);
    l.record_bytes = l.groups * (l.code_bytes + 2 * KIVI_SCALAR_BYTES);
    return l;
}

static double nominal_bits(const struct fq_params *p) {
    return p->v[KIVI_BITS];
}

static int check(const struct fq_params *p, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct kivi_layout l = kivi_layout_of(p, shape);
    if (l.bits != 2 && l.bits != 4 && l.bits != 8) {
        snprintf(why, why_size, "kivi packs 2, 4 or 8 bits, found bits=%d", l.bits);
        return -1;
    }
    if (l.group != 32 && l.group != 64 && l.group != 128) {
        snprintf(why, why_size, "kivi has groups of 32, 64 or 128, found group=%zu", l.group);
        return -1;
    }
    if (!l.per_channel && l.dim % l.group != 0) {
        snprintf(why, why_size,
                 "kivi's groups of %zu channels must divide the dimension, found %zu; use a smaller group", l.group,
                 l.dim);
        return -1;
    }
    return 0;
}

static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {
    const struct kivi_layout l = kivi_layout_of(p, shape);
    return (struct fq_footprint){
        .granularity = l.granularity,
        .record_bytes = l.record_bytes,
        .side_bytes = l.groups * 2 * KIVI_SCALAR_BYTES,
        .work_dim = l.dim,
        /* The query; per token also its sum over each group, which meets the minimum. */
        .prepared_bytes = (l.dim + (l.per_channel ? 0 : l.groups)) * sizeof(float),
        .scratch_bytes = l.dim * sizeof(double), /* attend's sums */
    };
}

#define GAUSS(dim_, params_, expected_, source_)                                                                       \
    {                                                                                                                  \
        .params = params_, .dim = dim_, .metric = FQ_GATE_MSE_GAUSS, .expected = expected_, .tolerance = 0.03,         \
        .source = source_                                                                                              \
    }

/* iid N(0,1): no channel structure, so the axis makes no difference and d none either. */
static const struct fq_gate gates[] = {
    GAUSS(128, "bits=2 group=32", 0.1543, "methods.md 6"),
    GAUSS(128, "bits=2 group=128", 0.2502, "methods.md 6"),
    GAUSS(128, "bits=4 group=32", 0.00611, "methods.md 6"),
    GAUSS(128, "bits=4 group=128", 0.00993, "methods.md 6"),
    GAUSS(128, "bits=2 group=32 axis=token", 0.1543, "methods.md 6"),
    GAUSS(128, "bits=2 group=128 axis=token", 0.2502, "methods.md 6"),
    GAUSS(128, "bits=4 group=32 axis=token", 0.00611, "methods.md 6"),
    GAUSS(128, "bits=4 group=128 axis=token", 0.00993, "methods.md 6"),
    GAUSS(64, "bits=2 group=32", 0.1543, "methods.md 6"),
    GAUSS(64, "bits=4 group=32 axis=token", 0.00611, "methods.md 6"),
    GAUSS(80, "bits=4 group=32", 0.00611, "methods.md 6"),
    GAUSS(96, "bits=2 group=32 axis=token", 0.1543, "methods.md 6"),
    {.params = "bits=4 group=32",
     .dim = 128,
     .metric = FQ_GATE_SLOPE,
     .expected = 1.0,
     .tolerance = 0.015,
     .source = "methods.md 6: +.1 to +1.5 %"},
};

const struct fq_method fq_method_kivi = {
    .abi = FQ_METHOD_ABI,
    .name = "kivi",
    .role = FQ_CONTENDER,
    .paper = "Liu et al. 2024, KIVI (arXiv 2402.02750)",
    .summary = "asymmetric integers between minimum and maximum of a group: keys per channel, values per token",
    .bits_formula = "b + 32/g",
    .params = params,
    .n_params = KIVI_N_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .kernels = {[FQ_REF] = &kivi_kernels_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
};
