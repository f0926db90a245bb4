/* fairquant env: the machine, the binary and its libraries, as a results file stores them. */
#include "harness/verbs.h"

#include "harness/base/pool.h"
#include "harness/data/manifest.h"
#include "harness/plan/observe.h"

#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct argp_option option_table[] = {{"json", 'j', NULL, 0, "one JSON object", 0}, {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    (void)arg;
    if (key != 'j')
        return ARGP_ERR_UNKNOWN;
    *(bool *)state->input = true;
    return 0;
}

static int print_json(const struct fq_fact *facts, size_t n, struct fq_error *err) {
    json_t *object = json_object();
    for (size_t i = 0; i < n; i++)
        (void)json_object_set_new(object, facts[i].name, json_string(facts[i].text));
    const int failed = json_dumpf(object, stdout, JSON_INDENT(2));
    json_decref(object);
    (void)putchar('\n');
    return failed ? fq_fail(err, FQ_USAGE, "cannot write to standard output") : 0;
}

int fq_verb_env(int argc, char **argv, struct fq_error *err) {
    static const struct argp parser = {.options = option_table,
                                       .parser = parse_option,
                                       .doc = "Machine, tools, BLAS core, instruction sets, GPU, governor and "
                                              "libraries: each value, or \"not readable\"."};
    bool json = false;
    char home[4096];
    struct fq_fact facts[FQ_MACHINE_FACTS + 1];
    argp_err_exit_status = FQ_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &json) != 0)
        return fq_fail(err, FQ_USAGE, "the command line cannot be read");
    size_t n = fq_observe_machine(facts, FQ_MACHINE_FACTS);
    fq_home(home, sizeof home);
    memset(&facts[n], 0, sizeof facts[n]);
    snprintf(facts[n].name, sizeof facts[n].name, "home");
    snprintf(facts[n].text, sizeof facts[n].text, "%.255s", home);
    n++;
    if (json)
        return print_json(facts, n, err);
    for (size_t i = 0; i < n; i++)
        printf("%-22s %s\n", facts[i].name, facts[i].text);
    return 0;
}
