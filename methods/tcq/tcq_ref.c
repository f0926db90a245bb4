/* tcq, reference bodies.
 *
 *   rotate   y = R x
 *   encode   z = sqrt(w) y / ||y||; the path of least squared distance (Viterbi); its bit stream; the scale S
 *   decode   state t = bits [b t, b t + L) of the stream; y = S codebook[state]; x = R^T y
 * The search makes encode about a thousand times as dear as a scalar code; decode is one table look-up a coordinate. */
#include "methods/tcq/tcq.h"

#include <math.h>
#include <string.h>

struct work {
    float *v, *sum;
    uint16_t *state;
    void *search;
};

static struct work work_of(const struct tcq *t, const struct fq_call *call) {
    float *v = call->scratch;
    uint32_t *state = (void *)(v + 2 * t->work_dim); /* room for whole words keeps the search aligned */
    return (struct work){.v = v, .sum = v + t->work_dim, .state = (uint16_t *)state, .search = state + t->work_dim};
}

static void rotate(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct tcq t = tcq_of(call->params, &call->shape);
    fq_rotation_apply(t.rotation, t.rounds, t.dim, (const float *)call->shared + TCQ_MAX_STATES, n, x, y);
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct tcq t = tcq_of(call->params, &call->shape);
    const float *codebook = call->shared;
    const size_t w = t.work_dim;
    const struct work work = work_of(&t, call);
    for (size_t i = 0; i < n_groups; i++, y += w, records += t.record_bytes) {
        double squared = 0;
        for (size_t j = 0; j < w; j++)
            squared += (double)y[j] * (double)y[j];
        const double factor = squared > 0 ? sqrt((double)w / squared) : 0;
        for (size_t j = 0; j < w; j++)
            work.v[j] = (float)(factor * (double)y[j]);
        (void)tcq_viterbi(t.bits, codebook, w, work.v, work.state, work.search);
        for (size_t j = 0; j < w; j++)
            work.v[j] = codebook[work.state[j]];
        const double scale = fq_scale_of(t.scale, w, y, work.v, w);
        if (!fq_scalar_put(t.scalar, scale, records + t.code_bytes))
            return i;
        tcq_write_states(t.bits, w, work.state, records);
    }
    return n_groups;
}

static void prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    rotate(call, n, q, prepared);
}

static void score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                  float *scores) {
    const struct tcq t = tcq_of(call->params, &call->shape);
    const float *codebook = call->shared, *q = prepared;
    const struct work work = work_of(&t, call);
    for (size_t i = 0; i < n_groups; i++, records += t.record_bytes) {
        double sum = 0;
        tcq_read_states(t.bits, t.work_dim, records, work.state);
        for (size_t j = 0; j < t.work_dim; j++)
            sum += (double)codebook[work.state[j]] * (double)q[j];
        scores[i] = (float)(sum * (double)fq_scalar_get(t.scalar, records + t.code_bytes));
    }
}

static void attend(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                   float *out) {
    const struct tcq t = tcq_of(call->params, &call->shape);
    const float *codebook = call->shared;
    const struct work work = work_of(&t, call);
    memset(work.sum, 0, t.work_dim * sizeof *work.sum);
    for (size_t i = 0; i < n_groups; i++, records += t.record_bytes) {
        const float factor = weights[i] * fq_scalar_get(t.scalar, records + t.code_bytes);
        tcq_read_states(t.bits, t.work_dim, records, work.state);
        for (size_t j = 0; j < t.work_dim; j++)
            work.sum[j] += factor * codebook[work.state[j]];
    }
    fq_rotation_invert(t.rotation, t.rounds, t.dim, codebook + TCQ_MAX_STATES, 1, work.sum, out);
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct tcq t = tcq_of(call->params, &call->shape);
    const float one = 1;
    for (size_t i = 0; i < n_groups; i++, records += t.record_bytes, x += t.dim)
        attend(call, 1, records, &one, x);
}

const struct fq_kernels tcq_ref = {
    .rotate = rotate, .encode = encode, .prepare = prepare, .score = score, .decode = decode, .attend = attend};
