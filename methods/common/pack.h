/* Packing of b-bit indices, 1 <= b <= 8: little-endian bit string, index i at bits [b i, b i + b). One layout for every
 * method. */
#ifndef FQ_METHODS_COMMON_PACK_H
#define FQ_METHODS_COMMON_PACK_H

#include <stddef.h>
#include <stdint.h>

size_t fq_packed_bytes(int bits, size_t n); /* ceil(bits n / 8) */
void fq_pack(int bits, size_t n, const uint8_t *index, uint8_t *packed);
void fq_unpack(int bits, size_t n, const uint8_t *packed, uint8_t *index);

#endif
