/* `data:` of an entry: shell patterns of the data and model names that it runs on.
 *
 * Methods and policies have the same key with the same meaning, so it is read here once. It must not know what an entry
 * does. */
#include "harness/plan/sweep_parts.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static bool matches_something(const struct fq_sweep *sweep, const char *pattern) {
    for (size_t i = 0; i < sweep->n_data; i++)
        if (fnmatch(pattern, sweep->data[i].name, 0) == 0)
            return true;
    for (size_t i = 0; i < sweep->n_models; i++)
        if (fnmatch(pattern, sweep->models[i].name, 0) == 0)
            return true;
    return false;
}

int fq_sweep_read_patterns(struct fq_tree *tree, const yaml_node_t *list, const struct fq_sweep *sweep,
                           const char *what, char ***out, size_t *n, struct fq_error *err) {
    *n = 0;
    *out = calloc(fq_tree_count(list) + 1, sizeof **out);
    if (!*out)
        return fq_fail(err, FQ_FAILED, "out of memory");
    if (fq_tree_count(list) == 0)
        return fq_tree_fail(tree, list, err, "data of %s: the list is empty; leave the key out to run on everything",
                            what);
    for (size_t i = 0; i < fq_tree_count(list); i++) {
        const yaml_node_t *item = fq_tree_item(tree, list, i);
        const char *word = NULL;
        FQ_TRY(fq_tree_word(tree, item, "data", &word, err));
        if (!matches_something(sweep, word))
            return fq_tree_fail(tree, item, err, "data of %s: no data or model is called '%s'; the first is '%s'", what,
                                word,
                                sweep->n_data     ? sweep->data[0].name
                                : sweep->n_models ? sweep->models[0].name
                                                  : "(none)");
        (*out)[*n] = strdup(word);
        if (!(*out)[*n])
            return fq_fail(err, FQ_FAILED, "out of memory");
        ++*n;
    }
    return 0;
}

int fq_sweep_copy_patterns(char *const *from, size_t n, char ***out, size_t *n_out, struct fq_error *err) {
    *n_out = 0;
    *out = NULL;
    if (n == 0)
        return 0;
    *out = calloc(n, sizeof **out);
    for (; *out && *n_out < n; ++*n_out) {
        (*out)[*n_out] = strdup(from[*n_out]);
        if (!(*out)[*n_out])
            break;
    }
    return *n_out == n ? 0 : fq_fail(err, FQ_FAILED, "out of memory");
}

void fq_sweep_free_patterns(char **patterns, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(patterns[i]);
    free(patterns);
}

bool fq_sweep_patterns_match(char *const *patterns, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return n == 0;
}
