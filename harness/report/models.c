/* Sections of models: which there are, what each can show, what it cannot. Must not compute: a figure is the estimates
 * of cells.csv, selected, and facts of cells. */
#include "harness/report/models.h"

#include "harness/report/cells_csv.h"
#include "harness/report/curves.h"
#include "harness/report/escape.h"
#include "harness/report/models_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *script, *title, *caption, *lack;
    fq_model_exporter *export;
} table[FQ_MODEL_FIGURES] = {
    {"model_rate", "Perplexity and KL against measured bits",
     "Difference of the log-perplexity to full precision, paired window by window, and mean KL of the next token's "
     "distribution to full precision, against the measured rate of the quantized tensors, every byte counted. One "
     "point for each setting of each method. Bars: 95 % intervals.",
     "a setting of at most 12 bits", fq_model_rate},
    {"model_position", "By position in the context",
     "The same two by eighths of the scored positions. Bars: 95 % intervals by resampling windows of text; one that "
     "leaves the frame is wider than it.",
     "bins of positions", fq_model_position},
    {"model_layers", "Error by layer",
     "Relative squared error of the attention output of each layer, at a few queries of each window: the output from "
     "what the cache returns against that from the keys and values that the model made in this layer and pass. A panel "
     "for each choice of what is quantized. Intervals are in the data. Darker is worse; white: not run.",
     "the attention error by layer", fq_model_layers},
    {"model_kv", "Keys against values",
     "Mean KL to full precision when a setting codes keys alone, values alone, and both where that was run. Bars: 95 % "
     "intervals.",
     "a setting on keys alone and the same on values alone", fq_model_kv},
    {"model_sparse", "Skipped values against damage",
     "Part of the softmax weights that lay below the threshold and were skipped with their values, and the mean KL to "
     "full precision. A line joins the thresholds of one policy. Bars: 95 % intervals.",
     "a policy that skips values (sparse_v)", fq_model_sparse},
};

struct fq_scope fq_model_scope(const struct fq_model_section *section, const char *tensor) {
    return (struct fq_scope){"model", section->data, section->model, tensor};
}

const char *fq_model_tensor(const char *tensor) {
    return strcmp(tensor, "key") == 0 ? "keys" : strcmp(tensor, "value") == 0 ? "values" : "keys and values";
}

struct fq_model_floor fq_model_floor(const struct fq_model_export *x, const struct fq_scope *scope) {
    struct fq_model_floor floor = {0};
    bool kl = false, delta = false;
    const struct fq_estimates *e = x->in->estimates;
    for (size_t i = 0; i < e->n; i++) {
        const struct fq_estimate *row = &e->rows[i];
        if (strcmp(row->role, FQ_ROLE_NOISE_FLOOR) != 0 || strcmp(row->kind, scope->kind) != 0 ||
            strcmp(row->data, scope->data) != 0 || strcmp(row->tensor, scope->tensor) != 0 || !isfinite(row->value))
            continue;
        const double low = isfinite(row->low) ? row->low : row->value;
        const double high = isfinite(row->high) ? row->high : row->value;
        if (strcmp(row->metric, "kl") == 0) {
            floor.kl = !kl || row->value > floor.kl ? row->value : floor.kl;
            floor.kl_high = !kl || high > floor.kl_high ? high : floor.kl_high;
            kl = true;
        } else if (strcmp(row->metric, "delta_log_ppl") == 0) {
            floor.delta_low = !delta || low < floor.delta_low ? low : floor.delta_low;
            floor.delta_high = !delta || high > floor.delta_high ? high : floor.delta_high;
            delta = true;
        }
    }
    floor.known = kl && delta;
    return floor;
}

void fq_model_put_floor(FILE *f, const struct fq_model_floor *floor) {
    const double v[4] = {floor->delta_low, floor->delta_high, floor->kl, floor->kl_high};
    fprintf(f, ",%d", floor->known ? 1 : 0);
    for (int i = 0; i < 4; i++) {
        fputc(',', f);
        fq_put_csv_number(f, floor->known ? v[i] : NAN);
    }
}

/* Of each curve the setting nearest to FQ_MODEL_NEAREST bits; the order of the subjects stays. */
static int one_of_each_curve(struct fq_subject *subjects, size_t *n, struct fq_error *err) {
    struct fq_curves curves;
    FQ_TRY(fq_curves_build(subjects, *n, &curves, err));
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        bool keep = false;
        for (size_t c = 0; c < curves.n; c++) {
            const struct fq_subject *best = curves.curve[c].point[0];
            for (size_t k = 1; k < curves.curve[c].n; k++)
                if (fabs(curves.curve[c].point[k]->first->rate_bits - FQ_MODEL_NEAREST) <
                    fabs(best->first->rate_bits - FQ_MODEL_NEAREST))
                    best = curves.curve[c].point[k];
            keep = keep || best->first == subjects[i].first;
        }
        /* Entries in front of i are not looked at again, but curves point at them: mark, and close the gaps below. */
        subjects[i].unequal = !keep;
    }
    fq_curves_free(&curves);
    for (size_t i = 0; i < *n; i++)
        if (!subjects[i].unequal)
            subjects[kept++] = subjects[i];
    *n = kept;
    return FQ_OK;
}

int fq_model_chosen(const struct fq_model_export *x, const struct fq_scope *scope, const char *metric, size_t most,
                    struct fq_subject **out, size_t *n, bool *thinned, struct fq_error *err) {
    const char *metrics[] = {metric, NULL};
    struct fq_subject *s;
    size_t all, low = 0, kept = 0;
    FQ_TRY(fq_subjects(x->in->estimates, scope, metrics, &s, &all, err));
    for (size_t i = 0; i < all; i++)
        if (!s[i].unequal && strcmp(s[i].first->role, FQ_ROLE_NOISE_FLOOR) != 0)
            s[kept++] = s[i];
    for (size_t i = 0; i < kept; i++)
        low += s[i].first->rate_bits <= FQ_FIG_HIGHEST_RATE;
    *n = 0;
    for (size_t i = 0; i < kept; i++)
        if (low == 0 || s[i].first->rate_bits <= FQ_FIG_HIGHEST_RATE)
            s[(*n)++] = s[i];
    *thinned = *n > most;
    int code = *thinned ? one_of_each_curve(s, n, err) : FQ_OK;
    if (code != FQ_OK) {
        free(s);
        *n = 0;
        return code;
    }
    *out = s;
    return FQ_OK;
}

static int export_figure(struct fq_model_export *x, struct fq_figure *figure, size_t which,
                         const struct fq_report_dir *dir, struct fq_error *err) {
    char name[256];
    figure->script = table[which].script;
    figure->title = table[which].title;
    snprintf(figure->name, sizeof figure->name, "%s-%s", table[which].script, x->section->slug);
    snprintf(name, sizeof name, "plots/data/%s.csv", figure->name);
    fq_fig_begin(x->curves);
    x->panels = 0;
    x->caption[0] = '\0';
    x->f = fq_report_create(dir, name, err);
    if (x->f == NULL)
        return err->code;
    int code = table[which].export(x, err);
    struct fq_error ignored;
    int closed = fq_report_finish(x->f, dir, name, code == FQ_OK ? err : &ignored);
    code = code == FQ_OK ? closed : code;
    figure->panels = x->panels;
    figure->has_data = x->panels > 0;
    figure->wide = which != FQ_MODEL_KV && which != FQ_MODEL_SPARSE;
    snprintf(figure->caption, sizeof figure->caption, "%s%s%s", table[which].caption, x->caption[0] != '\0' ? " " : "",
             x->caption);
    if (code == FQ_OK && !figure->has_data)
        code = fq_report_remove(dir, name, err);
    return code;
}

/* Names that differ only in what a file name cannot hold get a number. */
static void name_section(struct fq_model_sections *all, struct fq_model_section *s) {
    char slug[128];
    fq_slug(s->data, slug, sizeof slug);
    snprintf(s->slug, sizeof s->slug, "%s", slug);
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->section[i].slug, s->slug) == 0)
            snprintf(s->slug, sizeof s->slug, "%s-%zu", slug, all->n + 1);
}

static int find_sections(const struct fq_estimates *e, struct fq_model_sections *out, struct fq_error *err) {
    struct fq_scope *scopes;
    size_t n;
    FQ_TRY(fq_scopes(e, "model", &scopes, &n, err));
    out->section = calloc(n + 1, sizeof *out->section);
    if (out->section == NULL) {
        free(scopes);
        return fq_fail(err, FQ_USAGE, "out of memory for the sections of %zu models", n);
    }
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < out->n && strcmp(out->section[k].data, scopes[i].data) != 0)
            k++;
        if (k < out->n)
            continue;
        struct fq_model_section *s = &out->section[out->n];
        snprintf(s->data, sizeof s->data, "%s", scopes[i].data);
        snprintf(s->model, sizeof s->model, "%s", scopes[i].model);
        name_section(out, s);
        out->n++;
    }
    free(scopes);
    return FQ_OK;
}

int fq_models_export(const struct fq_report_input *in, const struct fq_report_dir *dir, struct fq_model_sections *out,
                     struct fq_error *err) {
    memset(out, 0, sizeof *out);
    struct fq_fig_curves *curves = calloc(1, sizeof *curves);
    if (curves == NULL)
        return fq_fail(err, FQ_USAGE, "out of memory for the figures of models");
    fq_fig_curves_fill(curves, in->estimates);
    int code = find_sections(in->estimates, out, err);
    if (code == FQ_OK && out->n > 0)
        code = fq_report_dir_sub(dir, "plots/data", err);
    for (size_t i = 0; i < out->n && code == FQ_OK; i++)
        for (size_t k = 0; k < FQ_MODEL_FIGURES && code == FQ_OK; k++) {
            struct fq_model_export x = {.in = in, .section = &out->section[i], .curves = curves};
            code = export_figure(&x, &out->section[i].figure[k], k, dir, err);
        }
    free(curves);
    return code;
}

void fq_models_draw(struct fq_model_sections *sections, const struct fq_report_dir *dir, const char *scripts,
                    char *absent, size_t size) {
    for (size_t i = 0; i < sections->n; i++)
        for (size_t k = 0; k < FQ_MODEL_FIGURES; k++)
            if (sections->section[i].figure[k].has_data)
                fq_figure_draw(&sections->section[i].figure[k], dir, scripts, absent, size);
}

void fq_models_free(struct fq_model_sections *sections) {
    free(sections->section);
    memset(sections, 0, sizeof *sections);
}

void fq_model_lacks(const struct fq_model_section *section, char *out, size_t size) {
    size_t missing = 0, said = 0, used = 0;
    for (size_t k = 0; k < FQ_MODEL_FIGURES; k++)
        missing += !section->figure[k].has_data;
    out[0] = '\0';
    for (size_t k = 0; k < FQ_MODEL_FIGURES && used < size; k++) {
        if (section->figure[k].has_data)
            continue;
        const char *before = said == 0 ? "Not measured in this run: " : said + 1 < missing ? ", " : " and ";
        said++;
        const int n = snprintf(out + used, size - used, "%s%s%s", before, table[k].lack, said == missing ? "." : "");
        used += n > 0 ? (size_t)n : 0;
    }
}
