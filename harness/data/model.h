/* A language model run by libllama, with hooks on the tensors that its KV cache is written from.
 *
 * Flash attention is off and the cache is float32. A hook sees each layer's K after RoPE, V, and Q after RoPE exactly
 * once per batch: on the node that the cache write (SET_ROWS) or the score product reads, after that node is computed.
 * Writing into the data replaces what the cache holds. */
#ifndef FQ_DATA_MODEL_H
#define FQ_DATA_MODEL_H

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "harness/method.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fq_model_info {
    char name[64], path[4096], sha256[FQ_SHA256_HEX], architecture[32], library[64];
    size_t layers; /* that have a KV cache; they are counted from 0 without the others */
    size_t layers_without_cache;
    size_t heads, kv_heads, dim, vocabulary, train_context;
    bool add_bos;
    bool key_bias;
};

struct fq_model;
bool fq_model_available(void); /* built with libllama? */

/* context: tokens per sequence, evaluated in graphs of at most 512 tokens, as llama.cpp's own tools do. threads:
 * libllama's own. */
int fq_model_open(const char *name_or_path, size_t context, unsigned threads, struct fq_model **out,
                  struct fq_error *err);
/* The same with graphs of `batch` tokens, however long the window is. */
int fq_model_open_batch(const char *name_or_path, size_t context, size_t batch, unsigned threads, struct fq_model **out,
                        struct fq_error *err);
void fq_model_close(struct fq_model *model);
const struct fq_model_info *fq_model_info(const struct fq_model *model);

/* Shape only (layers, heads, dim), without loading weights: for `size`. */
int fq_model_peek(const char *name_or_path, struct fq_model_info *out, struct fq_error *err);

/* Token ids of a text, malloc'ed. */
int fq_model_tokenize(struct fq_model *model, const char *text, size_t bytes, bool add_special, int32_t **tokens,
                      size_t *n, struct fq_error *err);

enum fq_hook_tensor { FQ_HOOK_KEY, FQ_HOOK_VALUE, FQ_HOOK_QUERY };

/* data[n_tokens][n_heads][dim], writable in place; first_position is that of row 0 in its window. Nonzero: stop with
 * err. */
typedef int fq_model_hook(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                          size_t n_heads, size_t dim, float *data, struct fq_error *err);

/* Evaluates tokens[n] (n <= context) from an empty cache. hook may be NULL. If logits is not NULL it receives rows
 * [logits_from, n) as [n - logits_from][vocabulary]. */
int fq_model_eval(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook, void *arg,
                  size_t logits_from, float *logits, struct fq_error *err);

/* What a layer computes from its cache: scores before scale and mask, weights behind the softmax, weighted values. */
enum fq_attention_stage { FQ_ATTENTION_SCORES, FQ_ATTENTION_WEIGHTS, FQ_ATTENTION_OUTPUT };

/* One stage of one layer, for the n_queries queries of one graph. Slot j of the cache holds position j of the window,
 * sliding windows included; slots behind the last query are padding. Query head h reads KV head h / (heads / kv_heads).
 *
 * SCORES, WEIGHTS: data[h * head_stride + i * query_stride + j], j < n_keys: query i against slot j
 * OUTPUT:          data[h * head_stride + i * query_stride + c], c < dim */
struct fq_attention_view {
    enum fq_attention_stage stage;
    size_t layer, first_position, n_queries; /* query i stands at position first_position + i */
    size_t n_keys, heads, kv_heads, dim;
    float *data; /* may be written: the model goes on with it */
    size_t query_stride, head_stride;
    /* WEIGHTS, OUTPUT; else NULL: 0 where query i may see slot j, -inf where not: mask[i * mask_stride + j] */
    const float *mask;
    size_t mask_stride;
    /* OUTPUT only, else NULL: what was summed, weights[h * weight_head_stride + i * weight_query_stride + j], and the
     * cache's values[kv_head * value_head_stride + c * value_stride + j] */
    const float *weights, *values;
    size_t weight_query_stride, weight_head_stride, value_stride, value_head_stride;
    /* SCORES only, else NULL: the cache's keys[kv_head * key_head_stride + j * key_stride + c] */
    const float *keys;
    size_t key_stride, key_head_stride;
    /* WEIGHTS, OUTPUT: the weights are softmax(scale x + mask) of x = cap tanh(score / cap), or of the score itself
     * where cap is 0. Only where fq_model_attention_obstacle is NULL. */
    float scale, cap;
};

/* Why an onlooker cannot compute a layer's attention again from scores, mask, scale, soft cap and values (sinks among
 * the weights, ALiBi, no such nodes); NULL: it can, in every layer. */
const char *fq_model_attention_obstacle(const struct fq_model *model);

/* Called once per graph, layer and stage, after the keys, values and queries of the layer. Nonzero: stop with err. */
typedef int fq_model_attention_hook(void *arg, const struct fq_attention_view *view, struct fq_error *err);

/* fq_model_eval with hooks on the attention as well; either may be NULL. Both get `arg`. */
int fq_model_eval_attention(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook,
                            fq_model_attention_hook *attention, void *arg, size_t logits_from, float *logits,
                            struct fq_error *err);

/* Rows of logits as each graph ends: rows[n][vocabulary] of positions first .. first + n - 1, valid during the call. */
typedef int fq_model_logits(void *arg, size_t first, size_t n, const float *rows, struct fq_error *err);

/* fq_model_eval_attention whose logits of positions [from, to) are handed on graph by graph, so that no window of them
 * has to be held: one of 8,192 tokens and 151,936 words would be 5 GB. */
int fq_model_eval_rows(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook,
                       fq_model_attention_hook *attention, void *arg, size_t from, size_t to, fq_model_logits *logits,
                       void *logits_arg, struct fq_error *err);

/* The same behind the tokens that the last evaluation left in the cache: token i stands at position held + i, and
 * `from` and `to` are positions too. An evaluation that failed leaves none. */
int fq_model_eval_more(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook,
                       fq_model_attention_hook *attention, void *arg, size_t from, size_t to, fq_model_logits *logits,
                       void *logits_arg, struct fq_error *err);

/* What the bias b of the keys adds to each key that the cache stores, RoPE_p(b) for positions p < n of a window:
 * out[layers][kv_heads][n][dim]. Taken from the graph itself, by evaluating it with nothing but biases in the keys, so
 * that every RoPE of every model is the model's own. FQ_USAGE: no key bias, or something between bias and cache that is
 * not linear (a norm). */
int fq_model_key_bias(struct fq_model *model, size_t n, float *out, struct fq_error *err);

/* The bias of the keys itself, as the weights have it, before RoPE: out[layers][kv_heads * dim]. FQ_USAGE: none. */
int fq_model_key_bias_weights(struct fq_model *model, float *out, struct fq_error *err);

int32_t fq_model_bos(const struct fq_model *model);  /* -1: none */
size_t fq_model_batch(const struct fq_model *model); /* tokens per graph */

/* Time spent inside hooks, and in all of fq_model_eval, since the last call of this function. */
void fq_model_times(struct fq_model *model, uint64_t *hook_ns, uint64_t *eval_ns);

/* Token-embedding matrix of a GGUF file as float32 rows (real vectors without a download). */
struct fq_embeddings;
int fq_embeddings_open(const char *path, struct fq_embeddings **out, size_t *rows, size_t *dim, struct fq_error *err);
int fq_embeddings_rows(struct fq_embeddings *e, size_t first, size_t n, float *out, struct fq_error *err);
void fq_embeddings_close(struct fq_embeddings *e);

#endif
