/* The trellis: Viterbi's search for the best path, and the bit stream of a path.
 *
 * A step's 2^b predecessors of a state differ only in the b bits that it drops, so the minimum over them depends on the
 * 6 bits handed on alone: 64 minima of 2^b costs, then 2^L additions. One byte per step and minimum remembers the
 * choice. No allocation, no recursion. Costs are floats: a path's cost is at most a few times n. */
#include "methods/tcq/tcq.h"

#include <string.h>

size_t tcq_viterbi_bytes(size_t n) {
    return (TCQ_MAX_STATES + TCQ_LOWS) * sizeof(float) + n * TCQ_LOWS;
}

static void add_distances(size_t states, const float *codebook, float z, const float *before, float *cost) {
    for (size_t s = 0; s < states; s += TCQ_LOWS)
        for (size_t low = 0; low < TCQ_LOWS; low++) {
            const float e = z - codebook[s + low];
            cost[s + low] = before[low] + e * e;
        }
}

double tcq_viterbi(int bits, const float *codebook, size_t n, const float *z, uint16_t *state, void *scratch) {
    const size_t states = (size_t)1 << (bits + TCQ_MEMORY), fan = (size_t)1 << bits;
    float *cost = scratch, *least = cost + TCQ_MAX_STATES;
    uint8_t *choice = (uint8_t *)(least + TCQ_LOWS);
    memset(least, 0, TCQ_LOWS * sizeof *least); /* any first state is free */
    add_distances(states, codebook, z[0], least, cost);
    for (size_t t = 1; t < n; t++) {
        uint8_t *chosen = choice + t * TCQ_LOWS;
        for (size_t low = 0; low < TCQ_LOWS; low++) {
            const float *from = cost + (low << bits);
            size_t best = 0;
            for (size_t j = 1; j < fan; j++)
                best = from[j] < from[best] ? j : best;
            least[low] = from[best];
            chosen[low] = (uint8_t)best;
        }
        add_distances(states, codebook, z[t], least, cost);
    }
    size_t s = 0;
    for (size_t other = 1; other < states; other++)
        s = cost[other] < cost[s] ? other : s;
    const double distance = (double)cost[s];
    for (size_t t = n; t-- > 0;) {
        state[t] = (uint16_t)s;
        const size_t low = s % TCQ_LOWS;
        if (t > 0)
            s = (low << bits) | choice[t * TCQ_LOWS + low];
    }
    return distance;
}

size_t tcq_stream_bytes(int bits, size_t n) {
    return ((size_t)bits * n + TCQ_MEMORY + 7) / 8;
}

void tcq_write_states(int bits, size_t n, const uint16_t *state, uint8_t *stream) {
    uint32_t held = state[0] % TCQ_LOWS;
    int n_held = TCQ_MEMORY;
    for (size_t t = 0; t < n; t++) {
        held |= (uint32_t)(state[t] >> TCQ_MEMORY) << n_held;
        n_held += bits;
        if (n_held >= 8) {
            *stream++ = (uint8_t)held;
            held >>= 8;
            n_held -= 8;
        }
    }
    if (n_held > 0)
        *stream = (uint8_t)held;
}

void tcq_read_states(int bits, size_t n, const uint8_t *stream, uint16_t *state) {
    const uint32_t mask = (1U << bits) - 1U;
    uint32_t held = *stream++;
    uint32_t low = held % TCQ_LOWS; /* what the state before the first would hand on */
    held >>= TCQ_MEMORY;
    int n_held = 8 - TCQ_MEMORY;
    for (size_t t = 0; t < n; t++) {
        if (n_held < bits) {
            held |= (uint32_t)*stream++ << n_held;
            n_held += 8;
        }
        const uint32_t s = low | (held & mask) << TCQ_MEMORY;
        held >>= bits;
        n_held -= bits;
        state[t] = (uint16_t)s;
        low = s >> bits;
    }
}
