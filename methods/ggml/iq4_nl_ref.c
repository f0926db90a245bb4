/* iq4_nl, one block, in ggml's order and with ggml's float32 arithmetic: 16 levels that are not evenly spaced.
 *
 * ggml's cache quantizer searches no scale (its `ntry` is -1 there): with m = the entry of greatest magnitude, codes
 * are the levels nearest to x / d0, d0 = m / -127; the stored scale is the least-squares one for these codes with
 * weights x^2, and the codes are not formed again with it. Sums run in float32 in index order. 2 + 16 bytes. */
#include "methods/ggml/block.h"

#include <math.h>
#include <string.h>

enum { LEVELS = 16 };

static const int8_t levels[LEVELS] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
/* Below this magnitude ggml stores a zero scale, and codes that nobody set. */
static const float vanishing = 1e-15F;

/* Index of the nearest level; half way goes up. */
static uint8_t nearest(float x) {
    if (x <= (float)levels[0])
        return 0;
    if (x >= (float)levels[LEVELS - 1])
        return LEVELS - 1;
    size_t above = 1;
    while (x >= (float)levels[above])
        above++;
    return (uint8_t)(x - (float)levels[above - 1] < (float)levels[above] - x ? above - 1 : above);
}

static bool encode_block(const float *x, uint8_t *block) {
    const float extreme = ggml_extreme(x);
    float scale = 0;
    uint8_t code[GGML_BLOCK];
    memset(code, nearest(0), sizeof code);
    if (fabsf(extreme) >= vanishing) {
        const float inverse = 1 / (extreme / (float)levels[0]);
        float products = 0, squares = 0;
        for (size_t j = 0; j < GGML_BLOCK; j++) {
            code[j] = nearest(inverse * x[j]);
            const float level = (float)levels[code[j]], weight = x[j] * x[j];
            products += weight * level * x[j];
            squares += weight * level * level;
        }
        scale = squares > 0 ? products / squares : 0;
    }
    ggml_pack_nibbles(code, block + GGML_SCALE_BYTES);
    return fq_scalar_put(FQ_SCALAR_FP16, (double)scale, block);
}

static void codes(const uint8_t *block, int *code) {
    ggml_unpack_nibbles(block + GGML_SCALE_BYTES, code);
}

static void decode_block(const uint8_t *block, float *x) {
    const float scale = fq_scalar_get(FQ_SCALAR_FP16, block);
    int code[GGML_BLOCK];
    codes(block, code);
    for (size_t j = 0; j < GGML_BLOCK; j++)
        x[j] = scale * (float)levels[code[j]];
}

const struct fq_block_format ggml_iq4_nl = {
    .name = "iq4_nl",
    .length = GGML_BLOCK,
    .block_bytes = GGML_SCALE_BYTES + GGML_HALF_BLOCK,
    .side_bytes = GGML_SCALE_BYTES,
    .encode = encode_block,
    .decode = decode_block,
    .codes = codes,
};
