/* SHA-256 against the examples of FIPS 180-4, whole, in pieces and from a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char million_a[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void known_answers(void **state) {
    (void)state;
    char hex[FQ_SHA256_HEX];
    fq_sha256("abc", 3, hex);
    assert_string_equal(hex, abc);
    fq_sha256(NULL, 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void pieces_equal_the_whole(void **state) {
    (void)state;
    char *text = malloc(1000000), hex[FQ_SHA256_HEX];
    assert_non_null(text);
    memset(text, 'a', 1000000);
    struct fq_sha256_stream *s = fq_sha256_open();
    for (size_t at = 0, step = 1; at < 1000000; at += step, step = step * 3 % 9973) {
        if (step > 1000000 - at)
            step = 1000000 - at;
        fq_sha256_add(s, text + at, step);
    }
    fq_sha256_close(s, hex);
    assert_string_equal(hex, million_a);

    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/fq_sha_test_%ld", (long)getpid());
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, 1000000, file), 1000000);
    assert_int_equal(fclose(file), 0);
    struct fq_error err = {0};
    assert_int_equal(fq_sha256_file(path, hex, &err), FQ_OK);
    assert_string_equal(hex, million_a);
    (void)unlink(path);
    free(text);
}

static void says_what_cannot_be_read(void **state) {
    (void)state;
    char hex[FQ_SHA256_HEX];
    struct fq_error err = {0};
    assert_int_equal(fq_sha256_file("/nonexistent/x", hex, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "/nonexistent/x"));
    assert_int_equal(fq_sha256_file("/tmp", hex, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "directory"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_answers), cmocka_unit_test(pieces_equal_the_whole),
                                       cmocka_unit_test(says_what_cannot_be_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
