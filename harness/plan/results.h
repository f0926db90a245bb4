/* Results file (HDF5, schema fairquant/results/1): the sweep as text, facts of the machine, and all cells. */
#ifndef FQ_PLAN_RESULTS_H
#define FQ_PLAN_RESULTS_H

#include "harness/base/error.h"
#include "harness/plan/cell.h"

#include <stddef.h>

struct fq_results {
    char sweep_name[96];
    char sweep_sha256[65];
    char *sweep_text;        /* the YAML as run */
    struct fq_fact *machine; /* facts of `fairquant env` at run time */
    size_t n_machine;
    struct fq_cell *cells;
    size_t n_cells, cells_room;
    size_t planned; /* cells that the sweep plans in all; n_cells < planned: the run is partial */
};

int fq_results_read(const char *path, struct fq_results *out, struct fq_error *err);
int fq_results_write(const char *path, const struct fq_results *results, struct fq_error *err); /* whole or absent */
int fq_results_append(struct fq_results *into, struct fq_cell *cell, struct fq_error *err);     /* moves the cell */
void fq_results_free(struct fq_results *results);

/* The journal of a running sweep: DIR holds one whole HDF5 file per finished cell, written by rename, so that kill -9
 * at any moment loses none. */
int fq_journal_put(const char *dir, const struct fq_cell *cell, size_t planned, struct fq_error *err);
int fq_journal_read(const char *dir, struct fq_cell **cells, size_t *n, struct fq_error *err);

#endif
