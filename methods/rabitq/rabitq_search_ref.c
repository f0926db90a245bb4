/* RaBitQ's rescale factor: the t > 0 whose code has the greatest cosine with the vector, found exactly.
 *
 * The paper sweeps the sorted critical values t = k / a_i (k = 1 .. 2^ex - 1). At each one e_i grows by one, the
 * numerator sum (e_i + 1/2) a_i by a_i, and the squared norm sum (e_i + 1/2)^2 by 2 k; codes clamp at 2^ex - 1 because
 * a coordinate has no further critical value. The best state of the sweep is the answer. This file finds the same state
 * without sorting all critical values:
 *
 *   1. Count each critical value into one of many narrow buckets of t (by the leading bits of the double, so that a
 *      bucket spans at most a factor 1 + 2^-fine), adding up a_i and 2 k per bucket.
 *   2. Walk the buckets: the running sums are the sweep's states at the bucket borders, exactly.
 *   3. Inside a bucket from t0 with state (N, D) and total gain X of the numerator, every event has 2 k = 2 t a_i >=
 *      2 t0 a_i. So after a gain x the squared cosine is at most (N + x)^2 / (D + 2 t0 x), which is convex in x, hence
 *      at most the greater of its ends x = 0 (a border) and x = X. If that does not beat the best border, no state
 *      inside can, and the bucket is skipped. The slack is of second order in the bucket's width, so few survive.
 *   4. The critical values of the surviving buckets are gathered, sorted bucket by bucket and swept.
 *
 * Two bounds end the sweep early, both safe. Beyond t every a_i >= (2^ex - 1) / t sits at the largest level; the best
 * cosine of any vector that is constant on that set is sqrt((sum_set a)^2 / |set| + sum_rest a^2), and it falls as the
 * set grows: stop where it is below a cosine already reached. And a step can only help while
 * t < (D / N)(1 + a_i / 2N), where D <= d G^2 and N >= G a_max + (sum of the others) / 2 once the largest coordinate is
 * clamped (G = 2^ex - 1/2).
 *
 * Cost: O(number of critical values) plus the sort of a few; at most O(2^ex d log d). No allocation, no recursion. */
#include "methods/rabitq/rabitq.h"

#include <math.h>
#include <string.h>

struct bucket {
    double numerator;   /* sum of a_i */
    double squared;     /* sum of 2 k */
    uint32_t count;     /* critical values */
    uint32_t kept_from; /* where the bucket's events start in the gathered list; SKIPPED if it is not kept */
};
enum { SKIPPED = UINT32_MAX };

struct event {
    double t;
    uint32_t coordinate;
    uint32_t k;
};

/* A state of the sweep. */
struct state {
    double numerator, squared;
};

static int log2_ceiling(size_t n) {
    int bits = 0;
    while (((size_t)1 << bits) < n)
        bits++;
    return bits;
}

/* Buckets per octave, as a power of two: the flatter the cosine is around its maximum, the narrower they must be. */
static int fine_bits(int bits) {
    return bits <= 4 ? 6 : bits + 2;
}

/* The second stop bound gives t_end / t_first <= d (G + 1/2) = d 2^ex; the margin covers rounding and the two ends. */
static size_t max_buckets(int bits, size_t d) {
    return (size_t)(log2_ceiling(d) + bits - 1 + 3) << fine_bits(bits);
}

static size_t max_events(int bits, size_t d) {
    return (((size_t)1 << (bits - 1)) - 1) * d;
}

static size_t round_up_64(size_t n) {
    return (n + 63) / 64 * 64;
}

size_t rabitq_search_bytes(int bits, size_t d) {
    if (bits == 1)
        return 0;
    return round_up_64(max_buckets(bits, d) * sizeof(struct bucket)) +
           round_up_64(max_events(bits, d) * sizeof(struct event));
}

static uint64_t bucket_key(double t, int fine) {
    uint64_t u;
    memcpy(&u, &t, sizeof u);
    return u >> (52 - fine);
}

static double from_bits(uint64_t u) {
    double t;
    memcpy(&t, &u, sizeof t);
    return t;
}

/* Bits of the least t of a bucket; one less are those of the greatest t before it. */
static uint64_t start_bits(uint64_t key, int fine) {
    return key << (52 - fine);
}

static double bucket_start(uint64_t key, int fine) {
    return from_bits(start_bits(key, fine));
}

static double cosine2(struct state s) {
    return s.numerator * s.numerator / s.squared;
}

/* cosine2(s) > c without the division, which would cost more than all the rest of a step. */
static bool beats(struct state s, double c) {
    return s.numerator * s.numerator > c * s.squared;
}

unsigned rabitq_extended_code(int bits, double magnitude, double inverse, double t) {
    const double top = (double)((1U << (bits - 1)) - 1U);
    const double product = t * magnitude;
    /* The floor of the rounded product is at most one off; the comparison that orders critical values decides. Written
     * without branches, which random data would mispredict. */
    double e = (double)(int)(product < top ? product : top);
    e += e < top && magnitude > 0 && (e + 1) * inverse <= t ? 1.0 : 0.0;
    e -= e * inverse > t ? 1.0 : 0.0;
    return (unsigned)(int)e;
}

/* Squared cosine of the constant rescale, a lower bound of the answer; a hair below, so that the sweep meets it too. */
static double constant_rescale(int bits, size_t d, const double *magnitude, double t) {
    const double top = (double)((1U << (bits - 1)) - 1U);
    struct state s = {0, 0};
    for (size_t i = 0; i < d; i++) {
        const double product = t * magnitude[i];
        const double g = (double)(int)(product < top ? product : top) + 0.5;
        s.numerator += g * magnitude[i];
        s.squared += g * g;
    }
    return cosine2(s) * (1 - 1e-12);
}

/* A t beyond which no code reaches the squared cosine `reached`. */
static double last_useful_t(int bits, size_t d, const double *magnitude, double reached) {
    const double top = (double)((1U << (bits - 1)) - 1U), greatest = top + 0.5;
    double largest = 0, sum = 0;
    for (size_t i = 0; i < d; i++) {
        sum += magnitude[i];
        if (magnitude[i] > largest)
            largest = magnitude[i];
    }
    const double numerator = greatest * largest + 0.5 * (sum - largest);
    const double end = (double)d * greatest * greatest / numerator * (1 + largest / (2 * numerator));

    double t = 2 * top / largest;
    while (t < end) {
        double clamped = 0, rest2 = 0, n_clamped = 0;
        for (size_t i = 0; i < d; i++) {
            const double on = magnitude[i] * t >= top ? 1.0 : 0.0;
            n_clamped += on;
            clamped += on * magnitude[i];
            rest2 += (1 - on) * magnitude[i] * magnitude[i];
        }
        if (clamped * clamped / n_clamped + rest2 < reached * (1 - 1e-9))
            return t;
        t *= 2;
    }
    return end * (1 + 1e-9);
}

/* Shell sort by t: short lists are the rule, and a long one (many nearly equal coordinates) must not cost its square.
 */
static void sort_events(struct event *event, size_t n) {
    static const size_t gaps[] = {29524, 9841, 3280, 1093, 364, 121, 40, 13, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof gaps[0]; g++) {
        const size_t gap = gaps[g];
        for (size_t i = gap; i < n; i++) {
            const struct event moved = event[i];
            size_t j = i;
            for (; j >= gap && event[j - gap].t > moved.t; j -= gap)
                event[j] = event[j - gap];
            event[j] = moved;
        }
    }
}

/* Steps 2 and 3: the best border, then the buckets whose inside may beat it. Returns the number of events kept. */
static size_t choose_buckets(struct bucket *bucket, size_t n_buckets, uint64_t first_key, int fine, struct state start,
                             double *best, double *best_t) {
    struct state s = start;
    if (beats(s, *best)) {
        *best = cosine2(s);
        *best_t = 0;
    }
    size_t best_bucket = n_buckets;
    for (size_t b = 0; b < n_buckets; b++) { /* an empty bucket adds nothing */
        s.numerator += bucket[b].numerator;
        s.squared += bucket[b].squared;
        if (beats(s, *best)) {
            *best = cosine2(s);
            best_bucket = b;
        }
    }
    if (best_bucket < n_buckets)
        *best_t = from_bits(start_bits(first_key + best_bucket + 1, fine) - 1);
    s = start;
    size_t kept = 0;
    for (size_t b = 0; b < n_buckets; b++) {
        bucket[b].kept_from = SKIPPED;
        const double t0 = bucket_start(first_key + b, fine), gain = bucket[b].numerator;
        const struct state bound = {s.numerator + gain, s.squared + 2 * t0 * gain};
        if (bucket[b].count > 1 && beats(bound, *best)) {
            bucket[b].kept_from = (uint32_t)kept;
            kept += bucket[b].count;
        }
        s.numerator += gain;
        s.squared += bucket[b].squared;
    }
    return kept;
}

/* Step 4 for one bucket: all states after groups of equal t. */
static void sweep_bucket(struct event *event, size_t n, const double *magnitude, struct state s, double *best,
                         double *best_t) {
    sort_events(event, n);
    for (size_t i = 0; i < n; i++) {
        s.numerator += magnitude[event[i].coordinate];
        s.squared += 2.0 * event[i].k;
        if ((i + 1 == n || event[i + 1].t > event[i].t) && beats(s, *best)) {
            *best = cosine2(s);
            *best_t = event[i].t;
        }
    }
}

double rabitq_search_exact(int bits, size_t d, const double *magnitude, const double *inverse, void *scratch) {
    if (bits == 1)
        return 0;
    struct bucket *bucket = scratch;
    struct event *kept =
        (struct event *)(void *)((uint8_t *)scratch + round_up_64(max_buckets(bits, d) * sizeof *bucket));
    const int fine = fine_bits(bits);
    const unsigned top = (1U << (bits - 1)) - 1U;

    double largest = 0, first_t = 0;
    for (size_t i = 0; i < d; i++)
        if (magnitude[i] > largest) {
            largest = magnitude[i];
            first_t = inverse[i];
        }
    if (largest <= 0)
        return 0;

    double best_t = sqrt((double)d) / rabitq_step(bits);
    double best = constant_rescale(bits, d, magnitude, best_t);
    const double end = last_useful_t(bits, d, magnitude, best);

    const uint64_t first_key = bucket_key(first_t, fine);
    const size_t limit = max_buckets(bits, d);
    size_t n_buckets = (size_t)(bucket_key(end > first_t ? end : first_t, fine) - first_key) + 1;
    n_buckets = n_buckets < limit ? n_buckets : limit;
    memset(bucket, 0, n_buckets * sizeof *bucket);
    struct state start = {0, 0.25 * (double)d};
    for (size_t i = 0; i < d; i++) {
        start.numerator += 0.5 * magnitude[i];
        for (unsigned k = 1; k <= top && magnitude[i] > 0; k++) {
            const size_t b = (size_t)(bucket_key(k * inverse[i], fine) - first_key);
            if (b >= n_buckets)
                break;
            bucket[b].numerator += magnitude[i];
            bucket[b].squared += 2.0 * k;
            bucket[b].count++;
        }
    }

    const size_t n_kept = choose_buckets(bucket, n_buckets, first_key, fine, start, &best, &best_t);
    if (n_kept > 0) {
        size_t low = 0, high = n_buckets - 1; /* the range that holds all kept buckets */
        while (bucket[low].kept_from == SKIPPED)
            low++;
        while (bucket[high].kept_from == SKIPPED)
            high--;
        const double low_t = bucket_start(first_key + low, fine);
        for (size_t i = 0; i < d; i++) {
            const unsigned from = rabitq_extended_code(bits, magnitude[i], inverse[i], low_t);
            for (unsigned k = from > 0 ? from : 1; k <= top && magnitude[i] > 0; k++) {
                const double t = k * inverse[i];
                const size_t b = (size_t)(bucket_key(t, fine) - first_key);
                if (t < low_t)
                    continue;
                if (b > high)
                    break;
                if (bucket[b].kept_from != SKIPPED)
                    kept[bucket[b].kept_from++] = (struct event){t, (uint32_t)i, k};
            }
        }
        struct state s = start; /* kept_from now points behind each bucket's events */
        for (size_t b = 0; b <= high; b++) {
            if (bucket[b].kept_from != SKIPPED)
                sweep_bucket(kept + bucket[b].kept_from - bucket[b].count, bucket[b].count, magnitude, s, &best,
                             &best_t);
            s.numerator += bucket[b].numerator;
            s.squared += bucket[b].squared;
        }
    }

    /* The critical value that ends at this code: the last one not above best_t. */
    double critical = 0;
    for (size_t i = 0; i < d; i++) {
        const double t = rabitq_extended_code(bits, magnitude[i], inverse[i], best_t) * inverse[i];
        critical = t > critical ? t : critical;
    }
    return critical;
}
