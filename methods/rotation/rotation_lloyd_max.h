/* rotation-lloyd-max: how its parameters name one scalar code. */
#ifndef FQ_ROTATION_LLOYD_MAX_H
#define FQ_ROTATION_LLOYD_MAX_H

#include "methods/common/scalar_code.h"

enum { ROT_BITS, ROT_ROTATION, ROT_ROUNDS, ROT_SCALE, ROT_SCALAR, ROT_PARAMS };

static inline struct fq_scalar_code rotation_lloyd_max_code(const struct fq_params *params,
                                                            const struct fq_shape *shape) {
    return (struct fq_scalar_code){
        .bits = (int)params->v[ROT_BITS],
        .rotation = (enum fq_rotation_kind)params->v[ROT_ROTATION],
        .rounds = (int)params->v[ROT_ROUNDS],
        .codebook = FQ_CODEBOOK_GAUSSIAN,
        .scale = (enum fq_scale_kind)params->v[ROT_SCALE],
        .scalar = (enum fq_scalar_kind)params->v[ROT_SCALAR],
        .dim = shape->dim,
    };
}

extern const struct fq_kernels rotation_lloyd_max_ref;

#endif
