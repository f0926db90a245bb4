/* What quantized keys or values do to one attention head: logits, weights, output. Reference and quantized softmax are
 * both computed here, in double, from the same truths. Definitions in measures.h. */
#include "harness/measure/measure_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_K = 8 };

static void softmax(size_t n, const double *logit, double *p) {
    double largest = logit[0], sum = 0.0;
    for (size_t i = 1; i < n; i++)
        largest = logit[i] > largest ? logit[i] : largest;
    for (size_t i = 0; i < n; i++)
        sum += p[i] = exp(logit[i] - largest);
    for (size_t i = 0; i < n; i++)
        p[i] /= sum;
}

/* n >= 1; the largest term is 1, so the sum is at least that. */
static double log_sum_exp(size_t n, const double *logit) {
    double largest = logit[0], rest = 0.0;
    size_t at = 0;
    for (size_t i = 1; i < n; i++)
        if (logit[i] > largest)
            largest = logit[at = i];
    for (size_t i = 0; i < n; i++)
        rest += i == at ? 0.0 : exp(logit[i] - largest);
    return largest + log1p(rest);
}

/* KL(full || quantized) from logits, so that a weight that underflows costs what it should. Never below 0. */
static double divergence(size_t n, const double *full, const double *quantized, const double *p) {
    const double a = log_sum_exp(n, full), b = log_sum_exp(n, quantized);
    double kl = 0.0;
    for (size_t i = 0; i < n; i++)
        kl += p[i] * ((full[i] - a) - (quantized[i] - b));
    return kl > 0.0 ? kl : 0.0;
}

/* The k largest, by value and then by index; k <= TOP_K. */
static void top(size_t n, const double *v, size_t k, size_t *index) {
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = found;
        while (at > 0 && v[i] > v[index[at - 1]])
            at--;
        if (at >= k)
            continue;
        if (found < k)
            found++;
        for (size_t j = found - 1; j > at; j--)
            index[j] = index[j - 1];
        index[at] = i;
    }
}

static double overlap(size_t n, const double *a, const double *b, size_t k) {
    size_t in_a[TOP_K], in_b[TOP_K], shared = 0;
    k = k < n ? k : n;
    top(n, a, k, in_a);
    top(n, b, k, in_b);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++)
            shared += in_a[i] == in_b[j];
    return (double)shared / (double)k;
}

static void weighted_sum(size_t n, size_t dim, const double *weight, const float *value, double *out) {
    memset(out, 0, dim * sizeof *out);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < dim; j++)
            out[j] += weight[i] * (double)value[i * dim + j];
}

static double relative_difference(size_t dim, const double *a, const double *b) {
    double difference = 0.0, norm = 0.0;
    for (size_t j = 0; j < dim; j++) {
        difference += (a[j] - b[j]) * (a[j] - b[j]);
        norm += a[j] * a[j];
    }
    return norm > 0.0 ? sqrt(difference / norm) : (difference > 0.0 ? 1.0 : 0.0);
}

int fq_attention_add(struct attention *a, size_t t, size_t dim, const float *truth, const float *estimate,
                     const float *value, const float *vhat, struct fq_error *err) {
    const size_t n = t + 1;
    const double scale = 1.0 / sqrt((double)dim);
    double *room = malloc(4 * n * sizeof *room);
    if (room == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: attention over %zu keys", n);
    double *full = room, *quantized = room + n, *p = room + 2 * n, *phat = room + 3 * n;
    double output[FQ_MAX_DIM], changed[FQ_MAX_DIM];
    for (size_t i = 0; i < n; i++) {
        full[i] = (double)truth[i] * scale;
        quantized[i] = estimate != NULL ? (double)estimate[i] * scale : full[i];
        a->logit_error2 += (quantized[i] - full[i]) * (quantized[i] - full[i]);
    }
    softmax(n, full, p);
    softmax(n, quantized, phat);
    a->logits += (double)n;
    a->queries += 1.0;
    if (estimate != NULL) {
        a->kl += divergence(n, full, quantized, p);
        a->overlap1 += overlap(n, full, quantized, 1);
        a->overlap8 += overlap(n, full, quantized, TOP_K);
    }
    if (value != NULL) {
        weighted_sum(n, dim, p, value, output);
        weighted_sum(n, dim, phat, vhat != NULL ? vhat : value, changed);
        a->output += relative_difference(dim, output, changed);
    }
    free(room);
    return FQ_OK;
}

int fq_attention_open(const struct measure_pass *pass, struct attention_series *s, struct fq_error *err) {
    const char *unit = "layer and head";
    if (pass->tensor == FQ_KEY) {
        FQ_TRY(fq_pass_series(pass, "logit_rmse", "scaled logits", "mean,median,max", unit, &s->logit_rmse, err));
        FQ_TRY(fq_pass_series(pass, "softmax_kl", "nats", "mean,median,max", unit, &s->kl, err));
        FQ_TRY(fq_pass_series(pass, "topk_overlap_1", "1", "mean", unit, &s->overlap1, err));
        FQ_TRY(fq_pass_series(pass, "topk_overlap_8", "1", "mean", unit, &s->overlap8, err));
    }
    if (pass->info->has_value)
        FQ_TRY(fq_pass_series(pass, "output_rel_error", "1", "mean,median,max", unit, &s->output, err));
    return FQ_OK;
}

int fq_attention_push(const struct measure_pass *pass, const struct attention_series *s, const struct attention *a,
                      size_t label_a, struct fq_error *err) {
    if (!(a->queries > 0.0))
        return FQ_OK;
    if (pass->tensor == FQ_KEY) {
        FQ_TRY(fq_pass_push(pass, s->logit_rmse, sqrt(a->logit_error2 / a->logits), 1.0, label_a, 0, err));
        FQ_TRY(fq_pass_push(pass, s->kl, a->kl / a->queries, 1.0, label_a, 0, err));
        FQ_TRY(fq_pass_push(pass, s->overlap1, a->overlap1 / a->queries, 1.0, label_a, 0, err));
        FQ_TRY(fq_pass_push(pass, s->overlap8, a->overlap8 / a->queries, 1.0, label_a, 0, err));
    }
    if (pass->info->has_value)
        FQ_TRY(fq_pass_push(pass, s->output, a->output / a->queries, 1.0, label_a, 0, err));
    return FQ_OK;
}
