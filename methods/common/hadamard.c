/* Fast Walsh-Hadamard transform, scalar and in place: the definition that faster bodies must reproduce.
 *
 * Two stages share one pass over the vector (radix 4), which halves loads and stores; each output is still the same
 * tree of two-operand sums as in the textbook radix-2 loop, so the result is bit for bit that of the plain loop. It
 * scales nothing: callers decide where 1/sqrt(n) goes. */
#include "methods/common/hadamard.h"

static void two_stages(float *v, size_t n, size_t h) {
    for (size_t base = 0; base < n; base += 4 * h) {
        for (size_t i = base; i < base + h; i++) {
            const float a = v[i], b = v[i + h], c = v[i + 2 * h], d = v[i + 3 * h];
            const float ab = a + b, amb = a - b, cd = c + d, cmd = c - d;
            v[i] = ab + cd;
            v[i + h] = amb + cmd;
            v[i + 2 * h] = ab - cd;
            v[i + 3 * h] = amb - cmd;
        }
    }
}

static void one_stage(float *v, size_t n, size_t h) {
    for (size_t base = 0; base < n; base += 2 * h) {
        for (size_t i = base; i < base + h; i++) {
            const float a = v[i], b = v[i + h];
            v[i] = a + b;
            v[i + h] = a - b;
        }
    }
}

void fq_fwht(float *v, size_t n) {
    size_t h = 1;
    for (; 4 * h <= n; h *= 4)
        two_stages(v, n, h);
    if (2 * h <= n)
        one_stage(v, n, h);
}
