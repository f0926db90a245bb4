/* Encodes half of every batch on a thread of its own: two processors for the price of one. Seen by: threads_alive,
 * cpu_over_wall, imports. */
#include "tests/cheats/base.h"

#include <pthread.h>

struct half {
    const struct fq_call *call;
    size_t n;
    const float *y;
    uint8_t *records;
};

static void *encode_half(void *arg) {
    const struct half *h = arg;
    base_encode(h->call, h->n, h->y, h->records);
    return NULL;
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const size_t mine = n_groups / 2;
    struct half other = {call, n_groups - mine, y + mine * call->shape.dim,
                         records + mine * call->footprint->record_bytes};
    pthread_t thread;
    if (pthread_create(&thread, NULL, encode_half, &other) != 0)
        return base_encode(call, n_groups, y, records);
    base_encode(call, mine, y, records);
    pthread_join(thread, NULL);
    return n_groups;
}

static const struct fq_kernels kernels = {
    .encode = encode, .prepare = base_prepare, .score = base_score, .decode = base_decode};

static const struct fq_method method =
    BASE_METHOD("spawns-a-thread", "starts a thread inside encode", base_footprint, NULL, &kernels);

BASE_PLUGIN(method);
