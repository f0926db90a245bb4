/* Cells pooled into what a table row is about: one method instance on one data item, one metric. Seeds, processes and
 * blocks of the same instance fall into one group; a cell that two results files share counts once. */
#ifndef FQ_JUDGE_GROUPS_H
#define FQ_JUDGE_GROUPS_H

#include "harness/base/error.h"
#include "harness/judge/design.h"
#include "harness/plan/results.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fq_group_entry {
    const struct fq_cell *cell;
    const struct fq_series *series;
};

struct fq_group {
    const struct fq_group_entry *entry; /* [n] */
    size_t n;
    size_t samples, seeds;
    bool timed;   /* cells of kind "speed": resampled are processes and blocks, not seeds */
    bool partial; /* from a results file with fewer cells than planned */
};

struct fq_groups {
    struct fq_group *group; /* sorted by kind, data, model, tensor, metric, method, parameters, replicate */
    size_t n;
    struct fq_group_entry *entries;
};

/* Failed cells are left out. The results must outlive the groups. */
int fq_groups_build(const struct fq_results *results, size_t n_results, struct fq_groups *out, struct fq_error *err);
void fq_groups_free(struct fq_groups *groups);

/* Identity of a group, for tables and matching. */
const struct fq_cell *fq_group_cell(const struct fq_group *group);
const struct fq_series *fq_group_series(const struct fq_group *group);

/* Same kind, data, model and tensor: the two may stand in one table. */
bool fq_groups_comparable(const struct fq_group *a, const struct fq_group *b);

/* All samples of the group, labelled for a design; malloc'ed, group->samples of them. Speed cells: outer is one level,
 * a = process, b = block. NULL: no memory. */
struct fq_sample *fq_group_samples(const struct fq_group *group);

/* Whether the units inside what is resampled are draws of their own (fq_design): tokens of a chunk of text are not. */
bool fq_group_independent(const struct fq_group *group);

/* "seed, layer and head": what resampling this group draws. */
void fq_group_resampled(const struct fq_group *group, bool by_label_a, size_t seeds, size_t tops, char *out,
                        size_t size);

#endif
