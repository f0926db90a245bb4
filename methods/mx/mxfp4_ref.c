/* mxfp4, one block of 32, in ggml's order: e = floor(log2 max|x|) - 2 + 127, a power of two that maps the greatest
 * entry into [4, 8), codes = nearest E2M1 values of x / 2^(e - 127); what lies above 6 clips. One byte of exponent
 * (E8M0), then byte j holds entry j in its low half and entry j + 16 in its high half. */
#include "methods/mx/mx.h"

#include <math.h>

int mx_doubled_level(unsigned code) {
    static const int doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    return doubled[code & 15U];
}

uint8_t mx_nearest(float x, float half_scale) {
    uint8_t best = 0;
    float least = fabsf(x);
    for (uint8_t code = 1; code < 16; code++) {
        const float error = fabsf((float)mx_doubled_level(code) * half_scale - x);
        if (error < least) {
            least = error;
            best = code;
        }
    }
    return best;
}

float mx_half_e8m0(uint8_t e) {
    return ldexpf(1.0F, (int)e - 128);
}

static bool encode_block(const float *x, uint8_t *block) {
    float greatest = 0;
    for (size_t j = 0; j < MXFP4_BLOCK; j++)
        greatest = fmaxf(greatest, fabsf(x[j]));
    const float exponent = greatest > 0 ? floorf(log2f(greatest)) - 2 + 127 : 0;
    block[0] = (uint8_t)(exponent > 0 ? exponent : 0);
    const float half_scale = mx_half_e8m0(block[0]);
    for (size_t j = 0; j < MXFP4_BLOCK / 2; j++)
        block[1 + j] = (uint8_t)(mx_nearest(x[j], half_scale) | mx_nearest(x[j + MXFP4_BLOCK / 2], half_scale) << 4);
    return true;
}

static void codes(const uint8_t *block, int *code) {
    for (size_t j = 0; j < MXFP4_BLOCK / 2; j++) {
        code[j] = block[1 + j] & 15;
        code[j + MXFP4_BLOCK / 2] = block[1 + j] >> 4;
    }
}

static void decode_block(const uint8_t *block, float *x) {
    const float half_scale = mx_half_e8m0(block[0]);
    int code[MXFP4_BLOCK];
    codes(block, code);
    for (size_t j = 0; j < MXFP4_BLOCK; j++)
        x[j] = (float)mx_doubled_level((unsigned)code[j]) * half_scale;
}

const struct fq_block_format mx_mxfp4 = {
    .name = "mxfp4",
    .length = MXFP4_BLOCK,
    .block_bytes = MXFP4_BYTES,
    .side_bytes = 1,
    .encode = encode_block,
    .decode = decode_block,
    .codes = codes,
};
