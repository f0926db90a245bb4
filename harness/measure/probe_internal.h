/* Shared by the two codes-only probes: what one reading of a set of records gave, and how two readings are compared. */
#ifndef FQ_MEASURE_PROBE_INTERNAL_H
#define FQ_MEASURE_PROBE_INTERNAL_H

#include "harness/measure/codec.h"
#include "harness/measure/probe.h"

#include <stdbool.h>

struct probe_reading {
    size_t n, dim;
    bool has_decode, has_score;
    float *decoded; /* [n][dim] */
    float *scores;  /* [n], for fq_probe_query */
};

void fq_probe_query(size_t dim, float *q);
int fq_probe_groups(const struct fq_codec *codec, size_t n, size_t *groups, struct fq_error *err);
int fq_probe_read(struct fq_codec *codec, size_t n_groups, const uint8_t *records, struct probe_reading *r,
                  struct fq_error *err);
void fq_probe_reading_free(struct probe_reading *r);
/* Bit for bit; the first difference goes into an empty sentence. */
void fq_probe_compare(const struct probe_reading *a, const struct probe_reading *b, const char *circumstance,
                      char sentence[FQ_PROBE_SENTENCE]);

#endif
