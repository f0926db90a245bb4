/* A sweep: the YAML file as the experiment that it describes, every list multiplied out, every value checked.
 *
 * Nothing that is not in the file is chosen silently: what has a default is listed in docs/formats.md, and the value
 * used is a fact of every cell. */
#ifndef FQ_PLAN_SWEEP_H
#define FQ_PLAN_SWEEP_H

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "harness/cache/policy.h"
#include "harness/measure/centre.h"
#include "harness/method.h"
#include "harness/plan/cell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fq_sweep_metric {
    FQ_METRIC_DISTORTION = 1,
    FQ_METRIC_INNER_PRODUCT = 2,
    FQ_METRIC_ATTENTION = 4,
    FQ_METRIC_PERPLEXITY = 8,
    FQ_METRIC_SPEED = 16,
    FQ_METRIC_BYTES = 32,
    FQ_METRIC_NEEDLE = 64,
    FQ_METRIC_GENERATION = 128,
    FQ_METRIC_NEEDLE_TEXT = 256
};
enum { FQ_SWEEP_METRICS = 9 };
extern const char *const fq_sweep_metric_names[FQ_SWEEP_METRICS]; /* in the order of the bits */

enum fq_sweep_source { FQ_SOURCE_KV, FQ_SOURCE_GENERATE, FQ_SOURCE_FILE, FQ_SOURCE_EMBEDDINGS };

/* One dataset: vectors and dim multiplied out. */
struct fq_sweep_data {
    char name[128]; /* as tables show it: "smollm2-135m-jargon", "sphere-20000x64" */
    enum fq_sweep_source source;
    char what[1024];          /* name or path, or the generator */
    bool key, value;          /* tensors; vector sets: key only */
    size_t *layers, n_layers; /* KV: which; 0: all */
    size_t rows;              /* tokens or vectors used; 0: all */
    size_t dim;               /* generated sets; else 0 until opened */
    uint64_t seed;            /* generated sets: of the data stream */
    unsigned metrics;         /* enum fq_sweep_metric */
    uint64_t seeds_at_most;   /* codec cells: the first so many seeds of each instance; 0: all */
    int line;
};

/* The literature's. Results of one name are pooled and stand in one table, so another context is another name. */
enum { FQ_USUAL_CONTEXT = 512 };

struct fq_sweep_model {
    char name[128]; /* "model/corpus", or "model/corpus@2048" with another context than the usual one */
    char model[1024], corpus[1024];
    size_t context, chunks;
    bool key, value;
    uint64_t *seeds; /* NULL: those of the method */
    size_t n_seeds;
    int line;
};

/* One method with one value for every parameter. */
struct fq_sweep_instance {
    const struct fq_method *method;
    struct fq_params params;
    enum fq_centre_kind centre; /* of keys: a factor of the experiment, written behind the parameters unless none */
    char parameters[384], label[96], rate_class[32];
    unsigned metrics; /* enum fq_sweep_metric */
    unsigned threads;
    bool threads_given; /* an exhibit: not the sweep's own number */
    uint64_t *seeds;    /* more than one only if the method draws random numbers */
    size_t n_seeds;
    char **data; /* patterns; NULL: everything */
    size_t n_data;
    int replicate; /* 1: the A/A twin of an instance before it */
    int line;
};

/* One cache policy, everything chosen. */
struct fq_sweep_policy {
    struct fq_policy policy;
    char name[48], label[96], rate_class[32]; /* rate_class "": the rate at the context, to two decimals */
    char parameters[FQ_CELL_PARAMETERS];
    bool draws;  /* some code draws random numbers: seeds matter */
    char **data; /* as of an instance */
    size_t n_data;
    int replicate; /* as of an instance */
    int line;
};

struct fq_sweep {
    char path[4096], name[96], contract[48], isa[16];
    unsigned threads, workers;
    uint64_t *seeds;
    size_t n_seeds;
    size_t processes, blocks, queries, speed_vectors; /* queries: positions per window and query head */
    uint64_t order_seed;
    unsigned metrics;
    struct fq_sweep_data *data;
    size_t n_data;
    struct fq_sweep_model *models;
    size_t n_models;
    struct fq_sweep_instance *instances;
    size_t n_instances;
    struct fq_sweep_policy *policies;
    size_t n_policies;
    char *text;
    char sha256[FQ_SHA256_HEX]; /* of the text and the overrides */
};

/* What the command line changes; recorded in the hash and in every cell. */
struct fq_sweep_override {
    unsigned threads; /* 0: none */
    const char *isa;  /* NULL: none */
};

/* FQ_USAGE: "file:line: sentence". Methods must be registered before. */
int fq_sweep_load(const char *path, const struct fq_sweep_override *override, struct fq_sweep *out,
                  struct fq_error *err);
void fq_sweep_free(struct fq_sweep *sweep);

/* True if an instance runs on the data or model of this name. */
bool fq_sweep_runs_on(const struct fq_sweep_instance *instance, const char *name);
bool fq_sweep_policy_runs_on(const struct fq_sweep_policy *policy, const char *name);

#endif
