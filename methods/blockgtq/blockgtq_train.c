/* Calibration of Block-GTQ: energy of each RoPE block over the training vectors, widths by greedy gain, groups of equal
 * width, one Haar matrix each. Nothing here runs while vectors are coded. */
#include "methods/blockgtq/blockgtq.h"

#include "methods/common/dense.h"
#include "methods/common/lloyd_max.h"

#include <math.h>
#include <string.h>

size_t gtq_coordinate(const struct gtq_layout *l, size_t block, size_t half) {
    return l->pairing == GTQ_HALF ? block + half * l->blocks : 2 * block + half;
}

uint16_t *gtq_places(void *shared) {
    return (uint16_t *)((uint8_t *)shared + sizeof(struct gtq_state));
}

const uint16_t *gtq_places_of(const void *shared) {
    return (const uint16_t *)((const uint8_t *)shared + sizeof(struct gtq_state));
}

uint8_t *gtq_widths(const struct gtq_layout *l, void *shared) {
    return (uint8_t *)(gtq_places(shared) + l->dim);
}

const float *gtq_matrix(const struct gtq_layout *l, const void *shared, size_t group) {
    const struct gtq_state *state = shared;
    const void *matrices = (const uint8_t *)shared + l->rotation_at;
    return (const float *)matrices + state->group[group].matrix;
}

/* What is left of a unit of energy at this width. */
static double remainder_at(int gain, int bits) {
    return gain == GTQ_RATE_LAW ? ldexp(1, -2 * bits) : fq_lloyd_max_distortion(bits);
}

double gtq_allocate(int gain, size_t blocks, const double *energy, int least, int most, size_t budget, uint8_t *width) {
    double total = 0;
    memset(width, least, blocks);
    for (size_t given = blocks * (size_t)least; given < budget; given++) {
        size_t best = blocks;
        double most_gained = -1;
        for (size_t i = 0; i < blocks; i++) {
            if (width[i] >= most)
                continue;
            const double gained = energy[i] * (remainder_at(gain, width[i]) - remainder_at(gain, width[i] + 1));
            if (gained > most_gained) {
                most_gained = gained;
                best = i;
            }
        }
        if (best == blocks)
            break;
        width[best]++;
    }
    for (size_t i = 0; i < blocks; i++)
        total += energy[i] * remainder_at(gain, width[i]);
    return total;
}

/* No more than l->groups distinct widths: of the runs of that many widths the one that leaves least. All eight is the
 * published allocation. */
static void allocate_within(const struct gtq_layout *l, const double *energy, uint8_t *width, uint8_t *trial) {
    double least = INFINITY;
    for (int low = GTQ_LEAST_BITS; low + (int)l->groups - 1 <= GTQ_MOST_BITS; low++) {
        const int high = low + (int)l->groups - 1;
        if (l->blocks * (size_t)low > l->budget || l->blocks * (size_t)high < l->budget)
            continue;
        const double left = gtq_allocate(l->gain, l->blocks, energy, low, high, l->budget, trial);
        if (left < least) {
            least = left;
            memcpy(width, trial, l->blocks);
        }
    }
}

static void block_energies(const struct gtq_layout *l, size_t n, const float *x, double *energy) {
    for (size_t i = 0; i < l->blocks; i++)
        energy[i] = 0;
    for (size_t v = 0; v < n; v++)
        for (size_t i = 0; i < l->blocks; i++)
            for (size_t half = 0; half < 2; half++) {
                const double c = (double)x[v * l->dim + gtq_coordinate(l, i, half)];
                energy[i] += c * c / (double)n;
            }
}

/* Groups in ascending order of width, blocks of a group in their own order. */
static void form_groups(const struct gtq_layout *l, const double *energy, void *shared) {
    struct gtq_state *state = shared;
    const uint8_t *width = gtq_widths(l, shared);
    uint16_t *place = gtq_places(shared);
    double total = 0;
    uint32_t filled = 0;
    uint64_t matrix = 0;
    for (size_t i = 0; i < l->blocks; i++)
        total += energy[i];
    state->n_groups = 0;
    for (uint32_t bits = GTQ_LEAST_BITS; bits <= GTQ_MOST_BITS; bits++) {
        struct gtq_group g = {.bits = bits, .first = filled, .matrix = matrix};
        double part = 0;
        for (size_t i = 0; i < l->blocks; i++) {
            if (width[i] != bits)
                continue;
            for (size_t half = 0; half < 2; half++)
                place[filled++] = (uint16_t)gtq_coordinate(l, i, half);
            part += energy[i];
        }
        g.dim = filled - g.first;
        g.weight = total > 0 ? sqrt(part / total) : 0;
        matrix += (uint64_t)g.dim * g.dim;
        if (g.dim > 0)
            state->group[state->n_groups++] = g;
    }
}

size_t gtq_train_scratch(const struct gtq_layout *l) {
    const size_t allocation = l->blocks * (sizeof(double) + 1);
    const size_t haar = l->rotation == GTQ_HAAR ? l->dim * l->dim * sizeof(double) : 0;
    return allocation > haar ? allocation : haar;
}

void gtq_train(const struct gtq_layout *l, const struct fq_streams *streams, size_t n, const float *x, void *shared,
               void *scratch) {
    struct gtq_state *state = shared;
    void *matrices = (uint8_t *)shared + l->rotation_at;
    double *energy = scratch;
    uint8_t *trial = (uint8_t *)(energy + l->blocks);
    block_energies(l, n, x, energy);
    allocate_within(l, energy, gtq_widths(l, shared), trial);
    form_groups(l, energy, shared);
    for (size_t g = 0; l->rotation == GTQ_HAAR && g < state->n_groups; g++) {
        /* Each width has a part of the stream of its own: groups must not share their draws. */
        const uint64_t first = (uint64_t)state->group[g].bits << 32;
        float *m = (float *)matrices + state->group[g].matrix;
        fq_dense_haar_at(streams->gaussian, streams->rotation, first, state->group[g].dim, m, scratch);
    }
}
