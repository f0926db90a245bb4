/* Byte for byte against ggml: encodes many blocks with our bodies and with the quantizers that libggml-base exports,
 * and compares records and decoded floats. Not part of `make test`, which must pass without libggml.
 *
 * Build and run from the repository's root, after `make all`:
 *   cc -std=c11 -D_GNU_SOURCE -I. tests/peers/ggml_compare.c build/libfq_methods.a build/libfq_base.a -o build/compare
 *      -L.deps/llama/lib -Wl,-rpath,$PWD/.deps/llama/lib -lggml-base -lnettle -lm
 *   build/compare
 * Exit 0: all bytes equal; 1: the first difference of each format is printed. */
#include "harness/base/random.h"
#include "methods/ggml/block.h"
#include "methods/mx/mx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Exported by libggml-base; their header is internal to ggml. */
#define GGML_EXPORTS(name)                                                                                             \
    void quantize_row_##name##_ref(const float *x, void *y, int64_t k);                                                \
    void dequantize_row_##name(const void *x, float *y, int64_t k);
GGML_EXPORTS(q4_0)
GGML_EXPORTS(q4_1)
GGML_EXPORTS(q5_0)
GGML_EXPORTS(q5_1)
GGML_EXPORTS(q8_0)
GGML_EXPORTS(iq4_nl)
GGML_EXPORTS(mxfp4)
GGML_EXPORTS(nvfp4)

enum { ROUNDS = 200000 };

struct pair {
    const struct fq_block_format *ours;
    double least;    /* blocks with no entry of this magnitude are left out: ggml leaves their codes as they were */
    double greatest; /* lengths above this have scalars beyond their type */
    void (*quantize)(const float *x, void *y, int64_t k);
    void (*dequantize)(const void *x, float *y, int64_t k);
};

/* Gaussian blocks at many lengths, then sparse, constant, integer (ties at halves) and tied extremes. Lengths stay
 * where ggml's arithmetic is defined: 1 / scale finite, scale within its type. */
static void make_block(const struct pair *p, uint64_t round, float *x) {
    static const double lengths[] = {1, 1e-3, 30, 1e-6, 1e4, 3e-8, 1e-12};
    const size_t n = p->ours->length;
    double g[FQ_BLOCK_MOST_LENGTH];
    fq_random_gaussian(fq_stream_key("data", 1), round * FQ_BLOCK_MOST_LENGTH, n, g);
    const double length = fmin(lengths[round / 5 % 7], p->greatest);
    for (size_t j = 0; j < n; j++) {
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

static int compare(const struct pair *p) {
    uint8_t ours[FQ_BLOCK_MOST_BYTES], theirs[FQ_BLOCK_MOST_BYTES];
    float x[FQ_BLOCK_MOST_LENGTH], decoded[FQ_BLOCK_MOST_LENGTH], expected[FQ_BLOCK_MOST_LENGTH];
    const char *name = p->ours->name;
    long left_out = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        make_block(p, round, x);
        double amax = 0;
        for (size_t j = 0; j < p->ours->length; j++)
            amax = fmax(amax, fabs((double)x[j]));
        if (amax < p->least) {
            left_out++;
            continue;
        }
        if (!p->ours->encode(x, ours)) {
            printf("%s: block %llu has no representation\n", name, (unsigned long long)round);
            return 1;
        }
        p->quantize(x, theirs, (int64_t)p->ours->length);
        p->dequantize(theirs, expected, (int64_t)p->ours->length);
        p->ours->decode(ours, decoded);
        for (size_t j = 0; j < p->ours->block_bytes; j++)
            if (ours[j] != theirs[j]) {
                printf("%s: block %llu, byte %zu: ours %d, ggml %d\n", name, (unsigned long long)round, j, ours[j],
                       theirs[j]);
                return 1;
            }
        for (size_t j = 0; j < p->ours->length; j++)
            if (decoded[j] != expected[j]) {
                printf("%s: block %llu, entry %zu: ours %.9g, ggml %.9g\n", name, (unsigned long long)round, j,
                       (double)decoded[j], (double)expected[j]);
                return 1;
            }
    }
    printf("%s: %ld blocks, every byte and every decoded number equal\n", name, ROUNDS - left_out);
    return 0;
}

int main(void) {
#define PAIR(family, name, least, greatest)                                                                            \
    { &family##_##name, least, greatest, quantize_row_##name##_ref, dequantize_row_##name }
    static const struct pair pairs[] = {
        PAIR(ggml, q8_0, 0, 1e30), PAIR(ggml, q4_0, 0, 1e30),       PAIR(ggml, q4_1, 0, 1e4), PAIR(ggml, q5_0, 0, 1e30),
        PAIR(ggml, q5_1, 0, 1e4),  PAIR(ggml, iq4_nl, 1e-15, 1e30), PAIR(mx, mxfp4, 0, 1e30), PAIR(mx, nvfp4, 0, 200),
    };
    int differences = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        differences += compare(&pairs[i]);
    return differences != 0;
}
