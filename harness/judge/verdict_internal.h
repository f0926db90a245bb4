/* Internal to verdict.c, comparison.c and reason.c: one test result at a time. */
#ifndef FQ_JUDGE_VERDICT_INTERNAL_H
#define FQ_JUDGE_VERDICT_INTERNAL_H

#include "harness/judge/verdict.h"

double fq_test_margin(const struct fq_claim *claim, const struct fq_claim_test *test);

/* Compares x with the constant, or with y, audits the cells concerned, fills everything of *r but p_holm and the final
 * outcome. FQ_OK also when the comparison has no interval; then `why` says so. */
int fq_test_compare(const struct fq_claim *claim, const struct fq_claim_test *test, const struct fq_contract *contract,
                    struct fq_bootstrap *boot, const struct fq_groups *groups, const struct fq_group *x,
                    const struct fq_group *y, struct fq_test_result *r, struct fq_error *err);

/* The outcome on the scale of r->measured: which side of the bounds the estimate is, with what p-value. */
void fq_test_side(const struct fq_claim *claim, struct fq_test_result *r);

/* The verdict's sentence. */
void fq_verdict_reason(struct fq_verdict *v);

#endif
