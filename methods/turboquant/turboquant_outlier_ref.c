/* The outlier-channel split, reference bodies: gather each part's channels, and let the scalar code do the rest.
 *
 *   rotate      x -> (R_1 x_loud, R_2 x_rest)
 *   encode      each part with its own norm and width
 *   score       <q_loud, x_loud> + <q_rest, x_rest>
 *   decode      both parts, scattered back to their channels */
#include "methods/turboquant/turboquant_outlier.h"

/* What the scalar code of one part sees: its shared block and scratch; records stay as far apart as they are. */
struct part_call {
    struct fq_call call;
    struct fq_footprint footprint;
};

static void open_part(const struct turboquant_outlier *split, const struct fq_call *call, int p,
                      struct part_call *part) {
    part->footprint = fq_scalar_code_footprint(&split->part[p]);
    part->footprint.record_bytes = split->record_bytes;
    part->call = *call;
    part->call.footprint = &part->footprint;
    part->call.shared = (const uint8_t *)call->shared + split->shared_at[p];
    part->call.scratch = (uint8_t *)call->scratch + split->part_scratch_at;
}

static const uint16_t *channels(const struct turboquant_outlier *split, const struct fq_call *call, int p) {
    return (const uint16_t *)call->shared + (p == OUTLIER_LOUD ? 0 : split->part[OUTLIER_LOUD].dim);
}

void turboquant_outlier_rotate(const struct turboquant_outlier *split, const struct fq_call *call, size_t n,
                               const float *x, float *y) {
    float *v = call->scratch;
    for (size_t i = 0; i < n; i++, x += split->dim)
        for (int p = 0; p < OUTLIER_PARTS; p++) {
            struct part_call part;
            open_part(split, call, p, &part);
            const uint16_t *channel = channels(split, call, p);
            for (size_t j = 0; j < split->part[p].dim; j++)
                v[j] = x[channel[j]];
            fq_scalar_code_rotate(&split->part[p], &part.call, 1, v, y);
            y += split->work_dim[p];
        }
}

size_t turboquant_outlier_encode(const struct turboquant_outlier *split, const struct fq_call *call, size_t n,
                                 const float *y, uint8_t *records) {
    for (size_t i = 0; i < n; i++, records += split->record_bytes)
        for (int p = 0; p < OUTLIER_PARTS; p++) {
            struct part_call part;
            open_part(split, call, p, &part);
            if (fq_scalar_code_encode(&split->part[p], &part.call, 1, y, records + split->record_at[p]) != 1)
                return i;
            y += split->work_dim[p];
        }
    return n;
}

void turboquant_outlier_score(const struct turboquant_outlier *split, const struct fq_call *call, const float *query,
                              size_t n, const uint8_t *records, float *scores) {
    struct part_call loud, rest;
    open_part(split, call, OUTLIER_LOUD, &loud);
    open_part(split, call, OUTLIER_REST, &rest);
    const float *rest_query = query + split->work_dim[OUTLIER_LOUD];
    for (size_t i = 0; i < n; i++, records += split->record_bytes) {
        float first, second;
        fq_scalar_code_score(&split->part[OUTLIER_LOUD], &loud.call, query, 1, records + split->record_at[OUTLIER_LOUD],
                             &first);
        fq_scalar_code_score(&split->part[OUTLIER_REST], &rest.call, rest_query, 1,
                             records + split->record_at[OUTLIER_REST], &second);
        scores[i] = first + second;
    }
}

void turboquant_outlier_attend(const struct turboquant_outlier *split, const struct fq_call *call, size_t n,
                               const uint8_t *records, const float *weights, float *out) {
    float *v = call->scratch;
    for (int p = 0; p < OUTLIER_PARTS; p++) {
        struct part_call part;
        open_part(split, call, p, &part);
        const uint16_t *channel = channels(split, call, p);
        fq_scalar_code_attend(&split->part[p], &part.call, n, records + split->record_at[p], weights, v);
        for (size_t j = 0; j < split->part[p].dim; j++)
            out[channel[j]] = v[j];
    }
}

void turboquant_outlier_decode(const struct turboquant_outlier *split, const struct fq_call *call, size_t n,
                               const uint8_t *records, float *x) {
    const float one = 1;
    for (size_t i = 0; i < n; i++, records += split->record_bytes, x += split->dim)
        turboquant_outlier_attend(split, call, 1, records, &one, x);
}

/* ---- the two methods -----------------------------------------------------------------------------------------------
 */

static void rotate(const struct fq_call *call, size_t n, const float *x, float *y) {
    const struct turboquant_outlier split = turboquant_outlier_of(call->params, &call->shape);
    turboquant_outlier_rotate(&split, call, n, x, y);
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct turboquant_outlier split = turboquant_outlier_of(call->params, &call->shape);
    return turboquant_outlier_encode(&split, call, n_groups, y, records);
}

static void prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    rotate(call, n, q, prepared);
}

static void score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                  float *scores) {
    const struct turboquant_outlier split = turboquant_outlier_of(call->params, &call->shape);
    turboquant_outlier_score(&split, call, prepared, n_groups, records, scores);
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct turboquant_outlier split = turboquant_outlier_of(call->params, &call->shape);
    turboquant_outlier_decode(&split, call, n_groups, records, x);
}

static void attend(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                   float *out) {
    const struct turboquant_outlier split = turboquant_outlier_of(call->params, &call->shape);
    turboquant_outlier_attend(&split, call, n_groups, records, weights, out);
}

const struct fq_kernels turboquant_outlier_ref = {
    .rotate = rotate, .encode = encode, .prepare = prepare, .score = score, .decode = decode, .attend = attend};

/* Only what depends on the codebook's scale differs: rotating and preparing do not. */
static size_t encode_released(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const struct turboquant_outlier split = turboquant_release_outlier_of(call->params, &call->shape);
    return turboquant_outlier_encode(&split, call, n_groups, y, records);
}

static void score_released(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                           float *scores) {
    const struct turboquant_outlier split = turboquant_release_outlier_of(call->params, &call->shape);
    turboquant_outlier_score(&split, call, prepared, n_groups, records, scores);
}

static void decode_released(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const struct turboquant_outlier split = turboquant_release_outlier_of(call->params, &call->shape);
    turboquant_outlier_decode(&split, call, n_groups, records, x);
}

static void attend_released(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                            float *out) {
    const struct turboquant_outlier split = turboquant_release_outlier_of(call->params, &call->shape);
    turboquant_outlier_attend(&split, call, n_groups, records, weights, out);
}

const struct fq_kernels turboquant_release_outlier_ref = {.rotate = rotate,
                                                          .encode = encode_released,
                                                          .prepare = prepare,
                                                          .score = score_released,
                                                          .decode = decode_released,
                                                          .attend = attend_released};
