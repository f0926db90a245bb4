/* Synthetic cells for the tests of groups, estimates, audit and verdicts. */
#ifndef FQ_TESTS_JUDGE_CELLS_H
#define FQ_TESTS_JUDGE_CELLS_H

#include "harness/base/sha256.h"
#include "harness/plan/results.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline void near(double measured, double expected, double tolerance) {
    if (!(fabs(measured - expected) <= tolerance))
        fail_msg("measured %.12g, expected %.12g +- %g", measured, expected, tolerance);
}

/* The facts that matched-cpu asks for, as an honest cell has them. */
static inline void honest_facts(struct fq_cell *cell) {
    static const char *const facts[][2] = {{"device", "cpu"},
                                           {"cpu_model", "test"},
                                           {"binary_sha256", "aa"},
                                           {"flags_hash", "bb"},
                                           {"compiler", "gcc"},
                                           {"isa_cap", "ref"},
                                           {"backend", "ref"},
                                           {"threads_configured", "1"},
                                           {"cpu_set", "0"},
                                           {"blas_core", "Haswell"},
                                           {"blas_threads", "1"},
                                           {"blas_coretype", "unset"},
                                           {"data_sha256", "dd"},
                                           {"batch", "64"},
                                           {"layout", "records"},
                                           {"timed_region", "none"},
                                           {"threads_alive", "1"},
                                           {"prefill", "quantized"},
                                           {"cpu_over_wall", "0.99"},
                                           {"written_bytes", "640"},
                                           {"promised_bytes", "640"},
                                           {"canaries", "intact"},
                                           {"shared_state", "unchanged"},
                                           {"codes_only", "identical"},
                                           {"imports", ""},
                                           {"dim", "64"},
                                           {"rate_bits", "2.25"},
                                           {"shared_bytes", "4096"}};
    struct fq_error err;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        assert_int_equal(fq_cell_fact(cell, facts[i][0], &err, "%s", facts[i][1]), 0);
}

/* A cell of a method with one parameter text; its id is the hash of what it is. */
static inline struct fq_cell *put_cell(struct fq_results *r, const char *kind, const char *method,
                                       const char *parameters, uint64_t seed, int process, int block, int replicate) {
    struct fq_cell cell;
    struct fq_error err;
    memset(&cell, 0, sizeof cell);
    char identity[1024], hex[FQ_SHA256_HEX];
    int length = snprintf(identity, sizeof identity, "%s %s %s %llu %d %d %d", kind, method, parameters,
                          (unsigned long long)seed, process, block, replicate);
    assert_true(length > 0 && (size_t)length < sizeof identity);
    fq_sha256(identity, (size_t)length, hex);
    memcpy(cell.id, hex, sizeof cell.id - 1);
    snprintf(cell.kind, sizeof cell.kind, "%s", kind);
    snprintf(cell.data, sizeof cell.data, "sphere-64x32");
    snprintf(cell.method, sizeof cell.method, "%s", method);
    snprintf(cell.parameters, sizeof cell.parameters, "%s", parameters);
    snprintf(cell.label, sizeof cell.label, "%s %s", method, parameters);
    snprintf(cell.rate_class, sizeof cell.rate_class, "2");
    snprintf(cell.contract, sizeof cell.contract, "matched-cpu");
    snprintf(cell.role, sizeof cell.role, "contender");
    cell.seed = seed;
    cell.process = process;
    cell.block = block;
    cell.replicate = replicate;
    cell.ok = true;
    cell.nominal_bits = 2;
    cell.rate_bits = 2.25;
    honest_facts(&cell);
    assert_int_equal(fq_results_append(r, &cell, &err), 0);
    return &r->cells[r->n_cells - 1];
}

static inline struct fq_series *put_series(struct fq_cell *cell, const char *metric, const char *unit,
                                           const char *statistics, const double *value, size_t n) {
    struct fq_error err;
    struct fq_series *s = fq_series_add(&cell->series, metric, "vectors", unit, statistics, "vector", &err);
    assert_non_null(s);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(fq_series_push(s, value[i], 1.0, (int32_t)i, 0, &err), 0);
    return s;
}

/* Replaces a fact. */
static inline void set_fact(struct fq_cell *cell, const char *name, const char *text) {
    struct fq_error err;
    assert_int_equal(fq_cell_fact(cell, name, &err, "%s", text), 0);
}

#endif
