/* RaBitQ's query side, scalar: the rotated query in float, or quantized to 4 or 8 bits on its own minimum and maximum,
 * and the estimate that meets it with the raw codes (methods.md 4.2, 4.3). Nothing here may allocate or keep state.
 *
 * A quantized query is q^_i = v_l + width k_i. Its own sum is used, not that of q', because only then are both factors
 * of <x_u, q^> + c_B sum q^ = width (<x_u, k> + c_B sum k) + v_l (sum x_u + c_B d') those of the same vector. */
#include "methods/rabitq/rabitq.h"

#include <math.h>

enum { HEADER = 4 }; /* v_l, width, sum k, <q', R c> */

int rabitq_query_bits(int query) {
    static const int bits[] = {[RABITQ_QUERY_FLOAT] = 0,
                               [RABITQ_QUERY_4BIT] = 4,
                               [RABITQ_QUERY_4BIT_RANDOMISED] = 4,
                               [RABITQ_QUERY_8BIT] = 8,
                               [RABITQ_QUERY_8BIT_RANDOMISED] = 8};
    return bits[query];
}

bool rabitq_query_is_randomised(int query) {
    return query == RABITQ_QUERY_4BIT_RANDOMISED || query == RABITQ_QUERY_8BIT_RANDOMISED;
}

size_t rabitq_prepared_bytes(const struct rabitq_config *config, size_t work_dim) {
    const int bits = rabitq_query_bits(config->query);
    if (bits == 0)
        return (work_dim + 2) * sizeof(float);
    /* whole floats, so that the next query's header is aligned */
    return HEADER * sizeof(float) + (fq_packed_bytes(bits, work_dim) + 3) / 4 * 4;
}

/* floor((v - v_l) / width + 1/2), or + u with u uniform in (0, 1): the expectation of the latter is exact. */
static void quantize_query(const struct rabitq_layout *l, const float *q, float *header, uint8_t *codes) {
    const int bits = rabitq_query_bits(l->config.query);
    const double top = (double)((1U << bits) - 1U);
    float low = q[0], high = q[0];
    for (size_t i = 1; i < l->work_dim; i++) {
        low = q[i] < low ? q[i] : low;
        high = q[i] > high ? q[i] : high;
    }
    const double width = ((double)high - (double)low) / top;
    double sum = 0;
    for (size_t i = 0; i < l->work_dim; i++) {
        const double offset = l->rounding ? (double)l->rounding[i] : 0.5;
        const double k = width > 0 ? floor(((double)q[i] - (double)low) / width + offset) : 0;
        l->scratch.code[i] = (uint8_t)(k < top ? k : top);
        sum += l->scratch.code[i];
    }
    for (size_t i = fq_packed_bytes(bits, l->work_dim); i % 4 != 0; i++)
        codes[i] = 0; /* up to the next query */
    header[0] = low;
    header[1] = (float)width;
    header[2] = (float)sum;
    fq_pack(bits, l->work_dim, l->scratch.code, codes);
}

void rabitq_prepare_ref(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    const struct rabitq_layout l = rabitq_layout_of(call);
    uint8_t *at = prepared;
    for (size_t v = 0; v < n; v++, at += call->footprint->prepared_bytes) {
        float *header = (float *)(void *)at;
        float *rotated = l.config.query == RABITQ_QUERY_FLOAT ? header : l.scratch.residual;
        fq_rotation_apply(l.config.rotation, l.config.rounds, l.dim, l.rotation, 1, q + v * l.dim, rotated);
        double sum = 0, along = 0;
        for (size_t i = 0; i < l.work_dim; i++) {
            sum += (double)rotated[i];
            along += l.centroid ? (double)rotated[i] * (double)l.centroid[i] : 0;
        }
        if (l.config.query == RABITQ_QUERY_FLOAT) {
            header[l.work_dim] = (float)(l.centre * sum);
            header[l.work_dim + 1] = (float)along;
        } else {
            quantize_query(&l, rotated, header, at + HEADER * sizeof(float));
            header[3] = (float)along;
        }
    }
}

/* <g, q'> from the raw codes in scratch.code. */
static double grid_dot_float(const struct rabitq_layout *l, const float *q) {
    double dot = (double)q[l->work_dim];
    for (size_t i = 0; i < l->work_dim; i++)
        dot += (double)l->scratch.code[i] * (double)q[i];
    return dot;
}

static double grid_dot_quantized(const struct rabitq_layout *l, const float *header, const uint8_t *query) {
    double dot = 0, sum = 0; /* integers below 2^29 */
    for (size_t i = 0; i < l->work_dim; i++) {
        dot += (double)l->scratch.code[i] * (double)query[i];
        sum += (double)l->scratch.code[i];
    }
    return (double)header[1] * (dot + l->centre * (double)header[2]) +
           (double)header[0] * (sum + l->centre * (double)l->work_dim);
}

/* (n^2 / A) <g, q'> + <q', R c>. */
void rabitq_score_ref(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                      float *scores) {
    const struct rabitq_layout l = rabitq_layout_of(call);
    const int bits = rabitq_query_bits(l.config.query);
    const float *header = prepared;
    const double along = (double)header[bits == 0 ? l.work_dim + 1 : 3];
    uint8_t query[FQ_MAX_DIM];
    if (bits != 0)
        fq_unpack(bits, l.work_dim, (const uint8_t *)prepared + HEADER * sizeof(float), query);
    for (size_t v = 0; v < n_groups; v++) {
        const uint8_t *record = records + v * l.record_bytes;
        fq_unpack(l.config.bits, l.work_dim, record, l.scratch.code);
        const double dot = bits == 0 ? grid_dot_float(&l, header) : grid_dot_quantized(&l, header, query);
        scores[v] = (float)((double)fq_scalar_get(l.config.scalar, record + l.code_bytes) * l.step * dot + along);
    }
}
