/* Which estimates belong on one row, and which rows into one table. */
#ifndef FQ_REPORT_SELECT_H
#define FQ_REPORT_SELECT_H

#include "harness/judge/estimate.h"

#include <stdbool.h>
#include <stddef.h>

/* What a table or a panel is about. */
struct fq_scope {
    const char *kind, *data, *model, *tensor;
};

/* One row: a method instance in a scope, named by the first of its estimates. */
struct fq_subject {
    const struct fq_estimate *first;
    bool unequal;   /* the audit flagged at least one of its estimates of this scope */
    char field[64]; /* the first field that differs */
};

/* Distinct scopes of one kind, in order of appearance; malloc'ed. kind NULL: all. */
int fq_scopes(const struct fq_estimates *e, const char *kind, struct fq_scope **out, size_t *n, struct fq_error *err);
/* Distinct method instances of a scope that have one of `metrics` (NULL-terminated; NULL: any), without A/A twins,
 * sorted by rate class (numbers by value), then by measured rate, then by label; malloc'ed. */
int fq_subjects(const struct fq_estimates *e, const struct fq_scope *scope, const char *const *metrics,
                struct fq_subject **out, size_t *n, struct fq_error *err);
/* The estimate of a metric for a subject in a scope; replicate as the subject's. NULL: none. */
const struct fq_estimate *fq_estimate_of(const struct fq_estimates *e, const struct fq_scope *scope,
                                         const struct fq_subject *subject, const char *metric);
/* Does any estimate of the scope carry this metric? */
bool fq_scope_has(const struct fq_estimates *e, const struct fq_scope *scope, const char *metric);

/* Flags are a comma list: is `flag` in it; the text behind "PREFIX:" of its first such entry, or false. */
bool fq_has_flag(const char *flags, const char *flag);
bool fq_flag_value(const char *flags, const char *prefix, char *out, size_t size);

/* "smollm2-135m-jargon, key" for titles. */
void fq_scope_title(const struct fq_scope *scope, char *out, size_t size);

/* Label without its `bits=N`: instances that differ only in width are one curve. */
void fq_curve_name(const char *label, char *out, size_t size);

#endif
