/* Runs a planned sweep into a results file; and joins results files. */
#ifndef FQ_PLAN_RUN_H
#define FQ_PLAN_RUN_H

#include "harness/plan/plan.h"
#include "harness/plan/results.h"

struct fq_run_options {
    const char *out; /* results file */
    bool resume;
    bool quiet;             /* passed on to speed processes */
    unsigned shard, shards; /* 1, 1: all */
    const char *data;       /* shell pattern: only cells on data of such names; NULL: all */
    int process;            /* -1: the run itself; else the speed process of this number, started by the run */
    const struct fq_sweep_override *override;
    const char *const *plugins; /* paths, passed on to speed processes */
    size_t n_plugins;
};

struct fq_run_summary {
    size_t planned;  /* cells of this shard and of the data asked for */
    size_t kept;     /* were finished before */
    size_t finished; /* by this run */
    size_t failed;   /* of all */
    char first_failure[FQ_ERROR_SIZE];
};

/* True if the options ask for this cell: it is of their shard and of their data. */
bool fq_run_wants(const struct fq_run_options *options, const struct fq_planned *cell);

/* The refusals that need no plan: an output that cannot be written, that exists, or whose journal does (unless resume).
 * fq_run_sweep repeats them; asked first, they come before any note about a run that will not be. */
int fq_run_check_output(const struct fq_run_options *options, struct fq_error *err);

/* Refuses an output that exists (unless resume) and data that the sweep does not have, runs what is missing, assembles
 * the results file. Cells that fail are counted, not errors. */
int fq_run_sweep(struct fq_plan *plan, const struct fq_run_options *options, struct fq_run_summary *summary,
                 struct fq_error *err);

/* Joins results of one sweep. Equal cells (same id, same series) are kept once; the same cell with other numbers is an
 * error, and so are parts of different sweeps. */
int fq_merge(const char *out, const char *const *parts, size_t n_parts, size_t *n_cells, size_t *planned,
             struct fq_error *err);

#endif
