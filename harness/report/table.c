/* Tables as data, and their three written forms. Must not know what is in a table: that is tables_*.c. */
#include "harness/report/table.h"

#include "harness/report/escape.h"
#include "harness/report/number.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void fq_table_begin(struct fq_table *t, const char *id, const char *title) {
    memset(t, 0, sizeof *t);
    fq_slug(id, t->id, sizeof t->id);
    snprintf(t->title, sizeof t->title, "%s", title);
}

void fq_table_free(struct fq_table *t) {
    free(t->rows);
    memset(t, 0, sizeof *t);
}

size_t fq_table_column(struct fq_table *t, const char *head, const char *unit, bool number) {
    if (t->n_columns == FQ_TABLE_COLUMNS)
        abort();
    struct fq_table_column *c = &t->column[t->n_columns];
    snprintf(c->head, sizeof c->head, "%s", head);
    snprintf(c->unit, sizeof c->unit, "%s", unit);
    c->number = number;
    return t->n_columns++;
}

struct fq_table_row *fq_table_row(struct fq_table *t, struct fq_error *err) {
    if (t->n_rows == t->room) {
        size_t room = t->room == 0 ? 16 : 2 * t->room;
        struct fq_table_row *rows = realloc(t->rows, room * sizeof *rows);
        if (rows == NULL) {
            fq_fail(err, FQ_USAGE, "out of memory for table '%s' (%zu rows): close other programs and try again", t->id,
                    room);
            return NULL;
        }
        t->rows = rows;
        t->room = room;
    }
    struct fq_table_row *row = &t->rows[t->n_rows++];
    memset(row, 0, sizeof *row);
    return row;
}

int fq_table_heading(struct fq_table *t, struct fq_error *err, const char *format, ...) {
    struct fq_table_row *row = fq_table_row(t, err);
    if (row == NULL)
        return err->code;
    row->heading = true;
    va_list args;
    va_start(args, format);
    vsnprintf(row->cell[0].text, sizeof row->cell[0].text, format, args);
    va_end(args);
    return FQ_OK;
}

void fq_table_estimate(struct fq_table_cell *cell, double value, double low, double high) {
    char number[FQ_NUMBER_SIZE], range[FQ_RANGE_SIZE];
    fq_print_estimate(value, low, high, number, range);
    snprintf(cell->text, sizeof cell->text, "%s", number);
    snprintf(cell->range, sizeof cell->range, "%s", range);
}

/* ---- Markdown ---- */

void fq_table_markdown(FILE *f, const struct fq_table *t) {
    fputs("### ", f);
    fq_put_markdown(f, t->title);
    fputs("\n\n", f);
    for (size_t c = 0; c < t->n_columns; c++) {
        fputs(c == 0 ? "| " : " | ", f);
        fq_put_markdown(f, t->column[c].head);
        if (t->column[c].unit[0] != '\0') {
            fputs(" (", f);
            fq_put_markdown(f, t->column[c].unit);
            fputc(')', f);
        }
    }
    fputs(" |\n", f);
    for (size_t c = 0; c < t->n_columns; c++)
        fputs(t->column[c].number ? "|---:" : "|---", f);
    fputs("|\n", f);
    for (size_t r = 0; r < t->n_rows; r++) {
        const struct fq_table_row *row = &t->rows[r];
        for (size_t c = 0; c < t->n_columns; c++) {
            const struct fq_table_cell *cell = &row->cell[c];
            fputs(c == 0 ? "| " : " | ", f);
            if (row->heading && c > 0)
                continue;
            if (row->heading)
                fputs("**", f);
            fq_put_markdown(f, cell->text);
            if (row->heading)
                fputs("**", f);
            if (cell->range[0] != '\0') {
                fputs(cell->text[0] == '\0' ? "(" : " (", f);
                fq_put_markdown(f, cell->range);
                fputc(')', f);
            }
            if (cell->note[0] != '\0') {
                fputs(cell->text[0] == '\0' ? "*" : " *", f);
                fq_put_markdown(f, cell->note);
                fputc('*', f);
            }
        }
        fputs(" |\n", f);
    }
    if (t->caption[0] != '\0') {
        fputc('\n', f);
        fq_put_markdown(f, t->caption);
        fputc('\n', f);
    }
}

/* ---- LaTeX ---- */

/* One word a line, the unit last: numbers decide how wide a column is, not its name. */
static void latex_head(FILE *f, const struct fq_table_column *column) {
    fprintf(f, "\\shortstack[%c]{", column->number ? 'r' : 'l');
    for (const char *s = column->head; *s != '\0';) {
        char word[48];
        size_t n = strcspn(s, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, s);
        fq_put_latex(f, word);
        s += n;
        s += strspn(s, " ");
        fputs(*s != '\0' ? "\\\\" : "", f);
    }
    if (column->unit[0] != '\0') {
        fputs("\\\\{\\scriptsize ", f);
        fq_put_latex(f, column->unit);
        fputc('}', f);
    }
    fputc('}', f);
}

/* The interval under the number, and what is to be said of it under both. */
static void latex_cell(FILE *f, const struct fq_table_cell *cell, bool number) {
    bool stack = cell->range[0] != '\0' || cell->note[0] != '\0';
    if (stack)
        fprintf(f, "\\shortstack[%c]{", number ? 'r' : 'l');
    fq_put_latex(f, cell->text);
    if (cell->range[0] != '\0') {
        fputs("\\\\{\\tiny ", f);
        fq_put_latex(f, cell->range);
        fputc('}', f);
    }
    if (cell->note[0] != '\0') {
        fputs("\\\\{\\tiny\\itshape ", f);
        fq_put_latex(f, cell->note);
        fputc('}', f);
    }
    if (stack)
        fputc('}', f);
}

void fq_table_latex(FILE *f, const struct fq_table *t) {
    fputs("% needs \\usepackage{booktabs,graphicx} and \\usepackage[T1]{fontenc}\n"
          "\\begin{table}[t]\n\\centering\\footnotesize\\setlength{\\tabcolsep}{3.5pt}\n\\caption{",
          f);
    fq_put_latex(f, t->title);
    fputs(". ", f);
    fq_put_latex(f, t->caption);
    fprintf(f,
            "}\n\\label{tab:%s}\n\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%%\n"
            "\\begin{tabular}{",
            t->id);
    for (size_t c = 0; c < t->n_columns; c++)
        fputc(t->column[c].number ? 'r' : 'l', f);
    fputs("}\n\\toprule\n", f);
    for (size_t c = 0; c < t->n_columns; c++) {
        fputs(c == 0 ? "" : " & ", f);
        latex_head(f, &t->column[c]);
    }
    fputs(" \\\\\n", f);
    fputs("\\midrule\n", f);
    for (size_t r = 0; r < t->n_rows; r++) {
        const struct fq_table_row *row = &t->rows[r];
        if (row->heading) {
            fprintf(f, "%s\\multicolumn{%zu}{l}{\\textit{", r == 0 ? "" : "\\addlinespace\n", t->n_columns);
            fq_put_latex(f, row->cell[0].text);
            fputs("}} \\\\\n", f);
            continue;
        }
        for (size_t c = 0; c < t->n_columns; c++) {
            fputs(c == 0 ? "" : " & ", f);
            latex_cell(f, &row->cell[c], t->column[c].number);
        }
        fputs(" \\\\\n", f);
    }
    fputs("\\bottomrule\n\\end{tabular}}\n\\end{table}\n", f);
}

/* ---- HTML ---- */

enum { DENSE = 8 }; /* columns beyond which cells are set smaller and intervals may wrap */

static void html_cell(FILE *f, const struct fq_table_cell *cell, const struct fq_table_column *column) {
    fprintf(f, "<td%s>", column->number ? " class=\"n\"" : "");
    fq_put_html(f, cell->text);
    if (cell->range[0] != '\0') {
        fputs(" <small>", f);
        fq_put_html(f, cell->range);
        fputs("</small>", f);
    }
    if (cell->note[0] != '\0') {
        fputs(" <em class=\"note\">", f);
        fq_put_html(f, cell->note);
        fputs("</em>", f);
    }
    fputs("</td>", f);
}

void fq_table_html(FILE *f, const struct fq_table *t) {
    fprintf(f, "<figure class=\"table\" id=\"%s\">\n<figcaption><b>", t->id);
    fq_put_html(f, t->title);
    fputs(".</b> ", f);
    fq_put_html(f, t->caption);
    fputs("</figcaption>\n", f);
    if (t->fold[0] != '\0') {
        fputs("<details><summary>", f);
        fq_put_html(f, t->fold);
        fputs("</summary>\n", f);
    }
    fprintf(f, "<div class=\"scroll\"><table%s>\n<thead><tr>", t->n_columns > DENSE ? " class=\"dense\"" : "");
    for (size_t c = 0; c < t->n_columns; c++) {
        fprintf(f, "<th scope=\"col\"%s>", t->column[c].number ? " class=\"n\"" : "");
        fq_put_html(f, t->column[c].head);
        if (t->column[c].unit[0] != '\0') {
            fputs(" <span class=\"unit\">", f);
            fq_put_html(f, t->column[c].unit);
            fputs("</span>", f);
        }
        fputs("</th>", f);
    }
    fputs("</tr></thead>\n<tbody>\n", f);
    for (size_t r = 0; r < t->n_rows; r++) {
        const struct fq_table_row *row = &t->rows[r];
        if (row->heading) {
            fprintf(f, "<tr class=\"group\"><th colspan=\"%zu\" scope=\"rowgroup\">", t->n_columns);
            fq_put_html(f, row->cell[0].text);
            fputs("</th></tr>\n", f);
            continue;
        }
        fputs("<tr>", f);
        for (size_t c = 0; c < t->n_columns; c++)
            html_cell(f, &row->cell[c], &t->column[c]);
        fputs("</tr>\n", f);
    }
    fprintf(f, "</tbody>\n</table></div>\n%s</figure>\n", t->fold[0] != '\0' ? "</details>\n" : "");
}
