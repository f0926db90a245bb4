/* RaBitQ, scalar, in the paper's order (methods.md 4.1, 4.2, centroid 0): the definition of correct. Differences from
 * the paper are listed in README.md. Sums run in double; nothing here may allocate or keep state. */
#include "methods/rabitq/rabitq.h"

#include <math.h>

/* Steps of the optimal uniform mid-rise quantizer of N(0,1), 1..8 bits (methods.md 1.5). */
double rabitq_step(int bits) {
    static const double step[] = {1.595769, 0.995687, 0.586019, 0.335201, 0.188139, 0.104063, 0.056868, 0.030762};
    return step[bits - 1];
}

static size_t round_up_64(size_t n) {
    return (n + 63) / 64 * 64;
}

size_t rabitq_scratch_bytes(const struct rabitq_config *config, size_t work_dim) {
    return 3 * round_up_64(work_dim * sizeof(double)) + 2 * rabitq_vector_bytes(work_dim) + round_up_64(work_dim) +
           (config->search == RABITQ_EXACT ? rabitq_search_bytes(config->bits, work_dim) : 0);
}

struct rabitq_scratch rabitq_scratch_of(void *scratch, size_t work_dim) {
    uint8_t *at = scratch;
    const size_t wide = round_up_64(work_dim * sizeof(double)), narrow = rabitq_vector_bytes(work_dim);
    return (struct rabitq_scratch){
        .sum = (double *)(void *)at,
        .magnitude = (double *)(void *)(at + wide),
        .inverse = (double *)(void *)(at + 2 * wide),
        .residual = (float *)(void *)(at + 3 * wide),
        .grid = (float *)(void *)(at + 3 * wide + narrow),
        .code = at + 3 * wide + 2 * narrow,
        .search = at + 3 * wide + 2 * narrow + round_up_64(work_dim),
    };
}

size_t rabitq_vector_bytes(size_t work_dim) {
    return round_up_64(work_dim * sizeof(float));
}

size_t rabitq_centroid_at(const struct rabitq_config *config, size_t dim) {
    return fq_rotation_state_bytes(config->rotation, config->rounds, dim);
}

size_t rabitq_rounding_at(const struct rabitq_config *config, size_t dim) {
    const size_t centroid = rabitq_vector_bytes(fq_rotation_work_dim(config->rotation, dim));
    return rabitq_centroid_at(config, dim) + (config->centroid ? centroid : 0);
}

size_t rabitq_shared_bytes(const struct rabitq_config *config, size_t dim) {
    const size_t rounding = rabitq_vector_bytes(fq_rotation_work_dim(config->rotation, dim));
    return rabitq_rounding_at(config, dim) + (rabitq_query_is_randomised(config->query) ? rounding : 0);
}

struct rabitq_layout rabitq_layout_of(const struct fq_call *call) {
    const struct rabitq_config config = rabitq_config_of(call->params);
    const size_t work_dim = call->footprint->work_dim, dim = call->shape.dim;
    const uint8_t *shared = call->shared;
    struct rabitq_layout l = {
        .config = config,
        .scratch = rabitq_scratch_of(call->scratch, work_dim),
        .dim = dim,
        .work_dim = work_dim,
        .code_bytes = fq_packed_bytes(config.bits, work_dim),
        .record_bytes = call->footprint->record_bytes,
        .step = rabitq_step(config.bits),
        .centre = -0.5 * (double)((1U << config.bits) - 1U),
        .rotation = shared,
    };
    if (config.centroid)
        l.centroid = (const float *)(const void *)(shared + rabitq_centroid_at(&config, dim));
    if (rabitq_query_is_randomised(config.query))
        l.rounding = (const float *)(const void *)(shared + rabitq_rounding_at(&config, dim));
    return l;
}

static void rabitq_rotate_ref(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct rabitq_config c = rabitq_config_of(call->params);
    fq_rotation_apply(c.rotation, c.rounds, call->shape.dim, call->shared, n, x, y);
}

static double norm_of(size_t n, const float *r) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)r[i] * (double)r[i];
    return sqrt(sum);
}

/* e_i = min(floor(t a_i), 2^ex - 1) at the constant t = sqrt(d) / step. */
static void extended_fast(const struct rabitq_layout *l, const float *r, double norm) {
    const double t = sqrt((double)l->work_dim) / (l->step * norm);
    const double top = (double)((1U << (l->config.bits - 1)) - 1U);
    for (size_t i = 0; i < l->work_dim; i++) {
        const double e = t * fabs((double)r[i]);
        l->scratch.code[i] = (uint8_t)(e < top ? e : top);
    }
}

/* The same at the best t. */
static void extended_exact(const struct rabitq_layout *l, const float *r, double norm) {
    const struct rabitq_scratch *s = &l->scratch;
    const int bits = l->config.bits;
    for (size_t i = 0; i < l->work_dim; i++) {
        s->magnitude[i] = fabs((double)r[i]) / norm;
        s->inverse[i] = s->magnitude[i] > 0 ? 1 / s->magnitude[i] : 0;
    }
    const double t = rabitq_search_exact(bits, l->work_dim, s->magnitude, s->inverse, s->search);
    for (size_t i = 0; i < l->work_dim; i++)
        s->code[i] = (uint8_t)rabitq_extended_code(bits, s->magnitude[i], s->inverse[i], t);
}

/* x_u and the codeword c = step g of one rotated vector of norm n > 0. */
static void quantize(const struct rabitq_layout *l, const float *r, double norm) {
    const unsigned half = 1U << (l->config.bits - 1); /* 2^ex */
    if (l->config.search == RABITQ_EXACT)
        extended_exact(l, r, norm);
    else
        extended_fast(l, r, norm);
    for (size_t i = 0; i < l->work_dim; i++) {
        /* A coordinate that is exactly zero counts as negative (the paper's s_i = r_i > 0); it does not change <r,g>.
         */
        const unsigned e = l->scratch.code[i];
        const unsigned code = r[i] > 0 ? half + e : half - 1 - e; /* half - 1 - e: the complement of e */
        l->scratch.code[i] = (uint8_t)code;
        l->scratch.grid[i] = (float)(((double)code + l->centre) * l->step);
    }
}

/* r = R x - R c. */
static const float *residual_of(const struct rabitq_layout *l, const float *y) {
    if (!l->centroid)
        return y;
    for (size_t i = 0; i < l->work_dim; i++)
        l->scratch.residual[i] = y[i] - l->centroid[i];
    return l->scratch.residual;
}

/* Of the codeword c = step g in scratch.grid; a positive multiple of g gives the same value. */
static double error_factor(const struct rabitq_layout *l, const float *r, double norm) {
    static const double epsilon0 = 1.9;
    double dot = 0, grid2 = 0;
    for (size_t i = 0; i < l->work_dim; i++) {
        dot += (double)l->scratch.grid[i] * (double)r[i];
        grid2 += (double)l->scratch.grid[i] * (double)l->scratch.grid[i];
    }
    const double excess = norm * norm * grid2 / (dot * dot) - 1;
    return l->work_dim > 1 && excess > 0 ? epsilon0 * norm * sqrt(excess / (double)(l->work_dim - 1)) : 0;
}

static size_t rabitq_encode_ref(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct rabitq_layout l = rabitq_layout_of(call);
    for (size_t v = 0; v < n_groups; v++) {
        const float *r = residual_of(&l, y + v * l.work_dim);
        uint8_t *record = records + v * l.record_bytes, *scalar = record + l.code_bytes;
        const double norm = norm_of(l.work_dim, r);
        if (!isfinite(norm)) /* the rotation overflowed */
            return v;
        double scale = 0, bound = 0;
        if (norm > 0) {
            quantize(&l, r, norm);
            scale = fq_scale_of(l.config.scale, l.work_dim, r, l.scratch.grid, l.work_dim);
            bound = l.config.bound ? error_factor(&l, r, norm) : 0;
        } else {
            for (size_t i = 0; i < l.work_dim; i++)
                l.scratch.code[i] = 0;
        }
        fq_pack(l.config.bits, l.work_dim, l.scratch.code, record);
        if (!fq_scalar_put(l.config.scalar, scale, scalar))
            return v;
        if (l.config.bound && !fq_scalar_put(l.config.scalar, bound, scalar + fq_scalar_bytes(l.config.scalar)))
            return v;
    }
    return n_groups;
}

double rabitq_error_factor(const struct fq_call *call, const uint8_t *record) {
    const struct rabitq_layout l = rabitq_layout_of(call);
    return (double)fq_scalar_get(l.config.scalar, record + l.code_bytes + fq_scalar_bytes(l.config.scalar));
}

static double centroid_of(const struct rabitq_layout *l, size_t i) {
    return l->centroid ? (double)l->centroid[i] : 0;
}

static void rabitq_decode_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct rabitq_layout l = rabitq_layout_of(call);
    const struct rabitq_config *c = &l.config;
    for (size_t v = 0; v < n_groups; v++) {
        const uint8_t *record = records + v * l.record_bytes;
        const double delta = (double)fq_scalar_get(c->scalar, record + l.code_bytes) * l.step;
        fq_unpack(c->bits, l.work_dim, record, l.scratch.code);
        for (size_t i = 0; i < l.work_dim; i++)
            l.scratch.grid[i] = (float)(delta * ((double)l.scratch.code[i] + l.centre) + centroid_of(&l, i));
        fq_rotation_invert(c->rotation, c->rounds, l.dim, l.rotation, 1, l.scratch.grid, x + v * l.dim);
    }
}

/* The weighted sum is formed in the rotated space, and rotated back once. */
static void rabitq_attend_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                              float *out) {
    const struct rabitq_layout l = rabitq_layout_of(call);
    const struct rabitq_config *c = &l.config;
    for (size_t i = 0; i < l.work_dim; i++)
        l.scratch.sum[i] = 0;
    for (size_t v = 0; v < n_groups; v++) {
        const uint8_t *record = records + v * l.record_bytes;
        const double weight = (double)weights[v];
        const double delta = weight * (double)fq_scalar_get(c->scalar, record + l.code_bytes) * l.step;
        fq_unpack(c->bits, l.work_dim, record, l.scratch.code);
        for (size_t i = 0; i < l.work_dim; i++)
            l.scratch.sum[i] += delta * ((double)l.scratch.code[i] + l.centre) + weight * centroid_of(&l, i);
    }
    for (size_t i = 0; i < l.work_dim; i++)
        l.scratch.grid[i] = (float)l.scratch.sum[i];
    fq_rotation_invert(c->rotation, c->rounds, l.dim, l.rotation, 1, l.scratch.grid, out);
}

const struct fq_kernels rabitq_kernels_ref = {
    .rotate = rabitq_rotate_ref,
    .encode = rabitq_encode_ref,
    .prepare = rabitq_prepare_ref,
    .score = rabitq_score_ref,
    .decode = rabitq_decode_ref,
    .attend = rabitq_attend_ref,
};
