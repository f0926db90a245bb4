/* The built-in methods, from methods.def; only main includes this. */
#ifndef FQ_METHODS_REGISTRY_H
#define FQ_METHODS_REGISTRY_H
#include "harness/method.h"
extern const struct fq_method *const fq_methods[]; /* NULL-terminated, sorted by name */
#endif
