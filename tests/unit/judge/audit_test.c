/* The audit: equal runs pass, each unequal field is named with its values and its methods. */
#include "harness/judge/audit.h"

#include "cells.h"

#include <unistd.h>

static struct fq_contracts contracts;

static int load(void **state) {
    (void)state;
    struct fq_error err;
    return fq_contracts_load("configs/contracts.yaml", &contracts, &err);
}

static int unload(void **state) {
    (void)state;
    fq_contracts_free(&contracts);
    return 0;
}

/* Two methods, two seeds, one deterministic method, one speed cell each; all honest. */
static void fair_run(struct fq_results *r) {
    memset(r, 0, sizeof *r);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        put_cell(r, "codec", "alpha", "bits=2", seed, 0, 0, 0);
        put_cell(r, "codec", "beta", "bits=2", seed, 0, 0, 0);
    }
    set_fact(put_cell(r, "codec", "gamma", "bits=2", 1, 0, 0, 0), "shared_bytes", "0"); /* draws nothing */
    put_cell(r, "codec", "alpha", "bits=2", 1, 0, 0, 1);                                /* the A/A twin */
    put_cell(r, "speed", "alpha", "bits=2", 1, 0, 0, 0);
    put_cell(r, "speed", "beta", "bits=2", 1, 0, 0, 0);
    r->planned = r->n_cells;
}

static void audit(const struct fq_results *r, const char *name, struct fq_audit *out) {
    struct fq_error err;
    if (fq_audit_results(&contracts, r, 1, name, out, &err) != 0)
        fail_msg("%s", err.text);
}

/* The audit fails on exactly this field, and its detail holds the two texts. */
static void expect_unfair(struct fq_results *r, const char *field, const char *text, const char *other) {
    struct fq_audit a;
    audit(r, NULL, &a);
    if (a.unfair == 0)
        fail_msg("%s was not seen", field);
    for (size_t i = 0; i < a.n; i++) {
        const struct fq_finding *f = &a.finding[i];
        if (f->fair)
            continue;
        if (strcmp(f->field, field) != 0)
            fail_msg("%s instead of %s: %s", f->field, field, f->detail);
        if (strstr(f->detail, text) == NULL || strstr(f->detail, other) == NULL)
            fail_msg("'%s' names not both '%s' and '%s'", f->detail, text, other);
    }
    fq_audit_free(&a);
    fq_results_free(r);
}

static void passes_equals(void **state) {
    (void)state;
    struct fq_results r;
    struct fq_audit a;
    fair_run(&r);
    audit(&r, NULL, &a);
    assert_int_equal(a.unfair, 0);
    assert_int_equal(a.cells, 8);
    assert_true(a.n > 30);
    assert_null(fq_audit_unfair(&a, "codec", "sphere-64x32"));
    fq_audit_free(&a);
    fq_results_free(&r);
}

static void names_what_differs(void **state) {
    (void)state;
    static const struct {
        const char *fact, *value;
    } equal[] = {{"backend", "avx2"}, {"blas_core", "Zen"},  {"blas_threads", "2"},      {"data_sha256", "ee"},
                 {"batch", "128"},    {"layout", "blocked"}, {"timed_region", "encode"}, {"blas_coretype", "Zen"}};
    struct fq_results r;
    for (size_t i = 0; i < sizeof equal / sizeof *equal; i++) {
        fair_run(&r);
        set_fact(&r.cells[1], equal[i].fact, equal[i].value);
        char text[80];
        snprintf(text, sizeof text, "%s: beta bits=2", equal[i].value);
        expect_unfair(&r, equal[i].fact, text, "alpha bits=2");
    }
    fair_run(&r); /* a speed cell on another processor; where nothing is timed it changes no bit */
    set_fact(&r.cells[7], "cpu_set", "1");
    expect_unfair(&r, "cpu_set", "0: alpha bits=2", "1: beta bits=2");
    fair_run(&r);
    set_fact(&r.cells[1], "cpu_set", "1");
    struct fq_audit a;
    audit(&r, NULL, &a);
    assert_int_equal(a.unfair, 0);
    fq_audit_free(&a);
    fq_results_free(&r);
    static const char *const everywhere[] = {"device",     "cpu_model", "binary_sha256",
                                             "flags_hash", "compiler",  "isa_cap"};
    for (size_t i = 0; i < sizeof everywhere / sizeof *everywhere; i++) {
        fair_run(&r);
        set_fact(&r.cells[6], everywhere[i], "another"); /* a speed cell against codec cells */
        expect_unfair(&r, everywhere[i], "another: alpha bits=2", ";");
    }
}

static void names_more_threads(void **state) {
    (void)state;
    struct fq_results r;
    fair_run(&r);
    set_fact(&r.cells[7], "threads_configured", "2");
    expect_unfair(&r, "threads_configured", "1: alpha bits=2", "2: beta bits=2");
    fair_run(&r);
    set_fact(&r.cells[1], "threads_alive", "2");
    expect_unfair(&r, "threads_alive", "2 with threads_configured 1", "beta bits=2");
    fair_run(&r);
    set_fact(&r.cells[7], "cpu_over_wall", "1.0499");
    struct fq_audit a;
    audit(&r, NULL, &a);
    assert_int_equal(a.unfair, 0); /* inside the slack */
    fq_audit_free(&a);
    set_fact(&r.cells[7], "cpu_over_wall", "1.9");
    expect_unfair(&r, "cpu_over_wall", "1.9", "beta bits=2");
}

static void names_more_bits(void **state) {
    (void)state;
    struct fq_results r;
    fair_run(&r);
    set_fact(&r.cells[1], "rate_bits", "2.5");
    struct fq_audit a;
    audit(&r, NULL, &a);
    assert_int_equal(a.unfair, 0); /* one 16-bit scalar per 64 coordinates: 0.25, within 0.02 + 16/64 */
    fq_audit_free(&a);
    set_fact(&r.cells[1], "rate_bits", "2.75");
    expect_unfair(&r, "rate_bits", "2.25: alpha bits=2", "2.75: beta bits=2");
    fair_run(&r); /* another class: not side by side */
    set_fact(&r.cells[4], "rate_bits", "8.5");
    snprintf(r.cells[4].rate_class, sizeof r.cells[4].rate_class, "8");
    audit(&r, NULL, &a);
    assert_int_equal(a.unfair, 0);
    fq_audit_free(&a);
    fq_results_free(&r);
}

static void names_broken_integrity(void **state) {
    (void)state;
    static const struct {
        const char *fact, *value;
    } broken[] = {{"canaries", "dead"},
                  {"shared_state", "written"},
                  {"codes_only", "the same codes decode differently"},
                  {"imports", "malloc"},
                  {"written_bytes", "641"}};
    struct fq_results r;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        fair_run(&r);
        set_fact(&r.cells[1], broken[i].fact, broken[i].value);
        expect_unfair(&r, broken[i].fact, broken[i].value, "beta bits=2");
    }
}

/* What one scalar costs depends on d: 0.25 bit is one at d = 64, two at 128 and nine at 576. */
static void tolerance_shrinks_with_the_dimension(void **state) {
    (void)state;
    static const struct {
        const char *dim, *rate;
        bool fair;
    } list[] = {{"64", "2.5", true},      {"128", "2.5", false}, {"128", "2.375", true}, {"576", "2.277", true},
                {"576", "2.3055", false}, {"576", "2.5", false}, {"1536", "2.26", true}, {"1536", "2.29", false}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct fq_results r;
        struct fq_audit a;
        fair_run(&r);
        for (size_t k = 0; k < r.n_cells; k++)
            set_fact(&r.cells[k], "dim", list[i].dim);
        set_fact(&r.cells[1], "rate_bits", list[i].rate);
        audit(&r, NULL, &a);
        if ((a.unfair == 0) != list[i].fair)
            fail_msg("2.25 and %s bits at d = %s: %zu unfair", list[i].rate, list[i].dim, a.unfair);
        fq_audit_free(&a);
        fq_results_free(&r);
    }
    struct fq_results r;
    fair_run(&r);
    set_fact(&r.cells[1], "dim", "unknown");
    expect_unfair(&r, "rate_bits", "needs dim", "beta bits=2");
}

/* "codes alone were read" is asked of a time and of a perplexity as much as of a distortion. */
static void every_kind_proves_its_codes(void **state) {
    (void)state;
    static const char *const kinds[] = {"codec", "speed", "model"};
    for (size_t i = 0; i < 3; i++) {
        struct fq_results r;
        fair_run(&r);
        struct fq_cell *cell = put_cell(&r, kinds[i], "omega", "bits=2", 1, 0, 0, 2);
        set_fact(cell, "codes_only", "the same codes decode differently");
        expect_unfair(&r, "codes_only", "the same codes decode differently", "omega");
    }
}

static void flags_of(struct fq_estimate *e, const struct fq_cell *cell) {
    memset(e, 0, sizeof *e);
    snprintf(e->kind, sizeof e->kind, "%s", cell->kind);
    snprintf(e->data, sizeof e->data, "%s", cell->data);
    snprintf(e->method, sizeof e->method, "%s", cell->method);
    snprintf(e->parameters, sizeof e->parameters, "%s", cell->parameters);
    e->replicate = cell->replicate;
}

/* The rows that are marked: one letter per instance of the codec cells, in order alpha, beta, gamma, delta. */
static void marks(const struct fq_results *r, char out[5]) {
    static const char *const names[] = {"alpha", "beta", "gamma", "delta"};
    struct fq_estimate row[4];
    struct fq_audit a;
    memset(row, 0, sizeof row);
    for (size_t i = 0; i < r->n_cells; i++)
        for (int k = 0; k < 4; k++)
            if (strcmp(r->cells[i].method, names[k]) == 0 && strcmp(r->cells[i].kind, "codec") == 0 &&
                r->cells[i].replicate == 0)
                flags_of(&row[k], &r->cells[i]);
    struct fq_estimates e = {.rows = row, .n = 4};
    audit(r, NULL, &a);
    assert_true(a.unfair > 0);
    fq_audit_mark(&a, &e);
    for (int k = 0; k < 4; k++)
        out[k] = strncmp(row[k].flags, "unfair:", 7) == 0 ? names[k][0] : '-';
    out[4] = '\0';
    fq_audit_free(&a);
}

/* One odd row does not send its neighbours apart. */
static void marks_the_odd_rows_only(void **state) {
    (void)state;
    struct fq_results r;
    char who[5];
    fair_run(&r); /* a class of its own that is too wide */
    struct fq_cell *wide = put_cell(&r, "codec", "delta", "bits=2", 1, 0, 0, 0);
    snprintf(wide->rate_class, sizeof wide->rate_class, "9");
    wide = put_cell(&r, "codec", "delta", "bits=2", 2, 0, 0, 0);
    snprintf(wide->rate_class, sizeof wide->rate_class, "9");
    set_fact(wide, "rate_bits", "9.5");
    marks(&r, who);
    assert_string_equal(who, "---d");
    fq_results_free(&r);

    fair_run(&r); /* more than half of the cells agree */
    set_fact(&r.cells[1], "batch", "128");
    marks(&r, who);
    assert_string_equal(who, "-b--");
    set_fact(&r.cells[4], "batch", "256");
    marks(&r, who);
    assert_string_equal(who, "-bg-");
    set_fact(&r.cells[3], "batch", "128"); /* three of six: no clear majority */
    marks(&r, who);
    assert_string_equal(who, "abg-");
    fq_results_free(&r);

    fair_run(&r); /* what is required of each */
    set_fact(&r.cells[4], "canaries", "dead");
    marks(&r, who);
    assert_string_equal(who, "--g-");
    fq_results_free(&r);

    fair_run(&r); /* absence in most of them is no agreement */
    for (int i = 0; i < 4; i++)
        for (size_t k = 0; k < r.cells[i].n_facts; k++)
            if (strcmp(r.cells[i].facts[k].name, "layout") == 0)
                snprintf(r.cells[i].facts[k].name, sizeof r.cells[i].facts[k].name, "renamed");
    marks(&r, who);
    assert_string_equal(who, "abg-");
    fq_results_free(&r);

    fair_run(&r); /* alpha and beta ran two seeds, delta one */
    put_cell(&r, "codec", "delta", "bits=2", 1, 0, 0, 0);
    marks(&r, who);
    assert_string_equal(who, "---d");
    fq_results_free(&r);
}

/* A name that is the beginning of another is listed, too. */
static void names_each_of_two_alike(void **state) {
    (void)state;
    struct fq_results r;
    struct fq_audit a;
    fair_run(&r);
    set_fact(&r.cells[0], "canaries", "dead");
    snprintf(r.cells[0].label, sizeof r.cells[0].label, "alpha bits=2 (twin)");
    set_fact(&r.cells[2], "canaries", "dead");
    audit(&r, NULL, &a);
    const char *detail = NULL;
    for (size_t i = 0; i < a.n; i++)
        if (!a.finding[i].fair && strcmp(a.finding[i].field, "canaries") == 0)
            detail = a.finding[i].detail;
    assert_non_null(detail);
    assert_non_null(strstr(detail, "alpha bits=2 (twin)"));
    const size_t n = strlen(detail), tail = strlen(": alpha bits=2");
    assert_true(n > tail && strcmp(detail + n - tail, ": alpha bits=2") == 0);
    fq_audit_free(&a);
    fq_results_free(&r);
}

/* The default class trusts the nominal width; where that is far off, a reader is told. */
static void notes_a_rate_far_above_nominal(void **state) {
    (void)state;
    struct fq_results r;
    struct fq_audit a;
    fair_run(&r);
    audit(&r, NULL, &a);
    assert_int_equal(a.n_notes, 0);
    fq_audit_free(&a);
    for (size_t i = 0; i < r.n_cells; i++)
        set_fact(&r.cells[i], "rate_bits", "4"); /* nominal 2: two bits are scalars and padding at the worst */
    set_fact(&r.cells[1], "rate_bits", "4.2");
    audit(&r, NULL, &a);
    assert_int_equal(a.unfair, 0);
    assert_int_equal(a.n_notes, 1);
    assert_string_equal(a.note[0].field, "rate_bits");
    assert_non_null(strstr(a.note[0].detail, "beta bits=2: 4.2 measured, 2 nominal"));
    assert_null(strstr(a.note[0].detail, "alpha"));
    fq_audit_free(&a);
    fq_results_free(&r);
}

/* A fact that is demanded and that no cell has fails: silence is no evidence. */
static void absence_is_unfair(void **state) {
    (void)state;
    struct fq_results r;
    fair_run(&r);
    for (size_t i = 0; i < r.n_cells; i++)
        for (size_t k = 0; k < r.cells[i].n_facts; k++)
            if (strcmp(r.cells[i].facts[k].name, "data_sha256") == 0)
                snprintf(r.cells[i].facts[k].name, sizeof r.cells[i].facts[k].name, "renamed");
    expect_unfair(&r, "data_sha256", "(absent)", "alpha bits=2");
    fair_run(&r);
    set_fact(&r.cells[1], "rate_bits", "many");
    expect_unfair(&r, "rate_bits", "absent in", "beta bits=2");
}

static void seeds(void **state) {
    (void)state;
    struct fq_results r;
    struct fq_audit a;
    fair_run(&r);
    put_cell(&r, "codec", "alpha", "bits=2", 3, 0, 0, 0); /* more seeds than the others: pairs are the common ones */
    audit(&r, NULL, &a);
    assert_int_equal(a.unfair, 0);
    fq_audit_free(&a);
    put_cell(&r, "codec", "beta", "bits=2", 4, 0, 0, 0); /* alpha 1 2 3, beta 1 2 4 */
    expect_unfair(&r, "seeds", "1 2 3: alpha bits=2", "1 2 4: beta bits=2");
    fair_run(&r);
    put_cell(&r, "codec", "delta", "bits=2", 1, 0, 0, 0); /* draws, but ran one seed */
    expect_unfair(&r, "seeds", "1: delta bits=2", "1 2: alpha bits=2");
}

static void failed_cells_are_left_out(void **state) {
    (void)state;
    struct fq_results r;
    struct fq_audit a;
    struct fq_error err;
    fair_run(&r);
    set_fact(&r.cells[1], "backend", "avx2");
    r.cells[1].ok = r.cells[3].ok = false;
    audit(&r, NULL, &a);
    assert_int_equal(a.unfair, 0);
    assert_int_equal(a.failed, 2);
    fq_audit_free(&a);
    r.cells[3].ok = true; /* one seed of beta failed: what is left is no like for like */
    audit(&r, NULL, &a);
    assert_int_equal(a.unfair, 1);
    assert_string_equal(fq_audit_unfair(&a, "codec", "sphere-64x32")->field, "seeds");
    fq_audit_free(&a);
    for (size_t i = 0; i < r.n_cells; i++)
        r.cells[i].ok = false;
    assert_int_equal(fq_audit_results(&contracts, &r, 1, NULL, &a, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "no finished cell"));
    fq_results_free(&r);
}

static void contract_errors(void **state) {
    (void)state;
    struct fq_results r;
    struct fq_audit a;
    struct fq_error err;
    fair_run(&r);
    assert_int_equal(fq_audit_results(&contracts, &r, 1, "matched-cpus", &a, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "did you mean 'matched-cpu'"));
    snprintf(r.cells[2].contract, sizeof r.cells[2].contract, "other");
    assert_int_equal(fq_audit_results(&contracts, &r, 1, NULL, &a, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "--contract"));
    fq_results_free(&r);

    char path[] = "/tmp/fq-contract-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    fputs("- name: x\n  about: y\n  requires: []\n", f);
    fclose(f);
    struct fq_contracts bad;
    assert_int_equal(fq_contracts_load(path, &bad, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, ":3:"));
    assert_non_null(strstr(err.text, "requires"));
    f = fopen(path, "w");
    assert_non_null(f);
    fputs("- name: x\n  about: y\n  require:\n    - {fact: a, is: b, equals: c}\n", f);
    fclose(f);
    assert_int_equal(fq_contracts_load(path, &bad, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "exactly one"));
    unlink(path);
}

static void exhibits_and_marks(void **state) {
    (void)state;
    struct fq_results r;
    struct fq_audit a;
    fair_run(&r);
    audit(&r, "exhibit-unequal-threads", &a);
    assert_true(a.exhibit);
    struct fq_estimate rows[2];
    memset(rows, 0, sizeof rows);
    for (int i = 0; i < 2; i++) {
        snprintf(rows[i].kind, sizeof rows[i].kind, "%s", i == 0 ? "codec" : "speed");
        snprintf(rows[i].data, sizeof rows[i].data, "sphere-64x32");
        snprintf(rows[i].method, sizeof rows[i].method, "beta");
        snprintf(rows[i].parameters, sizeof rows[i].parameters, "bits=2");
    }
    struct fq_estimates e = {.rows = rows, .n = 2};
    fq_audit_mark(&a, &e);
    assert_string_equal(rows[0].flags, "unfair:exhibit");
    fq_audit_free(&a);

    rows[0].flags[0] = '\0';
    snprintf(rows[1].flags, sizeof rows[1].flags, "one-seed");
    set_fact(&r.cells[7], "threads_configured", "2");
    audit(&r, NULL, &a);
    fq_audit_mark(&a, &e);
    assert_string_equal(rows[0].flags, ""); /* the codec cells are equal */
    assert_string_equal(rows[1].flags, "unfair:threads_configured,one-seed");
    fq_audit_free(&a);
    fq_results_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_equals),
        cmocka_unit_test(names_what_differs),
        cmocka_unit_test(names_more_threads),
        cmocka_unit_test(names_more_bits),
        cmocka_unit_test(names_broken_integrity),
        cmocka_unit_test(absence_is_unfair),
        cmocka_unit_test(seeds),
        cmocka_unit_test(failed_cells_are_left_out),
        cmocka_unit_test(contract_errors),
        cmocka_unit_test(exhibits_and_marks),
        cmocka_unit_test(tolerance_shrinks_with_the_dimension),
        cmocka_unit_test(every_kind_proves_its_codes),
        cmocka_unit_test(marks_the_odd_rows_only),
        cmocka_unit_test(notes_a_rate_far_above_nominal),
        cmocka_unit_test(names_each_of_two_alike),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
