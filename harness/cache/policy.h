/* A cache policy: which tokens of a KV cache are kept at full precision, which as codes and which as coarser codes, for
 * keys and values apart and layer by layer.
 *
 * Everything here is arithmetic on positions. For a query that sees n tokens (itself included, so query i sees i + 1)
 * and a key or value at position j < n, a policy gives one answer, whatever the data:
 *
 *   sinks     the first tokens stay full
 *   window    the most recent tokens stay full; only one of window and residual is given
 *   residual  KIVI's rule (Liu et al. 2024, arXiv 2402.02750): keys since the last multiple of `residual` stay full and
 *             are then encoded together, values stay full while they are among the last `residual`
 *   decay     at each multiple of `every` all codes older than `after` tokens are encoded once more, from what they
 *             decode to
 *
 * A codec whose records hold g tokens gives codes for whole groups: a token waits at full precision until its group has
 * left the window. Without window and residual there is no full-precision part at all; then a query reads codes of its
 * own group, later tokens included, as when a prompt is encoded at once.
 *
 * Full precision is counted as float16. It must not know what a codec does, nor see data. */
#ifndef FQ_CACHE_POLICY_H
#define FQ_CACHE_POLICY_H

#include "harness/base/error.h"
#include "harness/measure/centre.h"
#include "harness/method.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FQ_POLICY_RULES = 16, FQ_POLICY_RULE_LAYERS = 128, FQ_POLICY_CODES = 32 };

/* A method with all its parameters; method NULL: full precision. */
struct fq_policy_code {
    const struct fq_method *method;
    struct fq_params params;
};

/* Layers that differ; negative numbers count from the end, the last rule that names a layer wins. */
struct fq_policy_rule {
    int layers[FQ_POLICY_RULE_LAYERS];
    size_t n_layers;
    bool given[2]; /* by enum fq_tensor */
    struct fq_policy_code code[2];
    bool no_decay;
    int line; /* of the file it was read from */
};

/* scores: the second path, score by score; decoded: what codes decode to is written into the model's own cache. */
enum fq_policy_path { FQ_PATH_SCORES, FQ_PATH_DECODED };

struct fq_policy {
    struct fq_policy_code code[2]; /* by enum fq_tensor */
    size_t window, sinks, residual;
    size_t decay_after, decay_every; /* every 0: no decay */
    bool decays[2];
    struct fq_policy_code decayed[2];
    double sparse_v;   /* softmax weights below it are dropped, with their values */
    bool sparse;       /* count what that skips, also at a threshold of 0 */
    bool prefill_full; /* queries of the first half of a window read everything at full precision */
    enum fq_centre_kind centre;
    enum fq_policy_path path;
    struct fq_policy_rule rules[FQ_POLICY_RULES];
    size_t n_rules;
};

/* 0 or a sentence (FQ_USAGE) about rules that contradict each other, for this length of vectors; `layers` 0: not known
 * yet, so that layer numbers are not looked at. */
int fq_policy_check(const struct fq_policy *policy, size_t layers, size_t dim, struct fq_error *err);

/* ---- one layer -------------------------------------------------------------------------------------------------- */

/* One tensor of one layer: indices into fq_policy_plan.code, -1 where there are no codes of that kind. */
struct fq_policy_tensor {
    int codes, decayed;
    size_t group, decayed_group; /* tokens per record, 1 without codes; decay moves whole multiples of both */
};

struct fq_policy_plan {
    const struct fq_policy *policy;
    size_t layers, dim;
    struct fq_policy_code code[FQ_POLICY_CODES]; /* each once, with the tensor it is for */
    enum fq_tensor tensor[FQ_POLICY_CODES];
    size_t record_bytes[FQ_POLICY_CODES];   /* as promised; a run may put what it saw */
    uint64_t shared_bytes[FQ_POLICY_CODES]; /* of one state */
    size_t states[FQ_POLICY_CODES];         /* layers with a state of their own for each head; 0: one for all */
    size_t n_codes;
    struct fq_policy_tensor (*layer)[2]; /* [layers], by enum fq_tensor */
};

/* Checks, and writes the policy out layer by layer. The policy must outlive the plan. */
int fq_policy_plan_open(const struct fq_policy *policy, size_t layers, size_t dim, struct fq_policy_plan *out,
                        struct fq_error *err);
void fq_policy_plan_close(struct fq_policy_plan *plan);

enum fq_version { FQ_VERSION_FULL, FQ_VERSION_CODES, FQ_VERSION_DECAYED, FQ_VERSIONS };

/* Where the versions of n tokens begin and end: [0, sinks) full, [sinks, decayed) decayed, [decayed, codes) codes,
 * [codes, n) full. */
struct fq_policy_spans {
    size_t sinks, decayed, codes, n;
};
struct fq_policy_spans fq_policy_spans(const struct fq_policy_plan *plan, enum fq_tensor tensor, size_t layer,
                                       size_t n);
/* The same for one position j < n. */
enum fq_version fq_policy_version(const struct fq_policy_plan *plan, enum fq_tensor tensor, size_t layer, size_t n,
                                  size_t j);

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

/* What the cache holds at n tokens, all layers, `kv_heads` each. */
struct fq_policy_bytes {
    uint64_t code_bytes;   /* records, decayed ones included */
    uint64_t full_bytes;   /* float16: sinks, window, residual, tokens that fill no group, tensors without codes */
    uint64_t shared_bytes; /* once: rotations, codebooks, centres */
    double rate_bits;      /* 8 (code + full) / coordinates of keys and values */
};
void fq_policy_count(const struct fq_policy_plan *plan, size_t n, size_t kv_heads, struct fq_policy_bytes *out);

/* Canonical text: everything that the policy fixes, on one line. Cut at `size` like snprintf; returns the length it
 * needs. */
size_t fq_policy_print(const struct fq_policy *policy, char *out, size_t size);

#endif
