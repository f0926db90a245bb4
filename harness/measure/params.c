/* Parameters of a method as text: from a sweep or a command line into values, and back in one canonical form.
 *
 * Why here: the canonical form is part of a cell's identity, so there is exactly one writer of it. Every wrong name or
 * value becomes a sentence with the nearest name, the range or the choices.
 * It must not know what any parameter means. */
#include "harness/measure/catalog.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t count_choices(const struct fq_param_spec *p) {
    size_t n = 0;
    while (p->choices[n])
        n++;
    return n;
}

void fq_params_default(const struct fq_method *method, struct fq_params *out) {
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < method->n_params; i++)
        out->v[i] = method->params[i].def;
}

static int unknown_name(const struct fq_method *method, const char *name, struct fq_error *err) {
    const char *names[FQ_MAX_PARAMS];
    char all[320];
    if (method->n_params == 0)
        return fq_fail(err, FQ_USAGE, "unknown parameter '%s' of %s, which has none", name, method->name);
    for (size_t i = 0; i < method->n_params; i++)
        names[i] = method->params[i].name;
    const char *near = fq_nearest(name, names, method->n_params);
    if (near)
        return fq_fail(err, FQ_USAGE, "unknown parameter '%s' of %s, did you mean '%s'?", name, method->name, near);
    fq_words_join(all, sizeof all, names, method->n_params);
    return fq_fail(err, FQ_USAGE, "unknown parameter '%s' of %s; its parameters are: %s", name, method->name, all);
}

static int check_range(const struct fq_method *method, const struct fq_param_spec *p, double v, const char *text,
                       struct fq_error *err) {
    if (p->kind == FQ_PARAM_INT && v != floor(v))
        return fq_fail(err, FQ_USAGE, "%s=%s of %s: expected a whole number from %g to %g", p->name, text, method->name,
                       p->min, p->max);
    if (!(v >= p->min && v <= p->max))
        return fq_fail(err, FQ_USAGE, "%s=%s of %s is out of range: expected %g to %g (%s)", p->name, text,
                       method->name, p->min, p->max, p->help);
    return 0;
}

static int set_choice(const struct fq_method *method, const struct fq_param_spec *p, const char *value, double *out,
                      struct fq_error *err) {
    const size_t n = count_choices(p);
    for (size_t i = 0; i < n; i++)
        if (strcmp(value, p->choices[i]) == 0) {
            *out = (double)i;
            return 0;
        }
    char all[320];
    fq_words_join(all, sizeof all, p->choices, n);
    char *end;
    (void)strtod(value, &end); /* no number is meant by another: -1 is not a slip for 1 */
    const char *near = *end != '\0' ? fq_nearest(value, p->choices, n) : NULL;
    if (near)
        return fq_fail(err, FQ_USAGE, "unknown value '%s' of %s of %s, did you mean '%s'? (choices: %s)", value,
                       p->name, method->name, near, all);
    return fq_fail(err, FQ_USAGE, "unknown value '%s' of %s of %s; choices: %s", value, p->name, method->name, all);
}

int fq_params_set(const struct fq_method *method, struct fq_params *params, const char *name, const char *value,
                  struct fq_error *err) {
    size_t i = 0;
    while (i < method->n_params && strcmp(method->params[i].name, name) != 0)
        i++;
    if (i == method->n_params)
        return unknown_name(method, name, err);
    const struct fq_param_spec *p = &method->params[i];
    if (p->kind == FQ_PARAM_CHOICE)
        return set_choice(method, p, value, &params->v[i], err);
    char *end = NULL;
    errno = 0;
    const double v = strtod(value, &end);
    if (end == value || *end != '\0' || errno == ERANGE || !isfinite(v))
        return fq_fail(err, FQ_USAGE, "%s='%s' of %s: expected a number from %g to %g (%s)", p->name, value,
                       method->name, p->min, p->max, p->help);
    FQ_TRY(check_range(method, p, v, value, err));
    params->v[i] = v;
    return 0;
}

int fq_params_parse(const struct fq_method *method, const char *text, struct fq_params *params, struct fq_error *err) {
    const char *at = text;
    bool given[FQ_MAX_PARAMS] = {false};
    for (;;) {
        char word[256];
        at += strspn(at, " \t,");
        const size_t n = strcspn(at, " \t,");
        if (n == 0)
            return 0;
        if (n >= sizeof word)
            return fq_fail(err, FQ_USAGE, "parameters of %s: '%.40s...' is too long", method->name, at);
        memcpy(word, at, n);
        word[n] = '\0';
        char *equals = strchr(word, '=');
        if (!equals || equals == word || equals[1] == '\0')
            return fq_fail(err, FQ_USAGE, "parameters of %s: expected name=value, found '%s'", method->name, word);
        *equals = '\0';
        FQ_TRY(fq_params_set(method, params, word, equals + 1, err));
        size_t i = 0;
        while (strcmp(method->params[i].name, word) != 0) /* it is there: it was set */
            i++;
        if (given[i])
            return fq_fail(err, FQ_USAGE, "parameters of %s: '%s' is given twice in '%.80s'; leave one", method->name,
                           word, text);
        given[i] = true;
        at += n;
    }
}

/* The shortest decimal that reads back as the same double, so that 0.1 stays "0.1". */
static void print_real(double v, char *out, size_t size) {
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, v);
        if (strtod(out, NULL) == v)
            return;
    }
}

void fq_params_print(const struct fq_method *method, const struct fq_params *params, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < method->n_params; i++) {
        const struct fq_param_spec *p = &method->params[i];
        char number[40];
        const char *value = number;
        if (p->kind == FQ_PARAM_CHOICE) {
            const size_t k = params->v[i] >= 0 ? (size_t)params->v[i] : 0;
            value = k < count_choices(p) ? p->choices[k] : "?";
        } else {
            print_real(params->v[i], number, sizeof number);
        }
        const int w = snprintf(out + used, size - used, "%s%s=%s", i ? " " : "", p->name, value);
        if (w < 0 || (size_t)w >= size - used)
            return;
        used += (size_t)w;
    }
}

int fq_params_check(const struct fq_method *method, const struct fq_params *params, const struct fq_shape *shape,
                    struct fq_error *err) {
    if (shape->dim < 1 || shape->dim > FQ_MAX_DIM)
        return fq_fail(err, FQ_USAGE, "%s: dimension d = %zu is out of range, expected 1 to %d", method->name,
                       shape->dim, FQ_MAX_DIM);
    for (size_t i = 0; i < method->n_params; i++) {
        const struct fq_param_spec *p = &method->params[i];
        const double v = params->v[i];
        char text[40];
        print_real(v, text, sizeof text);
        if (p->kind != FQ_PARAM_CHOICE)
            FQ_TRY(check_range(method, p, v, text, err));
        else if (!(v >= 0 && v < (double)count_choices(p)) || v != floor(v))
            return fq_fail(err, FQ_USAGE, "%s of %s: %s is not the index of a choice", p->name, method->name, text);
    }
    char why[256] = "";
    if (method->check && method->check(params, shape, why, sizeof why) != 0)
        return fq_fail(err, FQ_USAGE, "%s at d = %zu: %s", method->name, shape->dim,
                       why[0] ? why : "the method refuses this combination without saying why");
    return 0;
}
