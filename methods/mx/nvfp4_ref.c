/* nvfp4, one block of 64 in four parts of 16, in ggml's order: the scale of a part is max|x| / 6 rounded to an unsigned
 * E4M3, codes = nearest E2M1 values of x / scale. Four bytes of scales, then for each part 8 bytes: byte j holds entry
 * j in its low half and entry j + 8 in its high half. */
#include "methods/mx/mx.h"

#include <math.h>
#include <string.h>

enum { BIAS = 7, FRACTION_BITS = 3, MOST_EXPONENT = 15, GREATEST_CODE = 0x7e };

float mx_half_ue4m3(uint8_t bits) {
    const int exponent = (bits >> FRACTION_BITS) & 15, fraction = bits & 7;
    if (bits == 0x7f)
        return 0;
    return exponent == 0 ? ldexpf((float)fraction, -10) : ldexpf((float)(8 + fraction), exponent - BIAS - 4);
}

uint8_t mx_ue4m3(float x) {
    if (!(x > 0))
        return 0;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 23) - 127 + BIAS;
    if (exponent <= 0) { /* multiples of 2^-9; ggml lets none of them round up to the least normal number */
        const float steps = x * 512.0F + 0.5F;
        return (uint8_t)(steps < 7 ? steps : 7);
    }
    unsigned fraction = ((bits >> 20) & 7U) + ((bits >> 19) & 1U);
    if (fraction > 7) {
        fraction = 0;
        exponent++;
    }
    return exponent >= MOST_EXPONENT ? GREATEST_CODE : (uint8_t)((unsigned)exponent << FRACTION_BITS | fraction);
}

static bool encode_block(const float *x, uint8_t *block) {
    for (size_t p = 0; p < NVFP4_PARTS; p++) {
        const float *part = x + p * NVFP4_PART;
        float greatest = 0;
        for (size_t j = 0; j < NVFP4_PART; j++)
            greatest = fmaxf(greatest, fabsf(part[j]));
        block[p] = mx_ue4m3(greatest / 6.0F);
        if (block[p] == GREATEST_CODE) /* 448 is what ggml makes of every scale from 248 on: up to 1.8 times too wide */
            return false;
        const float half_scale = mx_half_ue4m3(block[p]);
        uint8_t *bytes = block + NVFP4_PARTS + p * NVFP4_PART / 2;
        for (size_t j = 0; j < NVFP4_PART / 2; j++)
            bytes[j] =
                (uint8_t)(mx_nearest(part[j], half_scale) | mx_nearest(part[j + NVFP4_PART / 2], half_scale) << 4);
    }
    return true;
}

static void codes(const uint8_t *block, int *code) {
    for (size_t p = 0; p < NVFP4_PARTS; p++)
        for (size_t j = 0; j < NVFP4_PART / 2; j++) {
            const int pair = block[NVFP4_PARTS + p * NVFP4_PART / 2 + j];
            code[p * NVFP4_PART + j] = pair & 15;
            code[p * NVFP4_PART + NVFP4_PART / 2 + j] = pair >> 4;
        }
}

static void decode_block(const uint8_t *block, float *x) {
    int code[NVFP4_BLOCK];
    codes(block, code);
    for (size_t j = 0; j < NVFP4_BLOCK; j++)
        x[j] = (float)mx_doubled_level((unsigned)code[j]) * mx_half_ue4m3(block[j / NVFP4_PART]);
}

const struct fq_block_format mx_nvfp4 = {
    .name = "nvfp4",
    .length = NVFP4_BLOCK,
    .block_bytes = NVFP4_BYTES,
    .side_bytes = NVFP4_PARTS,
    .encode = encode_block,
    .decode = decode_block,
    .codes = codes,
};
