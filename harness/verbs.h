/* The verbs. Each parses its own command line (argp), prints its table on stdout and returns the exit status of design:
 * 0, 1 or 2; on 1 and 2 err->text holds the sentence for stderr (empty: nothing to add). One file a verb:
 * harness/verbs/VERB.c. */
#ifndef FQ_VERBS_H
#define FQ_VERBS_H

#include "harness/base/error.h"

typedef int fq_verb(int argc, char **argv, struct fq_error *err);

fq_verb fq_verb_list, fq_verb_verify, fq_verb_capture, fq_verb_plan, fq_verb_run, fq_verb_merge, fq_verb_audit,
    fq_verb_judge, fq_verb_report, fq_verb_size, fq_verb_env;

#endif
