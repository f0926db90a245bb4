/* What this machine can do at best with the pool's threads: bytes moved and multiply-adds per nanosecond, measured in
 * this process, so that a timing row stands beside a floor from the same run.
 *
 * Bandwidth is measured on a working set as large as that of the timed block: a block that fits a cache is held against
 * that cache and not against memory, which it would seem to beat. Two ways of moving bytes are tried, reading and the C
 * library's copy (read and written bytes both count), and the faster one is the floor.
 *
 * The multiply-add rate is that of plain C with enough independent chains, compiled for the baseline instruction set:
 * the peak that the reference backend may hope for, not the peak of wider vector units. */
#include "harness/measure/measures.h"

#include "harness/base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5, CHAINS = 8, STEPS = 1 << 18, LEAST_SET = 8 << 10, LEAST_MOVED = 8 << 20 };

enum { SIZES = 40 }; /* powers of two */
static struct {
    unsigned threads; /* 0: not measured yet */
    double bytes_per_ns[SIZES];
    double multiply_adds_per_ns;
} known;

struct stream {
    const uint64_t *words;
    size_t repeats;         /* passes inside one slice, so that handing it to the pool costs next to nothing of it */
    volatile uint64_t sink; /* keeps the sums alive */
};

static void read_slice(void *arg, unsigned worker, size_t begin, size_t end) {
    struct stream *s = arg;
    uint64_t sum[4] = {0};
    (void)worker;
    for (size_t r = 0; r < s->repeats; r++) {
        for (size_t i = begin; i + 4 <= end; i += 4)
            for (size_t j = 0; j < 4; j++)
                sum[j] += s->words[i + j];
        __asm__ volatile("" ::: "memory"); /* each pass reads again */
    }
    s->sink = sum[0] + sum[1] + sum[2] + sum[3];
}

struct chains {
    volatile float sink;
};

static void multiply_add_slice(void *arg, unsigned worker, size_t begin, size_t end) {
    struct chains *c = arg;
    float v[CHAINS] = {0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F, 0.7F, 0.8F};
    (void)worker;
    for (size_t i = begin; i < end; i++)
        for (size_t j = 0; j < CHAINS; j++)
            v[j] = v[j] * 0.999F + 0.001F;
    float sum = 0.0F;
    for (size_t j = 0; j < CHAINS; j++)
        sum += v[j];
    c->sink = sum;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median of ROUNDS; the first, which warms caches and page tables, is thrown away. */
static double median_rate(double units, size_t n, size_t grain, fq_pool_work *work, void *arg) {
    double rate[ROUNDS];
    fq_pool_run(n, grain, work, arg);
    for (size_t i = 0; i < ROUNDS; i++) {
        const uint64_t start = fq_now_ns();
        fq_pool_run(n, grain, work, arg);
        const uint64_t elapsed_ns = fq_now_ns() - start;
        rate[i] = units / (double)(elapsed_ns > 0 ? elapsed_ns : 1);
    }
    qsort(rate, ROUNDS, sizeof rate[0], by_size);
    return rate[ROUNDS / 2];
}

struct copy {
    const unsigned char *from;
    unsigned char *to;
    size_t repeats;
};

static void copy_slice(void *arg, unsigned worker, size_t begin, size_t end) {
    struct copy *c = arg;
    (void)worker;
    for (size_t r = 0; r < c->repeats; r++) {
        memcpy(c->to + begin, c->from + begin, end - begin);
        __asm__ volatile("" ::: "memory");
    }
}

/* The better of reading and copying, on one working set, passed over often enough to outlast clock and pool. */
static int bandwidth(size_t bytes, unsigned threads, double *bytes_per_ns, struct fq_error *err) {
    const size_t half = bytes / 2 / 64 * 64;
    unsigned char *block = aligned_alloc(64, 2 * half);
    if (block == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: %zu bytes to measure the bandwidth", 2 * half);
    memset(block, 1, 2 * half);
    const size_t words = 2 * half / sizeof(uint64_t), repeats = 1 + LEAST_MOVED / (2 * half);
    const double moved = (double)(2 * half) * (double)repeats;
    struct stream stream = {.words = (const uint64_t *)(const void *)block, .repeats = repeats};
    struct copy copy = {.from = block, .to = block + half, .repeats = repeats};
    const double read = median_rate(moved, words, (words / threads + 7) / 8 * 8, read_slice, &stream);
    const double copied = median_rate(moved, half, (half / threads + 63) / 64 * 64, copy_slice, &copy);
    free(block);
    *bytes_per_ns = read > copied ? read : copied;
    return FQ_OK;
}

int fq_floors_measure(size_t working_set_bytes, struct fq_floors *out, struct fq_error *err) {
    const unsigned threads = fq_pool_threads() > 0 ? fq_pool_threads() : 1;
    if (known.threads != threads) {
        memset(&known, 0, sizeof known);
        struct chains chains = {0};
        const size_t steps = (size_t)STEPS * threads;
        known.multiply_adds_per_ns = median_rate((double)steps * CHAINS, steps, STEPS, multiply_add_slice, &chains);
        known.threads = threads;
    }
    size_t i = 0; /* rounded down: a smaller set lies nearer, so the floor stays a floor */
    while (i + 1 < SIZES && (size_t)LEAST_SET << (i + 1) <= working_set_bytes)
        i++;
    if (known.bytes_per_ns[i] == 0.0)
        FQ_TRY(bandwidth((size_t)LEAST_SET << i, threads, &known.bytes_per_ns[i], err));
    *out = (struct fq_floors){.bytes_per_ns = known.bytes_per_ns[i],
                              .multiply_adds_per_ns = known.multiply_adds_per_ns,
                              .stream_bytes = (size_t)LEAST_SET << i};
    return FQ_OK;
}
