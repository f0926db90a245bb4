/* Resampling multiplicities of one layout, drawn once and shared by every statistic of that layout. Internal to
 * bootstrap.c and draws.c. */
#ifndef FQ_JUDGE_DRAWS_H
#define FQ_JUDGE_DRAWS_H

#include "harness/judge/design.h"

#include <stddef.h>
#include <stdint.h>

struct fq_draws;
struct fq_draws *fq_draws_new(uint64_t seed, size_t resamples);
void fq_draws_free(struct fq_draws *draws);
size_t fq_draws_resamples(const struct fq_draws *draws);

/* times[resamples][n_units]: how often each unit is drawn; NULL when memory is out. */
const uint16_t *fq_draws_units(struct fq_draws *draws, const struct fq_design *design);
/* times[resamples][n_outer] */
const uint16_t *fq_draws_outer(struct fq_draws *draws, size_t n_outer);

#endif
