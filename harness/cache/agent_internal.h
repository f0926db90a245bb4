/* The inside of an agent, shared by agent.c (life, keys and values) and agent_attention.c (scores, weights, outputs).
 * Nothing else includes this. */
#ifndef FQ_CACHE_AGENT_INTERNAL_H
#define FQ_CACHE_AGENT_INTERNAL_H

#include "harness/cache/agent.h"
#include "harness/cache/store.h"

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
};

/* The store of a version other than full, its codec made ready for this layer and head; NULL if there is none. */
struct fq_store *fq_agent_store(struct fq_agent *a, size_t layer, enum fq_tensor tensor, enum fq_version version,
                                size_t head);
/* Tokens [first, first + n) of a store into out, the centre of keys put back. */
int fq_agent_decode(struct fq_agent *a, size_t layer, enum fq_tensor tensor, enum fq_version version, size_t head,
                    size_t first, size_t n, float *out, struct fq_error *err);
/* What a query at this position of a window reads: the policy's spans, or everything full in a full prefill. */
struct fq_policy_spans fq_agent_spans(const struct fq_agent *a, enum fq_tensor tensor, size_t layer, size_t position);

#endif
