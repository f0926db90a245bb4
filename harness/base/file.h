/* Files that are whole or absent: written to PATH.tmp.PID, synced, renamed. Nothing half-written is left behind. */
#ifndef FQ_BASE_FILE_H
#define FQ_BASE_FILE_H

#include "harness/base/error.h"

#include <stddef.h>
#include <stdio.h>

/* Opens the temporary; commit renames it over path, abort removes it. Both close. */
struct fq_outfile {
    FILE *stream;
    char path[4096], temporary[4096];
};
int fq_outfile_open(struct fq_outfile *f, const char *path, struct fq_error *err);
int fq_outfile_commit(struct fq_outfile *f,
                      struct fq_error *err); /* a short write (disk full) is an error that says so */
void fq_outfile_abort(struct fq_outfile *f);

/* For libraries that write by name (HDF5): the temporary name; then commit or unlink. */
void fq_temporary_name(const char *path, char *out, size_t size);
/* fsync + rename. FQ_USAGE if path is there and no regular file: a device must not be replaced by one. */
int fq_commit_name(const char *temporary, const char *path, struct fq_error *err);

int fq_make_dirs(const char *path, struct fq_error *err);                         /* mkdir -p */
int fq_read_text(const char *path, char **text, size_t *n, struct fq_error *err); /* malloc'ed, zero-terminated */
int fq_check_writable(const char *path, struct fq_error *err);    /* the directory of path exists and can be written */
int fq_check_replaceable(const char *path, struct fq_error *err); /* the same, and path is absent or a regular file */

#endif
