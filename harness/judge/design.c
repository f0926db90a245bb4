/* Builds the layout of a sample (dense seeds, clusters, units) from its labels. See design.h for what it means. */
#include "harness/judge/design.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tagged {
    struct fq_sample s;
    size_t position;
};

static int by_outer(const void *p, const void *q) {
    const struct tagged *x = p, *y = q;
    if (x->s.outer != y->s.outer)
        return x->s.outer < y->s.outer ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

static int by_unit(const void *p, const void *q) {
    const struct tagged *x = p, *y = q;
    if (x->s.a != y->s.a)
        return x->s.a < y->s.a ? -1 : 1;
    if (x->s.b != y->s.b)
        return x->s.b < y->s.b ? -1 : 1;
    return by_outer(p, q);
}

static int allocate(struct fq_design *d, size_t n, bool paired, struct fq_error *err) {
    d->n = n;
    d->paired = paired;
    d->x = malloc(n * sizeof *d->x);
    d->y = paired ? malloc(n * sizeof *d->y) : NULL;
    d->weight = malloc(n * sizeof *d->weight);
    d->outer = malloc(n * sizeof *d->outer);
    d->unit = malloc(n * sizeof *d->unit);
    if (d->x == NULL || (paired && d->y == NULL) || d->weight == NULL || d->outer == NULL || d->unit == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory for %zu samples", n);
    return 0;
}

/* Folds `distinct` numbered things into at most `limit` blocks of neighbours. */
static uint32_t block_of(size_t index, size_t distinct, size_t limit) {
    return (uint32_t)(distinct <= limit ? index : index * limit / distinct);
}

/* Clusters that are units themselves (one label_b each), or too many to be worth a level of their own: one cluster,
 * whose units they are. A cluster's members move with it. */
static void clusters_as_units(struct fq_design *d, const struct tagged *t, size_t clusters) {
    size_t seen = 0;
    for (size_t i = 0; i < d->n; i++) {
        seen += i > 0 && t[i].s.a != t[i - 1].s.a;
        d->unit[i] = block_of(seen, clusters, FQ_DESIGN_MAX_UNITS);
    }
    d->n_units = clusters < FQ_DESIGN_MAX_UNITS ? clusters : FQ_DESIGN_MAX_UNITS;
    d->n_clusters = 1;
    d->cluster_first[0] = 0;
    d->cluster_first[1] = (uint32_t)d->n_units;
}

/* Numbers clusters and units of samples that are sorted by (a, b), folding consecutive units into blocks. */
static int number_units(struct fq_design *d, const struct tagged *t, struct fq_error *err) {
    size_t n = d->n, clusters = 1, pairs = 1;
    for (size_t i = 1; i < n; i++) {
        clusters += t[i].s.a != t[i - 1].s.a;
        pairs += t[i].s.a != t[i - 1].s.a || t[i].s.b != t[i - 1].s.b;
    }
    d->cluster_first = malloc((clusters + 1) * sizeof *d->cluster_first);
    if (d->cluster_first == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory for %zu clusters", clusters);
    d->by_label_a = clusters > 1;
    if (clusters > 1 && (pairs == clusters || clusters > FQ_DESIGN_MAX_UNITS / 2)) {
        clusters_as_units(d, t, clusters);
        return 0;
    }
    d->n_clusters = clusters;
    size_t limit = FQ_DESIGN_MAX_UNITS / clusters, begin = 0, unit = 0;
    for (size_t c = 0; c < clusters; c++) {
        size_t end = begin, distinct = 0;
        while (end < n && t[end].s.a == t[begin].s.a) {
            distinct += end == begin || t[end].s.b != t[end - 1].s.b;
            end++;
        }
        size_t seen = 0;
        d->cluster_first[c] = (uint32_t)unit;
        for (size_t i = begin; i < end; i++) {
            seen += i != begin && t[i].s.b != t[i - 1].s.b;
            d->unit[i] = (uint32_t)unit + block_of(seen, distinct, limit);
        }
        unit += distinct < limit ? distinct : limit;
        begin = end;
    }
    d->cluster_first[clusters] = (uint32_t)unit;
    d->n_units = unit;
    return 0;
}

int fq_design_build(const struct fq_sample *samples, size_t n, bool paired, struct fq_design *out,
                    struct fq_error *err) {
    memset(out, 0, sizeof *out);
    out->independent = true;
    if (n == 0)
        return fq_fail(err, FQ_FAILED, "there are no samples to summarise");
    for (size_t i = 0; i < n; i++)
        if (!isfinite(samples[i].x) || (paired && !isfinite(samples[i].y)) || !(samples[i].weight >= 0.0))
            return fq_fail(err, FQ_FAILED, "sample %zu of %zu is not a finite number with a weight of at least 0", i,
                           n);
    struct tagged *t = malloc(n * sizeof *t);
    if (t == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory for %zu samples", n);
    int code = allocate(out, n, paired, err);
    if (code == 0) {
        for (size_t i = 0; i < n; i++)
            t[i] = (struct tagged){.s = samples[i], .position = i};
        qsort(t, n, sizeof *t, by_unit);
        code = number_units(out, t, err);
    }
    if (code == 0) {
        for (size_t i = 0; i < n; i++) {
            out->x[i] = t[i].s.x;
            if (paired)
                out->y[i] = t[i].s.y;
            out->weight[i] = t[i].s.weight;
            t[i].position = i;
        }
        qsort(t, n, sizeof *t, by_outer);
        for (size_t i = 0; i < n; i++) {
            out->n_outer += i == 0 || t[i].s.outer != t[i - 1].s.outer;
            out->outer[t[i].position] = (uint32_t)(out->n_outer - 1);
        }
    }
    free(t);
    if (code != 0)
        fq_design_free(out);
    return code;
}

size_t fq_design_tops(const struct fq_design *d) {
    if (d->n_clusters > 1)
        return d->n_clusters;
    return d->independent || d->by_label_a ? d->n_units : 1; /* by label_a: the units are the clusters */
}

void fq_design_free(struct fq_design *d) {
    free(d->x);
    free(d->y);
    free(d->weight);
    free(d->outer);
    free(d->unit);
    free(d->cluster_first);
    memset(d, 0, sizeof *d);
}
