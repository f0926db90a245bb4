/* The four per-vector scales and the two ways to store a scalar.
 *
 * Sums run in double, in index order: the scale is one number per vector, and a method must not win or lose by the way
 * its norm was summed. Conversions to half go straight from double with one rounding; a detour through float would
 * round twice. */
#include "methods/common/scale.h"

#include <math.h>
#include <string.h>

const char *const fq_scale_choices[] = {"raw", "matched", "mse", "unbiased", NULL};
const char *const fq_scalar_choices[] = {"fp16", "fp32", NULL};

double fq_scale_of(enum fq_scale_kind kind, size_t d, const float *y, const float *c, size_t n) {
    double yy = 0, cc = 0, cy = 0;
    for (size_t i = 0; i < n; i++) {
        const double yi = (double)y[i], ci = (double)c[i];
        yy += yi * yi;
        cc += ci * ci;
        cy += ci * yi;
    }
    if (!isfinite(yy)) /* coordinates that overflowed in the rotation: no scale, rather than a zero vector */
        return INFINITY;
    double scale = 0;
    switch (kind) {
    case FQ_SCALE_RAW:
        scale = sqrt(yy / (double)d);
        break;
    case FQ_SCALE_MATCHED:
        scale = cc > 0 ? sqrt(yy / cc) : 0;
        break;
    case FQ_SCALE_MSE:
        scale = cc > 0 ? cy / cc : 0;
        break;
    case FQ_SCALE_UNBIASED:
        scale = cy != 0 ? yy / cy : 0;
        break;
    }
    return isfinite(scale) ? scale : 0;
}

size_t fq_scalar_bytes(enum fq_scalar_kind kind) {
    return kind == FQ_SCALAR_FP16 ? 2 : 4;
}

/* Nearest half, ties to even, from a double: the one rounding of both conversions. */
static uint16_t half_from_double(double value) {
    uint64_t u;
    memcpy(&u, &value, sizeof u);
    const uint16_t sign = (uint16_t)((u >> 48) & 0x8000U);
    const int exponent = (int)((u >> 52) & 0x7ff) - 1023;
    const uint64_t fraction = u & 0xfffffffffffffULL;
    if (exponent == 1024) /* Inf, or NaN kept a quiet NaN with what fits of its payload */
        return (uint16_t)(sign | 0x7c00U | (fraction ? 0x200U | (unsigned)(fraction >> 42) : 0U));
    if (exponent > 15)
        return sign | 0x7c00U;
    if (exponent < -25)
        return sign; /* below half of the least subnormal 2^-24 */

    /* The kept bits, rounded; a carry out of the fraction moves into the exponent, and from 65504 to Inf, by itself. */
    const int shift = exponent >= -14 ? 42 : 42 + (-14 - exponent);
    const uint64_t significand = exponent >= -14 ? fraction : fraction | (1ULL << 52);
    const uint64_t rest = significand & ((1ULL << shift) - 1), halfway = 1ULL << (shift - 1);
    uint32_t h = (uint32_t)(significand >> shift);
    if (exponent >= -14)
        h += (uint32_t)(exponent + 15) << 10;
    if (rest > halfway || (rest == halfway && (h & 1U)))
        h++;
    return (uint16_t)(sign | h);
}

uint16_t fq_half_from_float(float f) {
    return half_from_double((double)f);
}

float fq_float_from_half(uint16_t h) {
    const uint32_t sign = (uint32_t)(h & 0x8000U) << 16;
    const uint32_t exponent = (h >> 10) & 0x1fU, fraction = h & 0x3ffU;
    if (exponent == 0) { /* zero or subnormal: fraction 2^-24, exact in float */
        const float magnitude = (float)fraction * 0x1p-24F;
        return sign ? -magnitude : magnitude;
    }
    const uint32_t u = sign | (exponent == 31 ? 0x7f800000U : (exponent + 112) << 23) | fraction << 13;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

bool fq_scalar_put(enum fq_scalar_kind kind, double value, uint8_t *bytes) {
    if (kind == FQ_SCALAR_FP16) {
        const uint16_t h = half_from_double(value);
        if ((h & 0x7c00U) == 0x7c00U)
            return false;
        memcpy(bytes, &h, sizeof h);
        return true;
    }
    if (!(fabs(value) <= FQ_SCALAR_GREATEST_FP32))
        return false;
    const float f = (float)value;
    memcpy(bytes, &f, sizeof f);
    return true;
}

float fq_scalar_get(enum fq_scalar_kind kind, const uint8_t *bytes) {
    if (kind == FQ_SCALAR_FP16) {
        uint16_t h;
        memcpy(&h, bytes, sizeof h);
        return fq_float_from_half(h);
    }
    float f;
    memcpy(&f, bytes, sizeof f);
    return f;
}
