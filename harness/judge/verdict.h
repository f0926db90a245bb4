/* Claims -> verdicts. Every comparison that a claim's tests select is audited under the claim's contract, gets an
 * interval and a p-value; the p-values of all claims of one family are adjusted by Holm; then the claim is judged. */
#ifndef FQ_JUDGE_VERDICT_H
#define FQ_JUDGE_VERDICT_H

#include "harness/base/error.h"
#include "harness/judge/claim.h"
#include "harness/judge/contract.h"
#include "harness/judge/paired.h"
#include "harness/plan/results.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fq_outcome {
    FQ_HOLDS,     /* the interval is on the claimed side of the bound, Holm's p <= 1 - level */
    FQ_FAILS,     /* on the other side, likewise */
    FQ_UNDECIDED, /* neither, or no interval */
    FQ_REFUSED    /* the audit objects to putting these cells side by side */
};
const char *fq_outcome_name(enum fq_outcome outcome); /* "holds" "fails" "undecided" "refused" */

/* One comparison of one test. */
struct fq_test_result {
    const struct fq_claim_test *test;
    enum fq_outcome outcome;
    char data[128], tensor[12], metric[56], unit[20];
    char cells[96], against[96];         /* labels; against: "" for a constant */
    char parameters[FQ_CELL_PARAMETERS]; /* of cells */
    /* value: of the cells alone against a constant; the ratio or difference of the pair otherwise. */
    struct fq_comparison measured;
    double reference;         /* the constant; 1 or 0 for a pair */
    double effect, low, high; /* ratio to, or difference from, the reference */
    double p, p_holm;         /* p: of the nearer side, two-sided; twice TOST for equivalence */
    double rate_bits, against_rate_bits;
    bool below_floor; /* smaller than the A/A pair's interval */
    char why[160];    /* of undecided and refused */
};

enum fq_verdict_kind { FQ_SUPPORTED, FQ_REFUTED, FQ_INCONCLUSIVE, FQ_NOT_MEASURED };
const char *fq_verdict_name(enum fq_verdict_kind kind); /* "supported" "refuted" "inconclusive" "not measured here" */

struct fq_verdict {
    const struct fq_claim *claim;
    enum fq_verdict_kind kind;
    struct fq_test_result *result; /* [n] */
    size_t n, room;
    size_t holds, fails, undecided, refused;
    size_t missing;   /* tests that no cell matches */
    size_t decisive;  /* index of the result whose effect is printed; n: none */
    char reason[640]; /* one sentence */
};

struct fq_verdicts {
    struct fq_verdict *verdict; /* in the order of the claims */
    size_t n;
};

/* claims and contracts must outlive the verdicts. FQ_USAGE: a claim names an unknown contract or statistic. */
int fq_judge_results(const struct fq_claims *claims, const struct fq_contracts *contracts,
                     const struct fq_results *results, size_t n_results, uint64_t seed, struct fq_verdicts *out,
                     struct fq_error *err);
void fq_verdicts_free(struct fq_verdicts *verdicts);

/* The verdicts as JSON, with the SHA-256 of every claim file; whole or absent. paths[n_paths]: the results files. */
int fq_verdicts_write_json(const struct fq_verdicts *verdicts, const char *const *paths, size_t n_paths,
                           const char *out, struct fq_error *err);

#endif
