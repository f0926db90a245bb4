/* q5_0, one block, in ggml's order and with ggml's float32 arithmetic: q4_0 with one bit more: m = the entry of
 * greatest magnitude, d = m / -16, q = min(31, trunc(x / d + 16.5)), x ~ (q - 16) d. 2 + 4 + 16 bytes. */
#include "methods/ggml/block.h"

static bool encode_block(const float *x, uint8_t *block) {
    const float scale = ggml_extreme(x) / -16.0F;
    if (!fq_scalar_put(FQ_SCALAR_FP16, (double)scale, block))
        return false;
    /* The codes are formed with the scale before its rounding to fp16. */
    const float inverse = ggml_reciprocal(scale);
    uint8_t code[GGML_BLOCK];
    for (size_t j = 0; j < GGML_BLOCK; j++) {
        const int q = (int)(x[j] * inverse + 16.5F);
        code[j] = (uint8_t)(q < 31 ? q : 31);
    }
    ggml_pack_fives(code, block + GGML_SCALE_BYTES);
    return true;
}

static void codes(const uint8_t *block, int *code) {
    ggml_unpack_fives(block + GGML_SCALE_BYTES, code);
}

static void decode_block(const uint8_t *block, float *x) {
    const float scale = fq_scalar_get(FQ_SCALAR_FP16, block);
    int code[GGML_BLOCK];
    codes(block, code);
    for (size_t j = 0; j < GGML_BLOCK; j++)
        x[j] = (float)(code[j] - 16) * scale;
}

const struct fq_block_format ggml_q5_0 = {
    .name = "q5_0",
    .length = GGML_BLOCK,
    .block_bytes = GGML_SCALE_BYTES + GGML_HIGH_BYTES + GGML_HALF_BLOCK,
    .side_bytes = GGML_SCALE_BYTES,
    .encode = encode_block,
    .decode = decode_block,
    .codes = codes,
};
