/* The error of keys and values while the model runs: what a codec is given there already carries the errors of the
 * layers below, and what it does to it is not what it does to a captured set. Internal to the measure floor. */
#ifndef FQ_MEASURE_PPL_LOOP_H
#define FQ_MEASURE_PPL_LOOP_H

#include "harness/base/error.h"
#include "harness/measure/series.h"

#include <stddef.h>

struct fq_ppl_loop;
int fq_ppl_loop_open(size_t layers, size_t heads, size_t chunks, struct fq_ppl_loop **out, struct fq_error *err);
void fq_ppl_loop_close(struct fq_ppl_loop *loop); /* NULL is fine */

void fq_ppl_loop_window(struct fq_ppl_loop *loop, size_t chunk); /* what comes next belongs to this window */
/* One vector of tensor 0 or 1, before and after. */
void fq_ppl_loop_add(struct fq_ppl_loop *loop, int tensor, size_t layer, size_t head, size_t dim, const float *x,
                     const float *xhat);

/* The sums of the present window, as bytes: to be kept, and to be put back. */
size_t fq_ppl_loop_bytes(const struct fq_ppl_loop *loop); /* 0 for NULL */
void fq_ppl_loop_save(const struct fq_ppl_loop *loop, void *bytes);
void fq_ppl_loop_restore(struct fq_ppl_loop *loop, const void *bytes);

/* Adds sum ||x - xhat||^2 / sum ||x||^2 of that tensor:
 *   loop_rel_mse         per layer (label_a) and KV head (label_b), over all windows
 *   loop_rel_mse_layerL  of layer L, per chunk (label_a) and KV head (label_b)
 * Layers that were given no vector have no series. */
int fq_ppl_loop_series(const struct fq_ppl_loop *loop, int tensor, const char *name, struct fq_series_list *out,
                       struct fq_error *err);

#endif
