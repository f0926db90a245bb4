/* E8P, scalar: rotate, normalise, multiply by the input scale, nearest lattice point of each 8 coordinates, one scale
 * per vector. Record: 16-bit indices, least significant byte first, then the scale. c below is in N(0,1) units, the
 * code word divided by the input scale: x ~ S R^T c. */
#include "methods/e8/e8p.h"

#include <math.h>

struct parts {
    double *sum; /* [work_dim] */
    float *c;    /* [work_dim] */
};

static struct parts parts_of(const struct e8p_layout *l, void *scratch) {
    double *sum = scratch;
    void *behind = sum + l->work_dim;
    return (struct parts){.sum = sum, .c = behind};
}

static const struct e8p_table *table_of(const struct e8p_layout *l, const struct fq_call *call) {
    return (const struct e8p_table *)((const uint8_t *)call->shared + l->rotation_bytes);
}

static void e8p_rotate_ref(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct e8p_layout l = e8p_layout_of(call->params, &call->shape);
    fq_rotation_apply(l.rotation, l.rounds, l.dim, call->shared, n, x, y);
}

static void e8p_prepare_ref(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    e8p_rotate_ref(call, n, q, prepared);
}

/* Indices of a record to c; returns S. */
static double read_record(const struct e8p_layout *l, const struct e8p_table *table, const uint8_t *record, float *c) {
    const float inverse = (float)(1 / l->input_scale);
    for (size_t b = 0; b < l->blocks; b++) {
        e8p_decode(table, (uint16_t)(record[2 * b] | record[2 * b + 1] << 8), c + b * E8P_DIM);
        for (size_t i = b * E8P_DIM; i < (b + 1) * E8P_DIM; i++)
            c[i] *= inverse;
    }
    return (double)fq_scalar_get(l->scalar, record + l->code_bytes);
}

static void encode_vector(const struct e8p_layout *l, const struct e8p_table *table, const float *y, uint8_t *record) {
    double square = 0;
    for (size_t i = 0; i < l->work_dim; i++)
        square += (double)y[i] * (double)y[i];
    const double factor = square > 0 ? l->input_scale * sqrt((double)l->work_dim / square) : 0;
    for (size_t b = 0; b < l->blocks; b++) {
        float z[E8P_DIM];
        for (size_t i = 0; i < E8P_DIM; i++)
            z[i] = (float)((double)y[b * E8P_DIM + i] * factor);
        const uint16_t index = e8p_nearest(table, z);
        record[2 * b] = (uint8_t)(index & 0xff);
        record[2 * b + 1] = (uint8_t)(index >> 8);
    }
}

static size_t e8p_encode_ref(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct e8p_layout l = e8p_layout_of(call->params, &call->shape);
    const struct e8p_table *table = table_of(&l, call);
    const struct parts p = parts_of(&l, call->scratch);
    for (size_t v = 0; v < n_groups; v++) {
        uint8_t *record = records + v * l.record_bytes;
        encode_vector(&l, table, y + v * l.work_dim, record);
        if (!fq_scalar_put(l.scalar, 0, record + l.code_bytes))
            return v;
        read_record(&l, table, record, p.c);
        const double scale = fq_scale_of(l.scale, l.work_dim, y + v * l.work_dim, p.c, l.work_dim);
        if (!fq_scalar_put(l.scalar, scale, record + l.code_bytes))
            return v;
    }
    return n_groups;
}

static void e8p_score_ref(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                          float *scores) {
    const struct e8p_layout l = e8p_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    const float *q = prepared;
    for (size_t v = 0; v < n_groups; v++) {
        const double scale = read_record(&l, table_of(&l, call), records + v * l.record_bytes, p.c);
        double dot = 0;
        for (size_t i = 0; i < l.work_dim; i++)
            dot += (double)q[i] * (double)p.c[i];
        scores[v] = (float)(scale * dot);
    }
}

static void e8p_decode_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct e8p_layout l = e8p_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    for (size_t v = 0; v < n_groups; v++) {
        const double scale = read_record(&l, table_of(&l, call), records + v * l.record_bytes, p.c);
        for (size_t i = 0; i < l.work_dim; i++)
            p.c[i] = (float)(scale * (double)p.c[i]);
        fq_rotation_invert(l.rotation, l.rounds, l.dim, call->shared, 1, p.c, x + v * l.dim);
    }
}

/* The sum is formed among rotated vectors and rotated back once. */
static void e8p_attend_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                           float *out) {
    const struct e8p_layout l = e8p_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    for (size_t i = 0; i < l.work_dim; i++)
        p.sum[i] = 0;
    for (size_t v = 0; v < n_groups; v++) {
        const double scale = read_record(&l, table_of(&l, call), records + v * l.record_bytes, p.c);
        for (size_t i = 0; i < l.work_dim; i++)
            p.sum[i] += (double)weights[v] * scale * (double)p.c[i];
    }
    for (size_t i = 0; i < l.work_dim; i++)
        p.c[i] = (float)p.sum[i];
    fq_rotation_invert(l.rotation, l.rounds, l.dim, call->shared, 1, p.c, out);
}

const struct fq_kernels e8p_kernels_ref = {
    .rotate = e8p_rotate_ref,
    .encode = e8p_encode_ref,
    .prepare = e8p_prepare_ref,
    .score = e8p_score_ref,
    .decode = e8p_decode_ref,
    .attend = e8p_attend_ref,
};
