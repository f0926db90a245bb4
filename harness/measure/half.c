/* float16 <-> float32 by integer arithmetic, so that no compiler flag or instruction set changes a tail. */
#include "harness/measure/half.h"

#include <string.h>

enum { HALF_BIAS = 15, FLOAT_BIAS = 127, HALF_INF = 0x7c00, HALF_NAN = 0x7e00 };

uint16_t fq_tail_half(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    const uint32_t sign = (bits >> 16) & 0x8000U;
    const int exponent = (int)((bits >> 23) & 0xffU);
    uint32_t mantissa = bits & 0x7fffffU;
    if (exponent == 0xff)
        return (uint16_t)(sign | (mantissa != 0 ? HALF_NAN : HALF_INF));
    const int half_exponent = exponent - FLOAT_BIAS + HALF_BIAS;
    if (half_exponent >= 31)
        return (uint16_t)(sign | HALF_INF);
    uint32_t kept;
    unsigned dropped; /* bits cut from a 24-bit significand */
    if (half_exponent <= 0) {
        if (half_exponent < -10)
            return (uint16_t)sign;
        mantissa |= exponent != 0 ? 0x800000U : 0U;
        dropped = (unsigned)(14 - half_exponent);
        kept = mantissa >> dropped;
    } else {
        dropped = 13;
        kept = ((uint32_t)half_exponent << 10) | (mantissa >> dropped);
    }
    const uint32_t rest = mantissa & ((1U << dropped) - 1U);
    const uint32_t middle = 1U << (dropped - 1U);
    if (rest > middle || (rest == middle && (kept & 1U) != 0))
        kept++; /* a carry into the exponent is right: the next number up, or Inf */
    return (uint16_t)(sign | kept);
}

float fq_tail_float(uint16_t half) {
    const uint32_t sign = ((uint32_t)half & 0x8000U) << 16;
    const uint32_t exponent = ((uint32_t)half >> 10) & 0x1fU;
    const uint32_t mantissa = (uint32_t)half & 0x3ffU;
    if (exponent == 0) {
        const float magnitude = (float)mantissa * 0x1p-24F;
        return sign != 0 ? -magnitude : magnitude;
    }
    const uint32_t bits = exponent == 31 ? (sign | 0x7f800000U | (mantissa << 13))
                                         : (sign | ((exponent + FLOAT_BIAS - HALF_BIAS) << 23) | (mantissa << 13));
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}
