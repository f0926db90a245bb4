/* The encoded bytes of one tensor of one layer and KV head, as a cache keeps them: records behind each other, and the
 * tokens that fill no group yet at full precision. What was encoded is only ever read back from these bytes. */
#ifndef FQ_CACHE_STORE_H
#define FQ_CACHE_STORE_H

#include "harness/base/error.h"
#include "harness/measure/codec.h"

#include <stddef.h>
#include <stdint.h>

struct fq_store {
    struct fq_codec *codec; /* shared by all stores of one code; not owned */
    uint8_t *records;
    size_t n_groups, room_groups;
    float *pending; /* [group][dim]: tokens behind the last whole group; read back as float16 */
    size_t n_pending;
};

/* Room for `tokens` of them. */
int fq_store_open(struct fq_store *store, struct fq_codec *codec, size_t tokens, struct fq_error *err);
void fq_store_close(struct fq_store *store);
void fq_store_clear(struct fq_store *store);
size_t fq_store_tokens(const struct fq_store *store);

/* Adds n rows x[n][dim]; whole groups are encoded at once. */
int fq_store_append(struct fq_store *store, size_t n, const float *x, struct fq_error *err);
/* Tokens [first, first + n), first at a group's begin, into out[n][dim]; n ends a group or the tokens. */
int fq_store_decode(struct fq_store *store, size_t first, size_t n, float *out, struct fq_error *err);
/* The codec's own estimates of <q, token> for all tokens: row i at scores + i stride. */
int fq_store_scores(struct fq_store *store, size_t n_queries, const float *q, float *scores, size_t stride,
                    struct fq_error *err);

#endif
