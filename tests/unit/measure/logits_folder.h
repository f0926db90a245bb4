/* A folder of its own for the full-precision logits that a test program keeps, removed behind it. */
#ifndef FQ_TEST_MEASURE_LOGITS_FOLDER_H
#define FQ_TEST_MEASURE_LOGITS_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/fq-logits-XXXXXX";

static inline int make_folder(void) {
    return mkdtemp(folder) == NULL || setenv("FQ_CACHE", folder, 1) != 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk) {
    (void)st, (void)type, (void)walk;
    return remove(path);
}

static int remove_folder(void **state) {
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
