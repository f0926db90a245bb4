/* Lloyd-Max codebooks for N(0,1), 1..8 bits (methods.md 1.3 and appendix A), and for the sphere marginal at finite d
 * (1.4).
 *
 * All codebooks are symmetric and ascending, in N(0,1) units: a unit vector's coordinate is level / sqrt(d). */
#ifndef FQ_METHODS_COMMON_LLOYD_MAX_H
#define FQ_METHODS_COMMON_LLOYD_MAX_H

#include <stddef.h>
#include <stdint.h>

enum { FQ_LLOYD_MAX_BITS = 8 };

/* bits = 0 is the code of one level, zero: the empty first stage of a one-bit residual code.
 * levels[2^bits] ascending; bounds[2^bits - 1] are midpoints. A value equal to a bound goes up. */
void fq_lloyd_max_gaussian(int bits, float *levels, float *bounds);
/* Fixed point of Lloyd's iteration on the density (1 - t^2/d)^((d-3)/2), in double, from the Gaussian table; for setup
 * only. d >= 4. */
void fq_lloyd_max_sphere(int bits, size_t dim, float *levels, float *bounds);
/* Level k of the Gaussian table in double; k in [0, 2^bits). */
double fq_lloyd_max_level(int bits, size_t k);
/* Index of the nearest level, by bounds. */
uint8_t fq_lloyd_max_index(const float *bounds, int bits, float z);
double fq_lloyd_max_distortion(int bits); /* D(b) of N(0,1), bits 0..8: expected constant for gates */

#endif
