/* The watcher: what a timed region did to the process, seen from outside.
 *
 * A thread of the harness counts the threads alive every 0.2 ms; before and after, CPU time and wall time are read. A
 * contestant that starts a thread of its own is seen in the count, or, if the thread lives too briefly for a sample, in
 * CPU time over wall time. The watcher counts neither itself nor its own CPU time, and it stays off the units of the
 * pool when others are to be had. */
#include "harness/base/pool.h"

#include "harness/base/clock.h"
#include "harness/base/placement.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

struct fq_watch {
    pthread_t thread;
    atomic_int ready, stop;
    int by_links; /* the link count of /proc/self/task tells the number of threads, as on any Linux procfs */
    unsigned most;
    uint64_t samples;
    uint64_t watcher_cpu_ns; /* spent inside the region */
    uint64_t wall_begin_ns, cpu_begin_ns;
};

/* One system call instead of a directory listing: a sample must not disturb what is being timed. */
static unsigned threads_by_links(void) {
    struct stat st;
    return stat("/proc/self/task", &st) == 0 && st.st_nlink > 2 ? (unsigned)st.st_nlink - 2 : 0;
}

static void sample(struct fq_watch *watch) {
    unsigned alive = watch->by_links ? threads_by_links() : fq_threads_alive();
    if (alive > 0 && alive - 1 > watch->most)
        watch->most = alive - 1;
    watch->samples++;
}

static uint64_t own_cpu_ns(void) {
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *watcher(void *arg) {
    struct fq_watch *watch = arg;
    const struct timespec pause = {.tv_nsec = 200000};
    watch->by_links = threads_by_links() == fq_threads_alive();
    uint64_t begin_ns = own_cpu_ns();
    atomic_store(&watch->ready, 1);
    do {
        sample(watch);
        (void)nanosleep(&pause, NULL);
    } while (!atomic_load(&watch->stop));
    watch->watcher_cpu_ns = own_cpu_ns() - begin_ns;
    return NULL;
}

/* All usable units but the first ones, which are the pool's; an empty set means that there is none to spare. */
static int spare_units(cpu_set_t *set) {
    unsigned unit[CPU_SETSIZE];
    size_t n = fq_placement_units(unit, CPU_SETSIZE);
    CPU_ZERO(set);
    for (size_t i = fq_pool_threads(); i < n; i++)
        CPU_SET(unit[i], set);
    return CPU_COUNT(set) > 0;
}

struct fq_watch *fq_watch_begin(void) {
    struct fq_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return NULL;
    pthread_attr_t attributes;
    cpu_set_t spare;
    if (pthread_attr_init(&attributes) != 0) {
        free(watch);
        return NULL;
    }
    if (spare_units(&spare))
        (void)pthread_attr_setaffinity_np(&attributes, sizeof spare, &spare);
    int failed = pthread_create(&watch->thread, &attributes, watcher, watch);
    (void)pthread_attr_destroy(&attributes);
    if (failed) {
        free(watch);
        return NULL;
    }
    while (!atomic_load(&watch->ready))
        (void)sched_yield();
    watch->cpu_begin_ns = fq_process_cpu_ns();
    watch->wall_begin_ns = fq_now_ns();
    return watch;
}

void fq_watch_end(struct fq_watch *watch, struct fq_watch_result *out) {
    uint64_t wall_ns = fq_now_ns() - watch->wall_begin_ns;
    uint64_t cpu_ns = fq_process_cpu_ns() - watch->cpu_begin_ns;
    /* A thread that is alive now was alive in the region; short regions get at least this sample. */
    unsigned alive = fq_threads_alive();
    atomic_store(&watch->stop, 1);
    (void)pthread_join(watch->thread, NULL);
    if (alive > 0 && alive - 1 > watch->most)
        watch->most = alive - 1;
    cpu_ns -= watch->watcher_cpu_ns < cpu_ns ? watch->watcher_cpu_ns : cpu_ns;
    *out = (struct fq_watch_result){.threads_alive_max = watch->most,
                                    .wall_ns = wall_ns,
                                    .cpu_ns = cpu_ns,
                                    .samples = watch->samples + 1,
                                    .cpu_over_wall = wall_ns > 0 ? (double)cpu_ns / (double)wall_ns : 0.0};
    free(watch);
}
