/* Sorting estimates into tables and rows. Here, so that every table and plot agrees on what stands beside what. Must
 * not know a method or a metric by name. */
#include "harness/report/select.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_scope(const struct fq_estimate *e, const struct fq_scope *s) {
    return strcmp(e->kind, s->kind) == 0 && strcmp(e->data, s->data) == 0 && strcmp(e->model, s->model) == 0 &&
           strcmp(e->tensor, s->tensor) == 0;
}

static bool same_subject(const struct fq_estimate *a, const struct fq_estimate *b) {
    return strcmp(a->method, b->method) == 0 && strcmp(a->parameters, b->parameters) == 0 &&
           strcmp(a->label, b->label) == 0 && strcmp(a->contract, b->contract) == 0 && a->replicate == b->replicate;
}

int fq_scopes(const struct fq_estimates *e, const char *kind, struct fq_scope **out, size_t *n, struct fq_error *err) {
    *n = 0;
    *out = calloc(e->n + 1, sizeof **out);
    if (*out == NULL)
        return fq_fail(err, FQ_USAGE, "out of memory for %zu estimates: report on fewer results files at once", e->n);
    for (size_t i = 0; i < e->n; i++) {
        const struct fq_estimate *row = &e->rows[i];
        if (kind != NULL && strcmp(row->kind, kind) != 0)
            continue;
        size_t k = 0;
        while (k < *n && !same_scope(row, &(*out)[k]))
            k++;
        if (k == *n)
            (*out)[(*n)++] = (struct fq_scope){row->kind, row->data, row->model, row->tensor};
    }
    return FQ_OK;
}

bool fq_has_flag(const char *flags, const char *flag) {
    size_t n = strlen(flag);
    for (const char *s = flags; *s != '\0';) {
        size_t length = strcspn(s, ",");
        if (length == n && memcmp(s, flag, n) == 0)
            return true;
        s += length;
        s += strspn(s, ", ");
    }
    return false;
}

bool fq_flag_value(const char *flags, const char *prefix, char *out, size_t size) {
    size_t n = strlen(prefix);
    for (const char *s = flags; *s != '\0';) {
        size_t length = strcspn(s, ",");
        if (length >= n && memcmp(s, prefix, n) == 0) {
            snprintf(out, size, "%.*s", (int)(length - n), s + n);
            return true;
        }
        s += length;
        s += strspn(s, ", ");
    }
    return false;
}

static bool wanted(const char *metric, const char *const *metrics) {
    if (metrics == NULL)
        return true;
    for (; *metrics != NULL; metrics++)
        if (strcmp(*metrics, metric) == 0)
            return true;
    return false;
}

/* Numbers before words, numbers by value. */
static int by_class(const char *a, const char *b) {
    char *end_a, *end_b;
    double x = strtod(a, &end_a), y = strtod(b, &end_b);
    bool number_a = end_a != a, number_b = end_b != b;
    if (number_a != number_b)
        return number_a ? -1 : 1;
    if (number_a && x != y)
        return x < y ? -1 : 1;
    return strcmp(a, b);
}

static int by_row(const void *pa, const void *pb) {
    const struct fq_estimate *a = ((const struct fq_subject *)pa)->first, *b = ((const struct fq_subject *)pb)->first;
    int c = by_class(a->rate_class, b->rate_class);
    if (c != 0)
        return c;
    if (isfinite(a->rate_bits) && isfinite(b->rate_bits) && fabs(a->rate_bits - b->rate_bits) > 1e-9)
        return a->rate_bits < b->rate_bits ? -1 : 1;
    c = strcmp(a->label, b->label);
    return c != 0 ? c : strcmp(a->parameters, b->parameters);
}

int fq_subjects(const struct fq_estimates *e, const struct fq_scope *scope, const char *const *metrics,
                struct fq_subject **out, size_t *n, struct fq_error *err) {
    *n = 0;
    *out = calloc(e->n + 1, sizeof **out);
    if (*out == NULL)
        return fq_fail(err, FQ_USAGE, "out of memory for %zu estimates: report on fewer results files at once", e->n);
    for (size_t i = 0; i < e->n; i++) {
        const struct fq_estimate *row = &e->rows[i];
        if (row->replicate != 0 || !same_scope(row, scope) || !wanted(row->metric, metrics))
            continue;
        size_t k = 0;
        while (k < *n && !same_subject(row, (*out)[k].first))
            k++;
        if (k == *n)
            (*out)[(*n)++] = (struct fq_subject){.first = row};
        struct fq_subject *s = &(*out)[k];
        if (!s->unequal)
            s->unequal = fq_flag_value(row->flags, "unfair:", s->field, sizeof s->field);
    }
    qsort(*out, *n, sizeof **out, by_row);
    return FQ_OK;
}

const struct fq_estimate *fq_estimate_of(const struct fq_estimates *e, const struct fq_scope *scope,
                                         const struct fq_subject *subject, const char *metric) {
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->rows[i].metric, metric) == 0 && same_scope(&e->rows[i], scope) &&
            same_subject(&e->rows[i], subject->first))
            return &e->rows[i];
    return NULL;
}

bool fq_scope_has(const struct fq_estimates *e, const struct fq_scope *scope, const char *metric) {
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->rows[i].metric, metric) == 0 && same_scope(&e->rows[i], scope))
            return true;
    return false;
}

void fq_scope_title(const struct fq_scope *scope, char *out, size_t size) {
    const char *tensor = strcmp(scope->tensor, "key") == 0     ? "keys"
                         : strcmp(scope->tensor, "value") == 0 ? "values"
                         : strcmp(scope->tensor, "kv") == 0    ? "keys and values"
                                                               : scope->tensor;
    snprintf(out, size, "%s%s%s", scope->data, tensor[0] != '\0' ? ", " : "", tensor);
}

void fq_curve_name(const char *label, char *out, size_t size) {
    size_t n = 0;
    if (size == 0)
        return;
    for (const char *s = label; *s != '\0';) {
        size_t length = strcspn(s, " ");
        if (strncmp(s, "bits=", 5) != 0) {
            int w = snprintf(out + n, size - n, "%s%.*s", n > 0 ? " " : "", (int)length, s);
            if (w < 0 || (size_t)w >= size - n)
                return;
            n += (size_t)w;
        }
        s += length;
        s += strspn(s, " ");
    }
    out[n] = '\0';
}
