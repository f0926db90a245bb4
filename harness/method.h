/* The contract between the harness and a quantization method; the only harness header that a method includes.
 *
 * A method turns groups of float vectors into records of bytes and answers queries from those bytes alone.
 * The harness owns every buffer, every thread, every clock and every random stream, so that no method can win by any
 * of them. Rules, checked by the audit and by tests/cheats:
 *
 *   - Codes are the only channel. `decode`, `score` and `attend` see the bytes that `encode` wrote and the shared state
 *     that `setup`/`train` declared; nothing else survives from one call to the next. Scratch is poisoned between
 * calls.
 *   - A kernel allocates nothing, starts no thread, reads no clock, does no I/O, reads and writes no global.
 *   - Every byte is promised by `footprint` before anything is written: the harness allocates exactly that.
 *   - There is no knob outside the parameter table.
 *
 * Shapes. d = dim is the vector length. A *group* is the smallest batch that is encoded together: `granularity`
 * consecutive vectors (1 for vector codecs, a group of tokens for per-channel codecs). One group is one record of
 * `footprint.record_bytes` bytes; records lie one behind the other. All matrices are row-major and dense. */
#ifndef FQ_METHOD_H
#define FQ_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FQ_METHOD_ABI = 1, FQ_MAX_PARAMS = 16, FQ_MAX_DIM = 4096 };

/* ---- parameters ----------------------------------------------------------------------------------------------------
 */

enum fq_param_kind { FQ_PARAM_INT, FQ_PARAM_REAL, FQ_PARAM_CHOICE };

struct fq_param_spec {
    const char *name; /* as written in a sweep: the field's standard term */
    const char *help; /* one sentence, units included */
    enum fq_param_kind kind;
    double min, max;            /* inclusive range of an INT or REAL */
    double def;                 /* default: a value, or the index of a choice */
    const char *const *choices; /* CHOICE: NULL-terminated list; else NULL */
};

/* Values in the order of the method's table. INT and CHOICE hold whole numbers (a choice is its index). */
struct fq_params {
    double v[FQ_MAX_PARAMS];
};

/* ---- shapes and bytes ----------------------------------------------------------------------------------------------
 */

/* What a tensor is, for codecs that treat keys and values differently (KIVI). Plain vectors count as keys. */
enum fq_tensor { FQ_KEY, FQ_VALUE };

struct fq_shape {
    size_t dim; /* d, 1 .. FQ_MAX_DIM */
    enum fq_tensor tensor;
};

/* Bytes that a method promises. The rate in bits per coordinate is 8 record_bytes / (granularity d), plus what the
 * harness adds for a full-precision window or tail; shared state is printed apart and amortised over the set. */
struct fq_footprint {
    size_t granularity;    /* vectors per record, >= 1 */
    size_t record_bytes;   /* all bytes of one record: codes, scalars and padding */
    size_t side_bytes;     /* the part of record_bytes that is not codes: norms, scales, offsets, padding */
    size_t work_dim;       /* length of a vector after `rotate` (d, or d padded); d when there is no rotate stage */
    size_t prepared_bytes; /* one prepared query */
    size_t shared_bytes;   /* rotation, codebooks, sketches: written once by setup, then read only; holds no pointer */
    size_t scratch_bytes;  /* per worker; poisoned before each kernel call */
};

/* ---- random streams ------------------------------------------------------------------------------------------------
 */

/* Named streams of one experiment. The keys differ from each other and from every data and bootstrap stream, also when
 * the seeds are equal; two methods given the same seed draw the same rotation. Values are a pure function of (key,
 * index). */
struct fq_streams {
    uint64_t rotation; /* key of the stream "rotation" */
    uint64_t sketch;   /* key of the stream "sketch" (QJL matrices, randomised rounding) */
    uint64_t training; /* key of the stream "training" (k-means seeds) */
    void (*bits)(uint64_t key, uint64_t first, size_t n, uint64_t *out);   /* uniform 64-bit words */
    void (*uniform)(uint64_t key, uint64_t first, size_t n, double *out);  /* in (0, 1) */
    void (*gaussian)(uint64_t key, uint64_t first, size_t n, double *out); /* N(0, 1) */
};

/* ---- kernels -------------------------------------------------------------------------------------------------------
 */

/* What each kernel may see. On device backends all pointers are device pointers that the harness owns. */
struct fq_call {
    const struct fq_params *params;
    struct fq_shape shape;
    const struct fq_footprint *footprint; /* of these params and this shape */
    const void *shared;                   /* footprint->shared_bytes, read only, 64-byte aligned */
    void *scratch;                        /* footprint->scratch_bytes, 64-byte aligned */
    void *stream;                         /* device stream; NULL on hosts */
};

/* One table per backend; a stage that a method lacks is NULL. The harness has checked every input for NaN and Inf. */
struct fq_kernels {
    /* Rotation (and padding) of n vectors: x[n][dim] -> y[n][work_dim]. NULL: encode reads x itself. A stage of its
     * own, so that the cost of rotating is never charged to, or hidden in, the quantizer. */
    void (*rotate)(const struct fq_call *call, size_t n, const float *x, float *y);

    /* n_groups groups of y[granularity][work_dim] -> n_groups records. Returns the number of groups encoded; fewer than
     * n_groups means that the group of that index has no representation (its scale overflows the stored type). */
    size_t (*encode)(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records);

    /* n queries q[n][dim] (rotated here if need be) -> n x footprint->prepared_bytes. */
    void (*prepare)(const struct fq_call *call, size_t n, const float *q, void *prepared);

    /* Estimates of <q, x_i> for one prepared query against every vector of n_groups records, scores[n_groups *
     * granularity]. */
    void (*score)(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                  float *scores);

    /* Reconstruction in the original space: x[n_groups * granularity][dim]. NULL for a sketch that defines none. For
     * methods whose estimator is linear in a float query, <q, decode> equals score up to rounding. */
    void (*decode)(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x);

    /* out[dim] = sum_i weight_i x_i over all vectors of n_groups records. NULL: the harness decodes, then sums. */
    void (*attend)(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,
                   float *out);
};

enum fq_backend { FQ_REF, FQ_AVX2, FQ_AVX512, FQ_CUDA, FQ_HIP, FQ_BACKENDS };

/* ---- conformance ---------------------------------------------------------------------------------------------------
 */

/* Quantities that theory predicts for a Haar-rotated vector, i.e. for x uniform on the sphere (methods.md, section 13).
 */
enum fq_gate_metric {
    FQ_GATE_MSE,       /* E ||x - xhat||^2 / ||x||^2 */
    FQ_GATE_IP_VAR,    /* d Var(<q,x>^ - <q,x>) for unit q independent of x (rho = 0) */
    FQ_GATE_SLOPE,     /* E[<q,x>^] / <q,x> at rho = 0.5; expected 1 = unbiased */
    FQ_GATE_SELF_IP,   /* E[<x,x>^] / <x,x> (rho = 1) */
    FQ_GATE_MSE_GAUSS, /* E ||x - xhat||^2 / E ||x||^2 for iid N(0,1) data, without a rotation */
    FQ_GATE_TAIL_2,    /* share of the errors of FQ_GATE_IP_VAR that exceed 2 times their root mean square */
    FQ_GATE_TAIL_3     /* the same beyond 3 times: <q, x - xhat> is close to normal unless error lengths vary much */
};

struct fq_gate {
    const char *params; /* "bits=3 scale=unbiased": name=value pairs over the defaults */
    size_t dim;
    enum fq_gate_metric metric;
    double expected;
    double tolerance;   /* relative; absolute where expected is a slope or a self inner product */
    const char *source; /* "methods.md 1.6", "TurboQuant Thm 1", ... */
};

/* Sink for known answers: one line of `fairquant verify` each. passed = |measured - expected| <= tolerance (absolute).
 */
struct fq_answers {
    void *sink;
    void (*emit)(void *sink, const char *what, double expected, double measured, double tolerance, const char *source);
};

/* ---- the method ----------------------------------------------------------------------------------------------------
 */

enum fq_role { FQ_CONTENDER, FQ_BASELINE, FQ_NEGATIVE_CONTROL };

struct fq_method {
    int abi; /* FQ_METHOD_ABI */
    const char *name;
    enum fq_role role;
    const char *paper;        /* author, year, arXiv number, algorithm */
    const char *summary;      /* one sentence */
    const char *bits_formula; /* "b + 16/d", in bits per coordinate, everything included; evaluated against the
                                 footprint by tests/cli/bits_formula.py, which says how one is written */
    const struct fq_param_spec *params;
    size_t n_params;
    bool data_oblivious; /* false: needs train() on a training split */

    /* Nominal width, what the literature would call it: bits per coordinate without side information. */
    double (*nominal_bits)(const struct fq_params *params);

    /* 0, or -1 and one sentence in why[why_size] for a combination that the ranges alone do not exclude. May be NULL.
     */
    int (*check)(const struct fq_params *params, const struct fq_shape *shape, char *why, size_t why_size);

    struct fq_footprint (*footprint)(const struct fq_params *params, const struct fq_shape *shape);

    /* Fills shared[footprint.shared_bytes] from the streams alone; scratch, of as many bytes as setup_scratch says, is
     * work space. NULL when shared_bytes is 0. */
    void (*setup)(const struct fq_params *params, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch);
    size_t (*setup_scratch)(const struct fq_params *params, const struct fq_shape *shape); /* bytes; NULL: 0 */

    /* Fits shared state to n training vectors x[n][dim], after setup. NULL for data-oblivious methods. */
    void (*train)(const struct fq_params *params, const struct fq_shape *shape, const struct fq_streams *streams,
                  size_t n, const float *x, void *shared, void *scratch);

    const struct fq_kernels *kernels[FQ_BACKENDS]; /* NULL: this backend is absent */

    const struct fq_gate *gates;
    size_t n_gates;
    void (*known_answers)(const struct fq_answers *answers); /* NULL: none */

    /* Whether these parameters learn from data, for a method of which only some do. NULL: all do unless
     * data_oblivious. */
    bool (*needs_training)(const struct fq_params *params);
    /* Whether these parameters quantize the query too: score then differs from <q, decode> by what that costs, and a
     * measurement through decoded vectors would not see it. NULL: never. */
    bool (*quantizes_query)(const struct fq_params *params);

    /* Gates of values, for a method that codes them otherwise than keys (`gates` are of keys). NULL: none. */
    const struct fq_gate *value_gates;
    size_t n_value_gates;
};

/* A plug-in (--plugin X.so) exports one symbol of this type, named fq_plugin. */
struct fq_plugin {
    int abi;
    const struct fq_method *const *methods; /* NULL-terminated */
};

#endif
