/* Small readers that the parts of a sweep share: lists of numbers, metrics, tensors, and keys that must be known.
 *
 * It must not hold state of a sweep. */
#include "harness/plan/sweep_parts.h"

#include "harness/measure/catalog.h"

#include <stdlib.h>
#include <string.h>

const char *const fq_sweep_metric_names[FQ_SWEEP_METRICS] = {
    "distortion", "inner_product", "attention", "perplexity", "speed", "bytes", "needle", "generation", "needle_text"};

static int need_list(struct fq_tree *tree, const yaml_node_t *list, const char *what, struct fq_error *err) {
    if (fq_tree_count(list) == 0)
        return fq_tree_fail(tree, list, err, "%s: the list is empty; give at least one value", what);
    return 0;
}

int fq_sweep_read_metrics(struct fq_tree *tree, const yaml_node_t *list, unsigned *out, struct fq_error *err) {
    *out = 0;
    FQ_TRY(need_list(tree, list, "metrics", err));
    for (size_t i = 0; i < fq_tree_count(list); i++) {
        const yaml_node_t *item = fq_tree_item(tree, list, i);
        const char *word = NULL;
        size_t k = 0;
        FQ_TRY(fq_tree_word(tree, item, "metrics", &word, err));
        while (k < FQ_SWEEP_METRICS && strcmp(word, fq_sweep_metric_names[k]) != 0)
            k++;
        if (k == FQ_SWEEP_METRICS) {
            const char *near = fq_nearest(word, fq_sweep_metric_names, FQ_SWEEP_METRICS);
            return fq_tree_fail(tree, item, err,
                                "unknown metric '%s'%s%s%s (metrics: distortion, inner_product, attention, perplexity, "
                                "speed, bytes, needle, generation, needle_text)",
                                word, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        *out |= 1U << k;
    }
    return 0;
}

int fq_sweep_read_tensors(struct fq_tree *tree, const yaml_node_t *list, bool *key, bool *value, struct fq_error *err) {
    *key = *value = false;
    FQ_TRY(need_list(tree, list, "tensors", err));
    for (size_t i = 0; i < fq_tree_count(list); i++) {
        const yaml_node_t *item = fq_tree_item(tree, list, i);
        const char *word = NULL;
        FQ_TRY(fq_tree_word(tree, item, "tensors", &word, err));
        if (strcmp(word, "key") == 0)
            *key = true;
        else if (strcmp(word, "value") == 0)
            *value = true;
        else
            return fq_tree_fail(tree, item, err, "tensors: expected key or value, found '%s'", word);
    }
    return 0;
}

int fq_sweep_read_numbers(struct fq_tree *tree, const yaml_node_t *list, const char *what, uint64_t min, uint64_t max,
                          uint64_t **out, size_t *n, struct fq_error *err) {
    const size_t count = fq_tree_count(list);
    FQ_TRY(need_list(tree, list, what, err));
    uint64_t *numbers = calloc(count, sizeof *numbers);
    int code = numbers ? 0 : fq_fail(err, FQ_FAILED, "out of memory");
    for (size_t i = 0; code == 0 && i < count; i++) {
        const yaml_node_t *item = fq_tree_item(tree, list, i);
        code = fq_tree_number(tree, item, what, min, max, &numbers[i], err);
        for (size_t j = 0; code == 0 && j < i; j++)
            if (numbers[j] == numbers[i])
                code = fq_tree_fail(tree, item, err, "%s: %llu stands there twice; every value makes cells of its own",
                                    what, (unsigned long long)numbers[i]);
    }
    if (code != 0) {
        free(numbers);
        return code;
    }
    *out = numbers;
    *n = count;
    return 0;
}

int fq_sweep_known_keys(struct fq_tree *tree, const yaml_node_t *map, const char *what, const char *const *known,
                        size_t n, struct fq_error *err) {
    for (size_t i = 0; i < fq_tree_pairs(map); i++) {
        const char *key = fq_tree_key(tree, map, i);
        const yaml_node_t *value = fq_tree_value(tree, map, i);
        bool found = false;
        for (size_t k = 0; k < n && !found; k++)
            found = strcmp(key, known[k]) == 0;
        for (size_t j = 0; j < i; j++)
            if (strcmp(key, fq_tree_key(tree, map, j)) == 0)
                return fq_tree_fail(tree, value, err, "%s: the key '%s' stands there twice", what, key);
        if (found)
            continue;
        const char *near = fq_nearest(key, known, n);
        char all[256] = "";
        for (size_t k = 0, used = 0; !near && k < n && used < sizeof all; k++)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", k ? ", " : "", known[k]);
        if (near)
            return fq_tree_fail(tree, value, err, "unknown key '%s' of %s, did you mean '%s'?", key, what, near);
        return fq_tree_fail(tree, value, err, "unknown key '%s' of %s; its keys are: %s", key, what, all);
    }
    return 0;
}
