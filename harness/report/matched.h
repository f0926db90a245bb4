/* The table of all methods at equal measured bits: for each scope of vectors, what every method does at 2, 3 and 4 bits
 * per coordinate, from a setting that has that rate or between the two nearest that have not. */
#ifndef FQ_REPORT_MATCHED_H
#define FQ_REPORT_MATCHED_H

#include "harness/report/select.h"
#include "harness/report/tables.h"

/* Appends the table of a scope; nothing where fewer than two curves reach any of the rates. */
int fq_matched_build(const struct fq_estimates *e, const struct fq_scope *scope, struct fq_tables *tables,
                     struct fq_error *err);

#endif
