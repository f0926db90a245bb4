/* The pipeline "rotate, normalise, Lloyd-Max, one scalar per vector", written once.
 *
 * turboquant-mse, the rotation-only presets and EDEN without a search are this pipeline with other parameters, and
 * turboquant-prod's first stage is it too. A method stays a thin table over it, so that two of them that should agree
 * cannot differ by accident. Reference bodies: scalar, bit-stable; they follow the kernel rules of harness/method.h.
 *
 * Record: packed indices of work_dim coordinates (bits each), then the scale S. Decoded form: x = S R^T c(index), c in
 * N(0,1) units. A vector of norm zero has S = 0 and decodes to zeros. */
#ifndef FQ_METHODS_COMMON_SCALAR_CODE_H
#define FQ_METHODS_COMMON_SCALAR_CODE_H

#include "harness/method.h"
#include "methods/common/rotation.h"
#include "methods/common/scale.h"

enum fq_codebook_kind { FQ_CODEBOOK_GAUSSIAN, FQ_CODEBOOK_SPHERE };
extern const char *const fq_codebook_choices[]; /* "gaussian" "sphere", NULL */

#define FQ_PARAM_CODE_BITS(least, default_bits)                                                                        \
    {                                                                                                                  \
        .name = "bits", .help = "bits per coordinate of code, without the per-vector scalars", .kind = FQ_PARAM_INT,   \
        .min = (least), .max = 8, .def = (default_bits)                                                                \
    }

#define FQ_PARAM_CODEBOOK                                                                                              \
    {                                                                                                                  \
        .name = "codebook",                                                                                            \
        .help = "density the Lloyd-Max levels are optimal for: gaussian (its limit), sphere (the coordinate of a "     \
                "unit vector at this d)",                                                                              \
        .kind = FQ_PARAM_CHOICE, .def = FQ_CODEBOOK_GAUSSIAN, .choices = fq_codebook_choices                           \
    }

struct fq_scalar_code {
    int bits; /* 0..8; 0 codes nothing: c = 0 */
    enum fq_rotation_kind rotation;
    int rounds;
    enum fq_codebook_kind codebook;
    enum fq_scale_kind scale;
    enum fq_scalar_kind scalar;
    size_t dim;
    /* d in "a unit vector's coordinate is level / sqrt(d)". 0 means work_dim, which is right; a negative control sets
     * it to something else. */
    size_t unit_dim;
};

/* 0, or -1 and a sentence. */
int fq_scalar_code_check(const struct fq_scalar_code *code, char *why, size_t why_size);
size_t fq_scalar_code_work_dim(const struct fq_scalar_code *code);
struct fq_footprint fq_scalar_code_footprint(const struct fq_scalar_code *code);
size_t fq_scalar_code_setup_scratch(const struct fq_scalar_code *code);
void fq_scalar_code_setup(const struct fq_scalar_code *code, const struct fq_streams *streams, void *shared,
                          void *scratch);

/* Parts of the shared block. */
const float *fq_scalar_code_levels(const void *shared);
const float *fq_scalar_code_bounds(const void *shared);
const void *fq_scalar_code_rotation_state(const void *shared);

/* Nearest levels of sqrt(d) y / ||y||: index[work_dim] and c[work_dim] = levels[index]. Returns ||y||; when it is zero
 * the indices are those of zero coordinates. */
double fq_scalar_code_quantize(const struct fq_scalar_code *code, const void *shared, const float *y, uint8_t *index,
                               float *c);

/* Kernel bodies; scratch and shared come from the call. */
void fq_scalar_code_rotate(const struct fq_scalar_code *code, const struct fq_call *call, size_t n, const float *x,
                           float *y);
size_t fq_scalar_code_encode(const struct fq_scalar_code *code, const struct fq_call *call, size_t n, const float *y,
                             uint8_t *records);
void fq_scalar_code_score(const struct fq_scalar_code *code, const struct fq_call *call, const float *rotated_query,
                          size_t n, const uint8_t *records, float *scores);
void fq_scalar_code_decode(const struct fq_scalar_code *code, const struct fq_call *call, size_t n,
                           const uint8_t *records, float *x);
/* The weighted sum is formed among rotated vectors and rotated back once. */
void fq_scalar_code_attend(const struct fq_scalar_code *code, const struct fq_call *call, size_t n,
                           const uint8_t *records, const float *weights, float *out);

#endif
