/* What the ggml formats share, scalar, with ggml's float32 arithmetic: extremes of a block, and where its codes lie. */
#include "methods/ggml/block.h"

#include <math.h>

float ggml_reciprocal(float scale) {
    const float inverse = scale != 0 ? 1.0F / scale : 0.0F;
    return isfinite(inverse) ? inverse : 0.0F;
}

float ggml_extreme(const float x[GGML_BLOCK]) {
    float greatest = 0, extreme = 0;
    for (size_t j = 0; j < GGML_BLOCK; j++)
        if (greatest < fabsf(x[j])) {
            greatest = fabsf(x[j]);
            extreme = x[j];
        }
    return extreme;
}

bool ggml_range(const float x[GGML_BLOCK], float top, uint8_t *scale_and_minimum, float *minimum, float *inverse) {
    float least = x[0], greatest = x[0];
    for (size_t j = 1; j < GGML_BLOCK; j++) {
        if (x[j] < least)
            least = x[j];
        if (x[j] > greatest)
            greatest = x[j];
    }
    const float scale = (greatest - least) / top;
    *minimum = least;
    *inverse = ggml_reciprocal(scale);
    return fq_scalar_put(FQ_SCALAR_FP16, (double)scale, scale_and_minimum) &&
           fq_scalar_put(FQ_SCALAR_FP16, (double)least, scale_and_minimum + GGML_SCALE_BYTES);
}

void ggml_pack_nibbles(const uint8_t code[GGML_BLOCK], uint8_t bytes[GGML_HALF_BLOCK]) {
    for (size_t j = 0; j < GGML_HALF_BLOCK; j++)
        bytes[j] = (uint8_t)((code[j] & 15U) | (code[j + GGML_HALF_BLOCK] & 15U) << 4);
}

void ggml_unpack_nibbles(const uint8_t bytes[GGML_HALF_BLOCK], int code[GGML_BLOCK]) {
    for (size_t j = 0; j < GGML_HALF_BLOCK; j++) {
        code[j] = bytes[j] & 15;
        code[j + GGML_HALF_BLOCK] = bytes[j] >> 4;
    }
}

void ggml_pack_fives(const uint8_t code[GGML_BLOCK], uint8_t bytes[GGML_HIGH_BYTES + GGML_HALF_BLOCK]) {
    for (size_t k = 0; k < GGML_HIGH_BYTES; k++) {
        unsigned high = 0;
        for (size_t j = 0; j < 8; j++)
            high |= (unsigned)(code[8 * k + j] >> 4) << j;
        bytes[k] = (uint8_t)high;
    }
    ggml_pack_nibbles(code, bytes + GGML_HIGH_BYTES);
}

void ggml_unpack_fives(const uint8_t bytes[GGML_HIGH_BYTES + GGML_HALF_BLOCK], int code[GGML_BLOCK]) {
    ggml_unpack_nibbles(bytes + GGML_HIGH_BYTES, code);
    for (size_t j = 0; j < GGML_BLOCK; j++)
        code[j] |= ((bytes[j / 8] >> (j % 8)) & 1) << 4;
}
