/* A sweep as the list of its cells, in the order in which they run, with identities, bytes and estimated times.
 *
 * Kinds: codec (data x tensor x instance x seed), model (model and corpus x instance x seed), speed (data x instance x
 * process x block). Codec cells of one dataset and model cells of one model stand together, in a seeded permutation;
 * speed cells stand by process, dataset and block, and in each block one repetition of every instance in a permutation
 * of its own. The order is stored in every cell. The plan depends on the sweep and the shapes of its data only: a shard
 * or a resumed run computes the same list. */
#ifndef FQ_PLAN_PLAN_H
#define FQ_PLAN_PLAN_H

#include "harness/data/dataset.h"
#include "harness/data/model.h"
#include "harness/plan/cell.h"
#include "harness/plan/sweep.h"

/* Two floors: sums in another order, and keys and values that differ in their last bits. */
enum fq_planned_floor { FQ_FLOOR_NOT, FQ_FLOOR_ORDER, FQ_FLOOR_LAST_BITS };

struct fq_planned {
    struct fq_cell cell;                  /* identity; no facts, no series */
    size_t source;                        /* index into sweep.data (codec, speed) or sweep.models (model) */
    size_t instance;                      /* index into sweep.instances; none with a policy or as noise floor */
    enum fq_planned_floor noise_floor;    /* model cells: full precision against itself */
    const struct fq_sweep_policy *policy; /* model cells of a cache policy; else NULL */
    char touches[8];                      /* with a policy: "key", "value", "kv" */
    enum fq_tensor tensor;                /* codec, speed */
    uint64_t vectors;                     /* encoded by this cell */
    double planned_bytes;                 /* promised by the footprint for these vectors */
    double cost_ns;                       /* estimated (cost.h); 0 until then */
    uint64_t group;                       /* cells of one group go to one shard */
};

struct fq_plan {
    const struct fq_sweep *sweep;
    struct fq_dataset_info *data; /* [sweep.n_data] */
    struct fq_model_info *models; /* [sweep.n_models] */
    struct fq_planned *cells;
    size_t n_cells, room;
    char **notes; /* what was asked for and cannot be measured, one sentence each: nothing is left out in silence */
    size_t n_notes;
};

/* Opens every dataset and looks at every model for its shape. scan: also reads all rows and refuses NaN and Inf. The
 * sweep must outlive the plan. */
int fq_plan_make(const struct fq_sweep *sweep, bool scan, struct fq_plan *out, struct fq_error *err);
void fq_plan_free(struct fq_plan *plan);

/* True if a cell belongs to shard i of n (i from 1). */
bool fq_plan_in_shard(const struct fq_planned *cell, unsigned i, unsigned n);

/* Which of the sweep's metrics apply to a cell's data: enum fq_sweep_metric. */
unsigned fq_plan_metrics(const struct fq_plan *plan, const struct fq_planned *cell);

#endif
