/* turbo2, turbo3, turbo4 and what they were before pull request 197: the cache types of the llama.cpp fork, whose code
 * calls them TurboQuant.
 *
 * A vector is cut into groups; each is rotated by y = D2 H D1 x / sqrt(g) with fixed signs and coded by itself. Record
 * of one group of g coordinates (g = 128 or 64), as the fork lays it out:
 *   turbo2   norm (fp16) | 2-bit indices, four a byte
 *   turbo3   norm | low two bits of the indices, four a byte | high bits, eight a byte
 *   turbo4   norm | 4-bit indices, low nibble first       (before 197: norm | unused norm of a residual | indices)
 * Before 197 turbo2 and turbo3 cut a group's record into blocks of 32 coordinates, each with a copy of the group's norm
 * in front of its own indices: 10 and 14 bytes a block. Nothing else differed.
 * There is no shared state: signs and tables are part of the format. */
#ifndef FQ_TURBOQUANT_LLAMA_TURBO_H
#define FQ_TURBOQUANT_LLAMA_TURBO_H

#include "harness/method.h"

enum { TURBO_NARROW, TURBO_PARAMS };
enum { TURBO_PAD, TURBO_GROUP_64 };
enum { TURBO_GROUP = 128, TURBO_OLD_BLOCK = 32, TURBO_SCALAR_BYTES = 2, TURBO_MAX_HALF = 8 };

struct turbo_format {
    int bits;
    bool unused_norm;
    size_t block;                /* coordinates that share a copy of the norm; 0: the group */
    float level[TURBO_MAX_HALF]; /* 2^(bits-1) positive levels, ascending, in units of 1/sqrt(128) */
    float bound[TURBO_MAX_HALF]; /* decision bounds above zero, 2^(bits-1) - 1 of them; a value on a bound goes up */
};
extern const struct turbo_format turbo2_format, turbo3_format, turbo4_format;
extern const struct turbo_format turbo2_before_197_format, turbo3_before_197_format, turbo4_before_197_format;

struct turbo_layout {
    const struct turbo_format *format;
    size_t dim, work_dim, group, groups, group_bytes, record_bytes;
    size_t block, blocks, block_bytes, codes_at; /* blocks of one group; where a block's codes begin */
};
struct turbo_layout turbo_layout_of(const struct turbo_format *format, const struct fq_params *params,
                                    const struct fq_shape *shape);

/* Sign masks of the rotation, bit set = -1, least significant bit first; groups of 64 use the first half. */
extern const uint8_t turbo_signs_1[TURBO_GROUP / 8], turbo_signs_2[TURBO_GROUP / 8];

extern const struct fq_kernels turbo2_ref, turbo3_ref, turbo4_ref;
extern const struct fq_kernels turbo2_before_197_ref, turbo3_before_197_ref, turbo4_before_197_ref;

#endif
