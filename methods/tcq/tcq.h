/* tcq: trellis-coded quantization with a bitshift trellis; what its files share.
 *
 * A state has L bits; b new bits enter at the top and b leave at the bottom: next = (previous >> b) | (symbol << (L -
 * b)), L = b + 6. The value of a coordinate is codebook[state]. Record: the L - b = 6 bits below the first symbol, then
 * one b-bit symbol per coordinate, least significant bit first, so that state t is bits [b t, b t + L); then the scale.
 * Shared: codebook (1024 floats, 2^L of them used), then the rotation. */
#ifndef FQ_METHODS_TCQ_H
#define FQ_METHODS_TCQ_H

#include "harness/method.h"
#include "methods/common/rotation.h"
#include "methods/common/scale.h"

enum { TCQ_BITS, TCQ_ROTATION, TCQ_ROUNDS, TCQ_SCALE, TCQ_SCALAR, TCQ_PARAMS };
enum { TCQ_MEMORY = 6, TCQ_LEAST_BITS = 2, TCQ_MOST_BITS = 4, TCQ_MAX_STATES = 1 << (TCQ_MOST_BITS + TCQ_MEMORY) };
enum { TCQ_LOWS = 1 << TCQ_MEMORY }; /* values of the bits that a state hands on */

struct tcq {
    int bits;
    enum fq_rotation_kind rotation;
    int rounds;
    enum fq_scale_kind scale;
    enum fq_scalar_kind scalar;
    size_t dim, work_dim, states, code_bytes, record_bytes;
};
struct tcq tcq_of(const struct fq_params *params, const struct fq_shape *shape);

/* Trained tables, 2^(bits + 6) values each; codebook_*.c. */
extern const float tcq_codebook_2[], tcq_codebook_3[], tcq_codebook_4[];
const float *tcq_codebook(int bits);

/* state[n]: of all paths through the trellis from any first state, one whose values have the least squared distance to
 * z[n]; among equals the lowest predecessor. Returns that distance. scratch: tcq_viterbi_bytes(n), 4-byte aligned. */
size_t tcq_viterbi_bytes(size_t n);
double tcq_viterbi(int bits, const float *codebook, size_t n, const float *z, uint16_t *state, void *scratch);

/* The bit stream. Reading stays within tcq_stream_bytes(bits, n). */
size_t tcq_stream_bytes(int bits, size_t n);
void tcq_write_states(int bits, size_t n, const uint16_t *state, uint8_t *stream);
void tcq_read_states(int bits, size_t n, const uint8_t *stream, uint16_t *state);

extern const struct fq_kernels tcq_ref;

#endif
