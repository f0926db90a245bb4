/* Exports the data of the figures and has them drawn. Must not draw, compute or smooth: the curve in a figure is the
 * estimates of cells.csv, selected. */
#include "harness/report/figures.h"

#include "harness/measure/codec.h"
#include "harness/report/cells_csv.h"
#include "harness/report/figure_csv.h"
#include "harness/report/gnuplot.h"
#include "harness/report/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CURVES = FQ_FIG_CURVES, MAX_PANELS = 12 };

/* Perplexity with the interval of the paired difference to full precision: chunks of text differ much more from each
 * other than two caches do on one chunk. Then the full-precision value, which every arm carries: ppl / exp(delta). */
static void put_paired(FILE *f, const struct fq_estimate *ppl, const struct fq_estimate *delta) {
    if (!fq_fig_drawable(delta)) {
        fq_fig_numbers(f, ppl, 1.0);
        fputc(',', f);
        return;
    }
    double full = ppl->value / exp(delta->value);
    const double v[4] = {ppl->value, full * exp(delta->low), full * exp(delta->high), full};
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            fputc(',', f);
        fq_put_csv_number(f, v[i]);
    }
}

static const char *tensor_words(const char *tensor) {
    return strcmp(tensor, "key") == 0 ? "keys" : strcmp(tensor, "value") == 0 ? "values" : tensor;
}

/* A figure of one metric against the rate: a panel per scope, points of one curve one behind the other. `kind`
 * filters. */
static int export_rate(const struct fq_estimates *e, const char *kind, const char *metric, bool with_full,
                       struct fq_fig_curves *all, FILE *f, size_t *panels, struct fq_error *err) {
    struct fq_scope *scopes;
    size_t n_scopes, panel = 0;
    FQ_TRY(fq_scopes(e, kind, &scopes, &n_scopes, err));
    fprintf(f, FQ_FIG_COLUMNS ",label,rate_bits,value,low,high%s\n", with_full ? ",full" : "");
    int code = FQ_OK;
    for (size_t s = 0; s < n_scopes && panel < MAX_PANELS && code == FQ_OK; s++) {
        const char *metrics[] = {metric, NULL};
        struct fq_subject *subjects;
        size_t n;
        code = fq_subjects(e, &scopes[s], metrics, &subjects, &n, err);
        if (code != FQ_OK)
            break;
        char name[160];
        snprintf(name, sizeof name, "%s %s", scopes[s].data, tensor_words(scopes[s].tensor));
        bool any = false;
        for (size_t k = 0; k < all->n; k++)
            for (size_t i = 0; i < n; i++) {
                const struct fq_estimate *row = fq_estimate_of(e, &scopes[s], &subjects[i], metric);
                if (subjects[i].unequal || !fq_fig_drawable(row) || row->rate_bits > FQ_FIG_HIGHEST_RATE ||
                    fq_fig_curve_of(all, row) != k)
                    continue;
                if (!any)
                    panel++;
                any = true;
                fq_fig_curve(f, panel, name, all, k);
                fq_fig_text(f, row->label);
                fq_put_csv_number(f, row->rate_bits);
                fputc(',', f);
                if (with_full)
                    put_paired(f, row, fq_estimate_of(e, &scopes[s], &subjects[i], "delta_log_ppl"));
                else
                    fq_fig_numbers(f, row, 1.0);
                fputc('\n', f);
            }
        free(subjects);
    }
    free(scopes);
    *panels = panel;
    return code;
}

/* A metric that was measured in bins of something: both are metrics of their own, numbered from 0. */
struct binned {
    const char *kind, *value, *along, *column;
    int bins;
};

/* Values over bins: a panel per scope and rate class that has at least two rows. */
static int export_bins(const struct fq_estimates *e, const struct binned *b, struct fq_fig_curves *all, FILE *f,
                       size_t *panels, struct fq_error *err) {
    struct fq_scope *scopes;
    size_t n_scopes, panel = 0;
    char first_bin[40];
    snprintf(first_bin, sizeof first_bin, "%s0", b->value);
    FQ_TRY(fq_scopes(e, b->kind, &scopes, &n_scopes, err));
    fprintf(f, FQ_FIG_COLUMNS ",label,%s,value,low,high\n", b->column);
    int code = FQ_OK;
    for (size_t s = 0; s < n_scopes && code == FQ_OK; s++) {
        const char *metrics[] = {first_bin, NULL};
        struct fq_subject *subjects;
        size_t n;
        code = fq_subjects(e, &scopes[s], metrics, &subjects, &n, err);
        if (code != FQ_OK)
            break;
        for (size_t first = 0, end; first < n && panel < MAX_PANELS; first = end) {
            size_t shown = 0;
            const char *rate_class = subjects[first].first->rate_class;
            for (end = first; end < n && strcmp(subjects[end].first->rate_class, rate_class) == 0; end++)
                shown += !subjects[end].unequal;
            if (shown < 2)
                continue;
            char name[192];
            snprintf(name, sizeof name, "%s, rate class %s", scopes[s].data, rate_class);
            panel++;
            for (size_t k = 0; k < all->n; k++)
                for (size_t i = first; i < end; i++) {
                    if (subjects[i].unequal || fq_fig_curve_of(all, subjects[i].first) != k)
                        continue;
                    for (int bin = 0; bin < b->bins; bin++) {
                        char value[40], along[40];
                        snprintf(value, sizeof value, "%s%d", b->value, bin);
                        snprintf(along, sizeof along, "%s%d", b->along, bin);
                        const struct fq_estimate *y = fq_estimate_of(e, &scopes[s], &subjects[i], value);
                        const struct fq_estimate *x = fq_estimate_of(e, &scopes[s], &subjects[i], along);
                        if (!fq_fig_drawable(y) || x == NULL || !isfinite(x->value))
                            continue;
                        fq_fig_curve(f, panel, name, all, k);
                        fq_fig_text(f, y->label);
                        fq_put_csv_number(f, x->value);
                        fputc(',', f);
                        fq_fig_numbers(f, y, 1.0);
                        fputc('\n', f);
                        *panels = panel;
                    }
                }
        }
        free(subjects);
    }
    free(scopes);
    return code;
}

static int export_stages(const struct fq_estimates *e, FILE *f, size_t *panels, struct fq_error *err) {
    struct fq_scope *scopes;
    size_t n_scopes, panel = 0, n_slots = 0;
    char slots[MAX_CURVES][96];
    FQ_TRY(fq_scopes(e, "speed", &scopes, &n_scopes, err));
    fputs("panel,panel_name,slot,label,stage,stage_name,value,low,high,floor\n", f);
    int code = FQ_OK;
    for (size_t s = 0; s < n_scopes && panel < MAX_PANELS && code == FQ_OK; s++) {
        struct fq_subject *subjects;
        size_t n;
        code = fq_subjects(e, &scopes[s], NULL, &subjects, &n, err);
        if (code != FQ_OK)
            break;
        bool any = false;
        for (size_t i = 0; i < n; i++) {
            if (subjects[i].unequal)
                continue;
            size_t slot = 0;
            while (slot < n_slots && strcmp(slots[slot], subjects[i].first->label) != 0)
                slot++;
            if (slot == n_slots) {
                if (n_slots == MAX_CURVES)
                    continue;
                snprintf(slots[n_slots++], sizeof slots[0], "%s", subjects[i].first->label);
            }
            for (int stage = 0; stage < FQ_STAGES; stage++) {
                char ns[56], floor_ns[56];
                snprintf(ns, sizeof ns, "ns_%s", fq_stage_name((enum fq_stage)stage));
                snprintf(floor_ns, sizeof floor_ns, "floor_ns_%s", fq_stage_name((enum fq_stage)stage));
                const struct fq_estimate *t = fq_estimate_of(e, &scopes[s], &subjects[i], ns);
                const struct fq_estimate *floor = fq_estimate_of(e, &scopes[s], &subjects[i], floor_ns);
                if (!fq_fig_drawable(t) || t->value <= 0 || fq_has_flag(t->flags, "too-wide"))
                    continue;
                if (!any)
                    panel++;
                any = true;
                fprintf(f, "%zu,", panel);
                fq_fig_text(f, scopes[s].data);
                fprintf(f, "%zu,", slot + 1);
                fq_fig_text(f, t->label);
                fprintf(f, "%d,%s,", stage + 1, fq_stage_name((enum fq_stage)stage));
                fq_fig_numbers(f, t, 1.0);
                fputc(',', f);
                fq_put_csv_number(f, floor != NULL ? floor->value : NAN);
                fputc('\n', f);
            }
        }
        free(subjects);
    }
    free(scopes);
    *panels = panel;
    return code;
}

static const struct {
    const char *name, *title, *caption;
} table[] = {
    {"rate_mse", "Rate against distortion",
     "Relative mean squared error against the measured rate, every byte counted. Bars: 95 % intervals. Dashed: the "
     "rate-distortion floor 4^-b of independent Gaussian coordinates; data with structure may lie below it. Formats of "
     "more than 12 bits are in the tables."},
    {"rate_gap", "Distance to the rate-distortion floor",
     "The same data, divided by the floor at the measured rate: how many times the least possible error of Gaussian "
     "coordinates a method makes with the bytes that it spends. Lower is better; 1 is the floor."},
    {"rate_ip", "Rate against inner-product error",
     "Root mean squared error of estimated inner products with independent queries, times the square root of the "
     "dimension. Bars: 95 % intervals. Dashed: 2^-b."},
    {"bias", "Bias by inner product",
     "Mean signed error of the estimate, by the true inner product of unit vectors. An unbiased estimator lies on zero "
     "everywhere; one that shrinks has a line that falls. One panel per rate class. Bars: 95 % intervals; "
     "one that leaves the frame is wider than it."},
    {"rate_perplexity", "Perplexity against rate",
     "Perplexity of the model when its cache holds what the method decodes. Dashed: the same model and text at full "
     "precision. Bars: 95 % intervals of the paired difference to full precision; intervals of the perplexity itself, "
     "which say how much texts differ, are in the table."},
    {"stage_times", "Time by stage, with its floor",
     "Median time per vector (per query for prepare, per pair for score). Bars on top: 95 % intervals. Black: the time "
     "that the bytes moved take at the read bandwidth measured in the same process. A stage that could not be measured "
     "here has no bar."},
};

static int export_one(const struct fq_estimates *e, struct fq_fig_curves *all, const char *name, FILE *f,
                      size_t *panels, struct fq_error *err) {
    fq_fig_begin(all);
    if (strcmp(name, "rate_mse") == 0 || strcmp(name, "rate_gap") == 0)
        return export_rate(e, "codec", "rel_mse", false, all, f, panels, err);
    if (strcmp(name, "rate_ip") == 0)
        return export_rate(e, "codec", "ip_rmse_sqrtd_rho0", false, all, f, panels, err);
    if (strcmp(name, "bias") == 0)
        return export_bins(e, &(struct binned){"codec", "ip_bias_bin", "ip_true_bin", "rho", 10}, all, f, panels, err);
    if (strcmp(name, "rate_perplexity") == 0)
        return export_rate(e, "model", "perplexity", true, all, f, panels, err);
    return export_stages(e, f, panels, err);
}

int fq_figures_export(const struct fq_estimates *e, const struct fq_report_dir *dir, struct fq_figures *out,
                      struct fq_error *err) {
    memset(out, 0, sizeof *out);
    struct fq_fig_curves *all = calloc(1, sizeof *all);
    if (all == NULL)
        return fq_fail(err, FQ_USAGE, "out of memory for the figures");
    fq_fig_curves_fill(all, e);
    int code = fq_report_dir_sub(dir, "plots/data", err);
    for (size_t i = 0; i < sizeof table / sizeof table[0] && code == FQ_OK; i++) {
        struct fq_figure *figure = &out->figure[out->n++];
        figure->script = table[i].name;
        snprintf(figure->name, sizeof figure->name, "%s", table[i].name);
        figure->title = table[i].title;
        snprintf(figure->caption, sizeof figure->caption, "%s", table[i].caption);
        char name[256];
        snprintf(name, sizeof name, "plots/data/%s.csv", figure->name);
        FILE *f = fq_report_create(dir, name, err);
        if (f == NULL) {
            code = err->code;
            break;
        }
        code = export_one(e, all, figure->script, f, &figure->panels, err);
        figure->has_data = figure->panels > 0;
        figure->wide = figure->panels != 1 || strcmp(figure->script, "stage_times") == 0;
        struct fq_error ignored;
        int closed = fq_report_finish(f, dir, name, code == FQ_OK ? err : &ignored);
        code = code == FQ_OK ? closed : code;
        if (code == FQ_OK && !figure->has_data)
            code = fq_report_remove(dir, name, err);
    }
    free(all);
    return code;
}

void fq_figure_draw(struct fq_figure *figure, const struct fq_report_dir *dir, const char *scripts, char *absent,
                    size_t size) {
    static const char *const kinds[] = {"svg", "pdf"};
    bool *drawn[] = {&figure->svg, &figure->pdf};
    for (int k = 0; k < 2; k++) {
        char script[4096], data[4096], out[4096], why[512];
        snprintf(script, sizeof script, "%s/%s.gp", scripts, figure->script);
        snprintf(data, sizeof data, "%s/plots/data/%s.csv", dir->temporary, figure->name);
        snprintf(out, sizeof out, "%s/plots/%s.%s", dir->temporary, figure->name, kinds[k]);
        *drawn[k] = fq_gnuplot_draw(script, data, out, kinds[k], why, sizeof why);
        if (!*drawn[k])
            snprintf(absent, size, "%s", why);
    }
}

void fq_figures_draw(struct fq_figures *figures, const struct fq_report_dir *dir, const char *scripts) {
    figures->usable = fq_gnuplot_usable(figures->absent, sizeof figures->absent);
    if (!figures->usable)
        return;
    for (size_t i = 0; i < figures->n; i++)
        if (figures->figure[i].has_data)
            fq_figure_draw(&figures->figure[i], dir, scripts, figures->absent, sizeof figures->absent);
}

const char *fq_figures_missing(const struct fq_figures *figures) {
    for (size_t i = 0; i < figures->n; i++)
        if (figures->figure[i].svg || figures->figure[i].pdf)
            return "Some plots are missing";
    return "Plots are absent";
}
