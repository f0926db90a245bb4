/* RaBitQ's query side against methods.md 4.3, the coverage of its error bound (4.2), and the centroid. */
#include "methods/rabitq/rabitq.h"
#include "tests/support/method_gates.h"

extern const struct fq_method fq_method_rabitq;

/* n unit vectors q at cosine rho to the unit vectors x (in place: q holds any directions). */
static void turn_towards(size_t n, size_t d, const float *x, double rho, float *q) {
    for (size_t v = 0; v < n; v++) {
        const float *row = x + v * d;
        float *other = q + v * d;
        const double along = fixture_dot(d, row, other), across = sqrt(1 - along * along);
        for (size_t i = 0; i < d; i++)
            other[i] = (float)(rho * (double)row[i] +
                               sqrt(1 - rho * rho) * ((double)other[i] - along * (double)row[i]) / across);
    }
}

/* Root mean square error of <q,x>, times sqrt(d), at rho = .5. */
static double own_query_error(const char *params, size_t n, size_t d, const float *x, const float *q) {
    struct fixture f;
    fixture_open(&f, &fq_method_rabitq, params, d, FQ_KEY, 1);
    uint8_t *records = fixture_encode(&f, n, x, NULL);
    double sum = 0;
    for (size_t v = 0; v < n; v++) {
        float estimate;
        fixture_scores(&f, q + v * d, 1, records + v * f.footprint.record_bytes, &estimate);
        sum += ((double)estimate - 0.5) * ((double)estimate - 0.5);
    }
    free(records);
    fixture_close(&f);
    return sqrt((double)d * sum / (double)n);
}

/* methods.md 4.3, d = 128, one bit. The ratio to the float query is known far better than each value, because both meet
 * the same codes. */
static void quantized_queries_cost_what_is_published(void **state) {
    (void)state;
    enum { N = 12000, D = 128 };
    static const struct {
        const char *params;
        double published, slack;
    } row[] = {{"bits=1 rotation=none query=4bit", 0.6676, 0.005},
               /* one draw of 128 offsets, shared by all queries: .0013 of spread by itself */
               {"bits=1 rotation=none query=4bit-randomised", 0.6780, 0.009},
               {"bits=1 rotation=none query=8bit", 0.6561, 0.001}};
    float *x = gates_sphere(N, D, 81), *q = gates_sphere(N, D, 82);
    turn_towards(N, D, x, 0.5, q);
    const double exact = own_query_error("bits=1 rotation=none", N, D, x, q);
    assert_true(fabs(exact / 0.6560 - 1) < 0.02);
    for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
        const double error = own_query_error(row[k].params, N, D, x, q);
        if (!(fabs(error / row[k].published - 1) < 0.02 &&
              fabs(error / exact - row[k].published / 0.6560) < row[k].slack))
            fail_msg("%s: %.5f, float query %.5f; published %.4f and .6560", row[k].params, error, exact,
                     row[k].published);
    }
    free(x);
    free(q);
}

static void prepared_query_is_as_small_as_it_says(void **state) {
    (void)state;
    const struct fq_shape shape = {.dim = 100, .tensor = FQ_KEY};
    static const struct {
        const char *params;
        size_t bytes;
    } row[] = {{"", 100 * 4 + 8},
               {"query=4bit", 16 + 52},
               {"query=4bit-randomised", 16 + 52},
               {"query=8bit", 16 + 100},
               {"query=8bit-randomised", 16 + 100}};
    for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
        const struct fq_params p = fixture_params(&fq_method_rabitq, row[k].params);
        assert_int_equal(fq_method_rabitq.footprint(&p, &shape).prepared_bytes, row[k].bytes);
        assert_int_equal(fq_method_rabitq.quantizes_query(&p), k > 0);
    }
}

/* A quantized query that the grid holds exactly costs nothing: the two estimates are the same number. */
static void exact_query_gives_the_float_estimate(void **state) {
    (void)state;
    enum { D = 64, N = 5 };
    float *x = fixture_gaussian(N, D, 91), q[D], scores[2][N] = {{0}};
    for (size_t i = 0; i < D; i++)
        q[i] = 0.25F * (float)(i * 7 % 16) - 1.5F;
    static const char *const both[] = {"bits=3 rotation=none", "bits=3 rotation=none query=4bit"};
    for (size_t k = 0; k < 2; k++) {
        struct fixture f;
        fixture_open(&f, &fq_method_rabitq, both[k], D, FQ_KEY, 1);
        uint8_t *records = fixture_encode(&f, N, x, NULL);
        fixture_scores(&f, q, N, records, scores[k]);
        free(records);
        fixture_close(&f);
    }
    for (size_t v = 0; v < N; v++)
        assert_true(fabs((double)scores[1][v] - (double)scores[0][v]) < 1e-4);
    free(x);
}

/* methods.md 4.2: two-sided misses of f_error ||q||: 5.7, 2.8 and 0 % at rho = 0, .5, .9. */
static void bound_holds_as_often_as_predicted(void **state) {
    (void)state;
    enum { N = 12000, D = 128 };
    static const struct { double rho, share; } row[] = {{0, 0.057}, {0.5, 0.028}, {0.9, 0}};
    static const char *const params[] = {"bits=1 rotation=none bound=stored", "bits=4 rotation=none bound=stored"};
    for (size_t p = 0; p < 2; p++)
        for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
            struct fixture f;
            fixture_open(&f, &fq_method_rabitq, params[p], D, FQ_KEY, 1);
            float *x = gates_sphere(N, D, 83), *q = gates_sphere(N, D, 84 + k);
            turn_towards(N, D, x, row[k].rho, q);
            uint8_t *records = fixture_encode(&f, N, x, NULL);
            size_t missed = 0;
            for (size_t v = 0; v < N; v++) {
                const uint8_t *record = records + v * f.footprint.record_bytes;
                float estimate;
                fixture_scores(&f, q + v * D, 1, record, &estimate);
                missed += fabs((double)estimate - row[k].rho) > rabitq_error_factor(&f.call, record);
            }
            const double share = (double)missed / N; /* standard error .0026 */
            if (!(fabs(share - row[k].share) <= 0.008 && (row[k].share > 0 || missed < 3)))
                fail_msg("%s, rho %.1f: %.4f missed, expected %.3f", params[p], row[k].rho, share, row[k].share);
            free(x);
            free(q);
            free(records);
            fixture_close(&f);
        }
}

static void bound_is_the_published_number(void **state) {
    (void)state;
    const struct fq_shape shape = {.dim = 64, .tensor = FQ_KEY};
    char why[256] = "";
    struct fq_params p = fixture_params(&fq_method_rabitq, "bound=stored scale=mse");
    assert_int_equal(fq_method_rabitq.check(&p, &shape, why, sizeof why), -1);
    assert_non_null(strstr(why, "scale=unbiased"));
    p = fixture_params(&fq_method_rabitq, "bits=4 bound=stored");
    assert_int_equal(fq_method_rabitq.footprint(&p, &shape).record_bytes, 4 * 64 / 8 + 2 * 2);
    assert_int_equal(fq_method_rabitq.footprint(&p, &shape).side_bytes, 4);
}

/* A cloud around a far centre: with the mean subtracted the error is that of the residual, not of the vector. */
static void centroid_is_subtracted_and_added_back(void **state) {
    (void)state;
    enum { N = 600, D = 96 };
    float *x = fixture_gaussian(N, D, 87), *q = fixture_gaussian(1, D, 88), *xhat = gates_floats(N * D);
    for (size_t i = 0; i < N * D; i++)
        x[i] += i % D % 3 == 0 ? 20 : -5;
    static const char *const params[] = {"bits=3 centroid=mean", "bits=3 centroid=mean rotation=rht scalar=fp32"};
    for (size_t p = 0; p < 2; p++) {
        struct fixture f;
        fixture_open(&f, &fq_method_rabitq, params[p], D, FQ_KEY, 5);
        assert_true(fq_method_rabitq.needs_training(&f.params));
        const struct fq_streams streams = fq_streams_for(5);
        void *work = fixture_alloc(fq_method_rabitq.setup_scratch(&f.params, &f.call.shape));
        fq_method_rabitq.train(&f.params, &f.call.shape, &streams, N, x, f.shared, work);
        free(work);
        fixture_linear(&f, N, x, 2e-6);
        fixture_roundtrip(&f, N, x, xhat);
        double error = 0;
        for (size_t i = 0; i < N * D; i++)
            error += ((double)x[i] - (double)xhat[i]) * ((double)x[i] - (double)xhat[i]);
        error /= (double)N * D;                                     /* the residual has unit variance */
        const double expected = p == 0 ? 0.0357 : 0.0364 * D / 128; /* rht pads: the error lies in 128 places */
        if (!(fabs(error / expected - 1) < 0.04))
            fail_msg("%s: squared error %.5f of a residual of variance 1, expected %.5f", params[p], error, expected);
        fixture_close(&f);
    }
    const struct fq_params none = fixture_params(&fq_method_rabitq, "");
    assert_false(fq_method_rabitq.needs_training(&none));
    free(x);
    free(q);
    free(xhat);
}

/* What the method took q for, and the step of its grid. With one-bit codes that are the rows of a Hadamard matrix the
 * estimates are that matrix times the quantized query; turned back, they give it coordinate by coordinate. */
enum { TAKEN_DIM = 64 };
static double query_as_taken(const char *query, int bits, uint64_t seed, const float *q, double *taken) {
    enum { D = TAKEN_DIM };
    char params[96];
    float x[D * D], scores[D];
    double least = 1e9, most = -1e9;
    for (size_t i = 0; i < D; i++) {
        least = fmin(least, (double)q[i]);
        most = fmax(most, (double)q[i]);
        for (size_t j = 0; j < D; j++)
            x[i * D + j] = __builtin_popcount((unsigned)(i & j)) % 2 ? -1.0F : 1.0F;
    }
    struct fixture f;
    snprintf(params, sizeof params, "bits=1 rotation=none scalar=fp32 query=%s", query);
    fixture_open(&f, &fq_method_rabitq, params, D, FQ_KEY, seed);
    uint8_t *records = fixture_encode(&f, D, x, NULL);
    fixture_scores(&f, q, D, records, scores);
    for (size_t j = 0; j < D; j++) {
        taken[j] = 0;
        for (size_t i = 0; i < D; i++)
            taken[j] += (double)x[i * D + j] * (double)scores[i] / D;
    }
    free(records);
    fixture_close(&f);
    return (most - least) / ((1 << bits) - 1);
}

/* methods.md 12.13: the sum over the query that goes with the grid's half step must be that of the quantized query: all
 * of what the query was taken for must lie on one grid of 2^b values. The float query's own sum would move one
 * coordinate off it. */
static void the_sum_is_that_of_the_quantized_query(void **state) {
    (void)state;
    enum { D = TAKEN_DIM };
    static const struct {
        const char *query;
        int bits;
    } row[] = {{"4bit", 4}, {"4bit-randomised", 4}, {"8bit", 8}, {"8bit-randomised", 8}};
    float *q = fixture_gaussian(1, D, 92);
    double taken[D], least = 1e9;
    for (size_t i = 0; i < D; i++)
        least = fmin(least, (double)q[i]);
    for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
        const double step = query_as_taken(row[k].query, row[k].bits, 1, q, taken);
        for (size_t j = 0; j < D; j++) {
            const double place = (taken[j] - least) / step;
            if (!(fabs(place - round(place)) < 0.01 && fabs(taken[j] - (double)q[j]) < 1.01 * step))
                fail_msg("%s: coordinate %zu, %.5f, was taken for %.5f, step %.5f of the grid", row[k].query, j,
                         (double)q[j], taken[j], place);
        }
    }
    free(q);
}

/* A coordinate that lies a share p above its lower grid value is rounded up with probability p, by a draw of its own:
 * the sum of the errors over the coordinates has the variance sum p (1 - p). One draw for all of them would make that
 * D/2 = 32 times as much, one for every two half as much again; rounding to nearest has no spread over draws at all.
 * And the sum of the errors is zero in the mean. 400 draws: the variance is known to 7 %. */
static void every_coordinate_rounds_by_its_own_draw(void **state) {
    (void)state;
    enum { D = TAKEN_DIM, DRAWS = 400 };
    static const struct {
        const char *query;
        int bits;
    } row[] = {{"4bit-randomised", 4}, {"8bit-randomised", 8}};
    for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
        double square = 0, mean = 0;
        for (uint64_t draw = 0; draw < DRAWS; draw++) {
            float *q = fixture_gaussian(1, D, 2000 + draw);
            double taken[D], sum = 0, variance = 0, least = 1e9;
            const double step = query_as_taken(row[k].query, row[k].bits, 1 + draw, q, taken);
            for (size_t i = 0; i < D; i++)
                least = fmin(least, (double)q[i]);
            for (size_t i = 0; i < D; i++) {
                const double place = ((double)q[i] - least) / step, share = place - floor(place);
                sum += (taken[i] - (double)q[i]) / step;
                variance += share * (1 - share);
            }
            square += sum * sum / variance / DRAWS;
            mean += sum / sqrt(variance) / DRAWS;
            free(q);
        }
        if (!(fabs(square - 1) < 0.25 && fabs(mean) < 0.2))
            fail_msg("%s: sum of the errors, in standard deviations of independent draws: mean %.3f, mean square %.3f",
                     row[k].query, mean, square);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantized_queries_cost_what_is_published),
        cmocka_unit_test(prepared_query_is_as_small_as_it_says),
        cmocka_unit_test(exact_query_gives_the_float_estimate),
        cmocka_unit_test(the_sum_is_that_of_the_quantized_query),
        cmocka_unit_test(every_coordinate_rounds_by_its_own_draw),
        cmocka_unit_test(bound_holds_as_often_as_predicted),
        cmocka_unit_test(bound_is_the_published_number),
        cmocka_unit_test(centroid_is_subtracted_and_added_back),
    };
    return cmocka_run_group_tests_name("rabitq query", tests, NULL, NULL);
}
