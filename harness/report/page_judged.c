/* What was judged: the table of verdicts, which opens the page, and the audit. Must not judge: words and numbers are
 * those of harness/judge. */
#include "harness/judge/audit.h"
#include "harness/judge/verdict.h"
#include "harness/report/escape.h"
#include "harness/report/number.h"
#include "harness/report/page.h"

#include <math.h>
#include <string.h>

static void put_findings(FILE *f, const struct fq_audit *audit, bool fair) {
    fputs("<div class=\"scroll\"><table>\n<thead><tr><th>field</th><th>compared over</th><th>", f);
    fputs(fair ? "value" : "values, and who holds them", f);
    fputs("</th></tr></thead>\n<tbody>\n", f);
    for (size_t i = 0; i < audit->n; i++) {
        const struct fq_finding *finding = &audit->finding[i];
        if (finding->fair != fair)
            continue;
        fputs("<tr><td><code>", f);
        fq_put_html(f, finding->field);
        fputs("</code></td><td>", f);
        if (finding->kind[0] == '\0')
            fputs("the whole run", f);
        else {
            fq_put_html(f, finding->kind);
            fputs(" cells", f);
            if (finding->data[0] != '\0') {
                fputs(" of ", f);
                fq_put_html(f, finding->data);
            }
        }
        fputs("</td><td>", f);
        fq_put_html(f, finding->detail);
        fputs("</td></tr>\n", f);
    }
    fputs("</tbody></table></div>\n", f);
}

static const char *plural(size_t n) {
    return n == 1 ? "" : "s";
}

/* Different fields among the findings: a field is compared over many sets of cells. */
static size_t fields_of(const struct fq_audit *a) {
    size_t fields = 0;
    for (size_t i = 0; i < a->n; i++) {
        size_t k = 0;
        while (k < i && strcmp(a->finding[k].field, a->finding[i].field) != 0)
            k++;
        fields += k == i;
    }
    return fields;
}

/* A metric by the name that the tables give it; its own in the title, for who looks it up in cells.csv. */
static void put_metric(FILE *f, const char *metric) {
    char name[160];
    if (!fq_metric_title(metric, name, sizeof name)) {
        fputs("<code>", f);
        fq_put_html(f, metric);
        fputs("</code>", f);
        return;
    }
    fputs("<abbr title=\"", f);
    fq_put_html(f, metric);
    fputs("\">", f);
    fq_put_html(f, name);
    fputs("</abbr>", f);
}

void fq_put_audit(FILE *f, const struct fq_page *page) {
    const struct fq_audit *a = page->in->audit;
    fputs("<h2 id=\"audit\">Was the comparison fair?</h2>\n<p>Contract <code>", f);
    fq_put_html(f, a->contract);
    fprintf(f, "</code>, %zu cell%s%s: ", a->cells, plural(a->cells), a->failed > 0 ? "" : ", none failed");
    if (a->failed > 0)
        fprintf(f, "%zu failed and are left out; ", a->failed);
    if (a->exhibit)
        fputs("<b class=\"refuted\">this is an exhibit, unfair by intention</b>. It replays a comparison as it was "
              "published, to show what the setup does to the numbers.</p>\n",
              f);
    else if (a->unfair == 0)
        fprintf(
            f,
            "<b class=\"supported\">fair</b>. In %zu comparison%s of %zu field%s, everything that the contract names "
            "was found equal, as observed while the cells ran.</p>\n",
            a->n, plural(a->n), fields_of(a), plural(fields_of(a)));
    else
        fprintf(
            f,
            "<b class=\"refuted\">unfair in %zu of %zu comparison%s</b>. The rows concerned are listed apart, below "
            "the tables.</p>\n",
            a->unfair, a->n, plural(a->n));
    if (a->unfair > 0)
        put_findings(f, a, false);
    for (size_t i = 0; i < a->n_notes; i++) {
        fprintf(f, "<p>Note on <code>");
        fq_put_html(f, a->note[i].field);
        fprintf(f, "</code>, %s cells of ", a->note[i].kind);
        fq_put_html(f, a->note[i].data);
        fputs(": ", f);
        fq_put_html(f, a->note[i].detail);
        fputs("</p>\n", f);
    }
    if (a->unfair < a->n) {
        fprintf(f, "<details><summary>%zu comparison%s found equal</summary>\n", a->n - a->unfair,
                plural(a->n - a->unfair));
        put_findings(f, a, true);
        fputs("</details>\n", f);
    }
}

/* What was measured, with its interval, and the reference that it is compared with. */
static void put_effect(FILE *f, const struct fq_test_result *r) {
    char number[FQ_NUMBER_SIZE], range[FQ_RANGE_SIZE], reference[FQ_NUMBER_SIZE];
    const struct fq_comparison *m = &r->measured;
    bool whole = fq_print_estimate(m->value, m->has_interval ? m->low : NAN, m->high, number, range);
    fq_put_html(f, number);
    if (!whole)
        return;
    fputs(" <small>", f);
    fq_put_html(f, range);
    fputs("</small> <small>", f);
    put_metric(f, r->metric);
    fputs(" of ", f);
    fq_put_html(f, r->cells);
    if (r->against[0] != '\0') {
        fputs(r->test->as == FQ_AS_RATIO ? " over " : " minus ", f);
        fq_put_html(f, r->against);
    }
    fq_print_exact(r->reference, reference);
    fprintf(f, "; reference %s</small>", reference);
    if (r->below_floor)
        fputs(" <em class=\"note\">below noise floor</em>", f);
}

static const char *text_or_none(const char *text) {
    return text != NULL && text[0] != '\0' ? text : "\u2013";
}

static void put_tests(FILE *f, const struct fq_verdict *v) {
    fputs("<div class=\"scroll\"><table>\n<thead><tr><th>test</th><th>data</th><th>cells</th><th>against</th>"
          "<th>metric</th><th class=\"n\">effect</th><th class=\"n\">p, "
          "Holm</th><th>outcome</th></tr></thead>\n<tbody>\n",
          f);
    for (size_t i = 0; i < v->n; i++) {
        const struct fq_test_result *r = &v->result[i];
        char number[FQ_NUMBER_SIZE], range[FQ_RANGE_SIZE], reference[FQ_NUMBER_SIZE];
        fputs("<tr><td>", f);
        fq_put_html(f, text_or_none(r->test->name));
        fputs("</td><td>", f);
        fq_put_html(f, r->data);
        if (r->tensor[0] != '\0') {
            fputs(", ", f);
            fq_put_html(f, r->tensor);
        }
        fputs("</td><td>", f);
        fq_put_html(f, r->cells);
        fputs("</td><td>", f);
        fq_print_exact(r->reference, reference);
        fq_put_html(f, r->against[0] != '\0' ? r->against : "a constant");
        fputs("</td><td>", f);
        put_metric(f, r->metric);
        fputs("</td><td class=\"n\">", f);
        bool refused = r->outcome == FQ_REFUSED;
        const struct fq_comparison *m = &r->measured;
        if (!refused && fq_print_estimate(m->value, m->has_interval ? m->low : NAN, m->high, number, range)) {
            fq_put_html(f, number);
            fputs(" <small>", f);
            fq_put_html(f, range);
            fputs("</small>", f);
        } else
            fputs("\u2013", f);
        fprintf(f, "</td><td class=\"n\">%s</td><td class=\"n\">", reference);
        if (refused || !(r->p_holm >= 0))
            fputs("\u2013", f);
        else if (r->p_holm < 1e-4)
            fputs("&lt; 0.0001", f);
        else
            fprintf(f, "%.4f", r->p_holm);
        fputs("</td><td>", f);
        fq_put_html(f, fq_outcome_name(r->outcome));
        if (r->why[0] != '\0') {
            fputs(" <small>", f);
            fq_put_html(f, r->why);
            fputs("</small>", f);
        }
        fputs("</td></tr>\n", f);
    }
    fputs("</tbody></table></div>\n", f);
}

static const char *verdict_class(enum fq_verdict_kind kind) {
    return kind == FQ_SUPPORTED      ? "supported"
           : kind == FQ_REFUTED      ? "refuted"
           : kind == FQ_INCONCLUSIVE ? "inconclusive"
                                     : "unmeasured";
}

/* How many of its comparisons a claim asks for. */
static const char *asked(const struct fq_claim *c) {
    return c->combine == FQ_COMBINE_ALL   ? "all comparisons"
           : c->combine == FQ_COMBINE_ANY ? "one comparison"
                                          : "one comparison of every test";
}

/* Without this word a reader takes "supported" to mean that it held everywhere. */
static void put_asked(FILE *f, const struct fq_verdict *v) {
    if (v->kind != FQ_SUPPORTED || v->claim->combine == FQ_COMBINE_ALL || v->n < 2)
        return;
    fprintf(f, " <small>For this claim, %s must hold.</small>", asked(v->claim));
}

static void put_verdict(FILE *f, const struct fq_verdict *v) {
    fprintf(f, "<tr><td class=\"claim\">");
    fq_put_html(f, text_or_none(v->claim->statement));
    fputs("<span class=\"who\">", f);
    fq_put_html(f, text_or_none(v->claim->who));
    fputs(", ", f);
    fq_put_html(f, text_or_none(v->claim->where));
    fprintf(f, "</span></td><td class=\"tag %s\">", verdict_class(v->kind));
    fq_put_html(f, fq_verdict_name(v->kind));
    fputs("</td><td>", f);
    if (v->decisive < v->n && v->result[v->decisive].outcome != FQ_REFUSED)
        put_effect(f, &v->result[v->decisive]);
    else
        fputs("\u2013", f);
    fputs("</td><td class=\"why\">", f);
    fq_put_html(f, v->reason);
    put_asked(f, v);
    fputs("</td></tr>\n", f);
}

static void put_claim_details(FILE *f, const struct fq_verdict *v) {
    const struct fq_claim *c = v->claim;
    fputs("<details><summary><code>", f);
    fq_put_html(f, c->id);
    fprintf(f, "</code>: %zu comparison%s</summary>\n", v->n, plural(v->n));
    if (c->words != NULL) {
        fputs("<blockquote>\u201c", f);
        fq_put_html(f, c->words);
        fputs("\u201d</blockquote>\n", f);
    } else if (c->paraphrase != NULL) {
        fputs("<p>Said, in our words: ", f);
        fq_put_html(f, c->paraphrase);
        fputs("</p>\n", f);
    }
    fputs("<p>Tested as: ", f);
    fq_put_html(f, text_or_none(c->statement));
    fprintf(f, " Level %g, minimum effect %g, %s must hold, contract <code>", c->level, c->minimum_effect, asked(c));
    fq_put_html(f, text_or_none(c->contract));
    fputs("</code>, family <code>", f);
    fq_put_html(f, text_or_none(c->family));
    fputs("</code>. ", f);
    if (c->note != NULL)
        fq_put_html(f, c->note);
    fputs("</p>\n<p>File: <code>", f);
    const char *slash = strrchr(c->path, '/');
    fq_put_html(f, slash != NULL ? slash + 1 : c->path);
    fputs("</code>, SHA-256 <code>", f);
    fq_put_html(f, c->sha256);
    fputs("</code></p>\n", f);
    if (v->n > 0)
        put_tests(f, v);
    fputs("</details>\n", f);
}

static void put_verdict_table(FILE *f, const struct fq_verdicts *all) {
    fputs("<div class=\"scroll\"><table class=\"verdicts\">\n<thead><tr><th>claim</th><th>verdict</th><th>effect</th>"
          "<th>reason</th></tr></thead>\n<tbody>\n",
          f);
    for (size_t i = 0; i < all->n; i++)
        if (all->verdict[i].n > 0)
            put_verdict(f, &all->verdict[i]);
    fputs("</tbody></table></div>\n", f);
}

/* There are more claims than any one run measures: those that nothing was measured for are one list, so that the table
 * shows what was judged. */
static void put_untouched(FILE *f, const struct fq_verdicts *all, size_t n) {
    fprintf(
        f,
        "<details><summary><span class=\"unmeasured\">not measured here</span>: %zu claim%s that no cell of this run "
        "speaks of</summary>\n<ul>\n",
        n, plural(n));
    for (size_t i = 0; i < all->n; i++) {
        const struct fq_verdict *v = &all->verdict[i];
        if (v->n > 0)
            continue;
        fputs("<li><code>", f);
        fq_put_html(f, v->claim->id);
        fputs("</code> ", f);
        fq_put_html(f, text_or_none(v->claim->statement));
        fputs("</li>\n", f);
    }
    fputs("</ul></details>\n", f);
}

void fq_put_verdicts(FILE *f, const struct fq_page *page) {
    const struct fq_verdicts *all = page->in->verdicts;
    fputs("<h2 id=\"verdicts\">Verdicts</h2>\n", f);
    if (all->n == 0) {
        fputs("<p>No claim was judged.</p>\n", f);
        return;
    }
    size_t untouched = 0;
    for (size_t i = 0; i < all->n; i++)
        untouched += all->verdict[i].n == 0;
    fputs(
        "<p>Each claim stood in a file with its test, threshold and level before the results did. An effect is printed "
        "with its interval; what could not be put side by side fairly was not.</p>\n",
        f);
    if (untouched < all->n)
        put_verdict_table(f, all);
    if (untouched > 0)
        put_untouched(f, all, untouched);
    if (untouched == all->n)
        return;
    fputs("<h3>Each claim in full</h3>\n", f);
    for (size_t i = 0; i < all->n; i++)
        if (all->verdict[i].n > 0)
            put_claim_details(f, &all->verdict[i]);
}
