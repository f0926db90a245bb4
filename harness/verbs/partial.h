/* Said first by every verb that draws conclusions from results files: which of them is a part. */
#ifndef FQ_VERBS_PARTIAL_H
#define FQ_VERBS_PARTIAL_H

#include "harness/plan/results.h"

/* One line on stdout for each file with fewer cells than its sweep plans; nothing for whole ones. */
void fq_say_partial(const char *const *paths, const struct fq_results *results, size_t n);

#endif
