/* Builds the tables from estimates. Must not compute a statistic: values and intervals are the judge's. The metric
 * names are those documented in harness/measure/measures.h and perplexity.h; what has no column here is in cells.csv.
 */
#include "harness/report/tables.h"

#include "harness/measure/codec.h"
#include "harness/report/matched.h"
#include "harness/report/number.h"
#include "harness/report/select.h"
#include "harness/report/tables_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDED = 24 }; /* rows of a list apart beyond which the page shows it on demand */

static const struct fq_metric_head quality_heads[] = {
    {"rel_mse", "relative MSE", ""},
    {"cosine", "cosine", ""},
    {"ip_rmse_sqrtd_rho0", "IP error, RMSE \u00d7 \u221ad", "\u03c1 = 0"},
    {"ip_slope_rho50", "IP slope", "\u03c1 = 0.5"},
    {"ip_slope_rho100", "IP slope", "\u03c1 = 1"},
    {"ip_slope", "IP slope", "the data's queries"},
    {"ip_rel_rmse", "IP relative RMSE", "the data's queries"},
    {"logit_rmse", "attention logit RMSE", ""},
    {"softmax_kl", "softmax KL", "nats"},
    {"topk_overlap_1", "top-1 overlap", ""},
    {"topk_overlap_8", "top-8 overlap", ""},
    {"output_rel_error", "attention output error", "relative"},
    {NULL, NULL, NULL},
};

static const struct fq_metric_head model_heads[] = {
    {"perplexity", "perplexity", ""},
    {"delta_log_ppl", "\u0394 log-perplexity", "nats"},
    {"kl", "KL mean", "nats"},
    {"kl.median", "KL median", "nats"},
    {"kl.q99", "KL p99", "nats"},
    {"kl.q999", "KL p99.9", "nats"},
    {"top1_agreement", "top-1 agreement", ""},
    {"generation_agreement", "generation agrees for", "tokens"},
    {"needle_text_recall", "planted sentences recalled", "of full precision's"},
    {"needle_text_delta_nll", "\u0394 NLL of planted answers", "nats/token"},
    {NULL, NULL, NULL},
};

/* Times of rows that are listed apart; the table of equal rows goes by stages. */
static const struct fq_metric_head speed_heads[] = {
    {"ns_rotate", "rotate", "ns/vector"},
    {"ns_encode", "encode", "ns/vector"},
    {"ns_prepare", "prepare", "ns/query"},
    {"ns_score", "score", "ns/pair"},
    {"ns_decode", "decode", "ns/vector"},
    {"ns_attend", "attend", "ns/vector"},
    {NULL, NULL, NULL},
};

static const struct fq_metric_head bytes_heads[] = {
    {"rate_bits", "measured rate", "bits/coord."},   {"record_bytes", "record", "bytes/vector"},
    {"side_bytes", "of it no code", "bytes/vector"}, {"tail_bytes", "float16 tail", "bytes/vector"},
    {"shared_bytes", "shared state", "bytes, once"}, {NULL, NULL, NULL},
};

/* Metrics that claims name and no table has a column for. */
static const struct fq_metric_head other_heads[] = {
    {"energy_mse", "MSE by energy", ""},
    {"ip_dvar_rho0", "IP error, mean square \u00d7 d", "\u03c1 = 0"},
    {"ip_sq_error", "IP error, mean square", "\u03c1 = 0"},
    {"ip_rmse_sqrtd_rho50", "IP error, RMSE \u00d7 \u221ad", "\u03c1 = 0.5"},
    {"ip_rmse_sqrtd_rho90", "IP error, RMSE \u00d7 \u221ad", "\u03c1 = 0.9"},
    {"ip_rmse_sqrtd_rho100", "IP error, RMSE \u00d7 \u221ad", "\u03c1 = 1"},
    {"ip_slope_rho90", "IP slope", "\u03c1 = 0.9"},
    {"ip_bias", "IP bias", "the data's queries"},
    {"loop_rel_mse", "MSE in the model", ""},
    {"loop_attention_error", "error of attention outputs in the model", ""},
    {NULL, NULL, NULL},
};

bool fq_metric_title(const char *metric, char *out, size_t size) {
    static const struct fq_metric_head *const lists[] = {quality_heads, model_heads, speed_heads, bytes_heads,
                                                         other_heads};
    snprintf(out, size, "%s", metric);
    for (int bare = 0; bare < 2; bare++) { /* kl.median has a column of its own; rel_mse.mean is rel_mse */
        size_t n = bare ? strcspn(metric, ".") : strlen(metric);
        for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
            for (const struct fq_metric_head *h = lists[l]; h->metric != NULL; h++) {
                if (strlen(h->metric) != n || strncmp(h->metric, metric, n) != 0)
                    continue;
                bool where = strncmp(metric, "ip_", 3) == 0 && h->unit[0] != '\0', statistic = metric[n] == '.';
                snprintf(out, size, "%s%s%s%s%s%s", lists[l] == speed_heads ? "time to " : "", h->title,
                         where ? " (" : "", where ? h->unit : "", where ? ")" : "", statistic ? ", " : "");
                size_t used = strlen(out);
                snprintf(out + used, size - used, "%s", statistic ? metric + n + 1 : "");
                return true;
            }
    }
    return false;
}

void fq_tables_free(struct fq_tables *tables) {
    for (size_t i = 0; i < tables->n; i++)
        fq_table_free(&tables->rows[i].table);
    free(tables->rows);
    memset(tables, 0, sizeof *tables);
}

struct fq_table *fq_tables_add(struct fq_tables *tables, enum fq_section section, const char *id, const char *title,
                               struct fq_error *err) {
    if (tables->n == tables->room) {
        size_t room = tables->room == 0 ? 8 : 2 * tables->room;
        struct fq_report_table *rows = realloc(tables->rows, room * sizeof *rows);
        if (rows == NULL) {
            fq_fail(err, FQ_USAGE, "out of memory for %zu tables: report on fewer results files at once", room);
            return NULL;
        }
        tables->rows = rows;
        tables->room = room;
    }
    struct fq_report_table *t = &tables->rows[tables->n++];
    t->section = section;
    fq_table_begin(&t->table, id, title);
    /* Names that differ in their last letters only, or in letters that no file name has: the number tells them apart.
     */
    for (size_t i = 0; i + 1 < tables->n; i++)
        if (strcmp(tables->rows[i].table.id, t->table.id) == 0) {
            char number[24];
            const size_t n = (size_t)snprintf(number, sizeof number, "-%zu", tables->n);
            const size_t end =
                strlen(t->table.id) + n < sizeof t->table.id ? strlen(t->table.id) : sizeof t->table.id - 1 - n;
            memcpy(t->table.id + end, number, n + 1);
            break;
        }
    return &t->table;
}

void fq_cell_note(struct fq_table_cell *cell, const char *text) {
    size_t n = strlen(cell->note);
    snprintf(cell->note + n, sizeof cell->note - n, "%s%s", n > 0 ? ", " : "", text);
}

void fq_cell_flags(struct fq_table_cell *cell, const struct fq_estimate *e) {
    if (fq_has_flag(e->flags, "few-units"))
        fq_cell_note(cell, "few units");
    if (fq_has_flag(e->flags, "single-unit"))
        fq_cell_note(cell, "one unit");
    if (fq_has_flag(e->flags, "beyond-sample"))
        fq_cell_note(cell, "too few samples for this quantile");
    if (fq_has_flag(e->flags, "sample-maximum"))
        fq_cell_note(cell, "maximum of the sample");
}

void fq_cell_estimate(struct fq_table_cell *cell, const struct fq_estimate *e) {
    if (e == NULL) {
        snprintf(cell->text, sizeof cell->text, "\u2013");
        return;
    }
    if (fq_has_flag(e->flags, "too-wide")) {
        snprintf(cell->text, sizeof cell->text, "not measurable here");
        fq_cell_note(cell, "processes disagree");
        return;
    }
    fq_table_estimate(cell, e->value, e->low, e->high);
    fq_cell_flags(cell, e);
}

static void put_name(struct fq_table_row *row, const struct fq_subject *s) {
    snprintf(row->cell[0].text, sizeof row->cell[0].text, "%s", s->first->label);
    if (strcmp(s->first->role, "negative control") == 0)
        fq_cell_note(&row->cell[0], "negative control");
    if (fq_has_flag(s->first->flags, "one-seed"))
        fq_cell_note(&row->cell[0], "one seed");
    fq_print_exact(s->first->rate_bits, row->cell[1].text);
}

/* The metrics of a list that the scope has; metrics[32] ends with NULL. */
static size_t present(const struct fq_estimates *e, const struct fq_scope *scope, const struct fq_metric_head *heads,
                      const char **metrics) {
    size_t n = 0;
    for (const struct fq_metric_head *h = heads; h->metric != NULL && n < 31; h++)
        if (fq_scope_has(e, scope, h->metric))
            metrics[n++] = h->metric;
    metrics[n] = NULL;
    return n;
}

/* Joins a list of units ("seed, layer and head") to another, each unit once. */
static void add_units(char *units, size_t size, const char *more) {
    for (const char *s = more; *s != '\0';) {
        size_t n = strcspn(s, ","), used = strlen(units);
        bool there = false;
        for (const char *u = units; *u != '\0' && !there;) {
            size_t m = strcspn(u, ",");
            there = m == n && memcmp(u, s, n) == 0;
            u += m;
            u += strspn(u, ", ");
        }
        if (!there && n > 0 && !(n == 7 && memcmp(s, "nothing", n) == 0))
            snprintf(units + used, size - used, "%s%.*s", used > 0 ? ", " : "", (int)n, s);
        s += n;
        s += strspn(s, ", ");
    }
}

void fq_describe_sampling(const struct fq_estimates *e, const struct fq_scope *scope,
                          const struct fq_metric_head *heads, char *out, size_t size) {
    size_t seeds_low = SIZE_MAX, seeds_high = 0;
    bool partial = false;
    char units[256] = "";
    for (const struct fq_metric_head *h = heads; h->metric != NULL; h++)
        for (size_t i = 0; i < e->n; i++) {
            const struct fq_estimate *row = &e->rows[i];
            if (strcmp(row->metric, h->metric) != 0 || strcmp(row->data, scope->data) != 0 ||
                strcmp(row->tensor, scope->tensor) != 0 || strcmp(row->kind, scope->kind) != 0)
                continue;
            seeds_low = row->seed_count < seeds_low ? row->seed_count : seeds_low;
            seeds_high = row->seed_count > seeds_high ? row->seed_count : seeds_high;
            partial = partial || fq_has_flag(row->flags, "partial");
            add_units(units, sizeof units, row->resampled);
        }
    char seeds[112] = "";
    if (seeds_high > 0 && seeds_low == seeds_high)
        snprintf(seeds, sizeof seeds, "; %zu seed%s", seeds_high, seeds_high == 1 ? "" : "s");
    else if (seeds_high > 0)
        snprintf(seeds, sizeof seeds, "; %zu to %zu seeds (a method without random state has one)", seeds_low,
                 seeds_high);
    snprintf(out, size, "95 %% intervals%s%s%s.%s", units[0] != '\0' ? " by resampling " : "", units, seeds,
             partial ? " The run is partial: cells are missing." : "");
}

/* The equal rows of a scope, a heading for each rate class. */
static int scope_table(const struct fq_estimates *e, const struct fq_scope *scope, const struct fq_metric_head *heads,
                       enum fq_section section, const char *what, struct fq_tables *tables, struct fq_error *err) {
    const char *metrics[32];
    size_t n_metrics = present(e, scope, heads, metrics);
    if (n_metrics == 0)
        return FQ_OK;
    struct fq_subject *subjects;
    size_t n, shown = 0;
    FQ_TRY(fq_subjects(e, scope, metrics, &subjects, &n, err));
    for (size_t i = 0; i < n; i++)
        shown += !subjects[i].unequal;
    if (shown == 0) {
        free(subjects);
        return FQ_OK;
    }
    char scope_name[192], id[256], title[288], sampling[512];
    fq_scope_title(scope, scope_name, sizeof scope_name);
    snprintf(id, sizeof id, "%s-%s", what, scope_name);
    snprintf(title, sizeof title, "%s: %s", scope_name,
             section == FQ_SECTION_MODEL ? "the model with a quantized cache" : "quality by rate class");
    struct fq_table *t = fq_tables_add(tables, section, id, title, err);
    if (t == NULL) {
        free(subjects);
        return err->code;
    }
    fq_describe_sampling(e, scope, heads, sampling, sizeof sampling);
    snprintf(t->caption, sizeof t->caption, "Rate: bits per coordinate from the bytes written, everything included. %s",
             sampling);
    fq_table_column(t, "method", "", false);
    fq_table_column(t, "rate", "bits/coord.", true);
    for (const struct fq_metric_head *h = heads; h->metric != NULL; h++)
        if (fq_scope_has(e, scope, h->metric) && t->n_columns < FQ_TABLE_COLUMNS)
            fq_table_column(t, h->title, h->unit, true);
    const char *in_class = NULL;
    int code = FQ_OK;
    for (size_t i = 0; i < n && code == FQ_OK; i++) {
        const struct fq_subject *s = &subjects[i];
        if (s->unequal)
            continue;
        if (in_class == NULL || strcmp(in_class, s->first->rate_class) != 0) {
            in_class = s->first->rate_class;
            code = fq_table_heading(t, err, "rate class %s", in_class[0] != '\0' ? in_class : "(none)");
        }
        struct fq_table_row *row = code == FQ_OK ? fq_table_row(t, err) : NULL;
        if (row == NULL) {
            code = err->code;
            break;
        }
        put_name(row, s);
        for (size_t m = 0; m < n_metrics && m + 2 < t->n_columns; m++)
            fq_cell_estimate(&row->cell[m + 2], fq_estimate_of(e, scope, s, metrics[m]));
    }
    free(subjects);
    return code;
}

/* One instance of a list of rows apart: a heading that names what differs, then one line per metric. */
static int list_one(const struct fq_estimates *e, const struct fq_scope *scope, const struct fq_subject *s,
                    const struct fq_metric_head *heads, struct fq_table *t, struct fq_error *err) {
    FQ_TRY(fq_table_heading(t, err, "%s: differs in %s", s->first->label, s->field));
    for (const struct fq_metric_head *h = heads; h->metric != NULL; h++) {
        const struct fq_estimate *value = fq_estimate_of(e, scope, s, h->metric);
        if (value == NULL)
            continue;
        struct fq_table_row *row = fq_table_row(t, err);
        if (row == NULL)
            return err->code;
        snprintf(row->cell[0].text, sizeof row->cell[0].text, "%s", h->title);
        snprintf(row->cell[1].text, sizeof row->cell[1].text, "%s", h->unit);
        fq_print_exact(s->first->rate_bits, row->cell[2].text);
        fq_cell_estimate(&row->cell[3], value);
    }
    return FQ_OK;
}

/* The rows that the audit objects to, one below the other and not side by side. */
static int list_apart(const struct fq_estimates *e, const struct fq_scope *scope, const struct fq_metric_head *heads,
                      enum fq_section section, const char *what, struct fq_tables *tables, struct fq_error *err) {
    const char *metrics[32];
    if (present(e, scope, heads, metrics) == 0)
        return FQ_OK;
    struct fq_subject *subjects;
    size_t n;
    FQ_TRY(fq_subjects(e, scope, metrics, &subjects, &n, err));
    char scope_name[192], id[256], title[288];
    fq_scope_title(scope, scope_name, sizeof scope_name);
    snprintf(id, sizeof id, "%s-%s-apart", what, scope_name);
    snprintf(title, sizeof title, "%s: listed apart, %s", scope_name, what);
    struct fq_table *t = NULL;
    size_t instances = 0;
    int code = FQ_OK;
    for (size_t i = 0; i < n && code == FQ_OK; i++) {
        if (!subjects[i].unequal)
            continue;
        if (t == NULL) {
            t = fq_tables_add(tables, section, id, title, err);
            if (t == NULL) {
                code = err->code;
                break;
            }
            snprintf(t->caption, sizeof t->caption,
                     "The audit found that these were not measured under equal conditions, and names the field that "
                     "differs. Each number stands for itself; comparing them would compare the conditions.");
            fq_table_column(t, "metric", "", false);
            fq_table_column(t, "unit", "", false);
            fq_table_column(t, "rate", "bits/coord.", true);
            fq_table_column(t, "value", "", true);
        }
        code = list_one(e, scope, &subjects[i], heads, t, err);
        instances++;
    }
    if (t != NULL && t->n_rows > FOLDED)
        snprintf(t->fold, sizeof t->fold, "%zu method%s, %zu numbers: open the list", instances,
                 instances == 1 ? "" : "s", t->n_rows - instances);
    free(subjects);
    return code;
}

bool fq_time_is_impossible(const struct fq_estimate *time, const struct fq_estimate *floor) {
    return time != NULL && floor != NULL && isfinite(time->high) && isfinite(floor->low) && time->high < floor->low;
}

static int speed_stage(const struct fq_estimates *e, const struct fq_scope *scope, const char *stage,
                       struct fq_table *t, struct fq_error *err) {
    char ns[56], moved[56], floor_ns[56], over[56];
    snprintf(ns, sizeof ns, "ns_%s", stage);
    snprintf(moved, sizeof moved, "bytes_moved_%s", stage);
    snprintf(floor_ns, sizeof floor_ns, "floor_ns_%s", stage);
    snprintf(over, sizeof over, "over_floor_%s", stage);
    const char *metrics[] = {ns, NULL};
    struct fq_subject *subjects;
    size_t n;
    FQ_TRY(fq_subjects(e, scope, metrics, &subjects, &n, err));
    int code = FQ_OK;
    bool headed = false;
    for (size_t i = 0; i < n && code == FQ_OK; i++) {
        const struct fq_subject *s = &subjects[i];
        if (s->unequal)
            continue;
        if (!headed)
            code = fq_table_heading(t, err, "%s (per %s)", stage,
                                    strcmp(stage, "prepare") == 0 ? "query"
                                    : strcmp(stage, "score") == 0 ? "pair"
                                                                  : "vector");
        headed = true;
        struct fq_table_row *row = code == FQ_OK ? fq_table_row(t, err) : NULL;
        if (row == NULL) {
            code = err->code;
            break;
        }
        const struct fq_estimate *time = fq_estimate_of(e, scope, s, ns);
        const struct fq_estimate *floor = fq_estimate_of(e, scope, s, floor_ns);
        put_name(row, s);
        size_t c = 2;
        fq_cell_estimate(&row->cell[c], time);
        if (fq_time_is_impossible(time, floor))
            fq_cell_note(&row->cell[c], "below its floor: impossible");
        fq_cell_estimate(&row->cell[c + 1], fq_estimate_of(e, scope, s, moved));
        fq_cell_estimate(&row->cell[c + 2], floor);
        fq_cell_estimate(&row->cell[c + 3], fq_estimate_of(e, scope, s, over));
    }
    free(subjects);
    return code;
}

static int speed_table(const struct fq_estimates *e, const struct fq_scope *scope, struct fq_tables *tables,
                       struct fq_error *err) {
    char scope_name[192], id[256], title[288];
    fq_scope_title(scope, scope_name, sizeof scope_name);
    snprintf(id, sizeof id, "speed-%s", scope_name);
    snprintf(title, sizeof title, "%s: time by stage", scope_name);
    struct fq_table *t = fq_tables_add(tables, FQ_SECTION_SPEED, id, title, err);
    if (t == NULL)
        return err->code;
    char sampling[512];
    fq_describe_sampling(e, scope, speed_heads, sampling, sizeof sampling);
    snprintf(t->caption, sizeof t->caption,
             "Median over blocks. Floor: the bytes that the stage must move over the read bandwidth of this machine, "
             "measured in the same process with as many threads; a time below it "
             "is impossible for vectors that come from memory, and means that they stayed in a cache or were not "
             "touched. Not measurable here: the upper end of the interval is more than ten times the lower, because "
             "the processes disagree (load on the machine, or too few processes); cells.csv has both ends. %s",
             sampling);
    fq_table_column(t, "method", "", false);
    fq_table_column(t, "rate", "bits/coord.", true);
    fq_table_column(t, "time", "ns", true);
    fq_table_column(t, "bytes moved", "bytes", true);
    fq_table_column(t, "floor", "ns", true);
    fq_table_column(t, "time over floor", "", true);
    for (int stage = 0; stage < FQ_STAGES; stage++)
        FQ_TRY(speed_stage(e, scope, fq_stage_name((enum fq_stage)stage), t, err));
    if (t->n_rows == 0) {
        fq_table_free(t);
        tables->n--;
    }
    return FQ_OK;
}

static int bytes_table(const struct fq_estimates *e, const struct fq_scope *scopes, size_t n_scopes,
                       struct fq_tables *tables, struct fq_error *err) {
    const char *metrics[8];
    size_t n_metrics = 0;
    for (const struct fq_metric_head *h = bytes_heads; h->metric != NULL; h++)
        metrics[n_metrics++] = h->metric;
    metrics[n_metrics] = NULL;
    struct fq_table *t = fq_tables_add(tables, FQ_SECTION_BYTES, "bytes", "Bytes by method", err);
    if (t == NULL)
        return err->code;
    snprintf(t->caption, sizeof t->caption,
             "Counted from the buffers that the method was given and filled, not from its description. Shared state "
             "(rotation, codebook) is stored once for the whole cache and is not part of the rate.");
    fq_table_column(t, "method", "", false);
    fq_table_column(t, "nominal", "bits/coord.", true);
    for (const struct fq_metric_head *h = bytes_heads; h->metric != NULL; h++)
        fq_table_column(t, h->title, h->unit, true);
    for (size_t k = 0; k < n_scopes; k++) {
        struct fq_subject *subjects;
        size_t n;
        FQ_TRY(fq_subjects(e, &scopes[k], metrics, &subjects, &n, err));
        char name[192];
        fq_scope_title(&scopes[k], name, sizeof name);
        int code = n > 0 ? fq_table_heading(t, err, "%s", name) : FQ_OK;
        for (size_t i = 0; i < n && code == FQ_OK; i++) {
            struct fq_table_row *row = fq_table_row(t, err);
            if (row == NULL) {
                code = err->code;
                break;
            }
            put_name(row, &subjects[i]);
            fq_print_exact(subjects[i].first->nominal_bits, row->cell[1].text);
            for (size_t m = 0; m < n_metrics; m++)
                fq_cell_estimate(&row->cell[2 + m], fq_estimate_of(e, &scopes[k], &subjects[i], metrics[m]));
        }
        free(subjects);
        FQ_TRY(code);
    }
    if (t->n_rows == 0) {
        fq_table_free(t);
        tables->n--;
    }
    return FQ_OK;
}

int fq_tables_build(const struct fq_estimates *e, struct fq_tables *out, struct fq_error *err) {
    struct fq_scope *scopes;
    size_t n;
    FQ_TRY(fq_scopes(e, NULL, &scopes, &n, err));
    int code = FQ_OK;
    for (size_t i = 0; i < n && code == FQ_OK; i++) {
        bool model = strcmp(scopes[i].kind, "model") == 0, speed = strcmp(scopes[i].kind, "speed") == 0;
        enum fq_section section = speed ? FQ_SECTION_SPEED : model ? FQ_SECTION_MODEL : FQ_SECTION_QUALITY;
        const char *what = speed ? "speed" : model ? "model" : "quality";
        const struct fq_metric_head *heads = speed ? speed_heads : model ? model_heads : quality_heads;
        code =
            speed ? speed_table(e, &scopes[i], out, err) : scope_table(e, &scopes[i], heads, section, what, out, err);
        if (code == FQ_OK && section == FQ_SECTION_QUALITY)
            code = fq_matched_build(e, &scopes[i], out, err);
        if (code == FQ_OK)
            code = list_apart(e, &scopes[i], heads, section, what, out, err);
    }
    if (code == FQ_OK)
        code = bytes_table(e, scopes, n, out, err);
    free(scopes);
    return code;
}
