/* q8_0, one block, in ggml's order and with ggml's float32 arithmetic: d = max|x| / 127, q = round(x / d) with halves
 * away from zero. 2 + 32 bytes. */
#include "methods/ggml/block.h"

#include <math.h>

static bool encode_block(const float x[GGML_BLOCK], uint8_t *block) {
    float greatest = 0;
    for (size_t j = 0; j < GGML_BLOCK; j++)
        greatest = fmaxf(greatest, fabsf(x[j]));
    const float scale = greatest / 127.0F;
    if (!fq_scalar_put(FQ_SCALAR_FP16, (double)scale, block))
        return false;
    /* The codes are formed with the scale before its rounding to fp16. */
    const float inverse = ggml_reciprocal(scale);
    for (size_t j = 0; j < GGML_BLOCK; j++)
        block[GGML_SCALE_BYTES + j] = (uint8_t)(int8_t)roundf(x[j] * inverse);
    return true;
}

static void levels(const uint8_t *block, float level[GGML_BLOCK]) {
    for (size_t j = 0; j < GGML_BLOCK; j++)
        level[j] = (float)(int8_t)block[GGML_SCALE_BYTES + j];
}

const struct ggml_format ggml_q8_0 = {
    .block_bytes = GGML_SCALE_BYTES + GGML_BLOCK, .encode = encode_block, .levels = levels};
