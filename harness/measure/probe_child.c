/* The fresh process of the codes-only probe: it has the records and the shared state, and nothing else.
 *
 * Order. The inputs are read and the answer's file is opened; then the process shuts itself in (probe_sandbox.c), loads
 * the plug-in, shuts itself in further, and only then lets the method run. It ends without the usual exit handlers,
 * since leak checkers among them want to start processes of their own. */
#include "harness/measure/probe.h"

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/measure/catalog.h"
#include "harness/measure/codec_internal.h"
#include "harness/measure/probe_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const char fq_probe_magic[16] = "fairquant/probe2";

struct input {
    struct probe_header head;
    const uint8_t *shared, *records;
    char *text;
};

static int read_input(const char *file, struct input *in, struct fq_error *err) {
    size_t n = 0;
    FQ_TRY(fq_read_text(file, &in->text, &n, err));
    struct probe_header *h = &in->head;
    if (n < sizeof *h)
        return fq_fail(err, FQ_USAGE, "%s: not a probe file (only %zu bytes)", file, n);
    memcpy(h, in->text, sizeof *h);
    h->method[sizeof h->method - 1] = h->plugin[sizeof h->plugin - 1] = '\0';
    const uint64_t rest = n - sizeof *h, query = h->has_query ? h->shape.dim * sizeof(float) : 0;
    if (memcmp(h->magic, fq_probe_magic, sizeof h->magic) != 0 || h->backend >= FQ_BACKENDS || h->has_query > 1 ||
        h->shape.dim > FQ_MAX_DIM || h->shared_bytes > rest || h->record_bytes > rest - h->shared_bytes ||
        query != rest - h->shared_bytes - h->record_bytes)
        return fq_fail(err, FQ_USAGE, "%s: not a whole probe file", file);
    in->shared = (const uint8_t *)in->text + sizeof *h;
    in->records = in->shared + h->shared_bytes;
    return FQ_OK;
}

/* Libraries that a plug-in may need are opened while they still can be; loaded ones are found by name alone. */
static void preload(void) {
    static const char *const names[] = {"libm.so.6", "libmvec.so.1", "libgcc_s.so.1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
}

static int load_method(const struct probe_header *h, const struct fq_method **method, struct fq_error *err) {
    struct fq_error unknown = {0};
    if (fq_catalog_find(h->method, method, &unknown) == FQ_OK)
        return FQ_OK;
    if (h->plugin[0] != '\0')
        FQ_TRY(fq_catalog_load_plugin(h->plugin, err));
    return fq_catalog_find(h->method, method, err);
}

static int write_whole(int descriptor, const void *from, size_t bytes, struct fq_error *err) {
    const char *at = from;
    while (bytes > 0) {
        const ssize_t n = write(descriptor, at, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fq_fail(err, FQ_USAGE, "the answer could not be written whole: %s", strerror(errno));
        at += n;
        bytes -= (size_t)n;
    }
    return FQ_OK;
}

/* Behind the walls: from here on the method's code runs. */
static int answer(const struct input *in, const struct fq_method *method, enum probe_walls walls, int descriptor,
                  struct fq_error *err) {
    const struct probe_header *h = &in->head;
    const struct fq_codec_config config = {.method = method,
                                           .params = h->params,
                                           .shape = h->shape,
                                           .seed = h->seed,
                                           .backend = (enum fq_backend)h->backend};
    struct fq_codec *codec = NULL;
    FQ_TRY(fq_codec_adopt(&config, in->shared, h->shared_bytes, &codec, err));
    float query[FQ_MAX_DIM];
    if (h->has_query) /* copied: the file gives no alignment */
        memcpy(query, in->records + h->record_bytes, h->shape.dim * sizeof *query);
    const struct probe_task task = {.n_groups = h->n_groups,
                                    .records = in->records,
                                    .query = h->has_query ? query : NULL,
                                    .own = h->own == UINT64_MAX ? PROBE_ALL : h->own};
    const struct probe_answer head = {.walls = walls};
    struct probe_reading r = {0};
    int code = FQ_OK;
    if (codec->footprint.record_bytes * h->n_groups != h->record_bytes)
        code = fq_fail(err, FQ_FAILED, "%s promises another record size in a fresh process", h->method);
    else if (task.own != PROBE_ALL && task.own / codec->footprint.granularity >= h->n_groups)
        code = fq_fail(err, FQ_USAGE, "the query is for vector %zu, which has no record", task.own);
    if (code == FQ_OK)
        code = fq_probe_read(codec, &task, &r, err);
    if (code == FQ_OK)
        code = write_whole(descriptor, &head, sizeof head, err);
    if (code == FQ_OK)
        code = write_whole(descriptor, r.values, r.n_values * sizeof *r.values, err);
    fq_probe_reading_free(&r);
    fq_codec_close(codec);
    return code;
}

static int shut_in_and_answer(const struct input *in, int descriptor, struct fq_error *err) {
    const struct fq_method *method = NULL;
    char mapping[160];
    preload();
    const enum probe_walls before = fq_probe_close_before(in->head.plugin);
    FQ_TRY(load_method(&in->head, &method, err));
    fq_probe_shared_mapping(mapping, sizeof mapping);
    if (mapping[0] != '\0')
        return fq_fail(err, FQ_FAILED, "%s: memory that other processes can write is mapped (%s)", in->head.method,
                       mapping);
    const enum probe_walls after = fq_probe_close_after(descriptor);
    const enum probe_walls walls = (before & after & PROBE_SECCOMP) != 0 ? before | after : PROBE_NO_WALLS;
    return answer(in, method, walls, descriptor, err);
}

int fq_probe_main(const char *file) {
    struct fq_error err = {0};
    struct input in = {.text = NULL};
    char path[4096];
    int descriptor = -1, code = read_input(file, &in, &err);
    snprintf(path, sizeof path, "%.4000s.out", file);
    if (code == FQ_OK) {
        (void)syscall(SYS_close_range, 3U, ~0U, 0U); /* what the starting process had open is none of ours */
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (descriptor < 0)
            code = fq_fail(&err, FQ_USAGE, "%s: %s", path, strerror(errno));
    }
    if (code == FQ_OK)
        code = shut_in_and_answer(&in, descriptor, &err);
    free(in.text);
    if (code != FQ_OK)
        fq_warn("decode probe: %s", err.text);
    if (descriptor >= 0)
        _exit(code);
    return code;
}
