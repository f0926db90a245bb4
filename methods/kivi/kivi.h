/* KIVI: what its files share: parameters by position, which way the groups run, the layout of a record.
 * Must not be included outside methods/kivi. */
#ifndef FQ_METHODS_KIVI_H
#define FQ_METHODS_KIVI_H

#include "harness/method.h"
#include "methods/common/pack.h"
#include "methods/common/scale.h"

enum { KIVI_BITS, KIVI_GROUP, KIVI_AXIS, KIVI_N_PARAMS };
enum { KIVI_AUTO, KIVI_CHANNEL, KIVI_TOKEN };
enum { KIVI_SCALAR_BYTES = 2, KIVI_MAX_GROUP = 128 };

extern const char *const kivi_axis_choices[]; /* "auto" "channel" "token", NULL */

/* A record holds `groups` groups of `group` numbers, each with a scale and a minimum.
 *   per channel: granularity = group tokens; group c holds channel c of them: number j is token j
 *   per token:   granularity = 1; group k holds channels k * group .. k * group + group - 1: number j is channel j
 * Bytes: groups x packed codes, then groups x scale (fp16), then groups x minimum (fp16). */
struct kivi_layout {
    int bits;
    bool per_channel;
    size_t group, groups, dim, granularity;
    size_t code_bytes;   /* of one group */
    size_t record_bytes; /* groups * (code_bytes + 4) */
};
struct kivi_layout kivi_layout_of(const struct fq_params *params, const struct fq_shape *shape);

extern const struct fq_kernels kivi_kernels_ref;

#endif
