/* Encoded bytes of one tensor of one layer and KV head. The codec is a machine that many stores share: it encodes, its
 * records are copied here, and reading gives it these bytes back. It must not keep a decoded row. */
#include "harness/cache/store.h"

#include "harness/base/half.h"
#include "harness/data/dataset.h"

#include <stdlib.h>
#include <string.h>

static size_t group(const struct fq_store *s) {
    return fq_codec_footprint(s->codec)->granularity;
}

static size_t dim_of(const struct fq_store *s) {
    return fq_codec_configuration(s->codec)->shape.dim;
}

static const char *name_of(const struct fq_store *s) {
    return fq_codec_configuration(s->codec)->method->name;
}

int fq_store_open(struct fq_store *store, struct fq_codec *codec, size_t tokens, struct fq_error *err) {
    memset(store, 0, sizeof *store);
    store->codec = codec;
    store->room_groups = tokens / group(store);
    store->records = malloc(store->room_groups * fq_codec_footprint(codec)->record_bytes + 1);
    store->pending = malloc(group(store) * dim_of(store) * sizeof *store->pending);
    if (store->records && store->pending)
        return 0;
    fq_store_close(store);
    return fq_fail(err, FQ_FAILED, "out of memory for the codes of %zu tokens", tokens);
}

void fq_store_close(struct fq_store *store) {
    free(store->records);
    free(store->pending);
    memset(store, 0, sizeof *store);
}

void fq_store_clear(struct fq_store *store) {
    store->n_groups = store->n_pending = 0;
}

size_t fq_store_tokens(const struct fq_store *store) {
    return store->n_groups * group(store) + store->n_pending;
}

/* x[n][dim], whole groups. */
static int encode(struct fq_store *s, size_t n, const float *x, struct fq_error *err) {
    const size_t groups = n / group(s), record = fq_codec_footprint(s->codec)->record_bytes;
    size_t bytes = 0;
    if (groups == 0)
        return 0;
    if (s->n_groups + groups > s->room_groups)
        return fq_fail(err, FQ_FAILED, "a store with room for %zu groups was given more", s->room_groups);
    FQ_TRY(fq_codec_encode(s->codec, n, x, err));
    const uint8_t *records = fq_codec_records(s->codec, &bytes);
    if (bytes > 0)
        memcpy(s->records + s->n_groups * record, records, bytes);
    s->n_groups += groups;
    return 0;
}

int fq_store_append(struct fq_store *store, size_t n, const float *x, struct fq_error *err) {
    const size_t g = group(store), dim = dim_of(store);
    if (store->n_pending > 0) { /* the begun group first */
        const size_t missing = g - store->n_pending, take = n < missing ? n : missing;
        memcpy(store->pending + store->n_pending * dim, x, take * dim * sizeof *x);
        store->n_pending += take;
        x += take * dim;
        n -= take;
        if (store->n_pending == g) {
            store->n_pending = 0;
            FQ_TRY(encode(store, g, store->pending, err));
        }
    }
    const size_t whole = n / g * g;
    FQ_TRY(encode(store, whole, x, err));
    if (n > whole)
        memcpy(store->pending, x + whole * dim, (n - whole) * dim * sizeof *x);
    store->n_pending += n - whole;
    return 0;
}

static float as_half(float v) {
    return fq_half_to_float(fq_float_to_half(v));
}

int fq_store_decode(struct fq_store *store, size_t first, size_t n, float *out, struct fq_error *err) {
    const size_t g = group(store), dim = dim_of(store), record = fq_codec_footprint(store->codec)->record_bytes;
    const size_t whole = store->n_groups * g, end = first + n;
    const size_t coded = end < whole ? end : whole;
    if (end > whole + store->n_pending || first % g != 0 || (end < whole && end % g != 0))
        return fq_fail(err, FQ_FAILED, "tokens %zu to %zu cannot be read from a store of %zu in groups of %zu", first,
                       end, fq_store_tokens(store), g);
    if (coded > first) {
        FQ_TRY(fq_codec_decode_from(store->codec, (coded - first) / g, store->records + first / g * record, out, err));
        FQ_TRY(fq_check_finite(name_of(store), out, coded - first, dim, err));
    }
    for (size_t i = coded > first ? coded : first; i < end; i++)
        for (size_t c = 0; c < dim; c++)
            out[(i - first) * dim + c] = as_half(store->pending[(i - whole) * dim + c]);
    return 0;
}

int fq_store_scores(struct fq_store *store, size_t n_queries, const float *q, float *scores, size_t stride,
                    struct fq_error *err) {
    const size_t dim = dim_of(store), whole = store->n_groups * group(store);
    if (store->n_groups > 0)
        FQ_TRY(fq_codec_scores_from(store->codec, store->n_groups, store->records, n_queries, q, scores, stride, err));
    for (size_t i = 0; i < n_queries; i++) {
        for (size_t t = 0; t < store->n_pending; t++) {
            double sum = 0.0;
            for (size_t c = 0; c < dim; c++)
                sum += (double)q[i * dim + c] * (double)as_half(store->pending[t * dim + c]);
            scores[i * stride + whole + t] = (float)sum;
        }
        FQ_TRY(fq_check_finite(name_of(store), scores + i * stride, 1, whole + store->n_pending, err));
    }
    return 0;
}
