/* What the files of this method share: the positions of its parameters, and its kernels.
 *
 * Copy this directory to start a method of your own; docs/adding-a-method.md walks through it. A header like this one
 * must not be included from outside its directory: a method never includes another method. */
#ifndef FQ_METHODS_EXAMPLE_H
#define FQ_METHODS_EXAMPLE_H

/* The contract, and the only harness header a method may include. Read it first. */
#include "harness/method.h"
/* Shared by all methods, so that packing and number formats never decide a contest. Also there: rotation.h, scale.h,
 * hadamard.h, lloyd_max.h. */
#include "methods/common/pack.h"
#include "methods/common/scale.h"

/* Parameters are read by position: params->v[EXAMPLE_BITS]. The order is that of the table in example.c. */
enum { EXAMPLE_BITS, EXAMPLE_N_PARAMS };

extern const struct fq_kernels example_kernels_ref;

#endif
