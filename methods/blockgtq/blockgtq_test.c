/* Block-GTQ: widths by hand, the gates, what allocation gains on uneven energies, what one norm instead of several
 * costs, the linear contract, worst cases. */
#include "methods/blockgtq/blockgtq.h"
#include "methods/common/lloyd_max.h"
#include "tests/support/method_gates.h"

extern const struct fq_method fq_method_blockgtq;

static void known_answers_match(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_blockgtq, 8);
}

static void gates_pass(void **state) {
    (void)state;
    assert_int_equal(gates_misses(&fq_method_blockgtq, 0, true), 0);
}

enum { N = 600, D = 64 };

/* Energies of blocks (i, i + d/2) fall by a factor of 1.41 from rank to rank; neighbours have very different ranks. */
enum { BLOCKS = D / 2, STRIDE = 13, BACK = 5 }; /* 13 * 5 = 1 modulo 32 */
static size_t rank_of(size_t block) {
    return block * STRIDE % BLOCKS;
}
static size_t block_of(size_t rank) {
    return rank * BACK % BLOCKS;
}

static float *uneven(size_t n, uint64_t seed) {
    float *x = fixture_gaussian(n, D, seed);
    for (size_t v = 0; v < n; v++)
        for (size_t i = 0; i < D; i++)
            x[v * D + i] *= (float)pow(2, -(double)rank_of(i % BLOCKS) / 4);
    return x;
}

static double error_of(const char *params, struct fixture *f) {
    float *x = uneven(N, 12), *taught = uneven(2 * N, 13), *xhat = gates_floats((size_t)N * D);
    fixture_open(f, &fq_method_blockgtq, params, D, FQ_KEY, 1);
    fixture_train(f, 2 * N, taught, 1);
    fixture_roundtrip(f, N, x, xhat);
    const double mse = fixture_mse(N, D, x, xhat, false);
    free(x);
    free(taught);
    free(xhat);
    return mse;
}

static void widths_follow_energy_and_pay(void **state) {
    (void)state;
    struct fixture f;
    const double flat = error_of("avg_bits=2 groups=1", &f);
    fixture_close(&f);
    const double allotted = error_of("avg_bits=2 groups=8", &f);
    const struct gtq_layout l = gtq_layout_of(&f.params, &f.call.shape);
    const uint8_t *width = gtq_widths(&l, f.shared);
    size_t sum = 0;
    for (size_t r = 0; r < l.blocks; r++) {
        const size_t w = width[block_of(r)];
        sum += w;
        assert_true(w >= 1 && w <= 8);
        assert_true(r < 2 || w <= width[block_of(r - 2)]); /* a training set may turn neighbours */
    }
    assert_int_equal(sum, 2 * BLOCKS);
    assert_true(width[block_of(0)] > 3 && width[block_of(BLOCKS - 1)] == 1);
    fixture_close(&f);
    assert_true(allotted < 0.4 * flat);
    const double four = error_of("avg_bits=2 groups=4", &f);
    fixture_close(&f);
    assert_true(four < 1.25 * allotted);
    /* Of the wrong pairs the energies are mixed, and the gain is smaller. */
    assert_true(error_of("avg_bits=2 groups=8 pairing=adjacent", &f) > 1.2 * allotted);
    fixture_close(&f);
}

/* With energies that do not change from vector to vector one norm does nearly what several do, for less. */
static void one_norm_is_cheaper(void **state) {
    (void)state;
    struct fixture f;
    const double several = error_of("avg_bits=3 groups=4", &f);
    assert_int_equal(f.footprint.record_bytes, 3 * D / 8 + 4 * 2);
    fixture_close(&f);
    const double one = error_of("avg_bits=3 groups=4 norms=vector", &f);
    assert_int_equal(f.footprint.record_bytes, 3 * D / 8 + 2);
    fixture_close(&f);
    if (getenv("FQ_TEST_PRINT"))
        print_message("norms=group %.5g, norms=vector %.5g\n", several, one);
    assert_true(one < 1.6 * several);
}

/* Brute force over all allocations of a small case: greedy is optimal, the gains being decreasing. */
static void greedy_is_optimal(void **state) {
    (void)state;
    static const double energy[3] = {5, 1.3, 0.2};
    for (size_t budget = 3; budget <= 15; budget++) {
        uint8_t width[3];
        double best = INFINITY;
        const double found = gtq_allocate(GTQ_LLOYD_MAX, 3, energy, 1, 5, budget, width);
        for (int a = 1; a <= 5; a++)
            for (int b = 1; b <= 5; b++) {
                const int c = (int)budget - a - b;
                if (c >= 1 && c <= 5)
                    best = fmin(best, energy[0] * fq_lloyd_max_distortion(a) + energy[1] * fq_lloyd_max_distortion(b) +
                                          energy[2] * fq_lloyd_max_distortion(c));
            }
        assert_true(fabs(found - best) < 1e-12);
        assert_int_equal((size_t)width[0] + width[1] + width[2], budget);
    }
}

static void score_and_attend_follow_decode(void **state) {
    (void)state;
    static const char *const params[] = {"avg_bits=2.3 groups=8", "avg_bits=1 rotation=none groups=1",
                                         "avg_bits=3.7 groups=3 norms=vector pairing=adjacent gain=lloyd-max",
                                         "avg_bits=8"};
    for (size_t p = 0; p < sizeof params / sizeof params[0]; p++) {
        struct fixture f;
        float *x = fixture_gaussian(9, D, 5), *taught = uneven(300, 6);
        fixture_open(&f, &fq_method_blockgtq, params[p], D, FQ_VALUE, 2);
        fixture_train(&f, 300, taught, 2);
        fixture_linear(&f, 9, x, 5e-6);
        free(x);
        free(taught);
        fixture_close(&f);
    }
}

static void worst_cases_are_defined(void **state) {
    (void)state;
    static const char *const params[] = {"", "norms=vector avg_bits=2.5"};
    for (size_t p = 0; p < 2; p++) {
        struct fixture f;
        size_t encoded;
        float *x = gates_hard_cases(D), *taught = uneven(300, 6), *xhat = gates_floats((size_t)GATE_HARD_CASES * D);
        fixture_open(&f, &fq_method_blockgtq, params[p], D, FQ_KEY, 2);
        fixture_train(&f, 300, taught, 2);
        fixture_roundtrip(&f, GATE_HARD_CASES, x, xhat);
        gates_assert_finite((size_t)GATE_HARD_CASES * D, xhat);
        for (size_t i = 0; i < D; i++)
            assert_true(xhat[i] == 0);
        memset(taught, 0, (size_t)300 * D * sizeof *taught); /* nothing to learn from: no energy anywhere */
        fixture_train(&f, 300, taught, 2);
        fixture_roundtrip(&f, GATE_HARD_CASES, x, xhat);
        gates_assert_finite((size_t)GATE_HARD_CASES * D, xhat);
        for (size_t i = 0; i < D; i++)
            x[2 * D + i] = 1e6F;
        fixture_train(&f, GATE_HARD_CASES, x, 2);
        free(fixture_encode(&f, GATE_HARD_CASES, x, &encoded));
        assert_int_equal(encoded, 2);
        free(x);
        free(taught);
        free(xhat);
        fixture_close(&f);
    }
}

static void combinations_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *params, *word;
        size_t dim;
    } rows[] = {{"", "even dimension, found 63", 63}, {"groups=1 avg_bits=2.5", "must be whole, found 2.5", 64}};
    for (size_t r = 0; r < 2; r++) {
        char why[200] = "";
        const struct fq_params p = fixture_params(&fq_method_blockgtq, rows[r].params);
        const struct fq_shape shape = {.dim = rows[r].dim, .tensor = FQ_KEY};
        assert_int_equal(fq_method_blockgtq.check(&p, &shape, why, sizeof why), -1);
        assert_non_null(strstr(why, rows[r].word));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_match),
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(widths_follow_energy_and_pay),
        cmocka_unit_test(one_norm_is_cheaper),
        cmocka_unit_test(greedy_is_optimal),
        cmocka_unit_test(score_and_attend_follow_decode),
        cmocka_unit_test(worst_cases_are_defined),
        cmocka_unit_test(combinations_are_refused),
    };
    return cmocka_run_group_tests_name("blockgtq", tests, NULL, NULL);
}
