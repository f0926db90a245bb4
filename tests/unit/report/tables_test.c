/* Tables: what stands beside what, what is listed apart, and that no number comes without an interval. */
#include "harness/report/cells_csv.h"
#include "harness/report/select.h"
#include "harness/report/tables.h"
#include "tests/unit/report/fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct fq_table *table_named(const struct fq_tables *t, const char *id) {
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->rows[i].table.id, id) == 0)
            return &t->rows[i].table;
    return NULL;
}

static const struct fq_table_row *row_named(const struct fq_table *t, const char *name) {
    for (size_t i = 0; t != NULL && i < t->n_rows; i++)
        if (!t->rows[i].heading && strcmp(t->rows[i].cell[0].text, name) == 0)
            return &t->rows[i];
    return NULL;
}

static void rate_classes_in_order(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_tables t = {0};
    struct fq_error err;
    fixture_fill(&e);
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    const struct fq_table *q = table_named(&t, "quality-sphere-512x64-vectors");
    assert_non_null(q);
    /* classes 2, 4, 10: by value, not by letter; two rows, two rows, one row, and a heading each */
    assert_int_equal(q->n_rows, 8);
    assert_string_equal(q->rows[0].cell[0].text, "rate class 2");
    assert_string_equal(q->rows[3].cell[0].text, "rate class 4");
    assert_string_equal(q->rows[6].cell[0].text, "rate class 10");
    assert_string_equal(row_named(q, "alpha bits=2 scale=raw")->cell[2].text, "0.1175");
    assert_string_equal(row_named(q, "alpha bits=2 scale=raw")->cell[2].range, "0.1146 \u2013 0.1204");
    assert_non_null(table_named(&t, "model-tiny-noise-keys-and-values"));
    assert_non_null(table_named(&t, "speed-sphere-512x64-vectors"));
    assert_null(table_named(&t, "quality-sphere-512x64-vectors-apart"));
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

static void unequal_rows_apart(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_tables t = {0};
    struct fq_error err;
    fixture_fill(&e);
    snprintf(fixture_find(&e, "beta_x bits=2", "rel_mse")->flags, sizeof e.rows[0].flags, "one-seed,unfair:rate_bits");
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    assert_null(row_named(table_named(&t, "quality-sphere-512x64-vectors"), "beta_x bits=2"));
    const struct fq_table *apart = table_named(&t, "quality-sphere-512x64-vectors-apart");
    assert_non_null(apart);
    assert_true(apart->rows[0].heading);
    assert_string_equal(apart->rows[0].cell[0].text, "beta_x bits=2: differs in rate_bits");
    assert_string_equal(row_named(apart, "relative MSE")->cell[3].text, "0.1159");
    assert_non_null(row_named(table_named(&t, "speed-sphere-512x64-vectors"), "beta_x bits=2"));
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

/* A long list apart is whole in the files and opened on demand on the page. */
static void a_long_list_is_folded(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_tables t = {0};
    struct fq_error err;
    fixture_fill(&e);
    for (int i = 0; i < 30; i++) {
        char label[32];
        snprintf(label, sizeof label, "omega bits=%d", i);
        snprintf(fixture_add(&e, "codec", "sphere-512x64", "vectors", label, "2", 2.25, "rel_mse", 0.1, 0.01)->flags,
                 96, "unfair:threads");
    }
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    const struct fq_table *apart = table_named(&t, "quality-sphere-512x64-vectors-apart");
    assert_non_null(apart);
    assert_int_equal(apart->n_rows, 60);
    assert_string_equal(apart->fold, "30 methods, 30 numbers: open the list");
    assert_string_equal(table_named(&t, "quality-sphere-512x64-vectors")->fold, "");
    char *html = NULL;
    FIXTURE_TEXT(html, fq_table_html(f, apart));
    const char *open = strstr(html, "<details>"), *shut = strstr(html, "</details>");
    assert_true(open != NULL && shut != NULL && open < strstr(html, "<table") && strstr(html, "</table>") < shut);
    free(html);
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

/* A time whose interval spans more than a factor of ten is no number, in the table; the file for programs keeps it. */
static void a_disturbed_time_is_no_number(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_tables t = {0};
    struct fq_error err;
    fixture_fill(&e);
    struct fq_estimate *time = fixture_find(&e, "beta_x bits=2", "ns_encode");
    time->value = 642;
    time->low = 53;
    time->high = 61299;
    snprintf(time->flags, sizeof time->flags, "few-units,too-wide");
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    const struct fq_table_row *s = row_named(table_named(&t, "speed-sphere-512x64-vectors"), "beta_x bits=2");
    assert_string_equal(s->cell[2].text, "not measurable here");
    assert_string_equal(s->cell[2].range, "");
    assert_string_equal(s->cell[2].note, "processes disagree");
    char *csv = NULL;
    FIXTURE_TEXT(csv, fq_put_cells_csv(f, &e));
    assert_non_null(strstr(csv, "ns_encode,642,53,61299,"));
    assert_non_null(strstr(csv, "\"few-units,too-wide\""));
    free(csv);
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

static void metrics_have_names(void **state) {
    (void)state;
    static const char *const list[][2] = {
        {"rel_mse", "relative MSE"},     {"ip_slope_rho50", "IP slope (\u03c1 = 0.5)"},
        {"kl.median", "KL median"},      {"rel_mse.median", "relative MSE, median"},
        {"ns_encode", "time to encode"}, {"shared_bytes", "shared state"}};
    char out[160];
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        assert_true(fq_metric_title(list[i][0], out, sizeof out));
        assert_string_equal(out, list[i][1]);
    }
    assert_false(fq_metric_title("rel_ms", out, sizeof out));
    assert_string_equal(out, "rel_ms");
}

static void no_number_without_interval(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_tables t = {0};
    struct fq_error err;
    fixture_fill(&e);
    struct fq_estimate *row = fixture_find(&e, "alpha bits=4 scale=raw", "rel_mse");
    row->low = row->high = NAN;
    row->value = 0.0095123;
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    const struct fq_table *q = table_named(&t, "quality-sphere-512x64-vectors");
    assert_string_equal(row_named(q, "alpha bits=4 scale=raw")->cell[2].text, "no interval");
    char *csv = NULL, *md = NULL;
    FIXTURE_TEXT(csv, fq_put_cells_csv(f, &e));
    FIXTURE_TEXT(md, fq_table_markdown(f, q));
    assert_null(strstr(csv, "0.0095123"));
    assert_null(strstr(md, "0.0095"));
    free(csv);
    free(md);
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

static void flags_become_words(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_tables t = {0};
    struct fq_error err;
    fixture_fill(&e);
    snprintf(fixture_find(&e, "alpha bits=4 scale=raw", "delta_log_ppl")->flags, 96, "few-units");
    struct fq_estimate *time = fixture_find(&e, "alpha bits=2 scale=raw", "ns_encode");
    time->value = 10;
    time->low = 9;
    time->high = 11;
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    const struct fq_table_row *m =
        row_named(table_named(&t, "model-tiny-noise-keys-and-values"), "alpha bits=4 scale=raw");
    assert_string_equal(m->cell[3].note, "few units");
    const struct fq_table_row *s = row_named(table_named(&t, "speed-sphere-512x64-vectors"), "alpha bits=2 scale=raw");
    assert_string_equal(s->cell[2].note, "below its floor: impossible");
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

static size_t count(const char *text, const char *what) {
    size_t n = 0;
    for (const char *s = text; (s = strstr(s, what)) != NULL; s += strlen(what))
        n++;
    return n;
}

static void three_forms(void **state) {
    (void)state;
    struct fq_estimates e;
    struct fq_tables t = {0};
    struct fq_error err;
    fixture_fill(&e);
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    const struct fq_table *q = table_named(&t, "quality-sphere-512x64-vectors");
    char *md = NULL, *tex = NULL, *html = NULL;
    FIXTURE_TEXT(md, fq_table_markdown(f, q));
    FIXTURE_TEXT(tex, fq_table_latex(f, q));
    FIXTURE_TEXT(html, fq_table_html(f, q));
    assert_non_null(strstr(md, "gamma&lt;i&gt;\\|%"));
    assert_non_null(strstr(tex, "gamma\\textless{}i\\textgreater{}\\textbar{}\\%"));
    assert_non_null(strstr(html, "gamma&lt;i&gt;|%"));
    assert_null(strstr(html, "<i>"));
    assert_non_null(strstr(tex, "\\toprule"));
    assert_non_null(strstr(tex, "beta\\_x bits=2"));
    /* Every row of the Markdown has as many bars as its head. */
    const char *line = strstr(md, "\n\n| ") + 2;
    size_t n = strcspn(line, "\n"), bars = 0;
    for (size_t i = 0; i < n; i++)
        bars += line[i] == '|';
    size_t rows = 0;
    for (; *line == '|'; line += strcspn(line, "\n") + 1) {
        size_t here = 0;
        for (size_t i = 0; line[i] != '\n'; i++)
            here += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
        assert_int_equal(here, bars);
        rows++;
    }
    assert_int_equal(rows, q->n_rows + 2);
    assert_int_equal(count(html, "<tr"), q->n_rows + 1);
    free(md);
    free(tex);
    free(html);
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

/* Keys and values of a set with a long name (a list of layers) are two tables, and so are names that no file name can
 * tell apart. */
static void every_table_has_a_name_of_its_own(void **state) {
    (void)state;
    struct fq_estimates e = {0};
    struct fq_tables t = {0};
    struct fq_error err;
    static const char data[] =
        "a-model-and-its-corpus-layers-0+1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16+17+18-2048-tokens";
    fixture_add(&e, "codec", data, "key", "m", "2", 2, "rel_mse", 0.1, 0.01);
    fixture_add(&e, "codec", data, "value", "m", "2", 2, "rel_mse", 0.1, 0.01);
    fixture_add(&e, "codec", "set+1", "key", "m", "2", 2, "rel_mse", 0.1, 0.01);
    fixture_add(&e, "codec", "set*1", "key", "m", "2", 2, "rel_mse", 0.1, 0.01);
    assert_int_equal(fq_tables_build(&e, &t, &err), 0);
    assert_true(t.n >= 4);
    for (size_t i = 0; i < t.n; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(t.rows[i].table.id, t.rows[k].table.id);
    fq_tables_free(&t);
    fq_estimates_free(&e);
}

static void tidy_csv(void **state) {
    (void)state;
    struct fq_estimates e;
    memset(&e, 0, sizeof e);
    struct fq_estimate *row = fixture_add(&e, "codec", "a,b", "key", "m bits=2", "2", 2.25, "rel_mse", 0.125, 0.0625);
    snprintf(row->flags, sizeof row->flags, "one-seed,partial");
    char *csv = NULL;
    FIXTURE_TEXT(csv, fq_put_cells_csv(f, &e));
    assert_string_equal(csv, "data,model,tensor,method,parameters,nominal_bits,rate_bits,metric,value,low,high,unit,n,"
                             "seed_count,verdict_flags,label,role,rate_class,contract,kind,resampled,replicate\n"
                             "\"a,b\",,key,m,bits=2,2,2.25,rel_mse,0.125,0.0625,0.1875,,512,3,\"one-seed,partial\","
                             "m bits=2,contender,2,matched-cpu,codec,\"seed, vector\",0\n");
    free(csv);
    fq_estimates_free(&e);
}

static void curves_lose_their_width(void **state) {
    (void)state;
    char out[96];
    fq_curve_name("rabitq bits=3 search=fast", out, sizeof out);
    assert_string_equal(out, "rabitq search=fast");
    fq_curve_name("q4_0", out, sizeof out);
    assert_string_equal(out, "q4_0");
    fq_curve_name("m bits=3", out, sizeof out);
    assert_string_equal(out, "m");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rate_classes_in_order),
                                       cmocka_unit_test(unequal_rows_apart),
                                       cmocka_unit_test(a_long_list_is_folded),
                                       cmocka_unit_test(a_disturbed_time_is_no_number),
                                       cmocka_unit_test(metrics_have_names),
                                       cmocka_unit_test(no_number_without_interval),
                                       cmocka_unit_test(flags_become_words),
                                       cmocka_unit_test(three_forms),
                                       cmocka_unit_test(tidy_csv),
                                       cmocka_unit_test(every_table_has_a_name_of_its_own),
                                       cmocka_unit_test(curves_lose_their_width)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
