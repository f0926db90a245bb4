/* verdicts.csv and audit.txt: what was judged, for programs and for eyes. */
#ifndef FQ_REPORT_JUDGED_FILES_H
#define FQ_REPORT_JUDGED_FILES_H

#include "harness/judge/audit.h"
#include "harness/judge/verdict.h"

#include <stdio.h>

/* One row per claim and comparison; a claim without one has one row with empty fields. */
void fq_put_verdicts_csv(FILE *f, const struct fq_verdicts *verdicts);
void fq_put_audit_text(FILE *f, const struct fq_audit *audit);

#endif
