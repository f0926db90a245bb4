/* Random numbers: the published answers of Philox4x32-10, streams that share nothing, and the moments of each law. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/philox.h"
#include "harness/base/random.h"

#include <math.h>
#include <string.h>

/* The two vectors that are published with the Random123 library. */
static void philox_has_its_known_answers(void **state) {
    (void)state;
    uint32_t out[4];
    const uint32_t zero[4] = {0, 0, 0, 0}, ones[4] = {~0u, ~0u, ~0u, ~0u};
    const uint32_t of_zero[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    const uint32_t of_ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    fq_philox4x32_10(zero, zero, out);
    assert_memory_equal(out, of_zero, sizeof out);
    fq_philox4x32_10(ones, ones, out);
    assert_memory_equal(out, of_ones, sizeof out);
}

static void any_range_gives_the_same_numbers(void **state) {
    (void)state;
    uint64_t key = fq_stream_key("data", 5), all[101], part[37];
    double gauss[101], some[37], uniform[101], few[37];
    fq_random_bits(key, 0, 101, all);
    fq_random_gaussian(key, 0, 101, gauss);
    fq_random_uniform(key, 0, 101, uniform);
    for (size_t first = 0; first < 64; first++) {
        fq_random_bits(key, first, 37, part);
        assert_memory_equal(part, all + first, sizeof part);
        fq_random_gaussian(key, first, 37, some);
        assert_memory_equal(some, gauss + first, sizeof some);
        fq_random_uniform(key, first, 37, few);
        assert_memory_equal(few, uniform + first, sizeof few);
    }
}

static void streams_share_nothing(void **state) {
    (void)state;
    const char *names[] = {"data", "query", "rotation", "sketch", "training", "bootstrap", "order", "sample"};
    uint64_t key[8 * 4];
    size_t n = 0;
    for (size_t i = 0; i < 8; i++)
        for (uint64_t seed = 0; seed < 4; seed++)
            key[n++] = fq_stream_key(names[i], seed);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(key[i] != key[j]);

    double a[4096], b[4096], sum = 0.0;
    fq_random_gaussian(fq_stream_key("data", 1), 0, 4096, a);
    fq_random_gaussian(fq_stream_key("rotation", 1), 0, 4096, b);
    for (size_t i = 0; i < 4096; i++)
        sum += a[i] * b[i];
    assert_true(fabs(sum / 64.0) < 5.0); /* five standard errors of a correlation of 0 */
    const struct fq_streams s = fq_streams_for(1);
    assert_true(s.rotation == fq_stream_key("rotation", 1) && s.sketch == fq_stream_key("sketch", 1));
    assert_true(s.training == fq_stream_key("training", 1));
}

static void laws_have_their_moments(void **state) {
    (void)state;
    enum { N = 200000 };
    static double x[N];
    double m1 = 0, m2 = 0, m4 = 0;
    fq_random_gaussian(fq_stream_key("sample", 3), 0, N, x);
    for (size_t i = 0; i < N; i++) {
        m1 += x[i] / N;
        m2 += x[i] * x[i] / N;
        m4 += x[i] * x[i] * x[i] * x[i] / N;
    }
    assert_true(fabs(m1) < 5.0 / sqrt(N));
    assert_true(fabs(m2 - 1.0) < 5.0 * sqrt(2.0 / N));
    assert_true(fabs(m4 - 3.0) < 5.0 * sqrt(96.0 / N));
    double low = 1.0, high = 0.0, mean = 0.0, serial = 0.0;
    fq_random_uniform(fq_stream_key("sample", 3), 0, N, x);
    for (size_t i = 0; i < N; i++) {
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
        mean += x[i] / N;
        serial += i > 0 ? (x[i] - 0.5) * (x[i - 1] - 0.5) * 12.0 : 0.0;
    }
    assert_true(low > 0.0 && high < 1.0);
    assert_true(fabs(mean - 0.5) < 5.0 / sqrt(12.0 * N));
    assert_true(fabs(serial / sqrt(N)) < 5.0);
}

static void below_is_even_and_shuffle_is_a_permutation(void **state) {
    (void)state;
    struct fq_random r = fq_random_open("order", 9);
    size_t count[7] = {0};
    for (size_t i = 0; i < 70000; i++) {
        size_t k = fq_random_below(&r, 7);
        assert_true(k < 7);
        count[k]++;
    }
    double chi2 = 0.0;
    for (size_t k = 0; k < 7; k++)
        chi2 += ((double)count[k] - 10000.0) * ((double)count[k] - 10000.0) / 10000.0;
    assert_true(chi2 < 33.1); /* 6 degrees of freedom, 1e-5 */
    assert_int_equal(fq_random_below(&r, 1), 0);

    size_t index[100], moved = 0;
    int seen[100] = {0};
    for (size_t i = 0; i < 100; i++)
        index[i] = i;
    fq_random_shuffle(&r, index, 100);
    for (size_t i = 0; i < 100; i++) {
        seen[index[i]]++;
        moved += index[i] != i;
    }
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
    assert_true(moved > 80);
}

static void sequential_reader_follows_the_stream(void **state) {
    (void)state;
    uint64_t words[9];
    struct fq_random r = fq_random_open("order", 2);
    fq_random_bits(r.key, 0, 9, words);
    for (size_t i = 0; i < 9; i++)
        assert_true(fq_random_next(&r) == words[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(philox_has_its_known_answers),
                                       cmocka_unit_test(any_range_gives_the_same_numbers),
                                       cmocka_unit_test(streams_share_nothing),
                                       cmocka_unit_test(laws_have_their_moments),
                                       cmocka_unit_test(below_is_even_and_shuffle_is_a_permutation),
                                       cmocka_unit_test(sequential_reader_follows_the_stream)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
