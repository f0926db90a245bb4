/* Contracts: which observed facts must be equal before two cells may stand side by side (configs/contracts.yaml).
 *
 * A contract names facts by the name under which cells store them; nothing here knows what a fact means. The file is a
 * list of
 *
 *   - name: matched-cpu
 *     about: one sentence
 *     exhibit: false             # true: a knowingly unfair replay; the audit says so and never passes it
 *     everywhere: [FACT, ...]    # equal over all cells of the run
 *     equal:                     # equal over all cells of one kind and data item
 *       - {facts: [FACT, ...], kinds: [codec, model, speed]}
 *     tolerance:                 # largest minus smallest value, inside cells with the same rate_class
 *       - {fact: rate_bits, within: 0.02, per_vector: 16}   # within + per_vector / d, d being the fact `dim`
 *     require:                   # what every cell must have observed
 *       - {fact: canaries, is: intact}
 *       - {fact: written_bytes, equals: promised_bytes}
 *       - {fact: cpu_over_wall, at_most: threads_configured, slack: 0.05, kinds: [speed]}
 *     same_seeds: true           # every instance that draws ran the same seeds; more do no harm
 *
 * `kinds` left out means all kinds. `slack` is relative. A fact that is demanded and absent fails the audit. */
#ifndef FQ_JUDGE_CONTRACT_H
#define FQ_JUDGE_CONTRACT_H

#include "harness/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct fq_equal_rule {
    char **facts;
    unsigned facts_count;
    char **kinds;
    unsigned kinds_count;
};

struct fq_tolerance_rule {
    char *fact;
    double within, per_vector; /* the spread allowed: within + per_vector / d */
    char **kinds;
    unsigned kinds_count;
};

/* Exactly one of is, equals, at_most. */
struct fq_require_rule {
    char *fact, *is, *equals, *at_most;
    double slack;
    char **kinds;
    unsigned kinds_count;
};

struct fq_contract {
    char *name, *about;
    bool exhibit, same_seeds;
    char **everywhere;
    unsigned everywhere_count;
    struct fq_equal_rule *equal;
    unsigned equal_count;
    struct fq_tolerance_rule *tolerance;
    unsigned tolerance_count;
    struct fq_require_rule *require;
    unsigned require_count;
};

struct fq_contracts {
    struct fq_contract *contract;
    unsigned n;
    char path[4096];
};

/* path NULL: configs/contracts.yaml below FQ_HOME. FQ_USAGE with file and line. */
int fq_contracts_load(const char *path, struct fq_contracts *out, struct fq_error *err);
void fq_contracts_free(struct fq_contracts *contracts);

/* Unknown name: FQ_USAGE, with the nearest. */
int fq_contract_find(const struct fq_contracts *contracts, const char *name, const struct fq_contract **out,
                     struct fq_error *err);

/* An empty list of kinds means all. */
bool fq_kind_listed(char *const *kinds, unsigned n, const char *kind);

#endif
