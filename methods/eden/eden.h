/* eden, drive and lloyd-max-search: how the parameters of each name one scalar code, and the scale search.
 *
 * All three are "rotate, Lloyd-Max level, one scalar" (methods/common/scalar_code.h). What sets them apart is the
 * number of bits and the choice of the code: eden takes the nearest level, lloyd-max-search the best of many scalings.
 */
#ifndef FQ_METHODS_EDEN_H
#define FQ_METHODS_EDEN_H

#include "methods/common/scalar_code.h"

/* The paper's two scales; drive has the same. */
extern const char *const eden_scale_choices[]; /* "unbiased" "mse", NULL */
#define EDEN_PARAM_SCALE                                                                                               \
    {                                                                                                                  \
        .name = "scale", .help = "stored scalar: unbiased (||y||^2 / <c,y>) or mse (<c,y> / ||c||^2, least squares)",  \
        .kind = FQ_PARAM_CHOICE, .def = 0, .choices = eden_scale_choices                                               \
    }
/* As published: one round. FQ_PARAM_ROUNDS of common has another default. */
#define EDEN_PARAM_ROUNDS                                                                                              \
    {                                                                                                                  \
        .name = "rounds", .help = "rounds of signs and Hadamard in rotation=rht; 1 is the published code",             \
        .kind = FQ_PARAM_INT, .min = 1, .max = 4, .def = 1                                                             \
    }

enum { EDEN_BITS, EDEN_ROTATION, EDEN_ROUNDS, EDEN_SCALE, EDEN_SCALAR, EDEN_PARAMS };
struct fq_scalar_code eden_code(const struct fq_params *params, const struct fq_shape *shape);
extern const struct fq_kernels eden_ref;

enum { DRIVE_ROTATION, DRIVE_ROUNDS, DRIVE_SCALE, DRIVE_SCALAR, DRIVE_PARAMS };
struct fq_scalar_code drive_code(const struct fq_params *params, const struct fq_shape *shape);
extern const struct fq_kernels drive_ref;

enum { LMS_BITS, LMS_SEARCH, LMS_ROTATION, LMS_ROUNDS, LMS_SCALE, LMS_SCALAR, LMS_PARAMS };
enum lms_search { LMS_GRID, LMS_EXACT };
struct fq_scalar_code lms_code(const struct fq_params *params, const struct fq_shape *shape);
/* Offset of the search's work space behind that of the scalar code, and its bytes for n coordinates. */
size_t lms_scratch_offset(const struct fq_scalar_code *code);
size_t lms_search_bytes(size_t n);
extern const struct fq_kernels lloyd_max_search_ref;

/* The search. z[n] is the normalised rotated vector (not all zero); bounds and levels are a symmetric ascending
 * codebook whose bounds are midpoints. index[n] receives the code c = Q(t z) of greatest cosine <c,z> / ||c||.
 * grid: t among eight factors. exact: over all t > 0. scratch: lms_search_bytes(n), 8-byte aligned. */
enum { LMS_CANDIDATES = 8 };
extern const double lms_factors[LMS_CANDIDATES];
void lms_search_grid(int bits, const float *bounds, const float *levels, size_t n, const double *z, uint8_t *index,
                     void *scratch);
void lms_search_exact(int bits, const float *bounds, const float *levels, size_t n, const double *z, uint8_t *index,
                      void *scratch);

#endif
