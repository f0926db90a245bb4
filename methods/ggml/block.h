/* Blocks of ggml: 32 consecutive coordinates share one fp16 scale. What q8_0 and q4_0 have in common lives here, so
 * that a new format of the family is a pair of functions for one block.
 *
 * A block decodes to x_j = scale * level_j with whole levels. Record of a vector: its d / 32 blocks one behind the
 * other, each laid out byte for byte as ggml lays it out. No rotation, no state, no parameters. */
#ifndef FQ_METHODS_GGML_BLOCK_H
#define FQ_METHODS_GGML_BLOCK_H

#include "harness/method.h"
#include "methods/common/scale.h"

enum { GGML_BLOCK = 32, GGML_SCALE_BYTES = 2 };

struct ggml_format {
    size_t block_bytes; /* scale included; the scale comes first */
    /* Codes of 32 finite numbers. false: the scale overflows fp16. */
    bool (*encode)(const float x[GGML_BLOCK], uint8_t *block);
    void (*levels)(const uint8_t *block, float level[GGML_BLOCK]);
};

/* "q8_0 needs a dimension divisible by 32, found 100". */
int ggml_check(const char *name, const struct fq_shape *shape, char *why, size_t why_size);
struct fq_footprint ggml_footprint(const struct ggml_format *format, const struct fq_shape *shape);

/* 1 / scale, as ggml computes it: 0 for a zero scale, and 0 too where the reciprocal overflows (ggml leaves that case
 * undefined; the scale is then zero in fp16, so every code decodes to zero). */
float ggml_reciprocal(float scale);

/* Kernel bodies of any format. */
size_t ggml_encode(const struct ggml_format *format, const struct fq_call *call, size_t n, const float *x,
                   uint8_t *records);
void ggml_prepare(const struct fq_call *call, size_t n, const float *q, void *prepared);
void ggml_score(const struct ggml_format *format, const struct fq_call *call, const void *prepared, size_t n,
                const uint8_t *records, float *scores);
void ggml_decode(const struct ggml_format *format, const struct fq_call *call, size_t n, const uint8_t *records,
                 float *x);
void ggml_attend(const struct ggml_format *format, const struct fq_call *call, size_t n, const uint8_t *records,
                 const float *weights, float *out);

/* The vector of methods.md appendix B: x_i = sin(1.3 i + 0.7) + 0.02 ((37 i) mod 11), i = 0 .. 127. */
enum { GGML_KNOWN_DIM = 128 };
void ggml_known_vector(float x[GGML_KNOWN_DIM]);
/* sum (x - xhat)^2 / sum x^2 of a vector encoded and decoded block by block. */
double ggml_known_error(const struct ggml_format *format, const float x[GGML_KNOWN_DIM]);

extern const struct ggml_format ggml_q4_0;
extern const struct ggml_format ggml_q8_0;

#endif
