/* rabitq@library, scalar: quantize_split_single and quantize_scalar of RaBitQ-Library with centroid 0, and the estimate
 * from the whole code with a float query. Normalised magnitudes are single precision as in the library, so that its
 * codes come out; factors are computed in double and rounded once. Nothing here may allocate or keep state. */
#include "methods/rabitq/library.h"

#include "methods/common/pack.h"
#include "methods/common/scale.h"

#include <math.h>
#include <string.h>

static const double epsilon0 = 1.9; /* of the error factor */
static const double nudge = 1e-5;   /* inside the floor */

static size_t round_up_64(size_t n) {
    return (n + 63) / 64 * 64;
}

size_t rabitq_library_padded(size_t dim) {
    return round_up_64(dim);
}

size_t rabitq_library_rotated(const struct rabitq_library_config *config, size_t dim) {
    return config->rotation == FQ_ROTATION_FHT_KAC ? dim : rabitq_library_padded(dim);
}

size_t rabitq_library_scratch_bytes(size_t padded) {
    return padded * (2 * sizeof(double) + sizeof(float) + sizeof(uint16_t) + sizeof(uint8_t)) +
           rabitq_library_search_bytes(padded);
}

struct rabitq_library_scratch rabitq_library_scratch_of(void *scratch, size_t padded) {
    uint8_t *at = scratch; /* every part is a multiple of 64 bytes because `padded` is */
    struct rabitq_library_scratch s;
    s.sum = (double *)(void *)at;
    s.magnitude = s.sum + padded;
    s.vector = (float *)(void *)(s.magnitude + padded);
    s.code = (uint16_t *)(void *)(s.vector + padded);
    s.extended = (uint8_t *)(s.code + padded);
    s.heap = s.extended + padded;
    return s;
}

size_t rabitq_library_code_bytes(const struct rabitq_library_config *config, size_t padded) {
    return (size_t)config->bits * padded / 8;
}

size_t rabitq_library_factor_bytes(const struct rabitq_library_config *config) {
    if (config->form != LIBRARY_SPLIT)
        return 2 * sizeof(float);
    return (config->bits > 1 ? 5 : 3) * sizeof(float);
}

struct layout {
    struct rabitq_library_config config;
    struct rabitq_library_scratch scratch;
    size_t padded, rotated, record_bytes;
    int ex;
    double centre;     /* c_B */
    double t_constant; /* with search=faster_quant and ex > 0 */
    const void *rotation;
};

static struct layout layout_of(const struct fq_call *call) {
    struct layout l = {.config = rabitq_library_config_of(call->params), .padded = call->footprint->work_dim};
    l.scratch = rabitq_library_scratch_of(call->scratch, l.padded);
    l.rotated = rabitq_library_rotated(&l.config, call->shape.dim);
    l.record_bytes = call->footprint->record_bytes;
    l.ex = l.config.bits - 1;
    l.centre = -0.5 * (double)((1U << l.config.bits) - 1U);
    l.rotation = call->shared;
    if (l.config.search == LIBRARY_FASTER_QUANT && l.ex > 0)
        memcpy(&l.t_constant,
               (const uint8_t *)call->shared + fq_rotation_state_bytes(l.config.rotation, l.config.rounds, l.rotated),
               sizeof l.t_constant);
    return l;
}

/* One vector x[dim] -> y[D]. */
static void rotate_one(const struct layout *l, size_t dim, const float *x, float *y) {
    const float *in = x;
    if (l->rotated != dim) {
        memcpy(l->scratch.vector, x, dim * sizeof *x);
        memset(l->scratch.vector + dim, 0, (l->rotated - dim) * sizeof *x);
        in = l->scratch.vector;
    }
    fq_rotation_apply(l->config.rotation, l->config.rounds, l->rotated, l->rotation, 1, in, y);
}

/* y[D] -> x[dim]. */
static void rotate_back(const struct layout *l, size_t dim, const float *y, float *x) {
    float out[FQ_MAX_DIM];
    fq_rotation_invert(l->config.rotation, l->config.rounds, l->rotated, l->rotation, 1, y, out);
    memcpy(x, out, dim * sizeof *x);
}

static void rabitq_library_rotate_ref(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct layout l = layout_of(call);
    for (size_t v = 0; v < n; v++)
        rotate_one(&l, call->shape.dim, x + v * call->shape.dim, y + v * l.padded);
}

/* ---- encode --------------------------------------------------------------------------------------------------------
 */

/* false: no finite single precision number. */
static bool put(double value, uint8_t *bytes) {
    return fq_scalar_put(FQ_SCALAR_FP32, value, bytes);
}

static double get(const uint8_t *bytes) {
    return (double)fq_scalar_get(FQ_SCALAR_FP32, bytes);
}

/* <r,g> and ||g||^2 of one grid point. */
struct moments {
    double dot, grid2;
};

/* f_error = n eps0 sqrt((n^2 ||g||^2 / <r,g>^2 - 1) / (D - 1)), of the inner product. */
static double error_factor(const struct moments *m, double norm2, size_t padded) {
    const double excess = norm2 * m->grid2 / (m->dot * m->dot) - 1;
    return excess > 0 ? epsilon0 * sqrt(norm2 * excess / (double)(padded - 1)) : 0;
}

/* x_u of one rotated vector of norm n > 0. An exactly zero coordinate has sign bit 0 and keeps its ex code as if it
 * were positive, so that it decodes to the most negative level: the library's own contradiction of > and >=. */
static void quantize(const struct layout *l, const float *r, float norm) {
    const struct rabitq_library_scratch *s = &l->scratch;
    const int top = (1 << l->ex) - 1;
    double t = l->t_constant;
    if (l->ex > 0) {
        for (size_t i = 0; i < l->padded; i++)
            s->magnitude[i] = (double)fabsf(r[i] / norm);
        if (l->config.search == LIBRARY_SHIPPED)
            t = rabitq_library_search(l->ex, l->padded, s->magnitude, s->heap);
    }
    for (size_t i = 0; i < l->padded; i++) {
        const double scaled = l->ex > 0 ? t * s->magnitude[i] + nudge : 0;
        const int e = scaled < top ? (int)scaled : top;
        s->extended[i] = (uint8_t)(r[i] < 0 ? top - e : e); /* the complement for negative coordinates */
        s->code[i] = (uint16_t)(((r[i] > 0 ? 1U : 0U) << l->ex) + s->extended[i]);
    }
}

static struct moments code_moments(const struct layout *l, const float *r) {
    struct moments m = {0, 0};
    for (size_t i = 0; i < l->padded; i++) {
        const double g = (double)l->scratch.code[i] + l->centre;
        m.dot += g * (double)r[i];
        m.grid2 += g * g;
    }
    return m;
}

static struct moments sign_moments(const struct layout *l, const float *r) {
    struct moments m = {0, 0.25 * (double)l->padded};
    for (size_t i = 0; i < l->padded; i++)
        m.dot += 0.5 * fabs((double)r[i]);
    return m;
}

/* false: a factor overflows single precision. f_add of an inner product with centroid 0 is 1. */
static bool write_split(const struct layout *l, const float *r, double norm2, uint8_t *record) {
    static const struct moments none = {0, 0};
    const struct moments signs = norm2 > 0 ? sign_moments(l, r) : none;
    uint8_t *factor = record + l->padded / 8;
    rabitq_library_pack_signs(l->padded, l->scratch.code, l->ex, record);
    bool fits = put(1, factor) && put(norm2 > 0 ? -norm2 / signs.dot : 0, factor + 4) &&
                put(norm2 > 0 ? error_factor(&signs, norm2, l->padded) : 0, factor + 8);
    if (l->ex > 0) {
        const struct moments all = norm2 > 0 ? code_moments(l, r) : none;
        uint8_t *extended = factor + 12;
        rabitq_library_pack_extended(l->padded, l->ex, l->scratch.extended, extended);
        factor = extended + (size_t)l->ex * l->padded / 8;
        fits = fits && put(1, factor) && put(norm2 > 0 ? -norm2 / all.dot : 0, factor + 4);
    }
    return fits;
}

static bool write_scalar(const struct layout *l, const float *r, double norm2, uint8_t *record) {
    double delta = 0;
    if (norm2 > 0) {
        const struct moments m = code_moments(l, r);
        delta = l->config.form == LIBRARY_RECONSTRUCTION ? m.dot / m.grid2
                : l->config.form == LIBRARY_UNBIASED     ? norm2 / m.dot
                                                         : sqrt(norm2 / m.grid2);
    }
    for (size_t i = 0; i < l->padded; i++)
        l->scratch.extended[i] = (uint8_t)l->scratch.code[i]; /* at most 8 bits in these forms */
    fq_pack(l->config.bits, l->padded, l->scratch.extended, record);
    uint8_t *factor = record + rabitq_library_code_bytes(&l->config, l->padded);
    return put(delta, factor) && put(delta * l->centre, factor + 4);
}

static size_t rabitq_library_encode_ref(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct layout l = layout_of(call);
    for (size_t v = 0; v < n_groups; v++) {
        const float *r = y + v * l.padded;
        uint8_t *record = records + v * l.record_bytes;
        double norm2 = 0;
        for (size_t i = 0; i < l.padded; i++)
            norm2 += (double)r[i] * (double)r[i];
        const float norm = (float)sqrt(norm2);
        if (!isfinite(norm)) /* the rotation overflowed */
            return v;
        if (norm > 0) {
            quantize(&l, r, norm);
        } else { /* the library divides by zero here */
            norm2 = 0;
            memset(l.scratch.code, 0, l.padded * sizeof *l.scratch.code);
            memset(l.scratch.extended, 0, l.padded);
        }
        const bool fits =
            l.config.form == LIBRARY_SPLIT ? write_split(&l, r, norm2, record) : write_scalar(&l, r, norm2, record);
        if (!fits)
            return v;
    }
    return n_groups;
}

/* ---- read ----------------------------------------------------------------------------------------------------------
 */

/* xhat = delta x_u + offset in the rotated space; the same two numbers make the estimate. x_u goes to scratch.code. */
struct reading {
    double delta, offset;
};

static struct reading read_record(const struct layout *l, const uint8_t *record) {
    const size_t plane = l->padded / 8, extended = (size_t)l->ex * l->padded / 8;
    if (l->config.form != LIBRARY_SPLIT) {
        const uint8_t *factor = record + rabitq_library_code_bytes(&l->config, l->padded);
        fq_unpack(l->config.bits, l->padded, record, l->scratch.extended);
        for (size_t i = 0; i < l->padded; i++)
            l->scratch.code[i] = l->scratch.extended[i];
        return (struct reading){get(factor), get(factor + 4)};
    }
    rabitq_library_unpack(l->padded, l->ex, record, record + plane + 12, l->scratch.code);
    const double rescale = get(record + plane + (l->ex > 0 ? 12 + extended : 0) + 4);
    return (struct reading){-rescale, -rescale * l->centre};
}

static void rabitq_library_prepare_ref(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    const struct layout l = layout_of(call);
    for (size_t v = 0; v < n; v++) {
        float *out = (float *)prepared + v * (l.padded + 1);
        rotate_one(&l, call->shape.dim, q + v * call->shape.dim, out);
        double sum = 0;
        for (size_t i = 0; i < l.padded; i++)
            sum += (double)out[i];
        out[l.padded] = (float)sum;
    }
}

/* The library returns the distance 1 - <q,x> of f_add + f_rescale (<x_u,q'> + c_B sum q'); here the inner product
 * itself, in double, which loses nothing to the 1. */
static void rabitq_library_score_ref(const struct fq_call *call, const void *prepared, size_t n_groups,
                                     const uint8_t *records, float *scores) {
    const struct layout l = layout_of(call);
    const float *q = prepared;
    for (size_t v = 0; v < n_groups; v++) {
        const struct reading r = read_record(&l, records + v * l.record_bytes);
        double dot = 0;
        for (size_t i = 0; i < l.padded; i++)
            dot += (double)l.scratch.code[i] * (double)q[i];
        scores[v] = (float)(r.delta * dot + r.offset * (double)q[l.padded]);
    }
}

static void rabitq_library_decode_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct layout l = layout_of(call);
    for (size_t v = 0; v < n_groups; v++) {
        const struct reading r = read_record(&l, records + v * l.record_bytes);
        for (size_t i = 0; i < l.padded; i++)
            l.scratch.vector[i] = (float)(r.delta * (double)l.scratch.code[i] + r.offset);
        rotate_back(&l, call->shape.dim, l.scratch.vector, x + v * call->shape.dim);
    }
}

static void rabitq_library_attend_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records,
                                      const float *weights, float *out) {
    const struct layout l = layout_of(call);
    for (size_t i = 0; i < l.padded; i++)
        l.scratch.sum[i] = 0;
    for (size_t v = 0; v < n_groups; v++) {
        const struct reading r = read_record(&l, records + v * l.record_bytes);
        const double weight = (double)weights[v];
        for (size_t i = 0; i < l.padded; i++)
            l.scratch.sum[i] += weight * (r.delta * (double)l.scratch.code[i] + r.offset);
    }
    for (size_t i = 0; i < l.padded; i++)
        l.scratch.vector[i] = (float)l.scratch.sum[i];
    rotate_back(&l, call->shape.dim, l.scratch.vector, out);
}

const struct fq_kernels rabitq_library_kernels_ref = {
    .rotate = rabitq_library_rotate_ref,
    .encode = rabitq_library_encode_ref,
    .prepare = rabitq_library_prepare_ref,
    .score = rabitq_library_score_ref,
    .decode = rabitq_library_decode_ref,
    .attend = rabitq_library_attend_ref,
};
