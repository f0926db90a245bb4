/* Block formats: a vector is cut into blocks of a fixed length, and each block is coded alone, with its own scale. What
 * every such format needs (walking the blocks, scoring, llama.cpp's Hadamard in front) is written here once, so that a
 * format is two functions for one block.
 *
 * Record of a vector: its blocks one behind the other, then, if asked for, one float32 scale for the whole vector. The
 * query stays in float, so that score is <q, decode>. Nothing here may know a single format. */
#ifndef FQ_METHODS_COMMON_BLOCK_CODE_H
#define FQ_METHODS_COMMON_BLOCK_CODE_H

#include "harness/method.h"

enum { FQ_BLOCK_MOST_LENGTH = 64, FQ_BLOCK_MOST_BYTES = 64 };

struct fq_block_format {
    const char *name;
    size_t length;      /* coordinates of a block, <= FQ_BLOCK_MOST_LENGTH */
    size_t block_bytes; /* scales included, <= FQ_BLOCK_MOST_BYTES */
    size_t side_bytes;  /* of block_bytes: scales and offsets */
    /* Codes of `length` finite numbers. false: a scale or an offset does not fit its type. */
    bool (*encode)(const float *x, uint8_t *block);
    void (*decode)(const uint8_t *block, float *x);
    /* The integers that are stored, in the order of the coordinates: for known answers. */
    void (*codes)(const uint8_t *block, int *code);
};

/* llama.cpp's own rotation of keys and values (methods.md 7.2): a normalised Sylvester matrix without signs on blocks
 * of the head: the largest power of two that divides d for keys, 64 for values. The same parameter in every format. */
enum fq_block_hadamard { FQ_BLOCK_HADAMARD_NONE, FQ_BLOCK_HADAMARD_LLAMA };
extern const char *const fq_block_hadamard_choices[]; /* "none" "llama", NULL */
#define FQ_PARAM_BLOCK_HADAMARD                                                                                        \
    {                                                                                                                  \
        .name = "hadamard",                                                                                            \
        .help = "Hadamard matrix without signs in front: none, or llama (keys: largest power of two dividing d; "      \
                "values: 64)",                                                                                         \
        .kind = FQ_PARAM_CHOICE, .def = FQ_BLOCK_HADAMARD_NONE, .choices = fq_block_hadamard_choices                   \
    }

struct fq_block_code {
    const struct fq_block_format *format;
    enum fq_block_hadamard hadamard;
    /* > 0: the vector is divided by s = amax / greatest first, and s is stored as float32 behind the blocks. */
    double greatest;
};

/* 0, or -1 and a sentence such as "q8_0 codes blocks of 32 coordinates: needs a dimension divisible by 32, found 100".
 */
int fq_block_check(const struct fq_block_code *code, const struct fq_shape *shape, char *why, size_t why_size);
struct fq_footprint fq_block_footprint(const struct fq_block_code *code, const struct fq_shape *shape);
/* Side of the Hadamard matrix for this tensor; 1 without. */
size_t fq_block_hadamard_size(const struct fq_block_code *code, const struct fq_shape *shape);

/* Kernel bodies of any format. */
void fq_block_rotate(const struct fq_block_code *code, const struct fq_call *call, size_t n, const float *x, float *y);
size_t fq_block_encode(const struct fq_block_code *code, const struct fq_call *call, size_t n, const float *y,
                       uint8_t *records);
void fq_block_prepare(const struct fq_block_code *code, const struct fq_call *call, size_t n, const float *q,
                      void *prepared);
void fq_block_score(const struct fq_block_code *code, const struct fq_call *call, const void *prepared, size_t n,
                    const uint8_t *records, float *scores);
void fq_block_decode(const struct fq_block_code *code, const struct fq_call *call, size_t n, const uint8_t *records,
                     float *x);
void fq_block_attend(const struct fq_block_code *code, const struct fq_call *call, size_t n, const uint8_t *records,
                     const float *weights, float *out);

/* The functions and the table that a method exports, over code_of(const struct fq_params *) -> struct fq_block_code:
 * check, footprint and kernels_ref. A kernel gets no pointer to its method, hence one set per format. */
#define FQ_BLOCK_METHOD(code_of)                                                                                       \
    static int check(const struct fq_params *p, const struct fq_shape *shape, char *why, size_t why_size) {            \
        const struct fq_block_code code = code_of(p);                                                                  \
        return fq_block_check(&code, shape, why, why_size);                                                            \
    }                                                                                                                  \
    static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {                    \
        const struct fq_block_code code = code_of(p);                                                                  \
        return fq_block_footprint(&code, shape);                                                                       \
    }                                                                                                                  \
    static void rotate_ref(const struct fq_call *call, size_t n, const float *x, float *y) {                           \
        const struct fq_block_code code = code_of(call->params);                                                       \
        fq_block_rotate(&code, call, n, x, y);                                                                         \
    }                                                                                                                  \
    static size_t encode_ref(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {          \
        const struct fq_block_code code = code_of(call->params);                                                       \
        return fq_block_encode(&code, call, n_groups, y, records);                                                     \
    }                                                                                                                  \
    static void prepare_ref(const struct fq_call *call, size_t n, const float *q, void *prepared) {                    \
        const struct fq_block_code code = code_of(call->params);                                                       \
        fq_block_prepare(&code, call, n, q, prepared);                                                                 \
    }                                                                                                                  \
    static void score_ref(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,   \
                          float *scores) {                                                                             \
        const struct fq_block_code code = code_of(call->params);                                                       \
        fq_block_score(&code, call, prepared, n_groups, records, scores);                                              \
    }                                                                                                                  \
    static void decode_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {            \
        const struct fq_block_code code = code_of(call->params);                                                       \
        fq_block_decode(&code, call, n_groups, records, x);                                                            \
    }                                                                                                                  \
    static void attend_ref(const struct fq_call *call, size_t n_groups, const uint8_t *records, const float *weights,  \
                           float *out) {                                                                               \
        const struct fq_block_code code = code_of(call->params);                                                       \
        fq_block_attend(&code, call, n_groups, records, weights, out);                                                 \
    }                                                                                                                  \
    static const struct fq_kernels kernels_ref = {                                                                     \
        .rotate = rotate_ref,                                                                                          \
        .encode = encode_ref,                                                                                          \
        .prepare = prepare_ref,                                                                                        \
        .score = score_ref,                                                                                            \
        .decode = decode_ref,                                                                                          \
        .attend = attend_ref,                                                                                          \
    }

/* The first six codes of block 0 of appendix B's vector, against `codes`, and the relative squared error of the whole
 * vector, to the printed digits (tolerance). */
enum { FQ_BLOCK_KNOWN_CODES = 6 };
void fq_block_known_answers(const struct fq_block_format *format, const int codes[FQ_BLOCK_KNOWN_CODES], double error,
                            double tolerance, const char *source, const struct fq_answers *answers);

#endif
