/* The layout of a sample: which values may be exchanged for which when it is resampled.
 *
 * Two factors are crossed: the outer one (the rotation and sketch seed) and the data units. Data units form a tree of
 * two levels: cluster (label_a: layer and head, chunk, process) and unit inside it (label_b: token, query, block).
 * Every seed sees the same data, so a drawn layer is drawn for all seeds at once; redrawing it for each seed would make
 * the differences between layers vanish with the number of seeds. */
#ifndef FQ_JUDGE_DESIGN_H
#define FQ_JUDGE_DESIGN_H

#include "harness/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Above this many units in all, consecutive units of a cluster are drawn as one block: nothing is lost, since
 * neighbours (tokens) are dependent anyway, and 20,000 vectors then cost no more than 1,000. Clusters of one unit each,
 * and clusters by the hundreds, are drawn as units. */
enum { FQ_DESIGN_MAX_UNITS = 1024 };

struct fq_sample {
    double x, y; /* y: the partner of a paired sample; ignored otherwise */
    double weight;
    int64_t outer;
    int32_t a, b;
};

struct fq_design {
    size_t n, n_outer, n_clusters, n_units;
    bool paired;
    /* Units of a cluster are draws of their own (blocks of a process). False: they hang together (tokens of a chunk of
     * text), so they never stand for clusters, and a single cluster is a single unit. Set by the caller; true at first.
     */
    bool independent;
    bool by_label_a;         /* the units (or clusters) that are drawn are those of label_a; false: of label_b alone */
    double *x, *y, *weight;  /* [n]; y is NULL unless paired */
    uint32_t *outer, *unit;  /* [n], dense */
    uint32_t *cluster_first; /* [n_clusters + 1]: units of cluster c are [first[c], first[c + 1]) */
};

/* FQ_FAILED when n is 0, a value is not finite, or memory is out. */
int fq_design_build(const struct fq_sample *samples, size_t n, bool paired, struct fq_design *out,
                    struct fq_error *err);
void fq_design_free(struct fq_design *design);

/* Variance of a linearised statistic from its influence values psi[n] (they sum to zero; the statistic's error is their
 * sum), by analysis of variance with two crossed random factors:
 *     V = V_outer + V_units - V_interaction.
 * Few seeds or processes make V_outer a poor estimate, so Student's quantile at Satterthwaite's degrees of freedom goes
 * with it; a factor with fewer than 6 levels whose F test against the level below it has p > 0.5 is pooled into that
 * level (Bancroft's rule: no evidence of an effect of its own), if the units of that level are independent. */
struct fq_components {
    double variance, df;
    double boot_variance; /* the variance that the hierarchical bootstrap of bootstrap.h has for the same psi */
    size_t seeds, tops;   /* levels resampled: seeds, and clusters (or units, if there is one cluster) */
};

/* Levels of the data that are resampled: clusters; the units, if there is one cluster of independent ones. */
size_t fq_design_tops(const struct fq_design *design);

/* false when nothing can be resampled: one seed and one such level. */
bool fq_components_of(const struct fq_design *design, const double *psi, struct fq_components *out);

#endif
