/* Packing of b-bit indices into a little-endian bit string; one layout, so that packing never decides a contest.
 *
 * The bits pass through a 32-bit accumulator, byte by byte: independent of the machine's byte order, and never a read
 * or write past ceil(b n / 8). Bits after the last index are zero. */
#include "methods/common/pack.h"

#include <string.h>

size_t fq_packed_bytes(int bits, size_t n) {
    return ((size_t)bits * n + 7) / 8;
}

void fq_pack(int bits, size_t n, const uint8_t *index, uint8_t *packed) {
    if (bits == 8) {
        memcpy(packed, index, n);
        return;
    }
    uint32_t held = 0;
    int n_held = 0;
    for (size_t i = 0; i < n; i++) {
        held |= (uint32_t)index[i] << n_held;
        n_held += bits;
        if (n_held >= 8) {
            *packed++ = (uint8_t)held;
            held >>= 8;
            n_held -= 8;
        }
    }
    if (n_held > 0)
        *packed = (uint8_t)held;
}

void fq_unpack(int bits, size_t n, const uint8_t *packed, uint8_t *index) {
    if (bits == 8) {
        memcpy(index, packed, n);
        return;
    }
    const uint32_t mask = (1U << bits) - 1U;
    uint32_t held = 0;
    int n_held = 0;
    for (size_t i = 0; i < n; i++) {
        if (n_held < bits) {
            held |= (uint32_t)*packed++ << n_held;
            n_held += 8;
        }
        index[i] = (uint8_t)(held & mask);
        held >>= bits;
        n_held -= bits;
    }
}
