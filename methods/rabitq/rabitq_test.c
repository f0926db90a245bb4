/* RaBitQ: known answers, the exact search against the plain sweep, distortion against methods.md, worst cases. */
#include "methods/rabitq/rabitq.h"
#include "tests/support/method_fixture.h"

extern const struct fq_method fq_method_rabitq;

static void known_answers_match(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_rabitq, 19);
}

/* ---- search --------------------------------------------------------------------------------------------------------
 */

struct critical {
    double t;
    size_t i;
};

static int by_t(const void *a, const void *b) {
    const double x = ((const struct critical *)a)->t, y = ((const struct critical *)b)->t;
    return (x > y) - (x < y);
}

static double cosine_at(int bits, size_t d, const double *a, const double *inverse, double t) {
    double dot = 0, square = 0, norm2 = 0;
    for (size_t i = 0; i < d; i++) {
        const double g = rabitq_extended_code(bits, a[i], inverse[i], t) + 0.5;
        dot += g * a[i];
        square += g * g;
        norm2 += a[i] * a[i];
    }
    return dot / sqrt(square * norm2);
}

/* The paper's sweep as it is written: sort all critical values, score after each, keep the best. */
static double plain_sweep(int bits, size_t d, const double *a, const double *inverse) {
    const size_t top = ((size_t)1 << (bits - 1)) - 1;
    struct critical *events = malloc((top * d + 1) * sizeof *events);
    assert_non_null(events);
    size_t n = 0;
    for (size_t i = 0; i < d; i++)
        for (size_t k = 1; k <= top && a[i] > 0; k++)
            events[n++] = (struct critical){(double)k * inverse[i], i};
    qsort(events, n, sizeof *events, by_t);
    double numerator = 0, square = 0.25 * (double)d, norm2 = 0;
    unsigned *e = calloc(d, sizeof *e);
    assert_non_null(e);
    for (size_t i = 0; i < d; i++) {
        numerator += 0.5 * a[i];
        norm2 += a[i] * a[i];
    }
    double best = numerator * numerator / square;
    for (size_t j = 0; j < n; j++) {
        numerator += a[events[j].i];
        square += 2.0 * ++e[events[j].i];
        if ((j + 1 == n || events[j + 1].t > events[j].t) && numerator * numerator / square > best)
            best = numerator * numerator / square;
    }
    free(events);
    free(e);
    return sqrt(best / norm2);
}

/* Directions that are hard for a search that skips: Gaussian, heavy tails, one outlier, all equal, nearly equal,
 * sparse, zeros, a geometric ladder. */
enum { SHAPES = 8 };
static void make_direction(int shape, size_t d, const float *g, double *a, double *inverse) {
    double norm2 = 0;
    for (size_t i = 0; i < d; i++) {
        const double v = fabs((double)g[i]);
        switch (shape) {
        case 0:
            a[i] = v;
            break;
        case 1:
            a[i] = exp(2 * (double)g[i]);
            break;
        case 2:
            a[i] = i == 0 ? 100 : v;
            break;
        case 3:
            a[i] = 1;
            break;
        case 4:
            a[i] = 1 + 1e-6 * v;
            break;
        case 5:
            a[i] = i % 7 == 0 ? v : 0;
            break;
        case 6:
            a[i] = i == d / 2 ? 1 : 0;
            break;
        default:
            a[i] = pow(0.7, (double)i);
        }
        norm2 += a[i] * a[i];
    }
    for (size_t i = 0; i < d; i++) {
        a[i] /= sqrt(norm2);
        inverse[i] = a[i] > 0 ? 1 / a[i] : 0;
    }
}

static void exact_search_is_the_plain_sweep(void **state) {
    (void)state;
    static const size_t dims[] = {1, 2, 5, 32, 100, 128, 300};
    double a[300], inverse[300];
    for (size_t n = 0; n < sizeof dims / sizeof dims[0]; n++) {
        const size_t d = dims[n];
        for (int bits = 2; bits <= 8; bits++) {
            void *scratch = fixture_alloc(rabitq_search_bytes(bits, d));
            for (int shape = 0; shape < SHAPES; shape++)
                for (uint64_t seed = 0; seed < 3; seed++) {
                    float *g = fixture_gaussian(1, d, 100 + seed);
                    make_direction(shape, d, g, a, inverse);
                    const double t = rabitq_search_exact(bits, d, a, inverse, scratch);
                    const double reached = cosine_at(bits, d, a, inverse, t);
                    const double best = plain_sweep(bits, d, a, inverse);
                    if (!(fabs(reached - best) <= 1e-12))
                        fail_msg("d %zu bits %d shape %d: cosine %.15g at t %.9g, sweep %.15g", d, bits, shape, reached,
                                 t, best);
                    free(g);
                }
            free(scratch);
        }
    }
}

static void fast_never_beats_exact(void **state) {
    (void)state;
    enum { D = 128 };
    double a[D], inverse[D];
    void *scratch = fixture_alloc(rabitq_search_bytes(8, D));
    double gain = 0;
    for (int bits = 2; bits <= 8; bits++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            float *g = fixture_gaussian(1, D, 300 + seed);
            make_direction(0, D, g, a, inverse);
            const double exact = cosine_at(bits, D, a, inverse, rabitq_search_exact(bits, D, a, inverse, scratch));
            const double fast = cosine_at(bits, D, a, inverse, sqrt(D) / rabitq_step(bits));
            assert_true(exact >= fast - 1e-15);
            gain += exact - fast;
            free(g);
        }
    assert_true(gain > 0);
    free(scratch);
}

/* ---- codec ---------------------------------------------------------------------------------------------------------
 */

static void distortion(const char *params, size_t dim, double expected) {
    enum { N = 1500 };
    struct fixture f;
    fixture_open(&f, &fq_method_rabitq, params, dim, FQ_KEY, 1);
    float *x = fixture_gaussian(N, dim, 5), *xhat = malloc(N * dim * sizeof *xhat);
    assert_non_null(xhat);
    fixture_roundtrip(&f, N, x, xhat);
    const double mse = fixture_mse(N, dim, x, xhat, true);
    if (!(fabs(mse / expected - 1) < 0.03))
        fail_msg("%s d=%zu: relative MSE %.6g, expected %.6g", params, dim, mse, expected);
    free(x);
    free(xhat);
    fixture_close(&f);
}

static void distortion_is_as_predicted(void **state) {
    (void)state;
    distortion("bits=1 rotation=none", 128, 0.56751);
    distortion("bits=1 rotation=none scale=mse", 64, 0.35758);
    distortion("bits=2 rotation=none", 64, 0.12788);
    distortion("bits=3 rotation=none scale=mse", 128, 0.03505);
    distortion("bits=4 rotation=none", 128, 0.00998);
    distortion("bits=4 rotation=rht", 128, 0.00998);
    distortion("bits=4 rotation=none", 32, 0.00724);
    distortion("bits=4 rotation=none search=fast", 128, 0.01122);
    distortion("bits=8 rotation=none", 64, 2.96e-5);
    distortion("bits=6 rotation=none search=fast", 128, 9.84e-4);
}

static void score_and_attend_follow_decode(void **state) {
    (void)state;
    static const char *const params[] = {"bits=1",
                                         "bits=2 rotation=rht rounds=3",
                                         "bits=3 scale=mse",
                                         "bits=4 rotation=none",
                                         "bits=5 search=fast scale=matched",
                                         "bits=8 scalar=fp32"};
    static const size_t dims[] = {64, 100, 7};
    for (size_t p = 0; p < sizeof params / sizeof params[0]; p++)
        for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
            struct fixture f;
            fixture_open(&f, &fq_method_rabitq, params[p], dims[d], FQ_VALUE, 3);
            float *x = fixture_gaussian(9, dims[d], 21);
            fixture_linear(&f, 9, x, 2e-6);
            free(x);
            fixture_close(&f);
        }
}

/* The estimator returns ||x||^2 exactly for q = x, whatever the code (methods.md 1.1). */
static void self_inner_product_is_exact(void **state) {
    (void)state;
    enum { D = 64, N = 8 };
    for (int bits = 1; bits <= 8; bits++) {
        char params[64];
        snprintf(params, sizeof params, "bits=%d scalar=fp32 search=%s", bits, bits % 2 ? "exact" : "fast");
        struct fixture f;
        fixture_open(&f, &fq_method_rabitq, params, D, FQ_KEY, 11);
        float *x = fixture_gaussian(N, D, 31), scores[N];
        uint8_t *records = fixture_encode(&f, N, x, NULL);
        for (size_t v = 0; v < N; v++) {
            fixture_scores(&f, x + v * D, N, records, scores);
            const double norm2 = fixture_dot(D, x + v * D, x + v * D);
            assert_true(fabs((double)scores[v] / norm2 - 1) < 1e-5);
        }
        free(records);
        free(x);
        fixture_close(&f);
    }
}

static void codes_do_not_depend_on_length(void **state) {
    (void)state;
    enum { D = 100 };
    struct fixture f;
    fixture_open(&f, &fq_method_rabitq, "bits=4 rotation=none", D, FQ_KEY, 1);
    float *x = fixture_gaussian(2, D, 41);
    for (size_t i = 0; i < D; i++)
        x[D + i] = 0.125F * x[i];
    uint8_t *records = fixture_encode(&f, 2, x, NULL);
    assert_memory_equal(records, records + f.footprint.record_bytes, fq_packed_bytes(4, D));
    free(records);
    free(x);
    fixture_close(&f);
}

static void worst_cases_are_defined(void **state) {
    (void)state;
    enum { D = 64, CASES = 5 };
    for (int bits = 1; bits <= 8; bits++) {
        char params[64];
        snprintf(params, sizeof params, "bits=%d rotation=none scalar=fp32 scale=mse", bits);
        struct fixture f;
        fixture_open(&f, &fq_method_rabitq, params, D, FQ_KEY, 1);
        float x[CASES * D] = {0}, xhat[CASES * D];
        x[D + 5] = -3; /* 0: zero, 1: one-hot */
        for (size_t i = 0; i < D; i++) {
            x[2 * D + i] = 0.7F;                   /* constant */
            x[3 * D + i] = i % 2 ? 3e33F : -2e33F; /* huge */
            x[4 * D + i] = i % 3 ? 1e-30F : -0.0F; /* tiny, with negative zeros */
        }
        fixture_roundtrip(&f, CASES, x, xhat);
        for (size_t i = 0; i < CASES * D; i++)
            assert_true(isfinite(xhat[i]));
        for (size_t i = 0; i < D; i++)
            assert_true(xhat[i] == 0);
        for (size_t i = 0; i < D; i++)
            assert_true(fabs((double)xhat[2 * D + i] - 0.7) < 1e-6);
        /* No least-squares codeword can be longer than the vector, nor farther from it than the origin. */
        for (size_t v = 1; v < CASES; v++)
            assert_true(fixture_mse(1, D, x + v * D, xhat + v * D, true) <= 1);
        fixture_close(&f);
    }
}

/* The paper's s_i = r_i > 0: a coordinate that is exactly zero, of either sign, has the lower of the two innermost
 * codes. It adds nothing to <r, g>, so that no estimate could tell; the bytes do. */
static void zero_counts_as_negative(void **state) {
    (void)state;
    enum { D = 16 };
    for (int bits = 1; bits <= 8; bits++) {
        char params[64];
        snprintf(params, sizeof params, "bits=%d rotation=none search=%s", bits, bits % 2 ? "exact" : "fast");
        struct fixture f;
        fixture_open(&f, &fq_method_rabitq, params, D, FQ_KEY, 1);
        float x[D] = {0};
        for (size_t i = 0; i < D; i++)
            x[i] = i % 4 == 0 ? 0.0F : i % 4 == 1 ? -0.0F : i % 4 == 2 ? 0.75F : -1.0F;
        uint8_t code[D], *record = fixture_encode(&f, 1, x, NULL);
        const unsigned half = 1U << (bits - 1);
        fq_unpack(bits, D, record, code);
        for (size_t i = 0; i < D; i++) {
            if (i % 4 < 2)
                assert_int_equal(code[i], half - 1);
            else
                assert_int_equal(code[i] >= half, i % 4 == 2);
        }
        free(record);
        fixture_close(&f);
    }
}

static void overflow_names_the_vector(void **state) {
    (void)state;
    enum { D = 32, N = 4 };
    struct fixture f;
    fixture_open(&f, &fq_method_rabitq, "bits=4 rotation=none", D, FQ_KEY, 1);
    float *x = fixture_gaussian(N, D, 51);
    for (size_t i = 0; i < D; i++)
        x[2 * D + i] *= 1e6F;
    size_t encoded;
    free(fixture_encode(&f, N, x, &encoded));
    assert_int_equal(encoded, 2);
    fixture_close(&f);
    fixture_open(&f, &fq_method_rabitq, "bits=4 rotation=none scalar=fp32", D, FQ_KEY, 1);
    free(fixture_encode(&f, N, x, &encoded));
    assert_int_equal(encoded, N);
    x[D] = INFINITY; /* as a rotation that overflowed would leave it */
    free(fixture_encode(&f, N, x, &encoded));
    assert_int_equal(encoded, 1);
    free(x);
    fixture_close(&f);
}

static void footprint_is_codes_and_one_scalar(void **state) {
    (void)state;
    const struct fq_shape shape = {.dim = 128, .tensor = FQ_KEY}, odd = {.dim = 96, .tensor = FQ_KEY};
    struct fq_params p = fixture_params(&fq_method_rabitq, "bits=3");
    struct fq_footprint fp = fq_method_rabitq.footprint(&p, &shape);
    assert_int_equal(fp.record_bytes, 3 * 128 / 8 + 2);
    assert_int_equal(fp.side_bytes, 2);
    p = fixture_params(&fq_method_rabitq, "bits=3 rotation=rht scalar=fp32");
    fp = fq_method_rabitq.footprint(&p, &odd); /* padded to 128, and counted */
    assert_int_equal(fp.work_dim, 128);
    assert_int_equal(fp.record_bytes, 3 * 128 / 8 + 4);
    p = fixture_params(&fq_method_rabitq, "rotation=block-64");
    char why[128];
    assert_int_equal(fq_method_rabitq.check(&p, &odd, why, sizeof why), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_match),
        cmocka_unit_test(exact_search_is_the_plain_sweep),
        cmocka_unit_test(fast_never_beats_exact),
        cmocka_unit_test(distortion_is_as_predicted),
        cmocka_unit_test(score_and_attend_follow_decode),
        cmocka_unit_test(self_inner_product_is_exact),
        cmocka_unit_test(codes_do_not_depend_on_length),
        cmocka_unit_test(worst_cases_are_defined),
        cmocka_unit_test(zero_counts_as_negative),
        cmocka_unit_test(overflow_names_the_vector),
        cmocka_unit_test(footprint_is_codes_and_one_scalar),
    };
    return cmocka_run_group_tests_name("rabitq", tests, NULL, NULL);
}
