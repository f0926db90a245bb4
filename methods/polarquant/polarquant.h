/* polarquant: layout of records and shared state; shared by the table and the kernel bodies.
 *
 * A block of 16 coordinates has 8 + 4 + 2 + 1 angles on four levels and one radius. Record, for w = work_dim:
 *   level-1 indices (b1 bits, w/2 of them) | level 2, 3, 4 indices (bu bits; w/4, w/8, w/16 of them) | radii (w/16)
 * Shared: cosines and sines of the reconstruction angles, decision bounds of levels 2 to 4, then the rotation. */
#ifndef FQ_METHODS_POLARQUANT_H
#define FQ_METHODS_POLARQUANT_H

#include "harness/method.h"
#include "methods/common/rotation.h"
#include "methods/common/scale.h"

enum { POLAR_FIRST_BITS, POLAR_UPPER_BITS, POLAR_ROTATION, POLAR_ROUNDS, POLAR_SCALAR, POLAR_PARAMS };
enum { POLAR_BLOCK = 16, POLAR_UPPER = 3, POLAR_MAX_FIRST = 8, POLAR_MAX_UPPER = 4, POLAR_UPPER_CELLS = 16 };

/* Levels 2, 3, 4 are entries 0, 1, 2. A multiple of 64 bytes. */
struct polar_tables {
    float first_cos[1 << POLAR_MAX_FIRST], first_sin[1 << POLAR_MAX_FIRST];
    float bound[POLAR_UPPER][POLAR_UPPER_CELLS]; /* 2^bu - 1 are used */
    float cosine[POLAR_UPPER][POLAR_UPPER_CELLS], sine[POLAR_UPPER][POLAR_UPPER_CELLS];
};

struct polar {
    int first_bits, upper_bits;
    enum fq_rotation_kind rotation;
    int rounds;
    enum fq_scalar_kind scalar;
    size_t dim, work_dim, blocks;
    size_t upper_at, radius_at, record_bytes;
};

struct polar polar_of(const struct fq_params *params, const struct fq_shape *shape);

/* Lloyd's codebook for the angle of level 2, 3 or 4, density proportional to sin^(2^(level-1) - 1)(2 psi) on [0, pi/2]:
 * angle[2^bits] ascending, bound[2^bits - 1] midpoints. Exact moments, iterated to the fixed point. For setup only. */
void polar_codebook(int level, int bits, double *angle, double *bound);

extern const struct fq_kernels polarquant_ref;

#endif
