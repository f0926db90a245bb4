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

enum {
    RABITQ_BITS,
    RABITQ_ROTATION,
    RABITQ_ROUNDS,
    RABITQ_SEARCH,
    RABITQ_SCALE,
    RABITQ_SCALAR,
    RABITQ_QUERY,
    RABITQ_BOUND,
    RABITQ_CENTROID,
    RABITQ_N_PARAMS
};
enum { RABITQ_EXACT, RABITQ_FAST };
enum {
    RABITQ_QUERY_FLOAT,
    RABITQ_QUERY_4BIT,
    RABITQ_QUERY_4BIT_RANDOMISED,
    RABITQ_QUERY_8BIT,
    RABITQ_QUERY_8BIT_RANDOMISED
};
enum { RABITQ_SCALE_MATCHED, RABITQ_SCALE_MSE, RABITQ_SCALE_UNBIASED };
enum { RABITQ_MAX_BITS = 8 };

extern const char *const rabitq_search_choices[]; /* "exact" "fast", NULL */
extern const char *const rabitq_scale_choices[];  /* "matched" "mse" "unbiased", NULL */
extern const char *const rabitq_query_choices[];  /* "float" "4bit" "4bit-randomised" "8bit" "8bit-randomised", NULL */

/* Parameters, unpacked. */
struct rabitq_config {
    int bits;
    int search;
    enum fq_scale_kind scale;
    enum fq_scalar_kind scalar;
    enum fq_rotation_kind rotation;
    int rounds;
    int query;
    bool bound;    /* f_error stored in each record */
    bool centroid; /* R c in the shared state, subtracted before coding */
};
struct rabitq_config rabitq_config_of(const struct fq_params *params);

/* Shared state, each part a multiple of 64 bytes: rotation; R c (float32 [work_dim], centroid=mean); the offsets of
 * randomised rounding (float32 [work_dim], query=4bit-randomised and 8bit-randomised). */
size_t rabitq_vector_bytes(size_t work_dim);
size_t rabitq_centroid_at(const struct rabitq_config *config, size_t dim);
size_t rabitq_rounding_at(const struct rabitq_config *config, size_t dim);
size_t rabitq_shared_bytes(const struct rabitq_config *config, size_t dim);

/* Scratch of one worker, cut from call->scratch. Only encode uses `magnitude`, `inverse` and `search`. */
struct rabitq_scratch {
    double *sum;       /* [work_dim]: accumulated output of attend */
    double *magnitude; /* [work_dim]: a_i */
    double *inverse;   /* [work_dim]: 1 / a_i, 0 where a_i is 0 */
    float *residual;   /* [work_dim]: r = R x - R c */
    float *grid;       /* [work_dim]: g or a decoded vector, still rotated */
    uint8_t *code;     /* [work_dim]: x_u, one a byte */
    void *search;      /* rabitq_search_bytes, with search=exact only */
};
size_t rabitq_scratch_bytes(const struct rabitq_config *config, size_t work_dim);
struct rabitq_scratch rabitq_scratch_of(void *scratch, size_t work_dim);

/* Step of the best uniform mid-rise grid for N(0,1) (methods.md 1.5): t = sqrt(d) / step is the constant rescale. */
double rabitq_step(int bits);

/* What the kernels need to know about one record, and where it all lies. */
struct rabitq_layout {
    struct rabitq_config config;
    struct rabitq_scratch scratch;
    size_t dim, work_dim, code_bytes, record_bytes;
    double step, centre; /* c_B = -(2^B - 1) / 2 */
    const void *rotation;
    const float *centroid; /* R c, or NULL */
    const float *rounding; /* or NULL */
};
struct rabitq_layout rabitq_layout_of(const struct fq_call *call);

/* f_error of one record (bound=stored), from its bytes alone:
 *     f_error = n eps0 sqrt((n^2 ||g||^2 / <r,g>^2 - 1) / (d' - 1)), eps0 = 1.9,
 * so that |estimate - <q,x>| <= f_error ||q|| holds for all but a share of the vectors: estimate - <q,x> is close to
 * normal with standard deviation f_error ||q|| sqrt(1 - rho^2) / 1.9, rho the cosine of q and r (methods.md 4.2). That
 * is 5.7 % misses at rho = 0, 2.8 % at .5, none at .9; a quantized query adds an error of its own. */
double rabitq_error_factor(const struct fq_call *call, const uint8_t *record);

/* Query side (rabitq_query_ref.c). Bytes of a prepared query:
 *     float:  q' = R q [work_dim], c_B sum q', <q', R c>; float32
 *     else:   v_l, width, sum of the codes, <q', R c>; float32; then the packed codes. */
size_t rabitq_prepared_bytes(const struct rabitq_config *config, size_t work_dim);
int rabitq_query_bits(int query); /* 4 or 8; 0 for float */
bool rabitq_query_is_randomised(int query);
void rabitq_prepare_ref(const struct fq_call *call, size_t n, const float *q, void *prepared);
void rabitq_score_ref(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                      float *scores);

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
