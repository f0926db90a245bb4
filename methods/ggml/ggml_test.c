/* q8_0 and q4_0: known answers, the error of the published table, the linear contract, worst cases. Byte-for-byte
 * equality with ggml's own quantizers is tests/peers/ggml_compare.c, which needs libggml. */
#include "methods/ggml/block.h"
#include "tests/support/method_fixture.h"

extern const struct fq_method fq_method_q8_0, fq_method_q4_0;
static const struct fq_method *const both[] = {&fq_method_q8_0, &fq_method_q4_0};

static void known_answers_match(void **state) {
    (void)state;
    for (size_t m = 0; m < 2; m++)
        fixture_known_answers(both[m], 9);
}

static void distortion_is_as_published(void **state) {
    (void)state;
    static const double expected[] = {2.87e-5, 0.00737};
    enum { N = 3000, D = 96 };
    float *x = fixture_gaussian(N, D, 7), *xhat = malloc((size_t)N * D * sizeof *xhat);
    assert_non_null(xhat);
    for (size_t m = 0; m < 2; m++) {
        struct fixture f;
        fixture_open(&f, both[m], "", D, FQ_KEY, 1);
        fixture_roundtrip(&f, N, x, xhat);
        const double mse = fixture_mse(N, D, x, xhat, false);
        if (!(fabs(mse / expected[m] - 1) < 0.02))
            fail_msg("%s: relative MSE %.6g, expected %.6g", both[m]->name, mse, expected[m]);
        fixture_close(&f);
    }
    free(x);
    free(xhat);
}

static void score_and_attend_follow_decode(void **state) {
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        struct fixture f;
        fixture_open(&f, both[m], "", 160, FQ_VALUE, 1);
        float *x = fixture_gaussian(11, 160, 8);
        fixture_linear(&f, 11, x, 1e-6);
        free(x);
        fixture_close(&f);
    }
}

static void dimension_must_be_whole_blocks(void **state) {
    (void)state;
    const struct fq_params none = {{0}};
    for (size_t m = 0; m < 2; m++) {
        char why[160] = "";
        const struct fq_shape bad = {.dim = 80, .tensor = FQ_KEY}, good = {.dim = 96, .tensor = FQ_KEY};
        assert_int_equal(both[m]->check(&none, &bad, why, sizeof why), -1);
        assert_non_null(strstr(why, "divisible by 32, found 80"));
        assert_int_equal(both[m]->check(&none, &good, why, sizeof why), 0);
        assert_int_equal(both[m]->footprint(&none, &good).record_bytes, m == 0 ? 3 * 34 : 3 * 18);
    }
}

static void worst_cases_are_defined(void **state) {
    (void)state;
    enum { D = 32, CASES = 6 };
    for (size_t m = 0; m < 2; m++) {
        struct fixture f;
        fixture_open(&f, both[m], "", D, FQ_KEY, 1);
        float x[CASES * D] = {0}, xhat[CASES * D];
        x[D + 9] = -2; /* 0: zero, 1: one-hot */
        for (size_t i = 0; i < D; i++) {
            x[2 * D + i] = 0.5F;                     /* constant */
            x[3 * D + i] = i % 2 ? 5e5F : -4.9e5F;   /* scale just inside fp16 for both */
            x[4 * D + i] = i % 2 ? 1e-44F : -1e-42F; /* 1 / scale overflows */
            x[5 * D + i] = i % 2 ? 1e-38F : -3e-38F;
        }
        fixture_roundtrip(&f, CASES, x, xhat);
        for (size_t i = 0; i < D; i++) {
            assert_true(xhat[i] == 0);
            assert_true(xhat[4 * D + i] == 0 && xhat[5 * D + i] == 0);
            assert_true(fabs((double)xhat[D + i] - (double)x[D + i]) < 2e-3);
            assert_true(fabs((double)xhat[2 * D + i] - 0.5) < 1e-3);
            assert_true(isfinite(xhat[3 * D + i]));
        }
        size_t encoded;
        for (size_t i = 0; i < D; i++)
            x[3 * D + i] = 3e38F;
        free(fixture_encode(&f, CASES, x, &encoded));
        assert_int_equal(encoded, 3);
        fixture_close(&f);
    }
}

/* Layout: the scale first; q4_0 keeps entry j in the low and entry j + 16 in the high half of byte j. */
static void bytes_are_in_ggml_order(void **state) {
    (void)state;
    float x[GGML_BLOCK] = {0}, level[GGML_BLOCK];
    x[3] = -8;
    x[19] = 4;
    uint8_t block[GGML_SCALE_BYTES + GGML_BLOCK];
    assert_true(ggml_q4_0.encode(x, block)); /* d = 1 */
    assert_int_equal(block[0] | block[1] << 8, 0x3c00);
    assert_int_equal(block[2 + 3], 0 | 12 << 4);
    assert_int_equal(block[2 + 4], 8 | 8 << 4);
    ggml_q4_0.levels(block, level);
    assert_true(level[3] == -8 && level[19] == 4 && level[0] == 0);
    x[3] = -127;
    x[19] = 2.5F;
    assert_true(ggml_q8_0.encode(x, block));
    assert_int_equal((int8_t)block[2 + 3], -127);
    assert_int_equal((int8_t)block[2 + 19], 3); /* halves go away from zero */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_match),
        cmocka_unit_test(distortion_is_as_published),
        cmocka_unit_test(score_and_attend_follow_decode),
        cmocka_unit_test(dimension_must_be_whole_blocks),
        cmocka_unit_test(worst_cases_are_defined),
        cmocka_unit_test(bytes_are_in_ggml_order),
    };
    return cmocka_run_group_tests_name("ggml", tests, NULL, NULL);
}
