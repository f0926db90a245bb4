/* Log-softmax arithmetic of perplexity and KL; see ppl_score.h. */
#include "harness/measure/ppl_score.h"

#include <math.h>

size_t fq_score_top1(const float *logits, size_t vocabulary) {
    size_t best = 0;
    for (size_t i = 1; i < vocabulary; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

double fq_score_nll(const float *logits, size_t vocabulary, int32_t token) {
    float top = logits[fq_score_top1(logits, vocabulary)];
    double sum = (double)expf(logits[0] - top);
    for (size_t i = 1; i < vocabulary; i++)
        sum += (double)expf(logits[i] - top);
    return -((double)(logits[token] - top) - log(sum));
}

double fq_score_kl(const float *full, const float *other, size_t vocabulary) {
    float top_full = full[fq_score_top1(full, vocabulary)], top_other = other[fq_score_top1(other, vocabulary)];
    double sum_full = (double)expf(full[0] - top_full), sum_other = (double)expf(other[0] - top_other);
    double weighted = sum_full * ((double)(full[0] - top_full) - (double)(other[0] - top_other));
    for (size_t i = 1; i < vocabulary; i++) {
        float a = full[i] - top_full, b = other[i] - top_other;
        double p = (double)expf(a);
        sum_full += p;
        sum_other += (double)expf(b);
        weighted += p * ((double)a - (double)b);
    }
    return weighted / sum_full - log(sum_full) + log(sum_other);
}
