/* qjl: gates, the estimator against its definition, outlier channels, worst cases, and the mistakes of methods.md,
 * sections 3 and 12. There is no decode, so the shared worst-case test, which decodes, has a counterpart here. */
#include "tests/support/method_gates.h"

#include "methods/common/pack.h"
#include "methods/qjl/qjl.h"

extern const struct fq_method fq_method_qjl;

enum { D = 96 };

static void gates_pass(void **state) {
    (void)state;
    size_t missed = 0;
    for (size_t i = 0; i < fq_method_qjl.n_gates; i++) {
        const struct fq_gate *gate = &fq_method_qjl.gates[i];
        if (strstr(gate->params, "outliers")) /* groups of 32: outlier_channels_are_unbiased */
            continue;
        const bool absolute = gate->metric == FQ_GATE_SLOPE || gate->metric == FQ_GATE_SELF_IP;
        const double measured = gates_measure(&fq_method_qjl, gate);
        if (getenv("FQ_TEST_PRINT"))
            print_message("d=%zu metric %d %s: expected %.6g, measured %.6g\n", gate->dim, (int)gate->metric,
                          gate->params, gate->expected, measured);
        if (!(fabs(measured - gate->expected) <= (gate->tolerance + 0.02) * (absolute ? 1 : gate->expected))) {
            print_error("d=%zu metric %d %s: expected %.6g, measured %.6g\n", gate->dim, (int)gate->metric,
                        gate->params, gate->expected, measured);
            missed++;
        }
    }
    assert_int_equal(missed, 0);
}

/* The paper's formula, from the matrix in the shared state, for one vector. `only` restricts both to some channels. */
static double by_definition(const struct qjl *q, const float *s, size_t m, const float *k, const float *query,
                            const uint8_t *only, bool inverted) {
    double norm2 = 0, sum = 0;
    for (size_t j = 0; j < q->dim; j++)
        if (!only || (only[j] != 0) != inverted)
            norm2 += (double)k[j] * (double)k[j];
    for (size_t i = 0; i < m; i++) {
        double key = 0, other = 0;
        for (size_t j = 0; j < q->dim; j++)
            if (!only || (only[j] != 0) != inverted) {
                key += (double)s[j * q->m + i] * (double)k[j];
                other += (double)s[j * q->m + i] * (double)query[j];
            }
        sum += key >= 0 ? other : -other;
    }
    return sqrt(norm2) * sqrt(acos(-1.0) / 2) / (double)m * sum;
}

static void score_is_the_papers_formula(void **state) {
    (void)state;
    static const char *const rows[] = {"sketch_ratio=0.5 scalar=fp32", "sketch_ratio=2 scalar=fp32",
                                       "sketch=orthogonal sketch_ratio=1 scalar=fp32",
                                       "sketch=orthogonal sketch_ratio=4 scalar=fp32"};
    for (size_t r = 0; r < 4; r++) {
        struct fixture f;
        fixture_open(&f, &fq_method_qjl, rows[r], D, FQ_KEY, 5);
        const struct qjl q = qjl_of(&f.params, &f.call.shape);
        float *x = fixture_gaussian(20, D, 5), *query = fixture_gaussian(1, D, 6), scores[20];
        uint8_t *records = fixture_encode(&f, 20, x, NULL);
        fixture_scores(&f, query, 20, records, scores);
        for (size_t v = 0; v < 20; v++) {
            const double expected = by_definition(&q, f.shared, q.m, x + v * D, query, NULL, false);
            const double scale = sqrt(fixture_dot(D, x + v * D, x + v * D) * fixture_dot(D, query, query));
            assert_true(fabs((double)scores[v] - expected) < 1e-5 * scale);
        }
        free(x);
        free(query);
        free(records);
        fixture_close(&f);
    }
}

/* Channels 7 and 40 are loud: they are chosen, written in ascending order, and both parts follow the formula. */
static void outlier_channels_follow_the_definition(void **state) {
    (void)state;
    enum { N = 2 * QJL_GROUP };
    struct fixture f;
    fixture_open(&f, &fq_method_qjl, "sketch_ratio=2 outliers=2 outlier_sketch_ratio=1 scalar=fp32", D, FQ_KEY, 5);
    const struct qjl q = qjl_of(&f.params, &f.call.shape);
    float *x = fixture_gaussian(N, D, 5), *query = fixture_gaussian(1, D, 6), scores[N];
    uint8_t loud[D] = {0};
    loud[7] = loud[40] = 1;
    for (size_t v = 0; v < N; v++) {
        x[v * D + 40] *= 30;
        x[v * D + 7] *= 10;
    }
    uint8_t *records = fixture_encode(&f, N, x, NULL);
    for (size_t g = 0; g < 2; g++) {
        assert_int_equal(records[g * q.record_bytes], 7);
        assert_int_equal(records[g * q.record_bytes + 1], 40);
    }
    fixture_scores(&f, query, N, records, scores);
    for (size_t v = 0; v < N; v++) {
        const double expected = by_definition(&q, f.shared, q.m_out, x + v * D, query, loud, false) +
                                by_definition(&q, f.shared, q.m, x + v * D, query, loud, true);
        const double scale = sqrt(fixture_dot(D, x + v * D, x + v * D) * fixture_dot(D, query, query));
        assert_true(fabs((double)scores[v] - expected) < 1e-5 * scale);
    }
    free(x);
    free(query);
    free(records);
    fixture_close(&f);
}

/* m Var = pi/2 - rho^2 for Gaussian rows: the error shrinks as the query nears the key, and is not zero at the key. */
static void variance_falls_with_rho(void **state) {
    (void)state;
    enum { N = 3000, SEEDS = 4 };
    static const double rhos[] = {0, 0.5, 0.9, 1};
    for (size_t r = 0; r < 4; r++) {
        const double rho = rhos[r];
        double sum = 0, sum2 = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct fixture f;
            fixture_open(&f, &fq_method_qjl, "sketch_ratio=1 scalar=fp32", 64, FQ_KEY, seed);
            float *x = gates_sphere(N, 64, seed), *q = gates_sphere(N, 64, 50 + seed), estimate;
            uint8_t *records = fixture_encode(&f, N, x, NULL);
            for (size_t v = 0; v < N; v++) {
                float *a = x + v * 64, *b = q + v * 64;
                const double along = fixture_dot(64, a, b), across = sqrt(1 - along * along);
                for (size_t i = 0; i < 64; i++)
                    b[i] = (float)(rho * (double)a[i] +
                                   sqrt(1 - rho * rho) * ((double)b[i] - along * (double)a[i]) / across);
                fixture_scores(&f, b, 1, records + v * f.footprint.record_bytes, &estimate);
                const double error = (double)estimate - rho;
                sum += error / (N * SEEDS);
                sum2 += error * error / (N * SEEDS);
            }
            free(x);
            free(q);
            free(records);
            fixture_close(&f);
        }
        const double expected = acos(-1.0) / 2 - rho * rho;
        if (!(fabs(64 * (sum2 - sum * sum) - expected) < 0.05 * expected))
            fail_msg("rho=%g: m Var %.4f, expected %.4f", rho, 64 * (sum2 - sum * sum), expected);
    }
}

/* With loud channels the sketch of the rest has less to carry: the error falls; and both parts stay unbiased. */
static void outlier_channels_are_unbiased(void **state) {
    (void)state;
    enum { N = 32 * QJL_GROUP };
    double error[2] = {0}, slope[2] = {0};
    for (int with = 0; with < 2; with++)
        for (uint64_t seed = 1; seed <= 6; seed++) {
            struct fixture f;
            fixture_open(&f, &fq_method_qjl,
                         with ? "sketch_ratio=2 outliers=4 outlier_sketch_ratio=2" : "sketch_ratio=2", 64, FQ_KEY,
                         seed);
            float *x = fixture_gaussian(N, 64, seed), scores[N];
            for (size_t v = 0; v < N; v++)
                for (size_t j = 0; j < 4; j++)
                    x[v * 64 + 13 * j] *= 10;
            uint8_t *records = fixture_encode(&f, N, x, NULL);
            for (size_t v = 0; v < N; v += 16) {
                float own;
                if (!with) {
                    fixture_scores(&f, x + v * 64, 1, records + v * f.footprint.record_bytes, &own);
                } else {
                    const size_t g = v / QJL_GROUP;
                    fixture_scores(&f, x + v * 64, QJL_GROUP, records + g * f.footprint.record_bytes, scores);
                    own = scores[v % QJL_GROUP];
                }
                slope[with] += (double)own / fixture_dot(64, x + v * 64, x + v * 64) / (6.0 * N / 16);
            }
            for (uint64_t k = 0; k < 8; k++) {
                float *query = gates_sphere(1, 64, 100 + k);
                fixture_scores(&f, query, N, records, scores);
                for (size_t v = 0; v < N; v++)
                    error[with] += pow((double)scores[v] - fixture_dot(64, query, x + v * 64), 2);
                free(query);
            }
            free(x);
            free(records);
            fixture_close(&f);
        }
    assert_true(fabs(slope[0] - 1) < 0.02 && fabs(slope[1] - 1) < 0.02);
    assert_true(error[1] < 0.4 * error[0]);
}

/* Every byte is accounted for, the norms and the channels' numbers too (methods.md 3: 4.27 bits for the released
 * settings, not the 3 of its headline). */
static void footprints_follow_the_formula(void **state) {
    (void)state;
    struct fq_shape shape = {.dim = 128, .tensor = FQ_KEY};
    struct fq_params params =
        fixture_params(&fq_method_qjl, "sketch=orthogonal sketch_ratio=2 outliers=8 outlier_sketch_ratio=2");
    struct fq_footprint fp = fq_method_qjl.footprint(&params, &shape);
    assert_int_equal(fp.granularity, 32);
    const double bits = 8.0 * (double)fp.record_bytes / (32.0 * 128.0);
    assert_true(fabs(bits - (2 + 2 + 0.25 + 64.0 / (32 * 128))) < 1e-12);
    assert_int_equal(fp.side_bytes, 8 + 32 * 4);
    params = fixture_params(&fq_method_qjl, "sketch_ratio=2");
    fp = fq_method_qjl.footprint(&params, &shape);
    assert_int_equal(fp.record_bytes, 32 + 2); /* 2.125 bits */
    params = fixture_params(&fq_method_qjl, "sketch_ratio=0.5 scalar=fp32");
    assert_int_equal(fq_method_qjl.footprint(&params, &shape).record_bytes, 8 + 4);
    shape.dim = 512;
    params = fixture_params(&fq_method_qjl, "sketch_ratio=1 outliers=16");
    assert_int_equal(fq_method_qjl.footprint(&params, &shape).record_bytes, 32 + 32 * (64 + 64 + 4));
}

static void bad_parameters_are_refused(void **state) {
    (void)state;
    char why[200];
    struct fq_shape shape = {.dim = 65, .tensor = FQ_KEY};
    struct fq_params params = fixture_params(&fq_method_qjl, "sketch_ratio=0.5");
    assert_int_equal(fq_method_qjl.check(&params, &shape, why, sizeof why), -1);
    shape.dim = 8;
    params = fixture_params(&fq_method_qjl, "outliers=8");
    assert_int_equal(fq_method_qjl.check(&params, &shape, why, sizeof why), -1);
    params = fixture_params(&fq_method_qjl, "sketch_ratio=1 outliers=4 outlier_sketch_ratio=2");
    assert_int_equal(fq_method_qjl.check(&params, &shape, why, sizeof why), -1);
    params = fixture_params(&fq_method_qjl, "sketch_ratio=0.5 outlier_sketch_ratio=4");
    assert_int_equal(fq_method_qjl.check(&params, &shape, why, sizeof why), 0); /* not used without outliers */
}

/* Records at an odd address, scored by a second instance, alone or in a batch; hard vectors; zero scores zero; sign(0)
 * is +1; a norm that fp16 cannot hold is refused by group. */
static void worst_cases_hold(void **state) {
    (void)state;
    static const char *const rows[] = {"sketch_ratio=1", "sketch=orthogonal sketch_ratio=0.5",
                                       "sketch_ratio=2 outliers=16 scalar=fp32"};
    for (size_t r = 0; r < 3; r++) {
        struct fixture f, again;
        fixture_open(&f, &fq_method_qjl, rows[r], D, FQ_KEY, 11);
        fixture_open(&again, &fq_method_qjl, rows[r], D, FQ_KEY, 11);
        assert_memory_equal(f.shared, again.shared, f.footprint.shared_bytes);
        const size_t group = f.footprint.granularity, n = 2 * QJL_GROUP, bytes = n / group * f.footprint.record_bytes;
        float *hard = gates_hard_cases(D), *x = gates_floats(n * D), scores[2 * QJL_GROUP], second[2 * QJL_GROUP];
        for (size_t v = 0; v < n; v++)
            memcpy(x + v * D, hard + v % GATE_HARD_CASES * D, D * sizeof *x);
        uint8_t *records = fixture_encode(&f, n, x, NULL), *moved = malloc(bytes + 1);
        assert_non_null(moved);
        memcpy(moved + 1, records, bytes);
        fixture_scores(&f, x + 5 * D, n, records, scores);
        fixture_scores(&again, x + 5 * D, n, moved + 1, second);
        assert_memory_equal(scores, second, sizeof scores);
        gates_assert_finite(n, scores);
        for (size_t v = 0; v < n; v += GATE_HARD_CASES)
            assert_true(scores[v] == 0);
        for (size_t g = 0; g < n / group; g++) {
            uint8_t *alone = fixture_encode(&again, group, x + g * group * D, NULL);
            assert_memory_equal(alone, records + g * f.footprint.record_bytes, f.footprint.record_bytes);
            free(alone);
        }
        if (r == 0)
            for (size_t i = 0; i < D / 8; i++)
                assert_int_equal(records[i], 0xff); /* the zero vector */
        if (r < 2) {
            size_t encoded;
            x[40 * D + 3] = 1e30F;
            uint8_t *partial = fixture_encode(&f, n, x, &encoded);
            assert_int_equal(encoded, 40);
            free(partial);
        }
        free(hard);
        free(x);
        free(records);
        free(moved);
        fixture_close(&f);
        fixture_close(&again);
    }
}

/* Blocks of an orthogonal sketch have orthogonal rows of length sqrt(d), and two blocks are not the same. */
static void orthogonal_blocks_are_orthogonal(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, &fq_method_qjl, "sketch=orthogonal sketch_ratio=2", D, FQ_KEY, 2);
    const float *s = f.shared;
    const size_t m = 2 * (size_t)D;
    double across = 0;
    for (size_t a = 0; a < m; a++)
        for (size_t b = a; b < m; b++) {
            double sum = 0;
            for (size_t j = 0; j < D; j++)
                sum += (double)s[j * m + a] * (double)s[j * m + b];
            if (a / D == b / D)
                assert_true(fabs(sum - (a == b ? D : 0)) < 1e-4);
            else
                across = fmax(across, fabs(sum));
        }
    assert_true(across > 10 && across < 0.7 * D); /* rows of different blocks are neither orthogonal nor equal */
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_pass),
        cmocka_unit_test(score_is_the_papers_formula),
        cmocka_unit_test(outlier_channels_follow_the_definition),
        cmocka_unit_test(variance_falls_with_rho),
        cmocka_unit_test(outlier_channels_are_unbiased),
        cmocka_unit_test(footprints_follow_the_formula),
        cmocka_unit_test(bad_parameters_are_refused),
        cmocka_unit_test(worst_cases_hold),
        cmocka_unit_test(orthogonal_blocks_are_orthogonal),
    };
    return cmocka_run_group_tests_name("qjl", tests, NULL, NULL);
}
