/* polarquant: gates, codebooks against their definition, worst cases, bytes, and the transform undone by itself. */
#include "tests/support/method_gates.h"

#include "methods/polarquant/polarquant.h"

extern const struct fq_method fq_method_polarquant;

static void gates_pass(void **state) {
    (void)state;
    assert_int_equal(gates_misses(&fq_method_polarquant, 0.01, true), 0);
}

static void known_answers_pass(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_polarquant, 12);
}

static void worst_cases_hold(void **state) {
    (void)state;
    static const size_t dims[] = {64, 80, 96, 128};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        gates_worst_cases(&fq_method_polarquant, "", dims[i]);
        gates_worst_cases(&fq_method_polarquant, "rotation=none first_bits=8 upper_bits=4 scalar=fp32", dims[i]);
        gates_worst_cases(&fq_method_polarquant, "rotation=rht first_bits=1 upper_bits=1", dims[i]);
        gates_worst_cases(&fq_method_polarquant, "rotation=fht-kac first_bits=3 upper_bits=3", dims[i]);
        gates_overflow_is_named(&fq_method_polarquant, "", dims[i]);
        gates_scale_equivariant(&fq_method_polarquant, "scalar=fp32", dims[i]);
    }
    struct fixture f;
    float *x = fixture_gaussian(20, 96, 3);
    fixture_open(&f, &fq_method_polarquant, "", 96, FQ_KEY, 3);
    fixture_linear(&f, 20, x, 1e-5);
    fixture_close(&f);
    free(x);
}

/* Mass and moment of cells by Simpson's rule on sin^n, which the closed forms of codebook.c do not use. */
static double integral(int n, double low, double high, bool moment) {
    enum { STEPS = 2000 };
    double sum = 0;
    for (int i = 0; i <= STEPS; i++) {
        const double psi = low + (high - low) * i / STEPS;
        const double f = pow(sin(2 * psi), n) * (moment ? psi : 1);
        sum += f * (i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2);
    }
    return sum * (high - low) / (3 * STEPS);
}

static void codebooks_are_lloyds(void **state) {
    (void)state;
    static const int power[] = {1, 3, 7};
    for (int u = 0; u < POLAR_UPPER; u++)
        for (int bits = 1; bits <= POLAR_MAX_UPPER; bits++) {
            double angle[POLAR_UPPER_CELLS], bound[POLAR_UPPER_CELLS];
            const size_t n = (size_t)1 << bits;
            polar_codebook(u + 2, bits, angle, bound);
            for (size_t k = 0; k < n; k++) {
                const double low = k ? bound[k - 1] : 0, high = k + 1 < n ? bound[k] : acos(-1.0) / 2;
                const double centroid = integral(power[u], low, high, true) / integral(power[u], low, high, false);
                assert_true(fabs(centroid - angle[k]) < 1e-9);
                assert_true(low < angle[k] && angle[k] < high);
                assert_true(fabs(angle[k] + angle[n - 1 - k] - acos(-1.0) / 2) < 1e-12);
            }
        }
}

static void footprints_follow_the_formula(void **state) {
    (void)state;
    struct fq_shape shape = {.dim = 128, .tensor = FQ_KEY};
    struct fq_params params = fixture_params(&fq_method_polarquant, "");
    struct fq_footprint fp = fq_method_polarquant.footprint(&params, &shape);
    assert_int_equal(fp.record_bytes, 62); /* 3.875 bits */
    assert_int_equal(fp.side_bytes, 16);
    params = fixture_params(&fq_method_polarquant, "rotation=rht");
    shape.dim = 80; /* padded to 128, and counted */
    assert_int_equal(fq_method_polarquant.footprint(&params, &shape).record_bytes, 62);
    params = fixture_params(&fq_method_polarquant, "first_bits=5 upper_bits=3 scalar=fp32");
    assert_int_equal(fq_method_polarquant.footprint(&params, &shape).record_bytes, 25 + 14 + 20);
}

static void odd_dimensions_are_refused_or_padded(void **state) {
    (void)state;
    char why[240] = "";
    const struct fq_shape shape = {.dim = 200, .tensor = FQ_KEY};
    struct fq_params params = fixture_params(&fq_method_polarquant, "");
    assert_int_equal(fq_method_polarquant.check(&params, &shape, why, sizeof why), -1);
    assert_non_null(strstr(why, "leaves 8 over"));
    params = fixture_params(&fq_method_polarquant, "rotation=fht-kac");
    assert_int_equal(fq_method_polarquant.check(&params, &shape, why, sizeof why), 0);
}

/* With many bits the transform undoes itself; and it is no rotated Lloyd-Max code: the radius of every block survives.
 */
static void radii_survive(void **state) {
    (void)state;
    enum { D = 96 };
    struct fixture f;
    float *x = fixture_gaussian(10, D, 2), xhat[10 * D];
    fixture_open(&f, &fq_method_polarquant, "rotation=none first_bits=8 upper_bits=4 scalar=fp32", D, FQ_KEY, 2);
    fixture_roundtrip(&f, 10, x, xhat);
    assert_true(fixture_mse(10, D, x, xhat, true) < 0.003);
    fixture_close(&f);
    fixture_open(&f, &fq_method_polarquant, "rotation=none scalar=fp32", D, FQ_KEY, 2);
    fixture_roundtrip(&f, 10, x, xhat);
    for (size_t b = 0; b < sizeof xhat / sizeof xhat[0]; b += POLAR_BLOCK) {
        const double before = fixture_dot(POLAR_BLOCK, x + b, x + b);
        assert_true(fabs(fixture_dot(POLAR_BLOCK, xhat + b, xhat + b) - before) < 1e-5 * before);
    }
    free(x);
    fixture_close(&f);
}

static void what_overflowed_is_refused(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, &fq_method_polarquant, "rotation=none scalar=fp32", 64, FQ_KEY, 1);
    fixture_refuses_no_number(&f, 64);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(known_answers_pass),
        cmocka_unit_test(worst_cases_hold),
        cmocka_unit_test(codebooks_are_lloyds),
        cmocka_unit_test(footprints_follow_the_formula),
        cmocka_unit_test(odd_dimensions_are_refused_or_padded),
        cmocka_unit_test(radii_survive),
        cmocka_unit_test(what_overflowed_is_refused),
    };
    return cmocka_run_group_tests_name("polarquant", tests, NULL, NULL);
}
