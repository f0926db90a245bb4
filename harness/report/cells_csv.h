/* cells.csv: every estimate as one tidy row, for whoever does his own plots and tests. */
#ifndef FQ_REPORT_CELLS_CSV_H
#define FQ_REPORT_CELLS_CSV_H

#include "harness/judge/estimate.h"

#include <stdio.h>

/* RFC 4180 with a header; lines end in LF. Numbers "%.9g"; a value without an interval is left empty, and so are its
 * bounds. Columns and their order are in docs/formats.md and are an interface. */
void fq_put_cells_csv(FILE *f, const struct fq_estimates *e);

/* "%.9g", or nothing when it is not finite. */
void fq_put_csv_number(FILE *f, double v);

#endif
