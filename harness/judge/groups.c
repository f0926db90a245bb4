/* Pools cells into groups and hands out their samples. Knows the identity fields of a cell and nothing of metrics. */
#include "harness/judge/groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    struct fq_group_entry e;
    bool partial;
};

/* Order of groups; cells of one group compare equal. */
static int compare_identity(const struct fq_group_entry *x, const struct fq_group_entry *y) {
    const struct fq_cell *a = x->cell, *b = y->cell;
    int c = strcmp(a->kind, b->kind);
    if (c == 0)
        c = strcmp(a->data, b->data);
    if (c == 0)
        c = strcmp(a->model, b->model);
    if (c == 0)
        c = strcmp(x->series->tensor, y->series->tensor);
    if (c == 0)
        c = strcmp(x->series->metric, y->series->metric);
    if (c == 0)
        c = strcmp(a->method, b->method);
    if (c == 0)
        c = strcmp(a->parameters, b->parameters);
    if (c == 0)
        c = (a->replicate > b->replicate) - (a->replicate < b->replicate);
    return c;
}

static int by_identity(const void *p, const void *q) {
    const struct item *x = p, *y = q;
    int c = compare_identity(&x->e, &y->e);
    const struct fq_cell *a = x->e.cell, *b = y->e.cell;
    if (c == 0 && a->seed != b->seed)
        c = a->seed < b->seed ? -1 : 1;
    if (c == 0 && a->process != b->process)
        c = a->process < b->process ? -1 : 1;
    if (c == 0 && a->block != b->block)
        c = a->block < b->block ? -1 : 1;
    return c ? c : strcmp(a->id, b->id);
}

static size_t count_items(const struct fq_results *r, size_t n_results) {
    size_t n = 0;
    for (size_t k = 0; k < n_results; k++)
        for (size_t i = 0; i < r[k].n_cells; i++)
            n += r[k].cells[i].ok ? r[k].cells[i].series.n : 0;
    return n;
}

static size_t fill_items(const struct fq_results *r, size_t n_results, struct item *item) {
    size_t n = 0;
    for (size_t k = 0; k < n_results; k++)
        for (size_t i = 0; i < r[k].n_cells; i++) {
            const struct fq_cell *cell = &r[k].cells[i];
            for (size_t s = 0; cell->ok && s < cell->series.n; s++)
                item[n++] = (struct item){.e = {.cell = cell, .series = &cell->series.series[s]},
                                          .partial = r[k].n_cells < r[k].planned};
        }
    return n;
}

/* Cuts the sorted items into groups; a second cell of the same id is skipped. */
static void cut(const struct item *item, size_t n, struct fq_groups *out) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct fq_group_entry *e = &item[i].e;
        bool first = i == 0 || compare_identity(&item[i - 1].e, e) != 0;
        if (!first && strcmp(item[i - 1].e.cell->id, e->cell->id) == 0)
            continue;
        if (first) {
            out->group[out->n++] = (struct fq_group){.entry = &out->entries[kept]};
            out->group[out->n - 1].timed = strcmp(e->cell->kind, "speed") == 0;
        }
        struct fq_group *g = &out->group[out->n - 1];
        g->seeds += first || item[i - 1].e.cell->seed != e->cell->seed;
        g->samples += e->series->n;
        g->partial = g->partial || item[i].partial;
        g->n++;
        out->entries[kept++] = *e;
    }
}

int fq_groups_build(const struct fq_results *results, size_t n_results, struct fq_groups *out, struct fq_error *err) {
    memset(out, 0, sizeof *out);
    size_t n = count_items(results, n_results);
    if (n == 0)
        return 0;
    struct item *item = malloc(n * sizeof *item);
    out->group = malloc(n * sizeof *out->group);
    out->entries = malloc(n * sizeof *out->entries);
    if (item == NULL || out->group == NULL || out->entries == NULL) {
        free(item);
        fq_groups_free(out);
        return fq_fail(err, FQ_FAILED, "out of memory for %zu series", n);
    }
    n = fill_items(results, n_results, item);
    qsort(item, n, sizeof *item, by_identity);
    cut(item, n, out);
    free(item);
    return 0;
}

void fq_groups_free(struct fq_groups *g) {
    free(g->group);
    free(g->entries);
    memset(g, 0, sizeof *g);
}

const struct fq_cell *fq_group_cell(const struct fq_group *g) {
    return g->entry[0].cell;
}

const struct fq_series *fq_group_series(const struct fq_group *g) {
    return g->entry[0].series;
}

bool fq_groups_comparable(const struct fq_group *a, const struct fq_group *b) {
    const struct fq_cell *x = fq_group_cell(a), *y = fq_group_cell(b);
    return strcmp(x->kind, y->kind) == 0 && strcmp(x->data, y->data) == 0 && strcmp(x->model, y->model) == 0 &&
           strcmp(fq_group_series(a)->tensor, fq_group_series(b)->tensor) == 0;
}

struct fq_sample *fq_group_samples(const struct fq_group *g) {
    struct fq_sample *sample = malloc((g->samples ? g->samples : 1) * sizeof *sample);
    size_t n = 0;
    for (size_t i = 0; sample != NULL && i < g->n; i++) {
        const struct fq_series *s = g->entry[i].series;
        const struct fq_cell *cell = g->entry[i].cell;
        for (size_t k = 0; k < s->n; k++) {
            struct fq_sample *to = &sample[n++];
            *to = (struct fq_sample){.x = s->value[k], .weight = s->weight ? s->weight[k] : 1.0};
            if (g->timed) {
                to->a = cell->process;
                to->b = cell->block;
            } else {
                to->outer = (int64_t)cell->seed;
                to->a = s->label_a[k];
                to->b = s->label_b[k];
            }
        }
    }
    return sample;
}

bool fq_group_independent(const struct fq_group *g) {
    return g->timed || strcmp(fq_group_series(g)->resample, "chunk") != 0;
}

void fq_group_resampled(const struct fq_group *g, bool by_label_a, size_t seeds, size_t tops, char *out, size_t size) {
    const char *unit = fq_group_series(g)->resample;
    if (g->timed)
        unit = by_label_a ? "process and block" : "block";
    else if (unit[0] == '\0')
        unit = "unit";
    if (seeds > 1 && tops > 1)
        snprintf(out, size, "seed, %s", unit);
    else
        snprintf(out, size, "%s", tops > 1 ? unit : seeds > 1 ? "seed" : "nothing");
}
