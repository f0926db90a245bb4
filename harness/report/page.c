/* index.html: the order of its parts. The verdicts come first, because they are what was asked; then whether the
 * comparison was fair, because without that the rest means nothing. */
#include "harness/report/page.h"

#include "harness/report/escape.h"

#include <string.h>

static void put_tables(FILE *f, const struct fq_page *page, enum fq_section section) {
    for (size_t i = 0; i < page->tables->n; i++)
        if (page->tables->rows[i].section == section)
            fq_table_html(f, &page->tables->rows[i].table);
}

static bool has_tables(const struct fq_page *page, enum fq_section section) {
    for (size_t i = 0; i < page->tables->n; i++)
        if (page->tables->rows[i].section == section)
            return true;
    return false;
}

/* What was coded: the keys and values of a model's cache, or vectors. */
static const char *quality_title(const struct fq_estimates *e) {
    bool keys = false, values = false, vectors = false;
    for (size_t i = 0; i < e->n; i++) {
        if (strcmp(e->rows[i].kind, "codec") != 0)
            continue;
        bool key = strcmp(e->rows[i].tensor, "key") == 0, value = strcmp(e->rows[i].tensor, "value") == 0;
        keys = keys || key;
        values = values || value;
        vectors = vectors || (!key && !value);
    }
    return keys && values && vectors ? "Keys, values and vectors"
           : keys && values          ? "Keys and values"
           : keys && vectors         ? "Keys and vectors"
           : values && vectors       ? "Values and vectors"
           : keys                    ? "Keys"
           : values                  ? "Values"
                                     : "Vectors";
}

int fq_put_figure(FILE *f, const struct fq_page *page, const struct fq_figure *figure, struct fq_error *err) {
    if (!figure->has_data)
        return FQ_OK;
    fprintf(f, "<figure id=\"plot-%s\"%s>\n<figcaption><b>", figure->name, figure->wide ? "" : " class=\"narrow\"");
    fq_put_html(f, figure->title);
    fputs(".</b> ", f);
    fq_put_html(f, figure->caption);
    fprintf(f, " Data: <a href=\"plots/data/%s.csv\">CSV</a>", figure->name);
    if (figure->svg)
        fprintf(f, ", <a href=\"plots/%s.svg\">SVG</a>", figure->name);
    if (figure->pdf)
        fprintf(f, ", <a href=\"plots/%s.pdf\">PDF</a>", figure->name);
    fputs(".</figcaption>\n", f);
    if (figure->svg) {
        char path[4096], prefix[224];
        snprintf(path, sizeof path, "%s/plots/%s.svg", page->dir->temporary, figure->name);
        snprintf(prefix, sizeof prefix, "%s-", figure->name);
        fputs("<div class=\"picture\">", f);
        FQ_TRY(fq_put_svg(f, path, prefix, figure->title, err));
        fputs("</div>\n", f);
    } else {
        fputs("<p class=\"warn\">Not drawn: ", f);
        fq_put_html(f, page->figures->absent);
        fputs(".</p>\n", f);
    }
    fputs("</figure>\n", f);
    return FQ_OK;
}

static int put_figure(FILE *f, const struct fq_page *page, const char *name, struct fq_error *err) {
    for (size_t i = 0; i < page->figures->n; i++)
        if (strcmp(page->figures->figure[i].name, name) == 0)
            FQ_TRY(fq_put_figure(f, page, &page->figures->figure[i], err));
    return FQ_OK;
}

static void put_head(FILE *f, const struct fq_page *page) {
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"generator\" content=\"fairquant " FQ_VERSION "\">\n<title>fairquant: ",
          f);
    fq_put_html(f, page->in->n_results > 0 ? page->in->results[0].sweep_name : "report");
    fputs("</title>\n<style>\n", f);
    fputs(fq_page_style, f);
    fputs("</style>\n</head>\n<body>\n<header>\n<h1>", f);
    for (size_t i = 0; i < page->in->n_results; i++) {
        fputs(i == 0 ? "" : ", ", f);
        fq_put_html(f, page->in->results[i].sweep_name);
    }
    fputs("</h1>\n<p class=\"lead\">A comparison of vector and KV-cache quantizers by fairquant " FQ_VERSION
          ": same bits, same threads, same instructions, same clock, or no number.</p>\n<nav>"
          "<a href=\"#verdicts\">Verdicts</a><a href=\"#audit\">Audit</a>",
          f);
    if (has_tables(page, FQ_SECTION_MATCHED))
        fputs("<a href=\"#matched\">Equal bits</a>", f);
    if (has_tables(page, FQ_SECTION_QUALITY))
        fputs("<a href=\"#quality\">Quality</a>", f);
    if (page->models->n > 0)
        fprintf(f, "<a href=\"#model\">Model%s</a>", page->models->n > 1 ? "s" : "");
    if (has_tables(page, FQ_SECTION_SPEED))
        fputs("<a href=\"#speed\">Speed</a>", f);
    if (has_tables(page, FQ_SECTION_BYTES))
        fputs("<a href=\"#bytes-by-method\">Bytes</a>", f);
    fputs("<a href=\"#methods\">Methods</a><a href=\"#conditions\">Conditions</a>"
          "<a href=\"#reproduce\">Make it again</a><a href=\"#limits\">What we do not claim</a></nav>\n</header>\n",
          f);
}

static void put_limits(FILE *f) {
    fputs(
        "<h2 id=\"limits\">What we do not claim</h2>\n<ul>\n"
        "<li>Nothing about data, models or machines that are not named above. An interval speaks of the units that it "
        "resampled, and of no others.</li>\n"
        "<li>No ranking across rate classes, and none between rows that the audit found unequal.</li>\n"
        "<li>Times are those of this project's implementations at one instruction set on one machine. They rank "
        "implementations, not ideas.</li>\n"
        "<li>Perplexity on one text is not quality of generation; a cache that loses nothing here may lose something "
        "on "
        "longer contexts or other tasks.</li>\n"
        "<li>A verdict of \u201cinconclusive\u201d is no evidence for equality, and \u201csupported\u201d is no proof: "
        "both hold at the level and with the threshold that stood in the claim's file before the results.</li>\n"
        "<li>Implementations follow the papers named; where they deviate, the method's own page says how.</li>\n"
        "</ul>\n",
        f);
}

int fq_put_page(FILE *f, const struct fq_page *page, struct fq_error *err) {
    put_head(f, page);
    fputs("<main>\n", f);
    fq_put_verdicts(f, page);
    fq_put_audit(f, page);
    if (page->figures->absent[0] != '\0') {
        fprintf(f, "<p class=\"warn\">%s: ", fq_figures_missing(page->figures));
        fq_put_html(f, page->figures->absent);
        fputs(". Their data are in <code>plots/data</code>.</p>\n", f);
    }
    if (has_tables(page, FQ_SECTION_MATCHED)) {
        fputs("<h2 id=\"matched\">All methods at equal measured bits</h2>\n", f);
        put_tables(f, page, FQ_SECTION_MATCHED);
    }
    if (has_tables(page, FQ_SECTION_QUALITY)) {
        fprintf(f, "<h2 id=\"quality\">%s</h2>\n<div class=\"figures\">\n", quality_title(page->in->estimates));
        FQ_TRY(put_figure(f, page, "rate_mse", err));
        FQ_TRY(put_figure(f, page, "rate_gap", err));
        FQ_TRY(put_figure(f, page, "rate_ip", err));
        FQ_TRY(put_figure(f, page, "bias", err));
        fputs("</div>\n", f);
        put_tables(f, page, FQ_SECTION_QUALITY);
    }
    FQ_TRY(fq_put_models(f, page, err));
    if (has_tables(page, FQ_SECTION_SPEED)) {
        fputs("<h2 id=\"speed\">Speed</h2>\n", f);
        FQ_TRY(put_figure(f, page, "stage_times", err));
        put_tables(f, page, FQ_SECTION_SPEED);
    }
    if (has_tables(page, FQ_SECTION_BYTES)) {
        fputs("<h2 id=\"bytes-by-method\">Bytes</h2>\n", f);
        put_tables(f, page, FQ_SECTION_BYTES);
    }
    FQ_TRY(fq_put_failures(f, page, err));
    FQ_TRY(fq_put_methods(f, page, err));
    FQ_TRY(fq_put_conditions(f, page, err));
    fq_put_reproduce(f, page);
    put_limits(f);
    FQ_TRY(fq_put_provenance(f, page, err));
    fputs("</main>\n</body>\n</html>\n", f);
    return FQ_OK;
}
