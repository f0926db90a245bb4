/* Builds the table of all methods at equal bits. Rows that the audit found unequal have no number in it, neither
 * themselves nor as an end of an interpolation; what is left out for that reason is said so in its place. Must not
 * extrapolate, and must not hide that a number is interpolated. */
#include "harness/report/matched.h"

#include "harness/measure/catalog.h"
#include "harness/measure/codec.h"
#include "harness/report/curves.h"
#include "harness/report/number.h"
#include "harness/report/tables_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double whole[] = {2, 3, 4};
enum { WHOLE = sizeof whole / sizeof whole[0], MOST_RATES = 2 * WHOLE, FIRST_METRIC = 4, COMMON_AT_LEAST = 3 };

/* Beyond this a method is no candidate for any of the rates, and a row that says so tells nobody anything. */
static const double FARTHEST_BITS = 5.5;

static const struct fq_metric_head heads[] = {
    {"rel_mse", "relative MSE", ""},
    {"ip_rmse_sqrtd_rho0", "IP error, RMSE \u00d7 \u221ad", "\u03c1 = 0"},
    {"ip_slope_rho50", "IP slope", "\u03c1 = 0.5"},
    {"ip_slope_rho100", "IP slope", "\u03c1 = 1"},
    {"ip_slope", "IP slope", "the data's queries"},
    {"ip_rel_rmse", "IP relative RMSE", "the data's queries"},
    {"logit_rmse", "attention logit RMSE", ""},
    {"softmax_kl", "softmax KL", "nats"},
    {"topk_overlap_8", "top-8 overlap", ""},
    {"output_rel_error", "attention output error", "relative"},
    {NULL, NULL, NULL},
};

/* Slopes and overlaps go to a constant with the rate, errors to zero. */
static bool is_error(const char *metric) {
    return strncmp(metric, "ip_slope", 8) != 0 && strncmp(metric, "topk_", 5) != 0;
}

/* One row in the making. */
struct row {
    const struct fq_curve *curve;
    struct fq_match match;
    const char *objection; /* the field that the audit objects to, where the rate is reached with that setting alone */
    double sort;           /* the first metric; infinite where there is no number */
};

/* The settings twice: as the audit left them, and with those it objects to, which say only what has been left out. */
struct two_sides {
    const struct fq_subject *subjects;
    struct fq_subject *unjudged; /* the same, none unequal */
    struct fq_curves fair, all;
};

static int build_sides(const struct fq_subject *subjects, size_t n, struct two_sides *s, struct fq_error *err) {
    *s = (struct two_sides){.subjects = subjects, .unjudged = calloc(n + 1, sizeof *subjects)};
    if (s->unjudged == NULL)
        return fq_fail(err, FQ_USAGE, "out of memory for %zu settings: report on fewer results files at once", n);
    for (size_t i = 0; i < n; i++) {
        s->unjudged[i] = subjects[i];
        s->unjudged[i].unequal = false;
    }
    FQ_TRY(fq_curves_build(subjects, n, &s->fair, err));
    return fq_curves_build(s->unjudged, n, &s->all, err);
}

static void free_sides(struct two_sides *s) {
    fq_curves_free(&s->fair);
    fq_curves_free(&s->all);
    free(s->unjudged);
}

static const struct fq_curve *fair_curve(const struct two_sides *s, const struct fq_curve *c) {
    for (size_t i = 0; i < s->fair.n; i++) {
        const struct fq_subject *a = s->fair.curve[i].point[0];
        for (size_t k = 0; k < c->n; k++) /* by a setting that both have: names are cut where they are long */
            if (a - s->subjects == c->point[k] - s->unjudged)
                return &s->fair.curve[i];
    }
    return NULL;
}

/* The field that the audit objects to in a match among all settings; NULL: it objects to neither. */
static const char *objection_to(const struct two_sides *s, const struct fq_match *m) {
    const struct fq_subject *const ends[] = {m->low, m->high};
    for (size_t i = 0; m->kind != FQ_MATCH_NONE && i < 2; i++)
        if (ends[i] != NULL && s->subjects[ends[i] - s->unjudged].unequal)
            return s->subjects[ends[i] - s->unjudged].field;
    return NULL;
}

static void metric_at(const struct fq_estimates *e, const struct fq_scope *scope, const struct fq_match *match,
                      const char *metric, struct fq_interpolated *value, struct fq_table_cell *cell) {
    const struct fq_estimate *a = match->low ? fq_estimate_of(e, scope, match->low, metric) : NULL;
    const struct fq_estimate *b = match->high ? fq_estimate_of(e, scope, match->high, metric) : NULL;
    *value = (struct fq_interpolated){NAN, NAN, NAN};
    if (match->kind == FQ_MATCH_MEASURED && a)
        *value = (struct fq_interpolated){a->value, a->low, a->high};
    const bool between = match->kind == FQ_MATCH_INTERPOLATED && a && b;
    if (between && !fq_interpolate(a, b, match->part, is_error(metric), value))
        *value = (struct fq_interpolated){NAN, NAN, NAN};
    if (!cell)
        return;
    if (match->kind == FQ_MATCH_MEASURED)
        fq_cell_estimate(cell, a);
    else if (between) {
        fq_table_estimate(cell, value->value, value->low, value->high);
        fq_cell_flags(cell, a);
        if (strcmp(a->flags, b->flags) != 0)
            fq_cell_flags(cell, b);
    } else
        fq_cell_estimate(cell, NULL);
}

static int by_value(const void *pa, const void *pb) {
    const struct row *a = pa, *b = pb;
    const bool none_a = a->match.kind == FQ_MATCH_NONE, none_b = b->match.kind == FQ_MATCH_NONE;
    if (none_a != none_b)
        return none_a ? 1 : -1;
    if (a->sort < b->sort || a->sort > b->sort)
        return a->sort < b->sort ? -1 : 1;
    return strcmp(a->curve->name, b->curve->name);
}

static double lowest(const struct fq_curve *c) {
    return c->point[0]->first->rate_bits;
}

static double highest(const struct fq_curve *c) {
    return c->point[c->n - 1]->first->rate_bits;
}

/* Does this setting learn from data? A method that this binary does not know is taken not to. */
static bool learns(const struct fq_estimate *e) {
    for (size_t i = 0; i < fq_catalog_size(); i++) {
        const struct fq_method *m = fq_catalog_at(i);
        struct fq_params params;
        fq_params_default(m, &params);
        if (strcmp(m->name, e->method) == 0)
            return fq_params_parse(m, e->parameters, &params, NULL) == FQ_OK && fq_method_learns(m, &params);
    }
    return false;
}

/* Bytes of shared state: of the setting, or of the two that are interpolated between. */
static void put_shared(const struct fq_estimates *e, const struct fq_scope *scope, const struct fq_match *match,
                       struct fq_table_cell *cell) {
    const struct fq_estimate *a = match->low ? fq_estimate_of(e, scope, match->low, "shared_bytes") : NULL;
    const struct fq_estimate *b = match->high ? fq_estimate_of(e, scope, match->high, "shared_bytes") : NULL;
    char low[FQ_NUMBER_SIZE], high[FQ_NUMBER_SIZE];
    if (a == NULL || !isfinite(a->value)) {
        snprintf(cell->text, sizeof cell->text, "\u2013");
        return;
    }
    fq_print_exact(a->value, low);
    if (b != NULL && isfinite(b->value) && fabs(b->value - a->value) >= 1) {
        fq_print_exact(b->value, high);
        snprintf(cell->text, sizeof cell->text, "%s .. %s", low, high);
    } else
        snprintf(cell->text, sizeof cell->text, "%s", low);
}

static void put_setting(const struct row *r, struct fq_table_row *out) {
    const struct fq_estimate *first = r->curve->point[0]->first;
    snprintf(out->cell[0].text, sizeof out->cell[0].text, "%s", r->curve->name);
    if (learns(first))
        fq_cell_note(&out->cell[0], "learnt");
    if (strcmp(first->role, "negative control") == 0)
        fq_cell_note(&out->cell[0], "negative control");
    char low[FQ_NUMBER_SIZE], high[FQ_NUMBER_SIZE];
    fq_print_exact(r->match.kind == FQ_MATCH_INTERPOLATED ? r->match.low->first->rate_bits : lowest(r->curve), low);
    fq_print_exact(r->match.kind == FQ_MATCH_INTERPOLATED ? r->match.high->first->rate_bits : highest(r->curve), high);
    struct fq_table_cell *how = &out->cell[1], *rate = &out->cell[2];
    switch (r->match.kind) {
    case FQ_MATCH_MEASURED:
        snprintf(how->text, sizeof how->text, "measured");
        fq_print_exact(r->match.low->first->rate_bits, rate->text);
        break;
    case FQ_MATCH_INTERPOLATED:
        snprintf(how->text, sizeof how->text, "interpolated");
        snprintf(rate->text, sizeof rate->text, "%s .. %s", low, high);
        break;
    case FQ_MATCH_NONE:
        if (r->objection != NULL)
            snprintf(how->text, sizeof how->text, "left out: the audit objects (%s)", r->objection);
        else
            snprintf(how->text, sizeof how->text, "not reachable at this rate");
        if (lowest(r->curve) < highest(r->curve))
            snprintf(rate->text, sizeof rate->text, "%s .. %s", low, high);
        else
            snprintf(rate->text, sizeof rate->text, "%s", low);
        break;
    }
}

/* How many settings have this rate. */
static size_t settings_at(const struct fq_curves *curves, double rate) {
    size_t n = 0;
    for (size_t i = 0; i < curves->n; i++)
        for (size_t k = 0; k < curves->curve[i].n; k++)
            n += fabs(curves->curve[i].point[k]->first->rate_bits - rate) < 1e-6;
    return n;
}

/* The rates that are asked for: 2, 3 and 4, and behind each the rate above it that most settings have, if that is
 * outside the window (a scalar per vector is a quarter of a bit at d = 64). There most rows are measured, and methods
 * that have one setting only are seen beside the others. */
static size_t rates_of(const struct fq_curves *curves, double out[MOST_RATES]) {
    size_t n = 0;
    for (size_t w = 0; w < WHOLE; w++) {
        double common = 0;
        size_t most = COMMON_AT_LEAST - 1;
        out[n++] = whole[w];
        for (size_t i = 0; i < curves->n; i++)
            for (size_t k = 0; k < curves->curve[i].n; k++) {
                const double rate = curves->curve[i].point[k]->first->rate_bits, above = rate - whole[w];
                const size_t here = settings_at(curves, rate);
                if (above > FQ_MATCH_WINDOW && above <= 0.5 && here > most) {
                    most = here;
                    common = rate;
                }
            }
        if (common > 0)
            out[n++] = common;
    }
    return n;
}

static int rate_rows(const struct fq_estimates *e, const struct fq_scope *scope, const struct two_sides *sides,
                     double rate, const char *const *metrics, struct row *rows, struct fq_table *t,
                     struct fq_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < sides->all.n; i++) {
        const struct fq_curve *all = &sides->all.curve[i], *fair = fair_curve(sides, all), *c = fair ? fair : all;
        const struct fq_match unjudged = fq_curve_at(all, rate);
        const struct fq_match match = fair ? fq_curve_at(fair, rate) : (struct fq_match){.kind = FQ_MATCH_NONE};
        const char *objection = match.kind == FQ_MATCH_NONE ? objection_to(sides, &unjudged) : NULL;
        /* Who cannot be had at all is said once, at the whole number. */
        if (lowest(all) > FARTHEST_BITS || (match.kind == FQ_MATCH_NONE && objection == NULL && rate > floor(rate)))
            continue;
        struct row *r = &rows[n++];
        struct fq_interpolated value;
        *r = (struct row){.curve = objection ? all : c, .match = match, .objection = objection};
        metric_at(e, scope, &r->match, metrics[0], &value, NULL);
        r->sort = isfinite(value.value) ? value.value : (double)INFINITY;
    }
    qsort(rows, n, sizeof *rows, by_value);
    FQ_TRY(fq_table_heading(t, err, "%g bits per coordinate%s", rate,
                            rate > floor(rate) ? ", which most settings here have" : ""));
    for (size_t i = 0; i < n; i++) {
        struct fq_table_row *row = fq_table_row(t, err);
        if (row == NULL)
            return err->code;
        put_setting(&rows[i], row);
        put_shared(e, scope, &rows[i].match, &row->cell[3]);
        for (size_t m = 0; m + FIRST_METRIC < t->n_columns; m++) {
            struct fq_interpolated value;
            metric_at(e, scope, &rows[i].match, metrics[m], &value, &row->cell[m + FIRST_METRIC]);
        }
    }
    return FQ_OK;
}

static size_t reaching(const struct fq_curves *curves) {
    size_t n = 0;
    for (size_t i = 0; i < curves->n; i++) {
        bool reaches = false;
        for (size_t k = 0; k < WHOLE; k++)
            reaches = reaches || fq_curve_at(&curves->curve[i], whole[k]).kind != FQ_MATCH_NONE;
        n += reaches;
    }
    return n;
}

static void put_caption(const struct fq_estimates *e, const struct fq_scope *scope, struct fq_table *t) {
    char sampling[512];
    fq_describe_sampling(e, scope, heads, sampling, sizeof sampling);
    snprintf(t->caption, sizeof t->caption,
             "Measured: a setting whose rate, from the bytes written with everything included, is within %.2f bit of "
             "the one asked for. Interpolated: between the two nearest settings of the same method, whose rates are "
             "given; errors by their logarithms, slopes and overlaps linearly; both intervals count, as if both "
             "settings were wrong in the same direction, and the error of interpolating itself is not in them. Nothing "
             "is extrapolated. Left out: only a setting that the audit objects to reaches the rate. "
             "Shared state is no part of the rate: drawn rotations and sketches are one for a cache, "
             "what is learnt is one for each layer and head. Sorted by the first metric. %s",
             FQ_MATCH_WINDOW, sampling);
}

int fq_matched_build(const struct fq_estimates *e, const struct fq_scope *scope, struct fq_tables *tables,
                     struct fq_error *err) {
    const char *metrics[sizeof heads / sizeof heads[0]];
    size_t n_metrics = 0;
    for (const struct fq_metric_head *h = heads; h->metric != NULL; h++)
        if (fq_scope_has(e, scope, h->metric))
            metrics[n_metrics++] = h->metric;
    metrics[n_metrics] = NULL;
    if (n_metrics == 0)
        return FQ_OK;
    struct fq_subject *subjects;
    struct two_sides sides;
    size_t n;
    FQ_TRY(fq_subjects(e, scope, metrics, &subjects, &n, err));
    int code = build_sides(subjects, n, &sides, err);
    struct row *rows = code == FQ_OK ? calloc(sides.all.n + 1, sizeof *rows) : NULL;
    if (code == FQ_OK && rows == NULL)
        code = fq_fail(err, FQ_USAGE, "out of memory for %zu rows: report on fewer results files at once", sides.all.n);
    if (code == FQ_OK && reaching(&sides.fair) >= 2) {
        char scope_name[192], id[256], title[288];
        fq_scope_title(scope, scope_name, sizeof scope_name);
        snprintf(id, sizeof id, "matched-%s", scope_name);
        snprintf(title, sizeof title, "%s: all methods at 2, 3 and 4 measured bits", scope_name);
        struct fq_table *t = fq_tables_add(tables, FQ_SECTION_MATCHED, id, title, err);
        code = t == NULL ? err->code : FQ_OK;
        if (code == FQ_OK) {
            put_caption(e, scope, t);
            fq_table_column(t, "method", "", false);
            fq_table_column(t, "from", "", false);
            fq_table_column(t, "rate", "bits/coord.", true);
            fq_table_column(t, "shared state", "bytes", true);
            for (const struct fq_metric_head *h = heads; h->metric != NULL; h++)
                if (fq_scope_has(e, scope, h->metric))
                    fq_table_column(t, h->title, h->unit, true);
        }
        double rates[MOST_RATES];
        const size_t n_rates = rates_of(&sides.fair, rates);
        for (size_t k = 0; k < n_rates && code == FQ_OK; k++)
            code = rate_rows(e, scope, &sides, rates[k], metrics, rows, t, err);
    }
    free(rows);
    free_sides(&sides);
    free(subjects);
    return code;
}
