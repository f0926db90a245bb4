/* The manifest: names to checked files, and sentences for what is missing, wrong or changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/file.h"
#include "harness/data/dataset.h"
#include "harness/data/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char home[64];

static void write_file(const char *name, const char *text, size_t n) {
    char path[256];
    struct fq_error err = {0};
    struct fq_outfile f;
    (void)snprintf(path, sizeof path, "%s/%s", home, name);
    assert_int_equal(fq_outfile_open(&f, path, &err), FQ_OK);
    assert_int_equal(fwrite(text, 1, n, f.stream), n);
    assert_int_equal(fq_outfile_commit(&f, &err), FQ_OK);
}

static const char abc_hash[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void write_manifest(const char *extra) {
    char text[2048];
    int n = snprintf(text, sizeof text,
                     "- name: words\n  kind: corpus\n  file: words.txt\n  bytes: 3\n  sha256: %s\n"
                     "  source: nowhere\n  licence: none\n  obtain: write abc into it\n"
                     "- name: net\n  kind: model\n  file: net.gguf\n  bytes: 3\n  sha256: %s\n"
                     "  source: nowhere\n  licence: none\n  obtain: train it\n"
                     "- name: net-words\n  kind: kv\n  file: net-words.h5\n  source: here\n  licence: none\n"
                     "  obtain: capture it\n  model: net\n  corpus: words\n  tokens: 4\n  context: 2\n%s",
                     abc_hash, abc_hash, extra);
    write_file("datasets/manifest.yaml", text, (size_t)n);
}

static int make_home(void **state) {
    (void)state;
    char folder[128];
    struct fq_error err = {0};
    (void)snprintf(home, sizeof home, "/tmp/fq_manifest_test_XXXXXX");
    if (mkdtemp(home) == NULL)
        return -1;
    (void)snprintf(folder, sizeof folder, "%s/datasets/files", home);
    (void)setenv("FQ_HOME", home, 1);
    (void)unsetenv("FQ_DATA");
    (void)unsetenv("FQ_MIRROR");
    if (fq_make_dirs(folder, &err) != 0)
        return -1;
    (void)snprintf(folder, sizeof folder, "%s/mirror", home);
    if (fq_make_dirs(folder, &err) != 0)
        return -1;
    write_manifest("");
    return 0;
}

static int remove_home(void **state) {
    (void)state;
    static const char *const names[] = {
        "datasets/files/words.txt", "datasets/files/net.gguf", "datasets/files/net-words.h5",
        "datasets/manifest.yaml",   "mirror/words.txt",        "big.bin"};
    static const char *const folders[] = {"datasets/files/.sha256", "datasets/files", "datasets", "mirror", ""};
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", home, names[i]);
        (void)unlink(path);
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", home, folders[i]);
        (void)rmdir(path);
    }
    (void)unsetenv("FQ_HOME");
    return access(home, F_OK) == 0 ? -1 : 0;
}

static char found[4096], hex[FQ_SHA256_HEX];

static void expect_refused(const char *name, const char *kind, const char *part) {
    struct fq_error err = {0};
    assert_int_equal(fq_manifest_resolve(name, kind, found, sizeof found, hex, &err), FQ_USAGE);
    if (strstr(err.text, part) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, part);
}

static void entries_are_loaded(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_manifest_entry *entries;
    size_t n;
    assert_int_equal(fq_manifest_load(&entries, &n, &err), FQ_OK);
    assert_int_equal(n, 3);
    assert_string_equal(entries[0].name, "words");
    assert_int_equal(entries[0].bytes, 3);
    assert_string_equal(entries[2].sha256, "");
    assert_int_equal(entries[2].context, 2);
    free(entries);
}

static void names_become_checked_paths(void **state) {
    (void)state;
    struct fq_error err = {0};
    char expected[256];
    expect_refused("words", "corpus", "write abc into it");
    write_file("mirror/words.txt", "abc", 3);
    (void)snprintf(expected, sizeof expected, "%s/mirror", home);
    (void)setenv("FQ_MIRROR", expected, 1);
    assert_int_equal(fq_manifest_resolve("words", "corpus", found, sizeof found, hex, &err), FQ_OK);
    (void)snprintf(expected, sizeof expected, "%s/mirror/words.txt", home);
    assert_string_equal(found, expected);
    assert_string_equal(hex, abc_hash);
    write_file("datasets/files/words.txt", "abc", 3); /* the own folder comes first */
    assert_int_equal(fq_manifest_resolve("words", "corpus", found, sizeof found, hex, &err), FQ_OK);
    (void)snprintf(expected, sizeof expected, "%s/datasets/files/words.txt", home);
    assert_string_equal(found, expected);
    (void)unsetenv("FQ_MIRROR");
}

static void a_wrong_hash_names_both(void **state) {
    (void)state;
    write_file("datasets/files/words.txt", "abd", 3);
    expect_refused("words", "corpus", abc_hash);
    expect_refused("words", "corpus", "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9");
}

static void unknown_names_and_wrong_kinds_are_told(void **state) {
    (void)state;
    expect_refused("wordz", "corpus", "unknown corpus 'wordz'");
    expect_refused("wordz", "corpus", "knows only: words");
    expect_refused("net", "corpus", "'net' is a model of the manifest, expected a corpus");
    expect_refused(home, "corpus", "is not a file");
    struct fq_error err = {0};
    struct fq_dataset *set;
    assert_int_equal(fq_dataset_open("words", &set, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "expected a data set"));
}

static void paths_are_taken_as_they_are(void **state) {
    (void)state;
    struct fq_error err = {0};
    char path[256];
    write_file("datasets/files/words.txt", "abd", 3); /* not what the manifest says, but named by path */
    (void)snprintf(path, sizeof path, "%s/datasets/files/words.txt", home);
    assert_int_equal(fq_manifest_resolve(path, "corpus", found, sizeof found, hex, &err), FQ_OK);
    assert_string_equal(found, path);
    assert_string_not_equal(hex, abc_hash);
    (void)snprintf(path, sizeof path, "%s/none", home);
    (void)setenv("FQ_HOME", path, 1); /* without a manifest a path still works, a name does not */
    (void)snprintf(path, sizeof path, "%s/datasets/files/words.txt", home);
    assert_int_equal(fq_manifest_resolve(path, "corpus", found, sizeof found, hex, &err), FQ_OK);
    expect_refused("words", "corpus", "FQ_HOME");
}

static void large_files_are_hashed_again_when_they_change(void **state) {
    (void)state;
    enum { SIZE = 5 << 20 };
    struct fq_error err = {0};
    char path[256], first[FQ_SHA256_HEX], again[FQ_SHA256_HEX], direct[FQ_SHA256_HEX];
    char *bytes = calloc(SIZE, 1);
    assert_non_null(bytes);
    (void)snprintf(path, sizeof path, "%s/big.bin", home);
    write_file("big.bin", bytes, SIZE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fq_manifest_resolve(path, "corpus", found, sizeof found, first, &err), FQ_OK);
        fq_sha256(bytes, SIZE, direct);
        assert_string_equal(first, direct);
    }
    char memory[256];
    (void)snprintf(memory, sizeof memory, "%s/datasets/files/.sha256", home);
    assert_int_equal(access(memory, F_OK), 0);
    bytes[SIZE / 2] = 1;
    write_file("big.bin", bytes, SIZE);
    assert_int_equal(fq_manifest_resolve(path, "corpus", found, sizeof found, again, &err), FQ_OK);
    fq_sha256(bytes, SIZE, direct);
    assert_string_equal(again, direct);
    free(bytes);
    char command[512]; /* one remembered hash, whose name depends on the path */
    (void)snprintf(command, sizeof command, "rm -r '%s'", memory);
    assert_int_equal(system(command), 0);
}

static void captured_sets_must_be_what_the_manifest_says(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_dataset *set;
    assert_int_equal(fq_dataset_open("net-words", &set, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "capture it"));
    struct fq_kv_attributes a = {.model = "net",
                                 .model_sha256 = "",
                                 .corpus = "words",
                                 .corpus_sha256 = "",
                                 .source = "test",
                                 .layers = 1,
                                 .kv_heads = 1,
                                 .heads = 1,
                                 .dim = 2,
                                 .tokens = 4,
                                 .context = 2};
    const float rows[8] = {0};
    char path[256];
    (void)snprintf(path, sizeof path, "%s/datasets/files/net-words.h5", home);
    for (a.context = 2; a.context <= 4; a.context += 2) {
        struct fq_kv_writer *w;
        assert_int_equal(fq_kv_writer_open(path, &a, &w, &err), FQ_OK);
        for (int which = 0; which < 3; which++)
            assert_int_equal(fq_kv_writer_rows(w, which, 0, 0, 4, rows, &err), FQ_OK);
        assert_int_equal(fq_kv_writer_commit(w, &err), FQ_OK);
        int code = fq_dataset_open("net-words", &set, &err);
        assert_int_equal(code, a.context == 2 ? FQ_OK : FQ_USAGE);
        fq_dataset_close(set);
    }
    assert_non_null(strstr(err.text, "context 2; found model net, corpus words, 4 tokens, context 4"));
    assert_int_equal(fq_dataset_open(path, &set, &err), FQ_OK); /* by path it is what it is */
    assert_string_equal(fq_dataset_info(set)->name, "net-words.h5");
    fq_dataset_close(set);
}

static void wrong_manifests_are_refused(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_manifest_entry *entries;
    size_t n;
    static const char *const cases[][2] = {
        {"- name: a\n  kind: thing\n  file: f\n  source: s\n  licence: l\n  obtain: o\n", "kind 'thing'"},
        {"- name: net\n  kind: model\n  file: f\n  source: s\n  licence: l\n  obtain: o\n", "stands there twice"},
        {"- name: a\n  kind: model\n  file: f\n  source: s\n  licence: l\n  obtain: o\n", "64 hexadecimal digits"},
        {"- name: a\n  kind: kv\n  file: ../f\n  source: s\n  licence: l\n  obtain: o\n", "below the data folder"},
        {"- name: a\n  kind: kv\n  file: f\n  source: s\n  licence: l\n  obtain: o\n", "names its model and corpus"},
        {"- name: a\n  kine: kv\n", "manifest.yaml:28: unknown key 'kine' in entry 4"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_manifest(cases[i][0]);
        assert_int_equal(fq_manifest_load(&entries, &n, &err), FQ_USAGE);
        if (strstr(err.text, cases[i][1]) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, cases[i][1]);
        assert_null(entries);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_are_loaded, make_home, remove_home),
        cmocka_unit_test_setup_teardown(names_become_checked_paths, make_home, remove_home),
        cmocka_unit_test_setup_teardown(a_wrong_hash_names_both, make_home, remove_home),
        cmocka_unit_test_setup_teardown(unknown_names_and_wrong_kinds_are_told, make_home, remove_home),
        cmocka_unit_test_setup_teardown(paths_are_taken_as_they_are, make_home, remove_home),
        cmocka_unit_test_setup_teardown(large_files_are_hashed_again_when_they_change, make_home, remove_home),
        cmocka_unit_test_setup_teardown(captured_sets_must_be_what_the_manifest_says, make_home, remove_home),
        cmocka_unit_test_setup_teardown(wrong_manifests_are_refused, make_home, remove_home)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
