/* The two 8-bit floating-point formats: what fp8.c and fp8_ref.c share. Must not be included outside methods/fp. */
#ifndef FQ_METHODS_FP8_H
#define FQ_METHODS_FP8_H

#include "harness/method.h"
#include "methods/common/scale.h"

enum { FP8_SCALE, FP8_SCALAR, FP8_OVERFLOW, FP8_N_PARAMS };
enum { FP8_SCALE_NONE, FP8_SCALE_VECTOR };
enum { FP8_REFUSE, FP8_SATURATE };

struct fp8_format {
    int fraction_bits, bias;
    uint8_t greatest;      /* code of the greatest finite value */
    double greatest_value; /* and that value */
};
extern const struct fp8_format fp8_e4m3, fp8_e5m2;

/* Nearest code, ties to the even one. Magnitudes that round beyond the greatest finite value become it, and
 * *overflowed is set (never cleared). value is finite. */
uint8_t fp8_from_double(const struct fp8_format *format, double value, bool *overflowed);
/* The value of a code that is no NaN and no infinity. */
double fp8_value(const struct fp8_format *format, uint8_t code);

extern const struct fq_kernels fp8_e4m3_ref, fp8_e5m2_ref;

#endif
