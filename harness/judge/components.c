/* Variance components of a linearised statistic over crossed seeds and (cluster, unit) trees. Here because a bootstrap
 * over three seeds or three processes is too narrow by itself; these components say by how much. No randomness. */
#include "harness/judge/design.h"
#include "harness/judge/stats.h"

#include <math.h>
#include <stdlib.h>

enum { FEW = 6 };               /* below this many levels a variance is too uncertain to be used untested */
static const double POOL = 0.5; /* pooled only if the F test sees nothing at all: Bancroft's 0.25 covered 92 % */

/* Sums of psi: grid[outer][unit]. */
struct grid {
    size_t outer, units, clusters;
    const uint32_t *first;
    bool independent; /* units of a cluster may stand for clusters */
    double *cell;
};

static double row_square(const struct grid *g, const double *row, double *between, double *within) {
    /* What one level of the bootstrap's tree contributes for one row: clusters around the row's mean, units around
     * their cluster's. */
    double total = 0.0, squares = 0.0, inside = 0.0;
    for (size_t c = 0; c < g->clusters; c++) {
        double sum = 0.0, n = (double)(g->first[c + 1] - g->first[c]);
        for (uint32_t u = g->first[c]; u < g->first[c + 1]; u++)
            sum += row[u];
        for (uint32_t u = g->first[c]; u < g->first[c + 1]; u++)
            inside += (row[u] - sum / n) * (row[u] - sum / n);
        squares += sum * sum;
        total += sum;
    }
    *between = squares - total * total / (double)g->clusters;
    *within = inside;
    return *between + *within;
}

/* Variance of the sum over data units, and its degrees of freedom. all[u] is summed over seeds. */
static void unit_variance(const struct grid *g, const double *all, double *variance, double *df) {
    double between = 0.0, within = 0.0;
    row_square(g, all, &between, &within);
    double a = (double)g->clusters, u = (double)g->units;
    if (g->clusters == 1) {
        *df = u - 1.0;
        *variance = g->units > 1 ? within * u / (u - 1.0) : 0.0;
        return;
    }
    *df = a - 1.0;
    *variance = between * a / (a - 1.0);
    if (g->clusters >= FEW || !g->independent)
        return;
    double inside = 0.0;
    for (size_t c = 0; c < g->clusters; c++) {
        double n = (double)(g->first[c + 1] - g->first[c]), sum = 0.0;
        if (n < 2.0)
            return; /* nothing to hold the clusters against */
        for (uint32_t k = g->first[c]; k < g->first[c + 1]; k++)
            sum += all[k];
        for (uint32_t k = g->first[c]; k < g->first[c + 1]; k++)
            inside += n / (n - 1.0) * (all[k] - sum / n) * (all[k] - sum / n);
    }
    if (fq_f_upper(inside > 0.0 ? *variance / inside : INFINITY, *df, u - a) > POOL) {
        *variance = (*df * *variance + (u - a) * inside) / (u - 1.0);
        *df = u - 1.0;
    }
}

/* Interaction of seeds with the top data level: what is left of a cell when its row and column are taken out. */
static double interaction(const struct grid *g, const double *row_sum, const double *top_sum, size_t tops) {
    double s = (double)g->outer, k = (double)tops, square = 0.0;
    for (size_t i = 0; i < g->outer; i++)
        for (size_t t = 0; t < tops; t++) {
            double cell = 0.0;
            size_t begin = g->clusters > 1 ? g->first[t] : t, end = g->clusters > 1 ? g->first[t + 1] : t + 1;
            for (size_t u = begin; u < end; u++)
                cell += g->cell[i * g->units + u];
            double rest = cell - row_sum[i] / k - top_sum[t] / s;
            square += rest * rest;
        }
    return square * s * k / ((s - 1.0) * (k - 1.0));
}

static void combine(const struct grid *g, const double *row_sum, const double *top_sum, size_t tops, double units,
                    double units_df, struct fq_components *out) {
    double s = (double)g->outer, outer = 0.0;
    out->variance = units;
    out->df = units_df;
    if (g->outer < 2)
        return;
    for (size_t i = 0; i < g->outer; i++)
        outer += row_sum[i] * row_sum[i] * s / (s - 1.0);
    if (tops < 2) { /* only seeds are resampled: Student on the seeds */
        out->variance = outer;
        out->df = s - 1.0;
        return;
    }
    double rest = interaction(g, row_sum, top_sum, tops), rest_df = (s - 1.0) * ((double)tops - 1.0);
    if (g->outer < FEW && fq_f_upper(rest > 0.0 ? outer / rest : INFINITY, s - 1.0, rest_df) > POOL)
        return;
    if (outer <= rest)
        return;
    double v = units + outer - rest;
    double spread = outer * outer / (s - 1.0) + units * units / units_df + rest * rest / rest_df;
    out->variance = v;
    /* Satterthwaite's df of a sum of mean squares is at least that of the least informed one; the subtraction can push
     * the formula far below, where Student's quantile says nothing but that it was used outside its ground. */
    out->df = fmax(spread > 0.0 ? v * v / spread : INFINITY, fmin(s - 1.0, units_df));
}

bool fq_components_of(const struct fq_design *d, const double *psi, struct fq_components *out) {
    *out = (struct fq_components){.seeds = d->n_outer, .tops = fq_design_tops(d)};
    if (out->seeds < 2 && out->tops < 2)
        return false;
    struct grid g = {.outer = d->n_outer,
                     .units = d->n_units,
                     .clusters = d->n_clusters,
                     .first = d->cluster_first,
                     .independent = d->independent};
    g.cell = calloc(g.outer * g.units + g.outer + 2 * g.units, sizeof *g.cell);
    if (g.cell == NULL)
        return false;
    double *row_sum = g.cell + g.outer * g.units, *all = row_sum + g.outer, *top_sum = all + g.units;
    for (size_t i = 0; i < d->n; i++) {
        g.cell[(size_t)d->outer[i] * g.units + d->unit[i]] += psi[i];
        row_sum[d->outer[i]] += psi[i];
        all[d->unit[i]] += psi[i];
    }
    for (size_t c = 0; c < g.clusters; c++)
        for (uint32_t u = g.first[c]; u < g.first[c + 1]; u++)
            top_sum[g.clusters > 1 ? c : u] += all[u];

    double between = 0.0, within = 0.0, units = 0.0, units_df = 0.0;
    double whole = row_square(&g, all, &between, &within);
    out->boot_variance = whole;
    for (size_t i = 0; i < g.outer && g.outer > 1; i++)
        out->boot_variance += row_sum[i] * row_sum[i] + row_square(&g, g.cell + i * g.units, &between, &within);
    if (g.outer > 1)
        out->boot_variance -= whole / (double)g.outer;

    unit_variance(&g, all, &units, &units_df);
    combine(&g, row_sum, top_sum, out->tops, units, units_df, out);
    free(g.cell);
    return true;
}
