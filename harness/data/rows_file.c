/* Vector sets of one matrix: .fvecs and .bvecs (TEXMEX), .npy (NumPy), and the token embeddings of a GGUF model.
 *
 * None of them says what a query is. Queries are therefore rows of the same matrix, held out evenly: every s-th row, a
 * tenth of all rows and 1,000 at most; they are not among the base vectors. Below 20 rows none is held out. The rule
 * depends on the number of rows alone, so that two methods, two machines and two runs see the same split. */
#include "harness/data/rows_file.h"

#include "harness/data/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_QUERIES = 1000, MIN_ROWS_TO_SPLIT = 20 };

struct rows {
    struct fq_rows_reader reader;
    size_t queries, stride; /* row j stride + stride - 1 is query j */
};

/* First file row of base vector `i`, and how many base vectors follow without a query between them. */
static size_t base_row(const struct rows *r, size_t i, size_t *run) {
    size_t split = r->queries * (r->stride - 1); /* base vectors that lie between queries */
    if (r->queries == 0 || i >= split) {
        *run = (size_t)-1;
        return i + r->queries;
    }
    *run = (r->stride - 1) - i % (r->stride - 1);
    return i + i / (r->stride - 1);
}

static int rows_read(void *state, enum fq_matrix which, size_t layer, size_t head, size_t first, size_t n, float *out,
                     struct fq_error *err) {
    (void)layer;
    (void)head;
    struct rows *r = state;
    for (size_t done = 0; done < n;) {
        size_t run = 1, row = (first + done) * r->stride + r->stride - 1;
        if (which == FQ_MATRIX_KEY)
            row = base_row(r, first + done, &run);
        if (run > n - done)
            run = n - done;
        FQ_TRY(r->reader.read(r->reader.state, row, run, out + done * r->reader.dim, err));
        done += run;
    }
    return FQ_OK;
}

static size_t rows_file_row(void *state, enum fq_matrix which, size_t i) {
    const struct rows *r = state;
    size_t run;
    return which == FQ_MATRIX_KEY ? base_row(r, i, &run) : i * r->stride + r->stride - 1;
}

static void rows_close(void *state) {
    struct rows *r = state;
    r->reader.close(r->reader.state);
    free(r);
}

static const struct fq_source rows_source = {.rows = rows_read, .close = rows_close, .file_row = rows_file_row};

static int embeddings_read(void *state, size_t first, size_t n, float *out, struct fq_error *err) {
    return fq_embeddings_rows(state, first, n, out, err);
}

static void embeddings_close(void *state) {
    fq_embeddings_close(state);
}

static int embeddings_open(const char *path, struct fq_rows_reader *reader, struct fq_error *err) {
    struct fq_embeddings *e;
    FQ_TRY(fq_embeddings_open(path, &e, &reader->rows, &reader->dim, err));
    reader->state = e;
    reader->read = embeddings_read;
    reader->close = embeddings_close;
    return FQ_OK;
}

int fq_rows_file_open(struct fq_dataset *set, const char *ending, struct fq_error *err) {
    struct fq_rows_reader reader = {.rows = 0};
    if (strcmp(ending, ".gguf") == 0)
        FQ_TRY(embeddings_open(set->path, &reader, err));
    else if (strcmp(ending, ".npy") == 0)
        FQ_TRY(fq_npy_open(set->path, &reader, err));
    else
        FQ_TRY(fq_vecs_open(set->path, ending, &reader, err));
    struct rows *r = calloc(1, sizeof *r);
    if (r == NULL) {
        reader.close(reader.state);
        return fq_fail(err, FQ_USAGE, "out of memory while opening '%s'", set->path);
    }
    r->reader = reader;
    r->stride = 1;
    if (reader.rows >= MIN_ROWS_TO_SPLIT) {
        r->queries = reader.rows / 10 < MAX_QUERIES ? reader.rows / 10 : MAX_QUERIES;
        r->stride = reader.rows / r->queries;
    }
    struct fq_dataset_info *info = &set->info;
    info->kind = FQ_DATA_VECTORS;
    (void)snprintf(info->source, sizeof info->source, "%s",
                   strcmp(ending, ".gguf") == 0 ? "token embeddings of a GGUF model" : ending);
    info->layers = info->kv_heads = info->heads = 1;
    info->dim = reader.dim;
    info->n = info->context = reader.rows - r->queries;
    info->n_queries = r->queries;
    info->has_query = r->queries > 0;
    set->source = &rows_source;
    set->state = r;
    return FQ_OK;
}
