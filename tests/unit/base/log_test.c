/* Progress and notes: what is printed where stderr is no terminal, and silence when asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char text[4096];
static int kept = -1;
static FILE *caught;

static void catch_stderr(void) {
    (void)fflush(stderr);
    kept = dup(STDERR_FILENO);
    caught = tmpfile();
    assert_true(kept >= 0 && caught != NULL);
    assert_true(dup2(fileno(caught), STDERR_FILENO) >= 0);
}

static void give_back(void) {
    (void)fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    rewind(caught);
    text[fread(text, 1, sizeof text - 1, caught)] = '\0';
    (void)fclose(caught);
}

static void progress_into_a_file_is_sparse(void **state) {
    (void)state;
    struct fq_progress p;
    catch_stderr();
    fq_progress_begin(&p, "encode", 1000.0);
    for (int i = 0; i < 1000; i++)
        fq_progress_step(&p, 1.0, "cell");
    fq_progress_end(&p);
    give_back();
    assert_int_equal(strncmp(text, "encode: done in ", 16), 0);
    assert_null(strchr(strchr(text, '\n') + 1, '\n')); /* one line, no bar */
    assert_null(strchr(text, '\r'));
}

static void after_a_while_the_time_left_is_printed(void **state) {
    (void)state;
    struct fq_progress p;
    catch_stderr();
    fq_progress_begin(&p, "encode", 4.0);
    p.start_ns -= 60000000000u; /* as if a minute had gone by */
    p.printed_ns = p.start_ns;
    fq_progress_step(&p, 1.0, "layer 7");
    fq_progress_end(&p);
    give_back();
    assert_int_equal(strncmp(text, "encode: 25 %, 3 min 00 s left, layer 7\n", 39), 0);
    assert_non_null(strstr(text, "encode: stopped at 25 % after 1 min 00 s\n"));
}

static void quiet_keeps_warnings(void **state) {
    (void)state;
    struct fq_progress p;
    fq_log_quiet(1);
    catch_stderr();
    fq_note("a note");
    fq_warn("disk %d %% full", 99);
    fq_progress_begin(&p, "x", 1.0);
    fq_progress_step(&p, 1.0, NULL);
    fq_progress_end(&p);
    give_back();
    fq_log_quiet(0);
    assert_string_equal(text, "warning: disk 99 % full\n");
    catch_stderr();
    fq_note("a note");
    give_back();
    assert_string_equal(text, "a note\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(progress_into_a_file_is_sparse),
                                       cmocka_unit_test(after_a_while_the_time_left_is_printed),
                                       cmocka_unit_test(quiet_keeps_warnings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
