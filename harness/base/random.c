/* Counter-based random numbers and the streams made of them.
 *
 * Word i of a stream is half (i mod 2) of the Philox block with counter i / 2, so any range can be produced alone and
 * in any order, which is what makes generated data sliceable and results independent of the number of threads. There is
 * no generator state in the process, and no other source of randomness in the project. */
#include "harness/base/random.h"

#include "harness/base/philox.h"
#include "harness/base/sha256.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void fq_philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0; /* multipliers and Weyl constants: table 2 of the paper */
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t fq_stream_key(const char *name, uint64_t seed) {
    /* The zero byte of the name separates it from the seed, so "a" + "b.." can never equal "ab" + "..". */
    struct fq_sha256_stream *s = fq_sha256_open();
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(seed >> (8 * i));
    fq_sha256_add(s, name, strlen(name) + 1);
    fq_sha256_add(s, bytes, sizeof bytes);
    char hex[FQ_SHA256_HEX];
    fq_sha256_close(s, hex);
    uint64_t key = 0;
    for (int i = 0; i < 16; i++) {
        unsigned digit = hex[i] <= '9' ? (unsigned)(hex[i] - '0') : (unsigned)(hex[i] - 'a' + 10);
        key = key << 4 | digit;
    }
    return key;
}

static void block_of(uint64_t key, uint64_t block, uint64_t word[2]) {
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, 0};
    const uint32_t split[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    uint32_t out[4];
    fq_philox4x32_10(counter, split, out);
    word[0] = (uint64_t)out[1] << 32 | out[0];
    word[1] = (uint64_t)out[3] << 32 | out[2];
}

void fq_random_bits(uint64_t key, uint64_t first, size_t n, uint64_t *out) {
    uint64_t word[2] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        uint64_t index = first + i;
        if (i == 0 || index % 2 == 0)
            block_of(key, index / 2, word);
        out[i] = word[index % 2];
    }
}

/* The centre of one of 2^52 equal cells: exactly a 53-bit number, never 0 and never 1, so that log() of it is finite.
 */
static double unit_open(uint64_t word) {
    return ((double)(word >> 12) + 0.5) * 0x1p-52;
}

void fq_random_uniform(uint64_t key, uint64_t first, size_t n, double *out) {
    uint64_t word[2] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        uint64_t index = first + i;
        if (i == 0 || index % 2 == 0)
            block_of(key, index / 2, word);
        out[i] = unit_open(word[index % 2]);
    }
}

void fq_random_gaussian(uint64_t key, uint64_t first, size_t n, double *out) {
    /* One value per block: the cosine branch only. Using the sine branch too would halve the cost but tie the pair
     * (2j, 2j+1) to one radius; values must be a function of their own index alone. */
    for (size_t i = 0; i < n; i++) {
        uint64_t word[2];
        block_of(key, first + i, word);
        double radius = sqrt(-2.0 * log(unit_open(word[0])));
        out[i] = radius * cos(6.283185307179586476925286766559 * unit_open(word[1]));
    }
}

struct fq_streams fq_streams_for(uint64_t seed) {
    struct fq_streams s = {.rotation = fq_stream_key("rotation", seed),
                           .sketch = fq_stream_key("sketch", seed),
                           .training = fq_stream_key("training", seed),
                           .bits = fq_random_bits,
                           .uniform = fq_random_uniform,
                           .gaussian = fq_random_gaussian};
    return s;
}

struct fq_random fq_random_open(const char *name, uint64_t seed) {
    struct fq_random r = {.key = fq_stream_key(name, seed), .next = 0};
    return r;
}

uint64_t fq_random_next(struct fq_random *r) {
    uint64_t word[2];
    block_of(r->key, r->next / 2, word);
    return word[r->next++ % 2];
}

size_t fq_random_below(struct fq_random *r, size_t n) {
    /* Words above the largest multiple of n are thrown away: without that small indices would be likelier. */
    uint64_t limit = UINT64_MAX - UINT64_MAX % n;
    uint64_t word;
    do {
        word = fq_random_next(r);
    } while (word >= limit);
    return (size_t)(word % n);
}

void fq_random_shuffle(struct fq_random *r, size_t *index, size_t n) {
    for (size_t i = n; i > 1; i--) {
        size_t j = fq_random_below(r, i);
        size_t kept = index[i - 1];
        index[i - 1] = index[j];
        index[j] = kept;
    }
}
