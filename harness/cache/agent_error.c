/* What an agent does to keys, values and attention, at the sampled queries of a window
 * (harness/measure/ppl_attention.h): sums into struct fq_ppl_loop. It changes nothing that the model reads.
 *
 * A token's error is the mean over the sampled queries that see it, each with the version that it reads: 0 where that
 * is the full one. So a policy that reads everything as one kind of codes has the error of that codec on all tokens. */
#include "harness/cache/agent_internal.h"

#include <stdlib.h>

void fq_agent_touches(const struct fq_agent *a, bool out[2]) {
    out[FQ_KEY] = out[FQ_VALUE] = false;
    for (size_t i = 0; i < a->plan.n_codes; i++)
        out[a->plan.tensor[i]] = true;
}

int fq_agent_errors_open(struct fq_agent *a, struct fq_error *err) {
    const struct fq_agent_config *c = &a->config;
    struct fq_ppl_attention_shape shape = {.layers = c->layers,
                                           .heads = c->heads,
                                           .kv_heads = c->kv_heads,
                                           .dim = c->dim,
                                           .context = c->context,
                                           .batch = c->batch};
    if (c->chunks == 0)
        return 0;
    a->n_samples = fq_ppl_queries(c->context, a->sample);
    a->difference = malloc(c->context * c->dim * sizeof *a->difference);
    if (!a->difference)
        return fq_fail(err, FQ_FAILED, "out of memory for one head of %zu tokens", c->context);
    FQ_TRY(fq_ppl_loop_open(c->layers, c->heads, c->kv_heads, c->chunks, &a->loop, err));
    if (c->attention_hidden)
        return 0;
    if (c->policy->path == FQ_PATH_DECODED)
        fq_agent_touches(a, shape.written);
    return fq_ppl_attention_open(&shape, a->loop, &a->attention, err);
}

void fq_agent_errors_close(struct fq_agent *a) {
    fq_ppl_attention_close(a->attention);
    fq_ppl_loop_close(a->loop);
    free(a->difference);
}

int fq_agent_series(const struct fq_agent *agent, struct fq_series_list *out, struct fq_error *err) {
    const char *touches = fq_agent_tensor(agent);
    bool touched[2];
    if (!agent->loop)
        return 0;
    fq_agent_touches(agent, touched);
    if (touched[FQ_KEY] && !agent->keys_unread)
        FQ_TRY(fq_ppl_loop_series(agent->loop, FQ_PPL_KEY, touches, out, err));
    if (touched[FQ_VALUE])
        FQ_TRY(fq_ppl_loop_series(agent->loop, FQ_PPL_VALUE, touches, out, err));
    return agent->attention ? fq_ppl_loop_series(agent->loop, FQ_PPL_ATTENTION, touches, out, err) : 0;
}

bool fq_agent_keys_unread(const struct fq_agent *agent) {
    return agent->keys_unread;
}

/* ---- path: decoded -----------------------------------------------------------------------------------------------*/

void fq_agent_error_row(struct fq_agent *a, enum fq_tensor tensor, size_t layer, size_t head, size_t position,
                        const float *x, const float *written) {
    bool touched[2];
    if (!a->loop)
        return;
    fq_agent_touches(a, touched);
    if (!touched[tensor])
        return;
    fq_ppl_loop_add(a->loop, tensor == FQ_KEY ? FQ_PPL_KEY : FQ_PPL_VALUE, layer, head, a->config.dim, x, written);
    if (a->attention)
        fq_ppl_attention_row(a->attention, tensor == FQ_KEY ? FQ_HOOK_KEY : FQ_HOOK_VALUE, layer, head, position, x,
                             written);
}

/* ---- path: scores ------------------------------------------------------------------------------------------------*/

/* One head's tokens of the model's cache: element c of token j at data[j token + c channel]. */
struct tokens {
    const float *data;
    size_t token, channel;
};

static struct tokens own_tokens(const struct fq_attention_view *v, enum fq_tensor tensor, size_t kv_head) {
    if (tensor == FQ_KEY)
        return (struct tokens){v->keys + kv_head * v->key_head_stride, v->key_stride, 1};
    return (struct tokens){v->values + kv_head * v->value_head_stride, 1, v->value_stride};
}

/* Tokens [begin, end) that the sampled queries of a view read in this version; all that they see for the full one.
 * Returns where the last of them ends, 0 if there are none. */
static size_t read_by_samples(const struct fq_agent *a, const struct fq_attention_view *v, enum fq_tensor tensor,
                              enum fq_version version, size_t begin[FQ_PPL_QUERIES], size_t end[FQ_PPL_QUERIES]) {
    size_t last = 0;
    for (size_t k = 0; k < a->n_samples; k++) {
        begin[k] = end[k] = 0;
        if (a->sample[k] < v->first_position || a->sample[k] >= v->first_position + v->n_queries)
            continue;
        const struct fq_policy_spans s = fq_agent_spans(a, tensor, v->layer, a->sample[k]);
        begin[k] = version == FQ_VERSION_FULL ? 0 : version == FQ_VERSION_DECAYED ? s.sinks : s.decayed;
        end[k] = version == FQ_VERSION_FULL ? s.n : version == FQ_VERSION_DECAYED ? s.decayed : s.codes;
        last = begin[k] < end[k] && end[k] > last ? end[k] : last;
    }
    return last;
}

/* Of the sampled queries of the whole window that see token j, the part that reads it within [begin, end). */
static double part_of(const struct fq_agent *a, size_t j, const size_t begin[FQ_PPL_QUERIES],
                      const size_t end[FQ_PPL_QUERIES]) {
    size_t reads = 0, sees = 0;
    for (size_t k = 0; k < a->n_samples; k++) {
        reads += begin[k] <= j && j < end[k];
        sees += a->sample[k] >= j;
    }
    return sees ? (double)reads / (double)sees : 0.0;
}

static void add_energy(struct fq_agent *a, const struct fq_attention_view *v, enum fq_tensor tensor, size_t kv_head) {
    size_t begin[FQ_PPL_QUERIES], end[FQ_PPL_QUERIES];
    const size_t last = read_by_samples(a, v, tensor, FQ_VERSION_FULL, begin, end);
    const struct tokens x = own_tokens(v, tensor, kv_head);
    double sum = 0.0;
    for (size_t j = 0; j < last; j++) {
        double square = 0.0;
        for (size_t c = 0; c < v->dim; c++) {
            const double e = (double)x.data[j * x.token + c * x.channel];
            square += e * e;
        }
        sum += part_of(a, j, begin, end) * square;
    }
    fq_ppl_loop_sums(a->loop, tensor == FQ_KEY ? FQ_PPL_KEY : FQ_PPL_VALUE, v->layer, kv_head, 0.0, sum);
}

void fq_agent_error_version(struct fq_agent *a, const struct fq_attention_view *v, enum fq_tensor tensor,
                            enum fq_version version, size_t kv_head) {
    size_t begin[FQ_PPL_QUERIES], end[FQ_PPL_QUERIES];
    const size_t last = a->loop ? read_by_samples(a, v, tensor, version, begin, end) : 0, dim = v->dim;
    double sum = 0.0;
    if (last == 0)
        return;
    const struct tokens x = own_tokens(v, tensor, kv_head);
    for (size_t j = 0; j < last; j++) {
        double square = 0.0;
        for (size_t c = 0; c < dim; c++) {
            const float e = x.data[j * x.token + c * x.channel] - a->decoded[j * dim + c];
            a->difference[j * dim + c] = e;
            square += (double)e * (double)e;
        }
        sum += part_of(a, j, begin, end) * square;
    }
    fq_ppl_loop_sums(a->loop, tensor == FQ_KEY ? FQ_PPL_KEY : FQ_PPL_VALUE, v->layer, kv_head, sum, 0.0);
    if (tensor == FQ_VALUE && a->attention)
        fq_ppl_attention_add(a->attention, a->difference, begin, end);
}

void fq_agent_error_scores(struct fq_agent *a, const struct fq_attention_view *v) {
    for (size_t kv_head = 0; a->loop && kv_head < v->kv_heads; kv_head++)
        add_energy(a, v, FQ_KEY, kv_head);
    if (a->attention)
        fq_ppl_attention_before(a->attention, v);
}

void fq_agent_error_begin(struct fq_agent *a, const struct fq_attention_view *v, size_t kv_head) {
    if (a->loop)
        add_energy(a, v, FQ_VALUE, kv_head);
    if (a->attention)
        fq_ppl_attention_begin(a->attention, v, kv_head,
                               (struct fq_blas_matrix){v->values + kv_head * v->value_head_stride, v->value_stride},
                               true);
}
