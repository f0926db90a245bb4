/* A policy at work between a model and its cache.
 *
 * The model's own cache stays at full precision. Beside it stand the encoded bytes of keys and values (store.h), and
 * for each (query, key) pair that the policy answers with codes, the score is overwritten with what the codes give
 * before the softmax, and the output is summed from what they decode to. So a pair can be answered by its own version
 * of a token, which one decoded cache for all queries cannot (docs/adr: the second path).
 *
 * The functions below are the hooks of harness/data/model.h and those of struct fq_ppl_agent, all with the
 * agent as their argument. */
#ifndef FQ_CACHE_AGENT_H
#define FQ_CACHE_AGENT_H

#include "harness/cache/policy.h"
#include "harness/data/model.h"
#include "harness/measure/codec.h"
#include "harness/measure/series.h"

struct fq_agent_config {
    const struct fq_policy *policy; /* must outlive the agent */
    size_t layers, heads, kv_heads, dim, context;
    uint64_t seed;            /* of every codec's streams */
    struct fq_centre *centre; /* of the policy's kind, for the model's keys; NULL if the policy has none */
    size_t chunks;            /* windows whose errors are measured apart; 0: errors are not measured */
    size_t batch;             /* tokens per graph; only for errors */
    bool attention_hidden;    /* fq_model_attention_obstacle: errors of keys and values alone */
};

/* Codecs that learn have a state for each layer and KV head: called before such a codec reads or writes codes there. */
typedef void fq_agent_put(void *arg, size_t code, enum fq_tensor tensor, size_t layer, size_t head);

struct fq_agent;
int fq_agent_open(const struct fq_agent_config *config, struct fq_agent **out, struct fq_error *err);
void fq_agent_close(struct fq_agent *agent); /* NULL is fine */

int fq_agent_window(void *agent, size_t chunk, struct fq_error *err);
/* The window that has just begun has a prompt of so many tokens, whose queries a full prefill answers at full
 * precision; half of the context unless it is called. */
void fq_agent_prompt(void *agent, size_t tokens);
/* Takes reads and bytes of the window that has just ended off the counts. */
void fq_agent_forget(void *agent);
int fq_agent_tensors(void *agent, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                     size_t n_heads, size_t dim, float *data, struct fq_error *err);
int fq_agent_attention(void *agent, const struct fq_attention_view *view, struct fq_error *err);
/* The attention hook; for a policy of path: decoded, which works on the tensors alone, one that only looks, or NULL. */
fq_model_attention_hook *fq_agent_attention_hook(const struct fq_agent *agent);

const char *fq_agent_tensor(const struct fq_agent *agent);               /* what is touched: "key", "value", "kv" */
struct fq_policy_plan *fq_agent_plan(struct fq_agent *agent);            /* codec i is that of plan.code[i] */
struct fq_codec *fq_agent_codec(const struct fq_agent *agent, size_t i); /* i < plan.n_codes */

/* Without it a policy with a codec that learns cannot run. */
void fq_agent_learned(struct fq_agent *agent, fq_agent_put *put, void *arg);

/* What was read since the agent was opened: pairs of query and token, once per layer and KV head. */
struct fq_agent_reads {
    uint64_t pairs[2][FQ_VERSIONS]; /* by enum fq_tensor */
    uint64_t weights, skipped;      /* sparse V: weights that the mask leaves, once per query head; those dropped */
};
void fq_agent_reads(const struct fq_agent *agent, struct fq_agent_reads *out);

/* The errors of keys and values, where they are encoded anywhere, and of the attention (harness/measure/ppl_loop.h), of
 * the windows that ran or were restored. Nothing where they are not measured; no keys if they have no decoded form. */
int fq_agent_series(const struct fq_agent *agent, struct fq_series_list *out, struct fq_error *err);
bool fq_agent_keys_unread(const struct fq_agent *agent); /* have keys had no decoded form? */

/* What a window added to counts, errors and the codecs' own counts, so that it need not run again (struct
 * fq_ppl_agent). */
size_t fq_agent_state_bytes(const struct fq_agent *agent);
void fq_agent_save(void *agent, void *state);
void fq_agent_restore(void *agent, size_t chunk, const void *state);

/* Bytes of the cache at n tokens with the record sizes that were seen, which are the promised ones unless a method
 * broke its promise. */
void fq_agent_count(struct fq_agent *agent, size_t n, struct fq_policy_bytes *out);

#endif
