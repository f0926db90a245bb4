/* Scores of one predicted token from rows of logits: negative log-likelihood, KL divergence, most likely token. Pure
 * arithmetic; must know nothing of models or codecs. Internal to the measure floor. */
#ifndef FQ_MEASURE_PPL_SCORE_H
#define FQ_MEASURE_PPL_SCORE_H

#include <stddef.h>
#include <stdint.h>

/* -log softmax(logits)[token] in nats. float32 exponentials summed in double, as llama.cpp's perplexity tool does, so
 * that the printed perplexity agrees to its last digit. */
double fq_score_nll(const float *logits, size_t vocabulary, int32_t token);

/* KL(softmax(full) || softmax(other)) in nats; exactly 0 for equal rows. Rounding may leave about -1e-8 for nearly
 * equal ones: it is not clamped, since that would bias a mean. */
double fq_score_kl(const float *full, const float *other, size_t vocabulary);

/* Index of the largest; the first one of equals. */
size_t fq_score_top1(const float *logits, size_t vocabulary);

#endif
