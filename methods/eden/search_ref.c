/* The scale search: of the codes Q(t z), t > 0, take the one of greatest cosine with z.
 *
 * Nothing in the record tells that a search was made: the decoder sees indices and one scalar as always. With the
 * unbiased scale the error depends on the cosine alone (methods.md 1.1), so this is the best that a Lloyd-Max codebook
 * can do when the whole vector shares one t.
 *
 * grid: eight factors around 1 (methods.md 5.3). exact: the sweep of RaBitQ's rescale search with the levels of the
 * codebook in place of its uniform grid. As t grows, coordinate i moves from level k-1 to k at t = bound_k / a_i, a_i =
 * |z_i|; then <c, z> gains (l_k - l_{k-1}) a_i and ||c||^2 gains l_k^2 - l_{k-1}^2. Each coordinate's events come in
 * order, so a heap of one pending event per coordinate visits all of them in O(2^(b-1) n log n) with O(n) memory. The
 * sweep ends where no later state can win: beyond t every a_i >= bound_K / t sits at the top level, and no vector that
 * is constant on that set has a squared cosine (times ||z||^2) above (sum_set a)^2 / |set| + sum_rest a^2, which falls
 * as the set grows. No allocation, no recursion; sums run in double. */
#include "methods/eden/eden.h"

#include "methods/common/lloyd_max.h"

#include <math.h>
#include <string.h>

const double lms_factors[LMS_CANDIDATES] = {0.82,
                                            0.82 + 0.36 / 7,
                                            0.82 + 2 * 0.36 / 7,
                                            0.82 + 3 * 0.36 / 7,
                                            0.82 + 4 * 0.36 / 7,
                                            0.82 + 5 * 0.36 / 7,
                                            0.82 + 6 * 0.36 / 7,
                                            1.18};

/* The next level of one coordinate, and the t at which it takes it. */
struct pending {
    double t;
    uint32_t coordinate;
    uint32_t level; /* 1 .. 2^(bits-1) - 1 */
};

/* A state of the sweep: <c, |z|> and ||c||^2. */
struct state {
    double along, squared;
};

size_t lms_search_bytes(size_t n) {
    return n * (sizeof(struct pending) + sizeof(double));
}

static bool beats(struct state s, double cosine2) {
    return s.along * s.along > cosine2 * s.squared;
}

void lms_search_grid(int bits, const float *bounds, const float *levels, size_t n, const double *z, uint8_t *index,
                     void *scratch) {
    uint8_t *candidate = scratch;
    double best = -1;
    for (size_t f = 0; f < LMS_CANDIDATES; f++) {
        struct state s = {0, 0};
        for (size_t j = 0; j < n; j++) {
            candidate[j] = fq_lloyd_max_index(bounds, bits, (float)(lms_factors[f] * z[j]));
            const double c = (double)levels[candidate[j]];
            s.along += c * z[j];
            s.squared += c * c;
        }
        if (beats(s, best)) {
            best = s.along * s.along / s.squared;
            memcpy(index, candidate, n);
        }
    }
}

static void sift_down(struct pending *heap, size_t n, size_t at) {
    const struct pending moved = heap[at];
    for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        child += child + 1 < n && heap[child + 1].t < heap[child].t;
        if (!(heap[child].t < moved.t))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

/* A t beyond which no state has a squared cosine above `reached`; looked for by doubling from where the largest
 * coordinate reaches the top level. */
static double last_useful_t(double top_bound, size_t n, const double *a, double reached) {
    double largest = 0, smallest = INFINITY;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, a[i]);
        if (a[i] > 0)
            smallest = fmin(smallest, a[i]);
    }
    for (double t = top_bound / largest;; t *= 1.25) {
        double top = 0, rest2 = 0;
        size_t n_top = 0;
        for (size_t i = 0; i < n; i++) {
            const bool at_top = a[i] * t >= top_bound;
            n_top += at_top;
            top += at_top ? a[i] : 0;
            rest2 += at_top ? 0 : a[i] * a[i];
        }
        if (n_top > 0 && top * top / (double)n_top + rest2 < reached * (1 - 1e-9))
            return t;
        if (smallest * t >= top_bound) /* every event lies before this t */
            return t;
    }
}

void lms_search_exact(int bits, const float *bounds, const float *levels, size_t n, const double *z, uint8_t *index,
                      void *scratch) {
    const uint32_t half = 1U << (bits - 1), top = half - 1;
    const float *level = levels + half;       /* level[k] > 0 */
    const float *bound = bounds + (half - 1); /* bound[0] = 0, bound[k] lies between level[k - 1] and level[k] */
    struct pending *heap = scratch;
    double *a = (double *)(void *)(heap + n);
    struct state s = {0, 0}, plain = {0, 0};
    size_t n_heap = 0;
    for (size_t i = 0; i < n; i++) {
        a[i] = fabs(z[i]);
        s.along += (double)level[0] * a[i];
        s.squared += (double)level[0] * (double)level[0];
        const double c = (double)levels[fq_lloyd_max_index(bounds, bits, (float)z[i])];
        plain.along += c * z[i];
        plain.squared += c * c;
        if (top > 0 && a[i] > 0)
            heap[n_heap++] = (struct pending){(double)bound[1] / a[i], (uint32_t)i, 1};
    }
    double best = s.along * s.along / s.squared, best_t = 0;
    if (n_heap > 0) {
        for (size_t i = n_heap / 2; i-- > 0;)
            sift_down(heap, n_heap, i);
        const double reached = fmax(best, plain.along * plain.along / plain.squared);
        const double end = last_useful_t((double)bound[top], n, a, reached);
        while (n_heap > 0 && heap[0].t <= end) {
            const double t = heap[0].t;
            while (n_heap > 0 && heap[0].t <= t) { /* all events of this t: only the state after them is a Q(t z) */
                const uint32_t i = heap[0].coordinate, k = heap[0].level;
                const double low = (double)level[k - 1], high = (double)level[k];
                s.along += (high - low) * a[i];
                s.squared += high * high - low * low;
                if (k < top)
                    heap[0] = (struct pending){(double)bound[k + 1] / a[i], i, k + 1};
                else
                    heap[0] = heap[--n_heap];
                if (n_heap > 0)
                    sift_down(heap, n_heap, 0);
            }
            if (beats(s, best)) {
                best = s.along * s.along / s.squared;
                best_t = t;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t k = 0;
        while (k < top && a[i] > 0 && (double)bound[k + 1] / a[i] <= best_t)
            k++;
        index[i] = (uint8_t)(z[i] >= 0 ? half + k : half - 1 - k);
    }
}
