/* The file of finished windows: an identity, then records of one size, each with its hash; see ppl_kept.h. A record is
 * synced before the next window begins. Must not know what a state is. */
#include "harness/measure/ppl_kept.h"

#include "harness/base/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HASH = FQ_SHA256_HEX - 1 };

struct fq_ppl_kept {
    FILE *file;
    char path[4096];
    size_t scored, state_bytes, record_bytes, kept;
    uint8_t *record; /* its body, then its hash */
};

static size_t body_bytes(const struct fq_ppl_kept *w) {
    return 3 * w->scored * sizeof(double) + sizeof(struct fq_ppl_kept_window) + w->state_bytes;
}

static int broken(const struct fq_ppl_kept *w, struct fq_error *err) {
    return fq_fail(err, FQ_FAILED, "'%s', which keeps finished windows: %s", w->path,
                   errno ? strerror(errno) : "it ends too early");
}

/* Reads a record; false if it is not whole. */
static bool read_record(struct fq_ppl_kept *w, size_t i) {
    char hex[FQ_SHA256_HEX];
    if (fseek(w->file, (long)(HASH + i * w->record_bytes), SEEK_SET) != 0 ||
        fread(w->record, 1, w->record_bytes, w->file) != w->record_bytes)
        return false;
    fq_sha256(w->record, body_bytes(w), hex);
    return memcmp(hex, w->record + body_bytes(w), HASH) == 0;
}

static int open_file(struct fq_ppl_kept *w, const char *identity, struct fq_error *err) {
    char text[512], hex[FQ_SHA256_HEX], found[HASH] = "";
    snprintf(text, sizeof text, "fairquant/windows/1 %.300s scored %zu state %zu", identity, w->scored, w->state_bytes);
    fq_sha256(text, strlen(text), hex);
    errno = 0;
    w->file = fopen(w->path, "r+be");
    if (!w->file && errno == ENOENT)
        w->file = fopen(w->path, "w+be");
    if (!w->file)
        return broken(w, err);
    if (fread(found, 1, HASH, w->file) == HASH && memcmp(found, hex, HASH) == 0) {
        while (read_record(w, w->kept))
            w->kept++;
    } else {
        rewind(w->file);
        if (fwrite(hex, 1, HASH, w->file) != HASH || fflush(w->file) != 0)
            return broken(w, err);
    }
    if (ftruncate(fileno(w->file), (off_t)(HASH + w->kept * w->record_bytes)) != 0)
        return broken(w, err);
    return 0;
}

int fq_ppl_kept_open(const char *path, const char *identity, size_t scored, size_t state_bytes,
                     struct fq_ppl_kept **out, struct fq_error *err) {
    *out = NULL;
    struct fq_ppl_kept *w = calloc(1, sizeof *w);
    if (!w)
        return fq_fail(err, FQ_FAILED, "out of memory");
    snprintf(w->path, sizeof w->path, "%s", path);
    w->scored = scored;
    w->state_bytes = state_bytes;
    w->record_bytes = body_bytes(w) + HASH;
    w->record = malloc(w->record_bytes);
    const int code = w->record ? open_file(w, identity, err)
                               : fq_fail(err, FQ_FAILED, "out of memory for a window of %zu tokens", scored);
    if (code != 0) {
        fq_ppl_kept_close(w);
        return code;
    }
    *out = w;
    return 0;
}

void fq_ppl_kept_close(struct fq_ppl_kept *w) {
    if (!w)
        return;
    if (w->file)
        (void)fclose(w->file); /* each record was flushed when it was written */
    free(w->record);
    free(w);
}

size_t fq_ppl_kept_count(const struct fq_ppl_kept *w) {
    return w ? w->kept : 0;
}

void fq_ppl_kept_cut(struct fq_ppl_kept *w, size_t count) {
    w->kept = count < w->kept ? count : w->kept;
}

int fq_ppl_kept_get(struct fq_ppl_kept *w, size_t i, struct fq_ppl_scores *scores, struct fq_ppl_kept_window *window,
                    void *state, struct fq_error *err) {
    const size_t row = w->scored * sizeof(double);
    errno = 0;
    if (!read_record(w, i))
        return broken(w, err);
    memcpy(scores->nll, w->record, row);
    memcpy(scores->kl, w->record + row, row);
    memcpy(scores->same, w->record + 2 * row, row);
    memcpy(window, w->record + 3 * row, sizeof *window);
    if (w->state_bytes > 0)
        memcpy(state, w->record + 3 * row + sizeof *window, w->state_bytes);
    return 0;
}

int fq_ppl_kept_put(struct fq_ppl_kept *w, const struct fq_ppl_scores *scores, const struct fq_ppl_kept_window *window,
                    const void *state, struct fq_error *err) {
    const size_t row = w->scored * sizeof(double);
    char hex[FQ_SHA256_HEX];
    memcpy(w->record, scores->nll, row);
    memcpy(w->record + row, scores->kl, row);
    memcpy(w->record + 2 * row, scores->same, row);
    memcpy(w->record + 3 * row, window, sizeof *window);
    if (w->state_bytes > 0)
        memcpy(w->record + 3 * row + sizeof *window, state, w->state_bytes);
    fq_sha256(w->record, body_bytes(w), hex);
    memcpy(w->record + body_bytes(w), hex, HASH);
    errno = 0;
    if (fseek(w->file, (long)(HASH + w->kept * w->record_bytes), SEEK_SET) != 0 ||
        fwrite(w->record, 1, w->record_bytes, w->file) != w->record_bytes || fflush(w->file) != 0 ||
        fsync(fileno(w->file)) != 0)
        return broken(w, err);
    w->kept++;
    return 0;
}
