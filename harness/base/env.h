/* The machine's facts as pairs of name and text: what `fairquant env` prints and what every result file stores, so that
 * a number can be traced to the machine, the binary and the library that made it. What cannot be found out says "not
 * readable"; nothing is left out silently. Floors above add what they link (HDF5, libllama ...) themselves. */
#ifndef FQ_BASE_ENV_H
#define FQ_BASE_ENV_H

#include <stddef.h>

enum { FQ_ENV_MAX = 48 };

struct fq_env_fact {
    char name[40];
    char text[256];
};

/* Writes at most max facts, in a fixed order, and returns how many. About 40; the binary is hashed once a process. */
size_t fq_env_collect(struct fq_env_fact *out, size_t max);

#endif
