/* Grouping of settings into curves, and reading a curve at a rate. Here apart from the table that shows it, because
 * what may be interpolated is a rule of its own. Must not know a method or a parameter by name. */
#include "harness/report/curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rates count whole bytes, so two that are equal are equal to rounding. */
static const double SAME_RATE = 1e-9;

/* One "name=value" of a canonical parameter text. */
struct word {
    const char *text;
    size_t length, name; /* of the whole word; of what stands before '=' */
};

static bool next_word(const char **at, struct word *w) {
    *at += strspn(*at, " ");
    w->text = *at;
    w->length = strcspn(*at, " ");
    const char *equals = memchr(w->text, '=', w->length);
    w->name = equals ? (size_t)(equals - w->text) : w->length;
    *at += w->length;
    return w->length > 0;
}

static bool is_number(const struct word *w) {
    if (w->name + 1 >= w->length)
        return false;
    char *end;
    (void)strtod(w->text + w->name + 1, &end);
    return end == w->text + w->length;
}

static bool same_words(const struct word *a, const struct word *b) {
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static bool same_names(const struct word *a, const struct word *b) {
    return a->name == b->name && memcmp(a->text, b->text, a->name) == 0;
}

/* The one word in which two parameter texts of the same method differ; false: none or more than one. */
static bool only_difference(const char *a, const char *b, struct word *out) {
    struct word x, y;
    size_t differences = 0;
    for (;;) {
        const bool more_a = next_word(&a, &x), more_b = next_word(&b, &y);
        if (!more_a || !more_b)
            return more_a == more_b && differences == 1;
        if (!same_names(&x, &y))
            return false;
        if (!same_words(&x, &y)) {
            *out = x;
            differences++;
        }
    }
}

/* Is this word of subject s one that sets its rate? */
static bool sets_rate(const struct fq_subject *subjects, size_t n, const struct fq_subject *s, const struct word *w) {
    if (!is_number(w))
        return false;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++) {
            const struct fq_estimate *a = subjects[i].first, *b = subjects[k].first;
            struct word differs = {0};
            if (strcmp(a->method, s->first->method) == 0 && strcmp(b->method, s->first->method) == 0 &&
                fabs(a->rate_bits - b->rate_bits) < SAME_RATE &&
                only_difference(a->parameters, b->parameters, &differs) && same_names(&differs, w))
                return false;
        }
    return true;
}

/* The words of `text` that do not set the rate, one space between them. */
static void without_rate(const struct fq_subject *subjects, size_t n, const struct fq_subject *s, const char *text,
                         char *out, size_t size) {
    struct word w;
    size_t used = 0;
    out[0] = '\0';
    while (next_word(&text, &w)) {
        if (sets_rate(subjects, n, s, &w))
            continue;
        const int k = snprintf(out + used, size - used, "%s%.*s", used > 0 ? " " : "", (int)w.length, w.text);
        if (k < 0 || (size_t)k >= size - used)
            return;
        used += (size_t)k;
    }
}

struct keyed {
    const struct fq_subject *subject;
    char key[sizeof((struct fq_estimate *)0)->method + sizeof((struct fq_estimate *)0)->parameters];
    char name[sizeof((struct fq_curve *)0)->name];
};

static int by_curve(const void *pa, const void *pb) {
    const struct keyed *a = pa, *b = pb;
    const int c = strcmp(a->key, b->key);
    if (c != 0)
        return c;
    const double x = a->subject->first->rate_bits, y = b->subject->first->rate_bits;
    if (x < y || x > y)
        return x < y ? -1 : 1;
    return strcmp(a->subject->first->parameters, b->subject->first->parameters);
}

static int by_name(const void *pa, const void *pb) {
    return strcmp(((const struct fq_curve *)pa)->name, ((const struct fq_curve *)pb)->name);
}

void fq_curves_free(struct fq_curves *curves) {
    free(curves->curve);
    free(curves->points);
    memset(curves, 0, sizeof *curves);
}

int fq_curves_build(const struct fq_subject *subjects, size_t n, struct fq_curves *out, struct fq_error *err) {
    memset(out, 0, sizeof *out);
    struct keyed *keyed = calloc(n + 1, sizeof *keyed);
    out->curve = calloc(n + 1, sizeof *out->curve);
    out->points = calloc(n + 1, sizeof *out->points);
    if (!keyed || !out->curve || !out->points) {
        free(keyed);
        fq_curves_free(out);
        return fq_fail(err, FQ_USAGE, "out of memory for %zu settings: report on fewer results files at once", n);
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct fq_estimate *e = subjects[i].first;
        if (subjects[i].unequal || !isfinite(e->rate_bits))
            continue;
        struct keyed *k = &keyed[kept++];
        k->subject = &subjects[i];
        const int used = snprintf(k->key, sizeof k->key, "%s ", e->method);
        without_rate(subjects, n, &subjects[i], e->parameters, k->key + used, sizeof k->key - (size_t)used);
        without_rate(subjects, n, &subjects[i], e->label, k->name, sizeof k->name);
    }
    qsort(keyed, kept, sizeof *keyed, by_curve);
    for (size_t i = 0; i < kept; i++) {
        if (i == 0 || strcmp(keyed[i].key, keyed[i - 1].key) != 0) {
            struct fq_curve *c = &out->curve[out->n++];
            c->point = out->points + i;
            memcpy(c->name, keyed[i].name, sizeof c->name);
        }
        out->curve[out->n - 1].point[out->curve[out->n - 1].n++] = keyed[i].subject;
    }
    qsort(out->curve, out->n, sizeof *out->curve, by_name);
    free(keyed);
    return FQ_OK;
}

struct fq_match fq_curve_at(const struct fq_curve *curve, double rate) {
    const struct fq_subject *nearest = NULL, *below = NULL, *above = NULL;
    for (size_t i = 0; i < curve->n; i++) { /* ascending; of equal rates the first counts */
        const struct fq_subject *s = curve->point[i];
        const double r = s->first->rate_bits;
        if (!nearest || fabs(r - rate) < fabs(nearest->first->rate_bits - rate))
            nearest = s;
        if (r < rate && (!below || r > below->first->rate_bits))
            below = s;
        if (r > rate && !above)
            above = s;
    }
    if (nearest && fabs(nearest->first->rate_bits - rate) <= FQ_MATCH_WINDOW)
        return (struct fq_match){.kind = FQ_MATCH_MEASURED, .low = nearest};
    if (!below || !above)
        return (struct fq_match){.kind = FQ_MATCH_NONE};
    const double low = below->first->rate_bits, high = above->first->rate_bits;
    return (struct fq_match){
        .kind = FQ_MATCH_INTERPOLATED, .low = below, .high = above, .part = (rate - low) / (high - low)};
}

static bool has_interval(const struct fq_estimate *e) {
    return isfinite(e->value) && isfinite(e->low) && isfinite(e->high) && e->low <= e->high;
}

bool fq_interpolate(const struct fq_estimate *a, const struct fq_estimate *b, double part, bool by_logarithm,
                    struct fq_interpolated *out) {
    if (!has_interval(a) || !has_interval(b))
        return false;
    const double from[3] = {a->value, a->low, a->high}, to[3] = {b->value, b->low, b->high};
    double v[3];
    for (size_t i = 0; i < 3; i++) {
        if (by_logarithm && !(from[i] > 0 && to[i] > 0))
            return false;
        v[i] = by_logarithm ? exp((1 - part) * log(from[i]) + part * log(to[i])) : (1 - part) * from[i] + part * to[i];
    }
    *out = (struct fq_interpolated){v[0], v[1], v[2]};
    return true;
}
