/* What a run through the measured windows yields as series; see fq_ppl_run in perplexity.h, which lists them. Internal
 * to the measure floor. */
#ifndef FQ_MEASURE_PPL_SERIES_H
#define FQ_MEASURE_PPL_SERIES_H

#include "harness/measure/perplexity.h"

/* One window, token by token: this run's and the full-precision negative log-likelihood, the divergence, agreement. */
struct fq_ppl_scores {
    size_t n;
    double *nll, *full_nll, *kl, *same; /* [n] */
};

/* Adds the empty series; *first is the index of the first of them in the list. */
int fq_ppl_series_add(struct fq_series_list *out, const char *tensor, size_t context, size_t *first,
                      struct fq_error *err);
/* Samples of one window into the series at s. */
int fq_ppl_series_push(struct fq_series *s, size_t chunk, size_t context, const struct fq_ppl_scores *scores,
                       struct fq_error *err);

#endif
