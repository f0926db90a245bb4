/* Block-GTQ: what its files share. Must not be included outside methods/blockgtq. */
#ifndef FQ_METHODS_BLOCKGTQ_H
#define FQ_METHODS_BLOCKGTQ_H

#include "harness/method.h"
#include "methods/common/scale.h"

enum { GTQ_AVG_BITS, GTQ_GROUPS, GTQ_PAIRING, GTQ_GAIN, GTQ_NORMS, GTQ_ROTATION, GTQ_N_PARAMS };
enum { GTQ_HALF, GTQ_ADJACENT };        /* pairs (i, i + d/2), or (2i, 2i + 1) */
enum { GTQ_RATE_LAW, GTQ_LLOYD_MAX };   /* what a bit is worth: 4^-b, or the distortion of the code itself */
enum { GTQ_PER_GROUP, GTQ_PER_VECTOR }; /* norms that are stored */
enum { GTQ_HAAR, GTQ_NONE };
enum { GTQ_LEAST_BITS = 1, GTQ_MOST_BITS = 8, GTQ_LEVELS = 1 << (GTQ_MOST_BITS + 1) };

struct gtq_layout {
    size_t dim, blocks; /* blocks = dim / 2 */
    size_t budget;      /* sum of the widths of all blocks; a block of width b takes 2 b bits */
    size_t groups;      /* most distinct widths */
    int pairing, gain, norms, rotation;
    size_t code_bytes, n_norms, record_bytes;
    size_t rotation_at; /* offset of the matrices in the shared state */
    size_t shared_bytes;
};
struct gtq_layout gtq_layout_of(const struct fq_params *params, const struct fq_shape *shape);

/* Shared state: this header, then place[dim], then width[blocks], then the matrices of the groups one behind the
 * other (haar only). A group holds all blocks of one width; groups lie in ascending order of width, and y is x with its
 * coordinates in that order: y[j] = x[place[j]], then rotated within each group. */
struct gtq_group {
    uint32_t bits, first, dim, unused; /* y[first .. first + dim) */
    uint64_t matrix;                   /* offset of its matrix, in floats behind rotation_at */
    double weight;                     /* square root of its part of the training energy: for one norm per vector */
};
struct gtq_state {
    uint32_t n_groups, unused;
    struct gtq_group group[GTQ_MOST_BITS];
    float levels[GTQ_LEVELS]; /* 2^b levels of width b from index 2^b on, in N(0,1) units */
    float bounds[GTQ_LEVELS]; /* the 2^b - 1 bounds of width b from index 2^b on */
};
uint16_t *gtq_places(void *shared);
const uint16_t *gtq_places_of(const void *shared);
uint8_t *gtq_widths(const struct gtq_layout *l, void *shared);
const float *gtq_matrix(const struct gtq_layout *l, const void *shared, size_t group);
/* The coordinate that half 0 or 1 of a block is. */
size_t gtq_coordinate(const struct gtq_layout *l, size_t block, size_t half);

/* Widths least .. most of sum `budget` for blocks of these energies: bit by bit to the block that gains most, the first
 * of equals. blocks * least <= budget <= blocks * most. Returns sum energy * D(width). */
double gtq_allocate(int gain, size_t blocks, const double *energy, int least, int most, size_t budget, uint8_t *width);

size_t gtq_train_scratch(const struct gtq_layout *l);
void gtq_train(const struct gtq_layout *l, const struct fq_streams *streams, size_t n, const float *x, void *shared,
               void *scratch);

extern const struct fq_kernels gtq_kernels_ref;

#endif
