/* Writes a KV set as capture hands it over: slices of tokens, layer by layer, into a temporary that becomes the file
 * only when every row of every tensor was written. A kill or a full disk leaves no file under the final name. */
#include "harness/base/file.h"
#include "harness/base/half.h"
#include "harness/data/dataset_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct fq_kv_writer {
    hid_t file;
    char path[4096], temporary[4096];
    size_t layers, heads[FQ_MATRICES], dim, tokens, context;
    int half;
    size_t *written[FQ_MATRICES]; /* rows so far, per layer */
    void *turned;                 /* one slice as [head][n][dim] in the stored type */
    size_t turned_bytes;
};

static int cannot(const struct fq_kv_writer *w, const char *what, struct fq_error *err) {
    int cause = errno;
    return fq_fail(err, FQ_USAGE, "cannot write '%s': %s%s%s; is the disk full?", w->path, what, cause != 0 ? ": " : "",
                   cause != 0 ? strerror(cause) : "");
}

static int put_text(hid_t file, const char *name, const char *text) {
    size_t n = strlen(text);
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    (void)H5Tset_size(type, n > 0 ? n : 1);
    (void)H5Tset_strpad(type, H5T_STR_NULLPAD);
    (void)H5Tset_cset(type, H5T_CSET_UTF8);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    int failed = attribute < 0 || H5Awrite(attribute, type, text) < 0;
    (void)H5Aclose(attribute);
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    return failed ? -1 : 0;
}

static int put_count(hid_t file, const char *name, size_t value) {
    long long number = (long long)value;
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(file, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    int failed = attribute < 0 || H5Awrite(attribute, H5T_NATIVE_LLONG, &number) < 0;
    (void)H5Aclose(attribute);
    (void)H5Sclose(space);
    return failed ? -1 : 0;
}

static hid_t stored_type(const struct fq_kv_writer *w) {
    return w->half ? fq_h5_half_type() : H5Tcopy(H5T_IEEE_F32LE);
}

static int make_matrix(const struct fq_kv_writer *w, hid_t group, enum fq_matrix which) {
    const hsize_t size[3] = {w->heads[which], w->tokens, w->dim};
    hid_t space = H5Screate_simple(3, size, NULL), type = stored_type(w);
    hid_t matrix = H5Dcreate2(group, fq_matrix_name(which), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    if (matrix < 0)
        return -1;
    return H5Dclose(matrix) < 0 ? -1 : 0;
}

static int make_contents(const struct fq_kv_writer *w, const struct fq_kv_attributes *a) {
    int failed = put_text(w->file, "schema", "fairquant/kv/1") != 0 || put_text(w->file, "model", a->model) != 0 ||
                 put_text(w->file, "model_sha256", a->model_sha256) != 0 ||
                 put_text(w->file, "corpus", a->corpus) != 0 ||
                 put_text(w->file, "corpus_sha256", a->corpus_sha256) != 0 ||
                 put_text(w->file, "source", a->source) != 0 || put_text(w->file, "rope", "post") != 0 ||
                 put_count(w->file, "n_tokens", a->tokens) != 0 || put_count(w->file, "context", a->context) != 0;
    for (size_t layer = 0; !failed && layer < w->layers; layer++) {
        char name[48];
        (void)snprintf(name, sizeof name, "/layer_%03zu", layer);
        hid_t group = H5Gcreate2(w->file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        failed = group < 0;
        for (int which = 0; !failed && which < FQ_MATRICES; which++)
            failed = make_matrix(w, group, (enum fq_matrix)which) != 0;
        if (group >= 0)
            (void)H5Gclose(group);
    }
    return failed ? -1 : 0;
}

/* Said before the model runs for a minute, not after. */
static int check_space(const struct fq_kv_writer *w, struct fq_error *err) {
    char directory[4096];
    const char *slash = strrchr(w->path, '/');
    (void)snprintf(directory, sizeof directory, "%.*s", slash != NULL ? (int)(slash - w->path) : 1,
                   slash != NULL ? w->path : ".");
    struct statvfs fs;
    if (statvfs(directory[0] != '\0' ? directory : "/", &fs) != 0)
        return FQ_OK;
    unsigned long long free_bytes = (unsigned long long)fs.f_bavail * fs.f_frsize;
    unsigned long long needed = (unsigned long long)w->layers * w->tokens * w->dim * (w->half ? 2 : 4) *
                                (w->heads[0] + w->heads[1] + w->heads[2]);
    if (needed + (1u << 20) <= free_bytes)
        return FQ_OK;
    return fq_fail(err, FQ_USAGE,
                   "cannot write '%s': it needs %llu MiB, %llu MiB are free; free some space, capture fewer tokens or "
                   "choose another place",
                   w->path, (needed >> 20) + 1, free_bytes >> 20);
}

static int check_shape(const struct fq_kv_attributes *a, struct fq_error *err) {
    if (a->layers > 0 && a->layers < 1000 && a->kv_heads > 0 && a->heads > 0 && a->heads % a->kv_heads == 0 &&
        a->dim > 0 && a->dim <= FQ_MAX_DIM && a->tokens > 0 && a->context > 0 && a->context <= a->tokens)
        return FQ_OK;
    return fq_fail(err, FQ_USAGE,
                   "a KV set of %zu layers, %zu KV heads, %zu query heads, dim %zu, %zu tokens, context %zu cannot be "
                   "written; expected all above 0, query heads a multiple of KV heads, context at most the tokens",
                   a->layers, a->kv_heads, a->heads, a->dim, a->tokens, a->context);
}

int fq_kv_writer_open(const char *path, const struct fq_kv_attributes *a, struct fq_kv_writer **out,
                      struct fq_error *err) {
    *out = NULL;
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    FQ_TRY(check_shape(a, err));
    FQ_TRY(fq_check_writable(path, err));
    struct fq_kv_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return fq_fail(err, FQ_USAGE, "out of memory while opening '%s'", path);
    *w = (struct fq_kv_writer){.file = H5I_INVALID_HID,
                               .layers = a->layers,
                               .heads = {a->kv_heads, a->kv_heads, a->heads},
                               .dim = a->dim,
                               .tokens = a->tokens,
                               .context = a->context,
                               .half = a->half};
    (void)snprintf(w->path, sizeof w->path, "%s", path);
    int code = check_space(w, err);
    for (int which = 0; code == 0 && which < FQ_MATRICES; which++) {
        w->written[which] = calloc(a->layers, sizeof *w->written[which]);
        if (w->written[which] == NULL)
            code = fq_fail(err, FQ_USAGE, "out of memory while opening '%s'", path);
    }
    if (code == 0) {
        fq_temporary_name(path, w->temporary, sizeof w->temporary);
        errno = 0;
        w->file = H5Fcreate(w->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        if (w->file < 0 || make_contents(w, a) != 0)
            code = cannot(w, "the file cannot be made", err);
    }
    if (code != 0) {
        fq_kv_writer_abort(w);
        return code;
    }
    *out = w;
    return FQ_OK;
}

/* rows[n][heads][dim] -> [heads][n][dim] in the stored type: one block per head in the file. */
static int turn(struct fq_kv_writer *w, size_t heads, size_t n, const float *rows, struct fq_error *err) {
    size_t number = w->half ? sizeof(uint16_t) : sizeof(float), bytes = heads * n * w->dim * number;
    if (bytes > w->turned_bytes) {
        void *grown = realloc(w->turned, bytes);
        if (grown == NULL)
            return fq_fail(err, FQ_USAGE, "out of memory while writing '%s'", w->path);
        w->turned = grown;
        w->turned_bytes = bytes;
    }
    for (size_t h = 0; h < heads; h++)
        for (size_t t = 0; t < n; t++) {
            const float *from = rows + (t * heads + h) * w->dim;
            size_t to = (h * n + t) * w->dim;
            if (w->half)
                fq_floats_to_halves(w->dim, from, (uint16_t *)w->turned + to);
            else
                memcpy((float *)w->turned + to, from, w->dim * sizeof(float));
        }
    return FQ_OK;
}

static int check_values(const struct fq_kv_writer *w, const char *name, size_t layer, size_t heads, size_t first,
                        size_t n, const float *rows, struct fq_error *err) {
    for (size_t i = 0; i < n * heads * w->dim; i++) {
        int overflows = w->half && (fq_float_to_half(rows[i]) & 0x7C00u) == 0x7C00u;
        int bad = !(rows[i] - rows[i] == 0.0f);
        if (!bad && !overflows)
            continue;
        size_t row = i / w->dim;
        return fq_fail(err, FQ_USAGE, "'%s': layer %zu, head %zu, %s vector %zu, channel %zu is %g, which %s", w->path,
                       layer, row % heads, name, first + row / heads, i % w->dim, (double)rows[i],
                       bad ? "is not finite" : "float16 cannot hold; write float32");
    }
    return FQ_OK;
}

int fq_kv_writer_rows(struct fq_kv_writer *w, int which, size_t layer, size_t first, size_t n, const float *rows,
                      struct fq_error *err) {
    if (which < 0 || which >= FQ_MATRICES || layer >= w->layers)
        return fq_fail(err, FQ_FAILED, "'%s': there is no tensor %d in layer %zu", w->path, which, layer);
    const char *tensor = fq_matrix_name((enum fq_matrix)which);
    size_t *written = &w->written[which][layer];
    if (first != *written || n > w->tokens - first)
        return fq_fail(err, FQ_FAILED,
                       "'%s': layer %zu, %s: rows [%zu, %zu) came, expected row %zu next and %zu in all", w->path,
                       layer, tensor, first, first + n, *written, w->tokens);
    if (n == 0)
        return FQ_OK;
    size_t heads = w->heads[which];
    FQ_TRY(check_values(w, tensor, layer, heads, first, n, rows, err));
    FQ_TRY(turn(w, heads, n, rows, err));

    char name[48];
    (void)snprintf(name, sizeof name, "/layer_%03zu/%s", layer, tensor);
    const hsize_t offset[3] = {0, first, 0}, count[3] = {heads, n, w->dim};
    errno = 0;
    hid_t matrix = H5Dopen2(w->file, name, H5P_DEFAULT);
    hid_t space = H5Dget_space(matrix), memory = H5Screate_simple(3, count, NULL), type = stored_type(w);
    int failed = H5Sselect_hyperslab(space, H5S_SELECT_SET, offset, NULL, count, NULL) < 0 ||
                 H5Dwrite(matrix, type, memory, space, H5P_DEFAULT, w->turned) < 0;
    (void)H5Tclose(type);
    (void)H5Sclose(memory);
    (void)H5Sclose(space);
    if (H5Dclose(matrix) < 0)
        failed = 1;
    if (failed)
        return cannot(w, "a slice was not written", err);
    *written += n;
    return FQ_OK;
}

int fq_kv_writer_key_bias(struct fq_kv_writer *w, const float *bias, struct fq_error *err) {
    const size_t heads = w->heads[FQ_MATRIX_KEY], values = heads * w->context * w->dim;
    const hsize_t size[3] = {heads, w->context, w->dim};
    FQ_TRY(fq_check_finite("key bias", bias, w->layers * heads * w->context, w->dim, err));
    for (size_t layer = 0; layer < w->layers; layer++) {
        char name[48];
        (void)snprintf(name, sizeof name, "/layer_%03zu/%s", layer, fq_matrix_name(FQ_MATRIX_KEY_BIAS));
        errno = 0;
        hid_t space = H5Screate_simple(3, size, NULL);
        hid_t matrix = H5Dcreate2(w->file, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        int failed =
            matrix < 0 || H5Dwrite(matrix, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, bias + layer * values) < 0;
        (void)H5Sclose(space);
        if (matrix >= 0 && H5Dclose(matrix) < 0)
            failed = 1;
        if (failed)
            return cannot(w, "the key bias was not written", err);
    }
    return FQ_OK;
}

/* An attribute of the keys and no data set: it is a fact about their origin that no reader needs in order to read them.
 */
int fq_kv_writer_bias_weights(struct fq_kv_writer *w, const float *bias, struct fq_error *err) {
    const hsize_t n = w->heads[FQ_MATRIX_KEY] * w->dim;
    FQ_TRY(fq_check_finite("key bias", bias, w->layers * w->heads[FQ_MATRIX_KEY], w->dim, err));
    for (size_t layer = 0; layer < w->layers; layer++) {
        char name[48];
        (void)snprintf(name, sizeof name, "/layer_%03zu/key", layer);
        errno = 0;
        hid_t matrix = H5Dopen2(w->file, name, H5P_DEFAULT), space = H5Screate_simple(1, &n, NULL);
        hid_t attribute = H5Acreate2(matrix, FQ_KV_BIAS_WEIGHTS, H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT);
        int failed = attribute < 0 || H5Awrite(attribute, H5T_NATIVE_FLOAT, bias + layer * n) < 0;
        (void)H5Aclose(attribute);
        (void)H5Sclose(space);
        if (H5Dclose(matrix) < 0)
            failed = 1;
        if (failed)
            return cannot(w, "the bias of the keys was not written", err);
    }
    return FQ_OK;
}

static void release(struct fq_kv_writer *w) {
    for (int which = 0; which < FQ_MATRICES; which++)
        free(w->written[which]);
    free(w->turned);
    free(w);
}

int fq_kv_writer_commit(struct fq_kv_writer *w, struct fq_error *err) {
    int code = FQ_OK;
    for (int which = 0; code == 0 && which < FQ_MATRICES; which++)
        for (size_t layer = 0; code == 0 && layer < w->layers; layer++)
            if (w->written[which][layer] != w->tokens)
                code = fq_fail(err, FQ_FAILED, "'%s': layer %zu, %s: %zu of %zu rows were written", w->path, layer,
                               fq_matrix_name((enum fq_matrix)which), w->written[which][layer], w->tokens);
    errno = 0;
    if (code == 0 && H5Fflush(w->file, H5F_SCOPE_GLOBAL) < 0)
        code = cannot(w, "the file was not written to its end", err);
    if (code != 0) {
        fq_kv_writer_abort(w);
        return code;
    }
    if (H5Fclose(w->file) < 0) {
        code = cannot(w, "the file was not closed", err);
        (void)unlink(w->temporary);
    } else {
        code = fq_commit_name(w->temporary, w->path, err);
    }
    release(w);
    return code;
}

void fq_kv_writer_abort(struct fq_kv_writer *w) {
    if (w == NULL)
        return;
    if (w->file >= 0)
        (void)H5Fclose(w->file);
    if (w->temporary[0] != '\0')
        (void)unlink(w->temporary);
    release(w);
}
