/* RaBitQ: what its files share. Parameters by position, the layout of a record, the search for the rescale factor.
 *
 * Notation of the paper (methods.md 4.1), centroid 0: r = R x, n = ||r||, o = r / n, a_i = |o_i|, B = bits, ex = B - 1.
 * Must not be included outside methods/rabitq. */
#ifndef FQ_METHODS_RABITQ_H
#define FQ_METHODS_RABITQ_H

#include "harness/method.h"
#include "methods/common/pack.h"
#include "methods/common/rotation.h"
#include "methods/common/scale.h"

enum { RABITQ_BITS, RABITQ_ROTATION, RABITQ_ROUNDS, RABITQ_SEARCH, RABITQ_SCALE, RABITQ_SCALAR, RABITQ_N_PARAMS };
enum { RABITQ_EXACT, RABITQ_FAST };
enum { RABITQ_SCALE_MATCHED, RABITQ_SCALE_MSE, RABITQ_SCALE_UNBIASED };
enum { RABITQ_MAX_BITS = 8 };

extern const char *const rabitq_search_choices[]; /* "exact" "fast", NULL */
extern const char *const rabitq_scale_choices[];  /* "matched" "mse" "unbiased", NULL */

/* Parameters, unpacked. */
struct rabitq_config {
    int bits;
    int search;
    enum fq_scale_kind scale;
    enum fq_scalar_kind scalar;
    enum fq_rotation_kind rotation;
    int rounds;
};
struct rabitq_config rabitq_config_of(const struct fq_params *params);

/* Scratch of one worker, cut from call->scratch. Only encode uses `magnitude`, `inverse` and `search`. */
struct rabitq_scratch {
    double *sum;       /* [work_dim]: accumulated output of attend */
    double *magnitude; /* [work_dim]: a_i */
    double *inverse;   /* [work_dim]: 1 / a_i, 0 where a_i is 0 */
    float *grid;       /* [work_dim]: g or a decoded vector, still rotated */
    uint8_t *code;     /* [work_dim]: x_u, one a byte */
    void *search;      /* rabitq_search_bytes, with search=exact only */
};
size_t rabitq_scratch_bytes(const struct rabitq_config *config, size_t work_dim);
struct rabitq_scratch rabitq_scratch_of(void *scratch, size_t work_dim);

/* Step of the best uniform mid-rise grid for N(0,1) (methods.md 1.5): t = sqrt(d) / step is the constant rescale. */
double rabitq_step(int bits);

/* ---- the rescale factor t ------------------------------------------------------------------------------------------
 * For t > 0 the code is e_i(t) = min(floor(t a_i), 2^ex - 1), the grid point g_i = sign(r_i) (e_i + 1/2), and
 * cos(o, g) = sum (e_i + 1/2) a_i / sqrt(sum (e_i + 1/2)^2), which is constant between the critical values k / a_i. */

/* e_i at t, by the same comparison k * inverse[i] <= t that orders the critical values, so that rounding cannot tear
 * the code apart from the t that was chosen. */
unsigned rabitq_extended_code(int bits, double magnitude, double inverse, double t);

/* The t of the greatest cosine over all t > 0, ties to the smallest t: a critical value, or 0 where all e_i = 0 is
 * best. Exact. Scratch: rabitq_search_bytes. */
double rabitq_search_exact(int bits, size_t d, const double *magnitude, const double *inverse, void *scratch);
size_t rabitq_search_bytes(int bits, size_t d); /* multiple of 64 */

extern const struct fq_kernels rabitq_kernels_ref;
void rabitq_known_answers(const struct fq_answers *answers);

#endif
