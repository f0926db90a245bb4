/* Pieces of a plan shared by plan.c, plan_policies.c and plan_floor.c. Nothing else includes this. */
#ifndef FQ_PLAN_PLAN_INTERNAL_H
#define FQ_PLAN_PLAN_INTERNAL_H

#include "harness/base/random.h"
#include "harness/plan/plan.h"

/* A zeroed cell at the end of the list, its order and kind set; NULL + err: no memory. */
struct fq_planned *fq_plan_grow(struct fq_plan *plan, const char *kind, size_t source, struct fq_error *err);
/* What was asked for and cannot be measured, in one sentence; the same sentence is kept once. */
int fq_plan_note(struct fq_plan *plan, struct fq_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Id from the key; the shard of a cell is that of its group, a hash that no machine can see differently. */
void fq_plan_identify(struct fq_cell *cell);
uint64_t fq_plan_group(const char *text);

/* plan_policies.c: the cells of all policies on one model, in a permutation of their own; none for an entry whose
 * model, corpus and windows an earlier entry has, since a policy says itself which tensors it touches. Then, when all
 * models were seen: a policy with a centre that no model can have is a mistake of the sweep. */
int fq_plan_policies(struct fq_plan *plan, size_t model, struct fq_random *order, struct fq_error *err);
int fq_plan_check_policies(const struct fq_plan *plan, struct fq_error *err);

/* plan_floor.c: both noise floors of one model, behind its other cells; whether some cell of that model has this
 * tensor.
 */
int fq_plan_floor(struct fq_plan *plan, size_t model, struct fq_error *err);
bool fq_plan_floor_tensor(const struct fq_plan *plan, size_t model, const char *tensor);

#endif
