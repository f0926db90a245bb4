/* How long a sweep will take: estimated from a small calibration on this machine. */
#ifndef FQ_PLAN_COST_H
#define FQ_PLAN_COST_H

#include "harness/plan/plan.h"

/* How the estimate was made, one sentence for the reader. */
extern const char fq_cost_how[];

/* Fills cost_ns of every cell: each method instance is opened and encodes a few vectors at each dimension that the plan
 * has; a model's full-precision pass is assumed from the size of its weights. A method that fails here is estimated as
 * free: its cell will say why. Leaves the pool with one thread. */
int fq_cost_estimate(struct fq_plan *plan, struct fq_error *err);

#endif
