/* fairquant merge: joins the results of shards. The work is in plan/merge.c; here is the command line. */
#include "harness/verbs.h"

#include "harness/base/file.h"
#include "harness/plan/run.h"

#include <argp.h>
#include <stdio.h>
#include <unistd.h>

struct options {
    const char *out;
    char **parts;
    size_t n_parts;
    bool replace;
};

static const struct argp_option option_table[] = {{"out", 'o', "R.h5", 0, "the results file to write", 0},
                                                  {"replace", 'f', NULL, 0, "write over an existing file", 0},
                                                  {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'o':
        o->out = arg;
        return 0;
    case 'f':
        o->replace = true;
        return 0;
    case ARGP_KEY_ARGS:
        o->parts = state->argv + state->next;
        o->n_parts = (size_t)(state->argc - state->next);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int fq_verb_merge(int argc, char **argv, struct fq_error *err) {
    static const struct argp parser = {
        .options = option_table,
        .parser = parse_option,
        .args_doc = "PART.h5 ...",
        .doc = "Joins results of one sweep. A cell that two parts hold with equal numbers is kept once; with other "
               "numbers it is an error. Parts of different binaries are joined: the audit sees them."};
    struct options o = {0};
    size_t n_cells = 0, planned = 0;
    argp_err_exit_status = FQ_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &o) != 0)
        return fq_fail(err, FQ_USAGE, "the command line cannot be read");
    if (!o.out)
        return fq_fail(err, FQ_USAGE, "--out is missing; usage: fairquant merge --out R.h5 PART.h5 ...");
    FQ_TRY(fq_check_replaceable(o.out, err));
    if (!o.replace && access(o.out, F_OK) == 0)
        return fq_fail(err, FQ_USAGE, "'%s' exists already; name another --out, or give --replace", o.out);
    FQ_TRY(fq_merge(o.out, (const char *const *)o.parts, o.n_parts, &n_cells, &planned, err));
    printf("%s: %zu of %zu planned cells%s\n", o.out, n_cells, planned,
           n_cells < planned ? " (partial: more parts are missing)" : "");
    return 0;
}
