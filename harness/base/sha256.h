/* SHA-256 of bytes, files and streams (nettle). Data, models, binaries and shared state are named by their hash. */
#ifndef FQ_BASE_SHA256_H
#define FQ_BASE_SHA256_H

#include "harness/base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { FQ_SHA256_HEX = 65 };

void fq_sha256(const void *bytes, size_t n, char hex[FQ_SHA256_HEX]);
int fq_sha256_file(const char *path, char hex[FQ_SHA256_HEX], struct fq_error *err);

struct fq_sha256_stream; /* incremental */
struct fq_sha256_stream *fq_sha256_open(void);
void fq_sha256_add(struct fq_sha256_stream *s, const void *bytes, size_t n);
void fq_sha256_close(struct fq_sha256_stream *s, char hex[FQ_SHA256_HEX]); /* frees s */

#endif
