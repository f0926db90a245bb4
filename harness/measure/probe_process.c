/* Codes-only, seen from another process: a table of floats kept aside, however it is keyed, does not exist there.
 *
 * File, little-endian and for the same binary only: a header (below), then plug-in path and method name, the shared
 * state, the records. The child answers with its decoded vectors and scores in FILE.out. */
#include "harness/measure/probe.h"

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/measure/catalog.h"
#include "harness/measure/codec_internal.h"
#include "harness/measure/probe_internal.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char probe_magic[16] = "fairquant/probe1";

struct probe_header {
    char magic[16];
    char method[128];
    char plugin[1024]; /* "" for built-in methods */
    struct fq_params params;
    struct fq_shape shape;
    uint32_t backend;
    uint64_t seed, n_groups, shared_bytes, record_bytes;
};

/* ---- child ------------------------------------------------------------------------------------------------------*/

static int load_method(const struct probe_header *h, const struct fq_method **method, struct fq_error *err) {
    struct fq_error unknown = {0};
    if (fq_catalog_find(h->method, method, &unknown) == FQ_OK)
        return FQ_OK;
    if (h->plugin[0] != '\0')
        FQ_TRY(fq_catalog_load_plugin(h->plugin, err));
    return fq_catalog_find(h->method, method, err);
}

static int answer(const char *file, const struct probe_header *h, const uint8_t *shared, const uint8_t *records,
                  struct fq_error *err) {
    struct fq_codec_config config = {
        .params = h->params, .shape = h->shape, .seed = h->seed, .backend = (enum fq_backend)h->backend};
    FQ_TRY(load_method(h, &config.method, err));
    struct fq_codec *codec = NULL;
    FQ_TRY(fq_codec_adopt(&config, shared, h->shared_bytes, &codec, err));
    struct probe_reading r = {0};
    int code = FQ_OK;
    if (codec->footprint.record_bytes * h->n_groups != h->record_bytes)
        code = fq_fail(err, FQ_FAILED, "%s promises another record size in a fresh process", h->method);
    if (code == FQ_OK)
        code = fq_probe_read(codec, h->n_groups, records, &r, err);
    char path[4096];
    snprintf(path, sizeof path, "%s.out", file);
    FILE *out = code == FQ_OK ? fopen(path, "wb") : NULL;
    if (code == FQ_OK && out == NULL)
        code = fq_fail(err, FQ_USAGE, "%s: %s", path, strerror(errno));
    if (out != NULL) {
        size_t done = fwrite(r.decoded, sizeof(float), r.n * r.dim, out) + fwrite(r.scores, sizeof(float), r.n, out);
        if (fclose(out) != 0 || done != r.n * (r.dim + 1))
            code = fq_fail(err, FQ_USAGE, "%s: could not be written whole (disk full?)", path);
    }
    fq_probe_reading_free(&r);
    fq_codec_close(codec);
    return code;
}

int fq_probe_main(const char *file) {
    struct fq_error err = {0};
    char *text = NULL;
    size_t n = 0;
    struct probe_header h;
    int code = fq_read_text(file, &text, &n, &err);
    if (code == FQ_OK && n < sizeof h)
        code = fq_fail(&err, FQ_USAGE, "%s: not a probe file (only %zu bytes)", file, n);
    if (code == FQ_OK) {
        memcpy(&h, text, sizeof h);
        h.method[sizeof h.method - 1] = h.plugin[sizeof h.plugin - 1] = '\0';
        if (memcmp(h.magic, probe_magic, sizeof h.magic) != 0 || h.backend >= FQ_BACKENDS ||
            h.shared_bytes > n - sizeof h || h.record_bytes != n - sizeof h - h.shared_bytes)
            code = fq_fail(&err, FQ_USAGE, "%s: not a whole probe file", file);
    }
    if (code == FQ_OK) {
        const uint8_t *shared = (const uint8_t *)text + sizeof h;
        code = answer(file, &h, shared, shared + h.shared_bytes, &err);
    }
    free(text);
    if (code != FQ_OK)
        fq_warn("decode probe: %s", err.text);
    return code;
}

/* ---- parent -----------------------------------------------------------------------------------------------------*/

static int write_file(const char *path, int descriptor, const struct fq_codec *codec, size_t groups,
                      struct fq_error *err) {
    const struct fq_codec_config *c = &codec->config;
    struct probe_header h = {.params = c->params,
                             .shape = c->shape,
                             .backend = (uint32_t)c->backend,
                             .seed = c->seed,
                             .n_groups = groups,
                             .shared_bytes = codec->footprint.shared_bytes,
                             .record_bytes = groups * codec->footprint.record_bytes};
    memcpy(h.magic, probe_magic, sizeof h.magic);
    snprintf(h.method, sizeof h.method, "%s", c->method->name);
    snprintf(h.plugin, sizeof h.plugin, "%s", fq_catalog_origin(c->method));
    FILE *out = fdopen(descriptor, "wb");
    if (out == NULL) {
        close(descriptor);
        return fq_fail(err, FQ_USAGE, "%s: %s", path, strerror(errno));
    }
    const size_t done = fwrite(&h, 1, sizeof h, out) + fwrite(codec->shared, 1, h.shared_bytes, out) +
                        fwrite(codec->records, 1, h.record_bytes, out);
    if (fclose(out) != 0 || done != sizeof h + h.shared_bytes + h.record_bytes)
        return fq_fail(err, FQ_USAGE, "%s: could not be written whole (disk full?)", path);
    return FQ_OK;
}

/* By name where the name still leads to this program; a program replaced while it runs is reached by /proc alone. */
static void own_executable(char *out, size_t size) {
    const ssize_t n = readlink("/proc/self/exe", out, size - 1);
    if (n > 0) {
        out[n] = '\0';
        if (access(out, X_OK) == 0)
            return;
    }
    snprintf(out, size, "/proc/self/exe");
}

static int run_child(const char *file, int *status, struct fq_error *err) {
    char executable[4096], argument[] = "--decode-probe", path[4096];
    own_executable(executable, sizeof executable);
    snprintf(path, sizeof path, "%s", file);
    char *const arguments[] = {executable, argument, path, NULL};
    pid_t child = 0;
    const int failed = posix_spawn(&child, executable, NULL, NULL, arguments, environ);
    if (failed != 0)
        return fq_fail(err, FQ_FAILED, "the decode probe could not start %s: %s", executable, strerror(failed));
    while (waitpid(child, status, 0) < 0)
        if (errno != EINTR)
            return fq_fail(err, FQ_FAILED, "the decode probe was lost: %s", strerror(errno));
    return FQ_OK;
}

static int compare_answer(const char *file, const struct probe_reading *here, int status, char *sentence,
                          struct fq_error *err) {
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        snprintf(sentence, FQ_PROBE_SENTENCE, "a fresh process cannot decode the codes (it ended with %s %d)",
                 WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return FQ_OK;
    }
    char path[4096], *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s.out", file);
    FQ_TRY(fq_read_text(path, &text, &n, err));
    struct probe_reading there = *here;
    const size_t decoded = here->n * here->dim * sizeof(float), scores = here->n * sizeof(float);
    int code = FQ_OK;
    there.decoded = malloc(decoded + scores);
    if (there.decoded == NULL || n != decoded + scores) {
        code = fq_fail(err, FQ_FAILED, "the decode probe answered %zu bytes, expected %zu", n, decoded + scores);
    } else {
        memcpy(there.decoded, text, n);
        there.scores = there.decoded + here->n * here->dim;
        fq_probe_compare(here, &there, "in a fresh process", sentence);
    }
    free(there.decoded);
    free(text);
    return code;
}

static int exchange(struct fq_codec *codec, size_t groups, const struct probe_reading *here, char *sentence,
                    struct fq_error *err) {
    const char *folder = getenv("TMPDIR");
    char file[4000], out[4096];
    snprintf(file, sizeof file, "%.3900s/fairquant-probe-XXXXXX",
             folder != NULL && folder[0] != '\0' ? folder : "/tmp");
    const int descriptor = mkstemp(file);
    if (descriptor < 0)
        return fq_fail(err, FQ_USAGE,
                       "no temporary file for the decode probe (%s): %s; set TMPDIR to a writable folder", file,
                       strerror(errno));
    int status = 0;
    int code = write_file(file, descriptor, codec, groups, err);
    if (code == FQ_OK)
        code = run_child(file, &status, err);
    if (code == FQ_OK)
        code = compare_answer(file, here, status, sentence, err);
    snprintf(out, sizeof out, "%s.out", file);
    (void)unlink(out); /* absent when the child failed */
    (void)unlink(file);
    return code;
}

int fq_probe_fresh_process(struct fq_codec *codec, size_t n, const float *x, char sentence[FQ_PROBE_SENTENCE],
                           struct fq_error *err) {
    const struct fq_bytes bytes = codec->bytes;
    const struct fq_stage_times times = codec->times;
    size_t groups = 0;
    sentence[0] = '\0';
    FQ_TRY(fq_probe_groups(codec, n, &groups, err));
    struct probe_reading here = {0};
    int code = fq_codec_encode(codec, groups * codec->footprint.granularity, x, err);
    if (code == FQ_OK)
        code = fq_probe_read(codec, groups, codec->records, &here, err);
    if (code == FQ_OK)
        code = exchange(codec, groups, &here, sentence, err);
    fq_probe_reading_free(&here);
    codec->bytes = bytes;
    codec->times = times;
    return code;
}
