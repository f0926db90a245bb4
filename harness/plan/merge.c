/* Joins results files of one sweep: the shards of a cluster job, or parts run on several days.
 *
 * It must not judge: parts made by different binaries or machines are joined, since facts belong to cells and the audit
 * must see them. */
#include "harness/plan/run.h"

#include <stdlib.h>
#include <string.h>

static bool same_values(const double *a, const double *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0)
            return false;
    return true;
}

static bool same_series(const struct fq_series *a, const struct fq_series *b) {
    if (strcmp(a->metric, b->metric) != 0 || strcmp(a->tensor, b->tensor) != 0 || a->n != b->n ||
        !a->weight != !b->weight)
        return false;
    if (a->n == 0)
        return true;
    return same_values(a->value, b->value, a->n) && (!a->weight || same_values(a->weight, b->weight, a->n)) &&
           memcmp(a->label_a, b->label_a, a->n * sizeof *a->label_a) == 0 &&
           memcmp(a->label_b, b->label_b, a->n * sizeof *a->label_b) == 0;
}

static bool same_result(const struct fq_cell *a, const struct fq_cell *b) {
    if (a->ok != b->ok || a->series.n != b->series.n)
        return false;
    for (size_t i = 0; i < a->series.n; i++)
        if (!same_series(&a->series.series[i], &b->series.series[i]))
            return false;
    return true;
}

static int add_part(struct fq_results *all, struct fq_results *part, const char *path, const char *first,
                    struct fq_error *err) {
    if (strcmp(all->sweep_sha256, part->sweep_sha256) != 0)
        return fq_fail(err, FQ_USAGE,
                       "'%s' is of sweep '%s' (hash %.12s), '%s' of sweep '%s' (hash %.12s); only parts "
                       "of one sweep can be joined",
                       path, part->sweep_name, part->sweep_sha256, first, all->sweep_name, all->sweep_sha256);
    if (part->planned > all->planned)
        all->planned = part->planned;
    const size_t before = all->n_cells;
    for (size_t i = 0; i < part->n_cells; i++) {
        struct fq_cell *cell = &part->cells[i];
        const struct fq_cell *other = NULL;
        for (size_t k = 0; k < before && !other; k++)
            if (strcmp(all->cells[k].id, cell->id) == 0)
                other = &all->cells[k];
        if (!other)
            FQ_TRY(fq_results_append(all, cell, err));
        else if (!same_result(other, cell))
            return fq_fail(err, FQ_USAGE,
                           "cell %s (%s of %s on %s, seed %llu) is in '%s' and in an earlier part with other numbers; "
                           "leave one of the parts out",
                           cell->id, cell->kind, cell->label, cell->data, (unsigned long long)cell->seed, path);
    }
    return 0;
}

static int by_order(const void *a, const void *b) {
    const struct fq_cell *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

int fq_merge(const char *out, const char *const *parts, size_t n_parts, size_t *n_cells, size_t *planned,
             struct fq_error *err) {
    struct fq_results all = {0};
    if (n_parts == 0)
        return fq_fail(err, FQ_USAGE, "no part to join; usage: fairquant merge --out R.h5 PART.h5 ...");
    FQ_TRY(fq_results_read(parts[0], &all, err));
    int code = 0;
    for (size_t i = 1; code == 0 && i < n_parts; i++) {
        struct fq_results part = {0};
        code = fq_results_read(parts[i], &part, err);
        if (code == 0)
            code = add_part(&all, &part, parts[i], parts[0], err);
        fq_results_free(&part);
    }
    if (code == 0) {
        if (all.n_cells > 0)
            qsort(all.cells, all.n_cells, sizeof *all.cells, by_order);
        code = fq_results_write(out, &all, err);
    }
    *n_cells = all.n_cells;
    *planned = all.planned;
    fq_results_free(&all);
    return code;
}
