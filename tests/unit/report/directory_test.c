/* The output directory is whole or absent, replaces an earlier report and nothing else. */
#include "harness/report/directory.h"
#include "tests/unit/report/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void put(const struct fq_report_dir *d, const char *name, const char *text) {
    struct fq_error err;
    FILE *f = fq_report_create(d, name, &err);
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fq_report_finish(f, d, name, &err), 0);
}

static int has(const char *dir, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void made_and_replaced(void **state) {
    (void)state;
    struct fq_error err;
    struct fq_report_dir d;
    char path[128];
    snprintf(path, sizeof path, "%s/new/deep/report/", base);
    assert_int_equal(fq_report_dir_open(&d, path, &err), 0);
    assert_false(has(path, "."));
    put(&d, FQ_REPORT_MARK, FQ_REPORT_SCHEMA "\n");
    put(&d, "old.txt", "x");
    assert_int_equal(fq_report_dir_commit(&d, &err), 0);
    assert_true(has(path, "old.txt"));

    assert_int_equal(fq_report_dir_open(&d, path, &err), 0);
    put(&d, FQ_REPORT_MARK, FQ_REPORT_SCHEMA "\n");
    put(&d, "new.txt", "x");
    assert_true(has(path, "old.txt"));
    assert_int_equal(fq_report_dir_commit(&d, &err), 0);
    assert_true(has(path, "new.txt"));
    assert_false(has(path, "old.txt"));
    char leftovers[160];
    snprintf(leftovers, sizeof leftovers, "%s/new/deep/report.tmp.%ld", base, (long)getpid());
    assert_false(has(leftovers, "."));
}

static void refuses_what_is_not_ours(void **state) {
    (void)state;
    struct fq_error err;
    struct fq_report_dir d;
    char path[128], file[160];
    snprintf(path, sizeof path, "%s/home", base);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(file, sizeof file, "%s/thesis.tex", path);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(fq_report_dir_open(&d, path, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "nothing was touched"));
    assert_true(has(path, "thesis.tex"));
    assert_int_equal(fq_report_dir_open(&d, file, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "found a file"));
    assert_int_equal(fq_report_dir_open(&d, "", &err), FQ_USAGE);
}

static void aborted_leaves_nothing(void **state) {
    (void)state;
    struct fq_error err;
    struct fq_report_dir d;
    char path[128], temporary[160];
    snprintf(path, sizeof path, "%s/aborted", base);
    assert_int_equal(fq_report_dir_open(&d, path, &err), 0);
    snprintf(temporary, sizeof temporary, "%s.tmp.%ld", path, (long)getpid());
    assert_true(has(temporary, "."));
    put(&d, "half.txt", "x");
    fq_report_dir_abort(&d);
    assert_false(has(temporary, "."));
    assert_false(has(path, "."));
}

static void disk_full_is_said(void **state) {
    (void)state;
    struct fq_error err;
    struct fq_report_dir d;
    char path[128];
    snprintf(path, sizeof path, "%s/full", base);
    assert_int_equal(fq_report_dir_open(&d, path, &err), 0);
    FILE *f = fopen("/dev/full", "w");
    assert_non_null(f);
    fputs("x", f);
    assert_int_equal(fq_report_finish(f, &d, "cells.csv", &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "cells.csv: No space left"));
    fq_report_dir_abort(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(made_and_replaced), cmocka_unit_test(refuses_what_is_not_ours),
                                       cmocka_unit_test(aborted_leaves_nothing), cmocka_unit_test(disk_full_is_said)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
