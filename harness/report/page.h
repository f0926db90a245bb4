/* The parts of index.html. Each writes whole elements to f and escapes every text that is not its own. */
#ifndef FQ_REPORT_PAGE_H
#define FQ_REPORT_PAGE_H

#include "harness/report/directory.h"
#include "harness/report/figures.h"
#include "harness/report/models.h"
#include "harness/report/report.h"
#include "harness/report/tables.h"

#include <stdio.h>

/* Everything that a page is made of. */
struct fq_page {
    const struct fq_report_input *in;
    const struct fq_tables *tables;
    const struct fq_figures *figures;
    const struct fq_model_sections *models;
    const struct fq_report_dir *dir;
};

int fq_put_page(FILE *f, const struct fq_page *page, struct fq_error *err);

/* A figure with its caption, the links to its files and its picture; nothing when it has no data. */
int fq_put_figure(FILE *f, const struct fq_page *page, const struct fq_figure *figure, struct fq_error *err);
/* Every model and text with its figures and tables. page_models.c */
int fq_put_models(FILE *f, const struct fq_page *page, struct fq_error *err);

extern const char fq_page_style[]; /* the style sheet, inline */

void fq_put_verdicts(FILE *f, const struct fq_page *page); /* page_judged.c */
void fq_put_audit(FILE *f, const struct fq_page *page);
int fq_put_methods(FILE *f, const struct fq_page *page, struct fq_error *err); /* page_facts.c */
int fq_put_conditions(FILE *f, const struct fq_page *page, struct fq_error *err);
int fq_put_provenance(FILE *f, const struct fq_page *page, struct fq_error *err);
int fq_put_failures(FILE *f, const struct fq_page *page, struct fq_error *err);
void fq_put_reproduce(FILE *f, const struct fq_page *page);

/* Copies an SVG file of gnuplot inline: without XML prologue, its ids made unique by `prefix`, scaled by the page.
 * FQ_USAGE: cannot be read, or is no SVG. */
int fq_put_svg(FILE *f, const char *path, const char *prefix, const char *description, struct fq_error *err);

#endif
