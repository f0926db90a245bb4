/* SHA-256 by nettle: the name of data, models, binaries and shared state.
 *
 * Not a place for other hashes: one name per thing. */
#include "harness/base/sha256.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct fq_sha256_stream {
    struct sha256_ctx context;
};

static void finish(struct sha256_ctx *context, char hex[FQ_SHA256_HEX]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[2 * sizeof digest] = '\0';
}

void fq_sha256(const void *bytes, size_t n, char hex[FQ_SHA256_HEX]) {
    struct sha256_ctx context;
    sha256_init(&context);
    if (n > 0)
        sha256_update(&context, n, bytes);
    finish(&context, hex);
}

int fq_sha256_file(const char *path, char hex[FQ_SHA256_HEX], struct fq_error *err) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return fq_fail(err, FQ_USAGE, "cannot open '%s' to hash it: %s", path, strerror(errno));
    struct stat st;
    if (fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode)) {
        (void)fclose(file);
        return fq_fail(err, FQ_USAGE, "'%s' is a directory, expected a file", path);
    }
    enum { CHUNK = 1 << 20 };
    uint8_t *chunk = malloc(CHUNK);
    if (chunk == NULL) {
        (void)fclose(file);
        return fq_fail(err, FQ_USAGE, "out of memory while hashing '%s'", path);
    }
    struct sha256_ctx context;
    sha256_init(&context);
    size_t got;
    while ((got = fread(chunk, 1, CHUNK, file)) > 0)
        sha256_update(&context, got, chunk);
    int failed = ferror(file), cause = errno;
    free(chunk);
    (void)fclose(file);
    if (failed)
        return fq_fail(err, FQ_USAGE, "cannot read '%s' to its end: %s", path, strerror(cause));
    finish(&context, hex);
    return FQ_OK;
}

struct fq_sha256_stream *fq_sha256_open(void) {
    struct fq_sha256_stream *s = malloc(sizeof *s);
    if (s == NULL)
        abort(); /* a hundred bytes: nothing sensible could follow */
    sha256_init(&s->context);
    return s;
}

void fq_sha256_add(struct fq_sha256_stream *s, const void *bytes, size_t n) {
    if (n > 0)
        sha256_update(&s->context, n, bytes);
}

void fq_sha256_close(struct fq_sha256_stream *s, char hex[FQ_SHA256_HEX]) {
    finish(&s->context, hex);
    free(s);
}
