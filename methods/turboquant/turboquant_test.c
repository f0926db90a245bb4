/* turboquant-mse and turboquant-prod: gates, known answers, worst cases, and the mistakes of methods.md, section 12. */
#include "tests/support/method_gates.h"

#include "methods/common/lloyd_max.h"
#include "methods/turboquant/turboquant_prod.h"

extern const struct fq_method fq_method_turboquant_mse, fq_method_turboquant_prod;

static void gates_pass(void **state) {
    (void)state;
    assert_int_equal(gates_misses(&fq_method_turboquant_mse, 0.01, true), 0);
    assert_int_equal(gates_misses(&fq_method_turboquant_prod, 0.02, true), 0);
}

static void known_answers_pass(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_turboquant_mse, 48);
    fixture_known_answers(&fq_method_turboquant_prod, 8);
}

static void worst_cases_hold(void **state) {
    (void)state;
    static const size_t dims[] = {64, 80, 96, 128};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        gates_worst_cases(&fq_method_turboquant_mse, "bits=3", dims[i]);
        gates_worst_cases(&fq_method_turboquant_mse, "bits=1 scale=unbiased rotation=none", dims[i]);
        gates_worst_cases(&fq_method_turboquant_mse, "bits=8 scale=mse rotation=rht codebook=sphere", dims[i]);
        gates_worst_cases(&fq_method_turboquant_mse, "bits=5 scale=matched rotation=fht-kac scalar=fp32", dims[i]);
        gates_worst_cases(&fq_method_turboquant_prod, "bits=1", dims[i]);
        gates_worst_cases(&fq_method_turboquant_prod, "bits=3 sketch=orthogonal rotation=rht", dims[i]);
        gates_worst_cases(&fq_method_turboquant_prod, "bits=8 residual=constant rotation=none", dims[i]);
        gates_overflow_is_named(&fq_method_turboquant_mse, "bits=2", dims[i]);
        gates_overflow_is_named(&fq_method_turboquant_prod, "bits=2", dims[i]);
        gates_scale_equivariant(&fq_method_turboquant_mse, "bits=4 scalar=fp32", dims[i]);
        gates_scale_equivariant(&fq_method_turboquant_mse, "bits=2 scalar=fp32 rotation=rht scale=unbiased", dims[i]);
        gates_scale_equivariant(&fq_method_turboquant_prod, "bits=3 scalar=fp32", dims[i]);
    }
}

/* <q, decode> is score, and attend the weighted sum, on ordinary vectors. */
static void estimators_are_linear(void **state) {
    (void)state;
    static const char *const rows[] = {"bits=1", "bits=4 rotation=rht", "bits=8 scalar=fp32"};
    for (size_t i = 0; i < 3; i++)
        for (size_t dim = 64; dim <= 96; dim += 16) {
            struct fixture f;
            float *x = fixture_gaussian(20, dim, 3);
            fixture_open(&f, &fq_method_turboquant_mse, rows[i], dim, FQ_KEY, 3);
            fixture_linear(&f, 20, x, 1e-5);
            fixture_close(&f);
            fixture_open(&f, &fq_method_turboquant_prod, rows[i], dim, FQ_KEY, 3);
            fixture_linear(&f, 20, x, 1e-5);
            fixture_close(&f);
            free(x);
        }
}

/* Every byte is accounted for: the records' length against the bits formula, for every width. */
static void footprints_follow_the_formula(void **state) {
    (void)state;
    for (int bits = 1; bits <= 8; bits++) {
        char text[96];
        const struct fq_shape shape = {.dim = 96, .tensor = FQ_KEY};
        snprintf(text, sizeof text, "bits=%d", bits);
        struct fq_params params = fixture_params(&fq_method_turboquant_mse, text);
        struct fq_footprint fp = fq_method_turboquant_mse.footprint(&params, &shape);
        assert_int_equal(fp.record_bytes, bits * 12 + 2);
        assert_int_equal(fp.side_bytes, 2);
        snprintf(text, sizeof text, "bits=%d rotation=rht scalar=fp32", bits);
        params = fixture_params(&fq_method_turboquant_mse, text);
        fp = fq_method_turboquant_mse.footprint(&params, &shape);
        assert_int_equal(fp.record_bytes, bits * 16 + 4); /* padded to 128, and counted */
        assert_int_equal(fp.work_dim, 128);
        snprintf(text, sizeof text, "bits=%d", bits);
        params = fixture_params(&fq_method_turboquant_prod, text);
        fp = fq_method_turboquant_prod.footprint(&params, &shape);
        assert_int_equal(fp.record_bytes, bits * 12 + (bits == 1 ? 2 : 4));
        snprintf(text, sizeof text, "bits=%d residual=constant", bits);
        params = fixture_params(&fq_method_turboquant_prod, text);
        fp = fq_method_turboquant_prod.footprint(&params, &shape);
        assert_int_equal(fp.record_bytes, bits * 12 + 2);
    }
}

/* 12.1, 8.6: vectors that are the rows of the rotation's own Gaussian matrix are quantized many times worse; with the
 * named streams, equal seeds do no harm. */
static void a_shared_stream_would_be_seen(void **state) {
    (void)state;
    enum { D = 128 };
    const struct fq_gate honest = {"bits=4 scale=raw", D, FQ_GATE_MSE, 0, 0, ""};
    assert_true(gates_measure(&fq_method_turboquant_mse, &honest) < 0.0097);

    struct fixture f;
    fixture_open(&f, &fq_method_turboquant_mse, "bits=4 scale=raw", D, FQ_KEY, 1);
    static float x[D * D], xhat[D * D];
    double row[D];
    for (size_t v = 0; v < D; v++) {
        fq_random_gaussian(fq_streams_for(1).rotation, v * D, D, row); /* the trap, on purpose */
        for (size_t i = 0; i < D; i++)
            x[v * D + i] = (float)row[i];
    }
    /* The stored matrix has these vectors, orthogonalised, as its columns; R^T turns them back onto the axes. */
    const void *rotation = fq_scalar_code_rotation_state(f.shared);
    static float turned[D * D];
    fq_rotation_invert(FQ_ROTATION_HAAR, 1, D, rotation, D, x, turned);
    double top = 0;
    for (size_t v = 0; v < D; v++) {
        double largest = 0;
        for (size_t i = 0; i < D; i++)
            largest = fmax(largest, fabs((double)turned[v * D + i]));
        top += largest / sqrt(fixture_dot(D, x + v * D, x + v * D)) / D;
    }
    assert_true(top > 0.4); /* an independent vector: about 0.24 */
    fixture_close(&f);
    fixture_open(&f, &fq_method_turboquant_mse, "bits=4 scale=raw rotation=none", D, FQ_KEY, 1);
    fixture_roundtrip(&f, D, turned, xhat);
    assert_true(fixture_mse(D, D, turned, xhat, true) > 0.05);
    fixture_close(&f);
}

/* 12.4: the constants k make <x, x> come out right, for one bit (QJL alone) and with a first stage. */
static void the_sketch_constants_are_right(void **state) {
    (void)state;
    static const struct {
        const char *params;
        double tolerance; /* what one fixed Gaussian matrix may be off by, more at one bit */
    } rows[] = {{"bits=1 sketch=orthogonal", 0.002},
                {"bits=1 sketch=gaussian", 0.015},
                {"bits=2 sketch=orthogonal", 0.002},
                {"bits=2 sketch=gaussian", 0.01}};
    static const size_t dims[] = {64, 80, 128};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
        for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
            const struct fq_gate gate = {rows[r].params, dims[i], FQ_GATE_SELF_IP, 1, 0, ""};
            const double measured = gates_measure(&fq_method_turboquant_prod, &gate);
            if (!(fabs(measured - 1) < rows[r].tolerance))
                fail_msg("%s d=%zu: self inner product %.6f", rows[r].params, dims[i], measured);
        }
}

/* 12.5: sign(0) is +1. */
static void sign_of_zero_is_plus(void **state) {
    (void)state;
    struct fixture f;
    float x[64] = {0};
    fixture_open(&f, &fq_method_turboquant_prod, "bits=1", 64, FQ_KEY, 3);
    uint8_t *records = fixture_encode(&f, 1, x, NULL);
    for (size_t j = 0; j < 8; j++)
        assert_int_equal(records[j], 0xff);
    free(records);
    fixture_close(&f);
}

/* codebook=sphere of the first stage is turboquant-mse's at one bit less, in the bytes of codebook=gaussian. */
static void the_sphere_codebook_is_the_first_stages(void **state) {
    (void)state;
    enum { D = 16, N = 50 };
    struct fixture mse, sphere, gaussian;
    fixture_open(&mse, &fq_method_turboquant_mse, "bits=4 codebook=sphere scalar=fp32", D, FQ_KEY, 4);
    fixture_open(&sphere, &fq_method_turboquant_prod, "bits=5 codebook=sphere scalar=fp32", D, FQ_KEY, 4);
    fixture_open(&gaussian, &fq_method_turboquant_prod, "bits=5 scalar=fp32", D, FQ_KEY, 4);
    assert_int_equal(sphere.footprint.record_bytes, gaussian.footprint.record_bytes);
    assert_int_equal(sphere.footprint.shared_bytes, gaussian.footprint.shared_bytes);
    float *x = fixture_gaussian(N, D, 4);
    uint8_t *first = fixture_encode(&mse, N, x, NULL), *codes = fixture_encode(&sphere, N, x, NULL),
            *others = fixture_encode(&gaussian, N, x, NULL);
    size_t differing = 0;
    for (size_t v = 0; v < N; v++) {
        const uint8_t *code = codes + v * sphere.footprint.record_bytes;
        assert_memory_equal(code, first + v * mse.footprint.record_bytes, D / 2);
        differing += memcmp(code, others + v * gaussian.footprint.record_bytes, D / 2) != 0;
    }
    assert_true(differing > N / 4);
    free(x);
    free(first);
    free(codes);
    free(others);
    fixture_close(&mse);
    fixture_close(&sphere);
    fixture_close(&gaussian);
    gates_worst_cases(&fq_method_turboquant_prod, "bits=1 codebook=sphere", 64); /* a first stage of no bits */
    gates_worst_cases(&fq_method_turboquant_prod, "bits=8 codebook=sphere residual=constant", 80);
    char why[240];
    const struct fq_shape shape = {.dim = 3, .tensor = FQ_KEY};
    const struct fq_params params = fixture_params(&fq_method_turboquant_prod, "codebook=sphere");
    assert_int_equal(fq_method_turboquant_prod.check(&params, &shape, why, sizeof why), -1);
}

/* 12.6 and 12.7: the stored residual norm is that of the residual which the decoder completes, and the constant is its
 * mean over vectors, not equal to it. */
static void the_residual_is_of_the_first_stage(void **state) {
    (void)state;
    enum { D = 96, N = 200 };
    struct fixture mse, prod;
    fixture_open(&mse, &fq_method_turboquant_mse, "bits=2 scale=raw scalar=fp32", D, FQ_KEY, 4);
    fixture_open(&prod, &fq_method_turboquant_prod, "bits=3 scalar=fp32", D, FQ_KEY, 4);
    float *x = fixture_gaussian(N, D, 4), *xhat = malloc(N * D * sizeof *xhat);
    assert_non_null(xhat);
    fixture_roundtrip(&mse, N, x, xhat);
    uint8_t *records = fixture_encode(&prod, N, x, NULL);
    const struct turboquant_prod layout = turboquant_prod_of(&prod.params, &prod.call.shape);
    double mean_square = 0, spread = 0;
    for (size_t v = 0; v < N; v++) {
        const float *a = x + v * D, *b = xhat + v * D;
        double error = 0;
        for (size_t i = 0; i < D; i++)
            error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        const double expected = sqrt(error / fixture_dot(D, a, a));
        const double stored =
            (double)fq_scalar_get(FQ_SCALAR_FP32, records + v * prod.footprint.record_bytes + layout.residual_at);
        assert_true(fabs(stored - expected) < 1e-5);
        mean_square += stored * stored / N;
        spread = fmax(spread, fabs(stored - layout.constant_residual));
    }
    assert_true(fabs(mean_square - fq_lloyd_max_distortion(2)) < 0.006);
    assert_true(spread > 0.02);
    free(x);
    free(xhat);
    free(records);
    fixture_close(&mse);
    fixture_close(&prod);
}

/* The sketch follows the stream "sketch", the rotation the stream "rotation", and neither moves the other. */
static void sketch_and_rotation_have_streams_of_their_own(void **state) {
    (void)state;
    static const char *const sketches[] = {"bits=2 sketch=gaussian", "bits=2 sketch=orthogonal"};
    for (size_t s = 0; s < 2; s++) {
        const struct fq_shape shape = {.dim = 64, .tensor = FQ_KEY};
        const struct fq_params params = fixture_params(&fq_method_turboquant_prod, sketches[s]);
        const struct turboquant_prod layout = turboquant_prod_of(&params, &shape);
        const size_t bytes = fq_method_turboquant_prod.footprint(&params, &shape).shared_bytes;
        void *work = fixture_alloc(fq_method_turboquant_prod.setup_scratch(&params, &shape));
        uint8_t *a = fixture_alloc(bytes), *b = fixture_alloc(bytes), *c = fixture_alloc(bytes);
        struct fq_streams streams = fq_streams_for(1);
        fq_method_turboquant_prod.setup(&params, &shape, &streams, a, work);
        streams.sketch = fq_streams_for(2).sketch;
        fq_method_turboquant_prod.setup(&params, &shape, &streams, b, work);
        streams = fq_streams_for(1);
        streams.rotation = fq_streams_for(2).rotation;
        fq_method_turboquant_prod.setup(&params, &shape, &streams, c, work);
        assert_memory_equal(a, b, layout.sketch_at);
        assert_memory_not_equal(a + layout.sketch_at, b + layout.sketch_at, bytes - layout.sketch_at);
        assert_memory_not_equal(a, c, layout.sketch_at);
        assert_memory_equal(a + layout.sketch_at, c + layout.sketch_at, bytes - layout.sketch_at);
        free(work);
        free(a);
        free(b);
        free(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(known_answers_pass),
        cmocka_unit_test(worst_cases_hold),
        cmocka_unit_test(estimators_are_linear),
        cmocka_unit_test(footprints_follow_the_formula),
        cmocka_unit_test(a_shared_stream_would_be_seen),
        cmocka_unit_test(the_sketch_constants_are_right),
        cmocka_unit_test(sign_of_zero_is_plus),
        cmocka_unit_test(the_sphere_codebook_is_the_first_stages),
        cmocka_unit_test(the_residual_is_of_the_first_stage),
        cmocka_unit_test(sketch_and_rotation_have_streams_of_their_own),
    };
    return cmocka_run_group_tests_name("turboquant", tests, NULL, NULL);
}
