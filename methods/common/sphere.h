/* Exact constants of the uniform distribution on the unit sphere in d dimensions. */
#ifndef FQ_METHODS_COMMON_SPHERE_H
#define FQ_METHODS_COMMON_SPHERE_H

#include <stddef.h>

/* Gamma(n/2) / Gamma((n-1)/2), n >= 2; about sqrt(n/2). Relative error below 1e-12 for n <= 4097. */
double fq_gamma_ratio(size_t n);

/* E |u_1| for u uniform on the sphere: Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2)), about sqrt(2 / (pi d)). */
double fq_sphere_mean_abs(size_t dim);

#endif
