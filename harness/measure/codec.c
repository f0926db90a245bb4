/* Life of a codec: open, encode, bytes. Its shared state is filled in codec_train.c; decode and scores are in
 * codec_read.c, kernel calls in codec_stage.c.
 *
 * How violations are seen. (1) Canaries around every block, looked at after every stage. (2) The shared state is
 * compared with a hidden copy after every stage: memory speed, so that no sampling is needed. (3) Before the first real
 * encode one group is encoded twice into a roomy buffer with different fillings: the furthest byte that changes is what
 * a record really receives. Bytes are counted with that number, so a footprint that promises less than it writes gains
 * nothing. */
#include "harness/measure/codec_internal.h"

#include "harness/base/cpu.h"
#include "harness/base/half.h"
#include "harness/base/random.h"
#include "harness/data/dataset.h"
#include "harness/measure/catalog.h"
#include "harness/measure/probe_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fq_stage_name(enum fq_stage stage) {
    static const char *const names[FQ_STAGES] = {"rotate", "encode", "prepare", "score", "decode", "attend"};
    return stage < FQ_STAGES ? names[stage] : "none";
}

static int check_footprint(const struct fq_codec *c, struct fq_error *err) {
    const struct fq_footprint *f = &c->footprint;
    const char *name = c->config.method->name;
    const size_t dim = c->config.shape.dim;
    if (f->granularity == 0)
        return fq_fail(err, FQ_FAILED, "%s: its footprint has granularity 0; a record holds at least one vector", name);
    if (f->side_bytes > f->record_bytes)
        return fq_fail(err, FQ_FAILED, "%s: its footprint has %zu side bytes in a record of %zu bytes", name,
                       f->side_bytes, f->record_bytes);
    if (c->kernels->rotate == NULL && f->work_dim != dim)
        return fq_fail(err, FQ_FAILED, "%s: work_dim is %zu without a rotate stage; it must be dim = %zu", name,
                       f->work_dim, dim);
    if (f->work_dim < dim || f->work_dim > 2 * (size_t)FQ_MAX_DIM || f->granularity > (1U << 20) ||
        f->record_bytes > (SIZE_MAX >> 24))
        return fq_fail(err, FQ_FAILED,
                       "%s: its footprint is not sane (work_dim %zu, granularity %zu, record %zu bytes)", name,
                       f->work_dim, f->granularity, f->record_bytes);
    return FQ_OK;
}

static int check_config(const struct fq_codec_config *config, struct fq_error *err) {
    const struct fq_method *m = config->method;
    if (config->shape.dim == 0 || config->shape.dim > FQ_MAX_DIM)
        return fq_fail(err, FQ_USAGE, "%s: dimension %zu is out of range; expected 1 to %d", m->name, config->shape.dim,
                       FQ_MAX_DIM);
    if (config->backend >= FQ_BACKENDS || m->kernels[config->backend] == NULL ||
        m->kernels[config->backend]->encode == NULL)
        return fq_fail(err, FQ_USAGE, "%s has no backend '%s'; `fairquant list methods` shows which it has", m->name,
                       fq_backend_name(config->backend));
    if (!fq_cpu_has(config->backend))
        return fq_fail(err, FQ_USAGE, "%s: this machine cannot run backend '%s'; use --isa with a lower one", m->name,
                       fq_backend_name(config->backend));
    return fq_params_check(m, &config->params, &config->shape, err);
}

/* Everything but the contents of the shared state. */
static int codec_new(const struct fq_codec_config *config, struct fq_codec **out, struct fq_error *err) {
    *out = NULL;
    FQ_TRY(check_config(config, err));
    struct fq_codec *c = calloc(1, sizeof *c);
    if (c == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: a codec for %s", config->method->name);
    *out = c; /* from here on the caller closes */
    c->config = *config;
    c->kernels = config->method->kernels[config->backend];
    c->footprint = config->method->footprint(&config->params, &config->shape);
    c->scratch_byte = -1;
    FQ_TRY(check_footprint(c, err));
    const size_t widest = c->footprint.work_dim > config->shape.dim ? c->footprint.work_dim : config->shape.dim;
    c->chunk_groups = CODEC_CHUNK_BYTES / (c->footprint.granularity * widest * sizeof(float));
    const unsigned threads = fq_pool_threads() > 0 ? fq_pool_threads() : 1;
    if (c->chunk_groups < threads)
        c->chunk_groups = threads;
    c->shared_arena = fq_arena_new("shared state");
    c->shared_copy = malloc(c->footprint.shared_bytes + 1);
    if (c->shared_arena == NULL || c->shared_copy == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: %zu bytes of shared state for %s", c->footprint.shared_bytes,
                       config->method->name);
    c->shared = fq_arena_take(c->shared_arena, "shared state", c->footprint.shared_bytes, err);
    if (c->shared == NULL)
        return err->code;
    c->bytes.shared_bytes = c->footprint.shared_bytes;
    return fq_codec_workers(c, err);
}

static int finish_open(int code, struct fq_codec **out) {
    if (code != FQ_OK) {
        fq_codec_close(*out);
        *out = NULL;
    } else {
        (*out)->config.train = NULL; /* the caller's; not ours to keep */
    }
    return code;
}

int fq_codec_open(const struct fq_codec_config *config, struct fq_codec **out, struct fq_error *err) {
    int code = codec_new(config, out, err);
    if (code == FQ_OK)
        code = fq_codec_fill_shared(*out, err);
    return finish_open(code, out);
}

int fq_codec_adopt(const struct fq_codec_config *config, const void *shared, size_t shared_bytes, struct fq_codec **out,
                   struct fq_error *err) {
    int code = codec_new(config, out, err);
    if (code == FQ_OK && (*out)->footprint.shared_bytes != shared_bytes)
        code = fq_fail(err, FQ_FAILED, "%s promises %zu bytes of shared state here and had %zu where it encoded",
                       config->method->name, (*out)->footprint.shared_bytes, shared_bytes);
    if (code == FQ_OK && shared_bytes > 0)
        memcpy((*out)->shared, shared, shared_bytes);
    if (code == FQ_OK)
        fq_codec_keep_shared(*out);
    return finish_open(code, out);
}

void fq_codec_close(struct fq_codec *codec) {
    if (codec == NULL)
        return;
    fq_arena_free(codec->shared_arena);
    fq_arena_free(codec->scratch_arena);
    fq_arena_free(codec->record_arena);
    fq_arena_free(codec->work_arena);
    free(codec->shared_copy);
    free(codec->after_setup);
    free(codec->scratch);
    free(codec->worker_ns);
    free(codec->worker_bad);
    free(codec->tail);
    fq_witness_free(codec->witness);
    free(codec);
}

/* ---- encode ----------------------------------------------------------------------------------------------------- */

/* Records for n_groups, of exactly the promised size, poisoned. The block is reused when the size is the same. */
static int take_records(struct fq_codec *c, size_t n_groups, struct fq_error *err) {
    const size_t bytes = n_groups * c->footprint.record_bytes;
    if (c->record_arena != NULL && c->canaries[0] == '\0' && fq_arena_size_of(c->record_arena, c->records) == bytes) {
        fq_arena_poison(c->record_arena, c->records);
        return FQ_OK;
    }
    fq_arena_free(c->record_arena);
    c->records = NULL;
    c->record_arena = fq_arena_new("records");
    if (c->record_arena == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: records of %s", c->config.method->name);
    c->records = fq_arena_take(c->record_arena, "records", bytes, err);
    return c->records != NULL ? FQ_OK : err->code;
}

static int store_tail(struct fq_codec *c, size_t n_tail, const float *x, size_t first, struct fq_error *err) {
    const size_t dim = c->config.shape.dim;
    free(c->tail);
    c->tail = NULL;
    c->n_tail = n_tail;
    if (n_tail == 0)
        return FQ_OK;
    c->tail = malloc(n_tail * dim * sizeof *c->tail);
    if (c->tail == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: the float16 tail of %zu vectors", n_tail);
    for (size_t i = 0; i < n_tail * dim; i++) {
        c->tail[i] = fq_float_to_half(x[first * dim + i]);
        if ((c->tail[i] & 0x7fffU) == 0x7c00U)
            return fq_fail(
                err, FQ_USAGE,
                "%s: vector %zu, coordinate %zu is %.3g, too large for the float16 tail of vectors that fill "
                "no group; scale the data or give a multiple of %zu vectors",
                c->config.method->name, first + i / dim, i % dim, (double)x[first * dim + i], c->footprint.granularity);
    }
    return FQ_OK;
}

/* How far one record reaches, from two encodes of one group into differently filled room. Nothing the method keeps can
 * change that: the fillings are the harness's. */
static int measure_extent(struct fq_codec *c, const float *y, struct fq_error *err) {
    enum { FILL_A = 0x33, FILL_B = 0xcc, SLACK = 4096 };
    const size_t room = 4 * c->footprint.record_bytes + SLACK;
    uint8_t *a = malloc(2 * room), *b = a != NULL ? a + room : NULL;
    if (a == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: %zu bytes to measure a record of %s", 2 * room,
                       c->config.method->name);
    memset(a, FILL_A, room);
    memset(b, FILL_B, room);
    const struct fq_call call = fq_codec_call(c, 0);
    fq_codec_fill_scratch(c, 0);
    const size_t done = c->kernels->encode(&call, 1, y, a);
    fq_codec_fill_scratch(c, 0);
    if (done == 1 && c->kernels->encode(&call, 1, y, b) == 1) {
        size_t extent = room;
        while (extent > 0 && a[extent - 1] == FILL_A && b[extent - 1] == FILL_B)
            extent--;
        c->extent = extent > c->footprint.record_bytes ? extent : c->footprint.record_bytes;
    }
    free(a);
    fq_codec_inspect(c, FQ_STAGE_ENCODE);
    if (c->extent > c->footprint.record_bytes + FQ_CANARY_BYTES)
        return fq_fail(err, FQ_FAILED, "%s; refused, since it would overwrite memory behind the records",
                       c->promise[0] != '\0' ? c->promise : c->config.method->name);
    return FQ_OK;
}

static int no_representation(const struct fq_codec *c, size_t group, struct fq_error *err) {
    const size_t g = c->footprint.granularity;
    char which[64];
    if (g == 1)
        snprintf(which, sizeof which, "vector %zu", group);
    else
        snprintf(which, sizeof which, "the group of vectors %zu to %zu", group * g, group * g + g - 1);
    return fq_fail(err, FQ_USAGE,
                   "%s: %s has no representation (a scale does not fit its stored type); scale the data or choose a "
                   "wider type for scalars",
                   c->config.method->name, which);
}

static int encode_chunk(struct fq_codec *c, size_t first, size_t groups, const float *x, struct fq_error *err) {
    const struct fq_footprint *f = &c->footprint;
    const size_t dim = c->config.shape.dim, vectors = groups * f->granularity;
    const float *y = x + first * f->granularity * dim;
    if (c->kernels->rotate != NULL) {
        const struct codec_job rotate = {
            .stage = FQ_STAGE_ROTATE, .units = vectors, .in = y, .out = c->rotated, .timed = true};
        FQ_TRY(fq_codec_stage(c, &rotate, err));
        c->times.vectors[FQ_STAGE_ROTATE] += vectors;
        y = c->rotated;
    }
    if (c->extent == 0)
        FQ_TRY(measure_extent(c, y, err));
    const struct codec_job encode = {.stage = FQ_STAGE_ENCODE,
                                     .units = groups,
                                     .in = y,
                                     .encoded = c->records + first * f->record_bytes,
                                     .timed = true};
    FQ_TRY(fq_codec_stage(c, &encode, err));
    c->times.vectors[FQ_STAGE_ENCODE] += vectors;
    size_t bad = SIZE_MAX;
    for (unsigned w = 0; w < c->n_workers; w++)
        bad = c->worker_bad[w] < bad ? c->worker_bad[w] : bad;
    return bad == SIZE_MAX ? FQ_OK : no_representation(c, first + bad, err);
}

int fq_codec_encode(struct fq_codec *codec, size_t n, const float *x, struct fq_error *err) {
    const struct fq_footprint *f = &codec->footprint;
    const size_t dim = codec->config.shape.dim;
    codec->n = codec->n_groups = 0;
    if (n == 0)
        return fq_fail(err, FQ_USAGE, "%s: nothing to encode (0 vectors)", codec->config.method->name);
    if (codec->untrained)
        return fq_fail(err, FQ_USAGE, "%s learns from data: it needs a training split, and none was given",
                       codec->config.method->name);
    FQ_TRY(fq_check_finite(codec->config.method->name, x, n, dim, err));
    const size_t n_groups = n / f->granularity, n_tail = n - n_groups * f->granularity;
    FQ_TRY(fq_codec_workers(codec, err));
    FQ_TRY(fq_codec_room(codec, n_groups, err));
    if (codec->kernels->rotate != NULL)
        FQ_TRY(fq_codec_buffer(codec, CODEC_ROTATED, err));
    FQ_TRY(take_records(codec, n_groups, err));
    for (size_t first = 0; first < n_groups; first += codec->room_groups) {
        const size_t left = n_groups - first;
        FQ_TRY(encode_chunk(codec, first, left < codec->room_groups ? left : codec->room_groups, x, err));
    }
    FQ_TRY(store_tail(codec, n_tail, x, n - n_tail, err));
    codec->n = n;
    codec->n_groups = n_groups;
    codec->bytes.vectors += n;
    codec->bytes.record_bytes += n_groups * (codec->extent > 0 ? codec->extent : f->record_bytes);
    codec->bytes.side_bytes += n_groups * f->side_bytes;
    codec->bytes.tail_bytes += n_tail * dim * sizeof *codec->tail;
    codec->bytes.promised_bytes += n_groups * f->record_bytes + n_tail * dim * sizeof *codec->tail;
    fq_witness_encoded(codec, x);
    return FQ_OK;
}

int fq_codec_roundtrip(struct fq_codec *codec, size_t n, const float *x, float *xhat, struct fq_error *err) {
    FQ_TRY(fq_codec_encode(codec, n, x, err));
    return fq_codec_decode(codec, xhat, err);
}

/* ---- what is known about it --------------------------------------------------------------------------------------*/

const struct fq_footprint *fq_codec_footprint(const struct fq_codec *codec) {
    return &codec->footprint;
}

const struct fq_codec_config *fq_codec_configuration(const struct fq_codec *codec) {
    return &codec->config;
}

void fq_codec_bytes(const struct fq_codec *codec, struct fq_bytes *out) {
    *out = codec->bytes;
}

void fq_codec_count_more(struct fq_codec *codec, const struct fq_bytes *more) {
    codec->bytes.vectors += more->vectors;
    codec->bytes.record_bytes += more->record_bytes;
    codec->bytes.tail_bytes += more->tail_bytes;
    codec->bytes.side_bytes += more->side_bytes;
    codec->bytes.promised_bytes += more->promised_bytes;
}

void fq_codec_bytes_since(const struct fq_codec *codec, const struct fq_bytes *before, struct fq_bytes *out) {
    *out = (struct fq_bytes){.vectors = codec->bytes.vectors - before->vectors,
                             .record_bytes = codec->bytes.record_bytes - before->record_bytes,
                             .tail_bytes = codec->bytes.tail_bytes - before->tail_bytes,
                             .side_bytes = codec->bytes.side_bytes - before->side_bytes,
                             .promised_bytes = codec->bytes.promised_bytes - before->promised_bytes};
}

void fq_codec_count_back(struct fq_codec *codec, const struct fq_bytes *before) {
    const uint64_t shared_bytes = codec->bytes.shared_bytes;
    codec->bytes = *before;
    codec->bytes.shared_bytes = shared_bytes;
}

double fq_codec_rate_bits(const struct fq_codec *codec) {
    if (codec->bytes.vectors == 0)
        return NAN; /* nothing was encoded: there is no rate, and 0 would read like one */
    return 8.0 * (double)(codec->bytes.record_bytes + codec->bytes.tail_bytes) /
           ((double)codec->bytes.vectors * (double)codec->config.shape.dim);
}

void fq_codec_times(struct fq_codec *codec, struct fq_stage_times *out, int reset) {
    *out = codec->times;
    if (reset)
        memset(&codec->times, 0, sizeof codec->times);
}

const char *fq_codec_complaint(const struct fq_codec *codec) {
    return codec->complaint;
}

const char *fq_codec_canaries(const struct fq_codec *codec) {
    return codec->canaries[0] != '\0' ? codec->canaries : "intact";
}

const char *fq_codec_shared_state(const struct fq_codec *codec) {
    return codec->shared_state[0] != '\0' ? codec->shared_state : "intact";
}

const void *fq_codec_shared(const struct fq_codec *codec, size_t *bytes) {
    *bytes = codec->footprint.shared_bytes;
    return codec->shared;
}

const uint8_t *fq_codec_records(const struct fq_codec *codec, size_t *bytes) {
    *bytes = codec->n_groups * codec->footprint.record_bytes;
    return codec->records;
}
