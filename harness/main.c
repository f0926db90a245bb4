/* fairquant: finds the verb and hands over. The only file that knows both the harness and the table of built-in
 * methods.
 *
 * It must not do a verb's work. */
#include "harness/measure/catalog.h"
#include "harness/measure/probe.h"
#include "harness/verbs.h"
#include "methods/registry.h"

#include <stdio.h>
#include <string.h>

struct verb {
    const char *name, *what;
    fq_verb *run;
};

static const struct verb verbs[] = {
    {"list", "methods, claims, contracts, models, backends: what is here", fq_verb_list},
    {"verify", "conformance: theory gates, known answers, invariants of every method", fq_verb_verify},
    {"capture", "run a model over a text and keep its keys, values and queries", fq_verb_capture},
    {"plan", "cells, order, bytes and estimated time of a sweep (encodes a few vectors for it); runs no cell",
     fq_verb_plan},
    {"run", "run a sweep into a results file; every finished cell survives a kill", fq_verb_run},
    {"merge", "join the results of shards", fq_verb_merge},
    {"audit", "was the comparison fair? each unequal field by name", fq_verb_audit},
    {"judge", "claims -> verdicts, each with effect and interval", fq_verb_judge},
    {"report", "tables, plots and one self-contained page", fq_verb_report},
    {"size", "a KV cache's real bytes by method", fq_verb_size},
    {"env", "machine, binary and libraries, each value or \"not readable\"", fq_verb_env},
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

static void print_help(void) {
    printf("fairquant %s: the referee for vector and KV-cache quantizers: same bits, same threads, same instructions, "
           "same clock, or no number.\n\nUsage: fairquant VERB [ARGUMENTS]\n\n",
           FQ_VERSION);
    for (size_t i = 0; i < N_VERBS; i++)
        printf("  %-9s %s\n", verbs[i].name, verbs[i].what);
    printf(
        "\nEnvironment:\n"
        "  FQ_DATA    folder of models, corpora and captured sets (default: datasets/files of the project)\n"
        "  FQ_MIRROR  a second folder in which they are looked for\n"
        "  FQ_HOME    folder of configs/ and datasets/manifest.yaml (default: the working directory, else the "
        "program's)\n"
        "  FQ_OWN_LLAMA=1  for `make setup`: build the pinned libllama although the system has one\n"
        "\n`fairquant VERB --help` explains one. Exit status: 0 fine; 1 a cell failed, a comparison was unfair, a gate "
        "was missed; 2 usage or input.\n");
}

static const struct verb *find(const char *name) {
    for (size_t i = 0; i < N_VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int unknown(const char *name) {
    const char *names[N_VERBS];
    for (size_t i = 0; i < N_VERBS; i++)
        names[i] = verbs[i].name;
    const char *near = fq_nearest(name, names, N_VERBS);
    if (near)
        fprintf(stderr, "fairquant: unknown verb '%s', did you mean '%s'?\n", name, near);
    else
        fprintf(stderr, "fairquant: unknown verb '%s'; `fairquant --help` lists them\n", name);
    return FQ_USAGE;
}

/* A sentence that names its verb already is not given the name twice. */
static void complain(const char *verb, const char *sentence) {
    const size_t n = strlen(verb);
    if (strncmp(sentence, verb, n) == 0 && sentence[n] == ':')
        fprintf(stderr, "fairquant %s\n", sentence);
    else
        fprintf(stderr, "fairquant %s: %s\n", verb, sentence);
}

static int run_verb(const struct verb *verb, int argc, char **argv) {
    struct fq_error err = {0};
    char name[32];
    snprintf(name, sizeof name, "fairquant %s", verb->name);
    argv[1] = name; /* what --usage and option errors call the program */
    const int code = verb->run(argc - 1, argv + 1, &err);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain(verb->name, "cannot write to standard output; is the disk full or the pipe closed?");
        return FQ_USAGE;
    }
    if (code != FQ_OK && err.text[0])
        complain(verb->name, err.text);
    return code;
}

int main(int argc, char **argv) {
    struct fq_error err = {0};
    for (size_t i = 0; fq_methods[i]; i++)
        if (fq_catalog_add(fq_methods[i], &err) != FQ_OK) {
            fprintf(stderr, "fairquant: %s\n", err.text);
            return FQ_USAGE;
        }
    if (argc == 3 && strcmp(argv[1], "--decode-probe") == 0) /* the fresh process of the codes-only probe */
        return fq_probe_main(argv[2]);
    if (argc < 2) {
        print_help();
        (void)fflush(stdout);
        fprintf(stderr, "fairquant: expected a verb, found none\n");
        return FQ_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help();
        return FQ_OK;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("fairquant %s\n", FQ_VERSION);
        return FQ_OK;
    }
    const struct verb *verb = find(argv[1]);
    return verb ? run_verb(verb, argc, argv) : unknown(argv[1]);
}
