/* KIVI: the published errors on iid data, channel structure that per-channel groups remove, the linear contract, worst
 * cases. */
#include "methods/kivi/kivi.h"
#include "tests/support/method_fixture.h"

extern const struct fq_method fq_method_kivi;

static double error_of(const char *params, enum fq_tensor tensor, size_t n, size_t dim, const float *x) {
    struct fixture f;
    float *xhat = malloc(n * dim * sizeof *xhat);
    assert_non_null(xhat);
    fixture_open(&f, &fq_method_kivi, params, dim, tensor, 1);
    fixture_roundtrip(&f, n, x, xhat);
    const double mse = fixture_mse(n, dim, x, xhat, false);
    free(xhat);
    fixture_close(&f);
    return mse;
}

static void distortion_is_as_published(void **state) {
    (void)state;
    static const struct {
        const char *params;
        double expected;
    } rows[] = {{"bits=2 group=32", 0.1543},
                {"bits=2 group=128", 0.2502},
                {"bits=4 group=32", 0.00611},
                {"bits=4 group=128", 0.00993}};
    enum { N = 2048, D = 128 };
    float *x = fixture_gaussian(N, D, 3);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int tensor = FQ_KEY; tensor <= FQ_VALUE; tensor++) {
            const double mse = error_of(rows[i].params, (enum fq_tensor)tensor, N, D, x);
            if (!(fabs(mse / rows[i].expected - 1) < 0.02))
                fail_msg("%s tensor %d: relative MSE %.6g, expected %.6g", rows[i].params, tensor, mse,
                         rows[i].expected);
        }
    assert_true(error_of("bits=8", FQ_KEY, N, D, x) < 5e-5);
    free(x);
}

/* Channels whose spread and mean differ: per-channel groups do not notice, per-token groups lose most of their range.
 * The error counts in units of each channel's own spread. */
static void channel_structure_is_what_it_is_for(void **state) {
    (void)state;
    enum { N = 512, D = 64 };
    float *x = fixture_gaussian(N, D, 4), *scaled = malloc(sizeof *scaled * N * D);
    assert_non_null(scaled);
    for (size_t i = 0; i < (size_t)N * D; i++)
        scaled[i] = i % D % 16 == 3 ? 32 * x[i] : x[i];
    const double plain = error_of("bits=2", FQ_KEY, N, D, x);
    double error[2] = {0};
    for (int token = 0; token < 2; token++) {
        struct fixture f;
        float *xhat = malloc(sizeof *xhat * N * D);
        assert_non_null(xhat);
        fixture_open(&f, &fq_method_kivi, token ? "bits=2 axis=token" : "bits=2 axis=channel", D, FQ_KEY, 1);
        fixture_roundtrip(&f, N, scaled, xhat);
        for (size_t i = 0; i < (size_t)N * D; i++) {
            const double spread = i % D % 16 == 3 ? 32 : 1, e = ((double)xhat[i] - (double)scaled[i]) / spread;
            error[token] += e * e / (N * D);
        }
        free(xhat);
        fixture_close(&f);
    }
    assert_true(fabs(error[0] / plain - 1) < 0.02); /* a power of two changes nothing but roundings */
    assert_true(error[1] > 10 * error[0]);
    free(x);
    free(scaled);
}

static void score_and_attend_follow_decode(void **state) {
    (void)state;
    static const struct {
        const char *params;
        enum fq_tensor tensor;
        size_t dim, n;
    } rows[] = {{"bits=2 group=32", FQ_KEY, 80, 96},           {"bits=2 group=32", FQ_VALUE, 96, 5},
                {"bits=4 group=128", FQ_KEY, 7, 256},          {"bits=4 group=64", FQ_VALUE, 128, 5},
                {"bits=8 group=64 axis=token", FQ_KEY, 64, 3}, {"bits=8 group=32 axis=channel", FQ_VALUE, 33, 64}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        fixture_open(&f, &fq_method_kivi, rows[i].params, rows[i].dim, rows[i].tensor, 1);
        float *x = fixture_gaussian(rows[i].n, rows[i].dim, 5);
        fixture_linear(&f, rows[i].n, x, 2e-6);
        free(x);
        fixture_close(&f);
    }
}

static void footprint_counts_scale_and_minimum(void **state) {
    (void)state;
    const struct fq_shape key = {.dim = 128, .tensor = FQ_KEY}, value = {.dim = 128, .tensor = FQ_VALUE};
    struct fq_params p = fixture_params(&fq_method_kivi, "bits=2 group=32");
    struct fq_footprint fp = fq_method_kivi.footprint(&p, &key);
    assert_int_equal(fp.granularity, 32);
    assert_int_equal(fp.record_bytes * 8, 3 * 32 * 128); /* 2 + 32/32 bits */
    fp = fq_method_kivi.footprint(&p, &value);
    assert_int_equal(fp.granularity, 1);
    assert_int_equal(fp.record_bytes * 8, 3 * 128);
    p = fixture_params(&fq_method_kivi, "bits=4 group=128");
    fp = fq_method_kivi.footprint(&p, &key);
    assert_int_equal(fp.record_bytes * 8 * 4, 17 * 128 * 128); /* 4.25 bits */
}

static void refusals_say_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *params;
        enum fq_tensor tensor;
        size_t dim;
        const char *expected; /* NULL: accepted */
    } rows[] = {{"bits=3", FQ_KEY, 64, "found bits=3"},
                {"group=48", FQ_KEY, 64, "found group=48"},
                {"group=128", FQ_VALUE, 64, "must divide the dimension, found 64"},
                {"group=128", FQ_KEY, 80, NULL},
                {"group=32", FQ_VALUE, 80, "must divide the dimension, found 80"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fq_shape shape = {.dim = rows[i].dim, .tensor = rows[i].tensor};
        const struct fq_params p = fixture_params(&fq_method_kivi, rows[i].params);
        char why[200] = "";
        assert_int_equal(fq_method_kivi.check(&p, &shape, why, sizeof why), rows[i].expected ? -1 : 0);
        if (rows[i].expected && !strstr(why, rows[i].expected))
            fail_msg("%s: \"%s\"", rows[i].params, why);
    }
}

static void worst_cases_are_defined(void **state) {
    (void)state;
    enum { D = 32, N = 6 };
    struct fixture f;
    fixture_open(&f, &fq_method_kivi, "bits=2 axis=token", D, FQ_VALUE, 1);
    float x[N * D] = {0}, xhat[N * D];
    x[D + 4] = -5; /* 0: zero, 1: one-hot */
    for (size_t i = 0; i < D; i++) {
        x[2 * D + i] = 0.3F;                            /* constant */
        x[3 * D + i] = i % 2 ? 6e4F : -6e4F;            /* largest that fits */
        x[4 * D + i] = i % 2 ? 1e-30F : -1e-42F;        /* below fp16 */
        x[5 * D + i] = 100.03F + (i % 2 ? 1e-4F : 0.F); /* the stored minimum is coarser than the range */
    }
    fixture_roundtrip(&f, N, x, xhat);
    for (size_t i = 0; i < D; i++) {
        assert_true(xhat[i] == 0);
        assert_true(fabs((double)xhat[D + i] - (double)x[D + i]) < 2e-3);
        assert_true(fabs((double)xhat[2 * D + i] - 0.3) < 2e-4);
        assert_true(fabs((double)xhat[3 * D + i] - (double)x[3 * D + i]) < 64);
        assert_true(xhat[4 * D + i] == 0);
        assert_true(fabs((double)xhat[5 * D + i] - 100.03) < 0.05);
    }
    fixture_close(&f);
}

/* Where fp16 has no scale for the range, one value stands for the group: its middle. */
static void unresolved_range_decodes_to_its_middle(void **state) {
    (void)state;
    enum { D = 32 };
    struct fixture f;
    fixture_open(&f, &fq_method_kivi, "bits=4", D, FQ_VALUE, 1);
    float x[D], xhat[D];
    for (size_t i = 0; i < D; i++)
        x[i] = i % 2 ? 4e-7F : 0;
    fixture_roundtrip(&f, 1, x, xhat);
    for (size_t i = 0; i < D; i++)
        assert_true(fabs((double)xhat[i] - 2e-7) < 3.1e-8);
    fixture_close(&f);
}

static void overflow_names_the_group(void **state) {
    (void)state;
    enum { D = 32 };
    float *x = fixture_gaussian(3 * 32, D, 6);
    x[2 * 32 * D + 5] = -7e4F; /* minimum beyond fp16, in the third record of keys */
    struct fixture f;
    size_t encoded;
    fixture_open(&f, &fq_method_kivi, "bits=2", D, FQ_KEY, 1);
    free(fixture_encode(&f, 96, x, &encoded));
    assert_int_equal(encoded, 2);
    fixture_close(&f);
    fixture_open(&f, &fq_method_kivi, "bits=2", D, FQ_VALUE, 1);
    free(fixture_encode(&f, 96, x, &encoded));
    assert_int_equal(encoded, 64);
    x[2 * 32 * D + 5] = 3e38F; /* a range beyond fp16, and beyond float with the next line */
    x[2 * 32 * D + 6] = -3e38F;
    free(fixture_encode(&f, 96, x, &encoded));
    assert_int_equal(encoded, 64);
    fixture_close(&f);
    free(x);
}

/* Rounding goes to even at halves: levels 0.5 and 1.5 of a group from 0 to 3 become 0 and 2. */
static void halves_go_to_even(void **state) {
    (void)state;
    enum { D = 32 };
    struct fixture f;
    fixture_open(&f, &fq_method_kivi, "bits=2", D, FQ_VALUE, 1);
    float x[D] = {0, 3, 0.5F, 1.5F, 2.5F}, xhat[D];
    fixture_roundtrip(&f, 1, x, xhat);
    assert_true(xhat[0] == 0 && xhat[1] == 3 && xhat[2] == 0 && xhat[3] == 2 && xhat[4] == 2);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distortion_is_as_published),
        cmocka_unit_test(channel_structure_is_what_it_is_for),
        cmocka_unit_test(score_and_attend_follow_decode),
        cmocka_unit_test(footprint_counts_scale_and_minimum),
        cmocka_unit_test(refusals_say_what_is_wrong),
        cmocka_unit_test(worst_cases_are_defined),
        cmocka_unit_test(unresolved_range_decodes_to_its_middle),
        cmocka_unit_test(overflow_names_the_group),
        cmocka_unit_test(halves_go_to_even),
    };
    return cmocka_run_group_tests_name("kivi", tests, NULL, NULL);
}
