/* turboquant-mse: how its parameters name one scalar code; shared by the table and the kernel bodies. */
#ifndef FQ_TURBOQUANT_MSE_H
#define FQ_TURBOQUANT_MSE_H

#include "methods/common/scalar_code.h"

enum { MSE_BITS, MSE_ROTATION, MSE_ROUNDS, MSE_SCALE, MSE_CODEBOOK, MSE_SCALAR, MSE_PARAMS };

static inline struct fq_scalar_code turboquant_mse_code(const struct fq_params *params, const struct fq_shape *shape) {
    return (struct fq_scalar_code){
        .bits = (int)params->v[MSE_BITS],
        .rotation = (enum fq_rotation_kind)params->v[MSE_ROTATION],
        .rounds = (int)params->v[MSE_ROUNDS],
        .codebook = (enum fq_codebook_kind)params->v[MSE_CODEBOOK],
        .scale = (enum fq_scale_kind)params->v[MSE_SCALE],
        .scalar = (enum fq_scalar_kind)params->v[MSE_SCALAR],
        .dim = shape->dim,
    };
}

extern const struct fq_kernels turboquant_mse_ref;

#endif
