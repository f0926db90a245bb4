/* The `data:` list of a sweep: which vectors, from where, in what shape.
 *
 * It must not open a file: whether the data are there is found when cells are planned. */
#include "harness/base/sha256.h"
#include "harness/plan/sweep_parts.h"

#include "harness/data/dataset.h"
#include "harness/measure/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 100000000, MAX_PART = 96, MAX_LIST = 256 };

static const char *const kv_keys[] = {"kv", "tensors", "layers", "tokens", "metrics", "seeds_at_most"};
static const char *const generate_keys[] = {"generate", "vectors", "dim", "seed", "metrics", "seeds_at_most"};
static const char *const file_keys[] = {"vectors", "rows", "metrics", "seeds_at_most"};
static const char *const embeddings_keys[] = {"embeddings", "vectors", "metrics", "seeds_at_most"};

static int add(struct fq_sweep *sweep, const struct fq_sweep_data *item, struct fq_error *err) {
    struct fq_sweep_data *grown = realloc(sweep->data, (sweep->n_data + 1) * sizeof *grown);
    if (!grown)
        return fq_fail(err, FQ_FAILED, "out of memory for the data list of a sweep");
    sweep->data = grown;
    sweep->data[sweep->n_data++] = *item;
    return 0;
}

/* Two entries with one name would be one row in every table. */
static int check_name(struct fq_tree *tree, const yaml_node_t *node, const struct fq_sweep *sweep, const char *name,
                      struct fq_error *err) {
    for (size_t i = 0; i < sweep->n_data; i++)
        if (strcmp(sweep->data[i].name, name) == 0)
            return fq_tree_fail(tree, node, err, "data '%s' stands there twice (first in line %d)", name,
                                sweep->data[i].line);
    return 0;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static int set_what(struct fq_tree *tree, const yaml_node_t *node, const char *key, struct fq_sweep_data *d,
                    struct fq_error *err) {
    const char *word = NULL;
    FQ_TRY(fq_tree_word(tree, node, key, &word, err));
    if (strlen(word) >= sizeof d->what)
        return fq_tree_fail(tree, node, err, "%s: the name is longer than %zu characters", key, sizeof d->what - 1);
    snprintf(d->what, sizeof d->what, "%s", word);
    return 0;
}

/* What every kind of entry may narrow: the metrics, and how many of each instance's seeds run here. */
static int read_narrowing(struct fq_tree *tree, const yaml_node_t *item, const struct fq_sweep *sweep,
                          struct fq_sweep_data *d, struct fq_error *err) {
    const yaml_node_t *list = fq_tree_get(tree, item, "metrics"), *most = fq_tree_get(tree, item, "seeds_at_most");
    d->metrics = sweep->metrics;
    if (most)
        FQ_TRY(fq_tree_number(tree, most, "seeds_at_most", 1, MAX_ROWS, &d->seeds_at_most, err));
    if (!list)
        return 0;
    FQ_TRY(fq_sweep_read_metrics(tree, list, &d->metrics, err));
    if (d->metrics & ~sweep->metrics)
        return fq_tree_fail(tree, list, err,
                            "metrics of a data entry: all of them must also stand in the metrics of the sweep");
    return 0;
}

static int read_rows(struct fq_tree *tree, const yaml_node_t *node, const char *what, size_t *out,
                     struct fq_error *err) {
    uint64_t rows = 0;
    if (!node)
        return 0;
    FQ_TRY(fq_tree_number(tree, node, what, 1, MAX_ROWS, &rows, err));
    *out = (size_t)rows;
    return 0;
}

/* "-layers-0+4+8", or a hash of the list when it is long: two choices of layers never share a name. */
static void name_layers(const uint64_t *list, size_t n, char part[MAX_PART]) {
    char all[MAX_LIST], hash[FQ_SHA256_HEX];
    size_t used = 0;
    for (size_t i = 0; i < n && used < sizeof all; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%llu", i ? "+" : "", (unsigned long long)list[i]);
    if (used <= MAX_PART / 2) {
        snprintf(part, MAX_PART, "-layers-%.*s", MAX_PART / 2, all);
        return;
    }
    fq_sha256(list, n * sizeof *list, hash);
    snprintf(part, MAX_PART, "-%zu-layers-%.8s", n, hash);
}

static int read_kv(struct fq_tree *tree, const yaml_node_t *item, struct fq_sweep *sweep, struct fq_error *err) {
    struct fq_sweep_data d = {.source = FQ_SOURCE_KV, .key = true, .value = true, .line = fq_tree_line(item)};
    const yaml_node_t *tensors = fq_tree_get(tree, item, "tensors"), *layers = fq_tree_get(tree, item, "layers");
    FQ_TRY(fq_sweep_known_keys(tree, item, "a kv entry", kv_keys, 6, err));
    FQ_TRY(set_what(tree, fq_tree_get(tree, item, "kv"), "kv", &d, err));
    FQ_TRY(read_narrowing(tree, item, sweep, &d, err));
    if (tensors)
        FQ_TRY(fq_sweep_read_tensors(tree, tensors, &d.key, &d.value, err));
    FQ_TRY(read_rows(tree, fq_tree_get(tree, item, "tokens"), "tokens", &d.rows, err));
    uint64_t *list = NULL;
    char part[MAX_PART] = "";
    if (layers) {
        FQ_TRY(fq_sweep_read_numbers(tree, layers, "layers", 0, 9999, &list, &d.n_layers, err));
        name_layers(list, d.n_layers, part);
    }
    if (d.rows) {
        const size_t used = strlen(part);
        snprintf(part + used, sizeof part - used, "-%zu-tokens", d.rows);
    }
    snprintf(d.name, sizeof d.name, "%.70s%s", base_name(d.what), part);
    int code = check_name(tree, item, sweep, d.name, err);
    if (code == 0 && list) {
        d.layers = calloc(d.n_layers, sizeof *d.layers);
        if (!d.layers)
            code = fq_fail(err, FQ_FAILED, "out of memory");
        for (size_t i = 0; code == 0 && i < d.n_layers; i++)
            d.layers[i] = (size_t)list[i];
    }
    free(list);
    if (code == 0)
        code = add(sweep, &d, err);
    if (code != 0)
        free(d.layers);
    return code;
}

static int check_generator(struct fq_tree *tree, const yaml_node_t *node, const char *kind, struct fq_error *err) {
    const char *const *names = fq_generator_names();
    char all[192] = "";
    size_t n = 0, used = 0;
    for (; names[n]; n++) {
        if (strcmp(names[n], kind) == 0)
            return 0;
        if (used < sizeof all)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", n ? ", " : "", names[n]);
    }
    const char *near = fq_nearest(kind, names, n);
    return fq_tree_fail(tree, node, err, "unknown generator '%s'%s%s%s (generators: %s)", kind,
                        near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "", all);
}

static int read_generate(struct fq_tree *tree, const yaml_node_t *item, struct fq_sweep *sweep, struct fq_error *err) {
    struct fq_sweep_data d = {.source = FQ_SOURCE_GENERATE, .key = true, .line = fq_tree_line(item), .seed = 1};
    const yaml_node_t *kind = fq_tree_get(tree, item, "generate"), *vectors = fq_tree_get(tree, item, "vectors"),
                      *dim = fq_tree_get(tree, item, "dim"), *seed = fq_tree_get(tree, item, "seed");
    FQ_TRY(fq_sweep_known_keys(tree, item, "a generate entry", generate_keys, 6, err));
    FQ_TRY(set_what(tree, kind, "generate", &d, err));
    FQ_TRY(read_narrowing(tree, item, sweep, &d, err));
    FQ_TRY(check_generator(tree, kind, d.what, err));
    if (!vectors || !dim)
        return fq_tree_fail(tree, item, err,
                            "generate: needs vectors and dim, e.g. {generate: %s, vectors: 20000, "
                            "dim: [64, 128]}",
                            d.what);
    if (seed)
        FQ_TRY(fq_tree_number(tree, seed, "seed", 0, UINT64_MAX, &d.seed, err));
    uint64_t *counts = NULL, *dims = NULL;
    size_t n_counts = 0, n_dims = 0;
    int code = fq_sweep_read_numbers(tree, vectors, "vectors", 1, MAX_ROWS, &counts, &n_counts, err);
    if (code == 0)
        code = fq_sweep_read_numbers(tree, dim, "dim", 1, FQ_MAX_DIM, &dims, &n_dims, err);
    for (size_t i = 0; code == 0 && i < n_counts; i++)
        for (size_t j = 0; code == 0 && j < n_dims; j++) {
            d.rows = (size_t)counts[i];
            d.dim = (size_t)dims[j];
            snprintf(d.name, sizeof d.name, "%.40s-%zux%zu", d.what, d.rows, d.dim);
            if (d.seed != 1)
                snprintf(d.name, sizeof d.name, "%.40s-%zux%zu-seed-%llu", d.what, d.rows, d.dim,
                         (unsigned long long)d.seed);
            code = check_name(tree, item, sweep, d.name, err);
            if (code == 0)
                code = add(sweep, &d, err);
        }
    free(counts);
    free(dims);
    return code;
}

static int read_file(struct fq_tree *tree, const yaml_node_t *item, struct fq_sweep *sweep, struct fq_error *err) {
    struct fq_sweep_data d = {.source = FQ_SOURCE_FILE, .key = true, .line = fq_tree_line(item)};
    FQ_TRY(fq_sweep_known_keys(tree, item, "a vectors entry", file_keys, 4, err));
    FQ_TRY(set_what(tree, fq_tree_get(tree, item, "vectors"), "vectors", &d, err));
    FQ_TRY(read_narrowing(tree, item, sweep, &d, err));
    FQ_TRY(read_rows(tree, fq_tree_get(tree, item, "rows"), "rows", &d.rows, err));
    snprintf(d.name, sizeof d.name, "%.100s", base_name(d.what));
    if (d.rows)
        snprintf(d.name, sizeof d.name, "%.80s-%zu", base_name(d.what), d.rows);
    FQ_TRY(check_name(tree, item, sweep, d.name, err));
    return add(sweep, &d, err);
}

static int read_embeddings(struct fq_tree *tree, const yaml_node_t *item, struct fq_sweep *sweep,
                           struct fq_error *err) {
    struct fq_sweep_data d = {.source = FQ_SOURCE_EMBEDDINGS, .key = true, .line = fq_tree_line(item)};
    const yaml_node_t *vectors = fq_tree_get(tree, item, "vectors");
    FQ_TRY(fq_sweep_known_keys(tree, item, "an embeddings entry", embeddings_keys, 4, err));
    FQ_TRY(set_what(tree, fq_tree_get(tree, item, "embeddings"), "embeddings", &d, err));
    FQ_TRY(read_narrowing(tree, item, sweep, &d, err));
    uint64_t *counts = NULL;
    size_t n = 0;
    if (vectors)
        FQ_TRY(fq_sweep_read_numbers(tree, vectors, "vectors", 1, MAX_ROWS, &counts, &n, err));
    int code = 0;
    for (size_t i = 0; code == 0 && i < (n ? n : 1); i++) {
        d.rows = n ? (size_t)counts[i] : 0;
        snprintf(d.name, sizeof d.name, "%.80s-embeddings", base_name(d.what));
        if (d.rows)
            snprintf(d.name, sizeof d.name, "%.80s-embeddings-%zu", base_name(d.what), d.rows);
        code = check_name(tree, item, sweep, d.name, err);
        if (code == 0)
            code = add(sweep, &d, err);
    }
    free(counts);
    return code;
}

int fq_sweep_read_data(struct fq_tree *tree, struct fq_sweep *sweep, struct fq_error *err) {
    const yaml_node_t *list = fq_tree_get(tree, fq_tree_root(tree), "data");
    if (!list)
        return 0;
    if (list->type != YAML_SEQUENCE_NODE || fq_tree_count(list) == 0)
        return fq_tree_fail(tree, list, err,
                            "data: expected a list with at least one entry, e.g. - {generate: sphere, "
                            "vectors: 20000, dim: 64}");
    for (size_t i = 0; i < fq_tree_count(list); i++) {
        const yaml_node_t *item = fq_tree_item(tree, list, i);
        if (fq_tree_get(tree, item, "kv"))
            FQ_TRY(read_kv(tree, item, sweep, err));
        else if (fq_tree_get(tree, item, "generate"))
            FQ_TRY(read_generate(tree, item, sweep, err));
        else if (fq_tree_get(tree, item, "embeddings"))
            FQ_TRY(read_embeddings(tree, item, sweep, err));
        else if (fq_tree_get(tree, item, "vectors"))
            FQ_TRY(read_file(tree, item, sweep, err));
        else
            return fq_tree_fail(tree, item, err,
                                "a data entry needs one of the keys kv, generate, vectors, embeddings");
    }
    return 0;
}
