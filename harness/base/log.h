/* What the user reads while a verb works: progress with an estimate of the time left, notes and warnings, all on
 * stderr, so that stdout stays a table that can be piped. On a terminal a progress line redraws itself; elsewhere it
 * prints rarely. */
#ifndef FQ_BASE_LOG_H
#define FQ_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

void fq_log_quiet(int quiet); /* 1: notes and progress are dropped, warnings stay */
void fq_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fq_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct fq_progress {
    char what[64];
    double total, done; /* in any unit of work, weights allowed */
    uint64_t start_ns, printed_ns;
};

void fq_progress_begin(struct fq_progress *p, const char *what, double total);
void fq_progress_step(struct fq_progress *p, double work, const char *detail); /* detail may be NULL */
void fq_progress_end(struct fq_progress *p);

#endif
