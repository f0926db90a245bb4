/* Reference bodies of the scalar code: rotate, normalise, nearest Lloyd-Max level, pack, scale; and back.
 *
 * Shared block: 256 levels, 256 bounds (unused entries zero), then the rotation's state. Scratch: one vector, its
 * codeword, its indices. Sums over a vector run in double in index order. */
#include "methods/common/scalar_code.h"

#include "methods/common/lloyd_max.h"
#include "methods/common/pack.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TABLE = 256, LEAST_SPHERE_DIM = 4 };

const char *const fq_codebook_choices[] = {"gaussian", "sphere", NULL};

int fq_scalar_code_check(const struct fq_scalar_code *code, char *why, size_t why_size) {
    if (code->codebook == FQ_CODEBOOK_SPHERE && fq_scalar_code_work_dim(code) < LEAST_SPHERE_DIM) {
        snprintf(why, why_size, "codebook=sphere needs a dimension of at least %d, found %zu; use codebook=gaussian",
                 (int)LEAST_SPHERE_DIM, code->dim);
        return -1;
    }
    return fq_rotation_check(code->rotation, code->dim, why, why_size);
}

size_t fq_scalar_code_work_dim(const struct fq_scalar_code *code) {
    return fq_rotation_work_dim(code->rotation, code->dim);
}

static size_t unit_dim(const struct fq_scalar_code *code) {
    return code->unit_dim ? code->unit_dim : fq_scalar_code_work_dim(code);
}

static size_t code_bytes(const struct fq_scalar_code *code) {
    return fq_packed_bytes(code->bits, fq_scalar_code_work_dim(code));
}

struct fq_footprint fq_scalar_code_footprint(const struct fq_scalar_code *code) {
    const size_t work_dim = fq_scalar_code_work_dim(code);
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = code_bytes(code) + fq_scalar_bytes(code->scalar),
        .side_bytes = fq_scalar_bytes(code->scalar),
        .work_dim = work_dim,
        .prepared_bytes = work_dim * sizeof(float),
        .shared_bytes = 2 * TABLE * sizeof(float) + fq_rotation_state_bytes(code->rotation, code->rounds, code->dim),
        .scratch_bytes = (work_dim * (2 * sizeof(float) + 1) + 63) / 64 * 64,
    };
}

size_t fq_scalar_code_setup_scratch(const struct fq_scalar_code *code) {
    return fq_rotation_setup_scratch(code->rotation, code->dim);
}

const float *fq_scalar_code_levels(const void *shared) {
    return shared;
}

const float *fq_scalar_code_bounds(const void *shared) {
    return (const float *)shared + TABLE;
}

const void *fq_scalar_code_rotation_state(const void *shared) {
    return (const float *)shared + (size_t)2 * TABLE;
}

void fq_scalar_code_setup(const struct fq_scalar_code *code, const struct fq_streams *streams, void *shared,
                          void *scratch) {
    float *levels = shared, *bounds = levels + TABLE;
    memset(shared, 0, 2 * TABLE * sizeof(float));
    if (code->codebook == FQ_CODEBOOK_SPHERE)
        fq_lloyd_max_sphere(code->bits, fq_scalar_code_work_dim(code), levels, bounds);
    else
        fq_lloyd_max_gaussian(code->bits, levels, bounds);
    fq_rotation_setup(code->rotation, code->rounds, code->dim, streams, bounds + TABLE, scratch);
}

double fq_scalar_code_quantize(const struct fq_scalar_code *code, const void *shared, const float *y, uint8_t *index,
                               float *c) {
    const size_t n = fq_scalar_code_work_dim(code);
    const float *levels = fq_scalar_code_levels(shared), *bounds = fq_scalar_code_bounds(shared);
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += (double)y[j] * (double)y[j];
    const double norm = sqrt(sum), factor = norm > 0 ? sqrt((double)unit_dim(code)) / norm : 0;
    /* A float factor for every norm met in practice, which wide registers can follow; outside that range it would
     * overflow or lose digits, and double does the same job. */
    const bool is_ordinary = norm > 1e-30 && norm < 1e30;
    const float narrow = is_ordinary ? (float)factor : 0;
    for (size_t j = 0; j < n; j++) {
        const float z = is_ordinary ? narrow * y[j] : (float)(factor * (double)y[j]);
        index[j] = fq_lloyd_max_index(bounds, code->bits, z);
        c[j] = levels[index[j]];
    }
    return norm;
}

struct work {
    float *v, *c;
    uint8_t *index;
};

static struct work work_of(const struct fq_call *call) {
    const size_t n = call->footprint->work_dim;
    float *v = call->scratch;
    return (struct work){.v = v, .c = v + n, .index = (uint8_t *)(v + 2 * n)};
}

void fq_scalar_code_rotate(const struct fq_scalar_code *code, const struct fq_call *call, size_t n, const float *x,
                           float *y) {
    fq_rotation_apply(code->rotation, code->rounds, code->dim, fq_scalar_code_rotation_state(call->shared), n, x, y);
}

size_t fq_scalar_code_encode(const struct fq_scalar_code *code, const struct fq_call *call, size_t n, const float *y,
                             uint8_t *records) {
    const size_t work_dim = fq_scalar_code_work_dim(code), packed = code_bytes(code);
    const struct work work = work_of(call);
    for (size_t i = 0; i < n; i++, y += work_dim, records += call->footprint->record_bytes) {
        fq_scalar_code_quantize(code, call->shared, y, work.index, work.c);
        const double scale = fq_scale_of(code->scale, unit_dim(code), y, work.c, work_dim);
        if (!fq_scalar_put(code->scalar, scale, records + packed))
            return i;
        fq_pack(code->bits, work_dim, work.index, records);
    }
    return n;
}

void fq_scalar_code_score(const struct fq_scalar_code *code, const struct fq_call *call, const float *rotated_query,
                          size_t n, const uint8_t *records, float *scores) {
    const size_t work_dim = fq_scalar_code_work_dim(code), packed = code_bytes(code);
    const float *levels = fq_scalar_code_levels(call->shared);
    const struct work work = work_of(call);
    for (size_t i = 0; i < n; i++, records += call->footprint->record_bytes) {
        fq_unpack(code->bits, work_dim, records, work.index);
        double sum = 0;
        for (size_t j = 0; j < work_dim; j++)
            sum += (double)levels[work.index[j]] * (double)rotated_query[j];
        scores[i] = (float)(sum * (double)fq_scalar_get(code->scalar, records + packed));
    }
}

void fq_scalar_code_decode(const struct fq_scalar_code *code, const struct fq_call *call, size_t n,
                           const uint8_t *records, float *x) {
    const size_t work_dim = fq_scalar_code_work_dim(code), packed = code_bytes(code);
    const float *levels = fq_scalar_code_levels(call->shared);
    const void *rotation = fq_scalar_code_rotation_state(call->shared);
    const struct work work = work_of(call);
    for (size_t i = 0; i < n; i++, records += call->footprint->record_bytes, x += code->dim) {
        const float scale = fq_scalar_get(code->scalar, records + packed);
        fq_unpack(code->bits, work_dim, records, work.index);
        for (size_t j = 0; j < work_dim; j++)
            work.v[j] = scale * levels[work.index[j]];
        fq_rotation_invert(code->rotation, code->rounds, code->dim, rotation, 1, work.v, x);
    }
}

void fq_scalar_code_attend(const struct fq_scalar_code *code, const struct fq_call *call, size_t n,
                           const uint8_t *records, const float *weights, float *out) {
    const size_t work_dim = fq_scalar_code_work_dim(code), packed = code_bytes(code);
    const float *levels = fq_scalar_code_levels(call->shared);
    const struct work work = work_of(call);
    memset(work.v, 0, work_dim * sizeof *work.v);
    for (size_t i = 0; i < n; i++, records += call->footprint->record_bytes) {
        const float factor = weights[i] * fq_scalar_get(code->scalar, records + packed);
        fq_unpack(code->bits, work_dim, records, work.index);
        for (size_t j = 0; j < work_dim; j++)
            work.v[j] += factor * levels[work.index[j]];
    }
    fq_rotation_invert(code->rotation, code->rounds, code->dim, fq_scalar_code_rotation_state(call->shared), 1, work.v,
                       out);
}
