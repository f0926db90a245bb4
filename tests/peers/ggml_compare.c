/* Byte for byte against ggml: encodes many vectors with our q8_0 and q4_0 and with the quantizers that libggml-base
 * exports, and compares records and decoded floats. Not part of `make test`, which must pass without libggml.
 *
 * Build and run from the repository's root, after `make all`:
 *   cc -std=c11 -D_GNU_SOURCE -I. tests/peers/ggml_compare.c build/libfq_methods.a build/libfq_base.a -o build/compare
 *      -L.deps/llama/lib -Wl,-rpath,$PWD/.deps/llama/lib -lggml-base -lnettle -lm
 *   build/compare
 * Exit 0: all bytes equal; 1: the first difference is printed. */
#include "harness/base/random.h"
#include "methods/ggml/block.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Exported by libggml-base; their header is internal to ggml. */
void quantize_row_q8_0_ref(const float *x, void *y, int64_t k);
void quantize_row_q4_0_ref(const float *x, void *y, int64_t k);
void dequantize_row_q8_0(const void *x, float *y, int64_t k);
void dequantize_row_q4_0(const void *x, float *y, int64_t k);

enum { ROUNDS = 200000, MOST_BYTES = GGML_SCALE_BYTES + GGML_BLOCK };

struct pair {
    const char *name;
    const struct ggml_format *ours;
    void (*quantize)(const float *x, void *y, int64_t k);
    void (*dequantize)(const void *x, float *y, int64_t k);
};

/* Gaussian blocks at many lengths, then sparse, constant, integer (ties at halves) and tied extremes. Lengths stay
 * where ggml's arithmetic is defined: 1 / scale finite, scale within fp16. */
static void make_block(uint64_t round, float x[GGML_BLOCK]) {
    static const double lengths[] = {1, 1e-3, 30, 1e-6, 1e4, 3e-8, 1e-12};
    double g[GGML_BLOCK];
    fq_random_gaussian(fq_stream_key("data", 1), round * GGML_BLOCK, GGML_BLOCK, g);
    const double length = lengths[round / 5 % 7];
    for (size_t j = 0; j < GGML_BLOCK; j++) {
        switch (round % 5) {
        case 0:
            x[j] = (float)(length * g[j]);
            break;
        case 1:
            x[j] = fabs(g[j]) > 1.6 ? (float)(length * g[j]) : 0;
            break;
        case 2:
            x[j] = (float)(length * g[0]);
            break;
        case 3:
            x[j] = (float)(rint(4 * g[j]) * 0.5);
            break;
        default:
            x[j] = g[j] > 0 ? (float)length : (float)-length;
        }
    }
}

static long compare(const struct pair *p) {
    uint8_t ours[MOST_BYTES], theirs[MOST_BYTES];
    float x[GGML_BLOCK], level[GGML_BLOCK], decoded[GGML_BLOCK];
    for (uint64_t round = 0; round < ROUNDS; round++) {
        make_block(round, x);
        if (!p->ours->encode(x, ours)) {
            printf("%s: block %llu has no representation\n", p->name, (unsigned long long)round);
            return 1;
        }
        p->quantize(x, theirs, GGML_BLOCK);
        p->dequantize(theirs, decoded, GGML_BLOCK);
        p->ours->levels(ours, level);
        const float scale = fq_scalar_get(FQ_SCALAR_FP16, ours);
        for (size_t j = 0; j < p->ours->block_bytes; j++)
            if (ours[j] != theirs[j]) {
                printf("%s: block %llu, byte %zu: ours %d, ggml %d\n", p->name, (unsigned long long)round, j, ours[j],
                       theirs[j]);
                return 1;
            }
        for (size_t j = 0; j < GGML_BLOCK; j++)
            if (level[j] * scale != decoded[j]) {
                printf("%s: block %llu, entry %zu: ours %.9g, ggml %.9g\n", p->name, (unsigned long long)round, j,
                       (double)(level[j] * scale), (double)decoded[j]);
                return 1;
            }
    }
    printf("%s: %d blocks, every byte and every decoded number equal\n", p->name, ROUNDS);
    return 0;
}

int main(void) {
    static const struct pair pairs[] = {
        {"q8_0", &ggml_q8_0, quantize_row_q8_0_ref, dequantize_row_q8_0},
        {"q4_0", &ggml_q4_0, quantize_row_q4_0_ref, dequantize_row_q4_0},
    };
    long differences = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        differences += compare(&pairs[i]);
    return differences != 0;
}
