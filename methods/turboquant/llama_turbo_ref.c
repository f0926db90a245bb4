/* turbo2, turbo3, turbo4, reference bodies, in the order of the fork's kernels.
 *
 *   - rotate: per group y = D2 H D1 x / sqrt(g); the fork divides by the norm first, here encode does
 *   - encode: u = y / ||y||; index by thresholds; norm ||y|| / ||c||, c the levels in their own unit
 *   - decode: y = norm c; x = D1 H D2 y / sqrt(g)
 *
 * D2 changes no magnitude: in law this is one Hadamard round. */
#include "methods/turboquant/llama_turbo.h"

#include "methods/common/hadamard.h"
#include "methods/common/pack.h"
#include "methods/common/scale.h"

#include <math.h>
#include <string.h>

struct work {
    float *v, *sum;
    uint8_t *index;
};

static struct work work_of(const struct turbo_layout *l, const struct fq_call *call) {
    float *v = call->scratch;
    return (struct work){.v = v, .sum = v + l->work_dim, .index = (uint8_t *)(v + 2 * l->work_dim)};
}

/* v[j] *= +-factor. */
static void flip(const uint8_t *mask, size_t n, float factor, float *v) {
    for (size_t j = 0; j < n; j++)
        v[j] *= (mask[j / 8] >> (j % 8)) & 1 ? -factor : factor;
}

static void turn(const struct turbo_layout *l, const uint8_t *before, const uint8_t *after, float *v) {
    /* The factor comes first, so that no intermediate is longer than the vector. */
    const float factor = (float)(1 / sqrt((double)l->group));
    for (size_t g = 0; g < l->groups; g++, v += l->group) {
        flip(before, l->group, factor, v);
        fq_fwht(v, l->group);
        flip(after, l->group, 1, v);
    }
}

static void rotate(const struct turbo_layout *l, size_t n, const float *x, float *y) {
    for (size_t i = 0; i < n; i++, x += l->dim, y += l->work_dim) {
        memcpy(y, x, l->dim * sizeof *y);
        if (l->work_dim > l->dim)
            memset(y + l->dim, 0, (l->work_dim - l->dim) * sizeof *y);
        turn(l, turbo_signs_1, turbo_signs_2, y);
    }
}

static uint8_t index_of(const struct turbo_format *f, float u) {
    const unsigned half = 1U << (f->bits - 1);
    unsigned k = 0;
    if (u >= 0) {
        while (k + 1 < half && u >= f->bound[k])
            k++;
        return (uint8_t)(half + k);
    }
    while (k + 1 < half && -u > f->bound[k]) /* a value on a bound goes up, towards zero */
        k++;
    return (uint8_t)(half - 1 - k);
}

static float level_of(const struct turbo_format *f, uint8_t index) {
    const unsigned half = 1U << (f->bits - 1);
    return index >= half ? f->level[index - half] : -f->level[half - 1 - index];
}

/* The codes of one block. */
static void put_codes(const struct turbo_layout *l, const uint8_t *index, uint8_t *bytes) {
    uint8_t low[TURBO_GROUP];
    if (l->format->bits != 3) {
        fq_pack(l->format->bits, l->block, index, bytes);
        return;
    }
    for (size_t j = 0; j < l->block; j++)
        low[j] = index[j] & 3;
    fq_pack(2, l->block, low, bytes);
    for (size_t j = 0; j < l->block; j++)
        low[j] = index[j] >> 2;
    fq_pack(1, l->block, low, bytes + l->block / 4);
}

static bool encode_group(const struct turbo_layout *l, const float *y, uint8_t *index, uint8_t *record) {
    double squared = 0, recon = 0;
    for (size_t j = 0; j < l->group; j++)
        squared += (double)y[j] * (double)y[j];
    const double norm = sqrt(squared), inverse = norm > 1e-10 ? 1 / norm : 0;
    for (size_t j = 0; j < l->group; j++) {
        index[j] = index_of(l->format, (float)(inverse * (double)y[j]));
        const double c = (double)level_of(l->format, index[j]);
        recon += c * c;
    }
    for (size_t b = 0; b < l->blocks; b++, record += l->block_bytes) {
        if (!fq_scalar_put(FQ_SCALAR_FP16, norm / sqrt(recon), record))
            return false;
        if (l->format->unused_norm)
            (void)fq_scalar_put(FQ_SCALAR_FP16, 0, record + TURBO_SCALAR_BYTES);
        put_codes(l, index + b * l->block, record + l->codes_at);
    }
    return true;
}

static size_t encode(const struct turbo_layout *l, const struct fq_call *call, size_t n, const float *y,
                     uint8_t *records) {
    const struct work work = work_of(l, call);
    for (size_t i = 0; i < n; i++)
        for (size_t g = 0; g < l->groups; g++, y += l->group, records += l->group_bytes)
            if (!encode_group(l, y, work.index, records))
                return i;
    return n;
}

static void get_codes(const struct turbo_layout *l, const uint8_t *bytes, uint8_t *index) {
    if (l->format->bits != 3) {
        fq_unpack(l->format->bits, l->block, bytes, index);
        return;
    }
    const uint8_t *high = bytes + l->block / 4;
    fq_unpack(2, l->block, bytes, index);
    for (size_t j = 0; j < l->block; j++)
        index[j] |= (uint8_t)(((high[j / 8] >> (j % 8)) & 1) << 2);
}

/* v[work_dim]: the decoded vector, still rotated. */
static void expand(const struct turbo_layout *l, const uint8_t *record, uint8_t *index, float *v) {
    for (size_t b = 0; b < l->groups * l->blocks; b++, record += l->block_bytes, v += l->block) {
        const float norm = fq_scalar_get(FQ_SCALAR_FP16, record);
        get_codes(l, record + l->codes_at, index);
        for (size_t j = 0; j < l->block; j++)
            v[j] = norm * level_of(l->format, index[j]);
    }
}

static void unrotate(const struct turbo_layout *l, float *v, float *x) {
    turn(l, turbo_signs_2, turbo_signs_1, v);
    memcpy(x, v, l->dim * sizeof *x);
}

static void score(const struct turbo_layout *l, const struct fq_call *call, const float *q, size_t n,
                  const uint8_t *records, float *scores) {
    const struct work work = work_of(l, call);
    for (size_t i = 0; i < n; i++, records += l->record_bytes) {
        double sum = 0;
        expand(l, records, work.index, work.v);
        for (size_t j = 0; j < l->work_dim; j++)
            sum += (double)work.v[j] * (double)q[j];
        scores[i] = (float)sum;
    }
}

static void decode(const struct turbo_layout *l, const struct fq_call *call, size_t n, const uint8_t *records,
                   float *x) {
    const struct work work = work_of(l, call);
    for (size_t i = 0; i < n; i++, records += l->record_bytes, x += l->dim) {
        expand(l, records, work.index, work.v);
        unrotate(l, work.v, x);
    }
}

static void attend(const struct turbo_layout *l, const struct fq_call *call, size_t n, const uint8_t *records,
                   const float *weights, float *out) {
    const struct work work = work_of(l, call);
    memset(work.sum, 0, l->work_dim * sizeof *work.sum);
    for (size_t i = 0; i < n; i++, records += l->record_bytes) {
        expand(l, records, work.index, work.v);
        for (size_t j = 0; j < l->work_dim; j++)
            work.sum[j] += weights[i] * work.v[j];
    }
    unrotate(l, work.sum, out);
}

/* The kernel table of one format. */
#define TURBO_KERNELS(symbol)                                                                                          \
    static struct turbo_layout symbol##_layout(const struct fq_call *call) {                                           \
        return turbo_layout_of(&symbol##_format, call->params, &call->shape);                                          \
    }                                                                                                                  \
    static void symbol##_rotate(const struct fq_call *call, size_t n, const float *x, float *y) {                      \
        const struct turbo_layout l = symbol##_layout(call);                                                           \
        rotate(&l, n, x, y);                                                                                           \
    }                                                                                                                  \
    static size_t symbol##_encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {     \
        const struct turbo_layout l = symbol##_layout(call);                                                           \
        return encode(&l, call, n_groups, y, records);                                                                 \
    }                                                                                                                  \
    static void symbol##_prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {               \
        symbol##_rotate(call, n, q, prepared);                                                                         \
    }                                                                                                                  \
    static void symbol##_score(const struct fq_call *call, const void *prepared, size_t n_groups,                      \
                               const uint8_t *records, float *scores) {                                                \
        const struct turbo_layout l = symbol##_layout(call);                                                           \
        score(&l, call, prepared, n_groups, records, scores);                                                          \
    }                                                                                                                  \
    static void symbol##_decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {       \
        const struct turbo_layout l = symbol##_layout(call);                                                           \
        decode(&l, call, n_groups, records, x);                                                                        \
    }                                                                                                                  \
    static void symbol##_attend(const struct fq_call *call, size_t n_groups, const uint8_t *records,                   \
                                const float *weights, float *out) {                                                    \
        const struct turbo_layout l = symbol##_layout(call);                                                           \
        attend(&l, call, n_groups, records, weights, out);                                                             \
    }                                                                                                                  \
    const struct fq_kernels symbol##_ref = {.rotate = symbol##_rotate,                                                 \
                                            .encode = symbol##_encode,                                                 \
                                            .prepare = symbol##_prepare,                                               \
                                            .score = symbol##_score,                                                   \
                                            .decode = symbol##_decode,                                                 \
                                            .attend = symbol##_attend}

TURBO_KERNELS(turbo2);
TURBO_KERNELS(turbo3);
TURBO_KERNELS(turbo4);
TURBO_KERNELS(turbo2_before_197);
TURBO_KERNELS(turbo3_before_197);
TURBO_KERNELS(turbo4_before_197);
