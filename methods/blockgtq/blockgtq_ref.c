/* Block-GTQ, scalar: coordinates sorted into groups of equal width, each group rotated, normalised and coded by the
 * Lloyd-Max code of its width; norms corrected so that the code word has the length of the vector (methods.md 1.2,
 * "matched").
 *
 * norms=group:  x_g ~ S_g R_g^T c, S_g = ||x_g|| / ||c||, one scalar a group; c in N(0,1) units of its group.
 * norms=vector: the share w_g of each group in the norm is the training set's, x_g ~ S w_g / sqrt(d_g) R_g^T c, S =
 *               ||x|| / sqrt(sum w_g^2 ||c_g||^2 / d_g), one scalar.
 * Record: codes of all groups as one bit string, least significant bit first, then the norms (fp16; those of groups
 * that do not exist are zero). */
#include "methods/blockgtq/blockgtq.h"

#include "methods/common/dense.h"

#include <math.h>
#include <string.h>

enum { NORM_BYTES = 2 };

static void gtq_rotate_ref(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct gtq_layout l = gtq_layout_of(call->params, &call->shape);
    const struct gtq_state *state = call->shared;
    const uint16_t *place = gtq_places_of(call->shared);
    float *sorted = call->scratch;
    for (size_t v = 0; v < n; v++) {
        for (size_t j = 0; j < l.dim; j++)
            sorted[j] = x[v * l.dim + place[j]];
        for (size_t g = 0; g < state->n_groups; g++) {
            const struct gtq_group *group = &state->group[g];
            float *out = y + v * l.dim + group->first;
            if (l.rotation == GTQ_HAAR)
                fq_dense_apply(gtq_matrix(&l, call->shared, g), group->dim, sorted + group->first, out);
            else
                memcpy(out, sorted + group->first, group->dim * sizeof *out);
        }
    }
}

/* x from y: back through each group's matrix, then every coordinate to its place. */
static void turn_back(const struct gtq_layout *l, const struct fq_call *call, const float *y, float *turned, float *x) {
    const struct gtq_state *state = call->shared;
    const uint16_t *place = gtq_places_of(call->shared);
    for (size_t g = 0; g < state->n_groups; g++) {
        const struct gtq_group *group = &state->group[g];
        if (l->rotation == GTQ_HAAR)
            fq_dense_apply_transposed(gtq_matrix(l, call->shared, g), group->dim, y + group->first,
                                      turned + group->first);
        else
            memcpy(turned + group->first, y + group->first, group->dim * sizeof *turned);
    }
    for (size_t j = 0; j < l->dim; j++)
        x[place[j]] = turned[j];
}

static void gtq_prepare_ref(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    gtq_rotate_ref(call, n, q, prepared);
}

static double norm_of(size_t n, const float *v) {
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (double)v[i] * (double)v[i];
    return sqrt(square);
}

/* Codes of width b from bit `at` on. The bytes are zero beforehand. */
static void put_code(uint8_t *bytes, size_t at, unsigned bits, unsigned code) {
    const unsigned word = code << (at % 8);
    bytes[at / 8] = (uint8_t)(bytes[at / 8] | (word & 0xffU));
    if (at % 8 + bits > 8)
        bytes[at / 8 + 1] = (uint8_t)(word >> 8);
}

static unsigned get_code(const uint8_t *bytes, size_t at, unsigned bits) {
    unsigned word = bytes[at / 8];
    if (at % 8 + bits > 8)
        word |= (unsigned)bytes[at / 8 + 1] << 8;
    return (word >> (at % 8)) & ((1U << bits) - 1U);
}

static unsigned nearest(const struct gtq_state *state, unsigned bits, float z) {
    const float *bounds = state->bounds + (1U << bits);
    unsigned low = 0, high = (1U << bits) - 1U; /* bounds[low .. high) are undecided */
    while (low < high) {
        const unsigned middle = (low + high) / 2;
        if (z >= bounds[middle])
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Codes of y[dim]; factor: from a coordinate of the group to N(0,1) units. Returns ||c||. */
static double encode_group(const struct gtq_state *state, const struct gtq_group *group, const float *y, double factor,
                           size_t at, uint8_t *record) {
    const float *levels = state->levels + (1U << group->bits);
    double square = 0;
    for (size_t i = 0; i < group->dim; i++) {
        const unsigned code = nearest(state, group->bits, (float)((double)y[i] * factor));
        put_code(record, at + i * group->bits, group->bits, code);
        square += (double)levels[code] * (double)levels[code];
    }
    return sqrt(square);
}

static bool encode_vector(const struct gtq_layout *l, const struct fq_call *call, const float *y, uint8_t *record) {
    const struct gtq_state *state = call->shared;
    const double whole = norm_of(l->dim, y);
    double weighted = 0;
    size_t at = 0;
    memset(record, 0, l->record_bytes);
    for (size_t g = 0; g < state->n_groups; g++) {
        const struct gtq_group *group = &state->group[g];
        const bool own = l->norms == GTQ_PER_GROUP;
        const double share = group->weight / sqrt((double)group->dim);
        const double norm = own ? norm_of(group->dim, y + group->first) : whole * group->weight;
        const double length =
            encode_group(state, group, y + group->first, norm > 0 ? sqrt((double)group->dim) / norm : 0, at, record);
        at += (size_t)group->dim * group->bits;
        weighted += share * share * length * length;
        if (own && !fq_scalar_put(FQ_SCALAR_FP16, norm / length, record + l->code_bytes + g * NORM_BYTES))
            return false;
    }
    return l->norms == GTQ_PER_GROUP ||
           fq_scalar_put(FQ_SCALAR_FP16, weighted > 0 ? whole / sqrt(weighted) : 0, record + l->code_bytes);
}

static size_t gtq_encode_ref(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct gtq_layout l = gtq_layout_of(call->params, &call->shape);
    for (size_t v = 0; v < n_groups; v++)
        if (!encode_vector(&l, call, y + v * l.dim, records + v * l.record_bytes))
            return v;
    return n_groups;
}

/* A record to its place among rotated, sorted vectors. */
static void read_record(const struct gtq_layout *l, const struct fq_call *call, const uint8_t *record, float *y) {
    const struct gtq_state *state = call->shared;
    size_t at = 0;
    for (size_t g = 0; g < state->n_groups; g++) {
        const struct gtq_group *group = &state->group[g];
        const float *levels = state->levels + (1U << group->bits);
        const bool own = l->norms == GTQ_PER_GROUP;
        const double stored =
            (double)fq_scalar_get(FQ_SCALAR_FP16, record + l->code_bytes + (own ? g * NORM_BYTES : 0));
        const double scale = own ? stored : stored * group->weight / sqrt((double)group->dim);
        for (size_t i = 0; i < group->dim; i++, at += group->bits)
            y[group->first + i] = (float)(scale * (double)levels[get_code(record, at, group->bits)]);
    }
}

struct parts {
    double *sum; /* [dim] */
    float *y, *turned;
};

static struct parts parts_of(const struct gtq_layout *l, void *scratch) {
    double *sum = scratch;
    void *behind = sum + l->dim;
    float *y = behind;
    return (struct parts){.sum = sum, .y = y, .turned = y + l->dim};
}

static void gtq_score_ref(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                          float *scores) {
    const struct gtq_layout l = gtq_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    const float *q = prepared;
    for (size_t v = 0; v < n_groups; v++) {
        double dot = 0;
        read_record(&l, call, records + v * l.record_bytes, p.y);
        for (size_t i = 0; i < l.dim; i++)
            dot += (double)q[i] * (double)p.y[i];
        scores[v] = (float)dot;
    }
}

static void gtq_decode_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct gtq_layout l = gtq_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    for (size_t v = 0; v < n_groups; v++) {
        read_record(&l, call, records + v * l.record_bytes, p.y);
        turn_back(&l, call, p.y, p.turned, x + v * l.dim);
    }
}

static void gtq_attend_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                           float *out) {
    const struct gtq_layout l = gtq_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    for (size_t i = 0; i < l.dim; i++)
        p.sum[i] = 0;
    for (size_t v = 0; v < n_groups; v++) {
        read_record(&l, call, records + v * l.record_bytes, p.y);
        for (size_t i = 0; i < l.dim; i++)
            p.sum[i] += (double)weights[v] * (double)p.y[i];
    }
    for (size_t i = 0; i < l.dim; i++)
        p.y[i] = (float)p.sum[i];
    turn_back(&l, call, p.y, p.turned, out);
}

const struct fq_kernels gtq_kernels_ref = {
    .rotate = gtq_rotate_ref,
    .encode = gtq_encode_ref,
    .prepare = gtq_prepare_ref,
    .score = gtq_score_ref,
    .decode = gtq_decode_ref,
    .attend = gtq_attend_ref,
};
