/* Findings of an audit: their list, the instances that they are about, and the flags that they put on estimates. Knows
 * no rule. */
#include "harness/judge/audit_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fq_finding *grow(struct fq_finding **list, size_t *n, size_t *room) {
    if (*n == *room) {
        size_t larger = *room ? 2 * *room : 64;
        struct fq_finding *more = realloc(*list, larger * sizeof *more);
        if (more == NULL)
            return NULL;
        *list = more;
        *room = larger;
    }
    struct fq_finding *f = &(*list)[(*n)++];
    memset(f, 0, sizeof *f);
    return f;
}

static void fill(struct fq_finding *f, const struct fq_audit_set *s, const char *field, bool fair) {
    snprintf(f->field, sizeof f->field, "%s", field);
    snprintf(f->kind, sizeof f->kind, "%s", s->kind);
    snprintf(f->data, sizeof f->data, "%s", s->data);
    f->fair = fair;
}

struct fq_finding *fq_audit_add(struct fq_audit *a, const struct fq_audit_set *s, const char *field, bool fair) {
    struct fq_finding *f = grow(&a->finding, &a->n, &a->room);
    if (f == NULL)
        return NULL;
    fill(f, s, field, fair);
    a->unfair += !fair;
    return f;
}

struct fq_finding *fq_audit_note(struct fq_audit *a, const struct fq_audit_set *s, const char *field) {
    struct fq_finding *f = grow(&a->note, &a->n_notes, &a->room_notes);
    if (f != NULL)
        fill(f, s, field, true);
    return f;
}

static bool is_about(const struct fq_finding *f, const char *method, const char *parameters, int replicate) {
    for (size_t i = 0; i < f->n_odd; i++)
        if (f->odd[i].replicate == replicate && strcmp(f->odd[i].method, method) == 0 &&
            strcmp(f->odd[i].parameters, parameters) == 0)
            return true;
    return false;
}

bool fq_audit_odd(struct fq_finding *f, const struct fq_cell *cell) {
    if (is_about(f, cell->method, cell->parameters, cell->replicate))
        return true;
    struct fq_instance *more = realloc(f->odd, (f->n_odd + 1) * sizeof *more);
    if (more == NULL)
        return false;
    f->odd = more;
    struct fq_instance *to = &f->odd[f->n_odd++];
    snprintf(to->method, sizeof to->method, "%s", cell->method);
    snprintf(to->parameters, sizeof to->parameters, "%s", cell->parameters);
    to->replicate = cell->replicate;
    return true;
}

void fq_audit_append(char *to, size_t size, const char *separator, const char *text) {
    size_t used = strlen(to);
    const char *part[2] = {used ? separator : "", text};
    for (int k = 0; k < 2; k++)
        for (const char *c = part[k]; *c != '\0' && used + 1 < size; c++)
            to[used++] = *c;
    to[used] = '\0';
    if (used + 1 == size)
        memcpy(to + used - 3, "...", 3);
}

bool fq_audit_listed(const char *list, const char *separator, const char *text) {
    const size_t n = strlen(text), gap = strlen(separator);
    for (const char *at = strstr(list, text); at != NULL; at = strstr(at + 1, text)) {
        const bool begins = at == list || ((size_t)(at - list) >= gap && memcmp(at - gap, separator, gap) == 0);
        if (begins && (at[n] == '\0' || strncmp(at + n, separator, gap) == 0))
            return true;
    }
    return false;
}

bool fq_audit_same_instance(const struct fq_cell *a, const struct fq_cell *b) {
    return a->replicate == b->replicate && strcmp(a->method, b->method) == 0 &&
           strcmp(a->parameters, b->parameters) == 0;
}

int fq_audit_no_memory(struct fq_error *err) {
    return fq_fail(err, FQ_FAILED, "out of memory in the audit");
}

static void free_list(struct fq_finding *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(list[i].odd);
    free(list);
}

void fq_audit_free(struct fq_audit *a) {
    free_list(a->finding, a->n);
    free_list(a->note, a->n_notes);
    memset(a, 0, sizeof *a);
}

static bool concerns(const struct fq_finding *f, const char *kind, const char *data) {
    return !f->fair && (f->kind[0] == '\0' || (strcmp(f->kind, kind) == 0 && strcmp(f->data, data) == 0));
}

const struct fq_finding *fq_audit_unfair(const struct fq_audit *a, const char *kind, const char *data) {
    for (size_t i = 0; i < a->n; i++)
        if (concerns(&a->finding[i], kind, data))
            return &a->finding[i];
    return NULL;
}

static const struct fq_finding *objection(const struct fq_audit *a, const struct fq_estimate *e) {
    for (size_t i = 0; i < a->n; i++) {
        const struct fq_finding *f = &a->finding[i];
        if (concerns(f, e->kind, e->data) && (f->n_odd == 0 || is_about(f, e->method, e->parameters, e->replicate)))
            return f;
    }
    return NULL;
}

void fq_audit_mark(const struct fq_audit *a, struct fq_estimates *estimates) {
    for (size_t i = 0; i < estimates->n; i++) {
        struct fq_estimate *e = &estimates->rows[i];
        const struct fq_finding *f = objection(a, e);
        if (f == NULL && !a->exhibit)
            continue;
        char rest[sizeof e->flags];
        snprintf(rest, sizeof rest, "%s", e->flags);
        snprintf(e->flags, sizeof e->flags, "unfair:%s%s%.48s", f ? f->field : "exhibit", rest[0] ? "," : "", rest);
    }
}
