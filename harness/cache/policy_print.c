/* A policy as one line of text, the same for the same policy: part of a cell's identity, so there is one writer of it.
 *
 * It must not leave anything out that changes a result. */
#include "harness/cache/policy.h"
#include "harness/measure/catalog.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
    char *out;
    size_t size, used;
};

static void put(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *l, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const bool room = l->used < l->size;
    const int n = vsnprintf(room ? l->out + l->used : NULL, room ? l->size - l->used : 0, format, args);
    va_end(args);
    l->used += n > 0 ? (size_t)n : 0;
}

/* "q8_0", "kivi(bits=2,group=32)", "full"; no blanks, since blanks part the pairs of a line. */
static void put_code(struct line *l, const char *name, const struct fq_policy_code *code) {
    char params[512];
    put(l, "%s=", name);
    if (!code->method) {
        put(l, "full");
        return;
    }
    fq_params_print(code->method, &code->params, params, sizeof params);
    for (char *c = params; *c; c++)
        if (*c == ' ')
            *c = ',';
    put(l, "%s", code->method->name);
    if (params[0])
        put(l, "(%s)", params);
}

/* The shortest decimal that reads back as the same number. */
static void put_real(struct line *l, const char *name, double v) {
    char text[40] = "";
    for (int digits = 6; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    put(l, " %s=%s", name, text);
}

/* One pair: "rule=0,1,-2,-1:value=q8_0". */
static void put_rule(struct line *l, const struct fq_policy_rule *rule) {
    put(l, " rule=");
    for (size_t i = 0; i < rule->n_layers; i++)
        put(l, "%s%d", i ? "," : "", rule->layers[i]);
    if (rule->given[FQ_KEY])
        put_code(l, ":key", &rule->code[FQ_KEY]);
    if (rule->given[FQ_VALUE])
        put_code(l, ":value", &rule->code[FQ_VALUE]);
    if (rule->no_decay)
        put(l, ":decay=none");
}

size_t fq_policy_print(const struct fq_policy *p, char *out, size_t size) {
    struct line l = {.out = out, .size = size};
    if (size > 0)
        out[0] = '\0';
    put_code(&l, "key", &p->code[FQ_KEY]);
    put_code(&l, " value", &p->code[FQ_VALUE]);
    if (p->window)
        put(&l, " window=%zu", p->window);
    if (p->residual)
        put(&l, " residual=%zu", p->residual);
    if (p->sinks)
        put(&l, " sinks=%zu", p->sinks);
    if (p->decay_every) {
        put(&l, " decay_after=%zu decay_every=%zu", p->decay_after, p->decay_every);
        if (p->decays[FQ_KEY])
            put_code(&l, " decay_key", &p->decayed[FQ_KEY]);
        if (p->decays[FQ_VALUE])
            put_code(&l, " decay_value", &p->decayed[FQ_VALUE]);
    }
    if (p->sparse)
        put_real(&l, "sparse_v", p->sparse_v);
    put(&l, " prefill=%s path=%s", p->prefill_full ? "full" : "quantized",
        p->path == FQ_PATH_SCORES ? "scores" : "decoded");
    for (size_t i = 0; i < p->n_rules; i++)
        put_rule(&l, &p->rules[i]);
    if (p->centre != FQ_CENTRE_NONE) /* last and bare, as behind a method's parameters */
        put(&l, " centre=%s", fq_centre_name(p->centre));
    return l.used;
}
