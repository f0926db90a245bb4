/* The one thread pool: OpenMP threads, each pinned to a unit of its own.
 *
 * Pinning is checked by every worker at every run, because the OpenMP runtime may replace its threads (a library with
 * another team size is enough). The calling thread is pinned during a run only: threads that a library starts later
 * inherit the caller's CPU set and must not all land on one unit. Nothing else in the program starts threads, except
 * the watcher (watch.c) and libllama. */
#include "harness/base/pool.h"

#include "harness/base/placement.h"

#include <dirent.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 1024 };

static struct {
    unsigned threads; /* 0: not started */
    unsigned unit[MAX_THREADS];
    unsigned generation; /* grows with every start, so that workers pin themselves anew */
} pool;

static _Thread_local unsigned pinned_generation;

static void pin_worker(unsigned worker) {
    if (pinned_generation == pool.generation)
        return;
    struct fq_error err;
    if (fq_placement_bind_self(pool.unit[worker], &err) != 0) {
        (void)fprintf(stderr, "fairquant: %s\n", err.text);
        abort(); /* it worked when the pool was started: the CPU set of the process shrank under a measurement */
    }
    pinned_generation = pool.generation;
}

/* The caller is worker 0: pinned at the begin of a run, given its old CPU set back at the end. */
struct caller {
    cpu_set_t before;
    int known;
};

static struct caller enter(void) {
    struct caller c = {.known = 0};
    if (pool.threads == 0)
        return c;
    c.known = sched_getaffinity(0, sizeof c.before, &c.before) == 0;
    pinned_generation = 0;
    pin_worker(0);
    return c;
}

static void leave(const struct caller *c) {
    if (c->known)
        (void)sched_setaffinity(0, sizeof c->before, &c->before);
    pinned_generation = 0;
}

int fq_pool_start(unsigned threads, struct fq_error *err) {
    if (threads == 0 || threads > MAX_THREADS)
        return fq_fail(err, FQ_USAGE, "%u threads asked for; expected 1 to %d", threads, MAX_THREADS);
    size_t usable = fq_placement_units(pool.unit, MAX_THREADS);
    if (threads > usable)
        return fq_fail(err, FQ_USAGE,
                       "%u threads asked for, but this process may use %zu processing unit%s; ask for fewer threads, "
                       "pinned threads do not share one",
                       threads, usable, usable == 1 ? "" : "s");
    /* Idle threads of a larger team would stay alive and be counted in every timed region. */
    (void)omp_pause_resource_all(omp_pause_hard);
    omp_set_dynamic(0);
    pool.threads = threads;
    pool.generation++;

    unsigned got = 1;
    if (threads > 1) {
        struct caller caller = enter();
#pragma omp parallel num_threads((int)threads)
        {
            if (omp_get_thread_num() != 0)
                pin_worker((unsigned)omp_get_thread_num());
#pragma omp single
            got = (unsigned)omp_get_num_threads();
        }
        leave(&caller);
    }
    if (got != threads) {
        pool.threads = 0;
        return fq_fail(
            err, FQ_USAGE,
            "%u threads asked for, OpenMP started %u; unset OMP_THREAD_LIMIT or raise the limit on processes", threads,
            got);
    }
    return FQ_OK;
}

unsigned fq_pool_threads(void) {
    return pool.threads == 0 ? 1 : pool.threads;
}

struct mask {
    cpu_set_t set;
};

static void read_mask(void *arg, unsigned worker, size_t begin, size_t end) {
    (void)begin;
    (void)end;
    struct mask *masks = arg;
    CPU_ZERO(&masks[worker].set);
    (void)sched_getaffinity(0, sizeof masks[worker].set, &masks[worker].set);
}

/* Runs work once on every worker; only for looking at workers, there is nothing to share out. */
static void each_worker(fq_pool_work *work, void *arg) {
    struct caller caller = enter();
    unsigned threads = fq_pool_threads();
    if (threads == 1) {
        work(arg, 0, 0, 1);
    } else {
#pragma omp parallel num_threads((int)threads)
        {
            unsigned worker = (unsigned)omp_get_thread_num();
            pin_worker(worker);
            work(arg, worker, worker, worker + 1);
        }
    }
    leave(&caller);
}

void fq_pool_cpu_set(char *out, size_t size) {
    unsigned threads = fq_pool_threads();
    struct mask *masks = calloc(threads, sizeof *masks);
    if (size > 0)
        out[0] = '\0';
    if (masks == NULL)
        return;
    each_worker(read_mask, masks);
    cpu_set_t all;
    CPU_ZERO(&all);
    for (unsigned w = 0; w < threads; w++)
        CPU_OR(&all, &all, &masks[w].set);
    free(masks);
    for (unsigned i = 0; i < CPU_SETSIZE; i++) {
        size_t used = strlen(out);
        if (CPU_ISSET(i, &all))
            (void)snprintf(out + used, size - used, "%s%u", used > 0 ? "," : "", i);
    }
}

void fq_pool_run(size_t n, size_t grain, fq_pool_work *work, void *arg) {
    if (n == 0)
        return;
    if (omp_in_parallel())
        abort(); /* worker numbers would repeat and two workers share one scratch */
    unsigned threads = fq_pool_threads();
    if (grain == 0)
        grain = 1;
    if (threads == 1) {
        struct caller caller = enter();
        work(arg, 0, 0, n);
        leave(&caller);
        return;
    }
    /* Four slices a worker even out neighbours that steal time; whole grains, so that groups are never cut. */
    size_t slice = (n + 4 * (size_t)threads - 1) / (4 * (size_t)threads);
    slice = (slice + grain - 1) / grain * grain;
    size_t slices = (n + slice - 1) / slice;
    struct caller caller = enter();
#pragma omp parallel num_threads((int)threads)
    {
        unsigned worker = (unsigned)omp_get_thread_num();
        pin_worker(worker);
#pragma omp for schedule(dynamic, 1)
        for (size_t s = 0; s < slices; s++)
            work(arg, worker, s * slice, s + 1 == slices ? n : (s + 1) * slice);
    }
    leave(&caller);
}

void fq_pool_rest(void) {
    if (pool.threads > 1 && !omp_in_parallel())
        (void)omp_pause_resource_all(omp_pause_soft);
}

unsigned fq_threads_alive(void) {
    DIR *directory = opendir("/proc/self/task");
    if (directory == NULL)
        return 0;
    unsigned n = 0;
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        n += entry->d_name[0] != '.';
    (void)closedir(directory);
    return n;
}
