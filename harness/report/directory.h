/* A directory that is whole or absent: built beside its place, then renamed into it.
 *
 * An earlier report there is replaced in one step; a directory that holds anything else is refused, because --out of a
 * wrong path must not cost a user his files. */
#ifndef FQ_REPORT_DIRECTORY_H
#define FQ_REPORT_DIRECTORY_H

#include "harness/base/error.h"

#include <stdio.h>

/* The file whose first line says that the directory is ours, and that schema. */
#define FQ_REPORT_MARK "REPORT.txt"
#define FQ_REPORT_SCHEMA "fairquant/report/1"

struct fq_report_dir {
    char path[3072], temporary[3200];
};

/* Checks the place and creates DIR.tmp.PID. FQ_USAGE: not writable, or occupied by something that is no report. */
int fq_report_dir_open(struct fq_report_dir *dir, const char *path, struct fq_error *err);
int fq_report_dir_sub(const struct fq_report_dir *dir, const char *name, struct fq_error *err); /* mkdir -p inside */
int fq_report_dir_commit(struct fq_report_dir *dir, struct fq_error *err); /* on failure removes the temporary */
void fq_report_dir_abort(struct fq_report_dir *dir);

/* A stream to DIR.tmp.PID/NAME, and its end: a short write (disk full) is an error that names the file. */
FILE *fq_report_create(const struct fq_report_dir *dir, const char *name, struct fq_error *err);
int fq_report_finish(FILE *f, const struct fq_report_dir *dir, const char *name, struct fq_error *err);
/* Takes a file back that turned out to hold nothing. */
int fq_report_remove(const struct fq_report_dir *dir, const char *name, struct fq_error *err);

#endif
