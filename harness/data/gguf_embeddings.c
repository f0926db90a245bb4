/* The token-embedding matrix of a GGUF file as float32 rows: real vectors of a language model without running it.
 * Rows are read one slice at a time and expanded from whatever type the file stores. */
#include "harness/data/model_internal.h"

#ifdef FQ_HAVE_LLAMA

#include <gguf.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fq_embeddings {
    int fd;
    char path[4096];
    enum ggml_type type;
    size_t rows, dim, row_bytes, offset;
    void *row; /* one row as stored */
};

static int find_matrix(struct fq_embeddings *e, const struct gguf_context *g, struct ggml_context *tensors,
                       struct fq_error *err) {
    int64_t id = gguf_find_tensor(g, "token_embd.weight");
    const struct ggml_tensor *t = ggml_get_tensor(tensors, "token_embd.weight");
    if (id < 0 || !t)
        return fq_fail(err, FQ_USAGE, "%s: has no tensor 'token_embd.weight'; expected the GGUF of a language model",
                       e->path);
    e->type = t->type;
    e->dim = (size_t)t->ne[0];
    e->rows = (size_t)t->ne[1];
    e->row_bytes = ggml_row_size(t->type, t->ne[0]);
    e->offset = gguf_get_data_offset(g) + gguf_get_tensor_offset(g, id);
    if (e->type != GGML_TYPE_F32 && !ggml_get_type_traits(e->type)->to_float)
        return fq_fail(err, FQ_USAGE, "%s: 'token_embd.weight' is stored as %s, which cannot be expanded", e->path,
                       ggml_type_name(e->type));
    struct stat st;
    if (fstat(e->fd, &st) != 0 || (size_t)st.st_size < e->offset + e->rows * e->row_bytes)
        return fq_fail(err, FQ_USAGE, "%s: expected at least %zu bytes, found %lld; the file is truncated", e->path,
                       e->offset + e->rows * e->row_bytes, (long long)st.st_size);
    return 0;
}

static int open_file(struct fq_embeddings *e, struct fq_error *err) {
    FQ_TRY(fq_gguf_check(e->path, err));
    e->fd = open(e->path, O_RDONLY | O_CLOEXEC);
    if (e->fd < 0)
        return fq_fail(err, FQ_USAGE, "%s: cannot be opened: %s", e->path, strerror(errno));
    fq_llama_start();
    struct ggml_context *tensors = NULL;
    struct gguf_init_params p = {.no_alloc = true, .ctx = &tensors};
    struct gguf_context *g = gguf_init_from_file(e->path, p);
    if (!g) {
        char why[256];
        fq_llama_complaint(why, sizeof why);
        return fq_fail(err, FQ_USAGE, "%s: the GGUF metadata cannot be read (%s); the file is damaged or incomplete",
                       e->path, why);
    }
    int code = find_matrix(e, g, tensors, err);
    ggml_free(tensors);
    gguf_free(g);
    FQ_TRY(code);
    e->row = malloc(e->row_bytes);
    return e->row ? 0 : fq_fail(err, FQ_FAILED, "out of memory for a row of %zu bytes", e->row_bytes);
}

int fq_embeddings_open(const char *path, struct fq_embeddings **out, size_t *rows, size_t *dim, struct fq_error *err) {
    *out = NULL;
    *rows = *dim = 0;
    struct fq_embeddings *e = calloc(1, sizeof *e);
    if (!e)
        return fq_fail(err, FQ_FAILED, "out of memory");
    e->fd = -1;
    (void)snprintf(e->path, sizeof e->path, "%s", path);
    int code = open_file(e, err);
    if (code != 0) {
        fq_embeddings_close(e);
        return code;
    }
    *rows = e->rows;
    *dim = e->dim;
    *out = e;
    return 0;
}

static int read_row(const struct fq_embeddings *e, size_t row, struct fq_error *err) {
    size_t done = 0;
    while (done < e->row_bytes) {
        ssize_t n =
            pread(e->fd, (char *)e->row + done, e->row_bytes - done, (off_t)(e->offset + row * e->row_bytes + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fq_fail(err, FQ_USAGE, "%s: row %zu of 'token_embd.weight' cannot be read: %s", e->path, row,
                           n < 0 ? strerror(errno) : "the file ends there");
        done += (size_t)n;
    }
    return 0;
}

int fq_embeddings_rows(struct fq_embeddings *e, size_t first, size_t n, float *out, struct fq_error *err) {
    if (first > e->rows || n > e->rows - first)
        return fq_fail(err, FQ_USAGE, "%s: rows %zu to %zu were asked for, the matrix has %zu", e->path, first,
                       first + n, e->rows);
    for (size_t i = 0; i < n; i++) {
        FQ_TRY(read_row(e, first + i, err));
        if (e->type == GGML_TYPE_F32)
            memcpy(out + i * e->dim, e->row, e->dim * sizeof *out);
        else
            ggml_get_type_traits(e->type)->to_float(e->row, out + i * e->dim, (int64_t)e->dim);
    }
    return 0;
}

void fq_embeddings_close(struct fq_embeddings *e) {
    if (!e)
        return;
    if (e->fd >= 0)
        (void)close(e->fd);
    free(e->row);
    free(e);
}

#endif
