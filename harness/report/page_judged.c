/* What was judged: the table of verdicts, which opens the page, and the audit. Must not judge: words and numbers are
 * those of harness/judge. */
#include "harness/judge/audit.h"
#include "harness/report/escape.h"
#include "harness/report/page.h"

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

void fq_put_audit(FILE *f, const struct fq_page *page) {
    const struct fq_audit *a = page->in->audit;
    fputs("<h2 id=\"audit\">Was the comparison fair?</h2>\n<p>Contract <code>", f);
    fq_put_html(f, a->contract);
    fprintf(f, "</code>, %zu cells%s: ", a->cells, a->failed > 0 ? "" : ", none failed");
    if (a->failed > 0)
        fprintf(f, "%zu failed and are left out; ", a->failed);
    if (a->exhibit)
        fputs("<b class=\"refuted\">this is an exhibit, unfair by intention</b>. It replays a comparison as it was "
              "published, to show what the setup does to the numbers.</p>\n",
              f);
    else if (a->unfair == 0)
        fprintf(f, "<b class=\"supported\">fair</b>. All %zu fields that the contract names were found equal, as observed "
                   "while the cells ran.</p>\n",
                a->n);
    else
        fprintf(f, "<b class=\"refuted\">unfair in %zu of %zu comparisons</b>. The rows concerned are listed apart, below "
                   "the tables.</p>\n",
                a->unfair, a->n);
    if (a->unfair > 0)
        put_findings(f, a, false);
    if (a->unfair < a->n) {
        fprintf(f, "<details><summary>%zu fields found equal</summary>\n", a->n - a->unfair);
        put_findings(f, a, true);
        fputs("</details>\n", f);
    }
}
