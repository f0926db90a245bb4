/* What this machine can do at best with the pool's threads: read bandwidth and multiply-adds, measured in this process,
 * so that a timing row stands beside a floor from the same run.
 *
 * The multiply-add rate is that of plain C with enough independent chains, compiled for the baseline instruction set:
 * the peak that the reference backend may hope for, not the peak of wider vector units. */
#include "harness/measure/measures.h"

#include "harness/base/clock.h"
#include "harness/base/placement.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5, CHAINS = 8, STEPS = 1 << 18, LEAST_STREAM = 64 << 20 };

static struct {
    unsigned threads; /* 0: not measured yet */
    struct fq_floors floors;
} known;

struct stream {
    const uint64_t *words;
    volatile uint64_t sink; /* keeps the sums alive */
};

static void read_slice(void *arg, unsigned worker, size_t begin, size_t end) {
    struct stream *s = arg;
    uint64_t sum[4] = {0};
    (void)worker;
    for (size_t i = begin; i + 4 <= end; i += 4)
        for (size_t j = 0; j < 4; j++)
            sum[j] += s->words[i + j];
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

int fq_floors_measure(struct fq_floors *out, struct fq_error *err) {
    const unsigned threads = fq_pool_threads() > 0 ? fq_pool_threads() : 1;
    if (known.threads == threads) {
        *out = known.floors;
        return FQ_OK;
    }
    /* Four times the last cache, so that what is read comes from memory; bounded, for machines with very large ones. */
    size_t bytes = 4 * fq_placement_cache_bytes(3);
    bytes = bytes < LEAST_STREAM ? LEAST_STREAM : bytes > 4 * (size_t)LEAST_STREAM ? 4 * (size_t)LEAST_STREAM : bytes;
    struct stream stream = {0};
    uint64_t *words = malloc(bytes);
    if (words == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: %zu bytes to measure the read bandwidth", bytes);
    memset(words, 1, bytes);
    stream.words = words;
    const size_t n = bytes / sizeof *words;
    known.floors.read_bytes_per_ns = median_rate((double)bytes, n, (n / threads + 7) / 8 * 8, read_slice, &stream);
    free(words);
    struct chains chains = {0};
    const size_t steps = (size_t)STEPS * threads;
    known.floors.multiply_adds_per_ns = median_rate((double)steps * CHAINS, steps, STEPS, multiply_add_slice, &chains);
    known.floors.stream_bytes = bytes;
    known.threads = threads;
    *out = known.floors;
    return FQ_OK;
}
