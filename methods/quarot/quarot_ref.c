/* QuaRot's codec, scalar, in the published order: y = H x; lo = clip min(y, 0), hi = clip max(y, 0) over the group.
 *   asymmetric: s = (hi - lo) / (2^b - 1), zero = round(-lo / s), code = clamp(round(y / s) + zero), y ~ s (code -
 * zero) symmetric:  s = max(-lo, hi) / (2^(b-1) - 1), code = clamp(round(y / s), -2^(b-1), 2^(b-1) - 1), y ~ s code
 * Halves go to even. Codes are formed with the fp16 scale that is stored, as in the published code, whose tensors are
 * fp16. Differences are listed in README.md. */
#include "methods/quarot/quarot.h"

#include <math.h>

struct parts {
    double *sum;   /* [work_dim] */
    float *y;      /* [work_dim] */
    uint8_t *code; /* [work_dim] */
};

static struct parts parts_of(const struct quarot_layout *l, void *scratch) {
    double *sum = scratch;
    void *behind = sum + l->work_dim;
    float *y = behind;
    return (struct parts){.sum = sum, .y = y, .code = (uint8_t *)(y + l->work_dim)};
}

static void quarot_rotate_ref(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct quarot_layout l = quarot_layout_of(call->params, &call->shape);
    fq_rotation_apply(l.rotation, l.rounds, l.dim, call->shared, n, x, y);
}

static void quarot_prepare_ref(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    quarot_rotate_ref(call, n, q, prepared);
}

/* y[group] -> codes, scale and zero point of group g. false: the scale overflows fp16,
 * or the rotation did. */
static bool encode_group(const struct quarot_layout *l, const float *y, size_t g, uint8_t *code, uint8_t *record) {
    uint8_t *scale_bytes = record + l->code_bytes + g * QUAROT_SCALE_BYTES;
    uint8_t *zero_byte = record + l->code_bytes + l->groups * QUAROT_SCALE_BYTES + g;
    const double half = ldexp(1, l->bits - 1), top = l->asymmetric ? 2 * half - 1 : half - 1;
    double low = 0, high = 0;
    for (size_t j = 0; j < l->group; j++) {
        if (!isfinite(y[j])) /* the rotation overflowed; a difference of infinities would pass fmin and fmax unseen */
            return false;
        low = fmin(low, (double)y[j]);
        high = fmax(high, (double)y[j]);
    }
    const double range = l->clip * (l->asymmetric ? high - low : fmax(-low, high));
    if (!fq_scalar_put(FQ_SCALAR_FP16, range / top, scale_bytes))
        return false;
    /* A scale of zero (zeros, or numbers that fp16 has nothing for) decodes to zeros, whatever the codes. */
    const double scale = (double)fq_scalar_get(FQ_SCALAR_FP16, scale_bytes), inverse = scale > 0 ? 1 / scale : 0;
    const double zero = l->asymmetric ? fmin(rint(-l->clip * low * inverse), top) : half;
    if (l->asymmetric)
        *zero_byte = (uint8_t)zero;
    for (size_t j = 0; j < l->group; j++)
        code[j] = (uint8_t)fmin(fmax(rint((double)y[j] * inverse) + zero, 0), 2 * half - 1);
    return true;
}

static size_t quarot_encode_ref(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct quarot_layout l = quarot_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    for (size_t v = 0; v < n_groups; v++) {
        uint8_t *record = records + v * l.record_bytes;
        for (size_t g = 0; g < l.groups; g++)
            if (!encode_group(&l, y + v * l.work_dim + g * l.group, g, p.code + g * l.group, record))
                return v;
        fq_pack(l.bits, l.work_dim, p.code, record);
    }
    return n_groups;
}

struct affine {
    double scale, zero; /* y = scale (code - zero) */
};

static struct affine group_of(const struct quarot_layout *l, const uint8_t *record, size_t g) {
    const uint8_t *scales = record + l->code_bytes;
    return (struct affine){.scale = (double)fq_scalar_get(FQ_SCALAR_FP16, scales + g * QUAROT_SCALE_BYTES),
                           .zero = l->asymmetric ? (double)scales[l->groups * QUAROT_SCALE_BYTES + g]
                                                 : ldexp(1, l->bits - 1)};
}

static void quarot_score_ref(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                             float *scores) {
    const struct quarot_layout l = quarot_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    const float *q = prepared;
    for (size_t v = 0; v < n_groups; v++) {
        const uint8_t *record = records + v * l.record_bytes;
        double score = 0;
        fq_unpack(l.bits, l.work_dim, record, p.code);
        for (size_t g = 0; g < l.groups; g++) {
            const struct affine a = group_of(&l, record, g);
            double dot = 0;
            for (size_t i = g * l.group; i < (g + 1) * l.group; i++)
                dot += (double)q[i] * ((double)p.code[i] - a.zero);
            score += a.scale * dot;
        }
        scores[v] = (float)score;
    }
}

static void quarot_decode_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct quarot_layout l = quarot_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    for (size_t v = 0; v < n_groups; v++) {
        const uint8_t *record = records + v * l.record_bytes;
        fq_unpack(l.bits, l.work_dim, record, p.code);
        for (size_t g = 0; g < l.groups; g++) {
            const struct affine a = group_of(&l, record, g);
            for (size_t i = g * l.group; i < (g + 1) * l.group; i++)
                p.y[i] = (float)(a.scale * ((double)p.code[i] - a.zero));
        }
        fq_rotation_invert(l.rotation, l.rounds, l.dim, call->shared, 1, p.y, x + v * l.dim);
    }
}

/* The sum is formed among rotated vectors and rotated back once. */
static void quarot_attend_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                              float *out) {
    const struct quarot_layout l = quarot_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    for (size_t i = 0; i < l.work_dim; i++)
        p.sum[i] = 0;
    for (size_t v = 0; v < n_groups; v++) {
        const uint8_t *record = records + v * l.record_bytes;
        fq_unpack(l.bits, l.work_dim, record, p.code);
        for (size_t g = 0; g < l.groups; g++) {
            const struct affine a = group_of(&l, record, g);
            const double weight = (double)weights[v] * a.scale;
            for (size_t i = g * l.group; i < (g + 1) * l.group; i++)
                p.sum[i] += weight * ((double)p.code[i] - a.zero);
        }
    }
    for (size_t i = 0; i < l.work_dim; i++)
        p.y[i] = (float)p.sum[i];
    fq_rotation_invert(l.rotation, l.rounds, l.dim, call->shared, 1, p.y, out);
}

const struct fq_kernels quarot_kernels_ref = {
    .rotate = quarot_rotate_ref,
    .encode = quarot_encode_ref,
    .prepare = quarot_prepare_ref,
    .score = quarot_score_ref,
    .decode = quarot_decode_ref,
    .attend = quarot_attend_ref,
};
