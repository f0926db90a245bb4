/* Claims as files: what somebody said, and which comparison of cells decides it. Written and committed before the
 * results that they judge; the verdict records the SHA-256 of the file, so that this can be checked in the history. The
 * format is explained in docs/methodology.md. */
#ifndef FQ_JUDGE_CLAIM_H
#define FQ_JUDGE_CLAIM_H

#include "harness/base/error.h"
#include "harness/base/sha256.h"

#include <stdbool.h>
#include <stddef.h>

enum fq_claim_as { FQ_AS_RATIO, FQ_AS_DIFFERENCE };
enum fq_claim_direction { FQ_IS_BELOW, FQ_IS_ABOVE, FQ_IS_EQUIVALENT };
/* EACH: at least one comparison of every test. */
enum fq_claim_combine { FQ_COMBINE_ALL, FQ_COMBINE_ANY, FQ_COMBINE_EACH };
enum fq_claim_rates { FQ_RATES_MATCH, FQ_RATES_DIFFER };

/* Patterns (shell style) on a cell's identity; NULL matches anything. parameters: "bits=2|3|4 rotation=haar", the named
 * parameters must have one of the values, the others are free, but for `centre`: cells on centred data are selected by
 * naming it only. */
struct fq_selector {
    char *kind, *data, *model, *tensor, *method, *parameters;
};

/* Every matching instance (and partner) is one comparison. Against a constant, or against the instances of `against`
 * on the same data whose parameters named in `pair` are equal; fields that `against` leaves out are those of `cells`.
 */
struct fq_claim_test {
    char *name;
    struct fq_selector cells;
    char *metric, *statistic; /* metric: a pattern, too; statistic NULL: the first that the series asks for */
    double *constant;         /* NULL: 1 or 0 */
    struct fq_selector *against;
    char **pair;
    unsigned pair_count;
    enum fq_claim_as as;
    enum fq_claim_direction direction;
    double *margin; /* NULL: the claim's minimum_effect */
    /* Both sides of a comparison have rates within the contract's tolerance, unless the test says that they differ and
     * gives the reason. */
    enum fq_claim_rates rates;
    char *rates_reason;
};

/* Exactly one of words (a verbatim quotation) and paraphrase (what was said, in our words) is given, the other NULL. */
struct fq_claim {
    char *id, *who, *words, *paraphrase, *where, *statement, *note, *contract, *family;
    double level, minimum_effect;
    enum fq_claim_combine combine;
    struct fq_claim_test *tests;
    unsigned tests_count;
    char path[1024], sha256[FQ_SHA256_HEX];
};

struct fq_claims {
    struct fq_claim **claim; /* sorted by id */
    size_t n;
};

/* All *.yaml of a directory (NULL: configs/claims below FQ_HOME). FQ_USAGE with file and line; two claims of one id; a
 * test with neither constant nor against; a directory without claims. */
int fq_claims_load(const char *dir, struct fq_claims *out, struct fq_error *err);
void fq_claims_free(struct fq_claims *claims);

/* What was said, for a reader: a quotation in quotation marks, a paraphrase without. At most 1,200 bytes. */
void fq_claim_said(const struct fq_claim *claim, char *out, size_t size);

/* One value of a canonical parameter text ("bits=3 rotation=haar"), or false. */
bool fq_parameter_value(const char *parameters, const char *name, char *out, size_t size);
bool fq_parameters_match(const char *parameters, const char *pattern);

#endif
