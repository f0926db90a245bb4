/* Runs planned cells one after the other in this process, keeping open what neighbours share: the dataset, a model's
 * full-precision pass, the codecs of a speed block. Internal to the plan floor. */
#ifndef FQ_PLAN_BENCH_H
#define FQ_PLAN_BENCH_H

#include "harness/plan/plan.h"

struct fq_bench;

/* The plan must outlive the bench. */
int fq_bench_open(const struct fq_plan *plan, struct fq_bench **out, struct fq_error *err);
void fq_bench_close(struct fq_bench *bench); /* NULL is fine */

/* Called while a model cell runs: part of it (0 to 1) that is done, and what is being done. */
typedef void fq_bench_progress(void *arg, double part, const char *what);
void fq_bench_watch(struct fq_bench *bench, fq_bench_progress *progress, void *arg);

/* Finished windows of model cells are kept in this folder (FOLDER/ID.windows) while the cell runs; NULL: nowhere. */
void fq_bench_keep(struct fq_bench *bench, const char *folder);

/* Measures one cell. `out` becomes a copy of its identity with facts and series; if the measurement fails, ok is false
 * and reason says why: that is a result, not an error. The caller frees it. */
void fq_bench_run(struct fq_bench *bench, const struct fq_planned *planned, struct fq_cell *out);

/* Closes datasets, models and codecs: before other processes are timed, memory and caches are left to them. */
void fq_bench_rest(struct fq_bench *bench);

#endif
