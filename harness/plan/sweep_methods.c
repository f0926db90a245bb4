/* The `methods:` list of a sweep: every list-valued parameter multiplied out into instances, with labels and the A/A
 * twin.
 *
 * It must not know what a parameter means; names, ranges and choices come from the method's own table. */
#include "harness/plan/sweep_parts.h"

#include "harness/measure/catalog.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const own_keys[] = {"name", "rate_class", "metrics", "threads", "seeds", "data", "centre"};
enum { N_OWN_KEYS = 7, MAX_INSTANCES = 4096, MAX_THREADS = 1024 };

static bool is_own(const char *key) {
    for (size_t i = 0; i < N_OWN_KEYS; i++)
        if (strcmp(key, own_keys[i]) == 0)
            return true;
    return false;
}

static int copy_seeds(const uint64_t *from, size_t n, struct fq_sweep_instance *to, struct fq_error *err) {
    to->seeds = calloc(n, sizeof *to->seeds);
    if (!to->seeds)
        return fq_fail(err, FQ_FAILED, "out of memory");
    memcpy(to->seeds, from, n * sizeof *from);
    to->n_seeds = n;
    return 0;
}

void fq_sweep_free_instance(struct fq_sweep_instance *instance) {
    fq_sweep_free_patterns(instance->data, instance->n_data);
    free(instance->seeds);
}

bool fq_sweep_runs_on(const struct fq_sweep_instance *instance, const char *name) {
    return fq_sweep_patterns_match(instance->data, instance->n_data, name);
}

/* A copy of `from` at the end of the list, with seeds and patterns of its own. */
static int add(struct fq_sweep *sweep, const struct fq_sweep_instance *from, struct fq_error *err) {
    struct fq_sweep_instance *grown = realloc(sweep->instances, (sweep->n_instances + 1) * sizeof *grown);
    if (!grown)
        return fq_fail(err, FQ_FAILED, "out of memory for the methods of a sweep");
    sweep->instances = grown;
    struct fq_sweep_instance *to = &grown[sweep->n_instances];
    *to = *from;
    to->seeds = NULL;
    to->n_seeds = 0;
    int code = fq_sweep_copy_patterns(from->data, from->n_data, &to->data, &to->n_data, err);
    if (code == 0)
        code = copy_seeds(from->seeds, from->n_seeds, to, err);
    if (code == 0)
        sweep->n_instances++;
    else
        fq_sweep_free_instance(to);
    return code;
}

/* One scalar for the whole entry; written as a list it must hold one value. */
static int single(struct fq_tree *tree, const yaml_node_t *node, const char *what, const yaml_node_t **out,
                  struct fq_error *err) {
    if (fq_tree_count(node) != 1)
        return fq_tree_fail(tree, node, err,
                            "%s: expected one value for this entry, found %zu; give methods with "
                            "another %s an entry of their own",
                            what, fq_tree_count(node), what);
    *out = fq_tree_item(tree, node, 0);
    return 0;
}

/* The instance for each centre of the entry; what was chosen is seen wherever parameters are. */
static int add_centred(struct fq_tree *tree, const yaml_node_t *entry, struct fq_sweep_instance *at,
                       struct fq_sweep *sweep, struct fq_error *err) {
    const yaml_node_t *list = fq_tree_get(tree, entry, "centre");
    if (list && fq_tree_count(list) == 0)
        return fq_tree_fail(tree, list, err, "centre of %s: the list is empty; leave the key out for none",
                            at->method->name);
    for (size_t i = 0; i < (list ? fq_tree_count(list) : 1); i++) {
        if (sweep->n_instances >= MAX_INSTANCES)
            return fq_tree_fail(tree, entry, err, "the methods multiply out to more than %d instances; split the sweep",
                                MAX_INSTANCES);
        at->centre = FQ_CENTRE_NONE;
        if (list) {
            const yaml_node_t *item = fq_tree_item(tree, list, i);
            const char *word = NULL;
            FQ_TRY(fq_tree_word(tree, item, "centre", &word, err));
            if (fq_centre_parse(word, &at->centre, err) != 0)
                return fq_tree_fail_in(tree, item, err);
        }
        fq_params_print(at->method, &at->params, at->parameters, sizeof at->parameters);
        const size_t used = strlen(at->parameters);
        if (at->centre != FQ_CENTRE_NONE)
            snprintf(at->parameters + used, sizeof at->parameters - used, "%scentre=%s", used ? " " : "",
                     fq_centre_name(at->centre));
        FQ_TRY(add(sweep, at, err));
    }
    return 0;
}

/* Multiplies out parameter pairs from `pair` on; `params` holds the values chosen so far. */
static int expand(struct fq_tree *tree, const yaml_node_t *entry, size_t pair, struct fq_sweep_instance *at,
                  struct fq_sweep *sweep, struct fq_error *err) {
    while (pair < fq_tree_pairs(entry) && is_own(fq_tree_key(tree, entry, pair)))
        pair++;
    if (pair == fq_tree_pairs(entry))
        return add_centred(tree, entry, at, sweep, err);
    const char *key = fq_tree_key(tree, entry, pair);
    const yaml_node_t *values = fq_tree_value(tree, entry, pair);
    if (fq_tree_count(values) == 0)
        return fq_tree_fail(tree, values, err, "%s of %s: the list is empty; give at least one value", key,
                            at->method->name);
    for (size_t i = 0; i < fq_tree_count(values); i++) {
        const yaml_node_t *value = fq_tree_item(tree, values, i);
        const char *word = NULL;
        FQ_TRY(fq_tree_word(tree, value, key, &word, err));
        if (fq_params_set(at->method, &at->params, key, word, err) != 0)
            return fq_tree_fail_in(tree, value, err);
        FQ_TRY(expand(tree, entry, pair + 1, at, sweep, err));
    }
    return 0;
}

static int read_own_keys(struct fq_tree *tree, const yaml_node_t *entry, const struct fq_sweep *sweep,
                         struct fq_sweep_instance *at, struct fq_error *err) {
    const yaml_node_t *rate = fq_tree_get(tree, entry, "rate_class"), *metrics = fq_tree_get(tree, entry, "metrics"),
                      *threads = fq_tree_get(tree, entry, "threads"), *seeds = fq_tree_get(tree, entry, "seeds"),
                      *data = fq_tree_get(tree, entry, "data");
    at->metrics = sweep->metrics;
    at->threads = sweep->threads;
    if (rate) {
        const char *word = NULL;
        FQ_TRY(single(tree, rate, "rate_class", &rate, err));
        FQ_TRY(fq_tree_word(tree, rate, "rate_class", &word, err));
        if (strlen(word) >= sizeof at->rate_class)
            return fq_tree_fail(tree, rate, err, "rate_class: '%s' is longer than %zu characters", word,
                                sizeof at->rate_class - 1);
        snprintf(at->rate_class, sizeof at->rate_class, "%s", word);
    }
    if (metrics) {
        FQ_TRY(fq_sweep_read_metrics(tree, metrics, &at->metrics, err));
        if (at->metrics & ~sweep->metrics)
            return fq_tree_fail(tree, metrics, err,
                                "metrics of %s: all of them must also stand in the metrics of the "
                                "sweep",
                                at->method->name);
    }
    if (threads) {
        uint64_t n = 0;
        FQ_TRY(single(tree, threads, "threads", &threads, err));
        FQ_TRY(fq_tree_number(tree, threads, "threads", 1, MAX_THREADS, &n, err));
        at->threads = (unsigned)n;
        at->threads_given = true;
    }
    if (data)
        FQ_TRY(fq_sweep_read_patterns(tree, data, sweep, at->method->name, &at->data, &at->n_data, err));
    if (seeds)
        return fq_sweep_read_numbers(tree, seeds, "seeds", 0, UINT64_MAX, &at->seeds, &at->n_seeds, err);
    return copy_seeds(sweep->seeds, sweep->n_seeds, at, err);
}

static int read_entry(struct fq_tree *tree, const yaml_node_t *entry, struct fq_sweep *sweep, struct fq_error *err) {
    struct fq_sweep_instance at = {.line = fq_tree_line(entry)};
    const yaml_node_t *name = fq_tree_get(tree, entry, "name");
    const char *word = NULL;
    if (!name)
        return fq_tree_fail(tree, entry, err,
                            "a method entry needs the key name, e.g. - {name: METHOD, PARAMETER: "
                            "value}; `fairquant list methods` prints both");
    FQ_TRY(fq_tree_word(tree, name, "name", &word, err));
    if (fq_catalog_find(word, &at.method, err) != 0)
        return fq_tree_fail_in(tree, name, err);
    for (size_t i = 0; i < fq_tree_pairs(entry); i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(fq_tree_key(tree, entry, i), fq_tree_key(tree, entry, j)) == 0)
                return fq_tree_fail(tree, fq_tree_value(tree, entry, i), err, "%s: the key '%s' stands there twice",
                                    word, fq_tree_key(tree, entry, i));
    fq_params_default(at.method, &at.params);
    int code = read_own_keys(tree, entry, sweep, &at, err);
    if (code == 0)
        code = expand(tree, entry, 0, &at, sweep, err);
    fq_sweep_free_instance(&at);
    return code;
}

int fq_sweep_read_methods(struct fq_tree *tree, struct fq_sweep *sweep, struct fq_error *err) {
    const yaml_node_t *list = fq_tree_get(tree, fq_tree_root(tree), "methods");
    if (!list || list->type != YAML_SEQUENCE_NODE || fq_tree_count(list) == 0)
        return fq_tree_fail(tree, list ? list : fq_tree_root(tree), err,
                            "methods: expected a list with at least one entry, e.g. - {name: fp16}");
    for (size_t i = 0; i < fq_tree_count(list); i++)
        FQ_TRY(read_entry(tree, fq_tree_item(tree, list, i), sweep, err));
    return fq_sweep_finish_methods(sweep, err);
}

static bool same(const struct fq_sweep_instance *a, const struct fq_sweep_instance *b) {
    return a->method == b->method && strcmp(a->parameters, b->parameters) == 0 && a->threads == b->threads &&
           strcmp(a->rate_class, b->rate_class) == 0;
}

/* Marks what the file lists twice; otherwise the first contender (or the first method) gets a twin. */
static int add_twin(struct fq_sweep *sweep, struct fq_error *err) {
    bool twin = false;
    size_t first = sweep->n_instances, centred = first;
    for (size_t i = 0; i < sweep->n_instances; i++) {
        for (size_t j = 0; j < i; j++)
            if (same(&sweep->instances[i], &sweep->instances[j])) {
                sweep->instances[i].replicate++;
                twin = true;
            }
        if (sweep->instances[i].method->role != FQ_CONTENDER)
            continue;
        /* Not every kind of cell knows a centre, so one without is the better twin. */
        size_t *found = sweep->instances[i].centre == FQ_CENTRE_NONE ? &first : &centred;
        if (*found == sweep->n_instances)
            *found = i;
    }
    if (twin)
        return 0;
    first = first < sweep->n_instances ? first : centred;
    struct fq_sweep_instance copy = sweep->instances[first < sweep->n_instances ? first : 0];
    copy.replicate = 1;
    return add(sweep, &copy, err);
}

/* True if two instances of one method differ in this parameter somewhere in the sweep. */
static bool varies(const struct fq_sweep *sweep, const struct fq_method *method, size_t parameter) {
    const struct fq_sweep_instance *seen = NULL;
    for (size_t i = 0; i < sweep->n_instances; i++) {
        const struct fq_sweep_instance *at = &sweep->instances[i];
        if (at->method != method)
            continue;
        if (seen && seen->params.v[parameter] != at->params.v[parameter])
            return true;
        seen = at;
    }
    return false;
}

static void write_label(const struct fq_sweep *sweep, struct fq_sweep_instance *at) {
    char all[sizeof at->parameters]; /* a centre stands behind the method's own and is always shown */
    size_t used = (size_t)snprintf(at->label, sizeof at->label, "%s", at->method->name);
    size_t index = 0;
    snprintf(all, sizeof all, "%s", at->parameters);
    char *rest = NULL;
    for (char *pair = strtok_r(all, " ", &rest); pair; pair = strtok_r(NULL, " ", &rest), index++)
        if ((index >= at->method->n_params || varies(sweep, at->method, index)) && used < sizeof at->label)
            used += (size_t)snprintf(at->label + used, sizeof at->label - used, " %s", pair);
    if (at->threads_given && used < sizeof at->label)
        used += (size_t)snprintf(at->label + used, sizeof at->label - used, " threads=%u", at->threads);
    if (at->replicate > 0 && used < sizeof at->label)
        snprintf(at->label + used, sizeof at->label - used, " (twin)");
}

/* A method without a random stream gives the same bytes for every seed: more seeds would only look like evidence. */
static void cut_seeds(struct fq_sweep_instance *at) {
    const struct fq_shape shape = {64, FQ_KEY};
    struct fq_error refused;
    if (fq_params_check(at->method, &at->params, &shape, &refused) != 0)
        return; /* no footprint to ask for; seeds are then kept */
    if (at->method->footprint(&at->params, &shape).shared_bytes == 0)
        at->n_seeds = 1;
}

int fq_sweep_finish_methods(struct fq_sweep *sweep, struct fq_error *err) {
    FQ_TRY(add_twin(sweep, err));
    for (size_t i = 0; i < sweep->n_instances; i++) {
        struct fq_sweep_instance *at = &sweep->instances[i];
        if (at->rate_class[0] == '\0')
            snprintf(at->rate_class, sizeof at->rate_class, "%g", ceil(at->method->nominal_bits(&at->params)));
        write_label(sweep, at);
        cut_seeds(at);
    }
    return 0;
}
