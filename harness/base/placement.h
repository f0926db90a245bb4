/* Which processing units the process may use, in topology order (hwloc), and binding of one thread to one of them. */
#ifndef FQ_BASE_PLACEMENT_H
#define FQ_BASE_PLACEMENT_H

#include "harness/base/error.h"

#include <stddef.h>

/* One unit per core first, hyper-threads last. Returns how many were written (<= max). */
size_t fq_placement_units(unsigned *os_index, size_t max);
int fq_placement_bind_self(unsigned os_index, struct fq_error *err);
void fq_placement_describe(char *out, size_t size); /* "1 package, 2 cores, 2 PU, L2 1024 KiB, L3 32 MiB" */
size_t fq_placement_cache_bytes(int level);         /* 0 when unknown */

#endif
