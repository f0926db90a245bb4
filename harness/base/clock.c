/* Time as the harness sees it: CLOCK_MONOTONIC for regions, the process clock for CPU time.
 *
 * Methods never include this file; a method that could read the clock could behave differently while being timed. */
#include "harness/base/clock.h"

#include <stdlib.h>
#include <time.h>

static uint64_t read_clock(clockid_t id) {
    struct timespec t;
    if (clock_gettime(id, &t) != 0)
        abort(); /* both clocks exist on every Linux that runs this binary */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t fq_now_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t fq_process_cpu_ns(void) {
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static int compare_double(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double fq_clock_overhead_ns(void) {
    enum { ROUNDS = 101, READINGS = 64 };
    static double overhead_ns = -1.0;
    if (overhead_ns >= 0.0)
        return overhead_ns;
    double round_ns[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        /* Runs of readings: a single difference is often 0 on clocks of coarse resolution. */
        uint64_t first = fq_now_ns(), last = first;
        for (int i = 0; i < READINGS; i++)
            last = fq_now_ns();
        round_ns[r] = (double)(last - first) / READINGS;
    }
    qsort(round_ns, ROUNDS, sizeof round_ns[0], compare_double);
    overhead_ns = round_ns[ROUNDS / 2];
    return overhead_ns;
}
