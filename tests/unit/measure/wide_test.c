/* Wide vectors: sums that a narrow accumulator would not hold (methods.md, 12.12: 16-bit sums of 8-bit tables overflow
 * above d = 1028). Every method of the registry, on the vectors and the query with the largest sums. */
#include "tests/support/method_gates.h"

#include "methods/registry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDE = 1280, WIDER = 2048, TRAINING = 64, MOST_SHARED = 16 << 20 };

static bool has(const struct fq_method *method, const char *param, const char *choice) {
    for (size_t i = 0; i < method->n_params; i++)
        if (strcmp(method->params[i].name, param) == 0)
            for (const char *const *c = method->params[i].choices; c && *c; c++)
                if (strcmp(*c, choice) == 0)
                    return true;
    return false;
}

/* Rows of one sign, of alternating signs, of two levels, Gaussian: what quantizers give their extreme codes. */
static void fill(size_t n, size_t dim, float *x) {
    float *g = fixture_gaussian(n, dim, 17);
    for (size_t v = 0; v < n; v++)
        for (size_t i = 0; i < dim; i++) {
            const float kinds[4] = {2.0F, i % 2 ? -2.0F : 2.0F, i % 5 ? 2.0F : -1.5F, g[v * dim + i]};
            x[v * dim + i] = kinds[v % 4];
        }
    free(g);
}

/* false: this shape is refused, or costs too much for a test. */
static bool try_method(const struct fq_method *method, const char *params, size_t dim, double tolerance) {
    const struct fq_shape shape = {.dim = dim, .tensor = FQ_KEY};
    struct fq_params values = fixture_params(method, params);
    char why[256];
    if (method->check && method->check(&values, &shape, why, sizeof why) != 0)
        return false;
    if (method->footprint(&values, &shape).shared_bytes > MOST_SHARED)
        return false;
    struct fixture f;
    fixture_open(&f, method, params, dim, FQ_KEY, 3);
    if (!f.kernels->decode || !f.kernels->score) {
        fixture_close(&f);
        return false;
    }
    const size_t n = f.footprint.granularity < 4 ? 4 : f.footprint.granularity, groups = n / f.footprint.granularity;
    float *x = gates_floats(n * dim), *xhat = gates_floats(n * dim), *scores = gates_floats(n), q[WIDER];
    if (fixture_learns(&f)) {
        float *t = gates_floats(TRAINING * dim);
        fill(TRAINING, dim, t);
        fixture_train(&f, TRAINING, t, 3);
        free(t);
    }
    fill(n, dim, x);
    uint8_t *records = fixture_encode(&f, n, x, NULL);
    fixture_poison(&f);
    f.kernels->decode(&f.call, groups, records, xhat);
    for (int kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < dim; i++)
            q[i] = kind == 0 ? 1.0F : kind == 1 ? (i % 2 ? -1.0F : 1.0F) : (float)cos(0.9 * (double)i + 0.2);
        fixture_scores(&f, q, n, records, scores);
        for (size_t v = 0; v < n; v++) {
            const float *row = xhat + v * dim;
            const double expected = fixture_dot(dim, q, row);
            const double size = sqrt(fixture_dot(dim, q, q) * fixture_dot(dim, row, row));
            if (!(fabs((double)scores[v] - expected) <= tolerance * size))
                fail_msg("%s %s, query %d, vector %zu: score %.6g, <q, decode> %.6g", method->name, params, kind, v,
                         (double)scores[v], expected);
        }
    }
    free(records);
    free(x);
    free(xhat);
    free(scores);
    fixture_close(&f);
    return true;
}

static void sums_of_wide_vectors_hold(void **state) {
    (void)state;
    size_t tried = 0;
    for (size_t i = 0; fq_methods[i]; i++) {
        const char *const params = has(fq_methods[i], "rotation", "none") ? "rotation=none" : "";
        /* 2048 for a Hadamard matrix that is not padded */
        const bool done =
            try_method(fq_methods[i], params, WIDE, 1e-4) || try_method(fq_methods[i], params, WIDER, 1e-4);
        if (!done)
            print_message("%s has no decode stage, or too much shared state at d = %d\n", fq_methods[i]->name, WIDE);
        tried += done;
    }
    assert_true(tried >= 30);
}

/* A quantized query costs accuracy (8 bits of a range, 4 bits of a range), and no more than that. */
static void sums_of_quantized_queries_hold(void **state) {
    (void)state;
    for (size_t i = 0; fq_methods[i]; i++) {
        static const struct {
            const char *choice;
            double tolerance;
        } rows[] = {{"8bit", 0.005}, {"4bit", 0.08}};
        for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
            if (has(fq_methods[i], "query", rows[k].choice)) {
                char params[64];
                snprintf(params, sizeof params, "rotation=none query=%s", rows[k].choice);
                assert_true(try_method(fq_methods[i], params, WIDE, rows[k].tolerance));
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_wide_vectors_hold),
        cmocka_unit_test(sums_of_quantized_queries_hold),
    };
    return cmocka_run_group_tests_name("wide vectors", tests, NULL, NULL);
}
