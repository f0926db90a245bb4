/* Product quantization: what its files share. Must not be included outside methods/pq. */
#ifndef FQ_METHODS_PQ_H
#define FQ_METHODS_PQ_H

#include "harness/method.h"
#include "methods/common/pack.h"
#include "methods/common/rotation.h"
#include "methods/common/scale.h"

enum { PQ_SUB_DIM, PQ_CODE_BITS, PQ_NORM, PQ_ITERATIONS, PQ_ROTATION, PQ_ROUNDS, PQ_N_PARAMS };
enum { PQ_NORM_NONE, PQ_NORM_FP16, PQ_NORM_FP32 };
enum { PQ_MOST_SUB_DIM = 64 };

/* A record: packed indices of the sub-vectors, then the norm if there is one. Shared state: that of the rotation, then
 * codebooks [subs][levels][sub_dim] float32. */
struct pq_layout {
    int code_bits, norm, iterations;
    enum fq_rotation_kind rotation;
    int rounds;
    size_t dim, work_dim, sub_dim, subs, levels;
    size_t rotation_bytes, codebook_bytes; /* of the shared state */
    size_t code_bytes, norm_bytes;         /* of a record */
    size_t most_training;                  /* vectors that training looks at; more are sampled evenly */
};
struct pq_layout pq_layout_of(const struct fq_params *params, const struct fq_shape *shape);

const float *pq_codebook(const struct pq_layout *l, const void *shared, size_t sub);
/* y[work_dim] with norm sqrt(work_dim) where the norm is stored apart, else unchanged; returns the norm divided out (1
 * without; 0 for a zero vector, which then stays zero). */
double pq_normalise(const struct pq_layout *l, float *y);

/* Bytes of work space, and the fit of all codebooks to x[n][dim]. */
size_t pq_train_scratch(const struct pq_layout *l);
void pq_train(const struct pq_layout *l, const struct fq_streams *streams, size_t n, const float *x, void *shared,
              void *scratch);

extern const struct fq_kernels pq_kernels_ref;

#endif
