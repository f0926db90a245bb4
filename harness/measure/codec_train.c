/* The shared state of a codec: setup, training on a split that the caller chooses, and states put back. What the split
 * is made of is the caller's affair (training.c, ppl_training.c); nothing here reads data of its own. */
#include "harness/measure/codec_internal.h"

#include "harness/base/random.h"
#include "harness/data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fq_method_learns(const struct fq_method *method, const struct fq_params *params) {
    if (method->train == NULL)
        return false;
    return method->needs_training != NULL ? method->needs_training(params) : !method->data_oblivious;
}

bool fq_codec_learns(const struct fq_codec *codec) {
    return fq_method_learns(codec->config.method, &codec->config.params);
}

void fq_codec_keep_shared(struct fq_codec *c) {
    if (c->footprint.shared_bytes > 0)
        memcpy(c->shared_copy, c->shared, c->footprint.shared_bytes);
}

/* setup and train have scratch of their own, larger than what kernels get and gone before the first kernel runs. */
static int run(struct fq_codec *c, size_t n, const float *x, struct fq_error *err) {
    const struct fq_method *m = c->config.method;
    const struct fq_params *p = &c->config.params;
    const struct fq_shape *shape = &c->config.shape;
    struct fq_arena *arena = fq_arena_new("setup");
    if (arena == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: setup of %s", m->name);
    const size_t bytes = m->setup_scratch != NULL ? m->setup_scratch(p, shape) : 0;
    void *scratch = fq_arena_take(arena, "setup scratch", bytes, err);
    int code = scratch != NULL ? FQ_OK : err->code;
    if (code == FQ_OK) {
        const struct fq_streams streams = fq_streams_for(c->config.seed);
        if (n > 0)
            m->train(p, shape, &streams, n, x, c->shared, scratch);
        else if (m->setup != NULL)
            m->setup(p, shape, &streams, c->shared, scratch);
        code = fq_arena_check(arena, err);
        if (code == FQ_OK)
            code = fq_arena_check(c->shared_arena, err);
        if (code != FQ_OK)
            code = fq_fail_in(err, "%s: %s", m->name, n > 0 ? "train" : "setup");
    }
    fq_arena_free(arena);
    fq_codec_keep_shared(c);
    return code;
}

int fq_codec_fill_shared(struct fq_codec *c, struct fq_error *err) {
    FQ_TRY(run(c, 0, NULL, err));
    if (!fq_codec_learns(c))
        return FQ_OK;
    c->untrained = true;
    c->after_setup = malloc(c->footprint.shared_bytes + 1);
    if (c->after_setup == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: a second shared state of %s", c->config.method->name);
    memcpy(c->after_setup, c->shared, c->footprint.shared_bytes);
    return c->config.n_train > 0 ? fq_codec_train(c, c->config.n_train, c->config.train, "given", err) : FQ_OK;
}

static void forget_records(struct fq_codec *c) {
    c->n = c->n_groups = 0;
}

int fq_codec_train(struct fq_codec *codec, size_t n, const float *x, const char *split, struct fq_error *err) {
    const char *name = codec->config.method->name;
    if (!fq_codec_learns(codec))
        return fq_fail(err, FQ_FAILED, "%s learns nothing with these parameters and cannot be trained", name);
    if (n == 0)
        return fq_fail(err, FQ_USAGE, "%s learns from data, and its training split is empty", name);
    FQ_TRY(fq_check_finite("training vectors", x, n, codec->config.shape.dim, err));
    memcpy(codec->shared, codec->after_setup, codec->footprint.shared_bytes);
    forget_records(codec);
    FQ_TRY(run(codec, n, x, err));
    codec->untrained = false;
    snprintf(codec->training, sizeof codec->training, "%zu vectors, %s", n, split);
    return FQ_OK;
}

void fq_codec_put_shared(struct fq_codec *codec, const void *shared) {
    memcpy(codec->shared, shared, codec->footprint.shared_bytes);
    fq_codec_keep_shared(codec);
    forget_records(codec);
    codec->untrained = false;
}

void fq_codec_count_states(struct fq_codec *codec, size_t states) {
    codec->bytes.shared_bytes = states * codec->footprint.shared_bytes;
}

const char *fq_codec_training(const struct fq_codec *codec) {
    return codec->training;
}
