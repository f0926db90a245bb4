/* Files that are whole or absent.
 *
 * Everything the program writes goes to PATH.tmp.PID first, is flushed to the disk and then renamed, so that a kill or
 * a full disk never leaves half a file under the name that the user asked for. A path that is a device or a pipe
 * (/dev/stdout) cannot be renamed over and is written directly. */
#include "harness/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *advice(int cause) {
    switch (cause) {
    case ENOSPC:
    case EDQUOT:
        return "the disk is full; free some space or choose another place";
    case EFBIG:
        return "the file is larger than this account or file system allows";
    case EACCES:
    case EPERM:
        return "permission denied; choose a place that you can write to";
    case EROFS:
        return "the file system is read-only; choose another place";
    case ENOENT:
        return "the directory does not exist; make it first";
    case ENOTDIR:
        return "a part of the path is a file, not a directory";
    default:
        return strerror(cause);
    }
}

static int cannot_write(const char *path, int cause, struct fq_error *err) {
    return fq_fail(err, FQ_USAGE, "cannot write '%s': %s", path, advice(cause));
}

/* A device or a pipe is nothing that a file may take the place of. stat follows links: one that leads to a device is
 * refused, too. */
static int check_kind(const char *path, struct fq_error *err) {
    struct stat st;
    if (stat(path, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return FQ_OK; /* a directory is refused by what comes next, with a sentence of its own */
    return fq_fail(err, FQ_USAGE, "cannot write '%s': it is a %s, and would be replaced by a file; name a file", path,
                   S_ISFIFO(st.st_mode)   ? "pipe"
                   : S_ISSOCK(st.st_mode) ? "socket"
                                          : "device");
}

int fq_check_replaceable(const char *path, struct fq_error *err) {
    FQ_TRY(fq_check_writable(path, err));
    return check_kind(path, err);
}

/* Directory part of a path, "." if it has none. */
static void directory_of(const char *path, char *out, size_t size) {
    char copy[4096];
    (void)snprintf(copy, sizeof copy, "%s", path);
    (void)snprintf(out, size, "%s", dirname(copy));
}

void fq_temporary_name(const char *path, char *out, size_t size) {
    (void)snprintf(out, size, "%s.tmp.%ld", path, (long)getpid());
}

int fq_check_writable(const char *path, struct fq_error *err) {
    if (path[0] == '\0')
        return fq_fail(err, FQ_USAGE, "cannot write to an empty path: name a file");
    if (strlen(path) > 4000)
        return fq_fail(err, FQ_USAGE, "cannot write '%.60s...': the path is longer than 4000 characters", path);
    struct stat st;
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return fq_fail(err, FQ_USAGE, "cannot write '%s': it is a directory, name a file in it", path);
        if (access(path, W_OK) != 0)
            return cannot_write(path, errno, err);
        if (!S_ISREG(st.st_mode))
            return FQ_OK;
    } else if (errno == ENOTDIR) {
        return cannot_write(path, ENOTDIR, err);
    }
    char directory[4096];
    directory_of(path, directory, sizeof directory);
    if (stat(directory, &st) != 0)
        return fq_fail(err, FQ_USAGE, "cannot write '%s': its directory '%s' does not exist; make it first", path,
                       directory);
    /* Permission bits do not tell all (root, read-only mounts, quotas): a file is made and removed. */
    char trial[4200];
    fq_temporary_name(path, trial, sizeof trial);
    int fd = open(trial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == ENOENT) /* the directory is there, but not one for files: /proc, /sys */
        return fq_fail(err, FQ_USAGE, "cannot write '%s': no file can be made in '%s'; choose another place", path,
                       directory);
    if (fd < 0)
        return errno == EEXIST ? FQ_OK : cannot_write(path, errno, err);
    (void)close(fd);
    (void)unlink(trial);
    return FQ_OK;
}

int fq_outfile_open(struct fq_outfile *f, const char *path, struct fq_error *err) {
    memset(f, 0, sizeof *f);
    FQ_TRY(fq_check_writable(path, err));
    (void)snprintf(f->path, sizeof f->path, "%s", path);
    struct stat st;
    const char *name = path;
    if (!(stat(path, &st) == 0 && !S_ISREG(st.st_mode))) {
        fq_temporary_name(path, f->temporary, sizeof f->temporary);
        name = f->temporary;
    }
    f->stream = fopen(name, "wb");
    if (f->stream == NULL)
        return cannot_write(path, errno, err);
    return FQ_OK;
}

/* The new name is durable only when the directory is, too. Failing here loses nothing that was written, so it is no
 * error. */
static void sync_directory(const char *path) {
    char directory[4096];
    directory_of(path, directory, sizeof directory);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

/* Why an earlier write failed: errno is long gone, so the same is tried once more with one byte (of a file that is
 * thrown away). */
static int cause_of_failure(FILE *stream) {
    (void)lseek(fileno(stream), 0, SEEK_END);
    return write(fileno(stream), "", 1) < 0 ? errno : EIO;
}

int fq_outfile_commit(struct fq_outfile *f, struct fq_error *err) {
    int cause = 0;
    if (ferror(f->stream))
        cause = cause_of_failure(f->stream);
    else if (fflush(f->stream) != 0)
        cause = errno;
    else if (f->temporary[0] != '\0' && fsync(fileno(f->stream)) != 0)
        cause = errno;
    if (fclose(f->stream) != 0 && cause == 0)
        cause = errno;
    f->stream = NULL;
    if (cause == 0 && f->temporary[0] != '\0' && rename(f->temporary, f->path) != 0)
        cause = errno;
    if (cause != 0) {
        if (f->temporary[0] != '\0')
            (void)unlink(f->temporary);
        return cannot_write(f->path, cause, err);
    }
    if (f->temporary[0] != '\0')
        sync_directory(f->path);
    return FQ_OK;
}

void fq_outfile_abort(struct fq_outfile *f) {
    if (f->stream != NULL)
        (void)fclose(f->stream);
    f->stream = NULL;
    if (f->temporary[0] != '\0')
        (void)unlink(f->temporary);
}

int fq_commit_name(const char *temporary, const char *path, struct fq_error *err) {
    int cause = 0;
    int fd = open(temporary, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cannot_write(path, errno, err);
    if (fsync(fd) != 0)
        cause = errno;
    if (close(fd) != 0 && cause == 0)
        cause = errno;
    if (cause == 0 && check_kind(path, err) != FQ_OK) {
        (void)unlink(temporary);
        return err->code;
    }
    if (cause == 0 && rename(temporary, path) != 0)
        cause = errno;
    if (cause != 0) {
        (void)unlink(temporary);
        return cannot_write(path, cause, err);
    }
    sync_directory(path);
    return FQ_OK;
}

int fq_make_dirs(const char *path, struct fq_error *err) {
    char part[4096];
    if (strlen(path) >= sizeof part)
        return fq_fail(err, FQ_USAGE, "cannot make directory '%.60s...': the path is too long", path);
    (void)snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        struct stat st;
        if (mkdir(part, 0777) != 0 && !(errno == EEXIST && stat(part, &st) == 0 && S_ISDIR(st.st_mode))) {
            int cause = errno == EEXIST ? ENOTDIR : errno;
            return fq_fail(err, FQ_USAGE, "cannot make directory '%s': %s", part, advice(cause));
        }
        *p = kept;
        if (kept == '\0' || p[1] == '\0')
            return FQ_OK;
    }
}

int fq_read_text(const char *path, char **text, size_t *n, struct fq_error *err) {
    *text = NULL;
    *n = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return fq_fail(err, FQ_USAGE, "cannot open '%s': %s", path, strerror(errno));
    size_t room = 1 << 16, used = 0;
    char *buffer = malloc(room);
    while (buffer != NULL) {
        used += fread(buffer + used, 1, room - used - 1, file);
        if (used + 1 < room)
            break;
        char *grown = realloc(buffer, room * 2);
        if (grown == NULL)
            free(buffer);
        buffer = grown;
        room *= 2;
    }
    int failed = ferror(file), cause = errno;
    (void)fclose(file);
    if (buffer == NULL)
        return fq_fail(err, FQ_USAGE, "out of memory while reading '%s'", path);
    if (failed) {
        free(buffer);
        return fq_fail(err, FQ_USAGE, "cannot read '%s': %s", path, strerror(cause));
    }
    buffer[used] = '\0';
    *text = buffer;
    *n = used;
    return FQ_OK;
}
