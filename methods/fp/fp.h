/* fp32, fp16 and bf16: the kernel tables, and the rounding to bf16. */
#ifndef FQ_FP_H
#define FQ_FP_H

#include "harness/method.h"

extern const struct fq_kernels fp32_ref, fp16_ref, bf16_ref;

/* The upper half of a float32, nearest, ties to even; overflow -> Inf. f is finite. */
uint16_t fp_bf16_from_float(float f);
float fp_float_from_bf16(uint16_t b);

#endif
