/* turboquant-prod, reference bodies, in the order of the paper's Algorithm 2.
 *
 *   set-up       first stage of b-1 bits; sketch A with N(0,1) entries
 *                -> setup, in turboquant_prod.c
 *   quantize     idx = first stage of x; r = x - its reconstruction; qjl = sign(A r); output idx, qjl, ||r||
 *                -> encode, in rotated coordinates of unit norm
 *   dequantize   x~ = x~_mse + sqrt(pi/2)/d ||r|| A^T qjl
 *                -> decode; score is <q, x~> without forming x~
 *
 * The residual and the sketch live in the same, rotated, basis as the first stage: the sketch of a rotated query is
 * then <A R q, qjl>. sign(0) counts as +1. The query stays in float. */
#include "methods/turboquant/turboquant_prod.h"

#include "methods/common/dense.h"
#include "methods/common/pack.h"

#include <math.h>
#include <string.h>

struct work {
    float *r, *c;
    uint8_t *index, *sign;
};

static struct work work_of(const struct fq_call *call) {
    const size_t w = call->footprint->work_dim;
    float *r = call->scratch;
    return (struct work){.r = r, .c = r + w, .index = (uint8_t *)(r + 2 * w), .sign = (uint8_t *)(r + 2 * w) + w};
}

static const float *sketch_of(const struct turboquant_prod *prod, const struct fq_call *call) {
    return (const float *)call->shared + prod->sketch_at / sizeof(float);
}

size_t turboquant_prod_encode(const struct turboquant_prod *prod, const struct fq_call *call, size_t n_groups,
                              const float *y, uint8_t *records) {
    const size_t w = prod->work_dim;
    const double sqrt_w = sqrt((double)w);
    const struct work work = work_of(call);
    for (size_t i = 0; i < n_groups; i++, y += w, records += prod->record_bytes) {
        const double norm = fq_scalar_code_quantize(&prod->stage, call->shared, y, work.index, work.c);
        if (!fq_scalar_put(prod->stage.scalar, norm / sqrt_w, records + prod->norm_at))
            return i;
        fq_pack(prod->stage.bits, w, work.index, records);

        double square = 0; /* of the residual of the unit vector, in N(0,1) units */
        for (size_t j = 0; j < w; j++) {
            const double z = norm > 0 ? sqrt_w * ((double)y[j] / norm) : 0;
            const double residual = z - (double)work.c[j];
            work.r[j] = (float)residual;
            square += residual * residual;
        }
        if (prod->stores_residual)
            (void)fq_scalar_put(prod->stage.scalar, sqrt(square) / sqrt_w, records + prod->residual_at);

        float *projection = work.c; /* the codeword is not needed any more */
        fq_dense_apply(sketch_of(prod, call), w, work.r, projection);
        for (size_t j = 0; j < w; j++)
            work.sign[j] = projection[j] >= 0;
        fq_pack(1, w, work.sign, records + prod->sign_at);
    }
    return n_groups;
}

/* Prepared query: R q, then A R q. */
void turboquant_prod_prepare(const struct turboquant_prod *prod, const struct fq_call *call, size_t n, const float *q,
                             void *prepared) {
    float *rotated = prepared;
    for (size_t i = 0; i < n; i++, q += call->shape.dim, rotated += 2 * prod->work_dim) {
        fq_scalar_code_rotate(&prod->stage, call, 1, q, rotated);
        fq_dense_apply(sketch_of(prod, call), prod->work_dim, rotated, rotated + prod->work_dim);
    }
}

/* S and S gain gamma of one record: the factors of the codeword and of the signs. */
static void factors(const struct turboquant_prod *prod, const uint8_t *record, double *code, double *sign) {
    *code = (double)fq_scalar_get(prod->stage.scalar, record + prod->norm_at);
    const double residual = prod->stores_residual
                                ? (double)fq_scalar_get(prod->stage.scalar, record + prod->residual_at)
                                : prod->constant_residual;
    *sign = *code * prod->gain * residual;
}

void turboquant_prod_score(const struct turboquant_prod *prod, const struct fq_call *call, const void *prepared,
                           size_t n_groups, const uint8_t *records, float *scores) {
    const size_t w = prod->work_dim;
    const float *rotated = prepared, *sketched = rotated + w, *levels = fq_scalar_code_levels(call->shared);
    const struct work work = work_of(call);
    for (size_t i = 0; i < n_groups; i++, records += prod->record_bytes) {
        double code_factor, sign_factor, code_sum = 0, sign_sum = 0;
        factors(prod, records, &code_factor, &sign_factor);
        fq_unpack(prod->stage.bits, w, records, work.index);
        fq_unpack(1, w, records + prod->sign_at, work.sign);
        for (size_t j = 0; j < w; j++) {
            code_sum += (double)levels[work.index[j]] * (double)rotated[j];
            sign_sum += work.sign[j] ? (double)sketched[j] : -(double)sketched[j];
        }
        scores[i] = (float)(code_factor * code_sum + sign_factor * sign_sum);
    }
}

/* codes[w] += weight S c and signs[w] += weight S gain gamma z for one record. */
static void accumulate(const struct turboquant_prod *prod, const struct fq_call *call, const uint8_t *record,
                       double weight, const struct work *work, float *codes, float *signs) {
    const float *levels = fq_scalar_code_levels(call->shared);
    double code_factor, sign_factor;
    factors(prod, record, &code_factor, &sign_factor);
    const float by_code = (float)(weight * code_factor), by_sign = (float)(weight * sign_factor);
    fq_unpack(prod->stage.bits, prod->work_dim, record, work->index);
    fq_unpack(1, prod->work_dim, record + prod->sign_at, work->sign);
    for (size_t j = 0; j < prod->work_dim; j++) {
        codes[j] += by_code * levels[work->index[j]];
        signs[j] += work->sign[j] ? by_sign : -by_sign;
    }
}

/* x = R^T (codes + A^T signs); overwrites codes. */
static void reconstruct(const struct turboquant_prod *prod, const struct fq_call *call, float *codes,
                        const float *signs, float *spare, float *x) {
    fq_dense_apply_transposed(sketch_of(prod, call), prod->work_dim, signs, spare);
    for (size_t j = 0; j < prod->work_dim; j++)
        codes[j] += spare[j];
    fq_rotation_invert(prod->stage.rotation, prod->stage.rounds, prod->stage.dim,
                       fq_scalar_code_rotation_state(call->shared), 1, codes, x);
}

/* The weighted sum of n records, rotated back once: decode is the sum of one. */
void turboquant_prod_attend(const struct turboquant_prod *prod, const struct fq_call *call, size_t n,
                            const uint8_t *records, const float *weights, float *out) {
    const struct work work = work_of(call);
    float *codes = work.r, *signs = work.c, *spare = (float *)call->scratch + 3 * prod->work_dim;
    memset(codes, 0, prod->work_dim * sizeof *codes);
    memset(signs, 0, prod->work_dim * sizeof *signs);
    for (size_t i = 0; i < n; i++, records += prod->record_bytes)
        accumulate(prod, call, records, (double)weights[i], &work, codes, signs);
    reconstruct(prod, call, codes, signs, spare, out);
}

void turboquant_prod_decode(const struct turboquant_prod *prod, const struct fq_call *call, size_t n_groups,
                            const uint8_t *records, float *x) {
    const float one = 1;
    for (size_t i = 0; i < n_groups; i++, records += prod->record_bytes, x += call->shape.dim)
        turboquant_prod_attend(prod, call, 1, records, &one, x);
}

/* ---- turboquant-prod -----------------------------------------------------------------------------------------------
 */

static void rotate(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct turboquant_prod prod = turboquant_prod_of(call->params, &call->shape);
    fq_scalar_code_rotate(&prod.stage, call, n, x, y);
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct turboquant_prod prod = turboquant_prod_of(call->params, &call->shape);
    return turboquant_prod_encode(&prod, call, n_groups, y, records);
}

static void prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    const struct turboquant_prod prod = turboquant_prod_of(call->params, &call->shape);
    turboquant_prod_prepare(&prod, call, n, q, prepared);
}

static void score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                  float *scores) {
    const struct turboquant_prod prod = turboquant_prod_of(call->params, &call->shape);
    turboquant_prod_score(&prod, call, prepared, n_groups, records, scores);
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct turboquant_prod prod = turboquant_prod_of(call->params, &call->shape);
    turboquant_prod_decode(&prod, call, n_groups, records, x);
}

static void attend(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                   float *out) {
    const struct turboquant_prod prod = turboquant_prod_of(call->params, &call->shape);
    turboquant_prod_attend(&prod, call, n_groups, records, weights, out);
}

const struct fq_kernels turboquant_prod_ref = {
    .rotate = rotate, .encode = encode, .prepare = prepare, .score = score, .decode = decode, .attend = attend};
