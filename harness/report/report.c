/* The report as a whole: what is written, in which order, and that it appears at once or not at all. */
#include "harness/report/report.h"

#include "harness/data/manifest.h"
#include "harness/report/cells_csv.h"
#include "harness/report/judged_files.h"
#include "harness/report/page.h"

#include <string.h>

/* A file of the report whose writer cannot fail but by the stream. */
#define PUT_FILE(dir, name, call)                                                                                      \
    do {                                                                                                               \
        FILE *f = fq_report_create(dir, name, err);                                                                    \
        if (f == NULL)                                                                                                 \
            return err->code;                                                                                          \
        call;                                                                                                          \
        FQ_TRY(fq_report_finish(f, dir, name, err));                                                                   \
    } while (0)

static int put_tables(const struct fq_tables *tables, const struct fq_report_dir *dir, struct fq_error *err) {
    FQ_TRY(fq_report_dir_sub(dir, "tables", err));
    for (size_t i = 0; i < tables->n; i++) {
        const struct fq_table *t = &tables->rows[i].table;
        char name[192];
        snprintf(name, sizeof name, "tables/%s.md", t->id);
        PUT_FILE(dir, name, fq_table_markdown(f, t));
        snprintf(name, sizeof name, "tables/%s.tex", t->id);
        PUT_FILE(dir, name, fq_table_latex(f, t));
    }
    return FQ_OK;
}

static void put_mark(FILE *f, const struct fq_figures *figures) {
    fputs(FQ_REPORT_SCHEMA "\n\n"
                           "A report of fairquant " FQ_VERSION ". Start with index.html, which needs no other file.\n\n"
                           "cells.csv      every estimate, one row each (columns: docs/formats.md)\n"
                           "verdicts.csv   every claim with its comparisons\n"
                           "audit.txt      what the contract names, and what was observed\n"
                           "tables/        the tables as Markdown and LaTeX (booktabs)\n"
                           "plots/         figures as SVG and PDF; plots/data holds what they were drawn from\n\n"
                           "A new report to the same place replaces this whole directory.\n",
          f);
    if (figures->absent[0] != '\0')
        fprintf(f, "\n%s: %s.\n", fq_figures_missing(figures), figures->absent);
}

static int put_page(const struct fq_page *page, struct fq_error *err) {
    FILE *f = fq_report_create(page->dir, "index.html", err);
    if (f == NULL)
        return err->code;
    int code = fq_put_page(f, page, err);
    struct fq_error ignored;
    int closed = fq_report_finish(f, page->dir, "index.html", code == FQ_OK ? err : &ignored);
    return code != FQ_OK ? code : closed;
}

static int put_all(const struct fq_report_input *in, const struct fq_tables *tables, struct fq_figures *figures,
                   struct fq_model_sections *models, const struct fq_report_dir *dir, struct fq_error *err) {
    char scripts[4096];
    fq_home(scripts, sizeof scripts - sizeof "/plots");
    memcpy(scripts + strlen(scripts), "/plots", sizeof "/plots");
    PUT_FILE(dir, "cells.csv", fq_put_cells_csv(f, in->estimates));
    PUT_FILE(dir, "verdicts.csv", fq_put_verdicts_csv(f, in->verdicts));
    PUT_FILE(dir, "audit.txt", fq_put_audit_text(f, in->audit));
    FQ_TRY(put_tables(tables, dir, err));
    FQ_TRY(fq_figures_export(in->estimates, dir, figures, err));
    FQ_TRY(fq_models_export(in, dir, models, err));
    fq_figures_draw(figures, dir, scripts);
    if (figures->usable)
        fq_models_draw(models, dir, scripts, figures->absent, sizeof figures->absent);
    struct fq_page page = {.in = in, .tables = tables, .figures = figures, .models = models, .dir = dir};
    FQ_TRY(put_page(&page, err));
    PUT_FILE(dir, FQ_REPORT_MARK, put_mark(f, figures));
    return FQ_OK;
}

int fq_report_check(const char *path, struct fq_error *err) {
    struct fq_report_dir dir;
    FQ_TRY(fq_report_dir_open(&dir, path, err));
    fq_report_dir_abort(&dir);
    return FQ_OK;
}

int fq_report_write(const struct fq_report_input *in, const char *path, char *warning, struct fq_error *err) {
    struct fq_tables tables = {0};
    struct fq_figures figures;
    struct fq_model_sections models = {0};
    struct fq_report_dir dir;
    warning[0] = '\0';
    memset(&figures, 0, sizeof figures);
    FQ_TRY(fq_report_dir_open(&dir, path, err));
    int code = fq_tables_build(in->estimates, &tables, err);
    if (code == FQ_OK)
        code = put_all(in, &tables, &figures, &models, &dir, err);
    fq_tables_free(&tables);
    fq_models_free(&models);
    if (code != FQ_OK) {
        fq_report_dir_abort(&dir);
        return code;
    }
    if (figures.absent[0] != '\0')
        snprintf(warning, FQ_ERROR_SIZE, "%s: %s; the rest of the report is whole", fq_figures_missing(&figures),
                 figures.absent);
    return fq_report_dir_commit(&dir, err);
}
