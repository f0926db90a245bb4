/* null: the kernel table. */
#ifndef FQ_CONTROL_NULL_H
#define FQ_CONTROL_NULL_H

#include "harness/method.h"

extern const struct fq_kernels null_ref;

#endif
