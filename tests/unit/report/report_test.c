/* A whole report from results made by hand: files present, page self-contained, escapes everywhere, honest without
 * gnuplot. */
#include "harness/base/file.h"
#include "harness/judge/audit.h"
#include "harness/judge/verdict.h"
#include "harness/report/judged_files.h"
#include "harness/report/report.h"
#include "tests/unit/report/fixture.h"
#include "tests/unit/report/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char evil[] = "</td><script>alert(1)</script>";

struct world {
    struct fq_estimates e;
    struct fq_results results;
    struct fq_cell cells[2];
    struct fq_fact facts[2], machine[1];
    struct fq_audit audit;
    struct fq_finding findings[2];
    struct fq_claim_test test;
    struct fq_claim claim;
    struct fq_test_result result;
    struct fq_verdict verdict;
    struct fq_verdicts verdicts;
    const char *paths[1];
    struct fq_report_input in;
};

static void build(struct world *w) {
    memset(w, 0, sizeof *w);
    fixture_fill(&w->e);
    snprintf(w->results.sweep_name, sizeof w->results.sweep_name, "fix<ture>");
    w->results.sweep_text = evil;
    w->results.machine = w->machine;
    w->results.n_machine = 1;
    snprintf(w->machine[0].name, sizeof w->machine[0].name, "cpu_model");
    snprintf(w->machine[0].text, sizeof w->machine[0].text, "%s", evil);
    w->results.cells = w->cells;
    w->results.n_cells = 2;
    w->results.planned = 3;
    w->cells[0].ok = true;
    w->cells[0].facts = w->facts;
    w->cells[0].n_facts = 1;
    snprintf(w->cells[0].data, sizeof w->cells[0].data, "sphere-512x64");
    snprintf(w->facts[0].name, sizeof w->facts[0].name, "data_sha256");
    snprintf(w->facts[0].text, sizeof w->facts[0].text, "0123456789abcdef");
    snprintf(w->cells[1].label, sizeof w->cells[1].label, "delta");
    snprintf(w->cells[1].reason, sizeof w->cells[1].reason, "scale overflows at vector 7 & stops");
    snprintf(w->audit.contract, sizeof w->audit.contract, "matched-cpu");
    w->audit.finding = w->findings;
    w->audit.n = 2;
    w->audit.unfair = 1;
    w->audit.cells = 1;
    w->audit.failed = 1;
    snprintf(w->findings[0].field, sizeof w->findings[0].field, "rate_bits");
    snprintf(w->findings[0].detail, sizeof w->findings[0].detail, "2.25: alpha; 4.25: beta <b>");
    snprintf(w->findings[1].field, sizeof w->findings[1].field, "backend");
    w->findings[1].fair = true;
    w->test = (struct fq_claim_test){.name = "one", .as = FQ_AS_RATIO};
    w->claim = (struct fq_claim){.id = "a-claim",
                                 .who = "Somebody & others",
                                 .words = evil,
                                 .where = "page 3",
                                 .statement = "alpha is below beta",
                                 .contract = "matched-cpu",
                                 .family = "f",
                                 .level = 0.95,
                                 .tests = &w->test,
                                 .tests_count = 1};
    w->result =
        (struct fq_test_result){.test = &w->test,
                                .outcome = FQ_HOLDS,
                                .cells = "alpha",
                                .against = "beta",
                                .metric = "rel_mse",
                                .measured = {.value = 0.912345, .low = 0.90, .high = 0.92, .has_interval = true},
                                .reference = 1,
                                .effect = 0.912345,
                                .low = 0.90,
                                .high = 0.92,
                                .p_holm = 0.003};
    w->verdict =
        (struct fq_verdict){.claim = &w->claim, .kind = FQ_SUPPORTED, .result = &w->result, .n = 1, .holds = 1};
    snprintf(w->verdict.reason, sizeof w->verdict.reason, "The ratio is below 1 > 0.");
    w->verdicts = (struct fq_verdicts){.verdict = &w->verdict, .n = 1};
    w->paths[0] = "R.h5";
    w->in = (struct fq_report_input){.paths = w->paths,
                                     .results = &w->results,
                                     .n_results = 1,
                                     .estimates = &w->e,
                                     .audit = &w->audit,
                                     .verdicts = &w->verdicts};
}

static char *text_of(const char *dir, const char *name) {
    char path[512];
    char *text = NULL;
    size_t n = 0;
    struct fq_error err;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (fq_read_text(path, &text, &n, &err) != 0)
        return NULL;
    return text;
}

static void says(const char *text, const char *what) {
    if (strstr(text, what) == NULL)
        fail_msg("'%s' is missing", what);
}

/* No reference that a browser would fetch, and nothing that it would run. */
static void self_contained(const char *html) {
    static const char *const banned[] = {"<script", "<link",       "<img",       "<iframe", "@import",       "url(http",
                                         "src=",    "href=\"http", "href='http", "onload=", "<foreignObject"};
    for (size_t i = 0; i < sizeof banned / sizeof banned[0]; i++)
        if (strstr(html, banned[i]) != NULL)
            fail_msg("the page has '%s'", banned[i]);
}

static void whole_report(void **state) {
    (void)state;
    struct world *w = malloc(sizeof *w);
    assert_non_null(w);
    build(w);
    char dir[128], warning[FQ_ERROR_SIZE];
    struct fq_error err = {0};
    snprintf(dir, sizeof dir, "%s/whole", base);
    if (fq_report_write(&w->in, dir, warning, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(warning, "");
    char *html = text_of(dir, "index.html");
    assert_non_null(html);
    self_contained(html);
    says(html, "alpha is below beta");
    says(html, "supported");
    says(html, "0.912");
    says(html, "<abbr title=\"rel_mse\">relative MSE</abbr> of alpha over beta; reference 1");
    says(html, "Somebody &amp; others");
    says(html, "unfair in 1 of 2 comparisons");
    says(html, "<h2 id=\"quality\">Vectors</h2>");
    assert_null(strstr(html, "make reproduce"));
    says(html, "2.25: alpha; 4.25: beta &lt;b&gt;");
    says(html, "fix&lt;ture&gt;");
    says(html, "2 of 3 planned cells (the run is partial)");
    says(html, "scale overflows at vector 7 &amp; stops");
    says(html, "0123456789abcdef");
    says(html, "What we do not claim");
    /* verdicts before audit before tables */
    assert_true(strstr(html, "id=\"verdicts\"") < strstr(html, "id=\"audit\""));
    assert_true(strstr(html, "id=\"audit\"") < strstr(html, "id=\"quality\""));
    static const char *const figures[] = {"rate_mse", "rate_gap", "rate_ip", "bias", "rate_perplexity", "stage_times"};
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        char name[64], id[64];
        snprintf(name, sizeof name, "plots/%s.svg", figures[i]);
        char *svg = text_of(dir, name);
        assert_non_null(svg);
        free(svg);
        snprintf(name, sizeof name, "plots/%s.pdf", figures[i]);
        char *pdf = text_of(dir, name);
        assert_non_null(pdf);
        assert_memory_equal(pdf, "%PDF", 4);
        free(pdf);
        /* ids of a picture carry its name, because all pictures share the page */
        snprintf(id, sizeof id, "id=\"%s-gnuplot_canvas\"", figures[i]);
        says(html, id);
    }
    assert_null(strstr(html, "id=\"gnuplot_canvas\""));
    /* the section of the model has the figure that it has data for, and its tables */
    const char *section = strstr(html, "<section id=\"model-tiny-noise\">");
    assert_non_null(section);
    says(html, "<a href=\"#model\">Model</a>");
    says(section, "id=\"model_rate-tiny-noise-gnuplot_canvas\"");
    says(section, "Not measured in this run: bins of positions");
    says(section, "tiny/noise, keys and values: the model with a quantized cache");
    assert_null(strstr(html, "plot-model_layers"));
    char *csv = text_of(dir, "verdicts.csv");
    assert_non_null(csv);
    says(csv, "a-claim,Somebody & others,alpha is below beta,supported");
    char *audit = text_of(dir, "audit.txt");
    assert_non_null(audit);
    says(audit, "UNEQUAL  rate_bits: 2.25: alpha");
    free(audit);
    free(csv);
    free(html);
    fq_estimates_free(&w->e);
    free(w);
}

static void without_gnuplot(void **state) {
    (void)state;
    struct world *w = malloc(sizeof *w);
    assert_non_null(w);
    build(w);
    char dir[128], path[4096], warning[FQ_ERROR_SIZE];
    struct fq_error err = {0};
    snprintf(dir, sizeof dir, "%s/bare", base);
    snprintf(path, sizeof path, "%s", getenv("PATH"));
    setenv("PATH", "/nonexistent", 1);
    int code = fq_report_write(&w->in, dir, warning, &err);
    setenv("PATH", path, 1);
    assert_int_equal(code, 0);
    assert_non_null(strstr(warning, "gnuplot is not installed"));
    char *html = text_of(dir, "index.html"), *mark = text_of(dir, "REPORT.txt"),
         *data = text_of(dir, "plots/data/rate_mse.csv");
    assert_non_null(html);
    says(html, "Plots are absent: gnuplot is not installed");
    says(mark, "Plots are absent");
    assert_non_null(data);
    says(data, "alpha scale=raw");
    char *svg = text_of(dir, "plots/rate_mse.svg");
    assert_null(svg);
    free(data);
    free(mark);
    free(html);
    fq_estimates_free(&w->e);
    free(w);
}

/* Every line of verdicts.csv has as many fields as its head, a claim without comparisons included. */
static void verdicts_csv_is_square(void **state) {
    (void)state;
    struct world *w = malloc(sizeof *w);
    assert_non_null(w);
    build(w);
    struct fq_verdict two[2] = {w->verdict, w->verdict};
    two[1].n = 0;
    two[1].kind = FQ_NOT_MEASURED;
    struct fq_verdicts both = {.verdict = two, .n = 2};
    char *csv = NULL;
    FIXTURE_TEXT(csv, fq_put_verdicts_csv(f, &both));
    size_t head = 0, lines = 0;
    for (const char *s = csv; *s != '\0'; s++, lines++) {
        size_t fields = 1;
        for (bool quoted = false; *s != '\n'; s++) {
            quoted = quoted != (*s == '"');
            fields += *s == ',' && !quoted;
        }
        if (lines == 0)
            head = fields;
        assert_int_equal(fields, head);
    }
    assert_int_equal(lines, 3);
    free(csv);
    fq_estimates_free(&w->e);
    free(w);
}

/* A claim that nothing was measured for stands in a list below the table, and takes no row of it. */
static void untouched_claims_are_listed(void **state) {
    (void)state;
    struct world *w = malloc(sizeof *w);
    assert_non_null(w);
    build(w);
    struct fq_claim other = *w->verdict.claim;
    other.id = "untouched-claim";
    other.statement = "Of this nothing is measured.";
    struct fq_verdict two[2] = {w->verdict, w->verdict};
    two[1] = (struct fq_verdict){.claim = &other, .kind = FQ_NOT_MEASURED};
    struct fq_verdicts both = {.verdict = two, .n = 2};
    const struct fq_verdicts *before = w->in.verdicts;
    w->in.verdicts = &both;
    char dir[128], warning[FQ_ERROR_SIZE];
    struct fq_error err = {0};
    snprintf(dir, sizeof dir, "%s/untouched", base);
    assert_int_equal(fq_report_write(&w->in, dir, warning, &err), 0);
    char *html = text_of(dir, "index.html");
    assert_non_null(html);
    says(html, "not measured here</span>: 1 claim that");
    says(html, "<li><code>untouched-claim</code> Of this nothing is measured.</li>");
    assert_null(strstr(html, "<td class=\"tag unmeasured\">"));
    says(html, "<td class=\"tag ");
    free(html);
    w->in.verdicts = before;
    fq_estimates_free(&w->e);
    free(w);
}

/* A number whose comparison was refused is nowhere on the page. */
static void refused_has_no_number(void **state) {
    (void)state;
    struct world *w = malloc(sizeof *w);
    assert_non_null(w);
    build(w);
    w->result.outcome = FQ_REFUSED;
    snprintf(w->result.why, sizeof w->result.why, "rate_bits differs");
    w->verdict.kind = FQ_INCONCLUSIVE;
    char dir[128], warning[FQ_ERROR_SIZE];
    struct fq_error err = {0};
    snprintf(dir, sizeof dir, "%s/refused", base);
    assert_int_equal(fq_report_write(&w->in, dir, warning, &err), 0);
    char *html = text_of(dir, "index.html"), *csv = text_of(dir, "verdicts.csv");
    says(html, "rate_bits differs");
    assert_null(strstr(html, "0.912"));
    assert_null(strstr(csv, "0.912"));
    free(csv);
    free(html);
    fq_estimates_free(&w->e);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_report), cmocka_unit_test(without_gnuplot), cmocka_unit_test(verdicts_csv_is_square),
        cmocka_unit_test(untouched_claims_are_listed), cmocka_unit_test(refused_has_no_number)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
