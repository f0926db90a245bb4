/* Starts this program again as one speed process of a run; internal to the plan floor. */
#ifndef FQ_PLAN_PROCESS_H
#define FQ_PLAN_PROCESS_H

#include "harness/plan/run.h"

/* Executes /proc/self/exe with the same sweep and waits. died: a signal or an unexpected end, described in how; an
 * ordinary exit with a sentence of its own (already printed by it) leaves died 0. The child dies with its parent. */
int fq_process_run(const char *sweep_path, const struct fq_run_options *options, int process, int *died, char *how,
                   size_t how_size, struct fq_error *err);

#endif
