/* Constants of the sphere by a recurrence instead of lgamma, which writes a global (signgam). */
#include "methods/common/sphere.h"

#include <math.h>

double fq_gamma_ratio(size_t n) {
    const double pi = acos(-1.0);
    double ratio = 1 / sqrt(pi); /* n = 2 */
    for (size_t k = 3; k <= n; k++)
        ratio = (double)(k - 2) / (2 * ratio);
    return ratio;
}

double fq_sphere_mean_abs(size_t dim) {
    return 1 / (sqrt(acos(-1.0)) * fq_gamma_ratio(dim + 1));
}
