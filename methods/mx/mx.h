/* Microscaling formats with 4-bit floating-point entries: what mxfp4 and nvfp4 share. Both are laid out byte for byte
 * as ggml lays them out; walking the blocks is methods/common/block_code.c. Must not be included outside methods/mx and
 * tests/peers. */
#ifndef FQ_METHODS_MX_H
#define FQ_METHODS_MX_H

#include "methods/common/block_code.h"

enum {
    MXFP4_BLOCK = 32,
    MXFP4_BYTES = 1 + MXFP4_BLOCK / 2,
    NVFP4_BLOCK = 64,
    NVFP4_PART = 16,
    NVFP4_PARTS = NVFP4_BLOCK / NVFP4_PART,
    NVFP4_BYTES = NVFP4_PARTS + NVFP4_BLOCK / 2
};

extern const struct fq_block_format mx_mxfp4, mx_nvfp4;

/* E2M1: code 0..7 is 0 .5 1 1.5 2 3 4 6, bit 3 is the sign. Levels are kept doubled, as whole numbers, and scales
 * halved: mx_half_* give half the scale. */
int mx_doubled_level(unsigned code);
/* The code whose doubled level times half_scale is nearest to x; of two equally near ones the lower code. */
uint8_t mx_nearest(float x, float half_scale);

/* E8M0: 2^(e - 127); the half of it, exact in float32 for every e that mxfp4 stores. */
float mx_half_e8m0(uint8_t e);
/* Unsigned E4M3, bias 7: 0 .. 448; 0x7f has no value and counts as zero. From float32 by rounding halves up, with
 * ggml's shortcut that everything from 2^8 on (after rounding) becomes 448. */
float mx_half_ue4m3(uint8_t bits);
uint8_t mx_ue4m3(float x);

#endif
