/* Pieces of fq_sweep_load; internal to the plan floor. */
#ifndef FQ_PLAN_SWEEP_PARTS_H
#define FQ_PLAN_SWEEP_PARTS_H

#include "harness/plan/sweep.h"
#include "harness/plan/yaml_tree.h"

int fq_sweep_read_data(struct fq_tree *tree, struct fq_sweep *sweep, struct fq_error *err);
int fq_sweep_read_methods(struct fq_tree *tree, struct fq_sweep *sweep, struct fq_error *err);
/* After the methods: without any, the first policy gets the A/A twin. */
int fq_sweep_read_policies(struct fq_tree *tree, struct fq_sweep *sweep, struct fq_error *err);
/* Adds the A/A twin if the file lists no instance twice, then writes the labels. */
int fq_sweep_finish_methods(struct fq_sweep *sweep, struct fq_error *err);
void fq_sweep_free_instance(struct fq_sweep_instance *instance);

/* Patterns of data and model names, n of them (none: everything), malloc'ed. One that matches nothing in the sweep is a
 * typing error: the entry `what` would be left out in silence. After a failure *out is to be freed, too. */
int fq_sweep_read_patterns(struct fq_tree *tree, const yaml_node_t *list, const struct fq_sweep *sweep,
                           const char *what, char ***out, size_t *n, struct fq_error *err);
int fq_sweep_copy_patterns(char *const *from, size_t n, char ***out, size_t *n_out, struct fq_error *err);
void fq_sweep_free_patterns(char **patterns, size_t n);
bool fq_sweep_patterns_match(char *const *patterns, size_t n, const char *name);

/* Words of a list -> bits; unknown names fail with the nearest. */
int fq_sweep_read_metrics(struct fq_tree *tree, const yaml_node_t *list, unsigned *out, struct fq_error *err);
int fq_sweep_read_tensors(struct fq_tree *tree, const yaml_node_t *list, bool *key, bool *value, struct fq_error *err);
/* Whole numbers of a list (or one scalar), malloc'ed, at least one, no value twice. */
int fq_sweep_read_numbers(struct fq_tree *tree, const yaml_node_t *list, const char *what, uint64_t min, uint64_t max,
                          uint64_t **out, size_t *n, struct fq_error *err);
/* Every key of a mapping is one of `known`, none twice. */
int fq_sweep_known_keys(struct fq_tree *tree, const yaml_node_t *map, const char *what, const char *const *known,
                        size_t n, struct fq_error *err);

#endif
