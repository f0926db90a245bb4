/* fairquant judge: verdict per claim, with effect, interval, cells and the reason in one sentence. Exit 0 whatever the
 * verdicts are, 2 input error: a refuted claim is a result, not a failure. */
#include "harness/verbs.h"

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/judge/verdict.h"
#include "harness/verbs/partial.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char **paths;
    size_t n_paths;
    const char *claims, *contracts, *out;
    uint64_t seed;
    bool brief, bad;
    struct fq_error *err;
};

static const struct argp_option option_table[] = {
    {"claims", 'c', "DIR", 0, "claims to judge (default: configs/claims)", 0},
    {"contracts", 'f', "FILE", 0, "contracts file (default: configs/contracts.yaml)", 0},
    {"out", 'o', "V.json", 0, "also write the verdicts as JSON", 0},
    {"seed", 's', "N", 0, "seed of the bootstrap (default 1)", 0},
    {"brief", 'b', NULL, 0, "one line per claim, without the comparisons", 0},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    char *end = NULL;
    switch (key) {
    case 'c':
        o->claims = arg;
        return 0;
    case 'f':
        o->contracts = arg;
        return 0;
    case 'o':
        o->out = arg;
        return 0;
    case 'b':
        o->brief = true;
        return 0;
    case 's':
        o->seed = strtoull(arg, &end, 10);
        if (!o->bad && (arg[0] < '0' || arg[0] > '9' || *end != '\0')) {
            (void)fq_fail(o->err, FQ_USAGE, "judge: --seed expects a whole number, found '%s'", arg);
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
                                       .doc = "Verdict per claim: supported, refuted, inconclusive or not measured "
                                              "here, with effect and interval."};
    argp_err_exit_status = FQ_USAGE;
    int status = argp_parse(&parser, argc, argv, 0, NULL, o);
    if (o->bad)
        return FQ_USAGE;
    if (status != 0)
        return fq_fail(err, FQ_USAGE, "judge: the command line cannot be read");
    if (o->n_paths == 0)
        return fq_fail(err, FQ_USAGE,
                       "judge: expected a results file; usage: fairquant judge R.h5 ... [--claims DIR] [--out V.json]");
    return o->out ? fq_check_writable(o->out, err) : FQ_OK;
}

static void print_effect(const struct fq_test_result *r) {
    if (!isfinite(r->effect))
        printf("%-30s", "no interval");
    else {
        char text[96];
        snprintf(text, sizeof text, "%s%.4g [%.4g, %.4g]", r->test->as == FQ_AS_RATIO ? "x " : "", r->effect, r->low,
                 r->high);
        printf("%-30s", text);
    }
}

static void print_comparisons(const struct fq_verdict *v) {
    for (size_t i = 0; i < v->n; i++) {
        const struct fq_test_result *r = &v->result[i];
        printf("    %-10s", fq_outcome_name(r->outcome));
        print_effect(r);
        printf(" p %-8.2g %s: %s", r->p_holm, r->test->name, r->cells);
        if (r->against[0] != '\0')
            printf(" / %s", r->against);
        printf(", %s of %s, %s", r->metric, r->data, r->tensor);
        if (r->measured.resampled[0] != '\0')
            printf("; resampled: %s", r->measured.resampled);
        if (r->below_floor)
            printf("; below noise floor");
        if (r->test->rates == FQ_RATES_DIFFER)
            printf("; rates differ: %s", r->test->rates_reason);
        if (r->why[0] != '\0')
            printf("; %s", r->why);
        printf("\n");
    }
}

/* One paragraph for all claims that these results do not touch: there are more claims than any one sweep measures. */
static void print_untouched(const struct fq_verdicts *all) {
    size_t n = 0, column = 0;
    for (size_t i = 0; i < all->n; i++)
        n += all->verdict[i].n == 0;
    if (n == 0)
        return;
    printf("%zu claim%s not measured here, no cell of these results matches:", n, n == 1 ? "" : "s");
    for (size_t i = 0; i < all->n; i++)
        if (all->verdict[i].n == 0)
            printf("%s%s", column++ % 3 == 0 ? "\n    " : ", ", all->verdict[i].claim->id);
    printf("\n\n");
}

static void print_verdicts(const struct fq_verdicts *all, bool brief) {
    for (size_t i = 0; i < all->n; i++) {
        const struct fq_verdict *v = &all->verdict[i];
        if (v->n == 0)
            continue;
        printf("%-36s %s\n    %s\n", v->claim->id, fq_verdict_name(v->kind), v->reason);
        if (!brief) {
            char said[1200];
            fq_claim_said(v->claim, said, sizeof said);
            printf("    claimed by %s: %s\n    judged: %s\n", v->claim->who, said, v->claim->statement);
            print_comparisons(v);
        }
        printf("\n");
    }
    print_untouched(all);
    printf(
        "Effects are ratios to (x), or differences from, what the claim states; intervals at the level of the claim; "
        "p adjusted by Holm in the family.\n");
}

struct loaded {
    struct fq_results *results;
    struct fq_contracts contracts;
    struct fq_claims claims;
    struct fq_verdicts verdicts;
};

static int judge(const struct options *o, struct loaded *l, struct fq_error *err) {
    for (size_t i = 0; i < o->n_paths; i++)
        FQ_TRY(fq_results_read(o->paths[i], &l->results[i], err));
    FQ_TRY(fq_contracts_load(o->contracts, &l->contracts, err));
    FQ_TRY(fq_claims_load(o->claims, &l->claims, err));
    fq_note("judging %zu claims", l->claims.n);
    FQ_TRY(fq_judge_results(&l->claims, &l->contracts, l->results, o->n_paths, o->seed, &l->verdicts, err));
    fq_say_partial(o->paths, l->results, o->n_paths);
    print_verdicts(&l->verdicts, o->brief);
    return o->out ? fq_verdicts_write_json(&l->verdicts, o->paths, o->n_paths, o->out, err) : FQ_OK;
}

int fq_verb_judge(int argc, char **argv, struct fq_error *err) {
    struct options o = {.seed = 1, .err = err};
    struct loaded l = {0};
    l.results = calloc((size_t)argc + 1, sizeof *l.results);
    o.paths = calloc((size_t)argc + 1, sizeof *o.paths);
    int code = l.results != NULL && o.paths != NULL ? FQ_OK : fq_fail(err, FQ_FAILED, "judge: out of memory");
    if (code == 0)
        code = parse(argc, argv, &o, err);
    if (code == 0)
        code = judge(&o, &l, err);
    fq_verdicts_free(&l.verdicts);
    fq_claims_free(&l.claims);
    fq_contracts_free(&l.contracts);
    for (size_t i = 0; l.results != NULL && i < o.n_paths; i++)
        fq_results_free(&l.results[i]);
    free(l.results);
    free(o.paths);
    return code;
}
