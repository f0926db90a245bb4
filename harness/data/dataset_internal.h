/* Inside of the data floor: what a kind of dataset supplies, and helpers that several kinds share. Not for other
 * floors.
 */
#ifndef FQ_DATA_DATASET_INTERNAL_H
#define FQ_DATA_DATASET_INTERNAL_H

#include "harness/data/dataset.h"

#include <hdf5.h>

/* The matrices with a row for each token, and one with a row for each position of a window. */
enum fq_matrix { FQ_MATRIX_KEY, FQ_MATRIX_VALUE, FQ_MATRIX_QUERY, FQ_MATRICES, FQ_MATRIX_KEY_BIAS = FQ_MATRICES };
const char *fq_matrix_name(enum fq_matrix which); /* "key" "value" "query" "key_bias" */

/* Rows of one matrix as float32, inside bounds that the caller checked. */
struct fq_source {
    int (*rows)(void *state, enum fq_matrix which, size_t layer, size_t head, size_t first, size_t n, float *out,
                struct fq_error *err);
    void (*close)(void *state);
    /* Where row i of a matrix stands in the file, for sentences; NULL: at i. */
    size_t (*file_row)(void *state, enum fq_matrix which, size_t i);
};

struct fq_dataset {
    struct fq_dataset_info info;
    char path[4096]; /* what sentences call it */
    const struct fq_source *source;
    void *state;
};

/* Each fills set->info, source and state; on failure state stays NULL. set->path is set before. */
int fq_kv_open(struct fq_dataset *set, hid_t file, struct fq_error *err); /* takes over file */
int fq_ann_open(struct fq_dataset *set, hid_t file, struct fq_error *err);
int fq_rows_file_open(struct fq_dataset *set, const char *ending, struct fq_error *err); /* fvecs bvecs npy gguf */

/* ---- HDF5, silenced: its own error stack is never printed ---- */

int fq_h5_open(const char *path, hid_t *file, struct fq_error *err);
hid_t fq_h5_half_type(void); /* IEEE half, little endian, as NumPy and h5py write float16; close with H5Tclose */

/* A string attribute of `object`, fixed or variable length. Returns 0 if it is there (cut to size), else -1. */
int fq_h5_text(hid_t object, const char *name, char *out, size_t size);
int fq_h5_count(hid_t object, const char *name, size_t *out); /* a whole number attribute; -1 if absent or negative */

/* An open data set of floating point or integer numbers with `rank` dimensions. */
struct fq_h5_matrix {
    hid_t id;
    int half; /* stored as IEEE half: read raw, converted by us (the library's conversion is ten times slower) */
    size_t bytes_per_number;
    H5T_class_t class;
    hsize_t size[3];
};
/* name is a path inside the file. FQ_USAGE: absent, not numbers, wrong rank. */
int fq_h5_matrix_open(hid_t file, const char *path, const char *name, int rank, struct fq_h5_matrix *out,
                      struct fq_error *err);
void fq_h5_matrix_close(struct fq_h5_matrix *m);
/* Block [offset, offset + count) as float32. */
int fq_h5_matrix_read(const struct fq_h5_matrix *m, int rank, const hsize_t *offset, const hsize_t *count, float *out,
                      const char *path, const char *name, struct fq_error *err);

/* SHA-256 of a file, remembered by size and times in the data folder, so that a large file is hashed once. */
int fq_file_sha256(const char *path, char hex[FQ_SHA256_HEX], struct fq_error *err);

#endif
