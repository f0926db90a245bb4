/* turboquant@vllm: layout of key and value records; shared by the table and the kernel bodies.
 *
 * Key: packed indices of d coordinates, ||k|| in half precision. Value: packed codes of d coordinates, scale, minimum,
 * both in half precision. Shared: the head of a scalar code's block (codebook and bounds); there is no random state. */
#ifndef FQ_TURBOQUANT_VLLM_H
#define FQ_TURBOQUANT_VLLM_H

#include "methods/common/scalar_code.h"

enum { VLLM_BITS, VLLM_NORM_CORRECTION, VLLM_PARAMS };
enum { VLLM_SCALAR_BYTES = 2 };

struct vllm_layout {
    struct fq_scalar_code code; /* of keys: plain Hadamard, Gaussian codebook */
    bool is_key, corrects_norm;
    int bits;
    size_t dim, code_bytes, record_bytes;
};

struct vllm_layout vllm_layout_of(const struct fq_params *params, const struct fq_shape *shape);

extern const struct fq_kernels turboquant_vllm_ref;

#endif
