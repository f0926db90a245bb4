/* q8_0, one block, in ggml's order and with ggml's float32 arithmetic: d = max|x| / 127, q = round(x / d) with halves
 * away from zero. 2 + 32 bytes. */
#include "methods/ggml/block.h"

#include <math.h>

static bool encode_block(const float *x, uint8_t *block) {
    const float scale = fabsf(ggml_extreme(x)) / 127.0F;
    if (!fq_scalar_put(FQ_SCALAR_FP16, (double)scale, block))
        return false;
    /* The codes are formed with the scale before its rounding to fp16. */
    const float inverse = ggml_reciprocal(scale);
    for (size_t j = 0; j < GGML_BLOCK; j++)
        block[GGML_SCALE_BYTES + j] = (uint8_t)(int8_t)roundf(x[j] * inverse);
    return true;
}

static void codes(const uint8_t *block, int *code) {
    for (size_t j = 0; j < GGML_BLOCK; j++)
        code[j] = (int8_t)block[GGML_SCALE_BYTES + j];
}

static void decode_block(const uint8_t *block, float *x) {
    const float scale = fq_scalar_get(FQ_SCALAR_FP16, block);
    for (size_t j = 0; j < GGML_BLOCK; j++)
        x[j] = (float)(int8_t)block[GGML_SCALE_BYTES + j] * scale;
}

const struct fq_block_format ggml_q8_0 = {
    .name = "q8_0",
    .length = GGML_BLOCK,
    .block_bytes = GGML_SCALE_BYTES + GGML_BLOCK,
    .side_bytes = GGML_SCALE_BYTES,
    .encode = encode_block,
    .decode = decode_block,
    .codes = codes,
};
