/* Shared by the walk over a dataset (measure_dataset.c) and the metrics that it feeds. */
#ifndef FQ_MEASURE_MEASURE_INTERNAL_H
#define FQ_MEASURE_MEASURE_INTERNAL_H

#include "harness/measure/measures.h"

enum { MEASURE_BLOCK = 64 }; /* vectors that one sample of an averaged metric stands for */

struct measure_pass {
    struct fq_codec *codec;
    struct fq_dataset *set;
    const struct fq_dataset_info *info;
    enum fq_tensor tensor;
    const char *label;
    const struct fq_measure_options *options;
    struct fq_series_list *list;
};

/* Series are held by index: the list may move when it grows. */
int fq_pass_series(const struct measure_pass *pass, const char *metric, const char *unit, const char *statistics,
                   const char *resample, size_t *index, struct fq_error *err);
int fq_pass_push(const struct measure_pass *pass, size_t index, double value, double weight, size_t label_a,
                 size_t label_b, struct fq_error *err);

/* Dot product in double: truths must carry no rounding of their own. */
double fq_dot(size_t n, const float *a, const float *b);

/* Estimates of <q_i, x_j>, scores[n_queries][n], for the codes of the last encode: the method's scores, or those of
 * xhat[n][dim] when it has no score stage (may be NULL when it has one). */
int fq_estimates(struct fq_codec *codec, size_t n, const float *xhat, size_t n_queries, const float *q, float *scores,
                 struct fq_error *err);

/* ---- training.c: what codecs that learn are fitted to ---- */
struct training {
    const struct measure_pass *pass;
    struct fq_centre *centre; /* KV keys: taken off the rows (slot 0, centre_head); NULL: nothing is */
    size_t centre_head;
    bool learns;
    size_t room, n, layer, head;
    float *x; /* [room][dim] */
};
/* rows: the most that will be added. Does nothing for a codec that does not learn. */
int fq_training_open(struct training *t, const struct measure_pass *pass, size_t rows, struct fq_error *err);
void fq_training_close(struct training *t);
/* begin, add rows of that matrix, end: the codec is fitted to them. Of more rows than there is room for, a sample. */
void fq_training_begin(struct training *t, size_t layer, size_t head);
int fq_training_add(struct training *t, size_t first, size_t n, struct fq_error *err);
int fq_training_end(const struct training *t, const char *split, struct fq_error *err);

/* ---- distortion.c ---- */
struct distortion {
    double rel_sum, cos_sum, error, energy;
    size_t n;
};
/* Adds n vectors; rel[n] (may be NULL) receives each vector's relative error. */
void fq_distortion_add(struct distortion *d, size_t n, size_t dim, const float *x, const float *xhat, double *rel);
struct distortion_series {
    size_t rel_mse, energy_mse, cosine;
};
int fq_distortion_open(const struct measure_pass *pass, struct distortion_series *s, struct fq_error *err);
int fq_distortion_push(const struct measure_pass *pass, const struct distortion_series *s, const struct distortion *d,
                       size_t label_a, struct fq_error *err);
int fq_distortion_push_vectors(const struct measure_pass *pass, const struct distortion_series *s, size_t first,
                               size_t n, const float *x, const float *xhat, struct fq_error *err);

/* ---- regression of estimates on truths (real queries) ---- */
struct regression {
    double n, t, e, tt, te, error2, bias;
};
/* scale = ||q|| ||x||; a pair of scale 0 is no pair. */
void fq_regression_add(struct regression *r, double truth, double estimate, double scale);
struct regression_series {
    size_t slope, rel_rmse, bias;
};
int fq_regression_open(const struct measure_pass *pass, const char *resample, struct regression_series *s,
                       struct fq_error *err);
int fq_regression_push(const struct measure_pass *pass, const struct regression_series *s, const struct regression *r,
                       size_t label_a, struct fq_error *err);

/* ---- probing.c: queries built at a given angle ---- */
struct probing; /* collects pairs until all vectors were seen */
int fq_probing_open(const struct measure_pass *pass, struct probing **out, struct fq_error *err);
/* The n vectors that were encoded last, x[n][dim], numbered from first on. */
int fq_probing_add(struct probing *p, size_t first, size_t n, const float *x, const float *xhat, struct fq_error *err);
int fq_probing_finish(struct probing *p, struct fq_error *err); /* pushes the series */
void fq_probing_free(struct probing *p);

/* ---- attention.c ---- */
struct attention { /* sums over the sampled queries of one layer and query head */
    double logit_error2, logits, kl, overlap1, overlap8, output, queries;
};
/* One query at position t of a window: keys and values 0..t. estimate[t + 1]: estimated <q, k_i>, or NULL (tensor
 * value); value[][dim] full precision; vhat[][dim]: decoded values or NULL (tensor key). */
int fq_attention_add(struct attention *a, size_t t, size_t dim, const float *truth, const float *estimate,
                     const float *value, const float *vhat, struct fq_error *err);
struct attention_series {
    size_t logit_rmse, kl, overlap1, overlap8, output;
};
int fq_attention_open(const struct measure_pass *pass, struct attention_series *s, struct fq_error *err);
int fq_attention_push(const struct measure_pass *pass, const struct attention_series *s, const struct attention *a,
                      size_t label_a, struct fq_error *err);

/* ---- needle.c ---- */
enum {
    NEEDLE_WINDOW = 512, /* keys of a vector set that a needle lies among */
    NEEDLE_LABELS = 16   /* labels that the needles of one window take */
};
struct needle;
/* room: most keys of one call; window: most keys that a needle lies among. */
int fq_needle_open(const struct measure_pass *pass, size_t room, size_t window, const char *unit, struct needle **out,
                   struct fq_error *err);
/* Plants needles among the n keys x[n][dim] that were encoded last, in windows of `window`, and pushes what was found.
 * draw numbers the call: its noise. own_labels: each window is a unit of its own, label_a counts them from the one
 * given; else label_a is the unit and label_b goes on from the one given. */
int fq_needle_add(struct needle *needle, size_t n, size_t window, uint64_t draw, const float *x, const float *xhat,
                  bool own_labels, size_t label_a, size_t label_b, struct fq_error *err);
void fq_needle_free(struct needle *needle); /* NULL is fine */

/* ---- measure_kv.c, measure_vectors.c: the two walks ---- */
int fq_measure_kv(const struct measure_pass *pass, struct fq_error *err);
int fq_measure_vectors(const struct measure_pass *pass, struct fq_error *err);

#endif
