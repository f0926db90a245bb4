/* Narrows a dataset to some of its layers and the first rows of each matrix, whatever kind it is.
 *
 * A sweep may want three layers of a model, or 4,096 of 49,152 embeddings; nothing above needs to know. It must not
 * read rows: a narrowed set is as lazy as the whole one. */
#include "harness/data/dataset_internal.h"

#include <stdlib.h>
#include <string.h>

struct narrowed {
    const struct fq_source *source;
    void *state;
    size_t *layer; /* NULL: all */
};

static int narrowed_rows(void *state, enum fq_matrix which, size_t layer, size_t head, size_t first, size_t n,
                         float *out, struct fq_error *err) {
    const struct narrowed *s = state;
    return s->source->rows(s->state, which, s->layer != NULL ? s->layer[layer] : layer, head, first, n, out, err);
}

static void narrowed_close(void *state) {
    struct narrowed *s = state;
    if (s->state != NULL)
        s->source->close(s->state);
    free(s->layer);
    free(s);
}

static size_t narrowed_file_row(void *state, enum fq_matrix which, size_t i) {
    const struct narrowed *s = state;
    return s->source->file_row(s->state, which, i);
}

static const struct fq_source narrowed_source = {.rows = narrowed_rows, .close = narrowed_close};
static const struct fq_source narrowed_file_source = {
    .rows = narrowed_rows, .close = narrowed_close, .file_row = narrowed_file_row};

static int check(const struct fq_dataset *set, const size_t *layers, size_t n_layers, size_t rows,
                 struct fq_error *err) {
    const struct fq_dataset_info *info = &set->info;
    for (size_t i = 0; i < n_layers; i++)
        if (layers[i] >= info->layers)
            return fq_fail(err, FQ_USAGE, "'%s' has layers 0 to %zu; layer %zu was asked for", set->path,
                           info->layers - 1, layers[i]);
    if (rows > info->n)
        return fq_fail(err, FQ_USAGE, "'%s' has %zu vectors per matrix; %zu were asked for", set->path, info->n, rows);
    return FQ_OK;
}

int fq_dataset_restrict(struct fq_dataset *set, const size_t *layers, size_t n_layers, size_t rows,
                        struct fq_error *err) {
    FQ_TRY(check(set, layers, n_layers, rows, err));
    struct narrowed *s = calloc(1, sizeof *s);
    if (s == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory");
    if (n_layers > 0) {
        s->layer = calloc(n_layers, sizeof *s->layer);
        if (s->layer == NULL) {
            free(s);
            return fq_fail(err, FQ_FAILED, "out of memory");
        }
        memcpy(s->layer, layers, n_layers * sizeof *layers);
        set->info.layers = n_layers;
    }
    s->source = set->source;
    s->state = set->state;
    set->source = set->source->file_row != NULL ? &narrowed_file_source : &narrowed_source;
    set->state = s;
    if (rows > 0) {
        set->info.n = rows;
        if (set->info.kind == FQ_DATA_KV && set->info.n_queries > rows) /* a KV set has one query per token */
            set->info.n_queries = rows;
        if (set->info.context > rows)
            set->info.context = rows;
    }
    return FQ_OK;
}
