/* ggml's block formats for keys and values: 32 consecutive coordinates share one fp16 scale, and in the formats that
 * end in _1 one fp16 minimum. A format is a pair of functions for one block (<name>_ref.c), laid out byte for byte as
 * ggml lays it out; walking the blocks is methods/common/block_code.c. Must not be included outside methods/ggml and
 * tests/peers. */
#ifndef FQ_METHODS_GGML_BLOCK_H
#define FQ_METHODS_GGML_BLOCK_H

#include "methods/common/block_code.h"
#include "methods/common/scale.h"

enum { GGML_BLOCK = 32, GGML_HALF_BLOCK = GGML_BLOCK / 2, GGML_SCALE_BYTES = 2, GGML_HIGH_BYTES = GGML_BLOCK / 8 };
enum { GGML_HADAMARD, GGML_N_PARAMS };

extern const struct fq_block_format ggml_q4_0, ggml_q4_1, ggml_q5_0, ggml_q5_1, ggml_q8_0, ggml_iq4_nl;

/* 1 / scale, as ggml computes it: 0 for a zero scale, and 0 too where the reciprocal overflows (ggml leaves that case
 * undefined; the scale is then zero in fp16, so every code decodes alike). */
float ggml_reciprocal(float scale);

/* The entry of greatest magnitude, the first one, with its sign. */
float ggml_extreme(const float x[GGML_BLOCK]);
/* fp16 of the minimum and of d = (max - min) / top; the minimum and the reciprocal of d before their rounding. false:
 * one of the two overflows. */
bool ggml_range(const float x[GGML_BLOCK], float top, uint8_t *scale_and_minimum, float *minimum, float *inverse);

/* Codes of up to 4 bits: byte j holds entry j in its low half and entry j + 16 in its high half. */
void ggml_pack_nibbles(const uint8_t code[GGML_BLOCK], uint8_t bytes[GGML_HALF_BLOCK]);
void ggml_unpack_nibbles(const uint8_t bytes[GGML_HALF_BLOCK], int code[GGML_BLOCK]);
/* Codes of 5 bits: a little-endian word of the highest bits (bit j is entry j), then nibbles of the rest. */
void ggml_pack_fives(const uint8_t code[GGML_BLOCK], uint8_t bytes[GGML_HIGH_BYTES + GGML_HALF_BLOCK]);
void ggml_unpack_fives(const uint8_t bytes[GGML_HIGH_BYTES + GGML_HALF_BLOCK], int code[GGML_BLOCK]);

#endif
