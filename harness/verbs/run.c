/* fairquant run: a sweep into a results file. The work is in plan/run.c; here is the command line. */
#include "harness/verbs.h"

#include "harness/base/log.h"
#include "harness/base/pool.h"
#include "harness/plan/cost.h"
#include "harness/plan/run.h"
#include "harness/verbs/sweep_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_PROCESS = 1000 };

static const struct argp_option option_table[] = {
    {"out", 'o', "R.h5", 0, "the results file to write", 0},
    {"resume", 'r', NULL, 0, "go on where a run of the same sweep ended; finished cells are kept", 0},
    {"shard", 's', "I/N", 0, "only the I-th of N parts; merge joins them", 0},
    {"data", 'd', "PATTERN", 0,
     "only cells on data and models whose names match this shell pattern, e.g. 'smollm2*'; --resume adds the others",
     0},
    {"quiet", 'q', NULL, 0, "no progress and no notes", 0},
    {"process-index", OPTION_PROCESS, "P", OPTION_HIDDEN, "speed process of a run (internal)", 0},
    {0}};

struct options {
    struct fq_sweep_options sweep;
    struct fq_run_options run;
};

static void parse_shard(struct options *o, char *arg) {
    char more;
    if (sscanf(arg, "%u/%u%c", &o->run.shard, &o->run.shards, &more) != 2 || o->run.shards < 1 || o->run.shard < 1 ||
        o->run.shard > o->run.shards || o->run.shards > 100000)
        fq_sweep_options_complain(&o->sweep, "--shard expects I/N with 1 <= I <= N, e.g. 2/8", arg);
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->sweep;
        return 0;
    case 'o':
        o->run.out = arg;
        return 0;
    case 'r':
        o->run.resume = true;
        return 0;
    case 's':
        parse_shard(o, arg);
        return 0;
    case 'd':
        o->run.data = arg;
        return 0;
    case 'q':
        o->run.quiet = true;
        fq_log_quiet(1);
        return 0;
    case OPTION_PROCESS:
        o->run.process = (int)strtol(arg, NULL, 10);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void report(const struct fq_plan *plan, const struct fq_run_options *o, const struct fq_run_summary *s) {
    printf("%s: %zu cells", o->out, s->planned);
    if (o->data)
        printf(" on %s", o->data);
    if (o->shards > 1)
        printf(" (shard %u of %u; the sweep has %zu)", o->shard, o->shards, plan->n_cells);
    else if (o->data)
        printf(" (the sweep has %zu)", plan->n_cells);
    printf(", %zu run now, %zu kept, %zu failed\n", s->finished, s->kept, s->failed);
}

static int run(struct fq_plan *plan, const struct fq_run_options *o, struct fq_error *err) {
    const struct fq_sweep *sweep = plan->sweep;
    struct fq_run_summary summary;
    double total = 0;
    size_t wanted = 0;
    const unsigned most = sweep->threads > sweep->workers ? sweep->threads : sweep->workers;
    FQ_TRY(fq_pool_start(most, err)); /* too many threads for this machine: said before anything runs */
    FQ_TRY(fq_cost_estimate(plan, err));
    if (o->process >= 0)
        return fq_run_sweep(plan, o, &summary, err);
    for (size_t i = 0; i < plan->n_notes; i++)
        fq_note("%s", plan->notes[i]);
    for (size_t i = 0; i < plan->n_cells; i++)
        if (fq_run_wants(o, &plan->cells[i])) {
            total += plan->cells[i].cost_ns;
            wanted++;
        }
    fq_note("sweep %s: %zu of %zu cells, about %.1f minutes", sweep->name, wanted, plan->n_cells, total / 6e10);
    FQ_TRY(fq_run_sweep(plan, o, &summary, err));
    report(plan, o, &summary);
    if (summary.failed > 0)
        return fq_fail(err, FQ_FAILED, "%zu of %zu cells failed; the first: %s", summary.failed, summary.planned,
                       summary.first_failure);
    return 0;
}

int fq_verb_run(int argc, char **argv, struct fq_error *err) {
    static const struct argp_child children[] = {{&fq_sweep_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .options = option_table,
        .parser = parse_option,
        .args_doc = "SWEEP.yaml",
        .doc = "Runs a sweep: every cell in the stored order, each kept as soon as it is finished.\v"
               "Exit status: 0 all cells finished, 1 some failed (the results file says why), 2 usage or input.",
        .children = children};
    struct options o = {.sweep = {.err = err}, .run = {.shard = 1, .shards = 1, .process = -1}};
    struct fq_sweep sweep;
    struct fq_plan plan;
    argp_err_exit_status = FQ_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &o) != 0 || o.sweep.bad)
        return FQ_USAGE;
    if (!o.run.out && o.sweep.path)
        return fq_fail(err, FQ_USAGE, "--out is missing; usage: fairquant run %s --out R.h5", o.sweep.path);
    FQ_TRY(fq_sweep_options_load(&o.sweep, &sweep, err));
    o.run.override = &o.sweep.override;
    o.run.plugins = o.sweep.plugins;
    o.run.n_plugins = o.sweep.n_plugins;
    int code = o.run.process < 0 ? fq_run_check_output(&o.run, err) : FQ_OK;
    if (code == 0)
        code = fq_plan_make(&sweep, o.run.process < 0, &plan, err);
    if (code == 0) {
        code = run(&plan, &o.run, err);
        fq_plan_free(&plan);
    }
    fq_sweep_free(&sweep);
    return code;
}
