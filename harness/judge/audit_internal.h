/* Internal to audit.c, audit_checks.c, audit_seeds.c and audit_findings.c: one rule of a contract over one set of
 * cells. Judges nothing itself. */
#ifndef FQ_JUDGE_AUDIT_INTERNAL_H
#define FQ_JUDGE_AUDIT_INTERNAL_H

#include "harness/judge/audit.h"

/* Cells under comparison, all ok. */
struct fq_audit_set {
    const struct fq_cell *const *cell;
    size_t n;
    const char *kind, *data; /* "" for the whole run */
    enum fq_audit_rates rates;
};

/* ---- findings ---- */

/* A new finding, or NULL when memory is out. */
struct fq_finding *fq_audit_add(struct fq_audit *audit, const struct fq_audit_set *set, const char *field, bool fair);
/* A new note; it counts as fair. */
struct fq_finding *fq_audit_note(struct fq_audit *audit, const struct fq_audit_set *set, const char *field);
/* The finding is about the instance of this cell, too. false: no memory. */
bool fq_audit_odd(struct fq_finding *finding, const struct fq_cell *cell);
/* Adds text behind a separator; what does not fit is cut, and the cut shows. */
void fq_audit_append(char *to, size_t size, const char *separator, const char *text);
/* Is text one of the entries between separators? (No mere part of an entry.) */
bool fq_audit_listed(const char *list, const char *separator, const char *text);
bool fq_audit_same_instance(const struct fq_cell *a, const struct fq_cell *b);
int fq_audit_no_memory(struct fq_error *err);

/* ---- checks: each adds its findings ---- */
int fq_audit_equal(struct fq_audit *audit, const struct fq_audit_set *set, const char *fact, struct fq_error *err);
int fq_audit_tolerance(struct fq_audit *audit, const struct fq_audit_set *set, const struct fq_tolerance_rule *rule,
                       struct fq_error *err);
int fq_audit_require(struct fq_audit *audit, const struct fq_audit_set *set, const struct fq_require_rule *rule,
                     struct fq_error *err);
/* Every instance that draws ran the same seeds. One may have run more than the others, since comparisons pair on the
 * common ones. */
int fq_audit_seeds(struct fq_audit *audit, const struct fq_audit_set *set, struct fq_error *err);
/* Notes instances whose measured rate is far above the nominal one, which the default rate class trusts. */
int fq_audit_nominal(struct fq_audit *audit, const struct fq_audit_set *set, struct fq_error *err);

#endif
