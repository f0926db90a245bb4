/* fairquant verify: does every method do what theory and the contract say?
 *
 * One line per check on stdout as it is done; then one line per method. A negative control must fail a gate or a known
 * answer; if it passes them all, the gates tell nothing and the verb fails. */
#include "harness/verbs.h"

#include "harness/base/clock.h"
#include "harness/base/log.h"
#include "harness/base/pool.h"
#include "harness/measure/catalog.h"
#include "harness/measure/conformance.h"

#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_JSON = 'j', OPTION_QUICK = 'q', OPTION_PLUGIN = 'p', OPTION_THREADS = 't' };

struct options {
    bool json, quick;
    const char **names, **plugins;
    size_t n_names, n_plugins;
    unsigned threads;
    struct fq_error *err;
    int code;
};

static const struct argp_option option_table[] = {
    {"json", OPTION_JSON, NULL, 0, "print all checks as JSON instead of a table", 0},
    {"quick", OPTION_QUICK, NULL, 0, "a quarter of the vectors", 0},
    {"plugin", OPTION_PLUGIN, "X.so", 0, "load methods from a plug-in; may be repeated", 0},
    {"threads", OPTION_THREADS, "T", 0, "threads of the pool (default 1; results do not depend on it)", 0},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    char *end = NULL;
    unsigned long threads = 0;
    switch (key) {
    case OPTION_JSON:
        o->json = true;
        return 0;
    case OPTION_QUICK:
        o->quick = true;
        return 0;
    case OPTION_PLUGIN:
        o->plugins[o->n_plugins++] = arg;
        return 0;
    case OPTION_THREADS:
        threads = strtoul(arg, &end, 10);
        if (arg[0] < '1' || arg[0] > '9' || *end != '\0' || threads > 1024)
            o->code =
                fq_fail(o->err, FQ_USAGE, "verify: --threads expects a whole number from 1 to 1024, found '%s'", arg);
        o->threads = (unsigned)threads;
        return 0;
    case ARGP_KEY_ARG:
        o->names[o->n_names++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    option_table,
    parse_option,
    "[METHOD ...]",
    "Checks methods against theory (gates), known answers, and the contract's invariants. Exit status 0 when all pass "
    "and every negative control fails as it must, 1 otherwise.",
    NULL,
    NULL,
    NULL};

/* ---- the table ----------------------------------------------------------------------------------------------------*/

static void print_check(void *arg, const struct fq_method *method, const struct fq_check *c) {
    (void)arg;
    /* What a control misses is no failure of the program: it is there to miss. */
    const char *mark = c->passed ? "ok" : method->role == FQ_NEGATIVE_CONTROL ? "wrong" : "FAIL";
    printf("%-5s %-20s %-9s %s", mark, method->name, fq_check_kind_name(c->kind), c->what);
    if (c->has_numbers && c->kind == FQ_CHECK_GATE)
        printf("  expected %.5g, measured %.5g [%.5g, %.5g], tolerance %.2g", c->expected, c->measured, c->low, c->high,
               c->tolerance);
    else if (c->has_numbers)
        printf("  expected %.9g, found %.9g, tolerance %.2g", c->expected, c->measured, c->tolerance);
    if (c->source[0] != '\0')
        printf("  (%s)", c->source);
    if (c->note[0] != '\0')
        printf("  %s", c->note);
    putchar('\n');
    fflush(stdout);
}

static const char *verdict_of(const struct fq_conformance *c) {
    const bool control = c->method->role == FQ_NEGATIVE_CONTROL;
    if (fq_conformance_as_it_must(c))
        return control ? "fails as it must" : "passes";
    return control ? "PASSES, and must not: a negative control" : "FAILS";
}

static json_t *check_json(const struct fq_check *c) {
    json_t *o = json_pack("{s:s, s:s, s:b, s:s, s:s}", "kind", fq_check_kind_name(c->kind), "what", c->what, "passed",
                          c->passed ? 1 : 0, "source", c->source, "note", c->note);
    if (o != NULL && c->has_numbers) {
        json_object_set_new(o, "expected", json_real(c->expected));
        json_object_set_new(o, "measured", json_real(c->measured)); /* a NaN has no JSON form and is left out */
        json_object_set_new(o, "low", json_real(c->low));
        json_object_set_new(o, "high", json_real(c->high));
        json_object_set_new(o, "tolerance", json_real(c->tolerance));
    }
    return o;
}

static json_t *method_json(const struct fq_conformance *c) {
    json_t *checks = json_array();
    for (size_t i = 0; i < c->n; i++)
        json_array_append_new(checks, check_json(&c->checks[i]));
    return json_pack("{s:s, s:b, s:s, s:I, s:I, s:o}", "method", c->method->name, "as_it_must",
                     fq_conformance_as_it_must(c) ? 1 : 0, "verdict", verdict_of(c), "checks_run", (json_int_t)c->n,
                     "checks_failed", (json_int_t)c->failed, "checks", checks);
}

/* ---- the work -----------------------------------------------------------------------------------------------------*/

struct totals {
    size_t methods, checks, bad;
    char first_bad[64];
    json_t *json;
};

static int verify_one(const struct options *o, const struct fq_method *method, struct totals *t, struct fq_error *err) {
    const struct fq_conformance_options options = {
        .quick = o->quick, .fresh_process = true, .seen = o->json ? NULL : print_check};
    struct fq_conformance result;
    const uint64_t start = fq_now_ns();
    int code = fq_conformance_run(method, &options, &result, err);
    if (code == FQ_OK) {
        t->methods++;
        t->checks += result.n;
        if (!fq_conformance_as_it_must(&result) && t->bad++ == 0)
            snprintf(t->first_bad, sizeof t->first_bad, "%s", method->name);
        if (o->json)
            json_array_append_new(t->json, method_json(&result));
        else
            printf("      %-20s %s: %zu checks, %zu failed, %.1f s\n\n", method->name, verdict_of(&result), result.n,
                   result.failed, (double)(fq_now_ns() - start) * 1e-9);
    }
    fq_conformance_free(&result);
    return code;
}

static int verify_all(const struct options *o, struct totals *t, struct fq_error *err) {
    const size_t n = o->n_names > 0 ? o->n_names : fq_catalog_size();
    for (size_t i = 0; i < o->n_names; i++) { /* all names first: a wrong one must not end a run half way */
        const struct fq_method *method = NULL;
        FQ_TRY(fq_catalog_find(o->names[i], &method, err));
    }
    struct fq_progress progress;
    fq_progress_begin(&progress, "verify", (double)n);
    int code = FQ_OK;
    for (size_t i = 0; code == FQ_OK && i < n; i++) {
        const struct fq_method *method = fq_catalog_at(i);
        if (o->n_names > 0)
            code = fq_catalog_find(o->names[i], &method, err);
        if (code == FQ_OK)
            code = verify_one(o, method, t, err);
        fq_progress_step(&progress, 1.0, method->name);
    }
    fq_progress_end(&progress);
    return code;
}

static int start(const struct options *o, struct fq_error *err) {
    FQ_TRY(fq_pool_start(o->threads, err));
    for (size_t i = 0; i < o->n_plugins; i++)
        FQ_TRY(fq_catalog_load_plugin(o->plugins[i], err));
    if (fq_catalog_size() == 0)
        return fq_fail(err, FQ_USAGE, "verify: no method is registered; load one with --plugin");
    return FQ_OK;
}

static int verify(const struct options *o, struct fq_error *err) {
    struct totals totals = {.json = o->json ? json_array() : NULL};
    int code = start(o, err);
    if (code == FQ_OK)
        code = verify_all(o, &totals, err);
    if (code == FQ_OK && o->json) {
        json_dumpf(totals.json, stdout, JSON_INDENT(1));
        putchar('\n');
    } else if (code == FQ_OK) {
        printf("%zu method%s, %zu checks: %s\n", totals.methods, totals.methods == 1 ? "" : "s", totals.checks,
               totals.bad == 0 ? "all as they must be" : "NOT all as they must be");
    }
    json_decref(totals.json);
    if (code == FQ_OK && totals.bad > 0)
        code = fq_fail(err, FQ_FAILED,
                       "verify: %zu of %zu methods are not as they must be, the first is '%s'; the lines "
                       "marked FAIL say why",
                       totals.bad, totals.methods, totals.first_bad);
    return code;
}

int fq_verb_verify(int argc, char **argv, struct fq_error *err) {
    struct options o = {.err = err, .threads = 1};
    const size_t room = argc > 0 ? (size_t)argc + 1 : 1;
    o.names = calloc(room, sizeof *o.names);
    o.plugins = calloc(room, sizeof *o.plugins);
    argp_err_exit_status = FQ_USAGE;
    int code = FQ_OK;
    if (o.names == NULL || o.plugins == NULL)
        code = fq_fail(err, FQ_FAILED, "out of memory");
    if (code == FQ_OK && argp_parse(&parser, argc, argv, 0, NULL, &o) != 0)
        code = fq_fail(err, FQ_USAGE, "verify: the command line is not understood; see `fairquant verify --help`");
    if (code == FQ_OK)
        code = o.code;
    if (code == FQ_OK)
        code = verify(&o, err);
    free(o.names);
    free(o.plugins);
    return code;
}
