/* The shared parts: exactness of halves and packing, codebooks against published tables, scales, dense matrices. */
#include "harness/base/random.h"
#include "methods/common/dense.h"
#include "methods/common/hadamard.h"
#include "methods/common/lloyd_max.h"
#include "methods/common/pack.h"
#include "methods/common/scale.h"
#include "methods/common/sphere.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double half_value(unsigned h) {
    const unsigned exponent = (h >> 10) & 31U, fraction = h & 1023U;
    const double magnitude =
        exponent ? ldexp(1024.0 + (double)fraction, (int)exponent - 25) : ldexp((double)fraction, -24);
    return h & 0x8000U ? -magnitude : magnitude;
}

static void every_half_survives(void **state) {
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        const float f = fq_float_from_half((uint16_t)h);
        if ((h & 0x7c00U) == 0x7c00U) {
            assert_true((h & 1023U) ? isnan(f) : isinf(f));
            assert_int_equal(!!signbit(f), !!(h & 0x8000U));
        } else {
            assert_true((double)f == half_value(h));
        }
        /* A signalling NaN comes back quiet, everything else as it was. */
        const unsigned back = (h & 0x7c00U) == 0x7c00U && (h & 1023U) ? h | 0x200U : h;
        assert_int_equal(fq_half_from_float(f), back);
    }
}

/* Between any two neighbouring halves: just below the middle goes down, just above goes up, the middle to the even. */
static void halves_round_to_nearest_even(void **state) {
    (void)state;
    for (unsigned h = 0; h < 0x7c00U; h++) {
        const double low = half_value(h), high = h == 0x7bffU ? 65536.0 : half_value(h + 1);
        const float middle = (float)((low + high) / 2);
        assert_int_equal(fq_half_from_float(middle), h & 1U ? h + 1 : h);
        assert_int_equal(fq_half_from_float(nextafterf(middle, 0)), h);
        assert_int_equal(fq_half_from_float(nextafterf(middle, INFINITY)), h + 1);
        assert_int_equal(fq_half_from_float(-middle), 0x8000U | (h & 1U ? h + 1 : h));
    }
    assert_int_equal(fq_half_from_float(65520.0F), 0x7c00U);
    assert_int_equal(fq_half_from_float(1e30F), 0x7c00U);
    assert_int_equal(fq_half_from_float(-INFINITY), 0xfc00U);
    assert_int_equal(fq_half_from_float(1e-30F), 0);
}

static void scalars_are_rounded_once(void **state) {
    (void)state;
    uint8_t bytes[4];
    /* Just above the middle of 1 and 1 + 2^-10: through float it would become the middle, and then 1. */
    assert_true(fq_scalar_put(FQ_SCALAR_FP16, 1 + 0x1p-11 + 0x1p-40, bytes));
    assert_true(fq_scalar_get(FQ_SCALAR_FP16, bytes) == 1 + 0x1p-10F);
    assert_true(fq_scalar_put(FQ_SCALAR_FP16, 65519, bytes));
    assert_true(fq_scalar_get(FQ_SCALAR_FP16, bytes) == 65504.0F);
    memset(bytes, 0x5a, sizeof bytes);
    assert_false(fq_scalar_put(FQ_SCALAR_FP16, 65520, bytes));
    assert_false(fq_scalar_put(FQ_SCALAR_FP32, 1e39, bytes));
    assert_false(fq_scalar_put(FQ_SCALAR_FP32, 1e35, bytes));
    assert_false(fq_scalar_put(FQ_SCALAR_FP32, (double)NAN, bytes));
    assert_int_equal(bytes[0], 0x5a);
    assert_true(fq_scalar_put(FQ_SCALAR_FP32, FQ_SCALAR_GREATEST_FP32, bytes));
    assert_true(fq_scalar_put(FQ_SCALAR_FP32, 0.1, bytes));
    assert_true(fq_scalar_get(FQ_SCALAR_FP32, bytes) == 0.1F);
    assert_int_equal(fq_scalar_bytes(FQ_SCALAR_FP16), 2);
    assert_int_equal(fq_scalar_bytes(FQ_SCALAR_FP32), 4);
}

static void packing_round_trips(void **state) {
    (void)state;
    const uint64_t key = fq_stream_key("data", 7);
    for (int bits = 1; bits <= 8; bits++) {
        for (size_t n = 1; n <= 133; n++) {
            uint64_t words[133];
            uint8_t index[133], back[134], packed[140];
            fq_random_bits(key, n, n, words);
            for (size_t i = 0; i < n; i++)
                index[i] = (uint8_t)(words[i] & ((1U << bits) - 1U));
            memset(packed, 0xee, sizeof packed);
            memset(back, 0xee, sizeof back);
            fq_pack(bits, n, index, packed);
            const size_t size = fq_packed_bytes(bits, n);
            assert_int_equal(size, ((size_t)bits * n + 7) / 8);
            assert_int_equal(packed[size], 0xee);
            for (size_t i = 0; i < n; i++) /* the layout, bit by bit */
                for (size_t b = 0; b < (size_t)bits; b++) {
                    const size_t at = i * (size_t)bits + b;
                    assert_int_equal((packed[at / 8] >> (at % 8)) & 1, (index[i] >> b) & 1);
                }
            fq_unpack(bits, n, packed, back);
            assert_memory_equal(index, back, n);
            assert_int_equal(back[n], 0xee);
        }
    }
}

/* The natural order: H_ij = (-1)^popcount(i & j). */
static void hadamard_is_sylvester(void **state) {
    (void)state;
    for (size_t n = 1; n <= 256; n *= 2) {
        for (size_t j = 0; j < n; j++) {
            float v[256] = {0};
            v[j] = 1;
            fq_fwht(v, n);
            for (size_t i = 0; i < n; i++)
                assert_true(v[i] == (__builtin_popcountll(i & j) % 2 ? -1.0F : 1.0F));
        }
    }
}

static double phi(double t) {
    return exp(-t * t / 2) / sqrt(2 * acos(-1.0));
}

/* Symmetry, order, the centroid condition and the distortion of every Gaussian table. */
static void gaussian_codebooks_are_optimal(void **state) {
    (void)state;
    for (int bits = 1; bits <= 8; bits++) {
        const size_t n = (size_t)1 << bits;
        float levels[256], bounds[255];
        fq_lloyd_max_gaussian(bits, levels, bounds);
        double distortion = 1;
        for (size_t k = 0; k < n; k++) {
            assert_true(levels[k] == -levels[n - 1 - k]);
            if (k > 0)
                assert_true(levels[k] > levels[k - 1]);
            const double low = k > 0 ? (fq_lloyd_max_level(bits, k - 1) + fq_lloyd_max_level(bits, k)) / 2 : -40;
            const double high = k + 1 < n ? (fq_lloyd_max_level(bits, k) + fq_lloyd_max_level(bits, k + 1)) / 2 : 40;
            /* The smaller tail of the two, so that no digits cancel. */
            const double mass = low > 0 ? (erfc(low / sqrt(2)) - erfc(high / sqrt(2))) / 2
                                        : (erfc(-high / sqrt(2)) - erfc(-low / sqrt(2))) / 2;
            const double mean = (phi(low) - phi(high)) / mass;
            assert_true(fabs(mean - fq_lloyd_max_level(bits, k)) < 1e-9);
            distortion -= mass * mean * mean;
            if (k + 1 < n)
                assert_true(bounds[k] == (float)high);
        }
        assert_true(fabs(distortion / fq_lloyd_max_distortion(bits) - 1) < 1e-6);
    }
}

static void an_index_is_the_nearest_level(void **state) {
    (void)state;
    for (int bits = 1; bits <= 8; bits++) {
        const size_t n = (size_t)1 << bits;
        float levels[256], bounds[255];
        fq_lloyd_max_gaussian(bits, levels, bounds);
        for (size_t k = 0; k + 1 < n; k++) { /* a value equal to a bound goes up */
            assert_int_equal(fq_lloyd_max_index(bounds, bits, bounds[k]), k + 1);
            assert_int_equal(fq_lloyd_max_index(bounds, bits, nextafterf(bounds[k], -INFINITY)), k);
        }
        assert_int_equal(fq_lloyd_max_index(bounds, bits, -0.0F), n / 2);
        assert_int_equal(fq_lloyd_max_index(bounds, bits, 1e30F), n - 1);
        assert_int_equal(fq_lloyd_max_index(bounds, bits, -1e30F), 0);
        for (int i = -600; i <= 600; i++) {
            const float z = (float)i * 0.01F + 0.001F;
            size_t best = 0;
            for (size_t k = 1; k < n; k++)
                if (fabsf(z - levels[k]) < fabsf(z - levels[best]))
                    best = k;
            assert_int_equal(fq_lloyd_max_index(bounds, bits, z), best);
        }
    }
}

/* methods.md 1.4, positive levels. */
static void sphere_codebooks_match_the_table(void **state) {
    (void)state;
    static const struct {
        size_t dim;
        double level[15]; /* b = 1 (1), 2 (2), 3 (4), 4 (8) */
    } rows[] = {
        {32,
         {.80414143, .45142788, 1.48955953, .24240478, .74532503, 1.31499554, 2.07192606, .12631356, .38140889,
          .64429319, .92161177, 1.22295539, 1.56448431, 1.97947202, 2.56497722}},
        {64,
         {.80100727, .45211895, 1.49997480, .24375343, .75065811, 1.32934287, 2.11131145, .12735218, .38471827,
          .65049415, .93189402, 1.23940422, 1.59084913, 2.02330983, 2.64637049}},
        {96,
         {.79996506, .45234265, 1.50345285, .24420129, .75243911, 1.33417415, 2.12471615, .12769939, .38582615,
          .65257561, .93535816, 1.24497121, 1.59982156, 2.03833438, 2.67456014}},
        {128,
         {.79944444, .45245325, 1.50519298, .24442487, .75333016, 1.33659889, 2.13147084, .12787315, .38638092,
          .65361895, .93709702, 1.24777046, 1.60434266, 2.04592538, 2.68885926}},
        {256,
         {.79866412, .45261758, 1.50780451, .24475980, .75466737, 1.34024731, 2.14166864, .12813399, .38721404,
          .65518715, .93971372, 1.25198902, 1.61116812, 2.05741121, 2.71056700}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        const double *expected = rows[r].level;
        for (int bits = 1; bits <= 4; bits++) {
            const size_t half = (size_t)1 << (bits - 1);
            float levels[16], bounds[15];
            fq_lloyd_max_sphere(bits, rows[r].dim, levels, bounds);
            for (size_t k = 0; k < half; k++) {
                assert_true(fabs((double)levels[half + k] - expected[k]) < 2e-7);
                assert_true(levels[half + k] == -levels[half - 1 - k]);
            }
            expected += half;
        }
    }
}

/* At eight bits and any d the levels stay ordered and inside the sphere, and tend to the Gaussian ones. */
static void sphere_codebooks_hold_at_the_edges(void **state) {
    (void)state;
    static const size_t dims[] = {4, 5, 8, 80, 200, 4096};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++)
        for (int bits = 1; bits <= 8; bits++) {
            const size_t n = (size_t)1 << bits;
            float levels[256], bounds[255], gauss[256], gauss_bounds[255];
            fq_lloyd_max_sphere(bits, dims[i], levels, bounds);
            fq_lloyd_max_gaussian(bits, gauss, gauss_bounds);
            for (size_t k = 0; k + 1 < n; k++) {
                assert_true(levels[k] < levels[k + 1]);
                assert_true(fabsf(bounds[k] - (levels[k] + levels[k + 1]) / 2) < 1e-6F);
            }
            assert_true((double)levels[n - 1] < sqrt((double)dims[i]));
            if (dims[i] == 4096)
                for (size_t k = 0; k < n; k++)
                    assert_true(fabsf(levels[k] - gauss[k]) < 0.01F);
        }
}

static void sphere_constants(void **state) {
    (void)state;
    assert_true(fabs(fq_sphere_mean_abs(2) - 2 / acos(-1.0)) < 1e-14); /* mean |cos| of a circle */
    assert_true(fabs(fq_sphere_mean_abs(3) - 0.5) < 1e-14);            /* a coordinate of the 2-sphere is uniform */
    for (size_t n = 2; n <= 300; n++)
        assert_true(fabs(fq_gamma_ratio(n) / (tgamma((double)n / 2) / tgamma((double)(n - 1) / 2)) - 1) < 1e-11);
}

static void scales_follow_their_formulas(void **state) {
    (void)state;
    const float y[4] = {3, -4, 0, 12}, c[4] = {1, -1, 2, 2};
    const double yy = 169, cy = 3 + 4 + 24, cc = 10;
    assert_true(fabs(fq_scale_of(FQ_SCALE_RAW, 4, y, c, 4) - 13.0 / 2) < 1e-15);
    assert_true(fabs(fq_scale_of(FQ_SCALE_RAW, 16, y, c, 4) - 13.0 / 4) < 1e-15);
    assert_true(fabs(fq_scale_of(FQ_SCALE_MATCHED, 4, y, c, 4) - 13 / sqrt(cc)) < 1e-15);
    assert_true(fabs(fq_scale_of(FQ_SCALE_MSE, 4, y, c, 4) - cy / cc) < 1e-15);
    assert_true(fabs(fq_scale_of(FQ_SCALE_UNBIASED, 4, y, c, 4) - yy / cy) < 1e-15);
    const float zero[4] = {0}, across[4] = {4, 3, 0, 0};
    for (int kind = FQ_SCALE_RAW; kind <= FQ_SCALE_UNBIASED; kind++)
        assert_true(fq_scale_of((enum fq_scale_kind)kind, 4, zero, c, 4) == 0);
    assert_true(fq_scale_of(FQ_SCALE_UNBIASED, 4, y, across, 4) == 0);
    assert_true(fq_scale_of(FQ_SCALE_MATCHED, 4, y, zero, 4) == 0);
    /* What overflowed in the rotation is no zero vector. */
    const float infinite[4] = {1, INFINITY, 0, 2}, undefined[4] = {1, NAN, 0, 2};
    uint8_t bytes[4];
    for (int kind = FQ_SCALE_RAW; kind <= FQ_SCALE_UNBIASED; kind++)
        for (int scalar = FQ_SCALAR_FP16; scalar <= FQ_SCALAR_FP32; scalar++) {
            assert_false(fq_scalar_put((enum fq_scalar_kind)scalar,
                                       fq_scale_of((enum fq_scale_kind)kind, 4, infinite, c, 4), bytes));
            assert_false(fq_scalar_put((enum fq_scalar_kind)scalar,
                                       fq_scale_of((enum fq_scale_kind)kind, 4, undefined, c, 4), bytes));
        }
}

/* A Gaussian matrix really is one, and both products agree with the definition. */
static void dense_products_follow_the_definition(void **state) {
    (void)state;
    enum { D = 37 };
    float m[D * D], x[D], y[D];
    double scratch[D];
    fq_dense_gaussian(fq_random_gaussian, fq_stream_key("sketch", 3), D, m, scratch);
    double sum = 0;
    for (size_t i = 0; i < D * D; i++)
        sum += (double)m[i] * (double)m[i];
    assert_true(fabs(sum / (D * D) - 1) < 0.2);
    for (size_t i = 0; i < D; i++)
        x[i] = (float)i - 11.5F;
    fq_dense_apply(m, D, x, y);
    for (size_t i = 0; i < D; i++) {
        double expected = 0;
        for (size_t j = 0; j < D; j++)
            expected += (double)m[j * D + i] * (double)x[j];
        assert_true(fabs((double)y[i] - expected) < 1e-3);
    }
    fq_dense_apply_transposed(m, D, x, y);
    for (size_t j = 0; j < D; j++) {
        double expected = 0;
        for (size_t i = 0; i < D; i++)
            expected += (double)m[j * D + i] * (double)x[i];
        assert_true(fabs((double)y[j] - expected) < 1e-3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_survives),
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(scalars_are_rounded_once),
        cmocka_unit_test(packing_round_trips),
        cmocka_unit_test(hadamard_is_sylvester),
        cmocka_unit_test(gaussian_codebooks_are_optimal),
        cmocka_unit_test(an_index_is_the_nearest_level),
        cmocka_unit_test(sphere_codebooks_match_the_table),
        cmocka_unit_test(sphere_codebooks_hold_at_the_edges),
        cmocka_unit_test(sphere_constants),
        cmocka_unit_test(scales_follow_their_formulas),
        cmocka_unit_test(dense_products_follow_the_definition),
    };
    return cmocka_run_group_tests_name("common", tests, NULL, NULL);
}
