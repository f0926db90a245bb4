/* The methods this process knows (built in and plug-ins), and their parameters as text. The harness knows no method by
 * name: main registers the built-in table, --plugin adds to it. */
#ifndef FQ_MEASURE_CATALOG_H
#define FQ_MEASURE_CATALOG_H

#include "harness/base/error.h"
#include "harness/base/words.h"
#include "harness/method.h"

#include <stddef.h>

int fq_catalog_add(const struct fq_method *method,
                   struct fq_error *err);                           /* ABI checked; a name taken twice is an error */
int fq_catalog_load_plugin(const char *path, struct fq_error *err); /* dlopen; symbol fq_plugin */
size_t fq_catalog_size(void);
const struct fq_method *fq_catalog_at(size_t i); /* sorted by name */

/* Unknown name: FQ_USAGE, "unknown method 'rabbitq', did you mean 'rabitq'?" */
int fq_catalog_find(const char *name, const struct fq_method **out, struct fq_error *err);

/* Plug-in that a method came from ("" for built-in ones), and the forbidden symbols its object imports (comma list, ""
 * if none). */
const char *fq_catalog_origin(const struct fq_method *method);
const char *fq_catalog_imports(const struct fq_method *method);

void fq_params_default(const struct fq_method *method, struct fq_params *out);
/* One parameter from text; unknown name, not a number, out of range: FQ_USAGE with the nearest name, the range or the
 * choices. */
int fq_params_set(const struct fq_method *method, struct fq_params *params, const char *name, const char *value,
                  struct fq_error *err);
/* "bits=3 scale=unbiased" over what is in params already; a name given twice is FQ_USAGE. */
int fq_params_parse(const struct fq_method *method, const char *text, struct fq_params *params, struct fq_error *err);
/* Canonical text: every parameter in table order, "bits=3 rotation=haar ...". */
void fq_params_print(const struct fq_method *method, const struct fq_params *params, char *out, size_t size);
/* Ranges, then the method's own check. */
int fq_params_check(const struct fq_method *method, const struct fq_params *params, const struct fq_shape *shape,
                    struct fq_error *err);

#endif
