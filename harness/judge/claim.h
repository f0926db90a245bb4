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
enum fq_claim_combine { FQ_COMBINE_ALL, FQ_COMBINE_ANY };

/* Patterns (shell style) on a cell's identity; NULL matches anything. parameters: "bits=2|3|4 rotation=haar", the named
 * parameters must have one of the values, the others are free. */
struct fq_selector {
    char *kind, *data, *model, *tensor, *method, *parameters;
};

/* Every matching instance (and partner) is one comparison. Against a constant, or against the instances of `against`
 * on the same data whose parameters named in `pair` are equal; fields that `against` leaves out are those of `cells`.
 */
struct fq_claim_test {
    char *name;
    struct fq_selector cells;
    char *metric, *statistic; /* statistic NULL: the first that the series asks for */
    double *constant;         /* NULL: 1 or 0 */
    struct fq_selector *against;
    char **pair;
    unsigned pair_count;
    enum fq_claim_as as;
    enum fq_claim_direction direction;
    double *margin; /* NULL: the claim's minimum_effect */
};

struct fq_claim {
    char *id, *who, *words, *where, *statement, *note, *contract, *family;
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

/* One value of a canonical parameter text ("bits=3 rotation=haar"), or false. */
bool fq_parameter_value(const char *parameters, const char *name, char *out, size_t size);
bool fq_parameters_match(const char *parameters, const char *pattern);

#endif
