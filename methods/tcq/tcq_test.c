/* tcq: gates, the search against brute force and against its own bit stream, worst cases, bytes. */
#include "tests/support/method_gates.h"

#include "methods/common/lloyd_max.h"
#include "methods/tcq/tcq.h"

extern const struct fq_method fq_method_tcq;

/* Those at d = 64: a search under sanitizers takes its time, and verify measures all of them. */
static void narrow_gates_pass(void **state) {
    (void)state;
    size_t tried = 0;
    for (size_t i = 0; i < fq_method_tcq.n_gates; i++)
        if (fq_method_tcq.gates[i].dim == 64) {
            struct fq_method one = fq_method_tcq;
            one.gates += i;
            one.n_gates = 1;
            assert_int_equal(gates_misses(&one, 0.01, true), 0);
            tried++;
        }
    assert_true(tried >= 4);
}

static void known_answers_match(void **state) {
    (void)state;
    fixture_known_answers(&fq_method_tcq, 15);
}

static double distance_of(int bits, size_t n, const float *z, const uint16_t *path) {
    double sum = 0;
    for (size_t t = 0; t < n; t++) {
        const double e = (double)z[t] - (double)tcq_codebook(bits)[path[t]];
        sum += e * e;
    }
    return sum;
}

/* methods.md 10: a search with unrestricted transitions would report a distance that the stream cannot carry. The
 * states re-read from the stream are the search's, each follows from the one before, and their distance is the one
 * reported. */
static void the_stream_carries_the_path(void **state) {
    (void)state;
    static const size_t lengths[] = {1, 2, 3, 5, 16, 80, 96, 127, 128};
    float *z = fixture_gaussian(1, 128, 4);
    for (int bits = TCQ_LEAST_BITS; bits <= TCQ_MOST_BITS; bits++)
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            const size_t n = lengths[l], bytes = tcq_stream_bytes(bits, n);
            uint16_t path[128], again[128];
            uint8_t *stream = malloc(bytes); /* exactly: the sanitizer sees the first byte too many */
            void *scratch = fixture_alloc(tcq_viterbi_bytes(n));
            assert_non_null(stream);
            const double distance = tcq_viterbi(bits, tcq_codebook(bits), n, z, path, scratch);
            tcq_write_states(bits, n, path, stream);
            tcq_read_states(bits, n, stream, again);
            assert_memory_equal(path, again, n * sizeof path[0]);
            for (size_t t = 1; t < n; t++)
                assert_int_equal(path[t] % (1U << TCQ_MEMORY), path[t - 1] >> bits);
            assert_true(fabs(distance - distance_of(bits, n, z, path)) < 1e-4 * (1 + distance));
            /* State t is bits [b t, b t + L) of the stream, least significant first. */
            for (size_t t = 0; t < n; t++)
                for (size_t b = 0; b < (size_t)bits + TCQ_MEMORY; b++) {
                    const size_t at = (size_t)bits * t + b;
                    assert_int_equal((stream[at / 8] >> (at % 8)) & 1, (path[t] >> b) & 1);
                }
            free(stream);
            free(scratch);
        }
    free(z);
}

/* All paths of four steps at two bits: 2^14 of them. */
static void the_search_finds_the_best_path(void **state) {
    (void)state;
    enum { N = 4, BITS = 2 };
    float *z = fixture_gaussian(20, N, 9);
    void *scratch = fixture_alloc(tcq_viterbi_bytes(N));
    for (size_t v = 0; v < 20; v++) {
        uint16_t path[N], other[N];
        const double found = tcq_viterbi(BITS, tcq_codebook(BITS), N, z + v * N, path, scratch);
        double best = 1e9;
        for (uint32_t word = 0; word < 1U << (TCQ_MEMORY + BITS * N); word++) {
            for (size_t t = 0; t < N; t++)
                other[t] = (uint16_t)((word >> (BITS * t)) & ((1U << (BITS + TCQ_MEMORY)) - 1U));
            best = fmin(best, distance_of(BITS, N, z + v * N, other));
        }
        assert_true(fabs(found - best) < 1e-5);
    }
    free(z);
    free(scratch);
}

/* The tables are codebooks of N(0,1): ascending order is not asked of them, but their values' mean is near zero, and
 * those that follow one state are spread over the line, or the trellis would be no better than a scalar code. */
static void codebooks_are_spread(void **state) {
    (void)state;
    for (int bits = TCQ_LEAST_BITS; bits <= TCQ_MOST_BITS; bits++) {
        const float *c = tcq_codebook(bits);
        const size_t states = (size_t)1 << (bits + TCQ_MEMORY);
        double mean = 0;
        for (size_t s = 0; s < states; s++) {
            assert_true(isfinite(c[s]) && fabsf(c[s]) < 5);
            mean += (double)c[s] / (double)states;
        }
        assert_true(fabs(mean) < 0.05);
        for (size_t low = 0; low < TCQ_LOWS; low++) {
            float least = 9, greatest = -9;
            for (size_t s = low; s < states; s += TCQ_LOWS) {
                least = fminf(least, c[s]);
                greatest = fmaxf(greatest, c[s]);
            }
            assert_true(least < -0.5F && greatest > 0.5F);
        }
    }
}

/* Lloyd's condition holds on fresh samples: states' values are the means of what they are given, to the noise of the
 * means. And the trellis beats the scalar code of its width by what methods.md 10 says, at least. */
static void codebooks_are_trained(void **state) {
    (void)state;
    enum { N = 128, GROUPS = 400, BITS = 2 };
    static double sum[TCQ_MAX_STATES], count[TCQ_MAX_STATES];
    memset(sum, 0, sizeof sum);
    memset(count, 0, sizeof count);
    void *scratch = fixture_alloc(tcq_viterbi_bytes(N));
    float *z = fixture_gaussian(GROUPS, N, 77);
    double distance = 0, off = 0, weight = 0;
    for (size_t g = 0; g < GROUPS; g++) {
        uint16_t path[N];
        distance += tcq_viterbi(BITS, tcq_codebook(BITS), N, z + g * N, path, scratch) / (N * GROUPS);
        for (size_t t = 0; t < N; t++) {
            sum[path[t]] += (double)z[g * N + t];
            count[path[t]] += 1;
        }
    }
    for (size_t s = 0; s < (size_t)1 << (BITS + TCQ_MEMORY); s++)
        if (count[s] > 0) {
            const double e = sum[s] / count[s] - (double)tcq_codebook(BITS)[s];
            off += count[s] * e * e;
            weight += count[s];
        }
    assert_true(distance < 0.68 * fq_lloyd_max_distortion(BITS)); /* .080 / .1175 */
    /* Each mean has variance D / count: the sum over 256 states is 256 D / samples. */
    assert_true(off / weight < 2 * 256 * distance / (N * GROUPS));
    free(z);
    free(scratch);
}

static void worst_cases_hold(void **state) {
    (void)state;
    static const size_t dims[] = {64, 80, 128};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        gates_worst_cases(&fq_method_tcq, "bits=2", dims[i]);
        gates_worst_cases(&fq_method_tcq, "bits=3 rotation=none scale=unbiased", dims[i]);
        gates_worst_cases(&fq_method_tcq, "bits=4 rotation=haar scale=mse scalar=fp32", dims[i]);
        gates_overflow_is_named(&fq_method_tcq, "", dims[i]);
        gates_scale_equivariant(&fq_method_tcq, "bits=3 scalar=fp32", dims[i]);
        struct fixture f;
        float *x = fixture_gaussian(20, dims[i], 3);
        fixture_open(&f, &fq_method_tcq, "bits=2 rotation=haar", dims[i], FQ_KEY, 3);
        fixture_linear(&f, 20, x, 1e-5);
        fixture_close(&f);
        free(x);
    }
}

static void footprints_follow_the_formula(void **state) {
    (void)state;
    struct fq_shape shape = {.dim = 128, .tensor = FQ_KEY};
    static const size_t expected[] = {33 + 2, 49 + 2, 65 + 2}; /* (128 b + 6) bits, then the scale */
    for (int bits = 2; bits <= 4; bits++) {
        char text[32];
        snprintf(text, sizeof text, "bits=%d", bits);
        const struct fq_params params = fixture_params(&fq_method_tcq, text);
        assert_int_equal(fq_method_tcq.footprint(&params, &shape).record_bytes, expected[bits - 2]);
    }
    shape.dim = 80; /* padded to 128 by rht, and counted */
    const struct fq_params params = fixture_params(&fq_method_tcq, "bits=2");
    assert_int_equal(fq_method_tcq.footprint(&params, &shape).record_bytes, 35);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_match),
        cmocka_unit_test(the_stream_carries_the_path),
        cmocka_unit_test(the_search_finds_the_best_path),
        cmocka_unit_test(codebooks_are_spread),
        cmocka_unit_test(codebooks_are_trained),
        cmocka_unit_test(worst_cases_hold),
        cmocka_unit_test(footprints_follow_the_formula),
        cmocka_unit_test(narrow_gates_pass),
    };
    return cmocka_run_group_tests_name("tcq", tests, NULL, NULL);
}
