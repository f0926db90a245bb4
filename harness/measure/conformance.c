/* Drives the checks of one method and keeps their list. Gates are in conformance_gates.c, invariants in
 * conformance_invariants.c; this file must know neither. */
#include "harness/measure/conformance.h"

#include "harness/measure/conformance_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fq_check_kind_name(enum fq_check_kind kind) {
    static const char *const names[] = {"gate", "answer", "invariant"};
    return names[kind];
}

void fq_check_add(struct check_sink *sink, const struct fq_check *check) {
    struct fq_conformance *list = sink->list;
    if (list->n == list->room) {
        const size_t room = list->room == 0 ? 64 : 2 * list->room;
        struct fq_check *grown = realloc(list->checks, room * sizeof *grown);
        if (grown == NULL) {
            sink->out_of_memory = true;
            return;
        }
        list->checks = grown;
        list->room = room;
    }
    list->checks[list->n++] = *check;
    list->failed += !check->passed;
    list->failed_theory += !check->passed && check->kind != FQ_CHECK_INVARIANT;
    if (sink->options->seen != NULL)
        sink->options->seen(sink->options->arg, list->method, check);
}

static void take_answer(void *arg, const char *what, double expected, double measured, double tolerance,
                        const char *source) {
    struct check_sink *sink = arg;
    struct fq_check check = {.kind = FQ_CHECK_ANSWER,
                             .has_numbers = true,
                             .expected = expected,
                             .measured = measured,
                             .low = measured,
                             .high = measured,
                             .tolerance = tolerance,
                             .passed = fabs(measured - expected) <= tolerance}; /* a NaN fails */
    snprintf(check.what, sizeof check.what, "%s", what);
    snprintf(check.source, sizeof check.source, "%s", source);
    fq_check_add(sink, &check);
}

int fq_conformance_run(const struct fq_method *method, const struct fq_conformance_options *options,
                       struct fq_conformance *out, struct fq_error *err) {
    memset(out, 0, sizeof *out);
    out->method = method;
    struct check_sink sink = {out, options, false};
    if (method->known_answers != NULL) {
        const struct fq_answers answers = {&sink, take_answer};
        method->known_answers(&answers);
    }
    fq_check_gates(&sink, method);
    fq_check_invariants(&sink, method);
    if (sink.out_of_memory)
        return fq_fail(err, FQ_FAILED, "out of memory: the checks of %s", method->name);
    return FQ_OK;
}

bool fq_conformance_as_it_must(const struct fq_conformance *c) {
    return c->method->role == FQ_NEGATIVE_CONTROL ? c->failed_theory > 0 : c->failed == 0;
}

void fq_conformance_free(struct fq_conformance *c) {
    free(c->checks);
    memset(c, 0, sizeof *c);
}
