/* The inside of an agent, shared by agent.c (life, keys and values), agent_attention.c (scores, weights, outputs) and
 * agent_error.c (what that does to them). Nothing else includes this. */
#ifndef FQ_CACHE_AGENT_INTERNAL_H
#define FQ_CACHE_AGENT_INTERNAL_H

#include "harness/cache/agent.h"
#include "harness/cache/store.h"
#include "harness/measure/ppl_attention.h"

enum { FQ_AGENT_BLOCK = 128 }; /* queries at a time: bounds scratch, and nearly halves the work of a causal window */

struct fq_agent {
    struct fq_agent_config config;
    struct fq_policy_plan plan;
    struct fq_codec *codec[FQ_POLICY_CODES];
    struct fq_store *store; /* [layers][tensor][codes, decayed][kv_heads]; codec NULL where there is none */

    float *rows;    /* [context][dim]: one head's tokens */
    float *decoded; /* [context][dim] */
    float *taken;   /* [context][dim]: centres; NULL without */
    float *queries; /* [heads][n_queries][dim], of the layer being scored */
    size_t queries_room, n_queries;
    float *block; /* [FQ_AGENT_BLOCK][context]: scores or masked weights */
    bool *begun;  /* blocks of all query heads of one KV head: an output was written */
    size_t begun_room;

    fq_agent_put *put; /* NULL: no codec learns */
    void *put_arg;

    size_t prompt; /* tokens of the present window that nobody scores */

    struct fq_agent_reads reads, reads_before; /* before: when the window began */
    struct fq_bytes bytes_before[FQ_POLICY_CODES];

    struct fq_ppl_loop *loop;           /* NULL: errors are not measured */
    struct fq_ppl_attention *attention; /* NULL: those of the attention are not */
    size_t sample[FQ_PPL_QUERIES], n_samples;
    float *difference; /* [context][dim] */
    bool keys_unread;  /* keys were read that have no decoded form */
};

/* The store of a version other than full, its codec made ready for this layer and head; NULL if there is none. */
struct fq_store *fq_agent_store(struct fq_agent *a, size_t layer, enum fq_tensor tensor, enum fq_version version,
                                size_t head);
/* Tokens [first, first + n) of a store into out, the centre of keys put back. */
int fq_agent_decode(struct fq_agent *a, size_t layer, enum fq_tensor tensor, enum fq_version version, size_t head,
                    size_t first, size_t n, float *out, struct fq_error *err);
/* What a query at this position of a window reads: the policy's spans, or everything full in a full prefill. */
struct fq_policy_spans fq_agent_spans(const struct fq_agent *a, enum fq_tensor tensor, size_t layer, size_t position);

/* ---- agent_error.c; all of it does nothing where errors are not measured ---- */
int fq_agent_errors_open(struct fq_agent *a, struct fq_error *err);
void fq_agent_errors_close(struct fq_agent *a);
void fq_agent_touches(const struct fq_agent *a, bool out[2]); /* by enum fq_tensor: is it encoded in any layer? */
/* path: decoded: a row as the model made it and as it was written, of every layer. */
void fq_agent_error_row(struct fq_agent *a, enum fq_tensor tensor, size_t layer, size_t head, size_t position,
                        const float *x, const float *written);
/* path: scores: before any score is overwritten; for each version, when a->decoded holds it; before outputs of a KV
 * head are summed anew. */
void fq_agent_error_scores(struct fq_agent *a, const struct fq_attention_view *v);
void fq_agent_error_version(struct fq_agent *a, const struct fq_attention_view *v, enum fq_tensor tensor,
                            enum fq_version version, size_t kv_head);
void fq_agent_error_begin(struct fq_agent *a, const struct fq_attention_view *v, size_t kv_head);

#endif
