/* turboquant-prod@release, reference bodies: those of turboquant-prod with the script's constants. */
#include "methods/turboquant/turboquant_prod.h"

static void rotate(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct turboquant_prod prod = turboquant_prod_release_of(call->params, &call->shape);
    fq_scalar_code_rotate(&prod.stage, call, n, x, y);
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct turboquant_prod prod = turboquant_prod_release_of(call->params, &call->shape);
    return turboquant_prod_encode(&prod, call, n_groups, y, records);
}

static void prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    const struct turboquant_prod prod = turboquant_prod_release_of(call->params, &call->shape);
    turboquant_prod_prepare(&prod, call, n, q, prepared);
}

static void score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                  float *scores) {
    const struct turboquant_prod prod = turboquant_prod_release_of(call->params, &call->shape);
    turboquant_prod_score(&prod, call, prepared, n_groups, records, scores);
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct turboquant_prod prod = turboquant_prod_release_of(call->params, &call->shape);
    turboquant_prod_decode(&prod, call, n_groups, records, x);
}

static void attend(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                   float *out) {
    const struct turboquant_prod prod = turboquant_prod_release_of(call->params, &call->shape);
    turboquant_prod_attend(&prod, call, n_groups, records, weights, out);
}

const struct fq_kernels turboquant_prod_release_ref = {
    .rotate = rotate, .encode = encode, .prepare = prepare, .score = score, .decode = decode, .attend = attend};
