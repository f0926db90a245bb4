/* One section of the page for each model and text: quality against rate, by position, by layer, keys against values,
 * skipped values. Each figure is exported to plots/data and drawn like the others (figures.h); a figure that nothing
 * was measured for is left out, and the section says so. */
#ifndef FQ_REPORT_MODELS_H
#define FQ_REPORT_MODELS_H

#include "harness/report/directory.h"
#include "harness/report/figures.h"
#include "harness/report/report.h"

#include <stddef.h>

enum fq_model_figure {
    FQ_MODEL_RATE,     /* delta log-perplexity and KL against the measured rate */
    FQ_MODEL_POSITION, /* both by position in the context */
    FQ_MODEL_LAYERS,   /* relative error in the running model, layer by method */
    FQ_MODEL_KV,       /* the same setting on keys alone and on values alone */
    FQ_MODEL_SPARSE,   /* part of the values skipped against KL */
    FQ_MODEL_FIGURES
};

struct fq_model_section {
    char data[128]; /* "model/corpus@context", as in the estimates */
    char model[64];
    char slug[144]; /* of its files and anchors, different in all sections */
    struct fq_figure figure[FQ_MODEL_FIGURES];
};

struct fq_model_sections {
    struct fq_model_section *section;
    size_t n;
};

/* A section for each data item of model cells, in order of appearance; their data are exported. */
int fq_models_export(const struct fq_report_input *in, const struct fq_report_dir *dir, struct fq_model_sections *out,
                     struct fq_error *err);
/* Draws them, with a gnuplot that is usable; complaints go to `absent`. */
void fq_models_draw(struct fq_model_sections *sections, const struct fq_report_dir *dir, const char *scripts,
                    char *absent, size_t size);
void fq_models_free(struct fq_model_sections *sections);

/* What a section lacks, as one sentence; "" when it has every figure. */
void fq_model_lacks(const struct fq_model_section *section, char *out, size_t size);

#endif
