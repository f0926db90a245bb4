/* drive, reference bodies, in the order of the paper.
 *
 *   rotate      y = H D x / sqrt(w)
 *   quantize    c = sign(y), sign(0) = +1; S = ||y||_2^2 / ||y||_1 (unbiased) or ||y||_1 / w (least squares)
 *   decode      xhat = S R^T c
 * A query is rotated once; scores and weighted sums stay among rotated vectors. */
#include "methods/eden/eden.h"

static void rotate(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct fq_scalar_code code = drive_code(call->params, &call->shape);
    fq_scalar_code_rotate(&code, call, n, x, y);
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct fq_scalar_code code = drive_code(call->params, &call->shape);
    return fq_scalar_code_encode(&code, call, n_groups, y, records);
}

static void prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    rotate(call, n, q, prepared);
}

static void score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                  float *scores) {
    const struct fq_scalar_code code = drive_code(call->params, &call->shape);
    fq_scalar_code_score(&code, call, prepared, n_groups, records, scores);
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct fq_scalar_code code = drive_code(call->params, &call->shape);
    fq_scalar_code_decode(&code, call, n_groups, records, x);
}

static void attend(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                   float *out) {
    const struct fq_scalar_code code = drive_code(call->params, &call->shape);
    fq_scalar_code_attend(&code, call, n_groups, records, weights, out);
}

const struct fq_kernels drive_ref = {
    .rotate = rotate, .encode = encode, .prepare = prepare, .score = score, .decode = decode, .attend = attend};
