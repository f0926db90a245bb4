/* turbo2, turbo3, turbo4, now and before pull request 197: gates, byte layout, the fixed rotation, the old table's
 * defect, and what padding costs. */
#include "tests/support/method_gates.h"

#include "methods/common/scale.h"
#include "methods/turboquant/llama_turbo.h"

extern const struct fq_method fq_method_turbo2, fq_method_turbo3, fq_method_turbo4;
extern const struct fq_method fq_method_turbo2_before_197, fq_method_turbo3_before_197, fq_method_turbo4_before_197;

/* Each, with what the fork's code says of its bytes: a block is what has its own copy of the norm, `at` its first code
 * byte; the last is with group-64. */
enum { OLD_TURBO4 = 3, N_METHODS = 6 };
static const struct {
    const struct fq_method *method;
    const struct turbo_format *format;
    size_t block, at, bytes, half_bytes;
} all[N_METHODS] = {
    {&fq_method_turbo2, &turbo2_format, 128, 2, 34, 18},
    {&fq_method_turbo3, &turbo3_format, 128, 2, 50, 26},
    {&fq_method_turbo4, &turbo4_format, 128, 2, 66, 34},
    {&fq_method_turbo4_before_197, &turbo4_before_197_format, 128, 4, 68, 36},
    {&fq_method_turbo2_before_197, &turbo2_before_197_format, 32, 2, 4 * 10, 2 * 10},
    {&fq_method_turbo3_before_197, &turbo3_before_197_format, 32, 2, 4 * 14, 2 * 14},
};

static void gates_pass(void **state) {
    (void)state;
    for (size_t m = 0; m < N_METHODS; m++)
        assert_int_equal(gates_misses(all[m].method, 0.01, true), 0);
}

static void worst_cases_hold(void **state) {
    (void)state;
    static const size_t dims[] = {64, 80, 96, 128, 192, 256};
    for (size_t m = 0; m < N_METHODS; m++)
        for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
            gates_worst_cases(all[m].method, "narrow=pad", dims[i]);
            gates_worst_cases(all[m].method, "narrow=group-64", dims[i]);
            gates_overflow_is_named(all[m].method, "", dims[i]);
            struct fixture f;
            float *x = fixture_gaussian(20, dims[i], 3);
            fixture_open(&f, all[m].method, "narrow=group-64", dims[i], FQ_VALUE, 3);
            fixture_linear(&f, 20, x, 1e-5);
            fixture_close(&f);
            free(x);
        }
}

static void footprints_are_the_forks(void **state) {
    (void)state;
    for (size_t m = 0; m < N_METHODS; m++) { /* 2.125, 3.125, 4.125, 4.25, 2.5, 3.5 bits */
        struct fq_shape shape = {.dim = 128, .tensor = FQ_KEY};
        struct fq_params params = fixture_params(all[m].method, "");
        assert_int_equal(all[m].method->footprint(&params, &shape).record_bytes, all[m].bytes);
        shape.dim = 80; /* padded, and counted */
        assert_int_equal(all[m].method->footprint(&params, &shape).record_bytes, all[m].bytes);
        shape.dim = 256;
        assert_int_equal(all[m].method->footprint(&params, &shape).record_bytes, 2 * all[m].bytes);
        params = fixture_params(all[m].method, "narrow=group-64");
        shape.dim = 64;
        assert_int_equal(all[m].method->footprint(&params, &shape).record_bytes, all[m].half_bytes);
        shape.dim = 192;
        assert_int_equal(all[m].method->footprint(&params, &shape).record_bytes, 3 * all[m].half_bytes);
        assert_int_equal(all[m].method->footprint(&params, &shape).shared_bytes, 0);
    }
}

/* Index j of a block whose codes begin at `code`. */
static unsigned index_in(int bits, size_t block, const uint8_t *code, size_t j) {
    if (bits == 2)
        return (unsigned)(code[j / 4] >> (2 * (j % 4))) & 3U;
    if (bits == 3)
        return ((unsigned)(code[j / 4] >> (2 * (j % 4))) & 3U) | (unsigned)((code[block / 4 + j / 8] >> (j % 8)) & 1)
                                                                     << 2;
    return (unsigned)(code[j / 2] >> (4 * (j % 2))) & 15U;
}

/* x is turned, by the definition of the rotation, from a y whose indices are known: j mod 2^bits. */
static void bytes_lie_where_the_fork_puts_them(void **state) {
    (void)state;
    for (size_t m = 0; m < N_METHODS; m++) {
        struct fixture f;
        fixture_open(&f, all[m].method, "", 128, FQ_KEY, 1);
        const struct turbo_format *format = all[m].format;
        const size_t block = all[m].block, block_bytes = all[m].bytes / (128 / block);
        const unsigned n = 1U << format->bits, half = n / 2;
        double y[128], squared = 0;
        float x[128];
        for (unsigned j = 0; j < 128; j++) {
            const unsigned k = j % n;
            y[j] = k >= half ? (double)format->level[k - half] : -(double)format->level[half - 1 - k];
            squared += y[j] * y[j];
        }
        for (unsigned i = 0; i < 128; i++) { /* x = D1 H D2 y / sqrt(128) */
            double sum = 0;
            for (unsigned j = 0; j < 128; j++) {
                const bool odd = __builtin_popcount(i & j) % 2, minus = (turbo_signs_2[j / 8] >> (j % 8)) & 1;
                sum += odd != minus ? -y[j] : y[j];
            }
            const bool minus = (turbo_signs_1[i / 8] >> (i % 8)) & 1;
            x[i] = (float)((minus ? -sum : sum) / sqrt(128.0) / sqrt(squared) * 5);
        }
        uint8_t *record = fixture_encode(&f, 1, x, NULL);
        /* Levels this far apart do not all survive being made a unit vector; the table's spread decides. */
        const double unit = sqrt(squared);
        for (unsigned i = 0; i < 128; i++) {
            const uint8_t *code = record + i / block * block_bytes + all[m].at;
            const size_t j = i % block;
            const double u = y[i] / unit;
            unsigned k = 0; /* the index that the definition gives this coordinate */
            while (k + 1 < half && fabs(u) > (double)format->bound[k])
                k++;
            const unsigned expected = y[i] < 0 ? half - 1 - k : half + k;
            assert_int_equal(index_in(format->bits, block, code, j), expected);
        }
        if (m == OLD_TURBO4)
            assert_true(record[2] == 0 && record[3] == 0); /* stored, counted, never used */
        for (size_t b = 1; b < 128 / block; b++)
            assert_memory_equal(record, record + b * block_bytes, TURBO_SCALAR_BYTES);
        free(record);
        fixture_close(&f);
    }
}

/* 12.21: a coordinate exactly on a bound goes up, on either side of zero, and zero, of either sign, to the first
 * positive level. The rotated vector is given as it is: a unit vector, so that what encode looks up is what stands
 * here; its float next below a bound goes down. */
static void ties_go_up(void **state) {
    (void)state;
    for (size_t m = 0; m < N_METHODS; m++) {
        const struct turbo_format *format = all[m].format;
        const unsigned half = 1U << (format->bits - 1);
        unsigned expected[128], n = 0;
        float y[128];
        y[n] = 0.0F, expected[n++] = half;
        y[n] = -0.0F, expected[n++] = half;
        for (unsigned k = 0; k + 1 < half; k++) {
            const float bound = format->bound[k];
            y[n] = bound, expected[n++] = half + k + 1;
            y[n] = -bound, expected[n++] = half - 1 - k;
            y[n] = nextafterf(bound, 0), expected[n++] = half + k;
            y[n] = -nextafterf(bound, 1), expected[n++] = half - 2 - k;
        }
        double rest = 1; /* what is left of a unit vector's square, for coordinates that are on no bound */
        for (unsigned j = 0; j < n; j++)
            rest -= (double)y[j] * (double)y[j];
        assert_true(rest > 0);
        for (unsigned j = n; j < 128; j++) {
            y[j] = (float)sqrt(rest / (128 - j));
            rest -= (double)y[j] * (double)y[j];
        }
        const double norm = sqrt(fixture_dot(128, y, y));
        for (unsigned j = 0; j < n; j++)
            assert_true((float)((double)y[j] / norm) == y[j]); /* still on its bound when it is looked up */

        struct fixture f;
        uint8_t record[72];
        fixture_open(&f, all[m].method, "", 128, FQ_KEY, 1);
        assert_true(f.footprint.record_bytes <= sizeof record);
        fixture_poison(&f);
        assert_int_equal(f.kernels->encode(&f.call, 1, y, record), 1);
        for (size_t j = 0; j < n; j++) {
            const size_t block = all[m].block;
            const uint8_t *code = record + j / block * (all[m].bytes / (128 / block)) + all[m].at;
            assert_int_equal(index_in(format->bits, block, code, j % block), expected[j]);
        }
        fixture_close(&f);
    }
}

/* Before pull request 197 turbo2 and turbo3 had other bytes and the same numbers: nothing but the layout differed. */
static void the_old_blocks_change_the_bytes_alone(void **state) {
    (void)state;
    static const struct {
        const struct fq_method *now, *before;
    } pairs[] = {{&fq_method_turbo2, &fq_method_turbo2_before_197}, {&fq_method_turbo3, &fq_method_turbo3_before_197}};
    static const char *const narrow[] = {"narrow=pad", "narrow=group-64"};
    static const size_t dims[] = {64, 80, 128, 192};
    for (size_t p = 0; p < 2; p++)
        for (size_t k = 0; k < 2; k++)
            for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
                const size_t d = dims[i];
                struct fixture f, g;
                float *x = fixture_gaussian(9, d, 5), one[9 * 192], two[9 * 192];
                fixture_open(&f, pairs[p].now, narrow[k], d, FQ_KEY, 1);
                fixture_open(&g, pairs[p].before, narrow[k], d, FQ_KEY, 1);
                assert_true(g.footprint.record_bytes > f.footprint.record_bytes);
                fixture_roundtrip(&f, 9, x, one);
                fixture_roundtrip(&g, 9, x, two);
                assert_memory_equal(one, two, 9 * d * sizeof *one);
                fixture_close(&f);
                fixture_close(&g);
                free(x);
            }
}

/* Appendix C as sign lists begin: s1 = - + + - - + - +, s2 = + + + + - + + -. */
static void masks_are_the_published_ones(void **state) {
    (void)state;
    static const int first[8] = {-1, 1, 1, -1, -1, 1, -1, 1}, second[8] = {1, 1, 1, 1, -1, 1, 1, -1};
    int sum[2] = {0};
    for (size_t j = 0; j < 128; j++) {
        const int a = (turbo_signs_1[j / 8] >> (j % 8)) & 1 ? -1 : 1;
        const int b = (turbo_signs_2[j / 8] >> (j % 8)) & 1 ? -1 : 1;
        if (j < 8)
            assert_true(a == first[j] && b == second[j]);
        sum[0] += a;
        sum[1] += b;
    }
    assert_true(abs(sum[0]) < 20 && abs(sum[1]) < 20);
}

/* The norm is corrected: what comes back is as long as what went in, whatever the table. */
static void lengths_survive(void **state) {
    (void)state;
    for (size_t m = 0; m < N_METHODS; m++) {
        struct fixture f;
        float *x = fixture_gaussian(20, 128, 5), xhat[20 * 128];
        fixture_open(&f, all[m].method, "", 128, FQ_KEY, 1);
        fixture_roundtrip(&f, 20, x, xhat);
        for (size_t v = 0; v < 20; v++) {
            const double before = fixture_dot(128, x + v * 128, x + v * 128);
            assert_true(fabs(fixture_dot(128, xhat + v * 128, xhat + v * 128) / before - 1) < 2e-3);
        }
        free(x);
        fixture_close(&f);
    }
}

/* Zeros up to 128 make the transform's two halves equal up to signs: every coordinate of a 64-wide head is coded twice,
 * and the second copy buys nothing. */
static void padding_codes_everything_twice(void **state) {
    (void)state;
    struct fixture f;
    float *x = fixture_gaussian(30, 64, 5), y[128];
    fixture_open(&f, &fq_method_turbo3, "narrow=pad", 64, FQ_KEY, 1);
    for (size_t v = 0; v < 30; v++) {
        f.kernels->rotate(&f.call, 1, x + v * 64, y);
        for (size_t j = 0; j < 64; j++)
            assert_true(fabsf(fabsf(y[j]) - fabsf(y[64 + j])) < 1e-6F);
    }
    free(x);
    fixture_close(&f);
}

/* 12.2: the tables against N(0, 1/128): distortion within .1 % of Lloyd-Max, but the old one, 2.13 times it. */
static void the_old_table_is_misscaled(void **state) {
    (void)state;
    static const double lloyd[] = {0, 0, 0.117481847829, 0.034547760789, 0.009501008008}; /* by bits */
    for (size_t m = 0; m < N_METHODS; m++) {
        const struct turbo_format *format = all[m].format;
        const unsigned half = 1U << (format->bits - 1);
        double sum = 0;
        const double step = 1e-4;
        for (unsigned i = 0; i < 90000; i++) {
            const double z = (i + 0.5) * step;
            unsigned k = 0;
            while (k + 1 < half && z >= sqrt(128.0) * (double)format->bound[k])
                k++;
            const double e = z - sqrt(128.0) * (double)format->level[k];
            sum += e * e * exp(-z * z / 2) * step;
        }
        const double ratio = sum * sqrt(2 / acos(-1.0)) / lloyd[format->bits];
        const bool old = m == OLD_TURBO4;
        if (!(fabs(ratio - (old ? 2.13 : 1)) < (old ? 0.01 : 0.001)))
            fail_msg("%s: %.4f times Lloyd-Max", all[m].method->name, ratio);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(worst_cases_hold),
        cmocka_unit_test(footprints_are_the_forks),
        cmocka_unit_test(bytes_lie_where_the_fork_puts_them),
        cmocka_unit_test(ties_go_up),
        cmocka_unit_test(the_old_blocks_change_the_bytes_alone),
        cmocka_unit_test(masks_are_the_published_ones),
        cmocka_unit_test(lengths_survive),
        cmocka_unit_test(padding_codes_everything_twice),
        cmocka_unit_test(the_old_table_is_misscaled),
    };
    return cmocka_run_group_tests_name("llama.cpp turbo", tests, NULL, NULL);
}
