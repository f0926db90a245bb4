/* What a measurement yields: samples of one metric, each labelled with the unit that may be resampled.
 *
 * label_a is the cluster (layer, chunk, block, query batch), label_b the unit inside it (head, token). Two methods
 * measured on the same data have the same labels in the same order, so that differences pair. */
#ifndef FQ_MEASURE_SERIES_H
#define FQ_MEASURE_SERIES_H

#include "harness/base/error.h"

#include <stddef.h>
#include <stdint.h>

struct fq_series {
    char metric[40];     /* "rel_mse", "ip_slope", "kl", "ns_encode" ... */
    char tensor[12];     /* "key" "value" "kv" "vectors" */
    char unit[20];       /* "1", "nats", "ns/vector", "bits" */
    char statistics[64]; /* comma list of what is reported: mean | median | q99 | q999 | max | exp_mean | rms; first is
                            the headline */
    char resample[24];   /* what label_a counts, in words: "layer and head", "chunk", "block", "query" */
    size_t n, room;
    double *value;
    double *weight; /* NULL: equal */
    int32_t *label_a, *label_b;
};

struct fq_series_list {
    struct fq_series *series;
    size_t n, room;
};

/* A new, empty series in the list, or NULL + err when memory is out. */
struct fq_series *fq_series_add(struct fq_series_list *list, const char *metric, const char *tensor, const char *unit,
                                const char *statistics, const char *resample, struct fq_error *err);
int fq_series_push(struct fq_series *s, double value, double weight, int32_t label_a, int32_t label_b,
                   struct fq_error *err);
const struct fq_series *fq_series_find(const struct fq_series_list *list, const char *metric, const char *tensor);
void fq_series_list_free(struct fq_series_list *list);

#endif
