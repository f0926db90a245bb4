/* Options that plan and run share.
 *
 * It must not start threads or measure. */
#include "harness/verbs/sweep_options.h"

#include "harness/base/cpu.h"
#include "harness/judge/contract.h"
#include "harness/measure/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct argp_option options[] = {
    {"threads", 'j', "N", 0, "threads of timed regions, instead of the sweep's", 0},
    {"isa", 'i', "ref|avx2|avx512", 0, "highest instruction set, instead of the sweep's", 0},
    {"plugin", 'p', "X.so", 0, "load methods from a plug-in (may be repeated)", 0},
    {0}};

void fq_sweep_options_complain(struct fq_sweep_options *o, const char *sentence, const char *found) {
    if (!o->bad)
        (void)fq_fail(o->err, FQ_USAGE, "%s, found '%s'", sentence, found);
    o->bad = 1;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct fq_sweep_options *o = state->input;
    switch (key) {
    case 'j': {
        char *end = NULL;
        errno = 0;
        const unsigned long n = strtoul(arg, &end, 10);
        if (end == arg || *end != '\0' || errno != 0 || n < 1 || n > 1024)
            fq_sweep_options_complain(o, "--threads expects a whole number from 1 to 1024", arg);
        o->override.threads = (unsigned)n;
        return 0;
    }
    case 'i':
        o->override.isa = arg;
        return 0;
    case 'p':
        if (o->n_plugins == FQ_MAX_PLUGINS)
            fq_sweep_options_complain(o, "--plugin may be given 32 times at most", arg);
        else
            o->plugins[o->n_plugins++] = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->path)
            fq_sweep_options_complain(o, "expected one sweep file", arg);
        o->path = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp fq_sweep_argp = {.options = options, .parser = parse};

/* The sweep has been read, so the key is there; at the start of its line unless somebody writes the file as JSON. */
static int fail_at_contract(const struct fq_sweep *sweep, struct fq_error *err) {
    static const char key[] = "contract:";
    const char *at = sweep->text;
    for (unsigned line = 1; *at != '\0'; line++) {
        if (strncmp(at, key, sizeof key - 1) == 0)
            return fq_fail_in(err, "%s:%u", sweep->path, line);
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return fq_fail_in(err, "%s", sweep->path);
}

/* A misspelt contract would be found by the audit, after the run. */
static int check_contract(const struct fq_sweep *sweep, struct fq_error *err) {
    struct fq_contracts contracts = {0};
    const struct fq_contract *found = NULL;
    FQ_TRY(fq_contracts_load(NULL, &contracts, err));
    const int code = fq_contract_find(&contracts, sweep->contract, &found, err);
    fq_contracts_free(&contracts);
    return code == 0 ? 0 : fail_at_contract(sweep, err);
}

static int apply_isa(const struct fq_sweep *sweep, struct fq_error *err) {
    enum fq_backend cap;
    if (!sweep->isa[0])
        return 0;
    FQ_TRY(fq_backend_parse(sweep->isa, &cap, err));
    if (!fq_cpu_has(cap))
        return fq_fail(err, FQ_USAGE, "%s: isa: %s is asked for, and this processor does not have it", sweep->path,
                       sweep->isa);
    fq_isa_cap_set(cap);
    return 0;
}

int fq_sweep_options_load(const struct fq_sweep_options *o, struct fq_sweep *sweep, struct fq_error *err) {
    enum fq_backend cap;
    if (o->bad)
        return FQ_USAGE;
    if (!o->path)
        return fq_fail(err, FQ_USAGE,
                       "no sweep file given; usage: fairquant run SWEEP.yaml --out R.h5 (or plan "
                       "SWEEP.yaml)");
    if (o->override.isa && fq_backend_parse(o->override.isa, &cap, err) != 0)
        return fq_fail_in(err, "--isa");
    for (size_t i = 0; i < o->n_plugins; i++)
        FQ_TRY(fq_catalog_load_plugin(o->plugins[i], err));
    FQ_TRY(fq_sweep_load(o->path, &o->override, sweep, err));
    int code = check_contract(sweep, err);
    if (code == 0)
        code = apply_isa(sweep, err);
    if (code != 0)
        fq_sweep_free(sweep);
    return code;
}
