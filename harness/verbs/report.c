/* fairquant report: audits and judges results files, then writes the report into a directory.
 *
 * An unfair run is no error here: the report says so, and lists the rows concerned apart. */
#include "harness/verbs.h"

#include "harness/base/log.h"
#include "harness/judge/audit.h"
#include "harness/judge/claim.h"
#include "harness/judge/contract.h"
#include "harness/judge/verdict.h"
#include "harness/report/report.h"
#include "harness/verbs/partial.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_OUT = 'o', OPTION_CLAIMS = 'c', OPTION_SEED = 's' };

struct options {
    const char *out, *claims;
    const char **paths;
    size_t n_paths;
    uint64_t seed;
    struct fq_error *err;
    bool bad;
};

static const struct argp_option option_table[] = {
    {"out", OPTION_OUT, "DIR", 0, "where the report goes; an earlier report there is replaced", 0},
    {"claims", OPTION_CLAIMS, "DIR", 0, "claims to judge (default: configs/claims)", 0},
    {"seed", OPTION_SEED, "N", 0, "seed of the bootstrap (default 1)", 0},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    char *end = NULL;
    switch (key) {
    case OPTION_OUT:
        o->out = arg;
        return 0;
    case OPTION_CLAIMS:
        o->claims = arg;
        return 0;
    case OPTION_SEED:
        o->seed = strtoull(arg, &end, 10);
        if (!o->bad && (arg[0] < '0' || arg[0] > '9' || *end != '\0')) {
            (void)fq_fail(o->err, FQ_USAGE, "report: --seed expects a whole number, found '%s'", arg);
            o->bad = true;
        }
        return 0;
    case ARGP_KEY_ARG:
        o->paths[o->n_paths++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int parse(int argc, char **argv, struct options *o, struct fq_error *err) {
    static const struct argp parser = {.options = option_table,
                                       .parser = parse_option,
                                       .args_doc = "R.h5 ...",
                                       .doc = "Writes CSV, Markdown and LaTeX tables, plots (SVG, PDF) and one "
                                              "self-contained index.html from results files."};
    argp_err_exit_status = FQ_USAGE;
    error_t status = argp_parse(&parser, argc, argv, 0, NULL, o);
    if (o->bad)
        return FQ_USAGE;
    if (status != 0)
        return fq_fail(err, FQ_USAGE, "report: the command line cannot be read: %s", strerror(status));
    if (o->n_paths == 0)
        return fq_fail(err, FQ_USAGE,
                       "report: expected at least one results file; usage: fairquant report R.h5 ... --out DIR");
    if (o->out == NULL)
        return fq_fail(err, FQ_USAGE, "report: --out is missing; usage: fairquant report R.h5 ... --out DIR");
    return FQ_OK;
}

/* Everything that is judged before the first byte is written. */
struct judged {
    struct fq_results *results;
    struct fq_contracts contracts;
    struct fq_claims claims;
    struct fq_estimates estimates;
    struct fq_audit audit;
    struct fq_verdicts verdicts;
};

static int judge(const struct options *o, struct judged *j, struct fq_error *err) {
    for (size_t i = 0; i < o->n_paths; i++)
        FQ_TRY(fq_results_read(o->paths[i], &j->results[i], err));
    FQ_TRY(fq_contracts_load(NULL, &j->contracts, err));
    FQ_TRY(fq_claims_load(o->claims, &j->claims, err));
    FQ_TRY(fq_audit_results(&j->contracts, j->results, o->n_paths, NULL, &j->audit, err));
    fq_note("estimating intervals");
    FQ_TRY(fq_estimate_all(j->results, o->n_paths, o->seed, &j->estimates, err));
    fq_audit_mark(&j->audit, &j->estimates);
    fq_note("judging %zu claims", j->claims.n);
    return fq_judge_results(&j->claims, &j->contracts, j->results, o->n_paths, o->seed, &j->verdicts, err);
}

static int report(const struct options *o, const struct judged *j, struct fq_error *err) {
    char warning[FQ_ERROR_SIZE];
    struct fq_report_input in = {.paths = o->paths,
                                 .results = j->results,
                                 .n_results = o->n_paths,
                                 .estimates = &j->estimates,
                                 .audit = &j->audit,
                                 .verdicts = &j->verdicts};
    FQ_TRY(fq_report_write(&in, o->out, warning, err));
    if (warning[0] != '\0')
        fq_warn("%s", warning);
    for (size_t i = 0; i < j->audit.n; i++)
        if (!j->audit.finding[i].fair) {
            fq_warn("the audit found %zu unequal fields, the first is %s; the rows concerned are listed apart (see "
                    "%s/audit.txt)",
                    j->audit.unfair, j->audit.finding[i].field, o->out);
            break;
        }
    fq_say_partial(o->paths, j->results, o->n_paths);
    size_t count[4] = {0};
    for (size_t i = 0; i < j->verdicts.n; i++)
        count[j->verdicts.verdict[i].kind]++;
    printf("%s/index.html: %zu estimates, audit %s; claims: %zu supported, %zu refuted, %zu inconclusive, %zu not "
           "measured here\n",
           o->out, j->estimates.n, j->audit.unfair > 0 || j->audit.exhibit ? "unfair" : "fair", count[FQ_SUPPORTED],
           count[FQ_REFUTED], count[FQ_INCONCLUSIVE], count[FQ_NOT_MEASURED]);
    return FQ_OK;
}

int fq_verb_report(int argc, char **argv, struct fq_error *err) {
    struct options o = {.seed = 1, .err = err};
    struct judged j = {0};
    o.paths = calloc((size_t)argc + 1, sizeof *o.paths);
    j.results = calloc((size_t)argc + 1, sizeof *j.results);
    int code = o.paths != NULL && j.results != NULL ? FQ_OK : fq_fail(err, FQ_USAGE, "report: out of memory");
    if (code == FQ_OK)
        code = parse(argc, argv, &o, err);
    if (code == FQ_OK)
        code = fq_report_check(o.out, err);
    if (code == FQ_OK)
        code = judge(&o, &j, err);
    if (code == FQ_OK)
        code = report(&o, &j, err);
    fq_verdicts_free(&j.verdicts);
    fq_audit_free(&j.audit);
    fq_estimates_free(&j.estimates);
    fq_claims_free(&j.claims);
    fq_contracts_free(&j.contracts);
    for (size_t i = 0; j.results != NULL && i < o.n_paths; i++)
        fq_results_free(&j.results[i]);
    free(j.results);
    free(o.paths);
    return code;
}
