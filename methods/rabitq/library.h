/* rabitq@library: RaBitQ as its authors' library ships it (VectorDB-NTU/RaBitQ-Library, commit 7c2d0d7), beside the
 * paper's optimum in rabitq.h. What its files share: parameters by position, the layout of a record, the trimmed
 * search.
 *
 * Notation as in rabitq.h, with D the dimension padded to a multiple of 64 and centroid 0. README.md lists what is
 * reproduced and what is not. Must not be included outside methods/rabitq, and shares no code with the paper's method:
 * a fault of one must not be able to hide in the other. */
#ifndef FQ_METHODS_RABITQ_LIBRARY_H
#define FQ_METHODS_RABITQ_LIBRARY_H

#include "harness/method.h"
#include "methods/common/rotation.h"

enum { LIBRARY_BITS, LIBRARY_ROTATION, LIBRARY_ROUNDS, LIBRARY_SEARCH, LIBRARY_FORM, LIBRARY_N_PARAMS };
enum { LIBRARY_SHIPPED, LIBRARY_FASTER_QUANT };
enum { LIBRARY_SPLIT, LIBRARY_RECONSTRUCTION, LIBRARY_UNBIASED, LIBRARY_PLAIN };
enum { LIBRARY_MAX_BITS = 9, LIBRARY_GROUP = 64, LIBRARY_CONSTANT_BYTES = 64 };

struct rabitq_library_config {
    int bits;
    int search;
    int form;
    enum fq_rotation_kind rotation;
    int rounds;
};
struct rabitq_library_config rabitq_library_config_of(const struct fq_params *params);

/* D, and the dimension that the rotation is made for: fht-kac pads by itself, as in the library; before every other
 * rotation the vector is padded. */
size_t rabitq_library_padded(size_t dim);
size_t rabitq_library_rotated(const struct rabitq_library_config *config, size_t dim);

/* Scratch of one worker. */
struct rabitq_library_scratch {
    double *sum;       /* [D]: accumulated output of attend */
    double *magnitude; /* [D]: a_i, single precision numbers */
    float *vector;     /* [D]: a padded or a decoded vector */
    uint16_t *code;    /* [D]: x_u */
    uint8_t *extended; /* [D]: ex code */
    void *heap;        /* rabitq_library_search_bytes */
};
size_t rabitq_library_scratch_bytes(size_t padded);
struct rabitq_library_scratch rabitq_library_scratch_of(void *scratch, size_t padded);

/* ---- record
 * ---------------------------------------------------------------------------------------------------------- split
 * (BinDataMap and ExDataMap of the library), float32 factors, all bytes little-endian: sign plane [D/8]   f_add
 * f_rescale f_error   and for bits > 1:   ex codes [ex D/8]   f_add_ex f_rescale_ex The other forms (quantize_scalar):
 * codes, bits each [bits D/8]   delta   vl. The library leaves these codes one a byte; here they are packed. */
size_t rabitq_library_code_bytes(const struct rabitq_library_config *config, size_t padded);
size_t rabitq_library_factor_bytes(const struct rabitq_library_config *config);

/* Sign plane: coordinate i is bit 63 - i % 64 of the 64-bit word i / 64. */
void rabitq_library_pack_signs(size_t padded, const uint16_t *code, int ex, uint8_t *plane);
/* Ex codes in the library's groups of 64 coordinates, made for its vector instructions. */
void rabitq_library_pack_extended(size_t padded, int ex, const uint8_t *extended, uint8_t *packed);
/* x_u = (sign << ex) + ex code. `extended` may be NULL when ex is 0. */
void rabitq_library_unpack(size_t padded, int ex, const uint8_t *plane, const uint8_t *extended, uint16_t *code);

/* ---- the rescale factor -------------------------------------------------------------------------------------------
 */

/* best_rescale_factor: searches t in [start(ex) t_end, t_end], t_end = (2^ex + 9) / max a, without clamping codes while
 * it scores them; the first step of every coordinate is allowed even past the largest code and past t_end. ex >= 1,
 * some magnitude > 0. */
double rabitq_library_search(int ex, size_t padded, const double *magnitude, void *heap);
size_t rabitq_library_search_bytes(size_t padded); /* multiple of 64 */

/* get_const_scaling_factors: mean of the above over 100 normalised Gaussian vectors from the C++ standard generator
 * with seed 42, as libstdc++ makes them: a constant of (ex, D), not a random choice of this experiment. */
double rabitq_library_constant(int ex, size_t padded, void *scratch);
size_t rabitq_library_constant_bytes(size_t padded);

extern const struct fq_kernels rabitq_library_kernels_ref;

#endif
