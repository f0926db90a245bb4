/* A model's figures over parts of its cache: layers, keys against values, skipped values. Must not know a method by
 * name; a method of 32 bits or more is taken to change nothing. */
#include "harness/measure/catalog.h"
#include "harness/report/cells_csv.h"
#include "harness/report/models_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 28, LAYERS = 512 };

static int out_of_memory(size_t n, struct fq_error *err) {
    return fq_fail(err, FQ_USAGE, "out of memory for a figure of %zu settings: report on fewer results files at once",
                   n);
}

/* ---- layers ---- */

static bool same_instance(const struct fq_estimate *a, const struct fq_estimate *b) {
    return strcmp(a->method, b->method) == 0 && strcmp(a->parameters, b->parameters) == 0 &&
           strcmp(a->label, b->label) == 0 && strcmp(a->contract, b->contract) == 0;
}

/* "loop_attention_error_layerL" -> L, -1: another metric. */
static int layer_of(const char *metric) {
    static const char prefix[] = "loop_attention_error_layer";
    char *end;
    if (strncmp(metric, prefix, sizeof prefix - 1) != 0)
        return -1;
    const long layer = strtol(metric + sizeof prefix - 1, &end, 10);
    return end != metric + sizeof prefix - 1 && *end == '\0' && layer >= 0 && layer < LAYERS ? (int)layer : -1;
}

int fq_model_layers(struct fq_model_export *x, struct fq_error *err) {
    enum { TOUCHED = 3 };
    static const char *const tensors[TOUCHED] = {"kv", "key", "value"}; /* what a cell quantizes: a panel each */
    const struct fq_estimates *e = x->in->estimates;
    struct fq_subject *chosen[TOUCHED] = {NULL};
    size_t n[TOUCHED] = {0}, rows = 0, all = 0;
    bool thinned = false, any = false;
    int code = FQ_OK;
    fputs("panel,panel_name,row,label,rate_bits,layer,value,low,high\n", x->f);
    for (int t = 0; t < TOUCHED && code == FQ_OK; t++) {
        const struct fq_scope scope = fq_model_scope(x->section, tensors[t]);
        bool some;
        code = fq_model_chosen(x, &scope, "loop_attention_error", ROWS, &chosen[t], &n[t], &some, err);
        thinned = thinned || (code == FQ_OK && some);
        all += n[t];
    }
    const struct fq_estimate **row = calloc(all + 1, sizeof *row);
    if (code == FQ_OK && row == NULL)
        code = out_of_memory(all, err);
    for (int t = 0; t < TOUCHED && code == FQ_OK; t++)
        for (size_t i = 0; i < n[t]; i++) {
            size_t k = 0;
            while (k < rows && !same_instance(row[k], chosen[t][i].first))
                k++;
            if (k == rows)
                row[rows++] = chosen[t][i].first;
        }
    for (int t = 0; t < TOUCHED && code == FQ_OK; t++) {
        any = false;
        for (size_t i = 0; i < e->n; i++) {
            const struct fq_estimate *v = &e->rows[i];
            const int layer = layer_of(v->metric);
            if (layer < 0 || v->replicate != 0 || strcmp(v->kind, "model") != 0 ||
                strcmp(v->data, x->section->data) != 0 || strcmp(v->tensor, tensors[t]) != 0 || !isfinite(v->value))
                continue;
            size_t k = 0;
            while (k < rows && !same_instance(row[k], v))
                k++;
            if (k == rows)
                continue;
            x->panels += !any;
            any = true;
            fprintf(x->f, "%zu,%s,%zu,", x->panels, fq_model_tensor(tensors[t]), k + 1);
            fq_fig_text(x->f, v->label);
            fq_put_csv_number(x->f, v->rate_bits);
            fprintf(x->f, ",%d,", layer);
            fq_fig_numbers(x->f, v, 1.0);
            fputc('\n', x->f);
        }
    }
    if (thinned)
        snprintf(x->caption, sizeof x->caption, "Of each method the setting nearest to 3 bits.");
    free(row);
    for (int t = 0; t < TOUCHED; t++)
        free(chosen[t]);
    return code;
}

/* ---- keys against values ---- */

enum side { KEYS, VALUES, BOTH, SIDES };

struct pair {
    char identity[FQ_CELL_PARAMETERS + 64], name[112];
    const struct fq_estimate *kl[SIDES];
};

/* What stands behind "NAME=" in a policy's text, up to the space. false: nothing. */
static bool policy_word(const char *text, const char *name, char *out, size_t size) {
    const size_t n = strlen(name);
    for (const char *s = text; *s != '\0';) {
        const size_t length = strcspn(s, " ");
        if (length > n && strncmp(s, name, n) == 0 && s[n] == '=') {
            snprintf(out, size, "%.*s", (int)(length - n - 1), s + n + 1);
            return true;
        }
        s += length;
        s += strspn(s, " ");
    }
    return false;
}

/* The method of a code in a policy's text, "NAME(PARAMETER=value,...)"; NULL: "full", or none of this binary's. */
static const struct fq_method *method_of(const char *code) {
    const size_t n = strcspn(code, "(");
    for (size_t i = 0; i < fq_catalog_size(); i++)
        if (strlen(fq_catalog_at(i)->name) == n && strncmp(fq_catalog_at(i)->name, code, n) == 0)
            return fq_catalog_at(i);
    return NULL;
}

/* "full", or a method that keeps 32 bits. */
static bool untouched(const char *code) {
    const struct fq_method *m = method_of(code);
    struct fq_params params;
    if (m == NULL)
        return strcmp(code, "full") == 0;
    fq_params_default(m, &params);
    return m->nominal_bits(&params) >= 32.0;
}

/* The code with its width and what differs from the method's defaults. */
static void short_code(const char *code, char *out, size_t size) {
    const struct fq_method *m = method_of(code);
    struct fq_params params;
    char defaults[512] = " ";
    if (m != NULL) {
        fq_params_default(m, &params);
        fq_params_print(m, &params, defaults + 1, sizeof defaults - 2);
        memcpy(defaults + strlen(defaults), " ", 2);
    }
    const size_t name = strcspn(code, "(");
    size_t used = (size_t)snprintf(out, size, "%.*s", (int)name, code);
    for (const char *s = code + name + (code[name] != '\0'); *s != '\0' && used < size;) {
        const size_t length = strcspn(s, ",)");
        char word[128];
        snprintf(word, sizeof word, " %.*s ", (int)length, s);
        if (strstr(defaults, word) == NULL || strncmp(word, " bits=", 6) == 0)
            used += (size_t)snprintf(out + used, size - used, " %.*s", (int)length, s);
        s += length + (s[length] != '\0');
    }
}

/* Which tensors a cell coded, and with what: two cells with one identity differ in the tensor alone. */
static bool side_of(const struct fq_estimate *e, struct pair *p, enum side *side) {
    char code[2][256];
    if (strcmp(e->method, "policy") != 0) {
        *side = strcmp(e->tensor, "key") == 0 ? KEYS : strcmp(e->tensor, "value") == 0 ? VALUES : BOTH;
        snprintf(p->identity, sizeof p->identity, "%s %s", e->method, e->parameters);
        snprintf(p->name, sizeof p->name, "%s", e->label);
        return true;
    }
    if (!policy_word(e->parameters, "key", code[0], sizeof code[0]) ||
        !policy_word(e->parameters, "value", code[1], sizeof code[1]))
        return false;
    const bool same = strcmp(code[0], code[1]) == 0;
    if (same ? untouched(code[0]) : untouched(code[0]) == untouched(code[1]))
        return false;
    *side = same ? BOTH : untouched(code[1]) ? KEYS : VALUES;
    const char *own = code[*side == VALUES ? 1 : 0];
    short_code(own, p->name, sizeof p->name);
    size_t used = (size_t)snprintf(p->identity, sizeof p->identity, "policy %s", own);
    for (const char *s = e->parameters; *s != '\0' && used < sizeof p->identity;) {
        const size_t length = strcspn(s, " ");
        if (strncmp(s, "key=", 4) != 0 && strncmp(s, "value=", 6) != 0)
            used += (size_t)snprintf(p->identity + used, sizeof p->identity - used, " %.*s", (int)length, s);
        s += length;
        s += strspn(s, " ");
    }
    return true;
}

static int add_side(struct pair *pairs, size_t *n, const struct fq_estimate *kl) {
    struct pair *at = &pairs[*n];
    enum side side;
    memset(at, 0, sizeof *at);
    if (!fq_fig_drawable(kl) || !side_of(kl, at, &side))
        return 0;
    size_t k = 0;
    while (strcmp(pairs[k].identity, at->identity) != 0)
        k++;
    if (k == *n)
        (*n)++;
    if (pairs[k].kl[side] == NULL)
        pairs[k].kl[side] = kl;
    return 1;
}

static int collect_pairs(const struct fq_model_export *x, struct pair **out, size_t *n, struct fq_error *err) {
    static const char *const tensors[3] = {"key", "value", "kv"};
    *n = 0;
    *out = NULL;
    for (int t = 0; t < 3; t++) {
        const struct fq_scope scope = fq_model_scope(x->section, tensors[t]);
        static const char *const metrics[] = {"kl", NULL};
        struct fq_subject *s;
        size_t count;
        FQ_TRY(fq_subjects(x->in->estimates, &scope, metrics, &s, &count, err));
        struct pair *grown = realloc(*out, (*n + count + 1) * sizeof **out);
        if (grown == NULL) {
            free(s);
            return out_of_memory(count, err);
        }
        *out = grown;
        for (size_t i = 0; i < count; i++)
            if (!s[i].unequal && strcmp(s[i].first->role, FQ_ROLE_NOISE_FLOOR) != 0)
                (void)add_side(*out, n, fq_estimate_of(x->in->estimates, &scope, &s[i], "kl"));
        free(s);
    }
    return FQ_OK;
}

int fq_model_kv(struct fq_model_export *x, struct fq_error *err) {
    static const char *const names[SIDES] = {"keys alone", "values alone", "both"};
    struct pair *pairs;
    size_t n, slot = 0, left_out = 0;
    const int code = collect_pairs(x, &pairs, &n, err);
    fputs("slot,label,side,side_name,rate_bits,value,low,high" FQ_MODEL_FLOOR_COLUMNS "\n", x->f);
    struct fq_model_floor floor = {0};
    static const char *const tensors[3] = {"kv", "key", "value"};
    for (int t = 0; t < 3 && !floor.known; t++) {
        const struct fq_scope scope = fq_model_scope(x->section, tensors[t]);
        floor = fq_model_floor(x, &scope);
    }
    for (size_t i = 0; code == FQ_OK && i < n; i++) {
        const struct pair *p = &pairs[i];
        if (p->kl[KEYS] == NULL || p->kl[VALUES] == NULL)
            continue;
        if (slot == 2 * ROWS) {
            left_out++;
            continue;
        }
        slot++;
        for (int s = 0; s < SIDES; s++) {
            if (p->kl[s] == NULL)
                continue;
            fprintf(x->f, "%zu,", slot);
            fq_fig_text(x->f, p->name);
            fprintf(x->f, "%d,%s,", s + 1, names[s]);
            fq_put_csv_number(x->f, p->kl[s]->rate_bits);
            fputc(',', x->f);
            fq_fig_numbers(x->f, p->kl[s], 1.0);
            fq_model_put_floor(x->f, &floor);
            fputc('\n', x->f);
        }
    }
    free(pairs);
    x->panels = slot > 0;
    if (left_out > 0)
        snprintf(x->caption, sizeof x->caption, "%zu more settings are in cells.csv.", left_out);
    return code;
}

/* ---- skipped values ---- */

struct skipping {
    const struct fq_estimate *kl;
    double threshold, skipped; /* skipped: a sum over `cells` seeds */
    size_t cells;
    char curve[FQ_CELL_PARAMETERS + 96], name[96];
};

static void without_word(const char *text, const char *word, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (const char *s = text; *s != '\0' && used < size;) {
        const size_t length = strcspn(s, " ");
        if (strncmp(s, word, strlen(word)) != 0)
            used += (size_t)snprintf(out + used, size - used, "%s%.*s", used > 0 ? " " : "", (int)length, s);
        s += length;
        s += strspn(s, " ");
    }
}

static int by_curve(const void *pa, const void *pb) {
    const struct skipping *a = pa, *b = pb;
    const int c = strcmp(a->curve, b->curve);
    return c != 0 ? c : (a->threshold > b->threshold) - (a->threshold < b->threshold);
}

/* The instances whose KL is known, with what their cells say they skipped. */
static size_t collect_skipping(const struct fq_model_export *x, struct skipping *out) {
    const struct fq_estimates *e = x->in->estimates;
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++) {
        const struct fq_estimate *kl = &e->rows[i];
        char text[32], ignored[64];
        if (strcmp(kl->metric, "kl") != 0 || strcmp(kl->kind, "model") != 0 || kl->replicate != 0 ||
            strcmp(kl->data, x->section->data) != 0 || !fq_fig_drawable(kl) ||
            fq_flag_value(kl->flags, "unfair:", ignored, sizeof ignored) ||
            !policy_word(kl->parameters, "sparse_v", text, sizeof text))
            continue;
        struct skipping *s = &out[n];
        *s = (struct skipping){.kl = kl, .threshold = strtod(text, NULL)};
        without_word(kl->parameters, "sparse_v=", s->curve, sizeof s->curve);
        without_word(kl->label, "sparse_v=", s->name, sizeof s->name);
        for (size_t r = 0; r < x->in->n_results; r++)
            for (size_t c = 0; c < x->in->results[r].n_cells; c++) {
                const struct fq_cell *cell = &x->in->results[r].cells[c];
                const char *skipped = fq_cell_fact_text(cell, "sparse_v_skipped");
                if (skipped == NULL || !cell->ok || cell->replicate != 0 || strcmp(cell->data, kl->data) != 0 ||
                    strcmp(cell->parameters, kl->parameters) != 0 || strcmp(cell->label, kl->label) != 0)
                    continue;
                s->skipped += strtod(skipped, NULL);
                s->cells++;
            }
        n += s->cells > 0;
    }
    return n;
}

int fq_model_sparse(struct fq_model_export *x, struct fq_error *err) {
    size_t room = 1;
    for (size_t i = 0; i < x->in->estimates->n; i++)
        room += strstr(x->in->estimates->rows[i].parameters, "sparse_v=") != NULL &&
                strcmp(x->in->estimates->rows[i].metric, "kl") == 0;
    struct skipping *s = calloc(room + 1, sizeof *s);
    double *threshold = calloc(room + 1, sizeof *threshold);
    if (s == NULL || threshold == NULL) {
        free(s);
        free(threshold);
        return out_of_memory(room, err);
    }
    const size_t n = collect_skipping(x, s);
    size_t different = 0, series = 0;
    qsort(s, n, sizeof *s, by_curve);
    for (size_t i = 0; i < n; i++) { /* thresholds in ascending order, each once: their place is their sign */
        size_t k = 0;
        while (k < different && threshold[k] < s[i].threshold)
            k++;
        if (k < different && threshold[k] <= s[i].threshold)
            continue;
        memmove(threshold + k + 1, threshold + k, (different - k) * sizeof *threshold);
        threshold[k] = s[i].threshold;
        different++;
    }
    fputs("series,series_name,sign,threshold,skipped,value,low,high" FQ_MODEL_FLOOR_COLUMNS "\n", x->f);
    for (size_t i = 0; i < n; i++) {
        size_t sign = 0;
        while (threshold[sign] < s[i].threshold)
            sign++;
        series += i == 0 || strcmp(s[i].curve, s[i - 1].curve) != 0;
        const struct fq_scope scope = fq_model_scope(x->section, s[i].kl->tensor);
        const struct fq_model_floor floor = fq_model_floor(x, &scope);
        fprintf(x->f, "%zu,", series);
        fq_fig_text(x->f, s[i].name);
        fprintf(x->f, "%zu,%g,", sign + 1, s[i].threshold);
        fq_put_csv_number(x->f, s[i].skipped / (double)s[i].cells);
        fputc(',', x->f);
        fq_fig_numbers(x->f, s[i].kl, 1.0);
        fq_model_put_floor(x->f, &floor);
        fputc('\n', x->f);
    }
    x->panels = n > 0;
    free(s);
    free(threshold);
    return FQ_OK;
}
