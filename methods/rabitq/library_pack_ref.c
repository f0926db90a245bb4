/* The bytes of RaBitQ-Library's codes: the sign plane, and the ex codes in groups of 64 coordinates whose bits lie
 * where the library's vector instructions want them (pack_binary, packing_rabitqplus_code). Bit by bit, as a
 * definition. */
#include "methods/rabitq/library.h"

#include <string.h>

static size_t sign_byte(size_t i) {
    return i / 64 * 8 + 7 - i % 64 / 8;
}

void rabitq_library_pack_signs(size_t padded, const uint16_t *code, int ex, uint8_t *plane) {
    memset(plane, 0, padded / 8);
    for (size_t i = 0; i < padded; i++)
        plane[sign_byte(i)] |= (uint8_t)(((code[i] >> ex) & 1U) << (7 - i % 8));
}

struct place {
    size_t byte, bit;
};

/* Where bit `b` of coordinate `i` of a group lies. Odd widths above 1 hold their lowest ex - 1 bits like the even width
 * (5 like 4, but in groups of 32) and their top bits in a plane of 8 bytes behind them. */
static struct place place_of(int ex, size_t i, size_t b) {
    const size_t width = (size_t)ex;
    if (ex == 1)
        return (struct place){i / 8, i % 8};
    if (ex % 2 == 1 && b == width - 1)
        return (struct place){8 * (width - 1) + i % 8, i / 8};
    switch (ex) {
    case 2:
    case 3: /* byte k holds coordinates k, k + 16, k + 32, k + 48 */
        return (struct place){i % 16, 2 * (i / 16) + b};
    case 4: /* byte k of each 8 holds coordinates k and k + 8 */
        return (struct place){8 * (i / 16) + i % 8, 4 * (i % 16 / 8) + b};
    case 5: /* byte k of each 16 holds coordinates k and k + 16 */
        return (struct place){16 * (i / 32) + i % 16, 4 * (i % 32 / 16) + b};
    case 6:
    case 7: /* 48 bytes of six bits; the last 16 coordinates lie in pairs of bits above them */
        return i < 48 ? (struct place){i, b} : (struct place){16 * (b / 2) + i % 16, 6 + b % 2};
    default:
        return (struct place){i, b};
    }
}

void rabitq_library_pack_extended(size_t padded, int ex, const uint8_t *extended, uint8_t *packed) {
    const size_t group_bytes = (size_t)ex * LIBRARY_GROUP / 8;
    memset(packed, 0, (size_t)ex * padded / 8);
    for (size_t first = 0; first < padded; first += LIBRARY_GROUP, packed += group_bytes)
        for (size_t i = 0; i < LIBRARY_GROUP; i++)
            for (size_t b = 0; b < (size_t)ex; b++) {
                const struct place p = place_of(ex, i, b);
                packed[p.byte] |= (uint8_t)(((extended[first + i] >> b) & 1U) << p.bit);
            }
}

void rabitq_library_unpack(size_t padded, int ex, const uint8_t *plane, const uint8_t *extended, uint16_t *code) {
    const size_t group_bytes = (size_t)ex * LIBRARY_GROUP / 8;
    for (size_t i = 0; i < padded; i++) {
        unsigned x = ((unsigned)plane[sign_byte(i)] >> (7 - i % 8)) & 1U;
        x <<= ex;
        for (size_t b = 0; b < (size_t)ex; b++) {
            const struct place p = place_of(ex, i % LIBRARY_GROUP, b);
            x |= (((unsigned)extended[i / LIBRARY_GROUP * group_bytes + p.byte] >> p.bit) & 1U) << b;
        }
        code[i] = (uint16_t)x;
    }
}
