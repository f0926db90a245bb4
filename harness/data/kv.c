/* KV sets: keys, values and queries dumped from a language model, in HDF5 (schema fairquant/kv/1, docs/formats.md).
 *
 * /layer_%03d/{key,value} [kv_head][token][dim] and /layer_%03d/query [head][token][dim], float16 or float32;
 * optionally /layer_%03d/key_bias [kv_head][position][dim] with a row for each position of a window. All shapes are
 * checked when the set is opened, so that a sweep of an hour does not stumble over layer 29. Rows are read in slices.
 * Files come from any engine: attributes are read in either string kind. */
#include "harness/data/dataset_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kv {
    hid_t file;
    char path[4096];
    struct fq_h5_matrix open; /* the matrix of the last read stays open: rows come in order */
    char open_name[48];
};

static void matrix_path(char *out, size_t size, size_t layer, enum fq_matrix which) {
    (void)snprintf(out, size, "/layer_%03zu/%s", layer, fq_matrix_name(which));
}

static int kv_rows(void *state, enum fq_matrix which, size_t layer, size_t head, size_t first, size_t n, float *out,
                   struct fq_error *err) {
    struct kv *kv = state;
    char name[48];
    matrix_path(name, sizeof name, layer, which);
    if (strcmp(name, kv->open_name) != 0) {
        fq_h5_matrix_close(&kv->open);
        kv->open_name[0] = '\0';
        FQ_TRY(fq_h5_matrix_open(kv->file, kv->path, name, 3, &kv->open, err));
        memcpy(kv->open_name, name, sizeof name);
    }
    const hsize_t offset[3] = {head, first, 0}, count[3] = {1, n, kv->open.size[2]};
    return fq_h5_matrix_read(&kv->open, 3, offset, count, out, kv->path, name, err);
}

static void kv_close(void *state) {
    struct kv *kv = state;
    fq_h5_matrix_close(&kv->open);
    (void)H5Fclose(kv->file);
    free(kv);
}

static const struct fq_source kv_source = {.rows = kv_rows, .close = kv_close};

static int need_text(const struct kv *kv, const char *name, char *out, size_t size, struct fq_error *err) {
    if (fq_h5_text(kv->file, name, out, size) == 0 && out[0] != '\0')
        return FQ_OK;
    return fq_fail(err, FQ_USAGE, "'%s': the attribute '%s' is missing or no text; docs/formats.md lists them",
                   kv->path, name);
}

static void wish_text(const struct kv *kv, const char *name, char *out, size_t size) {
    if (fq_h5_text(kv->file, name, out, size) != 0 || out[0] == '\0')
        (void)snprintf(out, size, "unknown");
}

static int read_attributes(const struct kv *kv, struct fq_dataset_info *info, struct fq_error *err) {
    FQ_TRY(need_text(kv, "model", info->model, sizeof info->model, err));
    wish_text(kv, "corpus", info->corpus, sizeof info->corpus);
    wish_text(kv, "source", info->source, sizeof info->source);
    FQ_TRY(need_text(kv, "rope", info->rope, sizeof info->rope, err));
    if (strcmp(info->rope, "post") != 0 && strcmp(info->rope, "pre") != 0)
        return fq_fail(err, FQ_USAGE, "'%s': the attribute 'rope' is '%s', expected 'post' or 'pre'", kv->path,
                       info->rope);
    if (fq_h5_count(kv->file, "n_tokens", &info->n) != 0 || info->n == 0)
        return fq_fail(err, FQ_USAGE, "'%s': the attribute 'n_tokens' is missing or no whole number above 0", kv->path);
    info->context = info->n;
    if (H5Aexists(kv->file, "context") > 0 &&
        (fq_h5_count(kv->file, "context", &info->context) != 0 || info->context == 0 || info->context > info->n))
        return fq_fail(err, FQ_USAGE, "'%s': the attribute 'context' is no whole number from 1 to n_tokens = %zu",
                       kv->path, info->n);
    return FQ_OK;
}

static herr_t count_layer(hid_t group, const char *name, const H5L_info_t *info, void *data) {
    (void)group;
    (void)info;
    size_t *highest = data;
    unsigned long layer = 0;
    char *end = NULL;
    if (strncmp(name, "layer_", 6) != 0)
        return 0;
    layer = strtoul(name + 6, &end, 10);
    if (end != name + 6 && *end == '\0' && layer + 1 > *highest)
        *highest = layer + 1;
    return 0;
}

static int check_matrix(const struct kv *kv, const char *name, const hsize_t expected[3], struct fq_error *err) {
    struct fq_h5_matrix m;
    FQ_TRY(fq_h5_matrix_open(kv->file, kv->path, name, 3, &m, err));
    fq_h5_matrix_close(&m);
    if (m.class != H5T_FLOAT || (m.bytes_per_number != 2 && m.bytes_per_number != 4))
        return fq_fail(err, FQ_USAGE, "'%s': '%s' is stored as %s of %zu bytes; expected float16 or float32", kv->path,
                       name, m.class == H5T_FLOAT ? "float" : "integer", m.bytes_per_number);
    if (m.size[0] != expected[0] || m.size[1] != expected[1] || m.size[2] != expected[2])
        return fq_fail(err, FQ_USAGE,
                       "'%s': '%s' has shape [%llu][%llu][%llu], expected [%llu][%llu][%llu] (heads, n_tokens, dim, as "
                       "in layer 0; key_bias: context instead of n_tokens)",
                       kv->path, name, (unsigned long long)m.size[0], (unsigned long long)m.size[1],
                       (unsigned long long)m.size[2], (unsigned long long)expected[0], (unsigned long long)expected[1],
                       (unsigned long long)expected[2]);
    return FQ_OK;
}

/* The bias of a layer's keys before RoPE, if it is there: one float number for each KV head and channel. */
static int check_bias_weights(const struct kv *kv, size_t layer, const struct fq_dataset_info *info,
                              struct fq_error *err) {
    char name[48];
    matrix_path(name, sizeof name, layer, FQ_MATRIX_KEY);
    if (H5Aexists_by_name(kv->file, name, FQ_KV_BIAS_WEIGHTS, H5P_DEFAULT) <= 0)
        return FQ_OK;
    hid_t attribute = H5Aopen_by_name(kv->file, name, FQ_KV_BIAS_WEIGHTS, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Aget_space(attribute), type = H5Aget_type(attribute);
    hsize_t n[H5S_MAX_RANK] = {0};
    const int rank = H5Sget_simple_extent_dims(space, n, NULL);
    const int is_float = H5Tget_class(type) == H5T_FLOAT;
    (void)H5Tclose(type);
    (void)H5Sclose(space);
    (void)H5Aclose(attribute);
    if (is_float && rank == 1 && n[0] == info->kv_heads * info->dim)
        return FQ_OK;
    return fq_fail(err, FQ_USAGE, "'%s': the attribute '%s' of '%s' should be %zu float numbers (KV heads times dim)",
                   kv->path, FQ_KV_BIAS_WEIGHTS, name, info->kv_heads * info->dim);
}

static int exists(const struct kv *kv, const char *name) {
    return H5Lexists(kv->file, name, H5P_DEFAULT) > 0;
}

/* Shape of layer 0: heads, dim, which tensors there are. */
static int read_shape(const struct kv *kv, struct fq_dataset_info *info, struct fq_error *err) {
    struct fq_h5_matrix m;
    FQ_TRY(fq_h5_matrix_open(kv->file, kv->path, "/layer_000/key", 3, &m, err));
    fq_h5_matrix_close(&m);
    info->kv_heads = info->heads = (size_t)m.size[0];
    info->dim = (size_t)m.size[2];
    info->has_value = exists(kv, "/layer_000/value");
    info->has_query = exists(kv, "/layer_000/query");
    info->has_key_bias = exists(kv, "/layer_000/key_bias");
    if (info->has_query) {
        FQ_TRY(fq_h5_matrix_open(kv->file, kv->path, "/layer_000/query", 3, &m, err));
        fq_h5_matrix_close(&m);
        info->heads = (size_t)m.size[0];
        info->n_queries = info->n;
    }
    if (info->kv_heads == 0 || info->dim == 0 || info->heads == 0 || info->heads % info->kv_heads != 0)
        return fq_fail(err, FQ_USAGE,
                       "'%s': %zu KV heads, %zu query heads, dim %zu; expected at least 1 of each, query heads a "
                       "multiple of KV heads",
                       kv->path, info->kv_heads, info->heads, info->dim);
    return FQ_OK;
}

static int check_layers(const struct kv *kv, struct fq_dataset_info *info, struct fq_error *err) {
    (void)H5Literate(kv->file, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, count_layer, &info->layers);
    if (info->layers == 0)
        return fq_fail(err, FQ_USAGE, "'%s': holds no group /layer_000; expected one group a layer", kv->path);
    for (size_t layer = 0; layer < info->layers; layer++) {
        char name[48];
        (void)snprintf(name, sizeof name, "/layer_%03zu", layer);
        if (!exists(kv, name))
            return fq_fail(err, FQ_USAGE, "'%s': the group %s is missing, though /layer_%03zu is there", kv->path, name,
                           info->layers - 1);
        if (layer == 0)
            FQ_TRY(read_shape(kv, info, err));
        for (int which = 0; which <= FQ_MATRIX_KEY_BIAS; which++) {
            int wanted = which == FQ_MATRIX_KEY || (which == FQ_MATRIX_VALUE && info->has_value) ||
                         (which == FQ_MATRIX_QUERY && info->has_query) ||
                         (which == FQ_MATRIX_KEY_BIAS && info->has_key_bias);
            if (!wanted)
                continue;
            matrix_path(name, sizeof name, layer, (enum fq_matrix)which);
            const hsize_t expected[3] = {which == FQ_MATRIX_QUERY ? info->heads : info->kv_heads,
                                         which == FQ_MATRIX_KEY_BIAS ? info->context : info->n, info->dim};
            FQ_TRY(check_matrix(kv, name, expected, err));
        }
        FQ_TRY(check_bias_weights(kv, layer, info, err));
    }
    return FQ_OK;
}

int fq_kv_open(struct fq_dataset *set, hid_t file, struct fq_error *err) {
    struct kv *kv = calloc(1, sizeof *kv);
    if (kv == NULL) {
        (void)H5Fclose(file);
        return fq_fail(err, FQ_USAGE, "out of memory while opening '%s'", set->path);
    }
    kv->file = file;
    memcpy(kv->path, set->path, sizeof kv->path);
    set->info.kind = FQ_DATA_KV;
    int code = read_attributes(kv, &set->info, err);
    if (code == 0)
        code = check_layers(kv, &set->info, err);
    if (code != 0) {
        kv_close(kv);
        return code;
    }
    set->source = &kv_source;
    set->state = kv;
    return FQ_OK;
}
