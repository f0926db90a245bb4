/* q4_0, one block, in ggml's order and with ggml's float32 arithmetic: m = the entry of greatest magnitude (the first
 * one, with its sign), d = m / -8, q = min(15, trunc(x / d + 8.5)), x ~ (q - 8) d. So m itself is code 0, exactly but
 * for the rounding of d, and the other side clips at code 15. 2 + 16 bytes: byte j holds entry j in its low half and
 * entry j + 16 in its high half. */
#include "methods/ggml/block.h"

#include <math.h>

static uint8_t code_of(float x, float inverse) {
    const int code = (int)(x * inverse + 8.5F);
    return (uint8_t)(code < 15 ? code : 15);
}

static bool encode_block(const float x[GGML_BLOCK], uint8_t *block) {
    float greatest = 0, extreme = 0;
    for (size_t j = 0; j < GGML_BLOCK; j++)
        if (greatest < fabsf(x[j])) {
            greatest = fabsf(x[j]);
            extreme = x[j];
        }
    const float scale = extreme / -8.0F;
    if (!fq_scalar_put(FQ_SCALAR_FP16, (double)scale, block))
        return false;
    /* The codes are formed with the scale before its rounding to fp16. */
    const float inverse = ggml_reciprocal(scale);
    for (size_t j = 0; j < GGML_BLOCK / 2; j++)
        block[GGML_SCALE_BYTES + j] = (uint8_t)(code_of(x[j], inverse) | code_of(x[j + GGML_BLOCK / 2], inverse) << 4);
    return true;
}

static void levels(const uint8_t *block, float level[GGML_BLOCK]) {
    for (size_t j = 0; j < GGML_BLOCK / 2; j++) {
        const int pair = block[GGML_SCALE_BYTES + j];
        level[j] = (float)((pair & 15) - 8);
        level[j + GGML_BLOCK / 2] = (float)((pair >> 4) - 8);
    }
}

const struct ggml_format ggml_q4_0 = {
    .block_bytes = GGML_SCALE_BYTES + GGML_BLOCK / 2, .encode = encode_block, .levels = levels};
