/* polarquant, reference bodies, in the order of the paper.
 *
 *   precondition  y = R x                                                                          -> rotate
 *   transform     level 1: (y_2i, y_2i+1) -> radius, angle in [0, 2 pi); level 2, 3, 4: pairs of radii -> radius, angle
 *                 in [0, pi/2]; after four levels a block of 16 has one radius                     -> encode
 *   quantize      level 1: equal cells; above: nearest angle of Lloyd's codebook                   -> encode
 *   decode        from the radius down: (r cos psi, r sin psi)                                     -> expand
 * A query is rotated once; scores and weighted sums stay among rotated vectors. */
#include "methods/polarquant/polarquant.h"

#include "methods/common/pack.h"

#include <math.h>
#include <string.h>

struct work {
    float *v, *sum;
    uint8_t *first, *upper; /* 8 and 7 indices per block */
};

static struct work work_of(const struct polar *p, const struct fq_call *call) {
    float *v = call->scratch;
    uint8_t *first = (uint8_t *)(v + 2 * p->work_dim);
    return (struct work){.v = v, .sum = v + p->work_dim, .first = first, .upper = first + 8 * p->blocks};
}

/* Where a level's index of block b lies among the upper indices: level 2 of all blocks first (4 each), then level 3
 * (2), then level 4 (1). */
static size_t upper_place(const struct polar *p, int u, size_t block, size_t k) {
    static const size_t before[POLAR_UPPER] = {0, 4, 6}, each[POLAR_UPPER] = {4, 2, 1};
    return before[u] * p->blocks + each[u] * block + k;
}

static void rotate(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct polar p = polar_of(call->params, &call->shape);
    const struct polar_tables *tables = call->shared;
    fq_rotation_apply(p.rotation, p.rounds, p.dim, tables + 1, n, x, y);
}

static uint8_t first_index(int bits, double x, double y) {
    const double turn = 2 * acos(-1.0), cells = (double)(1U << bits);
    double theta = atan2(y, x);
    if (theta < 0)
        theta += turn;
    if (isnan(theta)) /* a rotation that overflowed; the block's radius is no number either, and encode refuses that */
        return 0;
    const unsigned cell = (unsigned)(theta / turn * cells);
    return (uint8_t)(cell & ((1U << bits) - 1U)); /* a full turn by rounding is the first cell again */
}

static uint8_t upper_index(const float *bound, int bits, double psi) {
    const unsigned last = (1U << bits) - 1U;
    unsigned k = 0;
    while (k < last && psi >= (double)bound[k])
        k++;
    return (uint8_t)k;
}

/* Angles of one block; returns its radius. */
static double transform(const struct polar *p, const struct polar_tables *tables, const float *y, size_t block,
                        const struct work *work) {
    double r[8];
    for (size_t k = 0; k < 8; k++) {
        const double a = (double)y[2 * k], b = (double)y[2 * k + 1];
        work->first[8 * block + k] = first_index(p->first_bits, a, b);
        r[k] = sqrt(a * a + b * b);
    }
    size_t n = 4;
    for (int u = 0; u < POLAR_UPPER; u++, n /= 2)
        for (size_t k = 0; k < n; k++) {
            const double a = r[2 * k], b = r[2 * k + 1];
            work->upper[upper_place(p, u, block, k)] = upper_index(tables->bound[u], p->upper_bits, atan2(b, a));
            r[k] = sqrt(a * a + b * b);
        }
    return r[0];
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct polar p = polar_of(call->params, &call->shape);
    const struct polar_tables *tables = call->shared;
    const struct work work = work_of(&p, call);
    const size_t scalar = fq_scalar_bytes(p.scalar);
    for (size_t i = 0; i < n_groups; i++, y += p.work_dim, records += p.record_bytes) {
        for (size_t b = 0; b < p.blocks; b++) {
            const double radius = transform(&p, tables, y + b * POLAR_BLOCK, b, &work);
            if (!fq_scalar_put(p.scalar, radius, records + p.radius_at + b * scalar))
                return i;
        }
        fq_pack(p.first_bits, 8 * p.blocks, work.first, records);
        fq_pack(p.upper_bits, 7 * p.blocks, work.upper, records + p.upper_at);
    }
    return n_groups;
}

static void prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    rotate(call, n, q, prepared);
}

/* v[work_dim]: the decoded vector, still rotated. */
static void expand(const struct polar *p, const struct polar_tables *tables, const uint8_t *record,
                   const struct work *work, float *v) {
    const size_t scalar = fq_scalar_bytes(p->scalar);
    fq_unpack(p->first_bits, 8 * p->blocks, record, work->first);
    fq_unpack(p->upper_bits, 7 * p->blocks, record + p->upper_at, work->upper);
    for (size_t b = 0; b < p->blocks; b++, v += POLAR_BLOCK) {
        float r[8];
        r[0] = fq_scalar_get(p->scalar, record + p->radius_at + b * scalar);
        size_t n = 1;
        for (int u = POLAR_UPPER - 1; u >= 0; u--, n *= 2)
            for (size_t k = n; k-- > 0;) { /* from behind, so that r[2k] and r[2k+1] are free */
                const uint8_t index = work->upper[upper_place(p, u, b, k)];
                const float radius = r[k];
                r[2 * k + 1] = radius * tables->sine[u][index];
                r[2 * k] = radius * tables->cosine[u][index];
            }
        for (size_t k = 0; k < 8; k++) {
            const uint8_t index = work->first[8 * b + k];
            v[2 * k] = r[k] * tables->first_cos[index];
            v[2 * k + 1] = r[k] * tables->first_sin[index];
        }
    }
}

static void score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                  float *scores) {
    const struct polar p = polar_of(call->params, &call->shape);
    const struct work work = work_of(&p, call);
    const float *q = prepared;
    for (size_t i = 0; i < n_groups; i++, records += p.record_bytes) {
        double sum = 0;
        expand(&p, call->shared, records, &work, work.v);
        for (size_t j = 0; j < p.work_dim; j++)
            sum += (double)work.v[j] * (double)q[j];
        scores[i] = (float)sum;
    }
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct polar p = polar_of(call->params, &call->shape);
    const struct polar_tables *tables = call->shared;
    const struct work work = work_of(&p, call);
    for (size_t i = 0; i < n_groups; i++, records += p.record_bytes, x += p.dim) {
        expand(&p, tables, records, &work, work.v);
        fq_rotation_invert(p.rotation, p.rounds, p.dim, tables + 1, 1, work.v, x);
    }
}

static void attend(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                   float *out) {
    const struct polar p = polar_of(call->params, &call->shape);
    const struct polar_tables *tables = call->shared;
    const struct work work = work_of(&p, call);
    memset(work.sum, 0, p.work_dim * sizeof *work.sum);
    for (size_t i = 0; i < n_groups; i++, records += p.record_bytes) {
        expand(&p, tables, records, &work, work.v);
        for (size_t j = 0; j < p.work_dim; j++)
            work.sum[j] += weights[i] * work.v[j];
    }
    fq_rotation_invert(p.rotation, p.rounds, p.dim, tables + 1, 1, work.sum, out);
}

const struct fq_kernels polarquant_ref = {
    .rotate = rotate, .encode = encode, .prepare = prepare, .score = score, .decode = decode, .attend = attend};
