/* The tables of a results file and the HDF5 types of their rows; internal to the plan floor.
 *
 *   /            attributes schema, sweep_name, sweep_sha256, planned
 *   /sweep_text  the YAML as run, bytes
 *   /machine     rows {name, text}
 *   /cells       one row per cell
 *   /facts       rows {cell, name, text}; cell is a row number of /cells
 *   /series      rows {cell, metric, tensor, unit, statistics, resample, weighted, first, n}: a slice of the samples
 *   /samples/{value, weight, label_a, label_b}
 *
 * Before the HDF5 superblock stands a user block of 512 bytes, which HDF5 skips: the schema and the SHA-256 of all that
 * follows. Truncated or altered bytes are thereby seen before the library parses them; it is not hardened against them.
 *
 * Flat tables instead of a group per cell: thousands of cells stay one read, and any HDF5 tool shows them. */
#ifndef FQ_PLAN_RESULTS_SCHEMA_H
#define FQ_PLAN_RESULTS_SCHEMA_H

#include "harness/plan/cell.h"

#include <hdf5.h>
#include <stdint.h>

#define FQ_RESULTS_SCHEMA "fairquant/results/1"

enum { FQ_RESULTS_BLOCK = 512 };
#define FQ_RESULTS_MARK FQ_RESULTS_SCHEMA " sha256 "

struct fq_fact_row {
    uint32_t cell;
    struct fq_fact fact;
};

struct fq_series_row {
    uint32_t cell;
    char metric[40], tensor[12], unit[20], statistics[64], resample[24];
    uint8_t weighted;
    uint64_t first, n;
};

/* Compound types over the structs above (memory layout); the caller closes them. Negative: HDF5 is out of memory. */
hid_t fq_type_fact(void);
hid_t fq_type_fact_row(void);
hid_t fq_type_series_row(void);
hid_t fq_type_cell(void);

#endif
