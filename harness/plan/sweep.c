/* Loads a sweep: the fixed part through libcyaml's schema, the lists of data and methods through the tree.
 *
 * It must not open data or models; it only says what they are. */
#include "harness/plan/sweep.h"

#include "harness/base/cpu.h"
#include "harness/base/file.h"
#include "harness/base/yaml.h"
#include "harness/plan/sweep_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model_entry {
    char *model, *corpus;
    unsigned context, chunks;
    char **tensors;
    unsigned tensors_count;
    unsigned long long *seeds;
    unsigned seeds_count;
};

struct repetitions {
    unsigned processes, blocks;
};

/* The fixed part as libcyaml fills it. */
struct fixed {
    char *name, *contract, *isa;
    unsigned threads, workers, queries, speed_vectors;
    unsigned long long *seeds, order_seed;
    unsigned seeds_count;
    struct repetitions *repetitions;
    struct model_entry *models;
    unsigned models_count;
    char **metrics;
    unsigned metrics_count;
};

static const cyaml_schema_value_t text_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 128)};
static const cyaml_schema_value_t number_schema = {CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, unsigned long long)};

static const cyaml_schema_field_t repetitions_fields[] = {
    CYAML_FIELD_UINT("processes", CYAML_FLAG_DEFAULT, struct repetitions, processes),
    CYAML_FIELD_UINT("blocks", CYAML_FLAG_DEFAULT, struct repetitions, blocks), CYAML_FIELD_END};

static const cyaml_schema_field_t model_fields[] = {
    CYAML_FIELD_STRING_PTR("model", CYAML_FLAG_POINTER, struct model_entry, model, 1, 1023),
    CYAML_FIELD_STRING_PTR("corpus", CYAML_FLAG_POINTER, struct model_entry, corpus, 1, 1023),
    CYAML_FIELD_UINT("context", CYAML_FLAG_DEFAULT, struct model_entry, context),
    CYAML_FIELD_UINT("chunks", CYAML_FLAG_DEFAULT, struct model_entry, chunks),
    CYAML_FIELD_SEQUENCE("tensors", CYAML_FLAG_POINTER, struct model_entry, tensors, &text_schema, 1, 2),
    CYAML_FIELD_SEQUENCE("seeds", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct model_entry, seeds, &number_schema,
                         1, 10000),
    CYAML_FIELD_END};

static const cyaml_schema_value_t model_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct model_entry, model_fields)};

static const cyaml_schema_field_t fixed_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct fixed, name, 1, 95),
    CYAML_FIELD_STRING_PTR("contract", CYAML_FLAG_POINTER, struct fixed, contract, 1, 47),
    CYAML_FIELD_STRING_PTR("isa", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fixed, isa, 1, 15),
    CYAML_FIELD_UINT("threads", CYAML_FLAG_OPTIONAL, struct fixed, threads),
    CYAML_FIELD_UINT("workers", CYAML_FLAG_OPTIONAL, struct fixed, workers),
    CYAML_FIELD_UINT("queries", CYAML_FLAG_OPTIONAL, struct fixed, queries),
    CYAML_FIELD_UINT("speed_vectors", CYAML_FLAG_OPTIONAL, struct fixed, speed_vectors),
    CYAML_FIELD_UINT("order_seed", CYAML_FLAG_OPTIONAL, struct fixed, order_seed),
    CYAML_FIELD_SEQUENCE("seeds", CYAML_FLAG_POINTER, struct fixed, seeds, &number_schema, 1, 10000),
    CYAML_FIELD_MAPPING_PTR("repetitions", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fixed, repetitions,
                            repetitions_fields),
    CYAML_FIELD_IGNORE("data", CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_SEQUENCE("models", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fixed, models, &model_schema, 1,
                         1000),
    CYAML_FIELD_SEQUENCE("metrics", CYAML_FLAG_POINTER, struct fixed, metrics, &text_schema, 1, 100),
    CYAML_FIELD_IGNORE("methods", CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_IGNORE("policies", CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_END};

static const cyaml_schema_value_t fixed_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct fixed, fixed_fields)};

/* A number of the fixed part again, with its line: libcyaml has checked that it is one, not that it makes sense. */
static int ranged(struct fq_tree *tree, const yaml_node_t *map, const char *key, uint64_t min, uint64_t max,
                  uint64_t def, uint64_t *out, struct fq_error *err) {
    const yaml_node_t *node = fq_tree_get(tree, map, key);
    *out = def;
    return node ? fq_tree_number(tree, node, key, min, max, out, err) : 0;
}

static int check_fixed(struct fq_tree *tree, const struct fq_sweep_override *override, struct fq_sweep *s,
                       struct fq_error *err) {
    const yaml_node_t *root = fq_tree_root(tree), *repetitions = fq_tree_get(tree, root, "repetitions");
    uint64_t v = 0;
    FQ_TRY(ranged(tree, root, "threads", 1, 1024, 1, &v, err));
    s->threads = override->threads ? override->threads : (unsigned)v;
    FQ_TRY(ranged(tree, root, "workers", 1, 1024, s->threads, &v, err));
    s->workers = (unsigned)v;
    FQ_TRY(ranged(tree, root, "queries", 1, 100000, 4, &v, err));
    s->queries = (size_t)v;
    FQ_TRY(ranged(tree, root, "speed_vectors", 1, 100000000, 2048, &v, err));
    s->speed_vectors = (size_t)v;
    FQ_TRY(ranged(tree, root, "order_seed", 0, UINT64_MAX, 1, &s->order_seed, err));
    FQ_TRY(ranged(tree, repetitions, "processes", 1, 1000, 1, &v, err));
    s->processes = (size_t)v;
    FQ_TRY(ranged(tree, repetitions, "blocks", 1, 100000, 1, &v, err));
    s->blocks = (size_t)v;
    FQ_TRY(fq_sweep_read_numbers(tree, fq_tree_get(tree, root, "seeds"), "seeds", 0, UINT64_MAX, &s->seeds, &s->n_seeds,
                                 err));
    FQ_TRY(fq_sweep_read_metrics(tree, fq_tree_get(tree, root, "metrics"), &s->metrics, err));
    enum fq_backend cap = FQ_REF;
    if (!override->isa && s->isa[0] && fq_backend_parse(s->isa, &cap, err) != 0)
        return fq_tree_fail_in(tree, fq_tree_get(tree, root, "isa"), err);
    return 0;
}

static int read_model(struct fq_tree *tree, const yaml_node_t *node, const struct model_entry *from, struct fq_sweep *s,
                      struct fq_error *err) {
    struct fq_sweep_model *m = &s->models[s->n_models];
    const char *corpus = strrchr(from->corpus, '/'), *model = strrchr(from->model, '/');
    const yaml_node_t *seeds = fq_tree_get(tree, node, "seeds");
    uint64_t v = 0;
    m->line = fq_tree_line(node);
    snprintf(m->model, sizeof m->model, "%s", from->model);
    snprintf(m->corpus, sizeof m->corpus, "%s", from->corpus);
    FQ_TRY(ranged(tree, node, "context", 8, 1U << 20, 0, &v, err));
    m->context = (size_t)v;
    int used = snprintf(m->name, sizeof m->name, "%.55s/%.55s", model ? model + 1 : from->model,
                        corpus ? corpus + 1 : from->corpus);
    if (m->context != FQ_USUAL_CONTEXT && used > 0)
        snprintf(m->name + used, sizeof m->name - (size_t)used, "@%zu", m->context);
    FQ_TRY(ranged(tree, node, "chunks", 1, 100000, 0, &v, err));
    m->chunks = (size_t)v;
    FQ_TRY(fq_sweep_read_tensors(tree, fq_tree_get(tree, node, "tensors"), &m->key, &m->value, err));
    if (seeds)
        FQ_TRY(fq_sweep_read_numbers(tree, seeds, "seeds", 0, UINT64_MAX, &m->seeds, &m->n_seeds, err));
    s->n_models++;
    for (size_t i = 0; i + 1 < s->n_models; i++)
        if (strcmp(s->models[i].name, m->name) == 0 && s->models[i].context == m->context &&
            s->models[i].chunks == m->chunks && s->models[i].key == m->key && s->models[i].value == m->value)
            return fq_tree_fail(tree, node, err, "models: '%s' stands there twice (first in line %d)", m->name,
                                s->models[i].line);
    return 0;
}

static int read_models(struct fq_tree *tree, const struct fixed *fixed, struct fq_sweep *s, struct fq_error *err) {
    const yaml_node_t *list = fq_tree_get(tree, fq_tree_root(tree), "models");
    if (fixed->models_count == 0)
        return 0;
    s->models = calloc(fixed->models_count, sizeof *s->models);
    if (!s->models)
        return fq_fail(err, FQ_FAILED, "out of memory for the models of a sweep");
    for (unsigned i = 0; i < fixed->models_count; i++)
        FQ_TRY(read_model(tree, fq_tree_item(tree, list, i), &fixed->models[i], s, err));
    return 0;
}

/* What is asked for must have something to be asked of. */
static int check_whole(struct fq_tree *tree, const struct fq_sweep *s, struct fq_error *err) {
    const yaml_node_t *root = fq_tree_root(tree), *metrics = fq_tree_get(tree, root, "metrics");
    if (s->n_data == 0 && s->n_models == 0)
        return fq_tree_fail(tree, root, err, "the sweep has neither data nor models: there is nothing to measure on");
    if ((s->metrics & FQ_METRIC_PERPLEXITY) && s->n_models == 0)
        return fq_tree_fail(tree, metrics, err,
                            "metrics: perplexity needs an entry under models, e.g. - {model: "
                            "smollm2-135m, corpus: jargon, context: 512, chunks: 8, tensors: [key, value]}");
    if (s->n_policies > 0 && !(s->metrics & FQ_METRIC_PERPLEXITY))
        return fq_tree_fail(tree, metrics, err,
                            "policies are measured by what they do to a model: add perplexity to the metrics");
    if ((s->metrics & FQ_METRIC_GENERATION) && !(s->metrics & FQ_METRIC_PERPLEXITY))
        return fq_tree_fail(tree, metrics, err,
                            "metrics: generation is read beside what a cache does to given text; add perplexity");
    if ((s->metrics & FQ_METRIC_NEEDLE_TEXT) && !(s->metrics & FQ_METRIC_PERPLEXITY))
        return fq_tree_fail(tree, metrics, err,
                            "metrics: needle_text asks a model for planted sentences, beside its perplexity: add "
                            "perplexity, and an entry under models (needle needs none)");
    if ((s->metrics & ~(unsigned)(FQ_METRIC_PERPLEXITY | FQ_METRIC_GENERATION | FQ_METRIC_NEEDLE_TEXT)) &&
        s->n_data == 0)
        return fq_tree_fail(tree, metrics, err,
                            "metrics: everything but perplexity, generation and needle_text needs an entry under data");
    return 0;
}

static int hash_of(struct fq_sweep *s, const struct fq_sweep_override *override, struct fq_error *err) {
    struct fq_sha256_stream *stream = fq_sha256_open();
    char more[96];
    if (!stream)
        return fq_fail(err, FQ_FAILED, "out of memory");
    snprintf(more, sizeof more, "\noverride threads=%u isa=%s\n", override->threads,
             override->isa ? override->isa : "");
    fq_sha256_add(stream, s->text, strlen(s->text));
    if (override->threads || override->isa)
        fq_sha256_add(stream, more, strlen(more));
    fq_sha256_close(stream, s->sha256);
    return 0;
}

static int load(struct fq_tree *tree, const struct fixed *fixed, const struct fq_sweep_override *override,
                struct fq_sweep *s, struct fq_error *err) {
    snprintf(s->name, sizeof s->name, "%s", fixed->name);
    snprintf(s->contract, sizeof s->contract, "%s", fixed->contract);
    snprintf(s->isa, sizeof s->isa, "%s", override->isa ? override->isa : fixed->isa ? fixed->isa : "");
    FQ_TRY(check_fixed(tree, override, s, err));
    FQ_TRY(fq_sweep_read_data(tree, s, err));
    FQ_TRY(read_models(tree, fixed, s, err));
    const yaml_node_t *root = fq_tree_root(tree);
    if (fq_tree_get(tree, root, "methods") || !fq_tree_get(tree, root, "policies"))
        FQ_TRY(fq_sweep_read_methods(tree, s, err));
    FQ_TRY(fq_sweep_read_policies(tree, s, err));
    FQ_TRY(check_whole(tree, s, err));
    return hash_of(s, override, err);
}

int fq_sweep_load(const char *path, const struct fq_sweep_override *override, struct fq_sweep *out,
                  struct fq_error *err) {
    static const struct fq_sweep_override none = {0};
    struct fq_tree tree;
    void *fixed = NULL;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    snprintf(out->path, sizeof out->path, "%s", path);
    FQ_TRY(fq_read_text(path, &out->text, &n, err));
    int code = fq_tree_load(path, out->text, n, &tree, err);
    if (code == 0) {
        code = fq_yaml_load(path, &fixed_schema, &fixed, NULL, err);
        if (code == 0) {
            code = load(&tree, fixed, override ? override : &none, out, err);
            fq_yaml_free(&fixed_schema, fixed, 0);
        }
        fq_tree_free(&tree);
    }
    if (code != 0)
        fq_sweep_free(out);
    return code;
}

void fq_sweep_free(struct fq_sweep *sweep) {
    for (size_t i = 0; i < sweep->n_data; i++)
        free(sweep->data[i].layers);
    for (size_t i = 0; i < sweep->n_models; i++)
        free(sweep->models[i].seeds);
    for (size_t i = 0; i < sweep->n_instances; i++)
        fq_sweep_free_instance(&sweep->instances[i]);
    for (size_t i = 0; i < sweep->n_policies; i++)
        fq_sweep_free_patterns(sweep->policies[i].data, sweep->policies[i].n_data);
    free(sweep->data);
    free(sweep->models);
    free(sweep->instances);
    free(sweep->policies);
    free(sweep->seeds);
    free(sweep->text);
    memset(sweep, 0, sizeof *sweep);
}
