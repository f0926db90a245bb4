/* The tables of a report, built from estimates: all methods at equal bits, quality of keys and values by rate class,
 * the model, speed, bytes.
 *
 * Rows that stand in one table were equal in everything that their contract asks for. Rows that the audit found unequal
 * go into a table of their own behind it, with the field that differs. */
#ifndef FQ_REPORT_TABLES_H
#define FQ_REPORT_TABLES_H

#include "harness/judge/estimate.h"
#include "harness/report/table.h"

#include <stddef.h>

enum fq_section { FQ_SECTION_MATCHED, FQ_SECTION_QUALITY, FQ_SECTION_MODEL, FQ_SECTION_SPEED, FQ_SECTION_BYTES };

struct fq_report_table {
    enum fq_section section;
    struct fq_table table;
};

struct fq_tables {
    struct fq_report_table *rows;
    size_t n, room;
};

/* Appends every table for which there are estimates. */
int fq_tables_build(const struct fq_estimates *e, struct fq_tables *out, struct fq_error *err);
void fq_tables_free(struct fq_tables *tables);

/* What the tables call a metric ("IP error, RMSE x sqrt(d) (rho = 0)"), a statistic behind a point included. false: no
 * table has it, `out` is the metric itself. */
bool fq_metric_title(const char *metric, char *out, size_t size);

/* A stage's time is impossible when even the upper end of its interval lies below the lower end of its floor's. */
bool fq_time_is_impossible(const struct fq_estimate *time, const struct fq_estimate *floor);

#endif
