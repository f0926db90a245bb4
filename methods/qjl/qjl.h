/* qjl: layout of its records and shared state; shared by the table and the kernel bodies.
 *
 * Without outlier channels a record is one vector: m sign bits, then its norm. With outlier channels it is a group of
 * 32 vectors: the channels' numbers (1 byte each for d <= 256, else 2), then per vector m sign bits of the inliers,
 * m_out sign bits of the outliers, the vector's norm, the norm of its outliers.
 * Shared: the sketch S, m rows and d columns, stored by columns (s[j m + i] = S_ij), so that an outlier channel is one
 * column and the first m_out rows are a prefix of it. */
#ifndef FQ_METHODS_QJL_H
#define FQ_METHODS_QJL_H

#include "harness/method.h"
#include "methods/common/scale.h"

enum { QJL_SKETCH, QJL_RATIO, QJL_OUTLIERS, QJL_OUTLIER_RATIO, QJL_SCALAR, QJL_PARAMS };
enum qjl_sketch { QJL_GAUSSIAN, QJL_ORTHOGONAL };
enum { QJL_GROUP = 32, QJL_MAX_OUTLIERS = 16 };

struct qjl {
    size_t dim, m, m_out; /* m_out = 0 without outliers */
    size_t outliers, group, index_bytes;
    enum qjl_sketch sketch;
    enum fq_scalar_kind scalar;
    size_t tokens_at;                                 /* offset of the first vector in a record */
    size_t token_bytes, out_at, norm_at, out_norm_at; /* of one vector; offsets within it */
    size_t record_bytes;
};

struct qjl qjl_of(const struct fq_params *params, const struct fq_shape *shape);

extern const struct fq_kernels qjl_ref;

#endif
