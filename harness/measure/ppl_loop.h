/* Errors while the model runs: of keys and values (what a codec is given there already carries the errors of the layers
 * below, and what it does to it is not what it does to a captured set), and of the output of each layer's attention.
 * For arms, and for other agents on a perplexity reference. */
#ifndef FQ_MEASURE_PPL_LOOP_H
#define FQ_MEASURE_PPL_LOOP_H

#include "harness/base/error.h"
#include "harness/measure/series.h"

#include <stddef.h>

enum fq_ppl_error { FQ_PPL_KEY, FQ_PPL_VALUE, FQ_PPL_ATTENTION, FQ_PPL_ERRORS };

struct fq_ppl_loop;
/* Keys and values have kv_heads heads, the attention has `heads`. */
int fq_ppl_loop_open(size_t layers, size_t heads, size_t kv_heads, size_t chunks, struct fq_ppl_loop **out,
                     struct fq_error *err);
void fq_ppl_loop_close(struct fq_ppl_loop *loop); /* NULL is fine */

void fq_ppl_loop_window(struct fq_ppl_loop *loop, size_t chunk); /* what comes next belongs to this window */
/* One vector, before and after: ||x - xhat||^2 and ||x||^2. */
void fq_ppl_loop_add(struct fq_ppl_loop *loop, enum fq_ppl_error what, size_t layer, size_t head, size_t dim,
                     const float *x, const float *xhat);
/* The same as sums that the caller made. */
void fq_ppl_loop_sums(struct fq_ppl_loop *loop, enum fq_ppl_error what, size_t layer, size_t head, double error,
                      double energy);

/* The sums of the present window, as bytes: to be kept, and to be put back. */
size_t fq_ppl_loop_bytes(const struct fq_ppl_loop *loop); /* 0 for NULL */
void fq_ppl_loop_save(const struct fq_ppl_loop *loop, void *bytes);
void fq_ppl_loop_restore(struct fq_ppl_loop *loop, const void *bytes);

/* Adds sum of errors / sum of energies, METRIC being loop_rel_mse (keys, values) or loop_attention_error:
 *   METRIC         per layer (label_a) and head (label_b), over all windows
 *   METRIC_layerL  of layer L, per chunk (label_a) and head (label_b)
 * Layers that were given nothing have no series. `touches` is what the cell quantizes, "key", "value" or "kv": the
 * tensor of attention errors. That of keys in a cell that also quantizes values is "key of kv", because its input is
 * another one than where keys are alone; so is "value of kv". */
int fq_ppl_loop_series(const struct fq_ppl_loop *loop, enum fq_ppl_error what, const char *touches,
                       struct fq_series_list *out, struct fq_error *err);

#endif
