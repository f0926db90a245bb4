/* The fairness audit. Cells are compared inside one kind and data item; `everywhere` facts over the whole run. */
#include "harness/judge/audit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cells under comparison, all ok. */
struct set {
    const struct fq_cell *const *cell;
    size_t n;
    const char *kind, *data; /* "" for the whole run */
};

static struct fq_finding *add(struct fq_audit *a, const struct set *s, const char *field, bool fair) {
    if (a->n == a->room) {
        size_t room = a->room ? 2 * a->room : 64;
        struct fq_finding *more = realloc(a->finding, room * sizeof *more);
        if (more == NULL)
            return NULL;
        a->finding = more;
        a->room = room;
    }
    struct fq_finding *f = &a->finding[a->n++];
    memset(f, 0, sizeof *f);
    snprintf(f->field, sizeof f->field, "%s", field);
    snprintf(f->kind, sizeof f->kind, "%s", s->kind);
    snprintf(f->data, sizeof f->data, "%s", s->data);
    f->fair = fair;
    a->unfair += !fair;
    return f;
}

/* Adds text behind a separator; what does not fit is cut, and the cut shows. */
static void append(char *to, size_t size, const char *separator, const char *text) {
    size_t used = strlen(to);
    const char *part[2] = {used ? separator : "", text};
    for (int k = 0; k < 2; k++)
        for (const char *c = part[k]; *c != '\0' && used + 1 < size; c++)
            to[used++] = *c;
    to[used] = '\0';
    if (used + 1 == size)
        memcpy(to + used - 3, "...", 3);
}

static const char *shown(const char *value) {
    return value == NULL ? "(absent)" : value[0] == '\0' ? "(empty)" : value;
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Labels of the cells whose value is `value`, each once. */
static void holders(const struct set *s, const char *const *value, const char *wanted, char *out, size_t size) {
    out[0] = '\0';
    for (size_t i = 0; i < s->n; i++) {
        bool before = false;
        for (size_t k = 0; k < i && !before; k++)
            before = same_text(value[k], value[i]) && strcmp(s->cell[k]->label, s->cell[i]->label) == 0;
        if (!before && same_text(value[i], wanted))
            append(out, size, ", ", s->cell[i]->label);
    }
}

/* "1: a, b; 2: c", every distinct value with the methods that hold it. */
static void describe(const struct set *s, const char *const *value, char *out, size_t size) {
    char names[512];
    for (size_t i = 0; i < s->n; i++) {
        bool before = false;
        for (size_t k = 0; k < i && !before; k++)
            before = same_text(value[k], value[i]);
        if (before)
            continue;
        holders(s, value, value[i], names, sizeof names);
        append(out, size, "; ", shown(value[i]));
        append(out, size, ": ", names);
    }
}

static int no_memory(struct fq_error *err) {
    return fq_fail(err, FQ_FAILED, "out of memory in the audit");
}

static int check_equal(struct fq_audit *a, const struct set *s, const char *fact, struct fq_error *err) {
    const char **value = calloc(s->n, sizeof *value);
    if (value == NULL)
        return no_memory(err);
    bool fair = true;
    for (size_t i = 0; i < s->n; i++) {
        value[i] = fq_cell_fact_text(s->cell[i], fact);
        fair = fair && value[i] != NULL && same_text(value[i], value[0]);
    }
    struct fq_finding *f = add(a, s, fact, fair);
    if (f != NULL && fair)
        snprintf(f->detail, sizeof f->detail, "%s", shown(value[0]));
    else if (f != NULL)
        describe(s, value, f->detail, sizeof f->detail);
    free(value);
    return f ? 0 : no_memory(err);
}

static bool number(const struct fq_cell *cell, const char *fact, double *out) {
    const char *text = fq_cell_fact_text(cell, fact);
    char *end = NULL;
    if (text == NULL || text[0] == '\0')
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

/* Spread of a number inside the cells of one rate class. Cells without a class stand for themselves. */
static int check_tolerance(struct fq_audit *a, const struct set *s, const struct fq_tolerance_rule *rule,
                           struct fq_error *err) {
    for (size_t i = 0; i < s->n; i++) {
        const char *class = s->cell[i]->rate_class;
        bool before = class[0] == '\0';
        for (size_t k = 0; k < i && !before; k++)
            before = strcmp(s->cell[k]->rate_class, class) == 0;
        if (before)
            continue;
        double low = INFINITY, high = -INFINITY, v = 0.0;
        const char *low_label = "", *high_label = "", *lacking = NULL;
        for (size_t k = i; k < s->n; k++) {
            if (strcmp(s->cell[k]->rate_class, class) != 0)
                continue;
            if (!number(s->cell[k], rule->fact, &v)) {
                lacking = s->cell[k]->label;
                continue;
            }
            if (v < low) {
                low = v;
                low_label = s->cell[k]->label;
            }
            if (v > high) {
                high = v;
                high_label = s->cell[k]->label;
            }
        }
        bool fair = lacking == NULL && high - low <= rule->within;
        struct fq_finding *f = add(a, s, rule->fact, fair);
        if (f == NULL)
            return no_memory(err);
        if (lacking != NULL)
            snprintf(f->detail, sizeof f->detail, "class %s: absent in %s", class, lacking);
        else if (fair)
            snprintf(f->detail, sizeof f->detail, "class %s: %.6g to %.6g", class, low, high);
        else
            snprintf(f->detail, sizeof f->detail, "class %s: %.6g: %s; %.6g: %s (more than %g apart)", class, low,
                     low_label, high, high_label, rule->within);
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

static int check_require(struct fq_audit *a, const struct set *s, const struct fq_require_rule *rule,
                         struct fq_error *err) {
    bool fair = true;
    char detail[768] = "", why[600], one[768];
    for (size_t i = 0; i < s->n; i++) {
        if (meets(s->cell[i], rule, why, sizeof why))
            continue;
        fair = false;
        snprintf(one, sizeof one, "%s: %s", why, s->cell[i]->label);
        if (strstr(detail, one) == NULL)
            append(detail, sizeof detail, "; ", one);
    }
    struct fq_finding *f = add(a, s, rule->fact, fair);
    if (f == NULL)
        return no_memory(err);
    if (!fair)
        snprintf(f->detail, sizeof f->detail, "%s", detail);
    else if (rule->is != NULL)
        snprintf(f->detail, sizeof f->detail, "%s", shown(rule->is));
    else
        snprintf(f->detail, sizeof f->detail, "%s %s", rule->equals ? "equals" : "at most",
                 rule->equals ? rule->equals : rule->at_most);
    return 0;
}

static bool same_instance(const struct fq_cell *a, const struct fq_cell *b) {
    return a->replicate == b->replicate && strcmp(a->method, b->method) == 0 &&
           strcmp(a->parameters, b->parameters) == 0;
}

static bool ran_seed(const struct set *s, const struct fq_cell *of, uint64_t seed) {
    for (size_t i = 0; i < s->n; i++)
        if (s->cell[i]->seed == seed && same_instance(s->cell[i], of))
            return true;
    return false;
}

static bool first_of_instance(const struct set *s, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (same_instance(s->cell[k], s->cell[i]))
            return false;
    return true;
}

/* How many different seeds an instance ran; their list, ascending, as text. */
static size_t seeds_of(const struct set *s, const struct fq_cell *of, char *out, size_t size) {
    size_t n = 0;
    uint64_t last = 0;
    out[0] = '\0';
    for (;;) {
        const struct fq_cell *next = NULL;
        for (size_t i = 0; i < s->n; i++) {
            const struct fq_cell *c = s->cell[i];
            if (same_instance(c, of) && (n == 0 || c->seed > last) && (next == NULL || c->seed < next->seed))
                next = c;
        }
        if (next == NULL)
            return n;
        last = next->seed;
        n++;
        char one[24];
        snprintf(one, sizeof one, "%llu", (unsigned long long)last);
        append(out, size, " ", one);
    }
}

/* Without shared state there is nowhere to put what was drawn: such an instance needs one seed only. */
static bool draws_nothing(const struct fq_cell *cell) {
    const char *shared = fq_cell_fact_text(cell, "shared_bytes");
    return shared != NULL && strcmp(shared, "0") == 0;
}

/* The instance's first cell stands for it in the check of seeds; twins repeat an instance and are left out. */
static bool takes_part(const struct set *s, size_t i) {
    return s->cell[i]->replicate == 0 && !draws_nothing(s->cell[i]) && first_of_instance(s, i);
}

/* Every instance that draws ran the same seeds. One may have run more than the others, since comparisons pair on the
 * common ones. */
static int check_seeds(struct fq_audit *a, const struct set *s, struct fq_error *err) {
    char list[256], detail[768] = "", one[400];
    const struct fq_cell *least = NULL;
    size_t least_n = SIZE_MAX, n;
    for (size_t i = 0; i < s->n; i++)
        if (takes_part(s, i) && (n = seeds_of(s, s->cell[i], list, sizeof list)) < least_n) {
            least = s->cell[i];
            least_n = n;
        }
    bool fair = true;
    for (size_t i = 0; i < s->n && least != NULL; i++) {
        if (!takes_part(s, i))
            continue;
        n = seeds_of(s, s->cell[i], list, sizeof list);
        bool lacks = least_n == 1 && n > 1; /* one seed says nothing about seeds */
        for (size_t k = 0; k < s->n && !lacks; k++)
            lacks = same_instance(s->cell[k], least) && !ran_seed(s, s->cell[i], s->cell[k]->seed);
        if (!lacks)
            continue;
        fair = false;
        snprintf(one, sizeof one, "%s: %s", list, s->cell[i]->label);
        append(detail, sizeof detail, "; ", one);
    }
    (void)seeds_of(s, least ? least : s->cell[0], list, sizeof list);
    if (!fair) {
        snprintf(one, sizeof one, "%s: %s", list, least->label);
        append(detail, sizeof detail, "; ", one);
    }
    struct fq_finding *f = add(a, s, "seeds", fair);
    if (f == NULL)
        return no_memory(err);
    snprintf(f->detail, sizeof f->detail, "%s", fair ? list : detail);
    return 0;
}

static int by_place(const void *p, const void *q) {
    const struct fq_cell *a = *(const struct fq_cell *const *)p, *b = *(const struct fq_cell *const *)q;
    int c = strcmp(a->kind, b->kind);
    if (c == 0)
        c = strcmp(a->data, b->data);
    if (c == 0)
        c = (a->order > b->order) - (a->order < b->order);
    return c ? c : strcmp(a->id, b->id);
}

static int audit_place(const struct fq_contract *c, const struct set *s, struct fq_audit *a, struct fq_error *err) {
    for (unsigned i = 0; i < c->equal_count; i++)
        if (fq_kind_listed(c->equal[i].kinds, c->equal[i].kinds_count, s->kind))
            for (unsigned k = 0; k < c->equal[i].facts_count; k++)
                FQ_TRY(check_equal(a, s, c->equal[i].facts[k], err));
    for (unsigned i = 0; i < c->tolerance_count; i++)
        if (fq_kind_listed(c->tolerance[i].kinds, c->tolerance[i].kinds_count, s->kind))
            FQ_TRY(check_tolerance(a, s, &c->tolerance[i], err));
    for (unsigned i = 0; i < c->require_count; i++)
        if (fq_kind_listed(c->require[i].kinds, c->require[i].kinds_count, s->kind))
            FQ_TRY(check_require(a, s, &c->require[i], err));
    return c->same_seeds ? check_seeds(a, s, err) : 0;
}

static int audit_ordered(const struct fq_contract *c, const struct fq_cell **ok, size_t n, struct fq_audit *out,
                         struct fq_error *err) {
    struct set all = {.cell = ok, .n = n, .kind = "", .data = ""};
    for (unsigned i = 0; i < c->everywhere_count && n > 0; i++)
        FQ_TRY(check_equal(out, &all, c->everywhere[i], err));
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n; end++)
            if (strcmp(ok[end]->kind, ok[begin]->kind) != 0 || strcmp(ok[end]->data, ok[begin]->data) != 0)
                break;
        struct set place = {.cell = ok + begin, .n = end - begin, .kind = ok[begin]->kind, .data = ok[begin]->data};
        FQ_TRY(audit_place(c, &place, out, err));
    }
    return 0;
}

int fq_audit_cells(const struct fq_contract *contract, const struct fq_cell *const *cells, size_t n,
                   struct fq_audit *out, struct fq_error *err) {
    snprintf(out->contract, sizeof out->contract, "%s", contract->name);
    out->exhibit = contract->exhibit;
    const struct fq_cell **ok = malloc((n ? n : 1) * sizeof(void *));
    if (ok == NULL)
        return no_memory(err);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (cells[i]->ok)
            ok[kept++] = cells[i];
    qsort(ok, kept, sizeof(void *), by_place);
    out->cells += n;
    out->failed += n - kept;
    int code = audit_ordered(contract, ok, kept, out, err);
    free(ok);
    return code;
}

int fq_audit_results(const struct fq_contracts *contracts, const struct fq_results *results, size_t n_results,
                     const char *name, struct fq_audit *out, struct fq_error *err) {
    memset(out, 0, sizeof *out);
    size_t n = 0, finished = 0;
    for (size_t k = 0; k < n_results; k++)
        n += results[k].n_cells;
    const struct fq_cell **cells = malloc((n ? n : 1) * sizeof(void *));
    if (cells == NULL)
        return no_memory(err);
    n = 0;
    int code = 0;
    for (size_t k = 0; k < n_results; k++)
        for (size_t i = 0; i < results[k].n_cells; i++) {
            const struct fq_cell *cell = &results[k].cells[i];
            cells[n++] = cell;
            finished += cell->ok;
        }
    if (finished == 0)
        code = fq_fail(err, FQ_USAGE, "the results hold no finished cell, so there is nothing to audit");
    for (size_t i = 0; code == 0 && name == NULL && i < n; i++)
        if (strcmp(cells[i]->contract, cells[0]->contract) != 0)
            code = fq_fail(err, FQ_USAGE,
                           "the cells name two contracts, '%s' and '%s'; say which one to audit with --contract",
                           cells[0]->contract, cells[i]->contract);
    const struct fq_contract *contract = NULL;
    if (code == 0)
        code = fq_contract_find(contracts, name ? name : cells[0]->contract, &contract, err);
    if (code == 0)
        code = fq_audit_cells(contract, cells, n, out, err);
    free(cells);
    if (code != 0)
        fq_audit_free(out);
    return code;
}

void fq_audit_free(struct fq_audit *a) {
    free(a->finding);
    memset(a, 0, sizeof *a);
}

const struct fq_finding *fq_audit_unfair(const struct fq_audit *a, const char *kind, const char *data) {
    for (size_t i = 0; i < a->n; i++) {
        const struct fq_finding *f = &a->finding[i];
        bool concerns = f->kind[0] == '\0' || (strcmp(f->kind, kind) == 0 && strcmp(f->data, data) == 0);
        if (!f->fair && concerns)
            return f;
    }
    return NULL;
}

void fq_audit_mark(const struct fq_audit *a, struct fq_estimates *estimates) {
    for (size_t i = 0; i < estimates->n; i++) {
        struct fq_estimate *e = &estimates->rows[i];
        const struct fq_finding *f = fq_audit_unfair(a, e->kind, e->data);
        if (f == NULL && !a->exhibit)
            continue;
        char rest[sizeof e->flags];
        snprintf(rest, sizeof rest, "%s", e->flags);
        snprintf(e->flags, sizeof e->flags, "unfair:%s%s%.40s", f ? f->field : "exhibit", rest[0] ? "," : "", rest);
    }
}
