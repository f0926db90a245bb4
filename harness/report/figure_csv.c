/* Curves and fields of the CSV files behind figures; see figure_csv.h. Must not choose what a figure shows. */
#include "harness/report/figure_csv.h"

#include "harness/report/cells_csv.h"
#include "harness/report/select.h"

#include <math.h>
#include <string.h>

size_t fq_fig_curve_of(struct fq_fig_curves *all, const struct fq_estimate *e) {
    char name[96], method[64];
    fq_curve_name(e->label, name, sizeof name);
    /* Cache policies are all of one method; what tells them apart is the name that their labels begin with. */
    if (strcmp(e->method, "policy") == 0)
        snprintf(method, sizeof method, "%.*s", (int)strcspn(e->label, " "), e->label);
    else
        snprintf(method, sizeof method, "%s", e->method);
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->curve[i].name, name) == 0 && strcmp(all->curve[i].method, method) == 0)
            return i;
    if (all->n == FQ_FIG_CURVES)
        return FQ_FIG_CURVES - 1;
    struct fq_fig_one *c = &all->curve[all->n];
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->method, sizeof c->method, "%s", method);
    c->method_index = 1;
    c->variant = 1;
    for (size_t i = 0; i < all->n; i++) {
        const struct fq_fig_one *o = &all->curve[i];
        if (strcmp(o->method, method) == 0) {
            c->method_index = o->method_index;
            c->variant = o->variant >= c->variant ? o->variant + 1 : c->variant;
        } else if (c->variant == 1 && o->method_index >= c->method_index)
            c->method_index = o->method_index + 1;
    }
    return all->n++;
}

void fq_fig_curves_fill(struct fq_fig_curves *all, const struct fq_estimates *e) {
    memset(all, 0, sizeof *all);
    for (int contenders = 1; contenders >= 0; contenders--)
        for (size_t i = 0; i < e->n; i++)
            if (e->rows[i].replicate == 0 && (strcmp(e->rows[i].role, "contender") == 0) == contenders)
                (void)fq_fig_curve_of(all, &e->rows[i]);
}

void fq_fig_begin(struct fq_fig_curves *all) {
    all->shown = 0;
    for (size_t i = 0; i < all->n; i++)
        all->curve[i].shown = 0;
}

void fq_fig_curve(FILE *f, size_t panel, const char *panel_name, struct fq_fig_curves *all, size_t k) {
    struct fq_fig_one *c = &all->curve[k];
    if (c->shown == 0)
        c->shown = ++all->shown;
    fprintf(f, "%zu,", panel);
    fq_fig_text(f, panel_name);
    fprintf(f, "%u,", c->shown);
    fq_fig_text(f, c->name);
    fprintf(f, "%zu,%u,%u,", k + 1, c->method_index, c->variant);
}

void fq_fig_text(FILE *f, const char *text) {
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        fputc(c == ',' ? ';' : c == '"' || c == '\\' ? '\'' : c < 0x20 ? ' ' : c, f);
    }
    fputc(',', f);
}

void fq_fig_numbers(FILE *f, const struct fq_estimate *e, double scale) {
    fq_put_csv_number(f, e->value * scale);
    fputc(',', f);
    fq_put_csv_number(f, e->low * scale);
    fputc(',', f);
    fq_put_csv_number(f, e->high * scale);
}

bool fq_fig_drawable(const struct fq_estimate *e) {
    return e != NULL && isfinite(e->value) && isfinite(e->low) && isfinite(e->high) && isfinite(e->rate_bits);
}
