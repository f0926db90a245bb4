/* Readers of files that hold one matrix, row by row. Inside of the data floor. */
#ifndef FQ_DATA_ROWS_FILE_H
#define FQ_DATA_ROWS_FILE_H

#include "harness/data/dataset_internal.h"

struct fq_rows_reader {
    size_t rows, dim;
    void *state;
    int (*read)(void *state, size_t first, size_t n, float *out, struct fq_error *err); /* out[n][dim] */
    void (*close)(void *state);
};

/* The whole file is checked by its size when opened: a truncated one is FQ_USAGE at once. */
int fq_npy_open(const char *path, struct fq_rows_reader *out, struct fq_error *err);
int fq_vecs_open(const char *path, const char *ending, struct fq_rows_reader *out,
                 struct fq_error *err); /* ".fvecs" or ".bvecs" */

#endif
