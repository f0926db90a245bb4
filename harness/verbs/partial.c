/* The sentence about a results file that is a part of a sweep, in one place so that audit, judge and report agree. It
 * must not refuse: a part may be looked at, it is only no result yet. */
#include "harness/verbs/partial.h"

#include <stdio.h>

void fq_say_partial(const char *const *paths, const struct fq_results *results, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (results[i].n_cells < results[i].planned)
            printf("partial: %s holds %zu of %zu planned cells: merge its shards (fairquant merge) or run the rest "
                   "(run --resume)\n",
                   paths[i], results[i].n_cells, results[i].planned);
}
