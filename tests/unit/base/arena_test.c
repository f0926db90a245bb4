/* The arena: alignment, counting, poison that reads as NaN, canaries that see one byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/arena.h"
#include "harness/base/half.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void blocks_are_aligned_and_counted(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_arena *arena = fq_arena_new("test");
    size_t total = 0;
    for (size_t size = 0; size < 200; size++) {
        void *block = fq_arena_take(arena, "block", size, &err);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % FQ_ALIGN, 0);
        assert_int_equal(fq_arena_size_of(arena, block), size);
        total += size;
    }
    assert_int_equal(fq_arena_bytes(arena), total);
    assert_int_equal(fq_arena_check(arena, &err), FQ_OK);
    fq_arena_free(arena);
}

static void assert_poisoned(const void *block, size_t size) {
    const unsigned char *bytes = block;
    for (size_t i = 0; i + 8 <= size; i += 8) {
        float f[2];
        double d;
        uint16_t h[4];
        memcpy(f, bytes + i, 8);
        memcpy(&d, bytes + i, 8);
        memcpy(h, bytes + i, 8);
        assert_true(isnan(f[0]) && isnan(f[1]) && isnan(d));
        for (int k = 0; k < 4; k++)
            assert_true(isnan(fq_half_to_float(h[k])));
    }
}

static void poison_reads_as_nan_in_every_width(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_arena *arena = fq_arena_new("test");
    for (size_t size = 1; size < 400; size += 13) {
        unsigned char *block = fq_arena_take(arena, "block", size, &err);
        assert_poisoned(block, size);
        memset(block, 0, size);
        fq_arena_poison(arena, block);
        assert_poisoned(block, size);
        assert_int_equal(block[size - 1], ((const unsigned char[]){0xB7, 0xFF, 0xF9, 0x7F})[(size - 1) % 4]);
    }
    assert_int_equal(fq_arena_check(arena, &err), FQ_OK);
    fq_arena_free(arena);
}

/* Overwrites one byte `at` of a block (negative: before it) and expects the sentence to say so. */
static void expect_seen(size_t size, ptrdiff_t at, const char *sentence) {
    struct fq_error err = {0};
    struct fq_arena *arena = fq_arena_new("records");
    (void)fq_arena_take(arena, "before", 10, &err);
    unsigned char *block = fq_arena_take(arena, "codes", size, &err);
    (void)fq_arena_take(arena, "after", 10, &err);
    block[at] = (unsigned char)~block[at];
    assert_int_equal(fq_arena_check(arena, &err), FQ_FAILED);
    assert_string_equal(err.text, sentence);
    block[at] = (unsigned char)~block[at];
    assert_int_equal(fq_arena_check(arena, &err), FQ_OK);
    fq_arena_free(arena);
}

static void canaries_see_one_byte(void **state) {
    (void)state;
    expect_seen(100, 100, "records: wrote behind 'codes' of 100 bytes: the byte 1 past its end was overwritten");
    expect_seen(100, 127, "records: wrote behind 'codes' of 100 bytes: the byte 28 past its end was overwritten");
    expect_seen(128, 191, "records: wrote behind 'codes' of 128 bytes: the byte 64 past its end was overwritten");
    expect_seen(100, -1, "records: wrote before 'codes' of 100 bytes: the byte 1 ahead of its start was overwritten");
    expect_seen(0, 0, "records: wrote behind 'codes' of 0 bytes: the byte 1 past its end was overwritten");
}

static void refuses_what_no_machine_has(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_arena *arena = fq_arena_new("test");
    assert_null(fq_arena_take(arena, "scratch", SIZE_MAX - 5, &err));
    assert_non_null(strstr(err.text, "'scratch'"));
    assert_int_equal(err.code, FQ_USAGE);
    assert_int_equal(fq_arena_bytes(arena), 0);
    assert_int_equal(fq_arena_size_of(arena, &err), 0);
    fq_arena_free(arena);
    fq_arena_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_counted), cmocka_unit_test(poison_reads_as_nan_in_every_width),
        cmocka_unit_test(canaries_see_one_byte), cmocka_unit_test(refuses_what_no_machine_has)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
