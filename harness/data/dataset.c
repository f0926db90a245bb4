/* One face for all datasets: finds out what a name or a file is, checks bounds and finiteness, forwards to the kind.
 *
 * HDF5 is a serial library: rows are read by one thread. Nothing here keeps rows; a set larger than memory works. */
#include "harness/data/dataset.h"

#include "harness/base/file.h"
#include "harness/data/dataset_internal.h"
#include "harness/data/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

const char *fq_matrix_name(enum fq_matrix which) {
    static const char *const names[FQ_MATRICES + 1] = {"key", "value", "query", "key_bias"};
    return names[which];
}

/* ---- finiteness ---- */

static int is_finite(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7F800000u) != 0x7F800000u;
}

/* Index of the first value that is NaN or infinite, or n. */
static size_t first_bad(const float *x, size_t n) {
    enum { BLOCK = 1024 };
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        size_t end = begin + BLOCK < n ? begin + BLOCK : n;
        int good = 1;
        for (size_t i = begin; i < end; i++)
            good &= is_finite(x[i]);
        for (size_t i = begin; !good && i < end; i++)
            if (!is_finite(x[i]))
                return i;
    }
    return n;
}

static const char *bad_name(float x) {
    if (x != x)
        return "NaN";
    return x > 0 ? "Inf" : "-Inf";
}

int fq_check_finite(const char *what, const float *x, size_t n, size_t dim, struct fq_error *err) {
    size_t at = first_bad(x, n * dim);
    if (at == n * dim)
        return FQ_OK;
    return fq_fail(err, FQ_USAGE, "%s: vector %zu, coordinate %zu is %s", what, at / dim, at % dim, bad_name(x[at]));
}

/* ---- opening ---- */

static int ends_with(const char *path, const char *ending) {
    size_t n = strlen(path), k = strlen(ending);
    return n > k && strcasecmp(path + n - k, ending) == 0;
}

static void base_name(const char *path, char *out, size_t size) {
    const char *slash = strrchr(path, '/');
    (void)snprintf(out, size, "%s", slash != NULL ? slash + 1 : path);
}

static int open_hdf5(struct fq_dataset *set, struct fq_error *err) {
    hid_t file;
    FQ_TRY(fq_h5_open(set->path, &file, err));
    char schema[64] = "";
    int has_schema = fq_h5_text(file, "schema", schema, sizeof schema) == 0;
    if (has_schema && strcmp(schema, "fairquant/kv/1") == 0)
        return fq_kv_open(set, file, err);
    if (!has_schema && H5Lexists(file, "train", H5P_DEFAULT) > 0)
        return fq_ann_open(set, file, err);
    (void)H5Fclose(file);
    if (has_schema)
        return fq_fail(err, FQ_USAGE,
                       "'%s': expected the attribute schema = 'fairquant/kv/1', found '%s'; this is no KV set, or one "
                       "of another version",
                       set->path, schema);
    return fq_fail(err, FQ_USAGE,
                   "'%s': expected a KV set (attribute schema = 'fairquant/kv/1') or an ann-benchmarks file (data set "
                   "'train'), found neither; docs/formats.md shows how to write one",
                   set->path);
}

static int open_file(struct fq_dataset *set, struct fq_error *err) {
    struct stat st;
    if (stat(set->path, &st) != 0)
        return fq_fail(err, FQ_USAGE, "cannot open '%s': %s", set->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fq_fail(err, FQ_USAGE, "'%s' is not a file of data", set->path);
    static const char *const endings[] = {".fvecs", ".bvecs", ".npy", ".gguf"};
    int code = -1;
    for (size_t i = 0; code < 0 && i < sizeof endings / sizeof endings[0]; i++)
        if (ends_with(set->path, endings[i]))
            code = fq_rows_file_open(set, endings[i], err);
    if (code < 0)
        code = open_hdf5(set, err);
    FQ_TRY(code);
    if (set->info.dim == 0 || set->info.dim > FQ_MAX_DIM)
        return fq_fail(err, FQ_USAGE, "'%s': vectors of length %zu; expected 1 to %d", set->path, set->info.dim,
                       FQ_MAX_DIM);
    if (set->info.n == 0)
        return fq_fail(err, FQ_USAGE, "'%s': holds no vectors", set->path);
    return fq_file_sha256(set->path, set->info.sha256, err);
}

/* A captured set is made on this machine, so instead of a hash the manifest fixes how it was captured. */
static int check_capture(const struct fq_dataset *set, const struct fq_manifest_entry *entry, struct fq_error *err) {
    const struct fq_dataset_info *info = &set->info;
    if (info->kind == FQ_DATA_KV && strcmp(info->model, entry->model) == 0 &&
        strcmp(info->corpus, entry->corpus) == 0 && info->n == entry->tokens && info->context == entry->context)
        return FQ_OK;
    return fq_fail(err, FQ_USAGE,
                   "'%s': the manifest says model %s, corpus %s, %llu tokens, context %llu; found model %s, corpus %s, "
                   "%zu tokens, context %zu; remove the file and capture again: %s",
                   set->path, entry->model, entry->corpus, entry->tokens, entry->context, info->model, info->corpus,
                   info->n, info->context, entry->obtain);
}

/* Fills set->path, and *entry if the name is one of the manifest; else entry->kind is "". */
static int find_name(struct fq_dataset *set, const char *name, struct fq_manifest_entry *entry, struct fq_error *err) {
    char ignored[FQ_SHA256_HEX];
    struct fq_manifest_entry *entries = NULL;
    size_t n = 0;
    struct fq_error unread;
    memset(entry, 0, sizeof *entry);
    if (fq_manifest_load(&entries, &n, &unread) == 0)
        for (size_t i = 0; i < n; i++)
            if (strcmp(entries[i].name, name) == 0)
                *entry = entries[i];
    free(entries);
    /* A model's name means its token embeddings; everything else has to be a captured set or a path. */
    const char *kind = strcmp(entry->kind, "model") == 0 ? "model" : "kv";
    return fq_manifest_resolve(name, kind, set->path, sizeof set->path, ignored, err);
}

int fq_dataset_open(const char *path_or_name, struct fq_dataset **out, struct fq_error *err) {
    *out = NULL;
    struct fq_dataset *set = calloc(1, sizeof *set);
    if (set == NULL)
        return fq_fail(err, FQ_USAGE, "out of memory while opening '%s'", path_or_name);
    struct fq_manifest_entry entry;
    int code = find_name(set, path_or_name, &entry, err);
    if (code == 0) {
        base_name(path_or_name, set->info.name, sizeof set->info.name);
        code = open_file(set, err);
    }
    if (code == 0 && strcmp(entry.kind, "kv") == 0)
        code = check_capture(set, &entry, err);
    if (code != 0) {
        fq_dataset_close(set);
        return code;
    }
    *out = set;
    return FQ_OK;
}

void fq_dataset_close(struct fq_dataset *set) {
    if (set == NULL)
        return;
    if (set->state != NULL)
        set->source->close(set->state);
    free(set);
}

const struct fq_dataset_info *fq_dataset_info(const struct fq_dataset *set) {
    return &set->info;
}

/* ---- reading ---- */

static int read_rows(struct fq_dataset *set, enum fq_matrix which, size_t layer, size_t head, size_t first, size_t n,
                     float *out, struct fq_error *err) {
    const struct fq_dataset_info *info = &set->info;
    size_t heads = which == FQ_MATRIX_QUERY ? info->heads : info->kv_heads;
    size_t rows = which == FQ_MATRIX_QUERY ? info->n_queries : which == FQ_MATRIX_KEY_BIAS ? info->context : info->n;
    const char *name = fq_matrix_name(which);
    if ((which == FQ_MATRIX_VALUE && !info->has_value) || (which == FQ_MATRIX_QUERY && !info->has_query) ||
        (which == FQ_MATRIX_KEY_BIAS && !info->has_key_bias))
        return fq_fail(err, FQ_USAGE, "'%s' holds no %s vectors; choose another tensor or another data set", set->path,
                       name);
    if (layer >= info->layers || head >= heads)
        return fq_fail(err, FQ_USAGE, "'%s' has %zu layers of %zu %s heads; layer %zu, head %zu was asked for",
                       set->path, info->layers, heads, name, layer, head);
    if (first > rows || n > rows - first)
        return fq_fail(err, FQ_USAGE, "'%s' has %zu %s vectors; [%zu, %zu) was asked for", set->path, rows, name, first,
                       first + n);
    if (n == 0)
        return FQ_OK;
    FQ_TRY(set->source->rows(set->state, which, layer, head, first, n, out, err));
    size_t at = first_bad(out, n * info->dim);
    if (at == n * info->dim)
        return FQ_OK;
    const size_t row = first + at / info->dim;
    if (set->source->file_row != NULL)
        return fq_fail(err, FQ_USAGE, "'%s': vector %zu, channel %zu is %s; only finite numbers can be quantized",
                       set->path, set->source->file_row(set->state, which, row), at % info->dim, bad_name(out[at]));
    return fq_fail(err, FQ_USAGE,
                   "'%s': layer %zu, head %zu, %s vector %zu, channel %zu is %s; only finite numbers can be quantized",
                   set->path, layer, head, name, row, at % info->dim, bad_name(out[at]));
}

int fq_dataset_rows(struct fq_dataset *set, enum fq_tensor tensor, size_t layer, size_t kv_head, size_t first, size_t n,
                    float *out, struct fq_error *err) {
    enum fq_matrix which = tensor == FQ_VALUE ? FQ_MATRIX_VALUE : FQ_MATRIX_KEY;
    return read_rows(set, which, layer, kv_head, first, n, out, err);
}

int fq_dataset_queries(struct fq_dataset *set, size_t layer, size_t head, size_t first, size_t n, float *out,
                       struct fq_error *err) {
    return read_rows(set, FQ_MATRIX_QUERY, layer, head, first, n, out, err);
}

int fq_dataset_key_bias(struct fq_dataset *set, size_t layer, size_t kv_head, size_t first, size_t n, float *out,
                        struct fq_error *err) {
    return read_rows(set, FQ_MATRIX_KEY_BIAS, layer, kv_head, first, n, out, err);
}
