/* A YAML file as a tree with line numbers, on libyaml's document interface; internal to the plan floor.
 *
 * libcyaml reads what has a fixed schema. The data and method lists of a sweep have not: a method's keys are its own
 * parameters, and any value may be a scalar or a list. And a value that is wrong in meaning (an unknown generator)
 * needs its line, which libcyaml does not keep. */
#ifndef FQ_PLAN_YAML_TREE_H
#define FQ_PLAN_YAML_TREE_H

#include "harness/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

struct fq_tree {
    yaml_document_t document;
    char path[4096]; /* for sentences */
};

int fq_tree_load(const char *path, const char *text, size_t n, struct fq_tree *out, struct fq_error *err);
void fq_tree_free(struct fq_tree *tree);

/* The value of a key in a mapping, or NULL (also when node is NULL or no mapping). */
const yaml_node_t *fq_tree_get(struct fq_tree *tree, const yaml_node_t *map, const char *key);
const yaml_node_t *fq_tree_root(struct fq_tree *tree);

/* Entries: of a sequence, or 1 for a scalar (a scalar stands for the list of itself). The i-th of them. */
size_t fq_tree_count(const yaml_node_t *node);
const yaml_node_t *fq_tree_item(struct fq_tree *tree, const yaml_node_t *node, size_t i);

/* Mapping pairs. */
size_t fq_tree_pairs(const yaml_node_t *map);
const char *fq_tree_key(struct fq_tree *tree, const yaml_node_t *map, size_t i); /* "" if no scalar */
const yaml_node_t *fq_tree_value(struct fq_tree *tree, const yaml_node_t *map, size_t i);

int fq_tree_line(const yaml_node_t *node);         /* from 1 */
const char *fq_tree_text(const yaml_node_t *node); /* NULL if no scalar */

/* FQ_USAGE with "path:line: sentence". */
int fq_tree_fail(const struct fq_tree *tree, const yaml_node_t *node, struct fq_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts "path:line: " before a sentence that is there. */
int fq_tree_fail_in(const struct fq_tree *tree, const yaml_node_t *node, struct fq_error *err);

/* A whole number in [min, max]; `what` names it in the sentence. */
int fq_tree_number(const struct fq_tree *tree, const yaml_node_t *node, const char *what, uint64_t min, uint64_t max,
                   uint64_t *out, struct fq_error *err);
/* The scalar as non-empty text. */
int fq_tree_word(const struct fq_tree *tree, const yaml_node_t *node, const char *what, const char **out,
                 struct fq_error *err);

#endif
