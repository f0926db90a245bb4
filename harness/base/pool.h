/* The one pool of pinned threads (OpenMP). Work is cut into slices; each worker knows its number, so that scratch is
 * per worker. Nothing else in the program starts threads, and what it observed (threads alive, CPU time over wall time)
 * goes into results. */
#ifndef FQ_BASE_POOL_H
#define FQ_BASE_POOL_H

#include "harness/base/error.h"

#include <stddef.h>
#include <stdint.h>

int fq_pool_start(unsigned threads, struct fq_error *err); /* pins each; may be called again with another number */
unsigned fq_pool_threads(void);
void fq_pool_cpu_set(char *out, size_t size); /* "0,1" as read back from the kernel */

/* Calls work(arg, worker, begin, end) over [0, n) in slices of at least `grain`; returns when all are done. */
typedef void fq_pool_work(void *arg, unsigned worker, size_t begin, size_t end);
void fq_pool_run(size_t n, size_t grain, fq_pool_work *work, void *arg);

/* Ends the idle workers; the next run makes new ones. Idle workers spin for some milliseconds, which is right between
 * runs that follow at once, and takes a processor away from a library that runs threads of its own next. */
void fq_pool_rest(void);

/* Threads of this process alive now (entries of /proc/self/task). */
unsigned fq_threads_alive(void);

/* Watches a region from outside: the largest number of threads alive (sampled every 0.2 ms by a watcher thread that
 * does not count itself), CPU time and wall time. */
struct fq_watch_result {
    unsigned threads_alive_max;
    double cpu_over_wall;
    uint64_t wall_ns, cpu_ns, samples;
};
struct fq_watch;
struct fq_watch *fq_watch_begin(void); /* NULL if the watcher cannot start */
void fq_watch_end(struct fq_watch *watch, struct fq_watch_result *out);

#endif
