/* What the audit will say about rates, said before the sweep runs. */
#ifndef FQ_VERBS_RATE_NOTES_H
#define FQ_VERBS_RATE_NOTES_H

#include "harness/plan/plan.h"

/* Prints one note for each rate class whose planned rates, in one place of comparison, are further apart than the
 * contract of the sweep allows: the ends of the span, and what to do. Nothing where the contract has no such rule. */
int fq_rate_notes(const struct fq_plan *plan, struct fq_error *err);

#endif
