/* turboquant@vllm, reference bodies.
 *
 *   key    y = H k / sqrt(d); indices of sqrt(d) y / ||k||; stored norm ||k||; read back as ||k|| c / ||c|| with norm
 *          correction, ||k|| c / sqrt(d) without
 *   value  scale = max((max - min) / (2^b - 1), 1e-8); code = floor((v - min) / scale + 1/2) clamped; read back as
 *          code scale + min, from the stored halves, while the codes were formed with the unrounded numbers
 * Keys are met in the rotated space: the query is rotated once. */
#include "methods/turboquant/turboquant_vllm.h"

#include "methods/common/pack.h"

#include <math.h>
#include <string.h>

struct work {
    float *v, *c; /* the decoded vector, still rotated; the codeword or a sum */
    uint8_t *index;
};

static struct work work_of(const struct fq_call *call) {
    float *v = call->scratch;
    const size_t d = call->shape.dim;
    return (struct work){.v = v, .c = v + d, .index = (uint8_t *)(v + 2 * d)};
}

static void rotate(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct vllm_layout l = vllm_layout_of(call->params, &call->shape);
    fq_scalar_code_rotate(&l.code, call, n, x, y); /* values: a copy */
}

static bool encode_key(const struct vllm_layout *l, const struct fq_call *call, const float *y, uint8_t *record) {
    const struct work work = work_of(call);
    const double norm = fq_scalar_code_quantize(&l->code, call->shared, y, work.index, work.c);
    if (!fq_scalar_put(FQ_SCALAR_FP16, norm, record + l->code_bytes))
        return false;
    fq_pack(l->bits, l->dim, work.index, record);
    return true;
}

static bool encode_value(const struct vllm_layout *l, const struct fq_call *call, const float *v, uint8_t *record) {
    const struct work work = work_of(call);
    double least = (double)v[0], greatest = (double)v[0];
    for (size_t j = 1; j < l->dim; j++) {
        least = fmin(least, (double)v[j]);
        greatest = fmax(greatest, (double)v[j]);
    }
    const double top = (double)((1U << l->bits) - 1U), scale = fmax((greatest - least) / top, 1e-8);
    uint8_t *scalars = record + l->code_bytes;
    if (!fq_scalar_put(FQ_SCALAR_FP16, scale, scalars) ||
        !fq_scalar_put(FQ_SCALAR_FP16, least, scalars + VLLM_SCALAR_BYTES))
        return false;
    for (size_t j = 0; j < l->dim; j++)
        work.index[j] = (uint8_t)fmin(floor(((double)v[j] - least) / scale + 0.5), top);
    fq_pack(l->bits, l->dim, work.index, record);
    return true;
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct vllm_layout l = vllm_layout_of(call->params, &call->shape);
    for (size_t i = 0; i < n_groups; i++, y += l.dim, records += l.record_bytes)
        if (!(l.is_key ? encode_key : encode_value)(&l, call, y, records))
            return i;
    return n_groups;
}

/* v[dim]: the decoded vector, a key still rotated. */
static void expand(const struct vllm_layout *l, const struct fq_call *call, const uint8_t *record, float *v) {
    const struct work work = work_of(call);
    const uint8_t *scalars = record + l->code_bytes;
    const double first = (double)fq_scalar_get(FQ_SCALAR_FP16, scalars);
    fq_unpack(l->bits, l->dim, record, work.index);
    if (!l->is_key) {
        const double least = (double)fq_scalar_get(FQ_SCALAR_FP16, scalars + VLLM_SCALAR_BYTES);
        for (size_t j = 0; j < l->dim; j++)
            v[j] = (float)((double)work.index[j] * first + least);
        return;
    }
    const float *levels = fq_scalar_code_levels(call->shared);
    double squared = (double)l->dim;
    if (l->corrects_norm) {
        squared = 0;
        for (size_t j = 0; j < l->dim; j++)
            squared += (double)levels[work.index[j]] * (double)levels[work.index[j]];
    }
    const double factor = first / sqrt(squared);
    for (size_t j = 0; j < l->dim; j++)
        v[j] = (float)(factor * (double)levels[work.index[j]]);
}

static void prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    rotate(call, n, q, prepared);
}

static void score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                  float *scores) {
    const struct vllm_layout l = vllm_layout_of(call->params, &call->shape);
    const struct work work = work_of(call);
    const float *q = prepared;
    for (size_t i = 0; i < n_groups; i++, records += l.record_bytes) {
        double sum = 0;
        expand(&l, call, records, work.v);
        for (size_t j = 0; j < l.dim; j++)
            sum += (double)work.v[j] * (double)q[j];
        scores[i] = (float)sum;
    }
}

static void unrotate(const struct vllm_layout *l, const struct fq_call *call, const float *y, float *x) {
    fq_rotation_invert(l->code.rotation, l->code.rounds, l->dim, fq_scalar_code_rotation_state(call->shared), 1, y, x);
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct vllm_layout l = vllm_layout_of(call->params, &call->shape);
    const struct work work = work_of(call);
    for (size_t i = 0; i < n_groups; i++, records += l.record_bytes, x += l.dim) {
        expand(&l, call, records, work.v);
        unrotate(&l, call, work.v, x);
    }
}

static void attend(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                   float *out) {
    const struct vllm_layout l = vllm_layout_of(call->params, &call->shape);
    const struct work work = work_of(call);
    memset(work.c, 0, l.dim * sizeof *work.c);
    for (size_t i = 0; i < n_groups; i++, records += l.record_bytes) {
        expand(&l, call, records, work.v);
        for (size_t j = 0; j < l.dim; j++)
            work.c[j] += weights[i] * work.v[j];
    }
    unrotate(&l, call, work.c, out);
}

const struct fq_kernels turboquant_vllm_ref = {
    .rotate = rotate, .encode = encode, .prepare = prepare, .score = score, .decode = decode, .attend = attend};
