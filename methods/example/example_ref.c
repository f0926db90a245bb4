/* Reference bodies: scalar, readable, in the order of the description; the definition of correct for every faster body.
 *
 * With L = 2^(b-1) - 1 and amax = max_i |x_i|: step = amax / L, code_i = round(x_i / step) in -L .. L, x_i ~ step
 * code_i. Record: codes + L, packed to b bits each, then the step as fp16.
 *
 * The rules of a kernel (harness/method.h): it allocates nothing, starts no thread, reads no clock, does no input or
 * output, and keeps nothing from one call to the next. Scratch is full of poison when a kernel begins. */
#include "methods/example/example.h"

#include <math.h>

/* What every kernel needs, derived from the call; cheap enough to derive again each time, and so never stored. */
struct layout {
    int bits;
    int greatest; /* L */
    size_t dim, code_bytes, record_bytes;
    double *sum;   /* [dim], scratch */
    uint8_t *code; /* [dim], scratch */
};

static struct layout layout_of(const struct fq_call *call) {
    const int bits = (int)call->params->v[EXAMPLE_BITS];
    const size_t dim = call->shape.dim;
    double *sum = call->scratch;
    return (struct layout){
        .bits = bits,
        .greatest = (1 << (bits - 1)) - 1,
        .dim = dim,
        .code_bytes = fq_packed_bytes(bits, dim),
        .record_bytes = call->footprint->record_bytes,
        .sum = sum,
        .code = (uint8_t *)(sum + dim),
    };
}

/* Returns the number of vectors encoded. Fewer than asked means: that one cannot be represented, here because its step
 * is beyond fp16. The harness then names the vector in its error; a saturated step would be a wrong number instead. */
static size_t example_encode_ref(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct layout l = layout_of(call);
    for (size_t v = 0; v < n_groups; v++) {
        const float *x = y + v * l.dim;
        uint8_t *record = records + v * l.record_bytes;
        double amax = 0;
        for (size_t i = 0; i < l.dim; i++)
            amax = fmax(amax, fabs((double)x[i]));
        if (!fq_scalar_put(FQ_SCALAR_FP16, amax / l.greatest, record + l.code_bytes))
            return v;
        /* Code with the step that was stored, so that its rounding is not added to the error of each coordinate. A zero
         * step (zero vector, or one so small that fp16 has nothing for it) decodes to zeros: a defined result. */
        const double step = (double)fq_scalar_get(FQ_SCALAR_FP16, record + l.code_bytes);
        for (size_t i = 0; i < l.dim; i++) {
            const double level = step > 0 ? rint((double)x[i] / step) : 0;
            const double clamped = fmin(fmax(level, -l.greatest), l.greatest);
            l.code[i] = (uint8_t)((int)clamped + l.greatest);
        }
        fq_pack(l.bits, l.dim, l.code, record);
    }
    return n_groups;
}

/* What can be done once per query. Nothing to do here but to keep it. */
static void example_prepare_ref(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    float *out = prepared;
    for (size_t i = 0; i < n * call->shape.dim; i++)
        out[i] = q[i];
}

/* <q, x> estimated from the record alone: step sum_i q_i code_i. It equals <q, decode> up to rounding; a test below
 * says so. */
static void example_score_ref(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                              float *scores) {
    const struct layout l = layout_of(call);
    const float *q = prepared;
    for (size_t v = 0; v < n_groups; v++) {
        const uint8_t *record = records + v * l.record_bytes;
        fq_unpack(l.bits, l.dim, record, l.code);
        double dot = 0;
        for (size_t i = 0; i < l.dim; i++)
            dot += (double)q[i] * (l.code[i] - l.greatest);
        scores[v] = (float)((double)fq_scalar_get(FQ_SCALAR_FP16, record + l.code_bytes) * dot);
    }
}

static void example_decode_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct layout l = layout_of(call);
    for (size_t v = 0; v < n_groups; v++) {
        const uint8_t *record = records + v * l.record_bytes;
        const double step = (double)fq_scalar_get(FQ_SCALAR_FP16, record + l.code_bytes);
        fq_unpack(l.bits, l.dim, record, l.code);
        for (size_t i = 0; i < l.dim; i++)
            x[v * l.dim + i] = (float)(step * (l.code[i] - l.greatest));
    }
}

/* out = sum_v weight_v x_v. Optional: without it the harness decodes and sums. Worth writing where the sum is cheaper
 * among codes than among floats, or, with a rotation, before it is undone. */
static void example_attend_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records,
                               const float *weights, float *out) {
    const struct layout l = layout_of(call);
    for (size_t i = 0; i < l.dim; i++)
        l.sum[i] = 0;
    for (size_t v = 0; v < n_groups; v++) {
        const uint8_t *record = records + v * l.record_bytes;
        const double weight = (double)weights[v] * (double)fq_scalar_get(FQ_SCALAR_FP16, record + l.code_bytes);
        fq_unpack(l.bits, l.dim, record, l.code);
        for (size_t i = 0; i < l.dim; i++)
            l.sum[i] += weight * (l.code[i] - l.greatest);
    }
    for (size_t i = 0; i < l.dim; i++)
        out[i] = (float)l.sum[i];
}

/* A stage that a method lacks stays NULL: here rotate. */
const struct fq_kernels example_kernels_ref = {
    .encode = example_encode_ref,
    .prepare = example_prepare_ref,
    .score = example_score_ref,
    .decode = example_decode_ref,
    .attend = example_attend_ref,
};
