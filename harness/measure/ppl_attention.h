/* What each layer's attention suffers: for a few queries of a window, the output o from the keys and values that the
 * model made in this layer and pass, against the output from what the cache returns. The input of the layer is whatever
 * the layers below made of it, so this is the error of the layer alone.
 *
 * Both outputs are computed here from one set of scores, by one arithmetic: where nothing differs, the error is exactly
 * 0. Scale, soft cap and mask are the model's own (struct fq_attention_view).
 * For arms, and for other agents on a perplexity reference. */
#ifndef FQ_MEASURE_PPL_ATTENTION_H
#define FQ_MEASURE_PPL_ATTENTION_H

#include "harness/base/blas.h"
#include "harness/base/error.h"
#include "harness/data/model.h"
#include "harness/measure/ppl_loop.h"

#include <stdbool.h>
#include <stddef.h>

enum { FQ_PPL_QUERIES = 8 };

/* Positions of the sampled queries of a window, ascending: one in each eighth of its second half (fewer if that half is
 * shorter), at places inside the eighths that are not evenly spaced, so that they do not keep step with groups of
 * tokens; the last one is the window's last. Returns how many. */
size_t fq_ppl_queries(size_t context, size_t positions[FQ_PPL_QUERIES]);

struct fq_ppl_attention_shape {
    size_t layers, heads, kv_heads, dim, context;
    size_t batch;    /* tokens per graph: what is kept of a layer must outlive a graph where a window has several */
    bool written[2]; /* key, value: the cache holds something else than the model made */
};

struct fq_ppl_attention;
/* Errors go into `loop`, which must outlive it. */
int fq_ppl_attention_open(const struct fq_ppl_attention_shape *shape, struct fq_ppl_loop *loop,
                          struct fq_ppl_attention **out, struct fq_error *err);
void fq_ppl_attention_close(struct fq_ppl_attention *p); /* NULL is fine */

/* ---- a cache that was written over (first path) ----
 * Calls of a layer in the order of the hooks: every row of written tensors, the queries, then scores and outputs. */

/* The row x[dim] of a token as the model made it, and as it was written, in every layer (also where both are the same).
 * tensor: FQ_HOOK_KEY or FQ_HOOK_VALUE. */
void fq_ppl_attention_row(struct fq_ppl_attention *p, enum fq_hook_tensor tensor, size_t layer, size_t head,
                          size_t position, const float *x, const float *written);
/* data[n_tokens][heads][dim] */
void fq_ppl_attention_queries(struct fq_ppl_attention *p, size_t first_position, size_t n_tokens, const float *data);
/* The hook: looks at SCORES and OUTPUT, changes nothing. */
void fq_ppl_attention_look(struct fq_ppl_attention *p, const struct fq_attention_view *view);

/* ---- a cache at full precision whose pairs are answered otherwise (second path) ---- */

/* Scores as the model has them, and as they were made. */
void fq_ppl_attention_before(struct fq_ppl_attention *p, const struct fq_attention_view *scores);
void fq_ppl_attention_after(struct fq_ppl_attention *p, const struct fq_attention_view *scores);
/* Weights as the model has them, and with zeros where some were dropped. Not called: none are. */
void fq_ppl_attention_undropped(struct fq_ppl_attention *p, const struct fq_attention_view *weights);
void fq_ppl_attention_dropped(struct fq_ppl_attention *p, const struct fq_attention_view *weights);

/* Sampled queries of a view: samples [first, end). */
struct fq_ppl_samples {
    size_t first, end;
};
struct fq_ppl_samples fq_ppl_attention_samples(const struct fq_ppl_attention *p, const struct fq_attention_view *view);
size_t fq_ppl_attention_position(const struct fq_ppl_attention *p, size_t sample);

/* One KV head of an OUTPUT view, after its scores: begin, then for each version of values that is read
 * add: difference[n_tokens][dim], what the model made less what is read, for tokens [begin[i], end[i]) of sample i;
 * then end. */
void fq_ppl_attention_begin(struct fq_ppl_attention *p, const struct fq_attention_view *output, size_t kv_head,
                            struct fq_blas_matrix values, bool values_are_transposed);
void fq_ppl_attention_add(struct fq_ppl_attention *p, const float *difference, const size_t begin[FQ_PPL_QUERIES],
                          const size_t end[FQ_PPL_QUERIES]);
void fq_ppl_attention_end(struct fq_ppl_attention *p);

#endif
