/* Estimates made by hand, for the tests of this floor: two contenders and a control in two rate classes, one of them
 * unequal, one negative interval, one name that tries to break out of every format. */
#ifndef FQ_TEST_REPORT_FIXTURE_H
#define FQ_TEST_REPORT_FIXTURE_H

#include "harness/judge/estimate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline struct fq_estimate *fixture_add(struct fq_estimates *e, const char *kind, const char *data,
                                              const char *tensor, const char *label, const char *rate_class,
                                              double rate, const char *metric, double value, double half) {
    e->rows = realloc(e->rows, (e->n + 1) * sizeof *e->rows);
    if (e->rows == NULL)
        abort();
    struct fq_estimate *row = &e->rows[e->n++];
    memset(row, 0, sizeof *row);
    snprintf(row->kind, sizeof row->kind, "%s", kind);
    snprintf(row->data, sizeof row->data, "%s", data);
    snprintf(row->tensor, sizeof row->tensor, "%s", tensor);
    snprintf(row->label, sizeof row->label, "%s", label);
    snprintf(row->method, sizeof row->method, "%.*s", (int)strcspn(label, " "), label);
    snprintf(row->parameters, sizeof row->parameters, "%s", strchr(label, ' ') != NULL ? strchr(label, ' ') + 1 : "");
    snprintf(row->role, sizeof row->role, "contender");
    snprintf(row->rate_class, sizeof row->rate_class, "%s", rate_class);
    snprintf(row->contract, sizeof row->contract, "matched-cpu");
    snprintf(row->metric, sizeof row->metric, "%s", metric);
    snprintf(row->resampled, sizeof row->resampled, "seed, vector");
    row->nominal_bits = rate - 0.25;
    row->rate_bits = rate;
    row->value = value;
    row->low = value - half;
    row->high = value + half;
    row->n = 512;
    row->seed_count = 3;
    return row;
}

static inline void fixture_fill(struct fq_estimates *e) {
    static const struct {
        const char *label, *rate_class;
        double rate, mse;
    } rows[] = {{"alpha bits=2 scale=raw", "2", 2.25, 0.1175},
                {"alpha bits=4 scale=raw", "4", 4.25, 0.0095},
                {"beta_x bits=2", "2", 2.25, 0.1159},
                {"beta_x bits=4", "4", 4.25, 0.0099},
                {"gamma<i>|%", "10", 10.5, 0.00001}};
    memset(e, 0, sizeof *e);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *l = rows[i].label, *c = rows[i].rate_class;
        double r = rows[i].rate, m = rows[i].mse;
        fixture_add(e, "codec", "sphere-512x64", "vectors", l, c, r, "rel_mse", m, m / 40);
        fixture_add(e, "codec", "sphere-512x64", "vectors", l, c, r, "ip_rmse_sqrtd_rho0", 3 * m, m / 20);
        for (int bin = 0; bin < 10; bin++) {
            char name[32];
            snprintf(name, sizeof name, "ip_bias_bin%d", bin);
            fixture_add(e, "codec", "sphere-512x64", "vectors", l, c, r, name, -m * bin / 10.0, 0.001);
            snprintf(name, sizeof name, "ip_true_bin%d", bin);
            fixture_add(e, "codec", "sphere-512x64", "vectors", l, c, r, name, bin / 10.0 + 0.05, 0.0001);
        }
        fixture_add(e, "codec", "sphere-512x64", "vectors", l, c, r, "record_bytes", r * 8, 0);
        fixture_add(e, "model", "tiny/noise", "kv", l, c, r, "perplexity", 23.7 + 20 * m, 1.5);
        fixture_add(e, "model", "tiny/noise", "kv", l, c, r, "delta_log_ppl", 20 * m / 23.7, 0.01);
        fixture_add(e, "model", "tiny/noise", "kv", l, c, r, "kl", m, m / 10);
        fixture_add(e, "speed", "sphere-512x64", "vectors", l, c, r, "ns_encode", 300 + 10 * (double)i, 5);
        fixture_add(e, "speed", "sphere-512x64", "vectors", l, c, r, "floor_ns_encode", 20, 1);
        fixture_add(e, "speed", "sphere-512x64", "vectors", l, c, r, "bytes_moved_encode", 256 + r * 8, 0);
        fixture_add(e, "speed", "sphere-512x64", "vectors", l, c, r, "over_floor_encode", 15 + (double)i, 0.5);
    }
}

static inline struct fq_estimate *fixture_find(struct fq_estimates *e, const char *label, const char *metric) {
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->rows[i].label, label) == 0 && strcmp(e->rows[i].metric, metric) == 0)
            return &e->rows[i];
    abort();
}

/* What a function writes, as text to be freed. */
#define FIXTURE_TEXT(text, call)                                                                                       \
    do {                                                                                                               \
        size_t fixture_n_ = 0;                                                                                         \
        FILE *f = open_memstream(&(text), &fixture_n_);                                                                \
        if (f == NULL)                                                                                                 \
            abort();                                                                                                   \
        call;                                                                                                          \
        (void)fclose(f);                                                                                               \
    } while (0)

#endif
