/* Fast Walsh-Hadamard transform in Sylvester order, unnormalised: v <- H v, n a power of two. */
#ifndef FQ_METHODS_COMMON_HADAMARD_H
#define FQ_METHODS_COMMON_HADAMARD_H
#include <stddef.h>
void fq_fwht(float *v, size_t n);
#endif
