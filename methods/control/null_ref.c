/* null, reference bodies: a copy, and nothing else. Encode is one memcpy for the whole call, so that its time is what
 * the harness's own call costs plus the bytes moved. */
#include "methods/control/null.h"

#include <string.h>

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    memcpy(records, y, n_groups * call->footprint->record_bytes);
    return n_groups;
}

static void prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    memcpy(prepared, q, n * call->footprint->prepared_bytes);
}

static void score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                  float *scores) {
    const float *q = prepared;
    for (size_t i = 0; i < n_groups; i++, records += call->footprint->record_bytes) {
        double sum = 0;
        for (size_t j = 0; j < call->shape.dim; j++) {
            float x;
            memcpy(&x, records + j * sizeof x, sizeof x);
            sum += (double)x * (double)q[j];
        }
        scores[i] = (float)sum;
    }
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    memcpy(x, records, n_groups * call->footprint->record_bytes);
}

const struct fq_kernels null_ref = {.encode = encode, .prepare = prepare, .score = score, .decode = decode};
