/* The journal of a running sweep; internal to the plan floor (put and read are declared in results.h). */
#ifndef FQ_PLAN_JOURNAL_H
#define FQ_PLAN_JOURNAL_H

#include "harness/base/error.h"
#include "harness/base/sha256.h"

#include <stdbool.h>
#include <stddef.h>

/* "R.h5" -> "R.h5.journal". FQ_USAGE if the path is too long. */
int fq_journal_name(const char *results_path, char *out, size_t size, struct fq_error *err);
bool fq_journal_exists(const char *dir);

/* Makes the directory and writes the hash of the sweep into it. */
int fq_journal_begin(const char *dir, const char *sweep_sha256, struct fq_error *err);

/* The hash that an existing journal belongs to; "" when the run died before it was written. */
int fq_journal_sweep(const char *dir, char sha256[FQ_SHA256_HEX], struct fq_error *err);

/* Removes the finished windows of a cell (ID.windows), if there are some. */
void fq_journal_forget_parts(const char *dir, const char *id);

/* Removes what the journal wrote, and the directory. */
int fq_journal_remove(const char *dir, struct fq_error *err);

#endif
