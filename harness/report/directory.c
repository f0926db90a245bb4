/* The output directory: whole or absent. Here, because harness/base/file.h does single files. Must never remove a
 * directory that does not carry our mark. */
#include "harness/report/directory.h"

#include "harness/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk) {
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_tree(const char *path) {
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool carries_mark(const char *path) {
    char name[4096], line[64] = "";
    int n = snprintf(name, sizeof name, "%s/%s", path, FQ_REPORT_MARK);
    if (n < 0 || (size_t)n >= sizeof name)
        return false;
    FILE *f = fopen(name, "r");
    if (f == NULL)
        return false;
    bool ours = fgets(line, sizeof line, f) != NULL && strncmp(line, FQ_REPORT_SCHEMA, strlen(FQ_REPORT_SCHEMA)) == 0;
    (void)fclose(f);
    return ours;
}

static bool is_empty(const char *path) {
    DIR *d = opendir(path);
    if (d == NULL)
        return false;
    bool empty = true;
    for (struct dirent *e = readdir(d); e != NULL && empty; e = readdir(d))
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    (void)closedir(d);
    return empty;
}

static int make_parent(const char *path, struct fq_error *err) {
    char parent[3072];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash == NULL || slash == parent)
        return FQ_OK;
    *slash = '\0';
    return fq_make_dirs(parent, err);
}

int fq_report_dir_open(struct fq_report_dir *dir, const char *path, struct fq_error *err) {
    memset(dir, 0, sizeof *dir);
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n == 0 || n >= sizeof dir->path)
        return fq_fail(err, FQ_USAGE,
                       "--out: expected the name of a directory, found %s: give one, for example "
                       "--out report",
                       n == 0 ? "an empty name" : "a name that is too long");
    memcpy(dir->path, path, n);
    struct stat st;
    if (stat(dir->path, &st) == 0) {
        if (!S_ISDIR(st.st_mode))
            return fq_fail(err, FQ_USAGE, "--out %s: expected a directory, found a file: choose another name",
                           dir->path);
        if (!carries_mark(dir->path) && !is_empty(dir->path))
            return fq_fail(
                err, FQ_USAGE,
                "--out %s: expected a new, an empty, or an earlier report's directory (one with %s), found a "
                "directory with other files in it: choose another name, nothing was touched",
                dir->path, FQ_REPORT_MARK);
    } else if (errno != ENOENT)
        return fq_fail(err, FQ_USAGE, "--out %s: %s: choose a directory that can be written", dir->path,
                       strerror(errno));
    FQ_TRY(make_parent(dir->path, err));
    snprintf(dir->temporary, sizeof dir->temporary, "%s.tmp.%ld", dir->path, (long)getpid());
    remove_tree(dir->temporary);
    if (mkdir(dir->temporary, 0777) != 0) {
        int code = fq_fail(err, FQ_USAGE, "--out %s: cannot create %s: %s: choose a directory that can be written",
                           dir->path, dir->temporary, strerror(errno));
        dir->temporary[0] = '\0';
        return code;
    }
    return FQ_OK;
}

int fq_report_dir_sub(const struct fq_report_dir *dir, const char *name, struct fq_error *err) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir->temporary, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return fq_fail(err, FQ_USAGE, "--out %s: the name is too long: choose a shorter one", dir->path);
    return fq_make_dirs(path, err);
}

int fq_report_dir_commit(struct fq_report_dir *dir, struct fq_error *err) {
    /* Exchange when there is something to replace, so that at no moment there is no report; where the file system
     * cannot do that, two renames. */
    int rc = rename(dir->temporary, dir->path);
    if (rc != 0 && (errno == ENOTEMPTY || errno == EEXIST)) {
        rc = renameat2(AT_FDCWD, dir->temporary, AT_FDCWD, dir->path, RENAME_EXCHANGE);
        if (rc != 0) {
            char aside[3328];
            snprintf(aside, sizeof aside, "%s.old", dir->temporary);
            rc = rename(dir->path, aside);
            if (rc == 0 && (rc = rename(dir->temporary, dir->path)) != 0)
                (void)rename(aside, dir->path);
            else if (rc == 0)
                remove_tree(aside);
        }
    }
    int code = rc == 0 ? FQ_OK
                       : fq_fail(err, FQ_USAGE, "--out %s: cannot put the finished report there: %s", dir->path,
                                 strerror(errno));
    remove_tree(dir->temporary); /* the earlier report, after the exchange */
    dir->temporary[0] = '\0';
    return code;
}

void fq_report_dir_abort(struct fq_report_dir *dir) {
    if (dir->temporary[0] != '\0')
        remove_tree(dir->temporary);
    dir->temporary[0] = '\0';
}

FILE *fq_report_create(const struct fq_report_dir *dir, const char *name, struct fq_error *err) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir->temporary, name);
    FILE *f = n < 0 || (size_t)n >= sizeof path ? NULL : fopen(path, "w");
    if (f == NULL)
        fq_fail(err, FQ_USAGE, "cannot write %s/%s: %s", dir->path, name, strerror(errno));
    return f;
}

int fq_report_finish(FILE *f, const struct fq_report_dir *dir, const char *name, struct fq_error *err) {
    errno = 0;
    bool bad = fflush(f) != 0 || ferror(f) != 0;
    int why = errno;
    if (fclose(f) != 0 && !bad) {
        bad = true;
        why = errno;
    }
    if (bad)
        return fq_fail(err, FQ_USAGE, "cannot write %s/%s: %s: make room or choose another --out", dir->path, name,
                       why != 0 ? strerror(why) : "short write");
    return FQ_OK;
}

int fq_report_remove(const struct fq_report_dir *dir, const char *name, struct fq_error *err) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir->temporary, name);
    if (n < 0 || (size_t)n >= sizeof path || remove(path) != 0)
        return fq_fail(err, FQ_USAGE, "cannot remove %s/%s: %s", dir->path, name, strerror(errno));
    return FQ_OK;
}
