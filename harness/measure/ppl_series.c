/* Series of a run: whole windows, tokens, and bins of positions. The bins say where in a context a cache does harm:
 * each has one sample per window, so that it is resampled as the rest is. Must not compute what the judge does. */
#include "harness/measure/ppl_series.h"

#include <stdio.h>

enum { WHOLE = 4, PER_BIN = 3 };

static const char *const whole[WHOLE][3] = {{"perplexity", "1", "exp_mean"},
                                            {"delta_log_ppl", "nats", "mean"},
                                            {"kl", "nats", "mean,median,q99,q999,max"},
                                            {"top1_agreement", "1", "mean"}};
static const char *const binned[PER_BIN][2] = {
    {"kl_bin", "nats"}, {"delta_log_ppl_bin", "nats"}, {"position_bin", "1"}};

/* Short windows have fewer scored tokens than there are bins. */
static size_t bins_of(size_t context) {
    const size_t n = context - 1 - context / 2;
    return n < FQ_PPL_BINS ? n : FQ_PPL_BINS;
}

int fq_ppl_series_add(struct fq_series_list *out, const char *tensor, size_t context, size_t *first,
                      struct fq_error *err) {
    *first = out->n;
    for (size_t i = 0; i < WHOLE; i++)
        if (!fq_series_add(out, whole[i][0], tensor, whole[i][1], whole[i][2], "chunk", err))
            return err->code;
    for (size_t bin = 0; bin < bins_of(context); bin++)
        for (size_t i = 0; i < PER_BIN; i++) {
            char name[40];
            snprintf(name, sizeof name, "%s%zu", binned[i][0], bin);
            if (!fq_series_add(out, name, tensor, binned[i][1], "mean", "chunk", err))
                return err->code;
        }
    return 0;
}

static double mean(const double *x, size_t begin, size_t end) {
    double sum = 0.0;
    for (size_t i = begin; i < end; i++)
        sum += x[i];
    return sum / (double)(end - begin);
}

int fq_ppl_series_push(struct fq_series *s, size_t chunk, size_t context, const struct fq_ppl_scores *scores,
                       struct fq_error *err) {
    const size_t n = scores->n, bins = bins_of(context);
    const double tokens = (double)n, nll = mean(scores->nll, 0, n), full = mean(scores->full_nll, 0, n);
    const int32_t label = (int32_t)chunk;
    FQ_TRY(fq_series_push(&s[0], nll, tokens, label, 0, err));
    FQ_TRY(fq_series_push(&s[1], nll - full, tokens, label, 0, err));
    for (size_t i = 0; i < n; i++) {
        FQ_TRY(fq_series_push(&s[2], scores->kl[i], 1.0, label, (int32_t)i, err));
        FQ_TRY(fq_series_push(&s[3], scores->same[i], 1.0, label, (int32_t)i, err));
    }
    for (size_t bin = 0; bin < bins; bin++) {
        struct fq_series *to = s + WHOLE + PER_BIN * bin;
        const size_t begin = bin * n / bins, end = (bin + 1) * n / bins;
        const double here = (double)(end - begin);
        const size_t start = context / 2; /* the first scored position */
        const double middle = (double)start + 0.5 * (double)(begin + end - 1);
        FQ_TRY(fq_series_push(&to[0], mean(scores->kl, begin, end), here, label, 0, err));
        FQ_TRY(fq_series_push(&to[1], mean(scores->nll, begin, end) - mean(scores->full_nll, begin, end), here, label,
                              0, err));
        FQ_TRY(fq_series_push(&to[2], middle, here, label, 0, err));
    }
    return 0;
}
