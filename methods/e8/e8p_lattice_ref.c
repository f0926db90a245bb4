/* The code book of E8P (Tseng et al. 2024, section 4.2), scalar: 2^16 points of the lattice E8, shifted by 1/4.
 *
 * A point is v + 1/4 or v - 1/4 in all coordinates, v half-integers with an even sum (D8 + 1/2). |v| is one of 256
 * vectors: all 227 with ||v||^2 <= 10, in lexicographic order, then 29 of norm^2 12 that the authors chose. An even sum
 * fixes the parity of the number of negative signs, so eight sign bits have one to spare, and it holds the shift.
 *
 * Index: |v| in the high byte; sign bits in the low byte, in the order of the published kernels (coordinates 0 2 4 6 1
 * 3 5 7 from bit 0 on), where the sign of coordinate 7 is turned if the sum of |v| is odd, and bit 0 is turned if the
 * shift is -1/4. So the parity of the low byte is the shift. */
#include "methods/e8/e8p.h"

#include <math.h>

enum { ADDED = E8P_ABS - E8P_IN_BALL };

/* Of norm^2 12: five coordinates 3/2 and three 1/2; bit i of a mask is set where coordinate i is 1/2. */
static const uint8_t added[ADDED] = {0x0e, 0x0d, 0x0b, 0x07, 0xc8, 0xa8, 0x98, 0x68, 0x58, 0x38,
                                     0xc4, 0xa4, 0x94, 0x64, 0x54, 0x34, 0xc2, 0xa2, 0x92, 0x62,
                                     0x52, 0x31, 0xc1, 0xa1, 0x91, 0x61, 0x51, 0x13, 0x8c};

/* Bit of the low byte that holds the sign of coordinate i. */
static const uint8_t sign_bit[E8P_DIM] = {0, 4, 1, 5, 2, 6, 3, 7};

static void finish_entry(struct e8p_table *table, size_t k) {
    int sum = 0, square = 0;
    for (size_t i = 0; i < E8P_DIM; i++) {
        sum += table->doubled[k][i];
        square += table->doubled[k][i] * table->doubled[k][i];
    }
    table->half_square[k] = (float)square / 8;
    table->odd[k] = (uint8_t)((sum / 2) & 1);
}

/* Every vector of 1, 3, 5 (doubled) within the ball, lexicographically: an odometer whose last place turns fastest. */
static void fill_ball(struct e8p_table *table) {
    int8_t v[E8P_DIM] = {1, 1, 1, 1, 1, 1, 1, 1};
    for (size_t k = 0; k < E8P_IN_BALL;) {
        int square = 0;
        for (size_t i = 0; i < E8P_DIM; i++)
            square += v[i] * v[i];
        if (square <= 40) {
            for (size_t i = 0; i < E8P_DIM; i++)
                table->doubled[k][i] = v[i];
            k++;
        }
        size_t place = E8P_DIM;
        while (place > 0 && v[place - 1] == 5)
            v[--place] = 1;
        if (place == 0)
            return;
        v[place - 1] = (int8_t)(v[place - 1] + 2);
    }
}

void e8p_fill_table(struct e8p_table *table) {
    fill_ball(table);
    for (size_t k = 0; k < ADDED; k++)
        for (size_t i = 0; i < E8P_DIM; i++)
            table->doubled[E8P_IN_BALL + k][i] = (added[k] >> i) & 1 ? 1 : 3;
    for (size_t k = 0; k < E8P_ABS; k++)
        finish_entry(table, k);
}

static unsigned parity_of(unsigned byte) {
    byte ^= byte >> 4;
    byte ^= byte >> 2;
    return (byte ^ byte >> 1) & 1U;
}

void e8p_decode(const struct e8p_table *table, uint16_t index, float c[E8P_DIM]) {
    const unsigned entry = index >> 8U, shift = parity_of(index & 0xffU), signs = (index & 0xffU) ^ shift;
    for (size_t i = 0; i < E8P_DIM; i++) {
        const unsigned turned = i == E8P_DIM - 1 ? table->odd[entry] : 0;
        const unsigned negative = ((signs >> sign_bit[i]) & 1U) ^ turned;
        const float a = 0.5F * (float)table->doubled[entry][i];
        c[i] = (negative ? -a : a) + (shift ? -0.25F : 0.25F);
    }
}

/* Best entry for one shift: x' = x -+ 1/4, signs those of x', and where the parity is wrong the cheapest sign turned:
 * ||x' - v||^2 = ||x'||^2 - 2 (sum |x'_i| a_i - ||a||^2 / 2), less 2 |x'_i| a_i for the sign that is turned. */
struct choice {
    float gain; /* sum |x'_i| a_i - ||a||^2 / 2 - 2 |x'_turned| a_turned */
    size_t entry;
};

static struct choice search(const struct e8p_table *table, const float magnitude[E8P_DIM], unsigned negatives_odd) {
    struct choice best = {.gain = -INFINITY};
    float half[E8P_DIM];
    for (size_t i = 0; i < E8P_DIM; i++)
        half[i] = 0.5F * magnitude[i];
    for (size_t k = 0; k < E8P_ABS; k++) {
        const int8_t *a = table->doubled[k];
        float sum = 0, least = INFINITY;
        for (size_t i = 0; i < E8P_DIM; i++) {
            const float product = half[i] * (float)a[i];
            sum += product;
            least = product < least ? product : least;
        }
        const float gain = sum - table->half_square[k] - (table->odd[k] != negatives_odd ? 2 * least : 0);
        if (gain > best.gain)
            best = (struct choice){.gain = gain, .entry = k};
    }
    return best;
}

/* Sign bits of the chosen entry, parity repaired by turning the sign that costs least. */
static unsigned signs_for(const struct e8p_table *table, size_t entry, const float magnitude[E8P_DIM],
                          unsigned negatives) {
    if (parity_of(negatives) != table->odd[entry]) {
        size_t cheapest = 0;
        for (size_t i = 1; i < E8P_DIM; i++)
            if (magnitude[i] * (float)table->doubled[entry][i] <
                magnitude[cheapest] * (float)table->doubled[entry][cheapest])
                cheapest = i;
        negatives ^= 1U << cheapest;
    }
    unsigned bits = 0;
    for (size_t i = 0; i < E8P_DIM; i++)
        bits |= ((negatives >> i) & 1U) << sign_bit[i];
    return bits ^ ((unsigned)table->odd[entry] << sign_bit[E8P_DIM - 1]);
}

uint16_t e8p_nearest(const struct e8p_table *table, const float x[E8P_DIM]) {
    float magnitude[2][E8P_DIM], square[2] = {0, 0};
    unsigned negatives[2] = {0, 0};
    struct choice choice[2];
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < E8P_DIM; i++) {
            const float moved = s == 0 ? x[i] - 0.25F : x[i] + 0.25F;
            magnitude[s][i] = fabsf(moved);
            square[s] += moved * moved;
            negatives[s] |= (moved < 0 ? 1U : 0U) << i;
        }
        choice[s] = search(table, magnitude[s], parity_of(negatives[s]));
    }
    const size_t minus = square[1] - 2 * choice[1].gain < square[0] - 2 * choice[0].gain ? 1 : 0;
    const unsigned signs = signs_for(table, choice[minus].entry, magnitude[minus], negatives[minus]);
    return (uint16_t)(choice[minus].entry << 8 | (signs ^ (unsigned)minus));
}
