/* The outlier-channel split ("2.5 bit", "3.5 bit"): two scalar codes over two sets of channels, the louder set with one
 * bit more. turboquant-outlier has each part's codebook at its own scale; turboquant-mse@release-outlier has both at
 * 1/sqrt(128), whatever the dimension is, as the released cache code does.
 *
 * Which channels are loud is shared state, found by train(). Vectors after rotate: rotated loud part, rotated rest.
 * Record: indices and S of the loud part, then indices and S of the rest.
 * Shared: channel numbers (uint16, the loud ones first, each part ascending), then the two parts' shared blocks. */
#ifndef FQ_TURBOQUANT_OUTLIER_H
#define FQ_TURBOQUANT_OUTLIER_H

#include "methods/common/scalar_code.h"

/* The released method has those before its codebook, which is no choice there. */
enum {
    OUTLIER_BITS,
    OUTLIER_SHARE,
    OUTLIER_ROTATION,
    OUTLIER_ROUNDS,
    OUTLIER_SCALAR,
    OUTLIER_CODEBOOK,
    OUTLIER_PARAMS,
    OUTLIER_RELEASED_PARAMS = OUTLIER_CODEBOOK
};
enum { OUTLIER_RELEASED_UNIT_DIM = 128 };
enum { OUTLIER_LOUD, OUTLIER_REST, OUTLIER_PARTS };

struct turboquant_outlier {
    size_t dim;
    bool released; /* codebook scaled by 1/sqrt(128), and the released levels */
    struct fq_scalar_code part[OUTLIER_PARTS];
    size_t work_dim[OUTLIER_PARTS], shared_at[OUTLIER_PARTS], record_at[OUTLIER_PARTS];
    size_t record_bytes, shared_bytes, part_scratch_at, scratch_bytes;
};

struct turboquant_outlier turboquant_outlier_of(const struct fq_params *params, const struct fq_shape *shape);
struct turboquant_outlier turboquant_release_outlier_of(const struct fq_params *params, const struct fq_shape *shape);

/* Kernel bodies of either. */
void turboquant_outlier_rotate(const struct turboquant_outlier *split, const struct fq_call *call, size_t n,
                               const float *x, float *y);
size_t turboquant_outlier_encode(const struct turboquant_outlier *split, const struct fq_call *call, size_t n,
                                 const float *y, uint8_t *records);
void turboquant_outlier_score(const struct turboquant_outlier *split, const struct fq_call *call, const float *query,
                              size_t n, const uint8_t *records, float *scores);
void turboquant_outlier_decode(const struct turboquant_outlier *split, const struct fq_call *call, size_t n,
                               const uint8_t *records, float *x);
void turboquant_outlier_attend(const struct turboquant_outlier *split, const struct fq_call *call, size_t n,
                               const uint8_t *records, const float *weights, float *out);

extern const struct fq_kernels turboquant_outlier_ref, turboquant_release_outlier_ref;

#endif
