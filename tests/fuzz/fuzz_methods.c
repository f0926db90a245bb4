/* libFuzzer target: any method of the registry, any parameters, any shape, any finite data.
 *
 * One input is one case from setup to attend, through the calls that the harness makes, in buffers of exactly the
 * promised size, so that AddressSanitizer sees the first byte beyond a footprint. What must hold:
 *
 *   - parameters that cannot be had are refused in one sentence, before anything else is asked of the method;
 *   - the footprint is sane, and the same when asked twice;
 *   - encode returns at most the groups it was given; encoded again, into memory and scratch that were filled
 *     otherwise, the records are the same bytes; the shared state is never written;
 *   - what was encoded decodes to finite numbers, the same from an odd address and with other scratch, and not to zero
 *     where it was huge; scores and sums are finite.
 *
 * A miss prints the case in words and aborts; a sanitizer's report aborts by itself. Environment: FQ_FUZZ_METHOD=NAME
 * confines the run to one method. It must not judge accuracy: that is what verify is for. */
#include "harness/base/error.h"
#include "harness/base/random.h"
#include "harness/measure/catalog.h"
#include "methods/registry.h"
#include "tests/fuzz/cases.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_DIM = 320, MOST_GROUPS = 3, MOST_VECTORS = 520, TRAINING = 300 };

/* Setup of a dense rotation takes d^3. More shared state than a dense matrix of 128 is left to the unit tests, and what
 * is more than one of 48 is set up once only. */
enum { MOST_SHARED = 72 << 10, MOST_TWICE = 10 << 10, MOST_WORK = 1 << 26 };

static const float HUGE_COORDINATE = 0x1p110F;

struct fuzz_case {
    const struct fq_method *method;
    struct fq_params params;
    struct fq_shape shape;
    uint64_t seed;
    struct fq_footprint footprint;
    const struct fq_kernels *kernels;
    void *shared, *shared_copy, *scratch;
    size_t groups, done;
};

static const struct fq_method *only;
static size_t n_methods;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    const char *name = getenv("FQ_FUZZ_METHOD");
    for (n_methods = 0; fq_methods[n_methods]; n_methods++)
        if (name && strcmp(fq_methods[n_methods]->name, name) == 0)
            only = fq_methods[n_methods];
    if (name && name[0] != '\0' && !only) {
        fprintf(stderr, "fuzz: FQ_FUZZ_METHOD=%s is no method of the registry\n", name);
        exit(2);
    }
    return 0;
}

__attribute__((noreturn)) static void miss(const struct fuzz_case *c, const char *what, double seen) {
    char params[512];
    fq_params_print(c->method, &c->params, params, sizeof params);
    fprintf(stderr, "fuzz: %s: %s (%.9g)\n  parameters: %s\n  d = %zu, %s, seed %llu, %zu groups, %zu encoded\n",
            c->method->name, what, seen, params[0] ? params : "none", c->shape.dim,
            c->shape.tensor == FQ_KEY ? "key" : "value", (unsigned long long)c->seed, c->groups, c->done);
    abort();
}

static void must(const struct fuzz_case *c, bool holds, const char *what, double seen) {
    if (!holds)
        miss(c, what, seen);
}

/* Exactly n bytes, so that the byte behind them is not ours; 64-byte aligned. */
static void *take(size_t n, int poison) {
    void *p = NULL;
    if (posix_memalign(&p, 64, n) != 0) {
        fprintf(stderr, "fuzz: out of memory for %zu bytes\n", n);
        abort();
    }
    memset(p, poison, n);
    return p;
}

static struct fq_call fresh_call(const struct fuzz_case *c, int poison) {
    memset(c->scratch, poison, c->footprint.scratch_bytes);
    return (struct fq_call){.params = &c->params,
                            .shape = c->shape,
                            .footprint = &c->footprint,
                            .shared = c->shared,
                            .scratch = c->scratch};
}

static void check_finite(const struct fuzz_case *c, const char *what, size_t n, const float *v) {
    for (size_t i = 0; i < n; i++)
        must(c, isfinite(v[i]), what, (double)i);
}

static void check_shared(const struct fuzz_case *c, const char *what) {
    must(c, memcmp(c->shared, c->shared_copy, c->footprint.shared_bytes) == 0, what, 0);
}

/* Refused in one sentence, or not at all. */
static bool accepted(const struct fuzz_case *c) {
    struct fq_error err = {0};
    const int code = fq_params_check(c->method, &c->params, &c->shape, &err);
    if (code == FQ_OK)
        return true;
    must(c, code == FQ_USAGE, "a refusal that is no usage error", code);
    must(c, strlen(err.text) > 12 && strstr(err.text, c->method->name), "a refusal that does not name the method", 0);
    must(c, !strchr(err.text, '\n') && !strstr(err.text, "without saying why"), "a refusal that is no sentence", 0);
    return false;
}

static void check_footprint(const struct fuzz_case *c) {
    const struct fq_footprint *f = &c->footprint, again = c->method->footprint(&c->params, &c->shape);
    must(c, memcmp(f, &again, sizeof again) == 0, "a footprint that changes", 0);
    must(c, f->granularity >= 1 && f->granularity <= 1U << 20, "granularity", (double)f->granularity);
    must(c, f->record_bytes > 0 && f->record_bytes < SIZE_MAX >> 24, "record bytes", (double)f->record_bytes);
    must(c, f->side_bytes <= f->record_bytes, "more side bytes than record bytes", (double)f->side_bytes);
    must(c, f->work_dim >= c->shape.dim && f->work_dim <= 2 * (size_t)FQ_MAX_DIM, "work_dim", (double)f->work_dim);
    must(c, c->kernels->rotate || f->work_dim == c->shape.dim, "work_dim without rotate", (double)f->work_dim);
    must(c, f->shared_bytes == 0 || c->method->setup, "shared bytes that nothing fills", (double)f->shared_bytes);
    must(c, f->shared_bytes < SIZE_MAX >> 8 && f->scratch_bytes < SIZE_MAX >> 8, "shared or scratch bytes", 0);
    must(c, c->kernels->encode && (c->kernels->decode || c->kernels->score), "no way to read a record", 0);
    must(c, !c->kernels->score == !c->kernels->prepare, "score and prepare go together", 0);
    must(c, !c->kernels->prepare || f->prepared_bytes > 0, "prepared bytes", (double)f->prepared_bytes);
    const double nominal = c->method->nominal_bits(&c->params);
    const double rate = 8.0 * (double)f->record_bytes / ((double)f->granularity * (double)c->shape.dim);
    /* Some literature counts its scalars at d = 128 into the name; with more coordinates the rate is below it. */
    must(c, nominal > 0 && nominal <= rate + 0.5, "nominal bits above the rate", nominal);
}

static bool affordable(const struct fuzz_case *c) {
    const struct fq_footprint *f = &c->footprint;
    const size_t scratch = c->method->setup_scratch ? c->method->setup_scratch(&c->params, &c->shape) : 0;
    return f->shared_bytes <= MOST_SHARED && f->scratch_bytes <= MOST_WORK && scratch <= MOST_WORK &&
           f->granularity <= MOST_VECTORS && c->shape.dim <= MOST_DIM;
}

static void set_up(struct fuzz_case *c, struct fuzz_bytes *b) {
    const struct fq_method *m = c->method;
    const struct fq_streams streams = fq_streams_for(c->seed);
    const size_t work = m->setup_scratch ? m->setup_scratch(&c->params, &c->shape) : 0;
    c->shared = take(c->footprint.shared_bytes, 0xA5);
    c->shared_copy = take(c->footprint.shared_bytes, m->setup ? 0x5A : 0xA5);
    c->scratch = take(c->footprint.scratch_bytes, 0xA5);
    /* Twice, over other bytes: the state must be a function of the seed and the training vectors. */
    const bool twice = c->footprint.shared_bytes <= MOST_TWICE;
    for (int pass = twice ? 0 : 1; pass < 2; pass++) {
        void *scratch = take(work, pass ? 0x00 : 0xFF);
        if (m->setup)
            m->setup(&c->params, &c->shape, &streams, pass ? c->shared : c->shared_copy, scratch);
        free(scratch);
    }
    if (m->train && (m->needs_training ? m->needs_training(&c->params) : !m->data_oblivious)) {
        const size_t n = 1 + fuzz_word(b, 2) % TRAINING;
        float *x = take(n * c->shape.dim * sizeof *x, 0);
        fuzz_vectors(b, n, c->shape.dim, x);
        for (int pass = twice ? 0 : 1; pass < 2; pass++) {
            void *scratch = take(work, pass ? 0x00 : 0xFF);
            m->train(&c->params, &c->shape, &streams, n, x, pass ? c->shared : c->shared_copy, scratch);
            free(scratch);
        }
        free(x);
    }
    if (twice)
        check_shared(c, "a shared state that depends on what lay in memory before");
    else
        memcpy(c->shared_copy, c->shared, c->footprint.shared_bytes);
}

/* Rotated, into records[groups][record_bytes]; what encode returned. */
static size_t encode(const struct fuzz_case *c, const float *x, int poison, uint8_t *records) {
    const struct fq_footprint *f = &c->footprint;
    const size_t n = c->groups * f->granularity;
    const float *y = x;
    float *rotated = NULL;
    if (c->kernels->rotate) {
        rotated = take(n * f->work_dim * sizeof *rotated, poison);
        const struct fq_call call = fresh_call(c, poison);
        c->kernels->rotate(&call, n, x, rotated);
        y = rotated;
    }
    const struct fq_call call = fresh_call(c, poison);
    const size_t done = c->kernels->encode(&call, c->groups, y, records);
    free(rotated);
    return done;
}

/* A rotation that overflows must end in a refusal: coded as zero, a huge vector would vanish without a word. What was
 * fitted to other vectors may well have nothing nearer to this one than zero. */
static void check_not_lost(const struct fuzz_case *c, const float *x, const float *xhat) {
    const size_t dim = c->shape.dim;
    if (c->method->train)
        return;
    for (size_t v = 0; v < c->done * c->footprint.granularity; v++) {
        float greatest = 0, decoded = 0;
        for (size_t i = v * dim; i < (v + 1) * dim; i++) {
            greatest = fmaxf(greatest, fabsf(x[i]));
            decoded = fmaxf(decoded, fabsf(xhat[i]));
        }
        must(c, !(greatest >= HUGE_COORDINATE) || decoded > 0, "a huge vector that decodes to zero", (double)v);
    }
}

static void check_decode(const struct fuzz_case *c, const float *x, const uint8_t *records, const uint8_t *moved) {
    const size_t n = c->done * c->footprint.granularity * c->shape.dim;
    float *first = take(n * sizeof *first, 0xFF), *second = take(n * sizeof *second, 0xFF);
    struct fq_call call = fresh_call(c, 0xA5);
    c->kernels->decode(&call, c->done, records, first);
    call = fresh_call(c, 0x00);
    c->kernels->decode(&call, c->done, moved, second);
    check_finite(c, "a decoded coordinate that is not finite", n, first);
    must(c, memcmp(first, second, n * sizeof *first) == 0, "decode depends on more than the bytes", 0);
    check_not_lost(c, x, first);
    free(first);
    free(second);
}

static void check_scores(const struct fuzz_case *c, struct fuzz_bytes *b, const uint8_t *records,
                         const uint8_t *moved) {
    const size_t n = c->done * c->footprint.granularity, dim = c->shape.dim;
    float *q = take(dim * sizeof *q, 0), *first = take(n * sizeof *first, 0xFF),
          *second = take(n * sizeof *second, 0xFF);
    void *prepared = take(c->footprint.prepared_bytes, 0xA5);
    fuzz_query(b, dim, q);
    struct fq_call call = fresh_call(c, 0xA5);
    c->kernels->prepare(&call, 1, q, prepared);
    call = fresh_call(c, 0xA5);
    c->kernels->score(&call, prepared, c->done, records, first);
    memset(prepared, 0x00, c->footprint.prepared_bytes);
    call = fresh_call(c, 0x00);
    c->kernels->prepare(&call, 1, q, prepared);
    call = fresh_call(c, 0x00);
    c->kernels->score(&call, prepared, c->done, moved, second);
    check_finite(c, "a score that is not finite", n, first);
    must(c, memcmp(first, second, n * sizeof *first) == 0, "score depends on more than bytes and query", 0);
    free(q);
    free(first);
    free(second);
    free(prepared);
}

static void check_attend(const struct fuzz_case *c, struct fuzz_bytes *b, const uint8_t *records) {
    const size_t n = c->done * c->footprint.granularity, dim = c->shape.dim;
    float *weights = take(n * sizeof *weights, 0), *out = take(dim * sizeof *out, 0xFF);
    for (size_t i = 0; i < n; i++) /* as after a softmax: between 0 and 1, their sum at most 1 */
        weights[i] = (float)fuzz_byte(b) / (256.0F * (float)n);
    const struct fq_call call = fresh_call(c, 0xA5);
    c->kernels->attend(&call, c->done, records, weights, out);
    check_finite(c, "a weighted sum that is not finite", dim, out);
    free(weights);
    free(out);
}

static void drive(struct fuzz_case *c, struct fuzz_bytes *b) {
    const size_t g = c->footprint.granularity, dim = c->shape.dim, record = c->footprint.record_bytes;
    c->groups = 1 + fuzz_byte(b) % MOST_GROUPS;
    const size_t n = c->groups * g;
    float *x = take(n * dim * sizeof *x, 0);
    fuzz_vectors(b, n, dim, x);
    uint8_t *first = take(c->groups * record, 0x33), *second = take(c->groups * record, 0xCC);
    c->done = encode(c, x, 0xA5, first);
    must(c, c->done <= c->groups, "encode returns more groups than it was given", (double)c->done);
    const size_t again = encode(c, x, 0x00, second);
    must(c, again == c->done, "encode refuses another group the second time", (double)again);
    must(c, memcmp(first, second, c->done * record) == 0, "a second encode gives other bytes", 0);
    check_shared(c, "encode or rotate wrote into the shared state");
    free(second);
    if (c->done > 0) {
        /* Records at an odd address, their end still the end of the block. */
        uint8_t *block = take(c->done * record + 1, 0), *moved = block + 1;
        memcpy(moved, first, c->done * record);
        if (c->kernels->decode)
            check_decode(c, x, first, moved);
        if (c->kernels->score)
            check_scores(c, b, first, moved);
        if (c->kernels->attend)
            check_attend(c, b, first);
        check_shared(c, "decode, score or attend wrote into the shared state");
        free(block);
    }
    free(first);
    free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_bytes bytes = {data, size};
    struct fuzz_case c = {0};
    const size_t which = fuzz_byte(&bytes) % n_methods;
    c.method = only ? only : fq_methods[which];
    c.kernels = c.method->kernels[FQ_REF];
    c.shape.tensor = fuzz_byte(&bytes) % 2 ? FQ_VALUE : FQ_KEY;
    c.shape.dim = fuzz_dim(&bytes, MOST_DIM);
    c.seed = fuzz_word(&bytes, 2);
    fuzz_params(&bytes, c.method, &c.params);
    if (!accepted(&c))
        return 0;
    c.footprint = c.method->footprint(&c.params, &c.shape);
    check_footprint(&c);
    if (!affordable(&c))
        return 0;
    set_up(&c, &bytes);
    drive(&c, &bytes);
    free(c.shared);
    free(c.shared_copy);
    free(c.scratch);
    return 0;
}
