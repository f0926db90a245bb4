/* Names to files: reads datasets/manifest.yaml, finds the file of an entry, checks its hash.
 *
 * A file is hashed once: its hash is remembered in the data folder together with size, inode and times, and computed
 * again when any of them differs. The harness never fetches anything; a missing file is an error that says what to do.
 */
#include "harness/data/manifest.h"

#include "harness/base/file.h"
#include "harness/base/yaml.h"
#include "harness/data/dataset_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

/* ---- places ---- */

static int is_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* "a/b"; the empty path, which no file has, if that is too long. */
static void join(char *out, size_t size, const char *a, const char *b) {
    int n = snprintf(out, size, "%s/%s", a, b);
    if (n < 0 || (size_t)n >= size)
        out[0] = '\0';
}

static int has_manifest(const char *home) {
    char path[PATH_SIZE];
    join(path, sizeof path, home, "datasets/manifest.yaml");
    return is_file(path);
}

void fq_home(char *out, size_t size) {
    const char *named = getenv("FQ_HOME");
    if (named != NULL && named[0] != '\0') {
        (void)snprintf(out, size, "%s", named);
        return;
    }
    (void)snprintf(out, size, ".");
    if (has_manifest("."))
        return;
    /* BUILD/fairquant belongs to the checkout around BUILD; PREFIX/bin/fairquant to PREFIX/share/fairquant. */
    char exe[PATH_SIZE];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return;
    exe[n] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(exe, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
    char shared[PATH_SIZE];
    join(shared, sizeof shared, exe, "share/fairquant");
    if (has_manifest(exe))
        (void)snprintf(out, size, "%s", exe);
    else if (has_manifest(shared))
        (void)snprintf(out, size, "%s", shared);
}

void fq_data_folder(char *out, size_t size) {
    const char *named = getenv("FQ_DATA");
    char home[PATH_SIZE];
    if (named != NULL && named[0] != '\0') {
        (void)snprintf(out, size, "%s", named);
        return;
    }
    fq_home(home, sizeof home);
    if (strcmp(home, ".") == 0)
        (void)snprintf(out, size, "datasets/files");
    else
        join(out, size, home, "datasets/files");
}

/* ---- hashes, remembered ---- */

static void identity_of(const struct stat *st, char *out, size_t size) {
    (void)snprintf(out, size, "%lld %llu %lld.%09ld %lld.%09ld", (long long)st->st_size, (unsigned long long)st->st_ino,
                   (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_ctim.tv_sec,
                   st->st_ctim.tv_nsec);
}

/* DATA/.sha256/HASH-OF-THE-FULL-PATH: never beside the file itself, which may lie in somebody else's folder. */
static int memory_of(const char *path, char *out, size_t size) {
    char full[PATH_MAX], folder[PATH_SIZE], hidden[PATH_SIZE], name[FQ_SHA256_HEX];
    if (realpath(path, full) == NULL)
        return 0;
    fq_data_folder(folder, sizeof folder);
    fq_sha256(full, strlen(full), name);
    name[16] = '\0';
    join(hidden, sizeof hidden, folder, ".sha256");
    join(out, size, hidden, name);
    return out[0] != '\0';
}

static int recall(const char *memory, const char *identity, char hex[FQ_SHA256_HEX]) {
    char line[256] = "";
    FILE *file = fopen(memory, "r");
    if (file == NULL)
        return 0;
    int got = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    size_t n = strlen(identity);
    if (!got || strncmp(line, identity, n) != 0 || line[n] != ' ' ||
        strspn(line + n + 1, "0123456789abcdef") != FQ_SHA256_HEX - 1)
        return 0;
    memcpy(hex, line + n + 1, FQ_SHA256_HEX - 1);
    hex[FQ_SHA256_HEX - 1] = '\0';
    return 1;
}

/* Failing to remember costs a second the next time and nothing else, so it is no error. */
static void remember(const char *memory, const char *identity, const char *hex) {
    char folder[PATH_SIZE];
    const char *slash = strrchr(memory, '/');
    int n = snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - memory) : 0, memory);
    if (n <= 0 || (size_t)n >= sizeof folder)
        return;
    (void)mkdir(folder, 0777);
    struct fq_outfile file;
    struct fq_error ignored;
    if (fq_outfile_open(&file, memory, &ignored) != 0)
        return;
    (void)fprintf(file.stream, "%s %s\n", identity, hex);
    (void)fq_outfile_commit(&file, &ignored);
}

int fq_file_sha256(const char *path, char hex[FQ_SHA256_HEX], struct fq_error *err) {
    char identity[160], memory[PATH_SIZE];
    struct stat st;
    enum { WORTH_REMEMBERING = 4 << 20 };
    if (stat(path, &st) != 0 || st.st_size < WORTH_REMEMBERING || !memory_of(path, memory, sizeof memory))
        return fq_sha256_file(path, hex, err);
    identity_of(&st, identity, sizeof identity);
    if (recall(memory, identity, hex))
        return FQ_OK;
    FQ_TRY(fq_sha256_file(path, hex, err));
    remember(memory, identity, hex);
    return FQ_OK;
}

/* ---- the manifest ---- */

#define TEXT(member, flags) CYAML_FIELD_STRING(#member, flags, struct fq_manifest_entry, member, 0)
#define NUMBER(member) CYAML_FIELD_UINT(#member, CYAML_FLAG_OPTIONAL, struct fq_manifest_entry, member)
static const cyaml_schema_field_t entry_fields[] = {TEXT(name, CYAML_FLAG_DEFAULT),
                                                    TEXT(kind, CYAML_FLAG_DEFAULT),
                                                    TEXT(file, CYAML_FLAG_DEFAULT),
                                                    TEXT(sha256, CYAML_FLAG_OPTIONAL),
                                                    NUMBER(bytes),
                                                    TEXT(source, CYAML_FLAG_DEFAULT),
                                                    TEXT(licence, CYAML_FLAG_DEFAULT),
                                                    TEXT(shape, CYAML_FLAG_OPTIONAL),
                                                    TEXT(obtain, CYAML_FLAG_DEFAULT),
                                                    TEXT(package, CYAML_FLAG_OPTIONAL),
                                                    NUMBER(parts),
                                                    TEXT(member, CYAML_FLAG_OPTIONAL),
                                                    TEXT(url, CYAML_FLAG_OPTIONAL),
                                                    TEXT(model, CYAML_FLAG_OPTIONAL),
                                                    TEXT(corpus, CYAML_FLAG_OPTIONAL),
                                                    NUMBER(tokens),
                                                    NUMBER(context),
                                                    CYAML_FIELD_END};
#undef TEXT
#undef NUMBER
static const cyaml_schema_value_t entry_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct fq_manifest_entry, entry_fields)};
static const cyaml_schema_value_t manifest_schema = {
    CYAML_VALUE_SEQUENCE(CYAML_FLAG_POINTER, struct fq_manifest_entry, &entry_schema, 1, CYAML_UNLIMITED)};

static const struct fq_manifest_entry *find(const struct fq_manifest_entry *entries, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(entries[i].name, name) == 0)
            return &entries[i];
    return NULL;
}

static int check_entry(const char *path, const struct fq_manifest_entry *entries, size_t n, size_t i,
                       struct fq_error *err) {
    const struct fq_manifest_entry *e = &entries[i];
    int captured = strcmp(e->kind, "kv") == 0;
    if (!captured && strcmp(e->kind, "model") != 0 && strcmp(e->kind, "corpus") != 0)
        return fq_fail(err, FQ_USAGE, "%s: '%s' is of kind '%s'; expected model, corpus or kv", path, e->name, e->kind);
    if (find(entries, i, e->name) != NULL)
        return fq_fail(err, FQ_USAGE, "%s: the name '%s' stands there twice", path, e->name);
    if (e->file[0] == '\0' || e->file[0] == '/' || strstr(e->file, "..") != NULL)
        return fq_fail(err, FQ_USAGE, "%s: '%s': file '%s' should be a path below the data folder", path, e->name,
                       e->file);
    if (!captured && strspn(e->sha256, "0123456789abcdef") != FQ_SHA256_HEX - 1)
        return fq_fail(err, FQ_USAGE, "%s: '%s': sha256 should be 64 hexadecimal digits in lower case, found '%s'",
                       path, e->name, e->sha256);
    if (captured && (find(entries, n, e->model) == NULL || find(entries, n, e->corpus) == NULL || e->tokens == 0 ||
                     e->context == 0))
        return fq_fail(err, FQ_USAGE,
                       "%s: '%s': a captured set names its model and corpus from this file, and tokens and context "
                       "above 0",
                       path, e->name);
    return FQ_OK;
}

int fq_manifest_load(struct fq_manifest_entry **entries, size_t *n, struct fq_error *err) {
    *entries = NULL;
    *n = 0;
    char home[PATH_SIZE], path[PATH_SIZE];
    fq_home(home, sizeof home);
    join(path, sizeof path, home, "datasets/manifest.yaml");
    const char *shown = strncmp(path, "./", 2) == 0 ? path + 2 : path;
    if (!is_file(path))
        return fq_fail(err, FQ_USAGE,
                       "cannot find datasets/manifest.yaml in '%s'; run in the project's folder or name it in FQ_HOME",
                       home);
    void *loaded = NULL;
    unsigned count = 0;
    FQ_TRY(fq_yaml_load(shown, &manifest_schema, &loaded, &count, err));
    struct fq_manifest_entry *list = loaded;
    for (size_t i = 0; i < count; i++) {
        int code = check_entry(shown, list, count, i, err);
        if (code != 0) {
            fq_yaml_free(&manifest_schema, loaded, count);
            return code;
        }
    }
    *entries = list; /* entries hold no pointers, so that free() is enough */
    *n = count;
    return FQ_OK;
}

/* ---- resolving ---- */

static int locate(const struct fq_manifest_entry *e, char *path, size_t size, struct fq_error *err) {
    char folder[PATH_SIZE];
    fq_data_folder(folder, sizeof folder);
    join(path, size, folder, e->file);
    if (is_file(path))
        return FQ_OK;
    const char *mirror = getenv("FQ_MIRROR");
    if (mirror != NULL && mirror[0] != '\0') {
        join(path, size, mirror, e->file);
        if (is_file(path))
            return FQ_OK;
    }
    join(path, size, folder, e->file);
    return fq_fail(err, FQ_USAGE,
                   "the %s '%s' is not there: expected the file '%s'%s%s%s; to get it: %s, or set "
                   "FQ_DATA to the folder that holds it",
                   strcmp(e->kind, "kv") == 0 ? "captured set" : e->kind, e->name, path,
                   mirror != NULL && mirror[0] != '\0' ? " or the same in FQ_MIRROR = '" : "",
                   mirror != NULL ? mirror : "", mirror != NULL && mirror[0] != '\0' ? "'" : "", e->obtain);
}

static int check_file(const struct fq_manifest_entry *e, const char *path, char sha256[FQ_SHA256_HEX],
                      struct fq_error *err) {
    struct stat st;
    if (stat(path, &st) != 0)
        return fq_fail(err, FQ_USAGE, "cannot open '%s': %s", path, strerror(errno));
    FQ_TRY(fq_file_sha256(path, sha256, err));
    if (e->sha256[0] == '\0' || strcmp(sha256, e->sha256) == 0)
        return FQ_OK;
    return fq_fail(err, FQ_USAGE,
                   "'%s' is not the %s '%s' of the manifest: expected SHA-256 %s (%llu bytes), found %s (%lld bytes); "
                   "remove the file and get it again: %s",
                   path, e->kind, e->name, e->sha256, e->bytes, sha256, (long long)st.st_size, e->obtain);
}

/* "a, b, c": names of one kind. */
static void list_names(const struct fq_manifest_entry *entries, size_t n, const char *kind, char *out, size_t size) {
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(out);
        if (strcmp(entries[i].kind, kind) == 0)
            (void)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", entries[i].name);
    }
}

static const char *kind_in_words(const char *kind) {
    return strcmp(kind, "kv") == 0 ? "data set" : kind;
}

int fq_manifest_resolve(const char *name_or_path, const char *kind, char *path, size_t size, char sha256[FQ_SHA256_HEX],
                        struct fq_error *err) {
    struct fq_manifest_entry *entries = NULL;
    size_t n = 0;
    struct fq_error unread = {.code = 0};
    int loaded = fq_manifest_load(&entries, &n, &unread);
    const struct fq_manifest_entry *e = find(entries, n, name_or_path);
    int code;
    if (e != NULL && strcmp(e->kind, kind) == 0) {
        code = locate(e, path, size, err);
        if (code == 0)
            code = check_file(e, path, sha256, err);
    } else if (is_file(name_or_path)) {
        (void)snprintf(path, size, "%s", name_or_path);
        code = fq_file_sha256(path, sha256, err);
    } else if (access(name_or_path, F_OK) == 0) {
        code = fq_fail(err, FQ_USAGE, "'%s' is not a file; expected a %s", name_or_path, kind_in_words(kind));
    } else if (e != NULL) {
        code = fq_fail(err, FQ_USAGE, "'%s' is a %s of the manifest, expected a %s", name_or_path,
                       kind_in_words(e->kind), kind_in_words(kind));
    } else if (loaded != 0) {
        code = fq_fail(err, FQ_USAGE, "there is no file '%s', and no name can be looked up: %s", name_or_path,
                       unread.text);
    } else {
        char names[384];
        list_names(entries, n, kind, names, sizeof names);
        code = fq_fail(err, FQ_USAGE, "unknown %s '%s': there is no such file, and the manifest knows only: %s%s",
                       kind_in_words(kind), name_or_path, names[0] != '\0' ? names : "none of this kind",
                       strcmp(kind, "model") == 0 ? " (scripts/setup.sh NAME fetches one, and any GGUF file can be "
                                                    "named by its path)"
                                                  : "");
    }
    free(entries);
    return code;
}
