/* float16 conversion. A body with F16C would be faster; reading a disk is slower than either. */
#include "harness/base/half.h"

#include <string.h>

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float fq_half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 31u, mantissa = half & 0x3FFu;
    if (exponent == 31)
        return float_of(sign | 0x7F800000u | mantissa << 13);
    if (exponent == 0) { /* zero and subnormals: mantissa times 2^-24, exact in float32 */
        float magnitude = (float)mantissa * 0x1p-24f;
        return float_of(bits_of(magnitude) | sign);
    }
    return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t fq_float_to_half(float value) {
    uint32_t bits = bits_of(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u)
        return (uint16_t)(sign | 0x7E00u);
    if (magnitude >= 0x477FF000u) /* 65520, half way to the number after the largest: rounds to infinity */
        return (uint16_t)(sign | 0x7C00u);
    uint32_t kept, rest, half_unit;
    if (magnitude >= 0x38800000u) { /* at least 2^-14: a normal number */
        kept = (magnitude - 0x38000000u) >> 13;
        rest = magnitude & 0x1FFFu;
        half_unit = 0x1000u;
    } else {
        uint32_t exponent = magnitude >> 23;
        if (exponent < 102) /* below 2^-25: rounds to zero */
            return sign;
        uint32_t shift = 126 - exponent; /* 14 .. 24 */
        uint32_t full = (magnitude & 0x7FFFFFu) | 0x800000u;
        kept = full >> shift;
        rest = full & ((1u << shift) - 1);
        half_unit = 1u << (shift - 1);
    }
    if (rest > half_unit || (rest == half_unit && (kept & 1u)))
        kept++; /* a carry into the exponent is the right result */
    return (uint16_t)(sign | kept);
}

void fq_halves_to_floats(size_t n, const uint16_t *halves, float *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = fq_half_to_float(halves[i]);
}

void fq_floats_to_halves(size_t n, const float *values, uint16_t *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = fq_float_to_half(values[i]);
}
