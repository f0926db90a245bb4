/* Sentences are kept whole, cut to size, and forwarded with their code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/error.h"

#include <string.h>

static int fails(struct fq_error *err) {
    return fq_fail(err, FQ_USAGE, "expected %d, found %s", 3, "none");
}

static int forwards(struct fq_error *err, int *reached) {
    FQ_TRY(fails(err));
    *reached = 1;
    return 0;
}

static void keeps_code_and_sentence(void **state) {
    (void)state;
    struct fq_error err = {0};
    int reached = 0;
    assert_int_equal(forwards(&err, &reached), FQ_USAGE);
    assert_int_equal(err.code, FQ_USAGE);
    assert_string_equal(err.text, "expected 3, found none");
    assert_int_equal(reached, 0);
    assert_int_equal(fq_fail(NULL, FQ_FAILED, "nobody listens"), FQ_FAILED);
}

static void puts_the_place_in_front(void **state) {
    (void)state;
    struct fq_error err = {0};
    (void)fails(&err);
    assert_int_equal(fq_fail_in(&err, "cell %d", 7), FQ_USAGE);
    assert_string_equal(err.text, "cell 7: expected 3, found none");
}

static void may_quote_its_own_old_sentence(void **state) {
    (void)state;
    struct fq_error err = {0};
    (void)fails(&err);
    assert_int_equal(fq_fail(&err, FQ_FAILED, "because: %s", err.text), FQ_FAILED);
    assert_string_equal(err.text, "because: expected 3, found none");
}

static void cuts_long_sentences(void **state) {
    (void)state;
    struct fq_error err = {0};
    char text[2 * FQ_ERROR_SIZE];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)fq_fail(&err, FQ_USAGE, "%s", text);
    assert_int_equal(strlen(err.text), FQ_ERROR_SIZE - 1);
    (void)fq_fail_in(&err, "%s", text);
    assert_int_equal(strlen(err.text), FQ_ERROR_SIZE - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_code_and_sentence), cmocka_unit_test(puts_the_place_in_front),
        cmocka_unit_test(may_quote_its_own_old_sentence), cmocka_unit_test(cuts_long_sentences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
