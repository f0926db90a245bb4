/* A table as data, built once and written as Markdown, LaTeX (booktabs) and HTML, so that the three never disagree. */
#ifndef FQ_REPORT_TABLE_H
#define FQ_REPORT_TABLE_H

#include "harness/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { FQ_TABLE_COLUMNS = 14 };

struct fq_table_cell {
    char text[224];
    char range[72]; /* the interval, set smaller under or behind the text; "" if none */
    char note[96];  /* "below noise floor", "impossible"; "" if none */
};

struct fq_table_row {
    bool heading; /* cell[0].text spans the whole row */
    struct fq_table_cell cell[FQ_TABLE_COLUMNS];
};

struct fq_table_column {
    char head[48], unit[24];
    bool number; /* aligned to the right */
};

struct fq_table {
    char id[160]; /* file name and HTML anchor: a slug */
    char title[224];
    char caption[1280];
    char fold[96]; /* "": in full; else the page shows the rows when this line is opened */
    struct fq_table_column column[FQ_TABLE_COLUMNS];
    size_t n_columns;
    struct fq_table_row *rows;
    size_t n_rows, room;
};

void fq_table_begin(struct fq_table *t, const char *id, const char *title);
void fq_table_free(struct fq_table *t);

/* Index of the new column; a column beyond FQ_TABLE_COLUMNS is a programming error and aborts. */
size_t fq_table_column(struct fq_table *t, const char *head, const char *unit, bool number);

/* The new row, or NULL + err when memory is out. Valid until the next row is added. */
struct fq_table_row *fq_table_row(struct fq_table *t, struct fq_error *err);
int fq_table_heading(struct fq_table *t, struct fq_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A number with its interval; without one the cell says so. */
void fq_table_estimate(struct fq_table_cell *cell, double value, double low, double high);

void fq_table_markdown(FILE *f, const struct fq_table *t);
void fq_table_latex(FILE *f, const struct fq_table *t);
void fq_table_html(FILE *f, const struct fq_table *t);

#endif
