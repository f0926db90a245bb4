/* From an entry of a sweep's data list to an open dataset.
 *
 * It must not cache: whoever opens closes, so that one set is in memory at a time. */
#include "harness/plan/sources.h"

#include "harness/data/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCAN_FLOATS = 1 << 20 };

static int open_embeddings(const struct fq_sweep_data *data, struct fq_dataset **out, struct fq_error *err) {
    char path[4096], sha256[FQ_SHA256_HEX];
    FQ_TRY(fq_manifest_resolve(data->what, "model", path, sizeof path, sha256, err));
    return fq_dataset_open(path, out, err);
}

static int open_any(const struct fq_sweep_data *data, struct fq_dataset **out, struct fq_error *err) {
    switch (data->source) {
    case FQ_SOURCE_GENERATE:
        return fq_dataset_generate(data->what, data->rows, data->dim, data->seed, out, err);
    case FQ_SOURCE_EMBEDDINGS:
        return open_embeddings(data, out, err);
    case FQ_SOURCE_KV:
    case FQ_SOURCE_FILE:
        break;
    }
    return fq_dataset_open(data->what, out, err);
}

static int check_kind(const struct fq_sweep_data *data, const struct fq_dataset_info *info, struct fq_error *err) {
    if (data->source == FQ_SOURCE_KV && info->kind != FQ_DATA_KV)
        return fq_fail(err, FQ_USAGE,
                       "kv: '%s' is a set of vectors, not a KV set (schema fairquant/kv/1); write it as {vectors: %s}",
                       data->what, data->what);
    if (data->source == FQ_SOURCE_FILE && info->kind != FQ_DATA_VECTORS)
        return fq_fail(err, FQ_USAGE, "vectors: '%s' is a KV set; write it as {kv: %s, tensors: [key, value]}",
                       data->what, data->what);
    if (data->source == FQ_SOURCE_KV && data->value && !info->has_value)
        return fq_fail(err, FQ_USAGE, "kv: '%s' holds no values; write tensors: [key]", data->what);
    return 0;
}

int fq_source_open(const struct fq_sweep *sweep, const struct fq_sweep_data *data, struct fq_dataset **out,
                   struct fq_error *err) {
    int code = open_any(data, out, err);
    if (code == 0) {
        code = check_kind(data, fq_dataset_info(*out), err);
        if (code == 0 && data->source != FQ_SOURCE_GENERATE && (data->n_layers || data->rows))
            code = fq_dataset_restrict(*out, data->layers, data->n_layers, data->rows, err);
        if (code != 0) {
            fq_dataset_close(*out);
            *out = NULL;
        }
    }
    return code == 0 ? 0 : fq_fail_in(err, "%s:%d", sweep->path, data->line);
}

static int scan_matrix(struct fq_dataset *set, enum fq_tensor tensor, size_t layer, size_t head, float *buffer,
                       size_t rows, struct fq_error *err) {
    const struct fq_dataset_info *info = fq_dataset_info(set);
    for (size_t first = 0; first < info->n; first += rows) {
        const size_t left = info->n - first;
        FQ_TRY(fq_dataset_rows(set, tensor, layer, head, first, left < rows ? left : rows, buffer, err));
    }
    return 0;
}

static int scan_queries(struct fq_dataset *set, size_t layer, size_t head, float *buffer, size_t rows,
                        struct fq_error *err) {
    const struct fq_dataset_info *info = fq_dataset_info(set);
    for (size_t first = 0; first < info->n_queries; first += rows) {
        const size_t left = info->n_queries - first;
        FQ_TRY(fq_dataset_queries(set, layer, head, first, left < rows ? left : rows, buffer, err));
    }
    return 0;
}

static int scan_all(struct fq_dataset *set, const struct fq_sweep_data *data, float *buffer, size_t rows,
                    struct fq_error *err) {
    const struct fq_dataset_info *info = fq_dataset_info(set);
    const bool queries = info->has_query && (data->metrics & (FQ_METRIC_ATTENTION | FQ_METRIC_INNER_PRODUCT));
    for (size_t layer = 0; layer < info->layers; layer++) {
        for (size_t head = 0; head < info->kv_heads; head++) {
            if (data->key)
                FQ_TRY(scan_matrix(set, FQ_KEY, layer, head, buffer, rows, err));
            if (data->value)
                FQ_TRY(scan_matrix(set, FQ_VALUE, layer, head, buffer, rows, err));
        }
        for (size_t head = 0; queries && head < info->heads; head++)
            FQ_TRY(scan_queries(set, layer, head, buffer, rows, err));
    }
    return 0;
}

int fq_source_scan(struct fq_dataset *set, const struct fq_sweep_data *data, struct fq_error *err) {
    const size_t dim = fq_dataset_info(set)->dim, rows = SCAN_FLOATS / dim + 1;
    float *buffer = malloc(rows * dim * sizeof *buffer);
    if (!buffer)
        return fq_fail(err, FQ_FAILED, "out of memory while reading '%s'", data->what);
    const int code = scan_all(set, data, buffer, rows, err);
    free(buffer);
    return code;
}
