/* A model's figures over a continuous axis: rate and position. Must not choose settings by how well they do. */
#include "harness/report/cells_csv.h"
#include "harness/report/models_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 10000, SHOWN = 8 };

static const char *const tensors[3] = {"kv", "key", "value"};

static void put_pair(FILE *f, const struct fq_estimate *delta, const struct fq_estimate *kl) {
    fq_fig_numbers(f, delta, 1.0);
    fputc(',', f);
    fq_fig_numbers(f, kl, 1.0);
}

int fq_model_rate(struct fq_model_export *x, struct fq_error *err) {
    const struct fq_estimates *e = x->in->estimates;
    bool floor_known = false;
    fputs(FQ_FIG_COLUMNS ",label,rate_bits,delta,delta_low,delta_high,kl,kl_low,kl_high" FQ_MODEL_FLOOR_COLUMNS "\n",
          x->f);
    for (size_t t = 0; t < 3; t++) {
        const struct fq_scope scope = fq_model_scope(x->section, tensors[t]);
        const struct fq_model_floor floor = fq_model_floor(x, &scope);
        struct fq_subject *s;
        size_t n;
        bool thinned, any = false;
        FQ_TRY(fq_model_chosen(x, &scope, "kl", MANY, &s, &n, &thinned, err));
        for (size_t k = 0; k < x->curves->n; k++)
            for (size_t i = 0; i < n; i++) {
                if (fq_fig_curve_of(x->curves, s[i].first) != k || s[i].first->rate_bits > FQ_FIG_HIGHEST_RATE)
                    continue;
                const struct fq_estimate *kl = fq_estimate_of(e, &scope, &s[i], "kl");
                const struct fq_estimate *delta = fq_estimate_of(e, &scope, &s[i], "delta_log_ppl");
                if (!fq_fig_drawable(kl) || !fq_fig_drawable(delta))
                    continue;
                x->panels += !any;
                any = true;
                floor_known = floor_known || floor.known;
                fq_fig_curve(x->f, x->panels, fq_model_tensor(tensors[t]), x->curves, k);
                fq_fig_text(x->f, kl->label);
                fq_put_csv_number(x->f, kl->rate_bits);
                fputc(',', x->f);
                put_pair(x->f, delta, kl);
                fq_model_put_floor(x->f, &floor);
                fputc('\n', x->f);
            }
        free(s);
    }
    snprintf(x->caption, sizeof x->caption, "%sFormats of more than 12 bits are in the table.",
             floor_known ? "Grey: the noise floor, full precision against itself; what lies in it says nothing. " : "");
    return FQ_OK;
}

struct ranked {
    const struct fq_subject *subject;
    double kl;
};

static int by_kl(const void *pa, const void *pb) {
    const struct ranked *a = pa, *b = pb;
    if (a->kl < b->kl || a->kl > b->kl)
        return a->kl < b->kl ? -1 : 1;
    return strcmp(a->subject->first->label, b->subject->first->label);
}

/* Marks those that are shown: all, or SHOWN that are spread evenly over the ranks, the first and the last with them. */
static int spread(const struct fq_model_export *x, const struct fq_scope *scope, const struct fq_subject *s, size_t n,
                  bool *shown, struct fq_error *err) {
    struct ranked *rank = calloc(n + 1, sizeof *rank);
    size_t ranks = 0;
    if (rank == NULL)
        return fq_fail(err, FQ_USAGE, "out of memory for %zu settings", n);
    for (size_t i = 0; i < n; i++) {
        const struct fq_estimate *kl = fq_estimate_of(x->in->estimates, scope, &s[i], "kl");
        if (fq_fig_drawable(kl))
            rank[ranks++] = (struct ranked){&s[i], kl->value};
    }
    qsort(rank, ranks, sizeof *rank, by_kl);
    const size_t take = ranks < SHOWN ? ranks : SHOWN;
    for (size_t i = 0; i < take; i++) {
        const size_t at = take > 1 ? i * (ranks - 1) / (take - 1) : 0;
        shown[rank[at].subject - s] = true;
    }
    free(rank);
    return FQ_OK;
}

/* A line for each setting, so two settings of one curve have two; colour is the method's, sign and dash the line's. */
static int put_bins(struct fq_model_export *x, const struct fq_scope *scope, const struct fq_subject *s, size_t line) {
    const struct fq_estimates *e = x->in->estimates;
    int bins = 0;
    for (int bin = 0; bin < 64; bin++) {
        char name[3][40];
        static const char *const metrics[3] = {"position_bin", "delta_log_ppl_bin", "kl_bin"};
        const struct fq_estimate *v[3];
        for (int m = 0; m < 3; m++) {
            snprintf(name[m], sizeof name[m], "%s%d", metrics[m], bin);
            v[m] = fq_estimate_of(e, scope, s, name[m]);
        }
        if (v[0] == NULL)
            break;
        if (!isfinite(v[0]->value) || !fq_fig_drawable(v[1]) || !fq_fig_drawable(v[2]))
            continue;
        const size_t k = fq_fig_curve_of(x->curves, s->first);
        fputs("1,", x->f);
        fq_fig_text(x->f, fq_model_tensor(scope->tensor));
        fprintf(x->f, "%zu,", line);
        fq_fig_text(x->f, s->first->label);
        fprintf(x->f, "%zu,%u,%zu,", line, x->curves->curve[k].method_index, line);
        fq_fig_text(x->f, s->first->label);
        fq_put_csv_number(x->f, v[0]->value);
        fputc(',', x->f);
        put_pair(x->f, v[1], v[2]);
        fputc('\n', x->f);
        bins++;
    }
    return bins;
}

int fq_model_position(struct fq_model_export *x, struct fq_error *err) {
    fputs(FQ_FIG_COLUMNS ",label,position,delta,delta_low,delta_high,kl,kl_low,kl_high\n", x->f);
    for (size_t t = 0; t < 3 && x->panels == 0; t++) {
        const struct fq_scope scope = fq_model_scope(x->section, tensors[t]);
        struct fq_subject *s;
        size_t n, lines = 0;
        bool thinned;
        FQ_TRY(fq_model_chosen(x, &scope, "kl_bin0", SHOWN, &s, &n, &thinned, err));
        bool *shown = calloc(n + 1, sizeof *shown);
        int code = shown != NULL ? spread(x, &scope, s, n, shown, err)
                                 : fq_fail(err, FQ_USAGE, "out of memory for %zu settings", n);
        for (size_t i = 0; code == FQ_OK && i < n; i++)
            if (shown[i] && put_bins(x, &scope, &s[i], lines + 1) > 0)
                lines++;
        free(shown);
        free(s);
        if (code != FQ_OK)
            return code;
        x->panels = lines > 0;
        if (lines > 0)
            snprintf(x->caption, sizeof x->caption, "Quantized: %s.%s%s", fq_model_tensor(tensors[t]),
                     thinned ? " Of each method the setting nearest to 3 bits" : "",
                     !thinned    ? ""
                     : n > SHOWN ? "; of these eight, evenly spread over the order by KL, best and worst included."
                                 : ".");
    }
    return FQ_OK;
}
