/* Options that plan and run share: where a sweep is and what the command line changes about it. */
#ifndef FQ_VERBS_SWEEP_OPTIONS_H
#define FQ_VERBS_SWEEP_OPTIONS_H

#include "harness/plan/sweep.h"

#include <argp.h>
#include <stddef.h>

enum { FQ_MAX_PLUGINS = 32 };

struct fq_sweep_options {
    const char *path;
    struct fq_sweep_override override;
    const char *plugins[FQ_MAX_PLUGINS];
    size_t n_plugins;
    struct fq_error *err; /* the first thing wrong with the command line */
    int bad;
};

/* Child parser for argp: SWEEP.yaml, --threads, --isa, --plugin. Its input is a struct fq_sweep_options. */
extern const struct argp fq_sweep_argp;

/* Writes down what is wrong with the command line, the first time only. */
void fq_sweep_options_complain(struct fq_sweep_options *o, const char *sentence, const char *found);

/* Loads plug-ins, sets the ISA cap, loads the sweep. */
int fq_sweep_options_load(const struct fq_sweep_options *o, struct fq_sweep *sweep, struct fq_error *err);

#endif
