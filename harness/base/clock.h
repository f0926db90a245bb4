/* Monotonic nanoseconds, and what asking costs on this machine. */
#ifndef FQ_BASE_CLOCK_H
#define FQ_BASE_CLOCK_H

#include <stdint.h>

uint64_t fq_now_ns(void);
uint64_t fq_process_cpu_ns(void);
double fq_clock_overhead_ns(void); /* median of repeated back-to-back readings; measured once */

#endif
