/* The small model with a key bias in which agents are tested, and the tokens it reads. Behind cmocka.h. */
#ifndef FQ_TEST_CACHE_TINY_H
#define FQ_TEST_CACHE_TINY_H

#include "harness/base/pool.h"
#include "harness/measure/catalog.h"
#include "methods/registry.h"
#include "tests/unit/data/tiny_model.h"

#include <stdlib.h>
#include <unistd.h>

enum { N = 40, GROUP = TINY_HEADS / TINY_KV };

static char path[] = "/tmp/fq-agent-XXXXXX";
static int32_t tokens[N];

static int group_setup(void **state) {
    struct tiny_model tiny;
    struct fq_error err = {0};
    (void)state;
    for (size_t i = 0; fq_methods[i]; i++)
        if (fq_catalog_add(fq_methods[i], &err) != 0)
            return -1;
    if (fq_pool_start(1, &err) != 0)
        return -1;
    const int fd = mkstemp(path);
    if (fd < 0 || close(fd) != 0)
        return -1;
    tiny_build(&tiny, TINY_QWEN2);
    tiny_write(&tiny, path, 0);
    tiny_free(&tiny);
    for (int i = 0; i < N; i++)
        tokens[i] = (i * 17 + i * i) % TINY_WORDS;
    return 0;
}

static int group_teardown(void **state) {
    (void)state;
    return unlink(path);
}

static inline struct fq_model *open_model(size_t batch) {
    struct fq_model *model = NULL;
    struct fq_error err = {0};
    if (fq_model_open_batch(path, N, batch, 1, &model, &err) != 0)
        fail_msg("%s", err.text);
    return model;
}

#endif
