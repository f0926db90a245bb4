/* Vector sets of the ann-benchmarks collection: HDF5 with `train` [n][dim] and `test` [queries][dim].
 *
 * `neighbors` and `distances` are not read: the metric of the file is not always the inner product, and true neighbours
 * are computed by the harness from the same vectors that the methods get. */
#include "harness/data/dataset_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ann {
    hid_t file;
    char path[4096];
    struct fq_h5_matrix train, test;
};

static int ann_rows(void *state, enum fq_matrix which, size_t layer, size_t head, size_t first, size_t n, float *out,
                    struct fq_error *err) {
    (void)layer;
    (void)head;
    const struct ann *ann = state;
    const struct fq_h5_matrix *m = which == FQ_MATRIX_QUERY ? &ann->test : &ann->train;
    const hsize_t offset[2] = {first, 0}, count[2] = {n, m->size[1]};
    return fq_h5_matrix_read(m, 2, offset, count, out, ann->path, which == FQ_MATRIX_QUERY ? "test" : "train", err);
}

static void ann_close(void *state) {
    struct ann *ann = state;
    fq_h5_matrix_close(&ann->train);
    fq_h5_matrix_close(&ann->test);
    (void)H5Fclose(ann->file);
    free(ann);
}

static const struct fq_source ann_source = {.rows = ann_rows, .close = ann_close};

static int open_matrices(struct ann *ann, struct fq_dataset_info *info, struct fq_error *err) {
    FQ_TRY(fq_h5_matrix_open(ann->file, ann->path, "train", 2, &ann->train, err));
    info->n = info->context = (size_t)ann->train.size[0];
    info->dim = (size_t)ann->train.size[1];
    if (H5Lexists(ann->file, "test", H5P_DEFAULT) <= 0)
        return FQ_OK;
    FQ_TRY(fq_h5_matrix_open(ann->file, ann->path, "test", 2, &ann->test, err));
    if (ann->test.size[1] != ann->train.size[1])
        return fq_fail(err, FQ_USAGE, "'%s': 'test' has vectors of length %llu, 'train' of length %llu; expected equal",
                       ann->path, (unsigned long long)ann->test.size[1], (unsigned long long)ann->train.size[1]);
    info->n_queries = (size_t)ann->test.size[0];
    info->has_query = info->n_queries > 0;
    return FQ_OK;
}

int fq_ann_open(struct fq_dataset *set, hid_t file, struct fq_error *err) {
    struct ann *ann = calloc(1, sizeof *ann);
    if (ann == NULL) {
        (void)H5Fclose(file);
        return fq_fail(err, FQ_USAGE, "out of memory while opening '%s'", set->path);
    }
    ann->file = file;
    memcpy(ann->path, set->path, sizeof ann->path);
    ann->train.id = ann->test.id = H5I_INVALID_HID;
    struct fq_dataset_info *info = &set->info;
    info->kind = FQ_DATA_VECTORS;
    (void)snprintf(info->source, sizeof info->source, "ann-benchmarks");
    info->layers = info->kv_heads = info->heads = 1;
    int code = open_matrices(ann, info, err);
    if (code != 0) {
        ann_close(ann);
        return code;
    }
    set->source = &ann_source;
    set->state = ann;
    return FQ_OK;
}
