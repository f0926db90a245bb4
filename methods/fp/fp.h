/* fp32 and fp16: the kernel tables. */
#ifndef FQ_FP_H
#define FQ_FP_H

#include "harness/method.h"

extern const struct fq_kernels fp32_ref, fp16_ref;

#endif
