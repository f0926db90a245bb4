/* Finished windows of a run that may be killed: scores and counts of each, appended to one file, so that the run goes
 * on at the window where it stopped. Internal to the measure floor. */
#ifndef FQ_MEASURE_PPL_KEPT_H
#define FQ_MEASURE_PPL_KEPT_H

#include "harness/measure/ppl_series.h"

#include <stdint.h>

struct fq_ppl_kept_window {
    double nll_sum;
    uint64_t hook_ns, eval_ns;
};

struct fq_ppl_kept;
/* identity: what the windows must be of; a file of another one, and a torn tail, are dropped. */
int fq_ppl_kept_open(const char *path, const char *identity, size_t scored, size_t state_bytes,
                     struct fq_ppl_kept **out, struct fq_error *err);
void fq_ppl_kept_close(struct fq_ppl_kept *w);             /* NULL is fine; the file stays */
size_t fq_ppl_kept_count(const struct fq_ppl_kept *w);     /* 0 for NULL */
void fq_ppl_kept_cut(struct fq_ppl_kept *w, size_t count); /* forgets those behind the first `count` */
/* nll, kl and same of window i < kept, the agent's state; full_nll is left as it is. */
int fq_ppl_kept_get(struct fq_ppl_kept *w, size_t i, struct fq_ppl_scores *scores, struct fq_ppl_kept_window *window,
                    void *state, struct fq_error *err);
int fq_ppl_kept_put(struct fq_ppl_kept *w, const struct fq_ppl_scores *scores, const struct fq_ppl_kept_window *window,
                    const void *state, struct fq_error *err);

#endif
