/* YAML by libcyaml, with errors that a person can act on: one sentence with file, line, the offending key and what was
 * expected. */
#ifndef FQ_BASE_YAML_H
#define FQ_BASE_YAML_H

#include "harness/base/error.h"

#include <cyaml/cyaml.h>

/* Loads a file of fixed schema; *out is freed by fq_yaml_free. count receives the number of entries if the top is a
 * sequence, else NULL. */
int fq_yaml_load(const char *path, const cyaml_schema_value_t *schema, void **out, unsigned *count,
                 struct fq_error *err);
void fq_yaml_free(const cyaml_schema_value_t *schema, void *data, unsigned count);

#endif
