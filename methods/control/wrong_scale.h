/* wrong-scale: a scalar code whose codebook is scaled for d = 128 whatever the dimension is. */
#ifndef FQ_WRONG_SCALE_H
#define FQ_WRONG_SCALE_H

#include "methods/common/scalar_code.h"

enum { WRONG_BITS, WRONG_ROTATION, WRONG_ROUNDS, WRONG_SCALE, WRONG_SCALAR, WRONG_PARAMS };
enum { WRONG_UNIT_DIM = 128 };

static inline struct fq_scalar_code wrong_scale_code(const struct fq_params *params, const struct fq_shape *shape) {
    return (struct fq_scalar_code){
        .bits = (int)params->v[WRONG_BITS],
        .rotation = (enum fq_rotation_kind)params->v[WRONG_ROTATION],
        .rounds = (int)params->v[WRONG_ROUNDS],
        .codebook = FQ_CODEBOOK_GAUSSIAN,
        .scale = (enum fq_scale_kind)params->v[WRONG_SCALE],
        .scalar = (enum fq_scalar_kind)params->v[WRONG_SCALAR],
        .dim = shape->dim,
        .unit_dim = WRONG_UNIT_DIM, /* the mistake */
    };
}

extern const struct fq_kernels wrong_scale_ref;

#endif
