/* From an entry of a sweep's data list to an open dataset; internal to the plan floor. */
#ifndef FQ_PLAN_SOURCES_H
#define FQ_PLAN_SOURCES_H

#include "harness/data/dataset.h"
#include "harness/plan/sweep.h"

/* Opens what the entry describes, narrowed to its layers and rows. Errors carry the sweep's file and line. */
int fq_source_open(const struct fq_sweep *sweep, const struct fq_sweep_data *data, struct fq_dataset **out,
                   struct fq_error *err);

/* Reads every row that the sweep will use; the first NaN or Inf is an error with its place. Done before anything is
 * measured, so that bad data ends a run before it starts and not in the middle. */
int fq_source_scan(struct fq_dataset *set, const struct fq_sweep_data *data, struct fq_error *err);

#endif
