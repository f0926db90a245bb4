/* Training splits of the two walks. What is measured is never what was learnt from, if the set allows it, and every
 * method is measured on the same rows: so the set is cut in two, each half is measured with what was learnt from the
 * other, and a set too small for that is learnt from itself and says so. */
#include "harness/measure/measure_internal.h"

#include <stdlib.h>

enum { MOST_VECTORS = 16384, BLOCK = 64 }; /* more teach k-means little, and training time grows with them */

int fq_training_open(struct training *t, const struct measure_pass *pass, size_t rows, struct fq_error *err) {
    *t = (struct training){.pass = pass, .room = rows < MOST_VECTORS ? rows : MOST_VECTORS};
    if (!fq_codec_learns(pass->codec))
        return FQ_OK;
    t->x = malloc(t->room * pass->info->dim * sizeof *t->x);
    if (t->x == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: %zu training vectors", t->room);
    t->learns = true;
    return FQ_OK;
}

void fq_training_close(struct training *t) {
    free(t->x);
}

void fq_training_begin(struct training *t, size_t layer, size_t head) {
    t->layer = layer;
    t->head = head;
    t->n = 0;
}

/* Rows [first, first + n), as many as fit. */
static int take(struct training *t, size_t first, size_t n, struct fq_error *err) {
    const size_t left = t->room - t->n, taken = n < left ? n : left;
    if (taken == 0)
        return FQ_OK;
    FQ_TRY(fq_dataset_rows(t->pass->set, t->pass->tensor, t->layer, t->head, first, taken,
                           t->x + t->n * t->pass->info->dim, err));
    if (t->centre != NULL) /* rows of one window: the walk adds them window by window */
        fq_centre_take_off(t->centre, 0, t->centre_head, first % t->pass->info->context, taken,
                           t->x + t->n * t->pass->info->dim);
    t->n += taken;
    return FQ_OK;
}

int fq_training_add(struct training *t, size_t first, size_t n, struct fq_error *err) {
    const size_t left = t->room - t->n;
    if (n <= left)
        return take(t, first, n, err);
    /* Evenly spaced blocks: a file may be in some order, and its beginning is no sample of it. */
    const size_t blocks = (left + BLOCK - 1) / BLOCK;
    for (size_t b = 0; b < blocks; b++) {
        const size_t begin = b * n / blocks, end = (b + 1) * n / blocks;
        FQ_TRY(take(t, first + begin, end - begin < BLOCK ? end - begin : BLOCK, err));
    }
    return FQ_OK;
}

int fq_training_end(const struct training *t, const char *split, struct fq_error *err) {
    return fq_codec_train(t->pass->codec, t->n, t->x, split, err);
}
