/* KIVI, scalar, in the paper's order: minimum and maximum of a group, scale = (max - min) / (2^b - 1), code = round((v
 * - min) / scale) clamped, halves to even, v ~ code scale + min (methods.md 6). Differences from the published code are
 * listed in README.md. Nothing here may allocate or keep state. */
#include "methods/kivi/kivi.h"

#include <math.h>
#include <string.h>

static uint8_t *codes_at(const struct kivi_layout *l, uint8_t *record, size_t g) {
    return record + g * l->code_bytes;
}
static uint8_t *scale_at(const struct kivi_layout *l, uint8_t *record, size_t g) {
    return record + l->groups * l->code_bytes + g * KIVI_SCALAR_BYTES;
}
static uint8_t *minimum_at(const struct kivi_layout *l, uint8_t *record, size_t g) {
    return scale_at(l, record, l->groups + g);
}

/* One group as the readers see it. */
struct group {
    double scale, minimum;
    uint8_t code[KIVI_MAX_GROUP];
};

static struct group read_group(const struct kivi_layout *l, const uint8_t *record, size_t g) {
    const uint8_t *scale = record + l->groups * l->code_bytes + g * KIVI_SCALAR_BYTES;
    struct group out = {
        .scale = (double)fq_scalar_get(FQ_SCALAR_FP16, scale),
        .minimum = (double)fq_scalar_get(FQ_SCALAR_FP16, scale + l->groups * KIVI_SCALAR_BYTES),
    };
    fq_unpack(l->bits, l->group, record + g * l->code_bytes, out.code);
    return out;
}

/* v[group] -> group g of the record. false: minimum or scale overflows fp16. */
static bool encode_group(const struct kivi_layout *l, const float *v, size_t g, uint8_t *record) {
    float least = v[0], greatest = v[0];
    for (size_t j = 1; j < l->group; j++) {
        least = fminf(least, v[j]);
        greatest = fmaxf(greatest, v[j]);
    }
    const double top = (double)((1U << l->bits) - 1U);
    if (!fq_scalar_put(FQ_SCALAR_FP16, ((double)greatest - (double)least) / top, scale_at(l, record, g)))
        return false;
    /* The codes are formed with the numbers that are stored, as in the published code, whose tensors are fp16. A scale
     * of zero (constant group, or a range that fp16 cannot resolve) leaves one value for all: the middle. */
    const double scale = (double)fq_scalar_get(FQ_SCALAR_FP16, scale_at(l, record, g));
    const double lowest = scale > 0 ? (double)least : 0.5 * ((double)least + (double)greatest);
    if (!fq_scalar_put(FQ_SCALAR_FP16, lowest, minimum_at(l, record, g)))
        return false;
    const double minimum = (double)fq_scalar_get(FQ_SCALAR_FP16, minimum_at(l, record, g));
    uint8_t code[KIVI_MAX_GROUP];
    for (size_t j = 0; j < l->group; j++) {
        const double level = scale > 0 ? ((double)v[j] - minimum) / scale : 0;
        code[j] = (uint8_t)rint(fmin(fmax(level, 0), top));
    }
    fq_pack(l->bits, l->group, code, codes_at(l, record, g));
    return true;
}

static size_t kivi_encode_ref(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct kivi_layout l = kivi_layout_of(call->params, &call->shape);
    float v[KIVI_MAX_GROUP] = {0};
    for (size_t r = 0; r < n_groups; r++) {
        const float *x = y + r * l.granularity * l.dim;
        for (size_t g = 0; g < l.groups; g++) {
            for (size_t j = 0; j < l.group; j++)
                v[j] = l.per_channel ? x[j * l.dim + g] : x[g * l.group + j];
            if (!encode_group(&l, v, g, records + r * l.record_bytes))
                return r;
        }
    }
    return n_groups;
}

static void kivi_prepare_ref(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    const struct kivi_layout l = kivi_layout_of(call->params, &call->shape);
    const size_t sums = l.per_channel ? 0 : l.groups;
    for (size_t v = 0; v < n; v++) {
        float *out = (float *)prepared + v * (l.dim + sums);
        memcpy(out, q + v * l.dim, l.dim * sizeof *out);
        for (size_t g = 0; g < sums; g++) {
            double sum = 0;
            for (size_t j = 0; j < l.group; j++)
                sum += (double)out[g * l.group + j];
            out[l.dim + g] = (float)sum;
        }
    }
}

/* Per channel: the scale is folded into the query, sum_c q_c (code s_c + m_c) = sum_c (q_c s_c) code + sum_c q_c m_c,
 * once for all tokens of the record. */
static void score_channels(const struct kivi_layout *l, const float *q, const uint8_t *record, float *scores) {
    double sum[KIVI_MAX_GROUP] = {0}, offset = 0;
    for (size_t c = 0; c < l->groups; c++) {
        const struct group g = read_group(l, record, c);
        const double folded = (double)q[c] * g.scale;
        offset += (double)q[c] * g.minimum;
        for (size_t j = 0; j < l->group; j++)
            sum[j] += folded * (double)g.code[j];
    }
    for (size_t j = 0; j < l->group; j++)
        scores[j] = (float)(sum[j] + offset);
}

/* Per token: s (sum_j q_j code_j) + m (sum_j q_j) in each group. */
static float score_token(const struct kivi_layout *l, const float *q, const uint8_t *record) {
    double score = 0;
    for (size_t k = 0; k < l->groups; k++) {
        const struct group g = read_group(l, record, k);
        double dot = 0;
        for (size_t j = 0; j < l->group; j++)
            dot += (double)q[k * l->group + j] * (double)g.code[j];
        score += g.scale * dot + g.minimum * (double)q[l->dim + k];
    }
    return (float)score;
}

static void kivi_score_ref(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                           float *scores) {
    const struct kivi_layout l = kivi_layout_of(call->params, &call->shape);
    for (size_t r = 0; r < n_groups; r++) {
        const uint8_t *record = records + r * l.record_bytes;
        if (l.per_channel)
            score_channels(&l, prepared, record, scores + r * l.granularity);
        else
            scores[r] = score_token(&l, prepared, record);
    }
}

static void kivi_decode_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct kivi_layout l = kivi_layout_of(call->params, &call->shape);
    for (size_t r = 0; r < n_groups; r++) {
        float *out = x + r * l.granularity * l.dim;
        for (size_t k = 0; k < l.groups; k++) {
            const struct group g = read_group(&l, records + r * l.record_bytes, k);
            for (size_t j = 0; j < l.group; j++) {
                const size_t at = l.per_channel ? j * l.dim + k : k * l.group + j;
                out[at] = (float)((double)g.code[j] * g.scale + g.minimum);
            }
        }
    }
}

/* Per channel: s_c (sum_j p_j code_j) + m_c (sum_j p_j); per token: (p s) code + p m. */
static void kivi_attend_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                            float *out) {
    const struct kivi_layout l = kivi_layout_of(call->params, &call->shape);
    double *sum = call->scratch;
    for (size_t i = 0; i < l.dim; i++)
        sum[i] = 0;
    for (size_t r = 0; r < n_groups; r++) {
        const float *p = weights + r * l.granularity;
        for (size_t k = 0; k < l.groups; k++) {
            const struct group g = read_group(&l, records + r * l.record_bytes, k);
            for (size_t j = 0; j < l.group; j++) {
                const double value = (double)g.code[j] * g.scale + g.minimum;
                if (l.per_channel)
                    sum[k] += (double)p[j] * value;
                else
                    sum[k * l.group + j] += (double)p[0] * value;
            }
        }
    }
    for (size_t i = 0; i < l.dim; i++)
        out[i] = (float)sum[i];
}

const struct fq_kernels kivi_kernels_ref = {
    .encode = kivi_encode_ref,
    .prepare = kivi_prepare_ref,
    .score = kivi_score_ref,
    .decode = kivi_decode_ref,
    .attend = kivi_attend_ref,
};
