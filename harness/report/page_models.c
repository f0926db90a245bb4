/* The part of the page that shows models: first what all of them did against the rate, then a section for each model
 * and text. Must not choose what a section shows (models.h). */
#include "harness/report/page.h"

#include "harness/report/escape.h"

#include <string.h>

/* Titles of model tables begin with the data: "smollm2-135m/jargon, keys: ...". */
static bool table_is_of(const struct fq_report_table *t, const char *data) {
    const size_t n = strlen(data);
    return t->section == FQ_SECTION_MODEL && strncmp(t->table.title, data, n) == 0 &&
           (t->table.title[n] == ',' || t->table.title[n] == ':');
}

static int put_section(FILE *f, const struct fq_page *page, const struct fq_model_section *s, struct fq_error *err) {
    char lacks[1024];
    fprintf(f, "<section id=\"model-%s\">\n<h3>", s->slug);
    fq_put_html(f, s->data);
    fputs("</h3>\n<div class=\"figures\">\n", f);
    for (size_t i = 0; i < FQ_MODEL_FIGURES; i++)
        FQ_TRY(fq_put_figure(f, page, &s->figure[i], err));
    fputs("</div>\n", f);
    fq_model_lacks(s, lacks, sizeof lacks);
    if (lacks[0] != '\0') {
        fputs("<p>", f);
        fq_put_html(f, lacks);
        fputs("</p>\n", f);
    }
    for (size_t i = 0; i < page->tables->n; i++)
        if (table_is_of(&page->tables->rows[i], s->data))
            fq_table_html(f, &page->tables->rows[i].table);
    fputs("</section>\n", f);
    return FQ_OK;
}

int fq_put_models(FILE *f, const struct fq_page *page, struct fq_error *err) {
    const struct fq_model_sections *models = page->models;
    if (models->n == 0)
        return FQ_OK;
    fprintf(f, "<h2 id=\"model\">The model%s</h2>\n", models->n > 1 ? "s" : "");
    if (models->n > 1) {
        fputs("<p class=\"contents\">", f);
        for (size_t i = 0; i < models->n; i++) {
            fprintf(f, "%s<a href=\"#model-%s\">", i > 0 ? " \u00b7 " : "", models->section[i].slug);
            fq_put_html(f, models->section[i].data);
            fputs("</a>", f);
        }
        fputs("</p>\n", f);
    }
    fputs("<div class=\"figures\">\n", f); /* a single panel keeps its size there */
    for (size_t i = 0; i < page->figures->n; i++)
        if (strcmp(page->figures->figure[i].name, "rate_perplexity") == 0)
            FQ_TRY(fq_put_figure(f, page, &page->figures->figure[i], err));
    fputs("</div>\n", f);
    for (size_t i = 0; i < models->n; i++)
        FQ_TRY(put_section(f, page, &models->section[i], err));
    return FQ_OK;
}
