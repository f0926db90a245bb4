/* A report: CSV, Markdown and LaTeX tables, plots, and one self-contained page, from results that were audited and
 * judged. */
#ifndef FQ_REPORT_REPORT_H
#define FQ_REPORT_REPORT_H

#include "harness/base/error.h"
#include "harness/judge/estimate.h"
#include "harness/plan/results.h"

#include <stddef.h>

struct fq_audit;
struct fq_verdicts;

struct fq_report_input {
    const char *const *paths; /* of the results files, as given */
    const struct fq_results *results;
    size_t n_results;
    const struct fq_estimates *estimates; /* with the audit's flags */
    const struct fq_audit *audit;
    const struct fq_verdicts *verdicts;
};

/* Can a report be written there? For before the work that would be lost. FQ_USAGE as below. */
int fq_report_check(const char *dir, struct fq_error *err);

/* Writes DIR whole or not at all; an earlier report there is replaced. FQ_USAGE: DIR is something else, or cannot be
 * written. Missing plots are no error: the report says why, and `warning` (size FQ_ERROR_SIZE) holds the sentence for
 * stderr, else "". */
int fq_report_write(const struct fq_report_input *in, const char *dir, char *warning, struct fq_error *err);

#endif
