/* Product quantization, scalar: index_m = nearest entry of codebook m to sub-vector m, x ~ R^T (c_1, c_2, ...), times
 * the norm where it is stored. <q, x> is a sum of table entries <q_m, c>, one table per query. */
#include "methods/pq/pq.h"

#include <float.h>
#include <math.h>
#include <string.h>

struct parts {
    double *sum;    /* [work_dim] */
    float *y;       /* [work_dim] */
    uint8_t *index; /* [subs] */
};

static struct parts parts_of(const struct pq_layout *l, void *scratch) {
    double *sum = scratch;
    void *behind = sum + l->work_dim;
    float *y = behind;
    return (struct parts){.sum = sum, .y = y, .index = (uint8_t *)(y + l->work_dim)};
}

const float *pq_codebook(const struct pq_layout *l, const void *shared, size_t sub) {
    const void *codebooks = (const uint8_t *)shared + l->rotation_bytes;
    return (const float *)codebooks + sub * l->levels * l->sub_dim;
}

static void pq_rotate_ref(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct pq_layout l = pq_layout_of(call->params, &call->shape);
    fq_rotation_apply(l.rotation, l.rounds, l.dim, call->shared, n, x, y);
}

static uint8_t nearest(const struct pq_layout *l, const float *codebook, const float *y) {
    size_t best = 0;
    double least = INFINITY;
    for (size_t k = 0; k < l->levels; k++) {
        double distance = 0;
        for (size_t i = 0; i < l->sub_dim; i++) {
            const double e = (double)y[i] - (double)codebook[k * l->sub_dim + i];
            distance += e * e;
        }
        if (distance < least) {
            least = distance;
            best = k;
        }
    }
    return (uint8_t)best;
}

static enum fq_scalar_kind norm_kind(const struct pq_layout *l) {
    return l->norm == PQ_NORM_FP16 ? FQ_SCALAR_FP16 : FQ_SCALAR_FP32;
}

static bool all_finite(size_t n, const float *y) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(y[i]))
            return false;
    return true;
}

/* Entries of different vectors may make a longer one than any that was learnt. Decoding rotates it back in float, where
 * sums on the way reach work_dim times a coordinate: next to the end of float's range that is refused. */
static bool decodes_finite(const struct pq_layout *l, double length) {
    return length * (double)l->work_dim < (double)FLT_MAX;
}

static size_t pq_encode_ref(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct pq_layout l = pq_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    for (size_t v = 0; v < n_groups; v++) {
        uint8_t *record = records + v * call->footprint->record_bytes;
        memcpy(p.y, y + v * l.work_dim, l.work_dim * sizeof *p.y);
        const double norm = pq_normalise(&l, p.y);
        if (!all_finite(l.work_dim, p.y)) /* a rotation that overflowed has no nearest entry */
            return v;
        if (l.norm != PQ_NORM_NONE && !fq_scalar_put(norm_kind(&l), norm, record + l.code_bytes))
            return v;
        double square = 0;
        for (size_t m = 0; m < l.subs; m++) {
            const float *codebook = pq_codebook(&l, call->shared, m);
            p.index[m] = nearest(&l, codebook, p.y + m * l.sub_dim);
            for (size_t i = 0; i < l.sub_dim; i++) {
                const double entry = (double)codebook[p.index[m] * l.sub_dim + i];
                square += entry * entry;
            }
        }
        if (!decodes_finite(&l, norm * sqrt(square)))
            return v;
        fq_pack(l.code_bits, l.subs, p.index, record);
    }
    return n_groups;
}

/* Unpacks the indices of a record; returns its norm. */
static double read_record(const struct pq_layout *l, const uint8_t *record, uint8_t *index) {
    fq_unpack(l->code_bits, l->subs, record, index);
    return l->norm == PQ_NORM_NONE ? 1 : (double)fq_scalar_get(norm_kind(l), record + l->code_bytes);
}

static void pq_prepare_ref(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    const struct pq_layout l = pq_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    float *table = prepared;
    for (size_t v = 0; v < n; v++) {
        fq_rotation_apply(l.rotation, l.rounds, l.dim, call->shared, 1, q + v * l.dim, p.y);
        for (size_t m = 0; m < l.subs; m++) {
            const float *codebook = pq_codebook(&l, call->shared, m);
            for (size_t k = 0; k < l.levels; k++, table++) {
                double dot = 0;
                for (size_t i = 0; i < l.sub_dim; i++)
                    dot += (double)p.y[m * l.sub_dim + i] * (double)codebook[k * l.sub_dim + i];
                *table = (float)dot;
            }
        }
    }
}

static void pq_score_ref(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                         float *scores) {
    const struct pq_layout l = pq_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    const float *table = prepared;
    for (size_t v = 0; v < n_groups; v++) {
        const double norm = read_record(&l, records + v * call->footprint->record_bytes, p.index);
        double sum = 0;
        for (size_t m = 0; m < l.subs; m++)
            sum += (double)table[m * l.levels + p.index[m]];
        scores[v] = (float)(norm * sum);
    }
}

static void pq_decode_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct pq_layout l = pq_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    for (size_t v = 0; v < n_groups; v++) {
        const double norm = read_record(&l, records + v * call->footprint->record_bytes, p.index);
        for (size_t m = 0; m < l.subs; m++) {
            const float *entry = pq_codebook(&l, call->shared, m) + p.index[m] * l.sub_dim;
            for (size_t i = 0; i < l.sub_dim; i++)
                p.y[m * l.sub_dim + i] = (float)(norm * (double)entry[i]);
        }
        fq_rotation_invert(l.rotation, l.rounds, l.dim, call->shared, 1, p.y, x + v * l.dim);
    }
}

/* The sum is formed among rotated vectors and rotated back once. */
static void pq_attend_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                          float *out) {
    const struct pq_layout l = pq_layout_of(call->params, &call->shape);
    const struct parts p = parts_of(&l, call->scratch);
    for (size_t i = 0; i < l.work_dim; i++)
        p.sum[i] = 0;
    for (size_t v = 0; v < n_groups; v++) {
        const double norm = read_record(&l, records + v * call->footprint->record_bytes, p.index);
        for (size_t m = 0; m < l.subs; m++) {
            const float *entry = pq_codebook(&l, call->shared, m) + p.index[m] * l.sub_dim;
            for (size_t i = 0; i < l.sub_dim; i++)
                p.sum[m * l.sub_dim + i] += (double)weights[v] * norm * (double)entry[i];
        }
    }
    for (size_t i = 0; i < l.work_dim; i++)
        p.y[i] = (float)p.sum[i];
    fq_rotation_invert(l.rotation, l.rounds, l.dim, call->shared, 1, p.y, out);
}

const struct fq_kernels pq_kernels_ref = {
    .rotate = pq_rotate_ref,
    .encode = pq_encode_ref,
    .prepare = pq_prepare_ref,
    .score = pq_score_ref,
    .decode = pq_decode_ref,
    .attend = pq_attend_ref,
};
