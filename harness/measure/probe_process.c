/* Codes-only, seen from another process: a table of floats kept aside, however it is keyed, does not exist there. This
 * is the side that asks; the other is in probe_child.c. */
#include "harness/measure/probe.h"

#include "harness/base/file.h"
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

static const char *sandbox = "not tried";

const char *fq_probe_sandbox(void) {
    return sandbox;
}

static void note_walls(uint64_t walls) {
    sandbox = (walls & PROBE_SECCOMP) == 0    ? "none"
              : (walls & PROBE_LANDLOCK) != 0 ? "seccomp and landlock"
                                              : "seccomp";
}

static int write_file(const char *path, int descriptor, const struct fq_codec *codec, const struct probe_task *task,
                      const void *shared, struct fq_error *err) {
    const struct fq_codec_config *c = &codec->config;
    struct probe_header h = {.params = c->params,
                             .shape = c->shape,
                             .backend = (uint32_t)c->backend,
                             .has_query = task->query != NULL,
                             .seed = c->seed,
                             .n_groups = task->n_groups,
                             .own = task->own == PROBE_ALL ? UINT64_MAX : task->own,
                             .shared_bytes = codec->footprint.shared_bytes,
                             .record_bytes = task->n_groups * codec->footprint.record_bytes};
    const size_t query = task->query != NULL ? c->shape.dim : 0;
    memcpy(h.magic, fq_probe_magic, sizeof h.magic);
    snprintf(h.method, sizeof h.method, "%s", c->method->name);
    snprintf(h.plugin, sizeof h.plugin, "%s", fq_catalog_origin(c->method));
    FILE *out = fdopen(descriptor, "wb");
    if (out == NULL) {
        close(descriptor);
        return fq_fail(err, FQ_USAGE, "%s: %s", path, strerror(errno));
    }
    size_t done = fwrite(&h, 1, sizeof h, out) + fwrite(shared, 1, h.shared_bytes, out) +
                  fwrite(task->records, 1, h.record_bytes, out);
    if (query > 0)
        done += fwrite(task->query, 1, query * sizeof(float), out);
    if (fclose(out) != 0 || done != sizeof h + h.shared_bytes + h.record_bytes + query * sizeof(float))
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

static int read_answer(const char *file, int status, struct probe_reading *there, char *sentence,
                       struct fq_error *err) {
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        snprintf(sentence, FQ_PROBE_SENTENCE, "a fresh process cannot decode the codes (it ended with %s %d)",
                 WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return FQ_OK;
    }
    char path[4096], *text = NULL;
    size_t n = 0;
    struct probe_answer head;
    snprintf(path, sizeof path, "%s.out", file);
    FQ_TRY(fq_read_text(path, &text, &n, err));
    const size_t expected = sizeof head + there->n_values * sizeof(float);
    int code = FQ_OK;
    if (n != expected) {
        code = fq_fail(err, FQ_FAILED, "the decode probe answered %zu bytes, expected %zu", n, expected);
    } else {
        memcpy(&head, text, sizeof head);
        memcpy(there->values, text + sizeof head, n - sizeof head);
        note_walls(head.walls);
    }
    free(text);
    return code;
}

int fq_probe_elsewhere(const struct fq_codec *codec, const struct probe_task *task, const void *shared,
                       struct probe_reading *there, char sentence[FQ_PROBE_SENTENCE], struct fq_error *err) {
    const char *folder = getenv("TMPDIR");
    char file[4000], out[4096];
    FQ_TRY(fq_probe_reading_new(codec, task, there, err));
    snprintf(file, sizeof file, "%.3900s/fairquant-probe-XXXXXX",
             folder != NULL && folder[0] != '\0' ? folder : "/tmp");
    const int descriptor = mkstemp(file);
    if (descriptor < 0)
        return fq_fail(err, FQ_USAGE,
                       "no temporary file for the decode probe (%s): %s; set TMPDIR to a writable folder", file,
                       strerror(errno));
    int status = 0;
    int code = write_file(file, descriptor, codec, task, shared, err);
    if (code == FQ_OK)
        code = run_child(file, &status, err);
    if (code == FQ_OK)
        code = read_answer(file, status, there, sentence, err);
    snprintf(out, sizeof out, "%s.out", file);
    (void)unlink(out); /* absent when the child failed */
    (void)unlink(file);
    return code;
}

int fq_probe_fresh_process(struct fq_codec *codec, size_t n, const float *x, char sentence[FQ_PROBE_SENTENCE],
                           struct fq_error *err) {
    const struct fq_bytes bytes = codec->bytes;
    const struct fq_stage_times times = codec->times;
    struct probe_task task = {.own = PROBE_ALL};
    sentence[0] = '\0';
    FQ_TRY(fq_probe_groups(codec, n, &task.n_groups, err));
    struct probe_reading here = {0}, there = {0};
    int code = fq_codec_encode(codec, task.n_groups * codec->footprint.granularity, x, err);
    task.records = codec->records;
    if (code == FQ_OK)
        code = fq_probe_read(codec, &task, &here, err);
    if (code == FQ_OK)
        code = fq_probe_elsewhere(codec, &task, codec->shared, &there, sentence, err);
    if (code == FQ_OK)
        fq_probe_compare(&here, &there, "in a fresh process", sentence);
    fq_probe_reading_free(&here);
    fq_probe_reading_free(&there);
    codec->bytes = bytes;
    codec->times = times;
    return code;
}
