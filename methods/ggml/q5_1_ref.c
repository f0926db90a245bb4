/* q5_1, one block, in ggml's order and with ggml's float32 arithmetic: m = min, d = (max - min) / 31, q = trunc((x - m)
 * / d + .5), x ~ q d + m. Scale, minimum, high bits, nibbles: 2 + 2 + 4 + 16 bytes. */
#include "methods/ggml/block.h"

static bool encode_block(const float *x, uint8_t *block) {
    float minimum, inverse;
    if (!ggml_range(x, 31.0F, block, &minimum, &inverse))
        return false;
    uint8_t code[GGML_BLOCK];
    for (size_t j = 0; j < GGML_BLOCK; j++) {
        /* ggml has no upper limit here and needs none: the greatest quotient is 31 (1 + 2^-23). */
        const int q = (int)((x[j] - minimum) * inverse + 0.5F);
        code[j] = (uint8_t)(q < 31 ? q : 31);
    }
    ggml_pack_fives(code, block + 2 * GGML_SCALE_BYTES);
    return true;
}

static void codes(const uint8_t *block, int *code) {
    ggml_unpack_fives(block + 2 * GGML_SCALE_BYTES, code);
}

static void decode_block(const uint8_t *block, float *x) {
    const float scale = fq_scalar_get(FQ_SCALAR_FP16, block);
    const float minimum = fq_scalar_get(FQ_SCALAR_FP16, block + GGML_SCALE_BYTES);
    int code[GGML_BLOCK];
    codes(block, code);
    for (size_t j = 0; j < GGML_BLOCK; j++)
        x[j] = (float)code[j] * scale + minimum;
}

const struct fq_block_format ggml_q5_1 = {
    .name = "q5_1",
    .length = GGML_BLOCK,
    .block_bytes = 2 * GGML_SCALE_BYTES + GGML_HIGH_BYTES + GGML_HALF_BLOCK,
    .side_bytes = 2 * GGML_SCALE_BYTES,
    .encode = encode_block,
    .decode = decode_block,
    .codes = codes,
};
