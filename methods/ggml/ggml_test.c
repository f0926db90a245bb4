/* The ggml formats: known answers, the errors of the published table, the linear contract, worst cases, llama.cpp's
 * Hadamard. Byte-for-byte equality with ggml's own quantizers is tests/peers/ggml_compare.c, which needs libggml. */
#include "methods/ggml/block.h"
#include "tests/support/method_gates.h"

extern const struct fq_method fq_method_iq4_nl, fq_method_q4_0, fq_method_q4_1, fq_method_q5_0, fq_method_q5_1,
    fq_method_q8_0;
static const struct fq_method *const all[] = {&fq_method_iq4_nl, &fq_method_q4_0, &fq_method_q4_1,
                                              &fq_method_q5_0,   &fq_method_q5_1, &fq_method_q8_0};
static const size_t block_bytes[] = {18, 18, 20, 22, 24, 34};
enum { FORMATS = sizeof all / sizeof all[0] };

static void known_answers_match(void **state) {
    (void)state;
    for (size_t m = 0; m < FORMATS; m++)
        fixture_known_answers(all[m], 7);
}

static void gates_pass(void **state) {
    (void)state;
    for (size_t m = 0; m < FORMATS; m++)
        assert_int_equal(gates_misses(all[m], 0, true), 0);
}

static void score_and_attend_follow_decode(void **state) {
    (void)state;
    static const char *const params[] = {"hadamard=none", "hadamard=llama"};
    for (size_t m = 0; m < FORMATS; m++)
        for (size_t p = 0; p < 2; p++) {
            struct fixture f;
            fixture_open(&f, all[m], params[p], 192, FQ_VALUE, 1);
            float *x = fixture_gaussian(11, 192, 8);
            fixture_linear(&f, 11, x, 1e-6);
            free(x);
            fixture_close(&f);
        }
}

static void worst_cases_hold(void **state) {
    (void)state;
    for (size_t m = 0; m < FORMATS; m++) {
        gates_worst_cases(all[m], "", 96);
        gates_worst_cases(all[m], "hadamard=llama", 64);
        gates_overflow_is_named(all[m], "", 128);
    }
}

static void dimension_must_be_whole_blocks(void **state) {
    (void)state;
    for (size_t m = 0; m < FORMATS; m++) {
        char why[200] = "";
        const struct fq_shape bad = {.dim = 80, .tensor = FQ_KEY}, good = {.dim = 96, .tensor = FQ_KEY};
        const struct fq_params none = fixture_params(all[m], ""), llama = fixture_params(all[m], "hadamard=llama");
        assert_int_equal(all[m]->check(&none, &bad, why, sizeof why), -1);
        assert_non_null(strstr(why, "divisible by 32, found 80"));
        assert_int_equal(all[m]->check(&none, &good, why, sizeof why), 0);
        assert_int_equal(all[m]->footprint(&none, &good).record_bytes, 3 * block_bytes[m]);
        assert_int_equal(all[m]->check(&llama, &good, why, sizeof why), -1);
        assert_non_null(strstr(why, "divisible by 64, found 96"));
    }
}

/* Scales that vanish or just fit: what ggml leaves undefined is zero here, and nothing becomes infinite. */
static void extreme_lengths_are_defined(void **state) {
    (void)state;
    enum { D = 32, CASES = 3 };
    for (size_t m = 0; m < FORMATS; m++) {
        struct fixture f;
        fixture_open(&f, all[m], "", D, FQ_KEY, 1);
        float x[CASES * D], xhat[CASES * D];
        for (size_t i = 0; i < D; i++) {
            x[i] = i % 2 ? 6.5e4F : -6.4e4F;     /* every scalar just inside fp16 */
            x[D + i] = i % 2 ? 1e-44F : -1e-42F; /* 1 / scale overflows */
            x[2 * D + i] = i % 2 ? 1e-38F : -3e-38F;
        }
        fixture_roundtrip(&f, CASES, x, xhat);
        for (size_t i = 0; i < D; i++) {
            assert_true(fabs((double)xhat[i] - (double)x[i]) < 0.15 * 6.5e4);
            assert_true(xhat[D + i] == 0 && xhat[2 * D + i] == 0);
        }
        fixture_close(&f);
    }
}

/* Scale first; q4_0 keeps entry j in the low and entry j + 16 in the high half of byte j; q5_0 keeps fifth bits in a
 * little-endian word before that. */
static void bytes_are_in_ggml_order(void **state) {
    (void)state;
    float x[GGML_BLOCK] = {0}, y[GGML_BLOCK];
    x[3] = -8;
    x[19] = 4;
    uint8_t block[FQ_BLOCK_MOST_BYTES];
    assert_true(ggml_q4_0.encode(x, block)); /* d = 1 */
    assert_int_equal(block[0] | block[1] << 8, 0x3c00);
    assert_int_equal(block[2 + 3], 0 | 12 << 4);
    assert_int_equal(block[2 + 4], 8 | 8 << 4);
    ggml_q4_0.decode(block, y);
    assert_true(y[3] == -8 && y[19] == 4 && y[0] == 0);
    x[3] = -16;
    assert_true(ggml_q5_0.encode(x, block)); /* d = 1: codes 16 but for 0 at 3 and 20 at 19 */
    assert_int_equal(block[2] | block[3] << 8, 0xfff7);
    assert_int_equal(block[4] | block[5] << 8, 0xffff);
    assert_int_equal(block[6 + 3], 0 | 4 << 4);
    x[3] = -127;
    x[19] = 2.5F;
    assert_true(ggml_q8_0.encode(x, block));
    assert_int_equal((int8_t)block[2 + 3], -127);
    assert_int_equal((int8_t)block[2 + 19], 3); /* halves go away from zero */
}

/* Keys: one matrix over the largest power of two that divides d; values: blocks of 64. The first row of a normalised
 * Sylvester matrix has no sign: a constant vector becomes one spike per block. */
static void hadamard_is_llamas(void **state) {
    (void)state;
    static const struct {
        size_t dim;
        enum fq_tensor tensor;
        size_t size;
    } rows[] = {{64, FQ_KEY, 64},    {128, FQ_KEY, 128}, {192, FQ_KEY, 64},
                {256, FQ_VALUE, 64}, {256, FQ_KEY, 256}, {384, FQ_KEY, 128}};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        struct fixture f;
        const size_t dim = rows[r].dim, size = rows[r].size;
        float x[384], y[384];
        fixture_open(&f, &fq_method_q8_0, "hadamard=llama", dim, rows[r].tensor, 1);
        for (size_t i = 0; i < dim; i++)
            x[i] = 1;
        f.kernels->rotate(&f.call, 1, x, y);
        for (size_t i = 0; i < dim; i++)
            assert_true(fabs((double)y[i] - (i % size == 0 ? sqrt((double)size) : 0)) < 1e-5);
        fixture_close(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_match),
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(score_and_attend_follow_decode),
        cmocka_unit_test(worst_cases_hold),
        cmocka_unit_test(dimension_must_be_whole_blocks),
        cmocka_unit_test(extreme_lengths_are_defined),
        cmocka_unit_test(bytes_are_in_ggml_order),
        cmocka_unit_test(hadamard_is_llamas),
    };
    return cmocka_run_group_tests_name("ggml", tests, NULL, NULL);
}
