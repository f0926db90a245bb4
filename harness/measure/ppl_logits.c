/* The store of full-precision logits: rounding of rows, files of windows. Must not know what is done with a row. */
#include "harness/measure/ppl_logits.h"

#include "harness/base/cpu.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/data/manifest.h"
#include "harness/measure/ppl_score.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOTE_BYTES = 128, STEPS = 65535, MOST_CHUNKS = 100000 };

struct fq_logits {
    char name[20], folder[3072], key[1024]; /* the key in words, the same bytes at the head of every file */
    bool temporary;                         /* removed when closed */
    size_t head_bytes, row_bytes, scored;
    uint8_t checked[MOST_CHUNKS / 8 + 1]; /* windows whose hash was checked here */

    uint8_t *map; /* the mapped window */
    size_t map_bytes;

    struct fq_outfile out; /* the window that is being written */
    bool writing;
    size_t rows_written;
    struct fq_sha256_stream *hash;
};

/* ---- rows ---- */

size_t fq_logits_row_bytes(size_t vocabulary) {
    return (sizeof(struct fq_logits_row) + vocabulary * sizeof(uint16_t) + 7) / 8 * 8;
}

static const uint16_t *below_of(const void *row) {
    return (const uint16_t *)(const void *)((const uint8_t *)row + sizeof(struct fq_logits_row));
}

void fq_logits_pack(const float *logits, size_t vocabulary, int32_t token, void *row) {
    struct fq_logits_row *r = row;
    uint16_t *below = (uint16_t *)(void *)((uint8_t *)row + sizeof *r);
    const size_t best = fq_score_top1(logits, vocabulary);
    float low = logits[0];
    for (size_t i = 1; i < vocabulary; i++)
        low = logits[i] < low ? logits[i] : low;
    memset(row, 0, fq_logits_row_bytes(vocabulary));
    r->nll = fq_score_nll(logits, vocabulary, token);
    r->top = logits[best];
    r->step = (r->top - low) / (float)STEPS;
    r->best = (int32_t)best;
    r->token = token;
    const double per_step = r->step > 0.0F ? 1.0 / (double)r->step : 0.0;
    double sum = 0.0;
    for (size_t i = 0; i < vocabulary; i++) {
        const double steps = ((double)r->top - (double)logits[i]) * per_step + 0.5;
        below[i] = (uint16_t)(steps < (double)STEPS ? steps : (double)STEPS); /* a NaN ends here too, as the least */
        sum += (double)expf(-r->step * (float)below[i]);
    }
    r->logsum = log(fmax(sum, 1.0)); /* the most likely word alone adds 1 */
}

void fq_logits_unpack(const void *row, size_t vocabulary, float *logits) {
    const struct fq_logits_row *r = row;
    const uint16_t *below = below_of(row);
    for (size_t i = 0; i < vocabulary; i++)
        logits[i] = r->top - r->step * (float)below[i];
}

double fq_logits_kl(const void *full, const void *other, size_t vocabulary) {
    const struct fq_logits_row *f = full, *o = other;
    const uint16_t *a = below_of(full), *b = below_of(other);
    double weighted = 0.0;
    for (size_t i = 0; i < vocabulary; i++) {
        const float x = f->step * (float)a[i], y = o->step * (float)b[i];
        weighted += (double)expf(-x) * ((double)y - (double)x);
    }
    return weighted * exp(-f->logsum) - f->logsum + o->logsum;
}

/* ---- the folder ---- */

static int make_temporary(struct fq_logits *s, struct fq_error *err) {
    const char *base = getenv("TMPDIR");
    snprintf(s->folder, sizeof s->folder, "%.2000s/fairquant-logits-XXXXXX", base && base[0] ? base : "/tmp");
    if (mkdtemp(s->folder) == NULL)
        return fq_fail(err, FQ_FAILED,
                       "the logits of the full-precision pass have no place: neither the cache folder nor %s can be "
                       "written; set FQ_CACHE to a folder that can",
                       s->folder);
    s->temporary = true;
    return 0;
}

static int make_folder(struct fq_logits *s, struct fq_error *err) {
    char hex[FQ_SHA256_HEX], data[2048];
    const char *named = getenv("FQ_CACHE");
    struct fq_error ignored;
    fq_sha256(s->key, strlen(s->key), hex);
    hex[16] = '\0';
    memcpy(s->name, hex, 17);
    if (named && named[0])
        snprintf(s->folder, sizeof s->folder, "%.2000s/logits/%s", named, hex);
    else {
        fq_data_folder(data, sizeof data);
        snprintf(s->folder, sizeof s->folder, "%s/cache/logits/%s", data, hex);
    }
    if (fq_make_dirs(s->folder, &ignored) == 0 && access(s->folder, W_OK | X_OK) == 0)
        return 0;
    return make_temporary(s, err);
}

int fq_logits_open(const struct fq_logits_key *key, struct fq_logits **out, struct fq_error *err) {
    char cpu[128];
    *out = NULL;
    struct fq_logits *s = calloc(1, sizeof *s);
    if (!s)
        return fq_fail(err, FQ_FAILED, "out of memory");
    fq_cpu_model(cpu, sizeof cpu);
    const int used = snprintf(s->key, sizeof s->key,
                              "fairquant/logits/1\nmodel_sha256 %s\ncorpus_sha256 %s\nlibrary %s\ncpu %s\nthreads "
                              "%u\ncontext %zu\nbatch %zu\nscored %zu\nvocabulary %zu\n",
                              key->model_sha256, key->corpus_sha256, key->library, cpu, key->threads, key->context,
                              key->batch, key->scored, key->vocabulary);
    s->head_bytes = ((size_t)used + 63) / 64 * 64; /* rows are aligned when the file is mapped */
    s->row_bytes = fq_logits_row_bytes(key->vocabulary);
    s->scored = key->scored;
    const int code = make_folder(s, err);
    if (code != 0) {
        free(s);
        return code;
    }
    *out = s;
    return 0;
}

const char *fq_logits_folder(const struct fq_logits *store) {
    return store->folder;
}

const char *fq_logits_name(const struct fq_logits *store) {
    return store->name;
}

static void chunk_path(const struct fq_logits *s, size_t chunk, char *out, size_t size) {
    (void)snprintf(out, size, "%s/window-%05zu.logits", s->folder, chunk);
}

static void unmap(struct fq_logits *s) {
    if (s->map)
        (void)munmap(s->map, s->map_bytes);
    s->map = NULL;
}

static void stop_writing(struct fq_logits *s) {
    char hex[FQ_SHA256_HEX];
    if (!s->writing)
        return;
    fq_outfile_abort(&s->out);
    fq_sha256_close(s->hash, hex);
    s->writing = false;
}

void fq_logits_close(struct fq_logits *store) {
    if (!store)
        return;
    unmap(store);
    stop_writing(store);
    for (size_t c = 0; store->temporary && c < MOST_CHUNKS; c++) {
        char path[4096];
        chunk_path(store, c, path, sizeof path);
        if (unlink(path) != 0)
            break; /* windows are numbered without a gap */
    }
    if (store->temporary)
        (void)rmdir(store->folder);
    free(store);
}

/* ---- reading ---- */

static bool is_checked(const struct fq_logits *s, size_t chunk) {
    return s->checked[chunk / 8] & (1U << (chunk % 8));
}

/* NULL if it is whole, else what is wrong. */
static const char *flaw(const struct fq_logits *s, size_t chunk, const uint8_t *file, size_t bytes) {
    const size_t body = s->head_bytes + s->scored * s->row_bytes + NOTE_BYTES;
    char hex[FQ_SHA256_HEX];
    if (bytes != body + FQ_SHA256_HEX - 1)
        return "it has another length";
    if (memcmp(file, s->key, strlen(s->key)) != 0)
        return "it belongs to another pass";
    if (is_checked(s, chunk))
        return NULL;
    fq_sha256(file, body, hex);
    return memcmp(file + body, hex, FQ_SHA256_HEX - 1) == 0 ? NULL : "its hash is wrong";
}

static void read_note(const struct fq_logits *s, struct fq_logits_note *note) {
    char text[NOTE_BYTES + 1];
    memcpy(text, s->map + s->head_bytes + s->scored * s->row_bytes, NOTE_BYTES);
    text[NOTE_BYTES] = '\0';
    char *rest = text;
    note->rounding_kl_sum = strtod(rest, &rest);
    note->rounding_kl_max = strtod(rest, &rest);
    note->eval_ns = strtoull(rest, NULL, 10);
}

int fq_logits_map(struct fq_logits *store, size_t chunk, const uint8_t **rows, struct fq_logits_note *note,
                  struct fq_error *err) {
    char path[4096];
    struct stat st;
    *rows = NULL;
    unmap(store);
    if (chunk >= MOST_CHUNKS)
        return fq_fail(err, FQ_USAGE, "window %zu: at most %d windows are kept", chunk, MOST_CHUNKS);
    chunk_path(store, chunk, path, sizeof path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : fq_fail(err, FQ_FAILED, "'%s': %s", path, strerror(errno));
    void *map = fstat(fd, &st) == 0 && st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                                                      : MAP_FAILED;
    (void)close(fd);
    if (map == MAP_FAILED)
        return fq_fail(err, FQ_FAILED, "'%s' cannot be mapped: %s", path, strerror(errno));
    store->map = map;
    store->map_bytes = (size_t)st.st_size;
    const char *why = flaw(store, chunk, store->map, store->map_bytes);
    if (why) {
        fq_warn("'%s': %s; this window is evaluated again", path, why);
        unmap(store);
        (void)unlink(path);
        return 0;
    }
    store->checked[chunk / 8] |= (uint8_t)(1U << (chunk % 8));
    read_note(store, note);
    *rows = store->map + store->head_bytes;
    return 0;
}

/* ---- writing ---- */

static int put(struct fq_logits *s, const void *bytes, size_t n, struct fq_error *err) {
    fq_sha256_add(s->hash, bytes, n);
    if (fwrite(bytes, 1, n, s->out.stream) == n)
        return 0;
    const int code = fq_fail(err, FQ_FAILED,
                             "'%s': writing the full-precision logits failed: %s; set FQ_CACHE to a folder with room "
                             "for %zu MB per window",
                             s->out.path, strerror(errno), s->scored * s->row_bytes / 1000000 + 1);
    stop_writing(s);
    return code;
}

int fq_logits_begin(struct fq_logits *store, size_t chunk, struct fq_error *err) {
    char path[4096];
    stop_writing(store);
    chunk_path(store, chunk, path, sizeof path);
    FQ_TRY(fq_outfile_open(&store->out, path, err));
    store->hash = fq_sha256_open();
    if (!store->hash) {
        fq_outfile_abort(&store->out);
        return fq_fail(err, FQ_FAILED, "out of memory");
    }
    store->writing = true;
    store->rows_written = 0;
    char head[sizeof store->key + 64] = "";
    memcpy(head, store->key, strlen(store->key));
    return put(store, head, store->head_bytes, err);
}

int fq_logits_add(struct fq_logits *store, const void *rows, size_t n, struct fq_error *err) {
    store->rows_written += n;
    return put(store, rows, n * store->row_bytes, err);
}

int fq_logits_end(struct fq_logits *store, const struct fq_logits_note *note, struct fq_error *err) {
    char text[NOTE_BYTES] = "", hex[FQ_SHA256_HEX];
    if (store->rows_written != store->scored) {
        stop_writing(store);
        return fq_fail(err, FQ_FAILED, "a window of the full-precision pass has %zu rows instead of %zu",
                       store->rows_written, store->scored);
    }
    snprintf(text, sizeof text, "%.17g %.17g %" PRIu64 "\n", note->rounding_kl_sum, note->rounding_kl_max,
             note->eval_ns);
    FQ_TRY(put(store, text, sizeof text, err));
    fq_sha256_close(store->hash, hex);
    store->writing = false;
    if (fwrite(hex, 1, FQ_SHA256_HEX - 1, store->out.stream) != FQ_SHA256_HEX - 1) {
        fq_outfile_abort(&store->out);
        return fq_fail(err, FQ_FAILED, "'%s': %s", store->out.path, strerror(errno));
    }
    return fq_outfile_commit(&store->out, err);
}
