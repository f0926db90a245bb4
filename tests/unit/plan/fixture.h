/* Shared by the plan tests: a scratch folder, small cells, and sweeps as text. */
#ifndef FQ_TESTS_PLAN_FIXTURE_H
#define FQ_TESTS_PLAN_FIXTURE_H

#include "harness/plan/cell.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char fixture_dir[64];

static int fixture_remove_one(const char *path, const struct stat *st, int type, struct FTW *walk) {
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static int fixture_open(void **state) {
    (void)state;
    snprintf(fixture_dir, sizeof fixture_dir, "/tmp/fq-plan-XXXXXX");
    return mkdtemp(fixture_dir) == NULL;
}

static int fixture_close(void **state) {
    (void)state;
    return nftw(fixture_dir, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *fixture_path(const char *name) {
    static char path[4][256];
    static size_t next;
    char *at = path[next++ % 4];
    snprintf(at, sizeof path[0], "%s/%s", fixture_dir, name);
    return at;
}

static inline void fixture_write(const char *path, const void *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
        abort();
}

/* A cell with facts and two series, one of them weighted; `k` makes it different from others. */
static inline struct fq_cell fixture_cell(int k) {
    struct fq_cell c = {0};
    struct fq_error err = {0};
    snprintf(c.id, sizeof c.id, "%016x", (unsigned)k + 1);
    snprintf(c.key, sizeof c.key, "key %d", k);
    snprintf(c.kind, sizeof c.kind, "codec");
    snprintf(c.data, sizeof c.data, "sphere-64x32");
    snprintf(c.method, sizeof c.method, "m%d", k);
    snprintf(c.parameters, sizeof c.parameters, "bits=%d", k);
    snprintf(c.rate_class, sizeof c.rate_class, "2");
    c.seed = 1000000000000ULL + (unsigned)k;
    c.replicate = k % 2;
    c.order = (uint64_t)k;
    c.ok = true;
    c.nominal_bits = 2;
    c.rate_bits = 2.25;
    (void)fq_cell_fact(&c, "threads_alive", &err, "%d", k);
    (void)fq_cell_fact(&c, "rate_bits", &err, "%.17g", 0.1 * k);
    struct fq_series *plain = fq_series_add(&c.series, "rel_mse", "vectors", "1", "mean", "vector", &err);
    for (int i = 0; plain && i < 3 + k; i++)
        (void)fq_series_push(plain, 0.1 * i + k, 1.0, i, 0, &err);
    struct fq_series *heavy = fq_series_add(&c.series, "energy_mse", "vectors", "1", "mean,max", "vector", &err);
    for (int i = 0; heavy && i < 2; i++)
        (void)fq_series_push(heavy, 1.0 / (i + 3), 0.5 + i, i, k, &err);
    return c;
}

#endif
