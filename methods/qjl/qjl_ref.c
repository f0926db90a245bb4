/* qjl, reference bodies, in the order of the paper.
 *
 *   encode      z = sign(S k), m bits, sign(0) = +1; norm ||k||
 *   prepare     S q, in float: the query is never quantized
 *   score       est <q, k> = ||k|| sqrt(pi/2) / m sum_j z_j (S q)_j
 * With outlier channels the key is split into its outliers and the rest, each sketched by itself; the query's sketch is
 * split by subtracting that of its outliers, which depends on the group's channels and is made when the group is met.
 * Differences from the paper: README.md. */
#include "methods/qjl/qjl.h"

#include "methods/common/pack.h"

#include <math.h>
#include <string.h>

struct work {
    double *energy;      /* of each channel, d */
    float *v;            /* one vector, d */
    float *in, *out;     /* sketches, m each */
    uint8_t *sign;       /* m */
    uint8_t *is_outlier; /* d */
};

static struct work work_of(const struct qjl *q, const struct fq_call *call) {
    double *energy = call->scratch;
    float *v = (float *)(void *)(energy + q->dim);
    uint8_t *sign = (uint8_t *)(v + q->dim + 2 * q->m);
    return (struct work){
        .energy = energy, .v = v, .in = v + q->dim, .out = v + q->dim + q->m, .sign = sign, .is_outlier = sign + q->m};
}

/* y[rows] += x times the first rows of column j. */
static void add_column(const struct qjl *q, const float *s, size_t j, float x, size_t rows, float *y) {
    const float *column = s + j * q->m;
    for (size_t i = 0; i < rows; i++)
        y[i] += column[i] * x;
}

static void put_index(const struct qjl *q, size_t channel, uint8_t *bytes) {
    bytes[0] = (uint8_t)channel;
    if (q->index_bytes > 1)
        bytes[1] = (uint8_t)(channel >> 8);
}

static size_t get_index(const struct qjl *q, const uint8_t *bytes) {
    return bytes[0] + (q->index_bytes > 1 ? (size_t)bytes[1] << 8 : 0);
}

/* Marks the channels of largest energy over the group, lower numbers first among equals, and writes their numbers in
 * ascending order. */
static void choose_outliers(const struct qjl *q, const float *k, const struct work *work, uint8_t *record) {
    memset(work->energy, 0, q->dim * sizeof *work->energy);
    memset(work->is_outlier, 0, q->dim);
    for (size_t t = 0; t < q->group; t++)
        for (size_t j = 0; j < q->dim; j++)
            work->energy[j] += (double)k[t * q->dim + j] * (double)k[t * q->dim + j];
    for (size_t o = 0; o < q->outliers; o++) {
        size_t top = 0;
        double most = -1;
        for (size_t j = 0; j < q->dim; j++)
            if (!work->is_outlier[j] && work->energy[j] > most) {
                most = work->energy[j];
                top = j;
            }
        work->is_outlier[top] = 1;
    }
    for (size_t j = 0; j < q->dim; j++)
        if (work->is_outlier[j]) {
            put_index(q, j, record);
            record += q->index_bytes;
        }
}

/* Sign bits of the first `rows` rows of S times the part of k that is (outlier) or is not an outlier channel. The part
 * is made a unit vector first: signs do not change, and a huge vector cannot overflow. */
static void sketch_part(const struct qjl *q, const float *s, const float *k, double norm, bool outlier, size_t rows,
                        const struct work *work, uint8_t *bits) {
    memset(work->in, 0, rows * sizeof *work->in);
    for (size_t j = 0; j < q->dim; j++) {
        const bool in_part = !q->outliers || (work->is_outlier[j] != 0) == outlier;
        work->v[j] = in_part && norm > 0 ? (float)((double)k[j] / norm) : 0;
        if (in_part)
            add_column(q, s, j, work->v[j], rows, work->in);
    }
    for (size_t i = 0; i < rows; i++)
        work->sign[i] = work->in[i] >= 0;
    fq_pack(1, rows, work->sign, bits);
}

static double norm_of(const struct qjl *q, const float *k, const uint8_t *only) {
    double sum = 0;
    for (size_t j = 0; j < q->dim; j++)
        if (!only || only[j])
            sum += (double)k[j] * (double)k[j];
    return sqrt(sum);
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct qjl q = qjl_of(call->params, &call->shape);
    const struct work work = work_of(&q, call);
    const float *s = call->shared;
    for (size_t g = 0; g < n_groups; g++, y += q.group * q.dim, records += q.record_bytes) {
        if (q.outliers)
            choose_outliers(&q, y, &work, records);
        for (size_t t = 0; t < q.group; t++) {
            const float *k = y + t * q.dim;
            uint8_t *token = records + q.tokens_at + t * q.token_bytes;
            const double norm = norm_of(&q, k, NULL);
            if (!fq_scalar_put(q.scalar, norm, token + q.norm_at))
                return g;
            sketch_part(&q, s, k, norm, false, q.m, &work, token);
            if (!q.outliers)
                continue;
            const double out_norm = norm_of(&q, k, work.is_outlier);
            if (!fq_scalar_put(q.scalar, out_norm, token + q.out_norm_at))
                return g;
            sketch_part(&q, s, k, out_norm, true, q.m_out, &work, token + q.out_at);
        }
    }
    return n_groups;
}

static void prepare(const struct fq_call *call, size_t n, const float *query, void *prepared) {
    const struct qjl q = qjl_of(call->params, &call->shape);
    float *out = prepared;
    for (size_t v = 0; v < n; v++, query += q.dim, out += q.m + q.dim) {
        memset(out, 0, q.m * sizeof *out);
        for (size_t j = 0; j < q.dim; j++)
            add_column(&q, call->shared, j, query[j], q.m, out);
        memcpy(out + q.m, query, q.dim * sizeof *out);
    }
}

/* sum_i +-sketch_i by the sign bits. */
static double signed_sum(size_t rows, const uint8_t *bits, const float *sketch, uint8_t *sign) {
    double sum = 0;
    fq_unpack(1, rows, bits, sign);
    for (size_t i = 0; i < rows; i++)
        sum += sign[i] ? (double)sketch[i] : -(double)sketch[i];
    return sum;
}

static void score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                  float *scores) {
    const struct qjl q = qjl_of(call->params, &call->shape);
    const struct work work = work_of(&q, call);
    const float *sketched = prepared, *query = sketched + q.m, *inlier = sketched;
    const double gain = sqrt(acos(-1.0) / 2);
    for (size_t g = 0; g < n_groups; g++, records += q.record_bytes) {
        if (q.outliers) {
            memset(work.out, 0, q.m * sizeof *work.out);
            for (size_t o = 0; o < q.outliers; o++) {
                const size_t j = get_index(&q, records + o * q.index_bytes);
                add_column(&q, call->shared, j, query[j], q.m, work.out);
            }
            for (size_t i = 0; i < q.m; i++)
                work.in[i] = sketched[i] - work.out[i];
            inlier = work.in;
        }
        for (size_t t = 0; t < q.group; t++) {
            const uint8_t *token = records + q.tokens_at + t * q.token_bytes;
            double norm = (double)fq_scalar_get(q.scalar, token + q.norm_at), out_part = 0;
            if (q.outliers) {
                const double out_norm = (double)fq_scalar_get(q.scalar, token + q.out_norm_at);
                out_part = out_norm / (double)q.m_out * signed_sum(q.m_out, token + q.out_at, work.out, work.sign);
                norm = sqrt(fmax(norm * norm - out_norm * out_norm, 0)); /* both are rounded; never below zero */
            }
            const double in_part = norm / (double)q.m * signed_sum(q.m, token, inlier, work.sign);
            *scores++ = (float)(gain * (in_part + out_part));
        }
    }
}

const struct fq_kernels qjl_ref = {.encode = encode, .prepare = prepare, .score = score};
