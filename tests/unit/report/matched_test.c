/* All methods at equal bits: what counts as one curve, what is measured, interpolated or refused, and that the audit's
 * objections keep a row out. */
#include "harness/report/curves.h"
#include "harness/report/tables.h"
#include "tests/unit/report/fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct fq_estimate *add(struct fq_estimates *e, const char *label, double rate, const char *metric, double value,
                               double half) {
    return fixture_add(e, "codec", "tiny", "key", label, "x", rate, metric, value, half);
}

/* A method whose errors fall by 6 dB a bit, at 1.25, 2.25, 3.25 and 4.25 bits; one that has exactly 2 and 4 bits; one
 * with rounds of a rotation that cost nothing; baselines at 4.5 and 16 bits; a control. */
static void fill(struct fq_estimates *e) {
    memset(e, 0, sizeof *e);
    for (int bits = 1; bits <= 4; bits++) {
        char label[64];
        snprintf(label, sizeof label, "alpha bits=%d scale=raw", bits);
        add(e, label, bits + 0.25, "rel_mse", pow(4, -(bits + 0.25)), pow(4, -(bits + 0.25)) / 10);
        add(e, label, bits + 0.25, "ip_slope", 1 - 0.1 / bits, 0.01);
    }
    add(e, "beta group=64 bits=2", 2.1, "rel_mse", 0.1, 0.01);
    add(e, "beta group=32 bits=4", 4.0, "rel_mse", 0.008, 0.001);
    add(e, "gamma bits=2 rounds=1", 2, "rel_mse", 0.12, 0.01);
    add(e, "gamma bits=2 rounds=2", 2, "rel_mse", 0.11, 0.01);
    add(e, "gamma bits=3 rounds=2", 3, "rel_mse", 0.03, 0.01);
    add(e, "delta", 4.5, "rel_mse", 0.007, 0.0001);
    add(e, "beta group=64 bits=2", 2.1, "shared_bytes", 64, 0);
    add(e, "beta group=32 bits=4", 4.0, "shared_bytes", 4096, 0);
    add(e, "half", 16, "rel_mse", 1e-7, 1e-8);
    snprintf(add(e, "wrong bits=3", 3, "rel_mse", 0.5, 0.1)->role, sizeof e->rows[0].role, "negative control");
}

static const struct fq_scope scope = {.kind = "codec", .data = "tiny", .model = "", .tensor = "key"};

static struct fq_curves curves_of(const struct fq_estimates *e, struct fq_subject **subjects) {
    struct fq_curves curves;
    struct fq_error err;
    size_t n;
    assert_int_equal(fq_subjects(e, &scope, NULL, subjects, &n, &err), 0);
    assert_int_equal(fq_curves_build(*subjects, n, &curves, &err), 0);
    return curves;
}

static const struct fq_curve *named(const struct fq_curves *curves, const char *name) {
    for (size_t i = 0; i < curves->n; i++)
        if (strcmp(curves->curve[i].name, name) == 0)
            return &curves->curve[i];
    fail_msg("no curve '%s'", name);
    return NULL;
}

static void numbers_that_cost_bits_make_a_curve(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_subject *subjects;
    fill(&e);
    struct fq_curves curves = curves_of(&e, &subjects);
    assert_int_equal(curves.n, 7);
    assert_int_equal(named(&curves, "alpha scale=raw")->n, 4);
    assert_int_equal(named(&curves, "beta")->n, 2);
    assert_int_equal(named(&curves, "gamma rounds=1")->n, 1);
    assert_int_equal(named(&curves, "gamma rounds=2")->n, 2);
    assert_string_equal(named(&curves, "gamma rounds=2")->point[0]->first->label, "gamma bits=2 rounds=2");
    fq_curves_free(&curves);
    free(subjects);
    fq_estimates_free(&e);
}

static void measured_interpolated_or_not_at_all(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_subject *subjects;
    fill(&e);
    struct fq_curves curves = curves_of(&e, &subjects);
    const struct fq_curve *alpha = named(&curves, "alpha scale=raw"), *beta = named(&curves, "beta");
    struct fq_match m = fq_curve_at(alpha, 3);
    assert_int_equal(m.kind, FQ_MATCH_INTERPOLATED);
    assert_true(m.low->first->rate_bits == 2.25 && m.high->first->rate_bits == 3.25 && fabs(m.part - 0.75) < 1e-12);
    assert_int_equal(fq_curve_at(alpha, 1.25 - FQ_MATCH_WINDOW - 0.01).kind, FQ_MATCH_NONE);
    assert_int_equal(fq_curve_at(alpha, 4.25 + FQ_MATCH_WINDOW + 0.01).kind, FQ_MATCH_NONE);
    assert_int_equal(fq_curve_at(alpha, 4.25 + FQ_MATCH_WINDOW - 0.01).kind, FQ_MATCH_MEASURED);
    m = fq_curve_at(beta, 2);
    assert_int_equal(m.kind, FQ_MATCH_MEASURED);
    assert_true(m.low->first->rate_bits == 2.1 && m.high == NULL);
    assert_int_equal(fq_curve_at(beta, 3).kind, FQ_MATCH_INTERPOLATED);
    assert_int_equal(fq_curve_at(named(&curves, "delta"), 4).kind, FQ_MATCH_NONE);
    fq_curves_free(&curves);
    free(subjects);
    fq_estimates_free(&e);
}

/* On an exponential the interpolation is exact, value and both ends. */
static void interpolation_is_logarithmic_in_errors(void **state) {
    (void)state;
    const struct fq_estimate a = {.value = 0.16, .low = 0.08, .high = 0.32},
                             b = {.value = 0.01, .low = 0.005, .high = 0.02};
    struct fq_interpolated v;
    assert_true(fq_interpolate(&a, &b, 0.5, true, &v));
    assert_true(fabs(v.value - 0.04) < 1e-15 && fabs(v.low - 0.02) < 1e-15 && fabs(v.high - 0.08) < 1e-15);
    assert_true(fq_interpolate(&a, &b, 0.25, true, &v));
    assert_true(fabs(v.value - 0.08) < 1e-15);
    assert_true(fq_interpolate(&a, &b, 0.5, false, &v));
    assert_true(fabs(v.value - 0.085) < 1e-15 && fabs(v.high - 0.17) < 1e-15);
    struct fq_estimate touches_zero = b, none = b;
    touches_zero.low = 0;
    none.high = NAN;
    assert_false(fq_interpolate(&a, &touches_zero, 0.5, true, &v));
    assert_true(fq_interpolate(&a, &touches_zero, 0.5, false, &v));
    assert_false(fq_interpolate(&a, &none, 0.5, false, &v));
}

static const struct fq_table *table_of(const struct fq_tables *t) {
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->rows[i].table.id, "matched-tiny-keys") == 0) {
            assert_int_equal(t->rows[i].section, FQ_SECTION_MATCHED);
            return &t->rows[i].table;
        }
    return NULL;
}

/* The row of a method under the heading of a rate; NULL: it is not there. */
static const struct fq_table_row *row_at(const struct fq_table *t, const char *heading, const char *name) {
    bool under = false;
    for (size_t i = 0; i < t->n_rows; i++) {
        const struct fq_table_row *row = &t->rows[i];
        if (row->heading)
            under = strncmp(row->cell[0].text, heading, strlen(heading)) == 0;
        else if (under && strcmp(row->cell[0].text, name) == 0)
            return row;
    }
    return NULL;
}

static void table_says_where_a_number_is_from(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_tables t = {0};
    struct fq_error err;
    fill(&e);
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    const struct fq_table *m = table_of(&t);
    assert_non_null(m);
    const struct fq_table_row *row = row_at(m, "3 bits", "alpha scale=raw");
    assert_non_null(row);
    assert_string_equal(row->cell[1].text, "interpolated");
    assert_string_equal(row->cell[2].text, "2.25 .. 3.25");
    assert_string_equal(row->cell[4].text, "0.0156"); /* 4^-3 */
    assert_string_equal(row->cell[4].range, "0.0141 \u2013 0.0172");
    assert_string_equal(row->cell[5].text, "0.962"); /* a slope: 0.95 and 1 - 0.1 / 3, linearly */
    row = row_at(m, "2 bits", "beta");
    assert_string_equal(row->cell[1].text, "measured");
    assert_string_equal(row->cell[2].text, "2.1");
    assert_string_equal(row->cell[3].text, "64");
    assert_string_equal(row_at(m, "3 bits", "beta")->cell[3].text, "64 .. 4,096");
    assert_string_equal(row->cell[4].text, "0.100");
    assert_string_equal(row->cell[5].text, "\u2013"); /* has no slope */
    row = row_at(m, "4 bits", "delta");
    assert_string_equal(row->cell[1].text, "not reachable at this rate");
    assert_string_equal(row->cell[2].text, "4.5");
    assert_string_equal(row->cell[4].text, "\u2013");
    assert_null(row_at(m, "4 bits", "half"));
    assert_string_equal(row_at(m, "3 bits", "wrong")->cell[0].note, "negative control");
    /* Sorted by the error; what is not reachable comes last. */
    assert_true(row_at(m, "2 bits", "beta") < row_at(m, "2 bits", "gamma rounds=2"));
    assert_true(row_at(m, "2 bits", "gamma rounds=1") < row_at(m, "2 bits", "delta"));
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

/* At d = 64 one scalar of 16 bits makes 2 bits 2.25: where at least three settings have that rate, it is asked for too.
 */
static void the_common_rate_is_asked_for_as_well(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_tables t = {0};
    struct fq_error err;
    fill(&e);
    add(&e, "single", 2.25, "rel_mse", 0.09, 0.001);
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    assert_null(row_at(table_of(&t), "2.25 bits", "single"));
    fq_tables_free(&t);
    add(&e, "another", 2.25, "rel_mse", 0.08, 0.001);
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    const struct fq_table *m = table_of(&t);
    assert_string_equal(row_at(m, "2.25 bits per coordinate, which", "single")->cell[1].text, "measured");
    assert_string_equal(row_at(m, "2.25 bits", "alpha scale=raw")->cell[1].text, "measured");
    assert_string_equal(row_at(m, "2.25 bits", "beta")->cell[1].text, "interpolated");
    assert_string_equal(row_at(m, "2 bits", "single")->cell[1].text, "not reachable at this rate");
    assert_null(row_at(m, "2.25 bits", "delta")); /* said at 2 bits */
    assert_null(row_at(m, "3.25 bits", "alpha scale=raw"));
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

/* What the audit objects to has no number and is no end of an interpolation; that it is left out is said. */
static void unequal_rows_count_for_nothing(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_tables t = {0};
    struct fq_error err;
    fill(&e);
    snprintf(fixture_find(&e, "alpha bits=3 scale=raw", "ip_slope")->flags, sizeof e.rows[0].flags,
             "unfair:threads_alive");
    snprintf(fixture_find(&e, "wrong bits=3", "rel_mse")->flags, sizeof e.rows[0].flags, "unfair:canaries");
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    const struct fq_table *m = table_of(&t);
    assert_string_equal(row_at(m, "3 bits", "alpha scale=raw")->cell[2].text, "2.25 .. 4.25");
    assert_string_equal(row_at(m, "3 bits", "wrong")->cell[1].text, "left out: the audit objects (canaries)");
    assert_string_equal(row_at(m, "3 bits", "wrong")->cell[2].text, "3");
    assert_string_equal(row_at(m, "3 bits", "wrong")->cell[4].text, "\u2013");
    assert_string_equal(row_at(m, "2 bits", "wrong")->cell[1].text, "not reachable at this rate");
    fq_tables_free(&t);
    /* A method keeps its other settings: only where it would have been had with this one is it left out. */
    snprintf(fixture_find(&e, "beta group=32 bits=4", "rel_mse")->flags, sizeof e.rows[0].flags, "unfair:rate_bits");
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    m = table_of(&t);
    assert_string_equal(row_at(m, "2 bits", "beta")->cell[1].text, "measured");
    assert_string_equal(row_at(m, "3 bits", "beta")->cell[1].text, "left out: the audit objects (rate_bits)");
    assert_string_equal(row_at(m, "3 bits", "beta")->cell[2].text, "2.1 .. 4");
    assert_string_equal(row_at(m, "4 bits", "beta")->cell[1].text, "left out: the audit objects (rate_bits)");
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

static void one_curve_alone_makes_no_table(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_tables t = {0};
    struct fq_error err;
    memset(&e, 0, sizeof e);
    add(&e, "alpha bits=2", 2, "rel_mse", 0.1, 0.01);
    add(&e, "half", 16, "rel_mse", 1e-7, 1e-8);
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    assert_null(table_of(&t));
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_that_cost_bits_make_a_curve),    cmocka_unit_test(measured_interpolated_or_not_at_all),
        cmocka_unit_test(interpolation_is_logarithmic_in_errors), cmocka_unit_test(table_says_where_a_number_is_from),
        cmocka_unit_test(the_common_rate_is_asked_for_as_well),   cmocka_unit_test(unequal_rows_count_for_nothing),
        cmocka_unit_test(one_curve_alone_makes_no_table)};
    return cmocka_run_group_tests_name("matched", tests, NULL, NULL);
}
