/* One view of everything that can be quantized: KV sets dumped from a model, vector sets, generated vectors.
 *
 * A dataset is a grid of matrices. KV sets: for each layer and KV head a matrix key[n_tokens][dim] and
 * value[n_tokens][dim], for each query head query[n_tokens][dim]. Vector sets and generators: one layer, one head;
 * `key` holds the base vectors and `query` the queries (n_queries of them). Rows are read in slices, so that a set
 * larger than memory works. */
#ifndef FQ_DATA_DATASET_H
#define FQ_DATA_DATASET_H

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "harness/method.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fq_dataset_kind { FQ_DATA_KV, FQ_DATA_VECTORS, FQ_DATA_GENERATED };

struct fq_dataset_info {
    char name[128]; /* as a sweep names it */
    enum fq_dataset_kind kind;
    char sha256[FQ_SHA256_HEX];     /* of the file, or of the generated content */
    char model[64], corpus[64];     /* "" unless KV */
    char source[64], rope[8];       /* KV: who captured it; "post" or "pre" */
    size_t layers, kv_heads, heads; /* 1, 1, 1 unless KV; heads = query heads, a multiple of kv_heads */
    size_t dim;
    size_t n;         /* rows of each key or value matrix */
    size_t n_queries; /* rows of each query matrix */
    size_t context;   /* KV: attention windows are [k context, (k+1) context); n when the capture was one window */
    bool has_value, has_query;
    bool has_key_bias; /* KV: what the model's key bias adds to each key is stored apart */
};

struct fq_dataset;

/* path_or_name: a file (by its content and ending: .h5/.hdf5 with schema fairquant/kv/1 or ann-benchmarks; .fvecs
 * .bvecs .npy; .gguf for the token-embedding matrix) or a name from the manifest. */
int fq_dataset_open(const char *path_or_name, struct fq_dataset **out, struct fq_error *err);

/* kind: sphere gaussian lognormal one-hot few-sparse constant outliers clustered; streams "data" and "query" of `seed`.
 */
int fq_dataset_generate(const char *kind, size_t n, size_t dim, uint64_t seed, struct fq_dataset **out,
                        struct fq_error *err);
const char *const *fq_generator_names(void); /* NULL-terminated */

/* Narrows a set to the layers layers[n_layers] (0: all) and the first `rows` rows of each matrix (0: all); info
 * follows. FQ_USAGE when it has fewer; the set is then as it was. */
int fq_dataset_restrict(struct fq_dataset *set, const size_t *layers, size_t n_layers, size_t rows,
                        struct fq_error *err);

void fq_dataset_close(struct fq_dataset *set);
const struct fq_dataset_info *fq_dataset_info(const struct fq_dataset *set);

/* Rows [first, first + n) of one matrix as float32, out[n][dim]. A NaN or Inf is an error naming file, matrix, row and
 * channel. */
int fq_dataset_rows(struct fq_dataset *set, enum fq_tensor tensor, size_t layer, size_t kv_head, size_t first, size_t n,
                    float *out, struct fq_error *err);
int fq_dataset_queries(struct fq_dataset *set, size_t layer, size_t head, size_t first, size_t n, float *out,
                       struct fq_error *err);

/* What the model's key bias b adds to the keys at positions [first, first + n) of a window, out[n][dim]: RoPE_p(b), or
 * b where keys are stored before RoPE. FQ_USAGE without has_key_bias. */
int fq_dataset_key_bias(struct fq_dataset *set, size_t layer, size_t kv_head, size_t first, size_t n, float *out,
                        struct fq_error *err);

/* 0, or FQ_USAGE and "what: vector V, coordinate C is NaN" for the first value that is not finite. x[n][dim]. */
int fq_check_finite(const char *what, const float *x, size_t n, size_t dim, struct fq_error *err);

/* ---- writing a KV set (capture) ---- */
struct fq_kv_writer;
struct fq_kv_attributes {
    const char *model, *model_sha256, *corpus, *corpus_sha256, *source; /* source: "fairquant capture, llama.cpp ..." */
    size_t layers, kv_heads, heads, dim, tokens, context;
    bool half; /* float16 on disk, else float32 */
};
int fq_kv_writer_open(const char *path, const struct fq_kv_attributes *a, struct fq_kv_writer **out,
                      struct fq_error *err);
/* rows[n][heads_of_that_tensor][dim]; which: 0 key, 1 value, 2 query. Any order of layers, rows in order. */
int fq_kv_writer_rows(struct fq_kv_writer *w, int which, size_t layer, size_t first, size_t n, const float *rows,
                      struct fq_error *err);
/* Optional, once: bias[layers][kv_heads][context][dim], kept as float32 whatever the rest is. */
int fq_kv_writer_key_bias(struct fq_kv_writer *w, const float *bias, struct fq_error *err);
/* Optional, once: the bias itself as the weights have it, before RoPE, bias[layers][kv_heads * dim]: an attribute of
 * each layer's keys. */
#define FQ_KV_BIAS_WEIGHTS "pre_rope_bias"
int fq_kv_writer_bias_weights(struct fq_kv_writer *w, const float *bias, struct fq_error *err);
int fq_kv_writer_commit(struct fq_kv_writer *w,
                        struct fq_error *err); /* checks that all is written; renames; frees w */
void fq_kv_writer_abort(struct fq_kv_writer *w);

#endif
