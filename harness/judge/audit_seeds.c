/* The check of seeds: every instance that draws random numbers ran the same ones. */
#include "harness/judge/audit_internal.h"

#include <stdio.h>
#include <string.h>

static bool ran_seed(const struct fq_audit_set *s, const struct fq_cell *of, uint64_t seed) {
    for (size_t i = 0; i < s->n; i++)
        if (s->cell[i]->seed == seed && fq_audit_same_instance(s->cell[i], of))
            return true;
    return false;
}

static bool first_of_instance(const struct fq_audit_set *s, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (fq_audit_same_instance(s->cell[k], s->cell[i]))
            return false;
    return true;
}

/* How many different seeds an instance ran; their list, ascending, as text. */
static size_t seeds_of(const struct fq_audit_set *s, const struct fq_cell *of, char *out, size_t size) {
    size_t n = 0;
    uint64_t last = 0;
    out[0] = '\0';
    for (;;) {
        const struct fq_cell *next = NULL;
        for (size_t i = 0; i < s->n; i++) {
            const struct fq_cell *c = s->cell[i];
            if (fq_audit_same_instance(c, of) && (n == 0 || c->seed > last) && (next == NULL || c->seed < next->seed))
                next = c;
        }
        if (next == NULL)
            return n;
        last = next->seed;
        n++;
        char one[24];
        snprintf(one, sizeof one, "%llu", (unsigned long long)last);
        fq_audit_append(out, size, " ", one);
    }
}

/* Without shared state there is nowhere to put what was drawn: such an instance needs one seed only. */
static bool draws_nothing(const struct fq_cell *cell) {
    const char *shared = fq_cell_fact_text(cell, "shared_bytes");
    return shared != NULL && strcmp(shared, "0") == 0;
}

/* The instance's first cell stands for it in the check of seeds; twins repeat an instance and are left out. */
static bool takes_part(const struct fq_audit_set *s, size_t i) {
    return s->cell[i]->replicate == 0 && !draws_nothing(s->cell[i]) && first_of_instance(s, i);
}

/* The instance whose list of seeds more than half of those that take part have, or NULL. */
static const struct fq_cell *usual(const struct fq_audit_set *s) {
    char list[256], other[256];
    for (size_t i = 0; i < s->n; i++) {
        if (!takes_part(s, i))
            continue;
        size_t same = 0, all = 0;
        (void)seeds_of(s, s->cell[i], list, sizeof list);
        for (size_t k = 0; k < s->n; k++)
            if (takes_part(s, k)) {
                (void)seeds_of(s, s->cell[k], other, sizeof other);
                same += strcmp(list, other) == 0;
                all++;
            }
        if (2 * same > all)
            return s->cell[i];
    }
    return NULL;
}

/* Marks the instances that lack a seed of the usual list; without one, or without such, the finding is about all. */
static bool mark_unusual(struct fq_finding *f, const struct fq_audit_set *s) {
    const struct fq_cell *most = usual(s);
    for (size_t i = 0; i < s->n && most != NULL; i++) {
        bool lacks = false;
        for (size_t k = 0; k < s->n && !lacks && takes_part(s, i); k++)
            lacks = fq_audit_same_instance(s->cell[k], most) && !ran_seed(s, s->cell[i], s->cell[k]->seed);
        if (lacks && !fq_audit_odd(f, s->cell[i]))
            return false;
    }
    return true;
}

int fq_audit_seeds(struct fq_audit *a, const struct fq_audit_set *s, struct fq_error *err) {
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
            lacks = fq_audit_same_instance(s->cell[k], least) && !ran_seed(s, s->cell[i], s->cell[k]->seed);
        if (!lacks)
            continue;
        fair = false;
        snprintf(one, sizeof one, "%s: %s", list, s->cell[i]->label);
        fq_audit_append(detail, sizeof detail, "; ", one);
    }
    (void)seeds_of(s, least ? least : s->cell[0], list, sizeof list);
    if (!fair) {
        snprintf(one, sizeof one, "%s: %s", list, least->label);
        fq_audit_append(detail, sizeof detail, "; ", one);
    }
    struct fq_finding *f = fq_audit_add(a, s, "seeds", fair);
    if (f == NULL)
        return fq_audit_no_memory(err);
    snprintf(f->detail, sizeof f->detail, "%s", fair ? list : detail);
    return fair || mark_unusual(f, s) ? 0 : fq_audit_no_memory(err);
}
