/* The rescale factor as RaBitQ-Library searches it (best_rescale_factor), and its constant (get_const_scaling_factors).
 *
 * Two faults are part of it, on purpose (methods.md 4.4): the sweep starts at a fixed fraction of its end, above the
 * optimum at the dimensions of attention heads for 4 bits; and codes are scored unclamped, so that at 2 bits too large
 * a factor looks best. The paper's search is rabitq_search_ref.c. No allocation, no state. */
#include "methods/rabitq/library.h"

#include <math.h>
#include <string.h>

/* Where the sweep starts, as a fraction of its end, by ex; single precision in the library. */
static const float start_fraction[] = {0, 0.15F, 0.20F, 0.52F, 0.59F, 0.71F, 0.75F, 0.77F, 0.81F};
enum { BEYOND = 10 }; /* the end lies this many codes past the largest one */
static const double nudge = 1e-5;

/* The next step of one coordinate. */
struct step {
    double t;
    uint32_t i;
    int32_t code; /* e_i before the step */
};

static bool before(const struct step *a, const struct step *b) {
    return a->t < b->t || (a->t <= b->t && a->i < b->i);
}

static void sift_down(struct step *heap, size_t n, size_t at) {
    const struct step moved = heap[at];
    for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &moved))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

size_t rabitq_library_search_bytes(size_t padded) {
    return padded * sizeof(struct step); /* a multiple of 64 because padded is */
}

double rabitq_library_search(int ex, size_t padded, const double *magnitude, void *heap_bytes) {
    struct step *heap = heap_bytes;
    const int top = (1 << ex) - 1;
    double largest = 0;
    for (size_t i = 0; i < padded; i++)
        largest = magnitude[i] > largest ? magnitude[i] : largest;
    const double end = (double)(top + BEYOND) / largest;
    const double start = end * (double)start_fraction[ex];

    double squared = 0.25 * (double)padded, numerator = 0;
    for (size_t i = 0; i < padded; i++) {
        const int e = (int)(start * magnitude[i] + nudge);
        squared += e * e + e;
        numerator += (e + 0.5) * magnitude[i];
        heap[i] = (struct step){.t = (double)(e + 1) / magnitude[i], .i = (uint32_t)i, .code = e};
    }
    size_t n = padded;
    for (size_t i = n / 2; i-- > 0;)
        sift_down(heap, n, i);

    double best = 0, best_t = 0;
    while (n > 0) {
        struct step *next = &heap[0];
        const double a = magnitude[next->i];
        const int e = ++next->code;
        squared += 2 * e;
        numerator += a;
        const double cosine = numerator / sqrt(squared);
        if (cosine > best) {
            best = cosine;
            best_t = next->t;
        }
        next->t = (double)(e + 1) / a;
        if (!(e < top && next->t < end))
            heap[0] = heap[--n];
        if (n > 0)
            sift_down(heap, n, 0);
    }
    return best_t;
}

/* ---- the constant
 * ---------------------------------------------------------------------------------------------------- std::mt19937
 * (Matsumoto & Nishimura 1998) and std::normal_distribution<double> as libstdc++ implements it: Marsaglia's polar
 * method on uniforms of two words each. Written out so that the constant is the library's own. */

enum { TWISTER_WORDS = 624, TWISTER_MIDDLE = 397, SAMPLES = 100, SEED = 42 };

struct twister {
    uint32_t word[TWISTER_WORDS];
    size_t at;
    double saved;
    bool has_saved;
};

static void twister_seed(struct twister *g, uint32_t seed) {
    g->word[0] = seed;
    for (uint32_t i = 1; i < TWISTER_WORDS; i++)
        g->word[i] = 1812433253U * (g->word[i - 1] ^ (g->word[i - 1] >> 30)) + i;
    g->at = TWISTER_WORDS;
    g->has_saved = false;
}

static uint32_t twister_next(struct twister *g) {
    if (g->at == TWISTER_WORDS) {
        for (size_t i = 0; i < TWISTER_WORDS; i++) {
            const uint32_t y = (g->word[i] & 0x80000000U) | (g->word[(i + 1) % TWISTER_WORDS] & 0x7fffffffU);
            g->word[i] = g->word[(i + TWISTER_MIDDLE) % TWISTER_WORDS] ^ (y >> 1) ^ (y & 1U ? 0x9908b0dfU : 0U);
        }
        g->at = 0;
    }
    uint32_t y = g->word[g->at++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680U;
    y ^= (y << 15) & 0xefc60000U;
    return y ^ (y >> 18);
}

static double twister_uniform(struct twister *g) {
    const double low = twister_next(g);
    const double u = (low + 4294967296.0 * twister_next(g)) / 18446744073709551616.0;
    return u < 1 ? u : 1 - 0x1p-53;
}

static double twister_normal(struct twister *g) {
    if (g->has_saved) {
        g->has_saved = false;
        return g->saved;
    }
    double x, y, r2;
    do {
        x = 2 * twister_uniform(g) - 1;
        y = 2 * twister_uniform(g) - 1;
        r2 = x * x + y * y;
    } while (r2 > 1 || r2 <= 0);
    const double scale = sqrt(-2 * log(r2) / r2);
    g->saved = x * scale;
    g->has_saved = true;
    return y * scale;
}

static size_t round_up_64(size_t n) {
    return (n + 63) / 64 * 64;
}

size_t rabitq_library_constant_bytes(size_t padded) {
    return rabitq_library_search_bytes(padded) + round_up_64(padded * sizeof(double)) +
           round_up_64(sizeof(struct twister));
}

double rabitq_library_constant(int ex, size_t padded, void *scratch) {
    uint8_t *at = scratch;
    double *magnitude = (double *)(void *)(at + rabitq_library_search_bytes(padded));
    struct twister *g = (struct twister *)(void *)((uint8_t *)magnitude + round_up_64(padded * sizeof(double)));
    twister_seed(g, SEED);
    double sum = 0;
    for (int sample = 0; sample < SAMPLES; sample++) {
        double norm2 = 0;
        for (size_t i = 0; i < padded; i++) {
            magnitude[i] = twister_normal(g);
            norm2 += magnitude[i] * magnitude[i];
        }
        for (size_t i = 0; i < padded; i++)
            magnitude[i] = fabs(magnitude[i] / sqrt(norm2));
        sum += rabitq_library_search(ex, padded, magnitude, at);
    }
    return sum / SAMPLES;
}
