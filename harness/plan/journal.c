/* The journal of a running sweep: one whole results file per finished cell.
 *
 * Why: a sweep runs for half an hour and may be killed at any moment. A cell is in the journal whole, under its id, or
 * it is not there; so what is finished is never lost and never run again. Several processes write into one journal,
 * each cell under its own name.
 * It must not hold a cell that did not end: failing is an end, being killed is none. */
#include "harness/plan/journal.h"

#include "harness/base/file.h"
#include "harness/plan/results.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char sweep_file[] = "sweep.sha256";

int fq_journal_name(const char *results_path, char *out, size_t size, struct fq_error *err) {
    const int n = snprintf(out, size, "%s.journal", results_path);
    if (n < 0 || (size_t)n >= size)
        return fq_fail(err, FQ_USAGE, "the path '%.60s...' is too long", results_path);
    return 0;
}

bool fq_journal_exists(const char *dir) {
    struct stat st;
    return stat(dir, &st) == 0 && S_ISDIR(st.st_mode);
}

static int join(const char *dir, const char *file, char *out, size_t size, struct fq_error *err) {
    const int n = snprintf(out, size, "%s/%s", dir, file);
    if (n < 0 || (size_t)n >= size)
        return fq_fail(err, FQ_USAGE, "the path '%.60s...' is too long", dir);
    return 0;
}

int fq_journal_begin(const char *dir, const char *sweep_sha256, struct fq_error *err) {
    char path[4096];
    struct fq_outfile out;
    FQ_TRY(fq_make_dirs(dir, err));
    FQ_TRY(join(dir, sweep_file, path, sizeof path, err));
    FQ_TRY(fq_outfile_open(&out, path, err));
    (void)fprintf(out.stream, "%s\n", sweep_sha256); /* commit sees a failed write */
    return fq_outfile_commit(&out, err);
}

int fq_journal_sweep(const char *dir, char sha256[FQ_SHA256_HEX], struct fq_error *err) {
    char path[4096], *text = NULL;
    size_t n = 0;
    sha256[0] = '\0';
    FQ_TRY(join(dir, sweep_file, path, sizeof path, err));
    if (access(path, F_OK) != 0)
        return 0;
    FQ_TRY(fq_read_text(path, &text, &n, err));
    text[strcspn(text, "\n")] = '\0';
    const bool good = strlen(text) == FQ_SHA256_HEX - 1;
    if (good)
        memcpy(sha256, text, FQ_SHA256_HEX);
    free(text);
    if (!good)
        return fq_fail(err, FQ_USAGE, "'%s': expected the hash of a sweep; remove the folder %s and run again", path,
                       dir);
    return 0;
}

int fq_journal_put(const char *dir, const struct fq_cell *cell, size_t planned, struct fq_error *err) {
    char path[4096], file[64];
    snprintf(file, sizeof file, "%s.h5", cell->id);
    FQ_TRY(join(dir, file, path, sizeof path, err));
    struct fq_cell copy = *cell;
    const struct fq_results one = {.cells = &copy, .n_cells = 1, .cells_room = 1, .planned = planned};
    return fq_results_write(path, &one, err);
}

/* A finished cell's file: 16 hex digits and ".h5". Temporaries of killed processes do not match. */
static bool is_cell_file(const char *name) {
    return strlen(name) == 19 && strspn(name, "0123456789abcdef") == 16 && strcmp(name + 16, ".h5") == 0;
}

static bool is_part_file(const char *name) {
    return strlen(name) == 24 && strspn(name, "0123456789abcdef") == 16 && strcmp(name + 16, ".windows") == 0;
}

static bool is_ours(const char *name) {
    return is_cell_file(name) || is_part_file(name) || strncmp(name, sweep_file, strlen(sweep_file)) == 0 ||
           strstr(name, ".h5.tmp.");
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int only_cells(const struct dirent *entry) {
    return is_cell_file(entry->d_name);
}

static int only_ours(const struct dirent *entry) {
    return is_ours(entry->d_name);
}

static int scan(const char *dir, int (*filter)(const struct dirent *), struct dirent ***names, size_t *n,
                struct fq_error *err) {
    const int count = scandir(dir, names, filter, by_name);
    if (count < 0)
        return fq_fail(err, FQ_USAGE, "cannot read the journal '%s': %s", dir, strerror(errno));
    *n = (size_t)count;
    return 0;
}

static void free_names(struct dirent **names, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

int fq_journal_read(const char *dir, struct fq_cell **cells, size_t *n, struct fq_error *err) {
    struct dirent **names = NULL;
    size_t n_names = 0;
    struct fq_results all = {0};
    int code = 0;
    *cells = NULL;
    *n = 0;
    FQ_TRY(scan(dir, only_cells, &names, &n_names, err));
    for (size_t i = 0; code == 0 && i < n_names; i++) {
        char path[4096];
        struct fq_results one = {0};
        code = join(dir, names[i]->d_name, path, sizeof path, err);
        if (code == 0)
            code = fq_results_read(path, &one, err);
        for (size_t c = 0; code == 0 && c < one.n_cells; c++)
            code = fq_results_append(&all, &one.cells[c], err);
        fq_results_free(&one);
    }
    free_names(names, n_names);
    if (code != 0) {
        fq_results_free(&all);
        return code;
    }
    *cells = all.cells;
    *n = all.n_cells;
    return 0;
}

void fq_journal_forget_parts(const char *dir, const char *id) {
    char path[4096];
    const int n = snprintf(path, sizeof path, "%s/%s.windows", dir, id);
    if (n > 0 && (size_t)n < sizeof path)
        (void)unlink(path); /* one that stays is removed with the journal */
}

int fq_journal_remove(const char *dir, struct fq_error *err) {
    struct dirent **names = NULL;
    size_t n = 0;
    int code = 0;
    FQ_TRY(scan(dir, only_ours, &names, &n, err));
    for (size_t i = 0; code == 0 && i < n; i++) {
        char path[4096];
        code = join(dir, names[i]->d_name, path, sizeof path, err);
        if (code == 0 && unlink(path) != 0)
            code = fq_fail(err, FQ_USAGE, "cannot remove '%s': %s", path, strerror(errno));
    }
    free_names(names, n);
    if (code == 0 && rmdir(dir) != 0)
        code = fq_fail(err, FQ_USAGE, "cannot remove the journal '%s': %s", dir, strerror(errno));
    return code;
}
