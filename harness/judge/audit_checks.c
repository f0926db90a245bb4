/* The checks of a contract: equal facts, spread of numbers, required facts, nominal rates. Each reads facts as text and
 * knows the meaning of none but `dim`, which a tolerance per vector is divided by. */
#include "harness/judge/audit_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A measured rate this far above the nominal one is worth a note: scalars and padding explain less. */
static const double NOMINAL_EXCESS_BITS = 2.0;

static const char *shown(const char *value) {
    return value == NULL ? "(absent)" : value[0] == '\0' ? "(empty)" : value;
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Labels of the cells whose value is `value`, each once. */
static void holders(const struct fq_audit_set *s, const char *const *value, const char *wanted, char *out,
                    size_t size) {
    out[0] = '\0';
    for (size_t i = 0; i < s->n; i++) {
        bool before = false;
        for (size_t k = 0; k < i && !before; k++)
            before = same_text(value[k], value[i]) && strcmp(s->cell[k]->label, s->cell[i]->label) == 0;
        if (!before && same_text(value[i], wanted))
            fq_audit_append(out, size, ", ", s->cell[i]->label);
    }
}

/* "1: a, b; 2: c", every distinct value with the methods that hold it. */
static void describe(const struct fq_audit_set *s, const char *const *value, char *out, size_t size) {
    char names[512];
    for (size_t i = 0; i < s->n; i++) {
        bool before = false;
        for (size_t k = 0; k < i && !before; k++)
            before = same_text(value[k], value[i]);
        if (before)
            continue;
        holders(s, value, value[i], names, sizeof names);
        fq_audit_append(out, size, "; ", shown(value[i]));
        fq_audit_append(out, size, ": ", names);
    }
}

/* The value that more than half of the cells have, or NULL. */
static const char *majority(const char *const *value, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t same = 0;
        for (size_t k = 0; k < n; k++)
            same += same_text(value[k], value[i]);
        if (2 * same > n)
            return value[i];
    }
    return NULL;
}

/* A clear majority is what the others should have been: its rows may stand side by side, the rest may not. */
static bool mark_minority(struct fq_finding *f, const struct fq_audit_set *s, const char *const *value) {
    const char *most = majority(value, s->n);
    bool fine = true;
    for (size_t i = 0; i < s->n && most != NULL; i++)
        if (!same_text(value[i], most))
            fine = fine && fq_audit_odd(f, s->cell[i]);
    return fine;
}

int fq_audit_equal(struct fq_audit *a, const struct fq_audit_set *s, const char *fact, struct fq_error *err) {
    const char **value = calloc(s->n, sizeof *value);
    if (value == NULL)
        return fq_audit_no_memory(err);
    bool fair = true, fine = true;
    for (size_t i = 0; i < s->n; i++) {
        value[i] = fq_cell_fact_text(s->cell[i], fact);
        fair = fair && value[i] != NULL && same_text(value[i], value[0]);
    }
    struct fq_finding *f = fq_audit_add(a, s, fact, fair);
    if (f != NULL && fair)
        snprintf(f->detail, sizeof f->detail, "%s", shown(value[0]));
    else if (f != NULL) {
        describe(s, value, f->detail, sizeof f->detail);
        fine = mark_minority(f, s, value);
    }
    free(value);
    return f && fine ? 0 : fq_audit_no_memory(err);
}

static bool number(const struct fq_cell *cell, const char *fact, double *out) {
    const char *text = fq_cell_fact_text(cell, fact);
    char *end = NULL;
    if (text == NULL || text[0] == '\0')
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

/* Whether a tolerance holds between two cells. Cells without a class stand for themselves. */
static bool together(const struct fq_audit_set *s, const struct fq_cell *a, const struct fq_cell *b) {
    if (s->rates == FQ_RATES_OF_PAIR)
        return true;
    if (s->rates == FQ_RATES_FREE)
        return fq_audit_same_instance(a, b);
    return a->rate_class[0] != '\0' && strcmp(a->rate_class, b->rate_class) == 0;
}

/* The cells that a tolerance holds between, and what it finds there. */
struct spread {
    double low, high, dim;
    const char *low_label, *high_label, *lacking, *without_dim;
};

static void add_to_spread(const struct fq_cell *cell, const struct fq_tolerance_rule *rule, struct spread *r) {
    double v = 0.0, dim = 0.0;
    if (rule->per_vector > 0.0 && !(number(cell, "dim", &dim) && dim > 0.0))
        r->without_dim = cell->label;
    r->dim = fmax(r->dim, dim);
    if (!number(cell, rule->fact, &v)) {
        r->lacking = cell->label;
        return;
    }
    if (v < r->low) {
        r->low = v;
        r->low_label = cell->label;
    }
    if (v > r->high) {
        r->high = v;
        r->high_label = cell->label;
    }
}

/* Spread of a number inside the cells that cell[i] stands with. */
static int check_spread(struct fq_audit *a, const struct fq_audit_set *s, size_t i,
                        const struct fq_tolerance_rule *rule, struct fq_error *err) {
    char place[48] = "both sides";
    struct spread r = {.low = INFINITY, .high = -INFINITY, .low_label = "", .high_label = ""};
    for (size_t k = i; k < s->n; k++)
        if (k == i || together(s, s->cell[i], s->cell[k]))
            add_to_spread(s->cell[k], rule, &r);
    double within = rule->within + (r.dim > 0.0 ? rule->per_vector / r.dim : 0.0);
    bool fair = r.lacking == NULL && r.without_dim == NULL && r.high - r.low <= within;
    struct fq_finding *f = fq_audit_add(a, s, rule->fact, fair);
    if (f == NULL)
        return fq_audit_no_memory(err);
    if (s->rates == FQ_RATES_BY_CLASS)
        snprintf(place, sizeof place, "class %s", s->cell[i]->rate_class);
    else if (s->rates == FQ_RATES_FREE)
        snprintf(place, sizeof place, "one side");
    if (r.lacking != NULL)
        snprintf(f->detail, sizeof f->detail, "%s: absent in %s", place, r.lacking);
    else if (r.without_dim != NULL)
        snprintf(f->detail, sizeof f->detail, "%s: its tolerance needs dim, absent in %s", place, r.without_dim);
    else if (fair)
        snprintf(f->detail, sizeof f->detail, "%s: %.6g to %.6g", place, r.low, r.high);
    else
        snprintf(f->detail, sizeof f->detail, "%s: %.6g: %s; %.6g: %s (more than %.4g apart)", place, r.low,
                 r.low_label, r.high, r.high_label, within);
    if (!fair && s->rates == FQ_RATES_BY_CLASS && r.lacking == NULL && r.without_dim == NULL)
        fq_audit_append(f->detail, sizeof f->detail, "; ", "write a rate_class: of its own for one of them");
    bool fine = true;
    for (size_t k = i; k < s->n && !fair; k++)
        if (k == i || together(s, s->cell[i], s->cell[k]))
            fine = fine && fq_audit_odd(f, s->cell[k]);
    return fine ? 0 : fq_audit_no_memory(err);
}

int fq_audit_tolerance(struct fq_audit *a, const struct fq_audit_set *s, const struct fq_tolerance_rule *rule,
                       struct fq_error *err) {
    for (size_t i = 0; i < s->n; i++) {
        bool before = s->rates == FQ_RATES_BY_CLASS && s->cell[i]->rate_class[0] == '\0';
        for (size_t k = 0; k < i && !before; k++)
            before = together(s, s->cell[k], s->cell[i]);
        if (!before)
            FQ_TRY(check_spread(a, s, i, rule, err));
    }
    return 0;
}

/* What one cell observed against what it must have; the sentence part when it has not. */
static bool meets(const struct fq_cell *cell, const struct fq_require_rule *rule, char *why, size_t size) {
    const char *value = fq_cell_fact_text(cell, rule->fact);
    if (rule->is != NULL) {
        snprintf(why, size, "%s instead of %s", shown(value), shown(rule->is));
        return value != NULL && strcmp(value, rule->is) == 0;
    }
    const char *other_name = rule->equals ? rule->equals : rule->at_most;
    const char *other = fq_cell_fact_text(cell, other_name);
    double x = 0.0, y = 0.0;
    bool numbers = number(cell, rule->fact, &x) && number(cell, other_name, &y);
    snprintf(why, size, "%s with %s %s", shown(value), other_name, shown(other));
    if (rule->equals != NULL)
        return value != NULL && other != NULL && (strcmp(value, other) == 0 || (numbers && x == y));
    return numbers && x <= y * (1.0 + rule->slack);
}

int fq_audit_require(struct fq_audit *a, const struct fq_audit_set *s, const struct fq_require_rule *rule,
                     struct fq_error *err) {
    char detail[768] = "", why[600], one[768];
    bool fair = true;
    for (size_t i = 0; i < s->n; i++) {
        if (meets(s->cell[i], rule, why, sizeof why))
            continue;
        fair = false;
        snprintf(one, sizeof one, "%s: %s", why, s->cell[i]->label);
        if (!fq_audit_listed(detail, "; ", one))
            fq_audit_append(detail, sizeof detail, "; ", one);
    }
    struct fq_finding *f = fq_audit_add(a, s, rule->fact, fair);
    if (f == NULL)
        return fq_audit_no_memory(err);
    for (size_t i = 0; i < s->n && !fair; i++)
        if (!meets(s->cell[i], rule, why, sizeof why) && !fq_audit_odd(f, s->cell[i]))
            return fq_audit_no_memory(err);
    if (!fair)
        snprintf(f->detail, sizeof f->detail, "%s", detail);
    else if (rule->is != NULL)
        snprintf(f->detail, sizeof f->detail, "%s", shown(rule->is));
    else
        snprintf(f->detail, sizeof f->detail, "%s %s", rule->equals ? "equals" : "at most",
                 rule->equals ? rule->equals : rule->at_most);
    return 0;
}

int fq_audit_nominal(struct fq_audit *a, const struct fq_audit_set *s, struct fq_error *err) {
    char detail[768] = "", one[200];
    for (size_t i = 0; i < s->n; i++) {
        const struct fq_cell *c = s->cell[i];
        double rate = 0.0;
        if (!number(c, "rate_bits", &rate) || !(rate - c->nominal_bits > NOMINAL_EXCESS_BITS))
            continue;
        snprintf(one, sizeof one, "%s: %.4g measured, %.4g nominal", c->label, rate, c->nominal_bits);
        if (!fq_audit_listed(detail, "; ", one))
            fq_audit_append(detail, sizeof detail, "; ", one);
    }
    if (detail[0] == '\0')
        return 0;
    struct fq_finding *f = fq_audit_note(a, s, "rate_bits");
    if (f == NULL)
        return fq_audit_no_memory(err);
    snprintf(f->detail, sizeof f->detail, "%s", detail);
    return 0;
}
