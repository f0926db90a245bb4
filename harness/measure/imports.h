/* What a plug-in's object asks of the outside, read from its ELF dynamic symbol table before it is loaded.
 *
 * Internal to the measure floor and used by the catalog. */
#ifndef FQ_MEASURE_IMPORTS_H
#define FQ_MEASURE_IMPORTS_H

#include "harness/base/error.h"

#include <stddef.h>

/* Writes the comma list of undefined symbols that a kernel has no business with, and of needed libraries other than
 * the C, maths and compiler runtime; "" if there are none. FQ_USAGE: not a 64-bit ELF shared object, or stripped of
 * what is needed to tell. A list longer than `size` ends in "...". */
int fq_imports_forbidden(const char *path, char *out, size_t size, struct fq_error *err);

#endif
