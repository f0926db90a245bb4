/* E8P, the 8-dimensional lattice code of QuIP#: what its files share. Must not be included outside methods/e8. */
#ifndef FQ_METHODS_E8P_H
#define FQ_METHODS_E8P_H

#include "harness/method.h"
#include "methods/common/rotation.h"
#include "methods/common/scale.h"

enum { E8P_INPUT_SCALE, E8P_SCALE, E8P_SCALAR, E8P_ROTATION, E8P_ROUNDS, E8P_N_PARAMS };
enum { E8P_DIM = 8, E8P_ABS = 256, E8P_IN_BALL = 227, E8P_INDEX_BYTES = 2 };

/* The 256 absolute vectors, doubled so that they are odd whole numbers, and what the search needs of each. Shared
 * state, behind the rotation's. */
struct e8p_table {
    int8_t doubled[E8P_ABS][E8P_DIM];
    float half_square[E8P_ABS]; /* ||a||^2 / 2 */
    uint8_t odd[E8P_ABS];       /* sum of a odd: an odd number of signs must be negative */
};

struct e8p_layout {
    double input_scale;
    enum fq_scale_kind scale;
    enum fq_scalar_kind scalar;
    enum fq_rotation_kind rotation;
    int rounds;
    size_t dim, work_dim, blocks;
    size_t code_bytes, record_bytes, rotation_bytes;
};
struct e8p_layout e8p_layout_of(const struct fq_params *params, const struct fq_shape *shape);

void e8p_fill_table(struct e8p_table *table);
/* The code word of a 16-bit index: c[8] in the lattice's own units. */
void e8p_decode(const struct e8p_table *table, uint16_t index, float c[E8P_DIM]);
/* Index of the code word nearest to x, exactly. */
uint16_t e8p_nearest(const struct e8p_table *table, const float x[E8P_DIM]);

extern const struct fq_kernels e8p_kernels_ref;

#endif
