/* QuaRot's cache codec: what its files share. Must not be included outside methods/quarot. */
#ifndef FQ_METHODS_QUAROT_H
#define FQ_METHODS_QUAROT_H

#include "harness/method.h"
#include "methods/common/pack.h"
#include "methods/common/rotation.h"
#include "methods/common/scale.h"

enum { QUAROT_BITS, QUAROT_RANGE, QUAROT_GROUP, QUAROT_CLIP, QUAROT_ROTATION, QUAROT_ROUNDS, QUAROT_N_PARAMS };
enum { QUAROT_SYMMETRIC, QUAROT_ASYMMETRIC };
enum { QUAROT_SCALE_BYTES = 2 };

/* A record: packed codes of all coordinates, then a scale (fp16) for each group, then, if asymmetric, a zero point (one
 * byte) for each group. */
struct quarot_layout {
    int bits;
    bool asymmetric;
    double clip;
    enum fq_rotation_kind rotation;
    int rounds;
    size_t dim, work_dim, group, groups;
    size_t code_bytes, record_bytes;
};
struct quarot_layout quarot_layout_of(const struct fq_params *params, const struct fq_shape *shape);

extern const struct fq_kernels quarot_kernels_ref;

#endif
