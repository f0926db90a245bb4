/* Figures: data exported to DIR/plots/data/NAME.csv, drawn by gnuplot from plots/NAME.gp into DIR/plots/NAME.svg and
 * NAME.pdf. The scripts read nothing but that CSV, so a user can draw again from it. */
#ifndef FQ_REPORT_FIGURES_H
#define FQ_REPORT_FIGURES_H

#include "harness/judge/estimate.h"
#include "harness/report/directory.h"

#include <stdbool.h>
#include <stddef.h>

enum { FQ_FIGURES = 8 };

struct fq_figure {
    const char *script; /* plots/SCRIPT.gp */
    char name[208];     /* of data and pictures */
    const char *title;
    char caption[768];
    size_t panels;
    bool wide;     /* takes the whole width of the page */
    bool has_data; /* false: nothing measured that it could show */
    bool svg, pdf; /* drawn */
};

struct fq_figures {
    struct fq_figure figure[FQ_FIGURES];
    size_t n;
    bool usable;      /* there is a gnuplot that starts */
    char absent[512]; /* "": all drawn; else why some are not and what to do */
};

/* Exports the data of every figure; has_data is set. */
int fq_figures_export(const struct fq_estimates *e, const struct fq_report_dir *dir, struct fq_figures *out,
                      struct fq_error *err);
/* Draws them. A missing gnuplot, a missing terminal or a script that fails is no error: `absent` says so. */
void fq_figures_draw(struct fq_figures *figures, const struct fq_report_dir *dir, const char *scripts);

/* One of them, with a gnuplot that is usable; a complaint replaces `absent`. */
void fq_figure_draw(struct fq_figure *figure, const struct fq_report_dir *dir, const char *scripts, char *absent,
                    size_t size);

/* "Plots are absent" or "Some plots are missing", to be followed by the reason. */
const char *fq_figures_missing(const struct fq_figures *figures);

#endif
