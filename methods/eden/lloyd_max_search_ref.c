/* lloyd-max-search, reference bodies: eden's, but for the choice of the code in encode. */
#include "methods/eden/eden.h"

#include "methods/common/pack.h"

#include <math.h>

static void rotate(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct fq_scalar_code code = lms_code(call->params, &call->shape);
    fq_scalar_code_rotate(&code, call, n, x, y);
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct fq_scalar_code code = lms_code(call->params, &call->shape);
    const enum lms_search search = (enum lms_search)call->params->v[LMS_SEARCH];
    const float *levels = fq_scalar_code_levels(call->shared), *bounds = fq_scalar_code_bounds(call->shared);
    const size_t w = call->footprint->work_dim, packed = fq_packed_bytes(code.bits, w);
    /* Scratch: codeword and indices, then z, then the search's own. */
    float *c = call->scratch;
    uint8_t *index = (uint8_t *)(c + w);
    double *z = (double *)(void *)((uint8_t *)call->scratch + lms_scratch_offset(&code));
    for (size_t i = 0; i < n_groups; i++, y += w, records += call->footprint->record_bytes) {
        const double norm = fq_scalar_code_quantize(&code, call->shared, y, index, c);
        if (norm > 0 && isfinite(norm)) {
            for (size_t j = 0; j < w; j++)
                z[j] = sqrt((double)w) * ((double)y[j] / norm);
            if (search == LMS_EXACT)
                lms_search_exact(code.bits, bounds, levels, w, z, index, z + w);
            else
                lms_search_grid(code.bits, bounds, levels, w, z, index, z + w);
            for (size_t j = 0; j < w; j++)
                c[j] = levels[index[j]];
        }
        const double scale = fq_scale_of(code.scale, w, y, c, w);
        if (!fq_scalar_put(code.scalar, scale, records + packed))
            return i;
        fq_pack(code.bits, w, index, records);
    }
    return n_groups;
}

static void prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    rotate(call, n, q, prepared);
}

static void score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                  float *scores) {
    const struct fq_scalar_code code = lms_code(call->params, &call->shape);
    fq_scalar_code_score(&code, call, prepared, n_groups, records, scores);
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct fq_scalar_code code = lms_code(call->params, &call->shape);
    fq_scalar_code_decode(&code, call, n_groups, records, x);
}

static void attend(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                   float *out) {
    const struct fq_scalar_code code = lms_code(call->params, &call->shape);
    fq_scalar_code_attend(&code, call, n_groups, records, weights, out);
}

const struct fq_kernels lloyd_max_search_ref = {
    .rotate = rotate, .encode = encode, .prepare = prepare, .score = score, .decode = decode, .attend = attend};
