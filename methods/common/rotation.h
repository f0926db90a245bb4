/* Rotations, shared by every method, so that a rotation never decides a quantizer contest.
 *
 * Kinds (methods.md 8): none; haar (QR of a Gaussian matrix, columns multiplied by sign(R_jj)); hadamard (normalised
 * Sylvester matrix, no signs); rht (1..4 rounds of H D, each with fresh signs); block-32, block-64 (one round of H D on
 * blocks); fht-kac (RaBitQ-Library's 4-round construction for any even d). State comes from streams.rotation only: two
 * methods with the same kind, d and seed have the same matrix, bit for bit.
 *
 * Dimensions that are no power of two: haar and none take any d; hadamard and rht pad with zeros to the next power of
 * two (work_dim; the padding is coded and counted); block-32/64 need d % block == 0; fht-kac needs d even and pads to a
 * multiple of 64. */
#ifndef FQ_METHODS_COMMON_ROTATION_H
#define FQ_METHODS_COMMON_ROTATION_H

#include "harness/method.h"

enum fq_rotation_kind {
    FQ_ROTATION_NONE,
    FQ_ROTATION_HAAR,
    FQ_ROTATION_HADAMARD,
    FQ_ROTATION_RHT,
    FQ_ROTATION_BLOCK32,
    FQ_ROTATION_BLOCK64,
    FQ_ROTATION_FHT_KAC
};
extern const char
    *const fq_rotation_choices[]; /* "none" "haar" "hadamard" "rht" "block-32" "block-64" "fht-kac", NULL */

/* The two parameter specs every rotating method puts into its table: rotation and rounds (1..4, used by rht). */
#define FQ_PARAM_ROTATION(default_kind)                                                                                \
    {                                                                                                                  \
        .name = "rotation",                                                                                            \
        .help = "random rotation before coding: none, haar, hadamard (no signs), rht, block-32, block-64, fht-kac",    \
        .kind = FQ_PARAM_CHOICE, .def = (default_kind), .choices = fq_rotation_choices                                 \
    }
#define FQ_PARAM_ROUNDS                                                                                                \
    {                                                                                                                  \
        .name = "rounds", .help = "rounds of signs and Hadamard in rotation=rht", .kind = FQ_PARAM_INT, .min = 1,      \
        .max = 4, .def = 2                                                                                             \
    }

/* 0, or -1 and a sentence. */
int fq_rotation_check(enum fq_rotation_kind kind, size_t dim, char *why, size_t why_size);
size_t fq_rotation_work_dim(enum fq_rotation_kind kind, size_t dim);
size_t fq_rotation_state_bytes(enum fq_rotation_kind kind, int rounds, size_t dim); /* multiple of 64 */
size_t fq_rotation_setup_scratch(enum fq_rotation_kind kind, size_t dim);
void fq_rotation_setup(enum fq_rotation_kind kind, int rounds, size_t dim, const struct fq_streams *streams,
                       void *state, void *scratch);

/* y[n][work_dim] = R x[n][dim]; x[n][dim] = first dim coordinates of R^T y. In place is not allowed. Scalar,
 * bit-stable. */
void fq_rotation_apply(enum fq_rotation_kind kind, int rounds, size_t dim, const void *state, size_t n, const float *x,
                       float *y);
void fq_rotation_invert(enum fq_rotation_kind kind, int rounds, size_t dim, const void *state, size_t n, const float *y,
                        float *x);

#endif
