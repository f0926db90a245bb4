/* Centring of keys: a vector that is known without the codes is taken off each key before it is encoded and put back
 * after it is decoded, whatever the codec. Keys of one head share a large common part in many models; a codec that
 * spends its bits on it has fewer for what the softmax can see.
 *
 *   none        nothing
 *   calibrated  the mean over tokens that are not measured, one per layer and KV head: d float32 of shared state each
 *   running     the mean of the keys of the same window that were *decoded* before the block of tokens being encoded;
 *               whoever reads the records in order has it too, so it costs no byte (docs/adr/0008-centring.md)
 *   rope-bias   RoPE_p(b) of the model's key bias b: a function of the position and the weights, so it costs no byte
 *
 * Why here and not in a method: it combines with every codec, and whether it helps is a question of its own. Scores are
 * <q, k - c> from the codes plus <q, c> in float, so that every estimate is one of <q, k>; under a softmax the second
 * term may be left out where c is the same for all keys.
 *
 * It must not see the future: nothing that is subtracted from a key depends on that key or on a later one. */
#ifndef FQ_MEASURE_CENTRE_H
#define FQ_MEASURE_CENTRE_H

#include "harness/data/dataset.h"
#include "harness/data/model.h"
#include "harness/measure/codec.h"

enum fq_centre_kind { FQ_CENTRE_NONE, FQ_CENTRE_CALIBRATED, FQ_CENTRE_RUNNING, FQ_CENTRE_ROPE_BIAS, FQ_CENTRE_KINDS };
const char *fq_centre_name(enum fq_centre_kind kind); /* as a sweep writes it */
/* FQ_USAGE: no such kind; the sentence lists them. */
int fq_centre_parse(const char *word, enum fq_centre_kind *out, struct fq_error *err);

/* NULL, or why this kind cannot be had: from the keys or values of a dataset, and from the cache of a model. `decodes`:
 * the method has a decode stage. */
const char *fq_centre_obstacle(enum fq_centre_kind kind, const struct fq_dataset_info *info, enum fq_tensor tensor,
                               bool decodes);
const char *fq_centre_model_obstacle(enum fq_centre_kind kind, const struct fq_model_info *info, bool keys,
                                     bool decodes);

/* Shared state, as float32, of all layers and heads: counted beside the method's own. */
uint64_t fq_centre_shared_bytes(enum fq_centre_kind kind, size_t layers, size_t kv_heads, size_t dim);

/* Calibration inside one KV set: a window takes the mean of the windows of the other half. 0 or 1: the half of a
 * window, by its parity. So the same windows are measured as without centring, and arms pair sample by sample. */
size_t fq_centre_half(size_t window);
/* In words, for the fact centre_source. */
void fq_centre_dataset_source(enum fq_centre_kind kind, const struct fq_dataset_info *info, char *out, size_t size);

/* ---- centres of a grid of layers and heads -------------------------------------------------------------------- */

struct fq_centre;
/* context: most tokens of a window, and of one call. */
int fq_centre_open(enum fq_centre_kind kind, size_t layers, size_t heads, size_t dim, size_t context,
                   struct fq_centre **out, struct fq_error *err);
void fq_centre_close(struct fq_centre *centre); /* NULL is fine */
enum fq_centre_kind fq_centre_kind_of(const struct fq_centre *centre);

/* calibrated: adds n rows, `stride` floats apart, to a mean; forget begins it anew. */
void fq_centre_forget(struct fq_centre *centre, size_t layer, size_t head);
void fq_centre_learn(struct fq_centre *centre, size_t layer, size_t head, size_t n, size_t stride, const float *x);
/* rope-bias: [context][dim] of one head, to be filled; heads and layers lie one behind the other. */
float *fq_centre_table(struct fq_centre *centre, size_t layer, size_t head);

/* What is taken off the keys at positions first .. first + n - 1 of a window, out[n][dim]. A running mean is that of
 * the keys given to fq_centre_follow since position 0; at position 0 it is zero. */
void fq_centre_vectors(const struct fq_centre *centre, size_t layer, size_t head, size_t first, size_t n, float *out);
/* The keys of these positions as decoded, centre put back; in order. */
void fq_centre_follow(struct fq_centre *centre, size_t layer, size_t head, size_t first, size_t n, const float *xhat);

/* For rows that a codec is trained on: takes the centre off x[n][dim] at these positions, in place. A running mean is
 * then one of the rows as they are, for nothing is decoded yet. */
void fq_centre_take_off(struct fq_centre *centre, size_t layer, size_t head, size_t first, size_t n, float *x);

/* Tokens that share one running mean: at least 32, whole groups of the codec. */
size_t fq_centre_block(const struct fq_codec *codec);

/* ---- a window through a codec --------------------------------------------------------------------------------- */

struct fq_centre_job {
    size_t layer, head, first, n; /* positions first .. first + n - 1 of a window */
    const float *x;               /* [n][dim] keys */
    float *xhat;                  /* [n][dim] decoded, centre put back; left alone if the codec decodes nothing */
    size_t n_queries;
    const float *q; /* [n_queries][dim] */
    float *scores;  /* [n_queries][n] estimates of <q, k>: the method's own, or from xhat if it has none */
};
/* Encodes, decodes and scores the job's keys. With a running mean, block by block: the records of the last block remain
 * in the codec. */
int fq_centre_run(struct fq_centre *centre, struct fq_codec *codec, const struct fq_centre_job *job,
                  struct fq_error *err);

#endif
