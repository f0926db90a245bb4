/* Rotations shared by all methods; scalar and bit-stable, so that two methods given the same seed see the same y.
 *
 * State. haar: d*d floats by columns (dense.h). rht, block-*, fht-kac: one sign mask per round, bit set = -1, least
 * significant bit first, each mask padded to whole 64-bit words; word w of round r is word r * words + w of the stream.
 * none and hadamard have none. The block holds no pointer and can be copied to a device as it is.
 *
 * Each round multiplies by +-1/sqrt(p) before its transform, not after it: no intermediate is larger than the vector's
 * norm, so a huge but finite vector cannot overflow on the way. */
#include "methods/common/rotation.h"

#include "methods/common/dense.h"
#include "methods/common/hadamard.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KAC_ROUNDS = 4, KAC_PAD = 64, KAC_LEAST_DIM = 32 };

const char *const fq_rotation_choices[] = {"none", "haar", "hadamard", "rht", "block-32", "block-64", "fht-kac", NULL};

static size_t power_of_two_from(size_t dim) {
    size_t p = 1;
    while (p < dim)
        p *= 2;
    return p;
}

static size_t power_of_two_upto(size_t dim) {
    size_t p = 1;
    while (2 * p <= dim)
        p *= 2;
    return p;
}

static int sign_rounds(enum fq_rotation_kind kind, int rounds) {
    switch (kind) {
    case FQ_ROTATION_RHT:
        return rounds;
    case FQ_ROTATION_BLOCK32:
    case FQ_ROTATION_BLOCK64:
        return 1;
    case FQ_ROTATION_FHT_KAC:
        return KAC_ROUNDS;
    default:
        return 0;
    }
}

static size_t mask_words(size_t work_dim) {
    return (work_dim + 63) / 64;
}

int fq_rotation_check(enum fq_rotation_kind kind, size_t dim, char *why, size_t why_size) {
    const size_t block = kind == FQ_ROTATION_BLOCK32 ? 32 : kind == FQ_ROTATION_BLOCK64 ? 64 : 1;
    if (dim % block != 0) {
        snprintf(why, why_size, "rotation=block-%zu needs a dimension divisible by %zu, found %zu; use rht or haar",
                 block, block, dim);
        return -1;
    }
    if (kind == FQ_ROTATION_FHT_KAC && (dim % 2 != 0 || dim < KAC_LEAST_DIM)) {
        snprintf(why, why_size, "rotation=fht-kac needs an even dimension of at least %d, found %zu; use rht or haar",
                 (int)KAC_LEAST_DIM, dim);
        return -1;
    }
    return 0;
}

size_t fq_rotation_work_dim(enum fq_rotation_kind kind, size_t dim) {
    switch (kind) {
    case FQ_ROTATION_HADAMARD:
    case FQ_ROTATION_RHT:
        return power_of_two_from(dim);
    case FQ_ROTATION_FHT_KAC:
        return (dim + KAC_PAD - 1) / KAC_PAD * KAC_PAD;
    default:
        return dim;
    }
}

size_t fq_rotation_state_bytes(enum fq_rotation_kind kind, int rounds, size_t dim) {
    size_t bytes = (size_t)sign_rounds(kind, rounds) * mask_words(fq_rotation_work_dim(kind, dim)) * sizeof(uint64_t);
    if (kind == FQ_ROTATION_HAAR)
        bytes = dim * dim * sizeof(float);
    return (bytes + 63) / 64 * 64;
}

size_t fq_rotation_setup_scratch(enum fq_rotation_kind kind, size_t dim) {
    return kind == FQ_ROTATION_HAAR ? dim * dim * sizeof(double) : 0;
}

void fq_rotation_setup(enum fq_rotation_kind kind, int rounds, size_t dim, const struct fq_streams *streams,
                       void *state, void *scratch) {
    if (kind == FQ_ROTATION_HAAR) {
        memset(state, 0, fq_rotation_state_bytes(kind, rounds, dim));
        fq_dense_haar(streams->gaussian, streams->rotation, dim, state, scratch);
        return;
    }
    const int n_rounds = sign_rounds(kind, rounds);
    if (n_rounds == 0)
        return;
    memset(state, 0, fq_rotation_state_bytes(kind, rounds, dim));
    const size_t words = mask_words(fq_rotation_work_dim(kind, dim));
    /* Stored byte by byte, least significant first: the state is the same on every machine. */
    uint8_t *bytes = state;
    for (size_t w = 0; w < (size_t)n_rounds * words; w++) {
        uint64_t word;
        streams->bits(streams->rotation, w, 1, &word);
        for (int b = 0; b < 8; b++)
            bytes[8 * w + (size_t)b] = (uint8_t)(word >> (8 * b));
    }
}

/* v[i] *= +-factor by the mask of one round. */
static void flip(const uint8_t *mask, size_t n, float factor, float *v) {
    const float factors[2] = {factor, -factor};
    for (size_t i = 0; i < n; i++)
        v[i] *= factors[(mask[i / 8] >> (i % 8)) & 1];
}

static void multiply(float factor, size_t n, float *v) {
    for (size_t i = 0; i < n; i++)
        v[i] *= factor;
}

static void hadamard_blocks(float *v, size_t n, size_t block) {
    for (size_t i = 0; i < n; i += block)
        fq_fwht(v + i, block);
}

static float inverse_sqrt(size_t n) {
    return (float)(1 / sqrt((double)n));
}

/* (a, b) -> (a + b, a - b) / sqrt(2) between the halves; symmetric, its own inverse. The factor of all four rounds is
 * 1/4, exact in binary, and applied by the caller once. */
static void kac(float *v, size_t n) {
    const size_t half = n / 2;
    for (size_t i = 0; i < half; i++) {
        const float a = v[i], b = v[i + half];
        v[i] = a + b;
        v[i + half] = a - b;
    }
}

static void kac_forward(const uint8_t *masks, size_t dim, size_t n, float *v) {
    const size_t p = power_of_two_upto(dim), mask_bytes = mask_words(n) * 8;
    const float factor = inverse_sqrt(p);
    for (size_t round = 0; round < KAC_ROUNDS; round++) {
        float *part = round % 2 == 0 ? v : v + (n - p);
        flip(masks + round * mask_bytes, n, 1, v);
        multiply(factor, p, part);
        fq_fwht(part, p);
        if (p != n)
            kac(v, n);
    }
    if (p != n)
        multiply(0.25F, n, v);
}

static void kac_inverse(const uint8_t *masks, size_t dim, size_t n, float *v) {
    const size_t p = power_of_two_upto(dim), mask_bytes = mask_words(n) * 8;
    const float factor = inverse_sqrt(p);
    for (size_t round = KAC_ROUNDS; round-- > 0;) {
        float *part = round % 2 == 0 ? v : v + (n - p);
        if (p != n)
            kac(v, n);
        multiply(factor, p, part);
        fq_fwht(part, p);
        flip(masks + round * mask_bytes, n, 1, v);
    }
    if (p != n)
        multiply(0.25F, n, v);
}

/* One vector of work_dim in place, all kinds but none and haar. */
static void forward(enum fq_rotation_kind kind, int rounds, size_t dim, size_t n, const uint8_t *masks, float *v) {
    const size_t block = kind == FQ_ROTATION_BLOCK32 ? 32 : kind == FQ_ROTATION_BLOCK64 ? 64 : n;
    const float factor = inverse_sqrt(block);
    switch (kind) {
    case FQ_ROTATION_HADAMARD:
        multiply(factor, n, v);
        fq_fwht(v, n);
        break;
    case FQ_ROTATION_FHT_KAC:
        kac_forward(masks, dim, n, v);
        break;
    default:
        for (int r = 0; r < sign_rounds(kind, rounds); r++) {
            flip(masks + (size_t)r * mask_words(n) * 8, n, factor, v);
            hadamard_blocks(v, n, block);
        }
    }
}

static void inverse(enum fq_rotation_kind kind, int rounds, size_t dim, size_t n, const uint8_t *masks, float *v) {
    const size_t block = kind == FQ_ROTATION_BLOCK32 ? 32 : kind == FQ_ROTATION_BLOCK64 ? 64 : n;
    const float factor = inverse_sqrt(block);
    switch (kind) {
    case FQ_ROTATION_HADAMARD:
        multiply(factor, n, v);
        fq_fwht(v, n);
        break;
    case FQ_ROTATION_FHT_KAC:
        kac_inverse(masks, dim, n, v);
        break;
    default:
        /* The factor stands before each transform, so that nothing grows on the way. */
        for (int r = sign_rounds(kind, rounds); r-- > 0;) {
            multiply(factor, n, v);
            hadamard_blocks(v, n, block);
            flip(masks + (size_t)r * mask_words(n) * 8, n, 1, v);
        }
    }
}

void fq_rotation_apply(enum fq_rotation_kind kind, int rounds, size_t dim, const void *state, size_t n, const float *x,
                       float *y) {
    const size_t work_dim = fq_rotation_work_dim(kind, dim);
    for (size_t i = 0; i < n; i++, x += dim, y += work_dim) {
        if (kind == FQ_ROTATION_HAAR) {
            fq_dense_apply(state, dim, x, y);
            continue;
        }
        memcpy(y, x, dim * sizeof *y);
        if (work_dim > dim)
            memset(y + dim, 0, (work_dim - dim) * sizeof *y);
        if (kind != FQ_ROTATION_NONE)
            forward(kind, rounds, dim, work_dim, state, y);
    }
}

void fq_rotation_invert(enum fq_rotation_kind kind, int rounds, size_t dim, const void *state, size_t n, const float *y,
                        float *x) {
    const size_t work_dim = fq_rotation_work_dim(kind, dim);
    float v[FQ_MAX_DIM]; /* the padded vector; x has room for its first dim coordinates only */
    for (size_t i = 0; i < n; i++, x += dim, y += work_dim) {
        if (kind == FQ_ROTATION_HAAR) {
            fq_dense_apply_transposed(state, dim, y, x);
            continue;
        }
        memcpy(v, y, work_dim * sizeof *v);
        if (kind != FQ_ROTATION_NONE)
            inverse(kind, rounds, dim, work_dim, state, v);
        memcpy(x, v, dim * sizeof *x);
    }
}
