/* Codebooks of the angles of levels 2, 3 and 4.
 *
 * The angle of level l is atan2(r', r) of two independent radii, each of 2^(l-1) Gaussian coordinates; its density is
 * proportional to sin^n(2 psi) with n = 2^(l-1) - 1, symmetric about pi/4. An odd power of a sine is a sum of sines of
 * odd multiples, so mass and first moment of a cell are closed forms, and Lloyd's iteration needs no quadrature. */
#include "methods/polarquant/polarquant.h"

#include <math.h>

enum { MOST_STEPS = 20000 };

/* sin^n(x) = sum_k weight[k] sin((2k+1) x), n = 1, 3, 7. */
static const double weights[POLAR_UPPER][4] = {
    {1, 0, 0, 0}, {3.0 / 4, -1.0 / 4, 0, 0}, {35.0 / 64, -21.0 / 64, 7.0 / 64, -1.0 / 64}};

/* Antiderivative of f, zero at 0. */
static double mass_to(const double *weight, double psi) {
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        const double omega = 2 * (2 * k + 1);
        sum += weight[k] * (1 - cos(omega * psi)) / omega;
    }
    return sum;
}

/* Antiderivative of psi f, zero at 0. */
static double moment_to(const double *weight, double psi) {
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        const double omega = 2 * (2 * k + 1);
        sum += weight[k] * (sin(omega * psi) / omega - psi * cos(omega * psi)) / omega;
    }
    return sum;
}

static void midpoints(size_t n, const double *angle, double *bound) {
    for (size_t k = 0; k + 1 < n; k++)
        bound[k] = (angle[k] + angle[k + 1]) / 2;
}

void polar_codebook(int level, int bits, double *angle, double *bound) {
    const double *weight = weights[level - 2], quarter = acos(-1.0) / 4;
    const size_t n = (size_t)1 << bits;
    for (size_t k = 0; k < n; k++)
        angle[k] = 2 * quarter * ((double)k + 0.5) / (double)n;
    double moved = 1;
    for (int step = 0; step < MOST_STEPS && moved > 1e-14; step++) {
        double mass = 0, moment = 0;
        moved = 0;
        midpoints(n, angle, bound);
        for (size_t k = 0; k < n; k++) {
            const double high = k + 1 < n ? bound[k] : 2 * quarter;
            const double mass_high = mass_to(weight, high), moment_high = moment_to(weight, high);
            const double centroid = (moment_high - moment) / (mass_high - mass);
            moved = fmax(moved, fabs(centroid - angle[k]));
            angle[k] = centroid;
            mass = mass_high;
            moment = moment_high;
        }
    }
    for (size_t k = 0; k < n / 2; k++) { /* symmetric to the last bit */
        const double half = (angle[n - 1 - k] - angle[k]) / 2;
        angle[k] = quarter - half;
        angle[n - 1 - k] = quarter + half;
    }
    midpoints(n, angle, bound);
}
