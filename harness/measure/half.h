/* float16 for the harness's own tails (vectors that do not fill a group): round to nearest even, scalar. */
#ifndef FQ_MEASURE_HALF_H
#define FQ_MEASURE_HALF_H

#include <stdint.h>

uint16_t fq_tail_half(float f); /* overflow gives Inf (0x7c00 and sign); the caller refuses it */
float fq_tail_float(uint16_t half);

#endif
