/* IEEE 754 binary16 ("float16") to float32 and back, in plain integer arithmetic: data files store it, and the machine
 * need not have F16C. Rounding is to nearest, ties to even, as the hardware and NumPy do. */
#ifndef FQ_BASE_HALF_H
#define FQ_BASE_HALF_H

#include <stddef.h>
#include <stdint.h>

float fq_half_to_float(uint16_t half);  /* exact, subnormals, infinities and NaN included */
uint16_t fq_float_to_half(float value); /* above 65504 (and half a unit): infinity; NaN stays a NaN */

void fq_halves_to_floats(size_t n, const uint16_t *halves, float *out);
void fq_floats_to_halves(size_t n, const float *values, uint16_t *out);

#endif
