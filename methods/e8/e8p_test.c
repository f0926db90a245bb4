/* E8P: the code book's structure, exactness of the search, gates, the linear contract, worst cases. */
#include "methods/e8/e8p.h"
#include "tests/support/method_gates.h"

extern const struct fq_method fq_method_e8p;

static void known_answers_match(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_e8p, 19);
}

static void gates_pass(void **state) {
    (void)state;
    assert_int_equal(gates_misses(&fq_method_e8p, 0.005, true), 0);
}

/* Each point less its shift has half-integers of even sum: D8 + 1/2; every_index_comes_back says that no two are equal.
 */
static void code_book_is_the_lattice(void **state) {
    (void)state;
    struct e8p_table table;
    float c[E8P_DIM];
    e8p_fill_table(&table);
    for (unsigned index = 0; index < 1U << 16; index++) {
        e8p_decode(&table, (uint16_t)index, c);
        const double quarters = (double)c[0] * 4; /* 4 v + 1 or 4 v - 1 with 2 v odd: 3 or 1 modulo 4 */
        const double shift = fmod(quarters + 64, 4) == 3 ? 0.25 : -0.25;
        double sum = 0, square = 0;
        for (size_t i = 0; i < E8P_DIM; i++) {
            const double v = (double)c[i] - shift;
            assert_true(v - floor(v) == 0.5);
            sum += v;
            square += v * v;
        }
        assert_true(fmod(sum, 2) == 0);
        assert_true(square <= 10 || (square == 12 && (index >> 8) >= E8P_IN_BALL));
    }
}

/* Coordinates of all code words once, then for random x the least distance by looking at each of them. */
static void search_is_exact(void **state) {
    (void)state;
    enum { N = 60, ALL = 1 << 16 };
    struct e8p_table table;
    float c[E8P_DIM];
    e8p_fill_table(&table);
    float *words = gates_floats((size_t)ALL * E8P_DIM), *x = fixture_gaussian(N, E8P_DIM, 3);
    for (unsigned index = 0; index < ALL; index++)
        e8p_decode(&table, (uint16_t)index, words + (size_t)index * E8P_DIM);
    for (size_t v = 0; v < N; v++) {
        double least = INFINITY, found = 0;
        for (size_t i = 0; v % 10 == 0 && i < E8P_DIM; i++)
            x[v * E8P_DIM + i] *= 4; /* far outside: all clip */
        for (size_t k = 0; k < ALL; k++) {
            double d = 0;
            for (size_t i = 0; i < E8P_DIM; i++) {
                const double e = (double)x[v * E8P_DIM + i] - (double)words[k * E8P_DIM + i];
                d += e * e;
            }
            least = fmin(least, d);
        }
        e8p_decode(&table, e8p_nearest(&table, x + v * E8P_DIM), c);
        for (size_t i = 0; i < E8P_DIM; i++) {
            const double e = (double)x[v * E8P_DIM + i] - (double)c[i];
            found += e * e;
        }
        assert_true(found <= least * (1 + 1e-6) + 1e-6);
    }
    free(words);
    free(x);
}

/* Every code word is its own nearest point: the index that is found decodes to it, and so no two words are equal. */
static void every_index_comes_back(void **state) {
    (void)state;
    struct e8p_table table;
    float c[E8P_DIM];
    e8p_fill_table(&table);
    for (unsigned index = 0; index < 1U << 16; index += 7) {
        e8p_decode(&table, (uint16_t)index, c);
        assert_int_equal(e8p_nearest(&table, c), index);
    }
}

static void score_and_attend_follow_decode(void **state) {
    (void)state;
    static const struct {
        const char *params;
        size_t dim;
    } rows[] = {{"", 64}, {"scale=mse rotation=rht", 96}, {"scale=unbiased scalar=fp32 rotation=none", 8}};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        struct fixture f;
        fixture_open(&f, &fq_method_e8p, rows[r].params, rows[r].dim, FQ_VALUE, 1);
        float *x = fixture_gaussian(7, rows[r].dim, 3);
        fixture_linear(&f, 7, x, 2e-6);
        free(x);
        fixture_close(&f);
        gates_worst_cases(&fq_method_e8p, rows[r].params, rows[r].dim);
    }
    gates_scale_equivariant(&fq_method_e8p, "scalar=fp32", 128);
    gates_overflow_is_named(&fq_method_e8p, "", 64);
}

static void footprint_and_refusals(void **state) {
    (void)state;
    char why[200] = "";
    const struct fq_params p = fixture_params(&fq_method_e8p, "");
    struct fq_shape shape = {.dim = 128, .tensor = FQ_KEY};
    assert_int_equal(fq_method_e8p.footprint(&p, &shape).record_bytes, 32 + 2);
    shape.dim = 100;
    assert_int_equal(fq_method_e8p.check(&p, &shape, why, sizeof why), -1);
    assert_non_null(strstr(why, "divisible by 8, found 100"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_match),      cmocka_unit_test(gates_pass),
        cmocka_unit_test(code_book_is_the_lattice), cmocka_unit_test(search_is_exact),
        cmocka_unit_test(every_index_comes_back),   cmocka_unit_test(score_and_attend_follow_decode),
        cmocka_unit_test(footprint_and_refusals),
    };
    return cmocka_run_group_tests_name("e8p", tests, NULL, NULL);
}
