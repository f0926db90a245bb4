/* What the builders of tables share (tables.c, matched.c); nothing else includes this. */
#ifndef FQ_REPORT_TABLES_INTERNAL_H
#define FQ_REPORT_TABLES_INTERNAL_H

#include "harness/report/select.h"
#include "harness/report/tables.h"

/* A column of a table; a list ends with a NULL metric. */
struct fq_metric_head {
    const char *metric, *title, *unit;
};

/* A new table behind the others; NULL + err when memory is out. */
struct fq_table *fq_tables_add(struct fq_tables *tables, enum fq_section section, const char *id, const char *title,
                               struct fq_error *err);

/* Adds to what stands small behind a cell. */
void fq_cell_note(struct fq_table_cell *cell, const char *text);
/* The number with its interval and flags; a dash for NULL. */
void fq_cell_estimate(struct fq_table_cell *cell, const struct fq_estimate *e);
/* The flags alone. */
void fq_cell_flags(struct fq_table_cell *cell, const struct fq_estimate *e);

/* "95 % intervals by resampling seed, layer and head; 3 seeds." from the rows that are shown. */
void fq_describe_sampling(const struct fq_estimates *e, const struct fq_scope *scope,
                          const struct fq_metric_head *heads, char *out, size_t size);

#endif
