/* turboquant-prod: layout of its records, shared state and scratch; shared by the table and the kernel bodies.
 *
 * Record:  (b-1)-bit indices | sign bits of the sketch | S = ||x|| / sqrt(w) | gamma = ||r|| (residual=vector, b > 1)
 * Shared:  shared block of the first stage | sketch matrix, w * w floats by columns
 * Scratch: residual or sum (w floats) | codeword or projection (w floats) | indices (w) | sign bytes (w)
 * with w = work_dim. For b = 1 the residual is the unit vector itself, gamma is 1 and is not stored. */
#ifndef FQ_TURBOQUANT_PROD_H
#define FQ_TURBOQUANT_PROD_H

#include "methods/common/scalar_code.h"

enum { PROD_BITS, PROD_SKETCH, PROD_RESIDUAL, PROD_ROTATION, PROD_ROUNDS, PROD_SCALAR, PROD_CODEBOOK, PROD_PARAMS };
enum prod_sketch { PROD_GAUSSIAN, PROD_ORTHOGONAL };
enum prod_residual { PROD_VECTOR, PROD_CONSTANT };

struct turboquant_prod {
    struct fq_scalar_code stage; /* b - 1 bits, S = 1 */
    enum prod_sketch sketch;
    bool stores_residual;
    size_t work_dim;
    size_t sign_at, norm_at, residual_at; /* offsets in a record */
    size_t record_bytes, sketch_at;       /* sketch_at: offset in the shared block */
    double gain;                          /* sqrt(w) k: xhat = S (c + gain gamma A^T z) with c in N(0,1) units */
    double constant_residual;             /* sqrt(D_{b-1}), what gamma is when it is not stored */
};

struct turboquant_prod turboquant_prod_of(const struct fq_params *params, const struct fq_shape *shape);

/* The released script's variant (turboquant_prod_release.c): another way to name the same layout. */
enum { RELEASE_BITS, RELEASE_ROTATION, RELEASE_ROUNDS, RELEASE_SCALAR, RELEASE_PARAMS };
struct turboquant_prod turboquant_prod_release_of(const struct fq_params *params, const struct fq_shape *shape);

/* Offsets and sizes from stage, sketch and stores_residual. */
void turboquant_prod_lay_out(struct turboquant_prod *prod);
struct fq_footprint turboquant_prod_footprint(const struct turboquant_prod *prod);
size_t turboquant_prod_setup_scratch(const struct turboquant_prod *prod);
void turboquant_prod_setup(const struct turboquant_prod *prod, const struct fq_streams *streams, void *shared,
                           void *scratch);

/* Kernel bodies of any such layout. */
size_t turboquant_prod_encode(const struct turboquant_prod *prod, const struct fq_call *call, size_t n_groups,
                              const float *y, uint8_t *records);
void turboquant_prod_prepare(const struct turboquant_prod *prod, const struct fq_call *call, size_t n, const float *q,
                             void *prepared);
void turboquant_prod_score(const struct turboquant_prod *prod, const struct fq_call *call, const void *prepared,
                           size_t n_groups, const uint8_t *records, float *scores);
void turboquant_prod_decode(const struct turboquant_prod *prod, const struct fq_call *call, size_t n_groups,
                            const uint8_t *records, float *x);
void turboquant_prod_attend(const struct turboquant_prod *prod, const struct fq_call *call, size_t n,
                            const uint8_t *records, const float *weights, float *out);

extern const struct fq_kernels turboquant_prod_ref, turboquant_prod_release_ref;

#endif
