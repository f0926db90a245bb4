/* What the CSV files behind figures have in common: curves with a number, hence a colour and a sign, that is the same
 * in every figure, and text that gnuplot can read. */
#ifndef FQ_REPORT_FIGURE_CSV_H
#define FQ_REPORT_FIGURE_CSV_H

#include "harness/judge/estimate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { FQ_FIG_CURVES = 64 };

/* Formats of 16 bits and more would press all others into a corner; they stand in the tables. */
#define FQ_FIG_HIGHEST_RATE 12.0

/* Curves in the order of appearance. */
struct fq_fig_curves {
    struct fq_fig_one {
        char name[96], method[64];
        unsigned method_index, variant;
        unsigned shown; /* number in the figure at hand, by first appearance; 0: not yet */
    } curve[FQ_FIG_CURVES];
    size_t n;
    unsigned shown; /* curves in the figure at hand */
};

/* The curves of all estimates, contenders first: they get the colours that are told apart best. */
void fq_fig_curves_fill(struct fq_fig_curves *all, const struct fq_estimates *e);
/* Index of the curve that an estimate belongs to, made if it is new; beyond FQ_FIG_CURVES the last one. */
size_t fq_fig_curve_of(struct fq_fig_curves *all, const struct fq_estimate *e);
/* A new figure: no curve is shown yet. */
void fq_fig_begin(struct fq_fig_curves *all);

/* The columns that identify a point of a curve. Scripts count series from 1 without a gap; point, method and variant
 * are the same in all figures. */
#define FQ_FIG_COLUMNS "panel,panel_name,series,series_name,point,method,variant"
void fq_fig_curve(FILE *f, size_t panel, const char *panel_name, struct fq_fig_curves *all, size_t k);

/* A field and its comma. gnuplot's reader of quoted fields knows no escapes, so the text has neither commas nor quotes
 * afterwards. */
void fq_fig_text(FILE *f, const char *text);
/* "value,low,high" */
void fq_fig_numbers(FILE *f, const struct fq_estimate *e, double scale);
/* Has it a value, an interval and a rate? NULL has none. */
bool fq_fig_drawable(const struct fq_estimate *e);

#endif
