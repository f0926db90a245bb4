/* Files: whole or absent, also when the disk is full or the place cannot be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char folder[64], path[128];

static int make_folder(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/fq_file_test_XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/out.txt", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    (void)unlink(path);
    return rmdir(folder); /* fails, and the test with it, if anything was left behind */
}

static void commit_makes_the_file_appear_at_once(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_outfile f;
    assert_int_equal(fq_outfile_open(&f, path, &err), FQ_OK);
    assert_true(fprintf(f.stream, "hello\n") > 0);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(fq_outfile_commit(&f, &err), FQ_OK);
    char *text;
    size_t n;
    assert_int_equal(fq_read_text(path, &text, &n, &err), FQ_OK);
    assert_int_equal(n, 6);
    assert_string_equal(text, "hello\n");
    free(text);
}

static void abort_leaves_what_was_there(void **state) {
    (void)state;
    commit_makes_the_file_appear_at_once(state);
    struct fq_error err = {0};
    struct fq_outfile f;
    assert_int_equal(fq_outfile_open(&f, path, &err), FQ_OK);
    assert_true(fprintf(f.stream, "other") > 0);
    fq_outfile_abort(&f);
    char *text;
    size_t n;
    assert_int_equal(fq_read_text(path, &text, &n, &err), FQ_OK);
    assert_string_equal(text, "hello\n");
    free(text);
}

static void a_full_disk_is_a_sentence(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_outfile f;
    assert_int_equal(fq_outfile_open(&f, "/dev/full", &err), FQ_OK);
    assert_true(fprintf(f.stream, "anything") > 0);
    assert_int_equal(fq_outfile_commit(&f, &err), FQ_USAGE);
    assert_string_equal(err.text,
                        "cannot write '/dev/full': the disk is full; free some space or choose another place");
}

static void a_file_cut_short_is_not_left_behind(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_outfile f;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(fq_outfile_open(&f, path, &err), FQ_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 10000; i++)
        (void)fputs("0123456789", f.stream);
    int code = fq_outfile_commit(&f, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(code, FQ_USAGE);
    assert_non_null(strstr(err.text, "larger than this account or file system allows"));
    assert_int_not_equal(access(path, F_OK), 0);
}

static void expect_refused(const char *where, const char *why) {
    struct fq_error err = {0};
    struct fq_outfile f;
    assert_int_equal(fq_outfile_open(&f, where, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, why));
    assert_int_equal(fq_check_writable(where, &err), FQ_USAGE);
}

static void places_that_cannot_be_written_are_refused(void **state) {
    (void)state;
    char below[256];
    expect_refused(folder, "is a directory");
    expect_refused("", "empty path");
    (void)snprintf(below, sizeof below, "%s/none/out", folder);
    expect_refused(below, "does not exist");
    commit_makes_the_file_appear_at_once(state);
    (void)snprintf(below, sizeof below, "%s/out", path);
    expect_refused(below, "a file, not a directory");
    expect_refused("/proc/fairquant_out", "cannot write '/proc/fairquant_out'");
}

static void named_temporaries_become_files(void **state) {
    (void)state;
    struct fq_error err = {0};
    char temporary[256];
    fq_temporary_name(path, temporary, sizeof temporary);
    assert_int_equal(strncmp(temporary, path, strlen(path)), 0);
    assert_int_not_equal(fq_commit_name(temporary, path, &err), FQ_OK);
    FILE *file = fopen(temporary, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(fq_commit_name(temporary, path, &err), FQ_OK);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(temporary, F_OK), 0);
}

static void write_text(const char *name, const char *text) {
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A pipe of the test's own stands for any device: the real ones are nobody's to try. */
static void pipes_and_devices_are_not_replaced(void **state) {
    (void)state;
    struct fq_error err = {0};
    char temporary[256], link[256];
    struct stat st;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(fq_check_replaceable(path, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "pipe"));
    fq_temporary_name(path, temporary, sizeof temporary);
    write_text(temporary, "new");
    assert_int_equal(fq_commit_name(temporary, path, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "pipe"));
    assert_int_not_equal(access(temporary, F_OK), 0); /* nothing is left behind */
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));

    (void)snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(fq_check_replaceable(link, &err), FQ_USAGE);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(path), 0);

    if (mknod(path, S_IFCHR | 0600, makedev(1, 3)) == 0) { /* root only: another node of the null device */
        write_text(temporary, "new");
        assert_int_equal(fq_commit_name(temporary, path, &err), FQ_USAGE);
        assert_non_null(strstr(err.text, "device"));
        assert_int_equal(stat(path, &st), 0);
        assert_true(S_ISCHR(st.st_mode));
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(fq_check_replaceable(path, &err), FQ_OK);
    write_text(path, "old");
    assert_int_equal(fq_check_replaceable(path, &err), FQ_OK);
}

static void directories_are_made_in_one_go(void **state) {
    (void)state;
    struct fq_error err = {0};
    char deep[256], middle[256];
    (void)snprintf(deep, sizeof deep, "%s/a/b/", folder);
    (void)snprintf(middle, sizeof middle, "%s/a", folder);
    assert_int_equal(fq_make_dirs(deep, &err), FQ_OK);
    assert_int_equal(fq_make_dirs(deep, &err), FQ_OK);
    struct stat st;
    assert_int_equal(stat(deep, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    commit_makes_the_file_appear_at_once(state);
    assert_int_equal(fq_make_dirs(path, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(rmdir(deep), 0);
    assert_int_equal(rmdir(middle), 0);
}

static void reads_what_has_no_size(void **state) {
    (void)state;
    struct fq_error err = {0};
    char *text;
    size_t n;
    assert_int_equal(fq_read_text("/proc/self/status", &text, &n, &err), FQ_OK);
    assert_true(n > 0 && text[n] == '\0' && strstr(text, "Name:") != NULL);
    free(text);
    assert_int_equal(fq_read_text(folder, &text, &n, &err), FQ_USAGE);
    assert_int_equal(fq_read_text("/nonexistent", &text, &n, &err), FQ_USAGE);
    assert_null(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commit_makes_the_file_appear_at_once, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(abort_leaves_what_was_there, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_full_disk_is_a_sentence, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_cut_short_is_not_left_behind, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(places_that_cannot_be_written_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(named_temporaries_become_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(pipes_and_devices_are_not_replaced, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(directories_are_made_in_one_go, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(reads_what_has_no_size, make_folder, remove_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
