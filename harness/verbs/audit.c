/* fairquant audit: was the comparison fair? Prints each unequal field by name with the values that were observed and
 * the methods that hold them, then what was checked and equal. Exit 0 fair, 1 unfair, 2 input error. */
#include "harness/verbs.h"

#include "harness/judge/audit.h"
#include "harness/judge/contract.h"
#include "harness/verbs/partial.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char **paths;
    size_t n_paths;
    const char *contract, *contracts;
};

static const struct argp_option option_table[] = {
    {"contract", 'c', "NAME", 0, "audit under this contract (default: the one that the cells name)", 0},
    {"contracts", 'f', "FILE", 0, "contracts file (default: configs/contracts.yaml)", 0},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'c':
        o->contract = arg;
        return 0;
    case 'f':
        o->contracts = arg;
        return 0;
    case ARGP_KEY_ARG:
        o->paths[o->n_paths++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void place_of(const struct fq_finding *f, char *out, size_t size) {
    if (f->kind[0] == '\0')
        snprintf(out, size, "whole run");
    else
        snprintf(out, size, "%s, %s", f->kind, f->data);
}

static void print_unfair(const struct fq_audit *a) {
    char place[160];
    for (size_t i = 0; i < a->n; i++) {
        const struct fq_finding *f = &a->finding[i];
        if (f->fair)
            continue;
        place_of(f, place, sizeof place);
        printf("UNFAIR  %-20s %s\n        %s\n", f->field, place, f->detail);
    }
}

static void print_notes(const struct fq_audit *a) {
    char place[160];
    for (size_t i = 0; i < a->n_notes; i++) {
        place_of(&a->note[i], place, sizeof place);
        printf("note    %-20s %s\n        %s\n", a->note[i].field, place, a->note[i].detail);
    }
}

/* One line per field that is equal wherever it was checked: its value if that is one for all, else how many places. */
static void print_fair(const struct fq_audit *a) {
    printf("%-28s %-8s %s\n", "checked and fair", "places", "value");
    for (size_t i = 0; i < a->n; i++) {
        const struct fq_finding *f = &a->finding[i];
        size_t places = 0;
        bool first = f->fair, one = true;
        for (size_t k = 0; k < a->n && first; k++) {
            const struct fq_finding *g = &a->finding[k];
            if (strcmp(g->field, f->field) != 0)
                continue;
            first = k >= i && g->fair; /* listed before, or unequal somewhere */
            one = one && strcmp(g->detail, f->detail) == 0;
            places++;
        }
        if (first)
            printf("  %-26s %-8zu %.120s\n", f->field, places, one ? f->detail : "(its own in each place)");
    }
}

static void print_failed(const struct fq_results *results, size_t n) {
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < results[k].n_cells; i++)
            if (!results[k].cells[i].ok)
                printf("failed  %s on %s: %s\n", results[k].cells[i].label, results[k].cells[i].data,
                       results[k].cells[i].reason);
}

static int print_audit(const struct fq_audit *a, const struct fq_results *results, size_t n, struct fq_error *err) {
    printf("contract %s: %zu cells, %zu of them failed, %zu checks\n\n", a->contract, a->cells, a->failed, a->n);
    print_unfair(a);
    print_notes(a);
    print_failed(results, n);
    print_fair(a);
    if (a->exhibit)
        printf("\nexhibit: this contract labels a knowingly unfair replay; its numbers are no result\n");
    if (a->unfair == 0 && !a->exhibit) {
        printf("\nfair\n");
        return FQ_OK;
    }
    printf("\nunfair: %zu of %zu checks failed\n", a->unfair, a->n);
    err->code = FQ_FAILED;
    err->text[0] = '\0';
    return FQ_FAILED;
}

static int audit(const struct options *o, struct fq_results *results, struct fq_error *err) {
    for (size_t i = 0; i < o->n_paths; i++)
        FQ_TRY(fq_results_read(o->paths[i], &results[i], err));
    struct fq_contracts contracts;
    FQ_TRY(fq_contracts_load(o->contracts, &contracts, err));
    struct fq_audit a;
    int code = fq_audit_results(&contracts, results, o->n_paths, o->contract, &a, err);
    if (code == 0) {
        fq_say_partial(o->paths, results, o->n_paths);
        code = print_audit(&a, results, o->n_paths, err);
        fq_audit_free(&a);
    }
    fq_contracts_free(&contracts);
    return code;
}

int fq_verb_audit(int argc, char **argv, struct fq_error *err) {
    static const struct argp parser = {.options = option_table,
                                       .parser = parse_option,
                                       .args_doc = "R.h5 ...",
                                       .doc = "Was the comparison fair? Names every unequal field with the observed "
                                              "values. Exit status 0: fair, 1: unfair."};
    struct options o = {0};
    struct fq_results *results = calloc((size_t)argc + 1, sizeof *results);
    o.paths = calloc((size_t)argc + 1, sizeof *o.paths);
    argp_err_exit_status = FQ_USAGE;
    int code = results != NULL && o.paths != NULL ? FQ_OK : fq_fail(err, FQ_FAILED, "audit: out of memory");
    if (code == 0 && argp_parse(&parser, argc, argv, 0, NULL, &o) != 0)
        code = fq_fail(err, FQ_USAGE, "audit: the command line cannot be read");
    else if (code == 0 && o.n_paths == 0)
        code = fq_fail(err, FQ_USAGE, "audit: expected a results file; usage: fairquant audit R.h5 [--contract NAME]");
    if (code == 0)
        code = audit(&o, results, err);
    for (size_t i = 0; results != NULL && i < o.n_paths; i++)
        fq_results_free(&results[i]);
    free(results);
    free(o.paths);
    return code;
}
