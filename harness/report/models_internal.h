/* What the exports of a model's figures share (models.c, models_curves.c, models_parts.c); nothing else includes this.
 */
#ifndef FQ_REPORT_MODELS_INTERNAL_H
#define FQ_REPORT_MODELS_INTERNAL_H

#include "harness/report/figure_csv.h"
#include "harness/report/models.h"
#include "harness/report/select.h"

#include <stdbool.h>
#include <stdio.h>

/* Beyond so many instances a figure shows one setting of each method: that with the rate nearest to NEAREST bits. */
#define FQ_MODEL_NEAREST 3.0

struct fq_model_export {
    const struct fq_report_input *in;
    const struct fq_model_section *section;
    struct fq_fig_curves *curves;
    FILE *f;
    size_t panels;     /* out: 0 when there is nothing to be drawn */
    char caption[256]; /* out: what this figure adds to its caption */
};

typedef int fq_model_exporter(struct fq_model_export *x, struct fq_error *err);
fq_model_exporter fq_model_rate, fq_model_position;              /* models_curves.c */
fq_model_exporter fq_model_layers, fq_model_kv, fq_model_sparse; /* models_parts.c */

/* tensor: "kv", "key" or "value". */
struct fq_scope fq_model_scope(const struct fq_model_section *section, const char *tensor);
const char *fq_model_tensor(const char *tensor); /* in words: "keys and values" */

/* The noise floor of a scope: of the rows that are full precision once more, the largest of each end. */
struct fq_model_floor {
    bool known;
    double delta_low, delta_high, kl, kl_high;
};
struct fq_model_floor fq_model_floor(const struct fq_model_export *x, const struct fq_scope *scope);
#define FQ_MODEL_FLOOR_COLUMNS ",floor_known,floor_delta_low,floor_delta_high,floor_kl,floor_kl_high"
void fq_model_put_floor(FILE *f, const struct fq_model_floor *floor);

/* Subjects of a scope that have this metric, are equal, no yardstick, and have at most FQ_FIG_HIGHEST_RATE bits (all
 * rates when none has), in the order of fq_subjects; when there are more than `most`, one of each curve. *thinned says
 * so. malloc'ed. */
int fq_model_chosen(const struct fq_model_export *x, const struct fq_scope *scope, const char *metric, size_t most,
                    struct fq_subject **out, size_t *n, bool *thinned, struct fq_error *err);

#endif
