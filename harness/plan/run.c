/* Runs a planned sweep: what is missing, in the stored order, into the journal; then the results file.
 *
 * Codec and model cells run here, in this process. Speed cells run in processes of their own, one after the other and
 * with nothing beside them, each freshly executed: what a process happens to get (page colours, address layout) is then
 * a sampled factor and not a hidden constant. A speed process that dies costs the cell that killed it, no more.
 * It must not measure. */
#include "harness/plan/run.h"

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/plan/bench.h"
#include "harness/plan/cost.h"
#include "harness/plan/journal.h"
#include "harness/plan/observe.h"
#include "harness/plan/process.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
    struct fq_plan *plan;
    const struct fq_run_options *options;
    char journal[4096];
    struct fq_results before; /* an existing results file that is resumed */
    bool *done;               /* [n_cells] */
};

static bool is_speed(const struct fq_planned *p) {
    return strcmp(p->cell.kind, "speed") == 0;
}

bool fq_run_wants(const struct fq_run_options *options, const struct fq_planned *cell) {
    return fq_plan_in_shard(cell, options->shard, options->shards) &&
           (!options->data || fnmatch(options->data, cell->cell.data, 0) == 0);
}

static bool is_ours(const struct run *r, size_t i) {
    return fq_run_wants(r->options, &r->plan->cells[i]);
}

/* A pattern that picks nothing is a mistake and not an empty run. A shard may be empty. */
static int check_data(const struct run *r, struct fq_error *err) {
    const char *pattern = r->options->data;
    bool found = pattern == NULL;
    for (size_t i = 0; i < r->plan->n_cells && !found; i++)
        found = fnmatch(pattern, r->plan->cells[i].cell.data, 0) == 0;
    if (found)
        return 0;
    return fq_fail(err, FQ_USAGE,
                   "--data '%s' picks none of the sweep's data; the first of them: '%s' (fairquant plan lists all)",
                   pattern, r->plan->cells[0].cell.data);
}

/* ---- what is finished already ---- */

static void mark(struct run *r, const struct fq_cell *cells, size_t n) {
    for (size_t c = 0; c < n; c++)
        for (size_t i = 0; i < r->plan->n_cells; i++)
            if (strcmp(cells[c].id, r->plan->cells[i].cell.id) == 0)
                r->done[i] = true;
}

static int mark_journal(struct run *r, struct fq_error *err) {
    struct fq_cell *cells = NULL;
    size_t n = 0;
    FQ_TRY(fq_journal_read(r->journal, &cells, &n, err));
    mark(r, cells, n);
    for (size_t i = 0; i < n; i++)
        fq_cell_free(&cells[i]);
    free(cells);
    return 0;
}

static int same_sweep(const struct run *r, const char *path, const char *sha256, struct fq_error *err) {
    if (strcmp(sha256, r->plan->sweep->sha256) == 0)
        return 0;
    return fq_fail(err, FQ_USAGE,
                   "'%s' was made by another sweep (hash %.12s, %s with its overrides has %.12s); resume with the file "
                   "it was made by, or name another --out",
                   path, sha256, r->plan->sweep->path, r->plan->sweep->sha256);
}

int fq_run_check_output(const struct fq_run_options *options, struct fq_error *err) {
    char journal[4096];
    FQ_TRY(fq_check_replaceable(options->out, err));
    FQ_TRY(fq_journal_name(options->out, journal, sizeof journal, err));
    if (options->resume)
        return 0;
    if (access(options->out, F_OK) == 0)
        return fq_fail(err, FQ_USAGE,
                       "'%s' exists already; --resume adds the cells that it lacks, another --out starts anew",
                       options->out);
    if (fq_journal_exists(journal))
        return fq_fail(err, FQ_USAGE,
                       "'%s' holds the cells of a run that did not end; --resume goes on with it, removing it starts "
                       "anew",
                       journal);
    return 0;
}

static int find_finished(struct run *r, struct fq_error *err) {
    const char *out = r->options->out;
    if (access(out, F_OK) == 0) {
        FQ_TRY(fq_results_read(out, &r->before, err));
        FQ_TRY(same_sweep(r, out, r->before.sweep_sha256, err));
        mark(r, r->before.cells, r->before.n_cells);
    }
    if (fq_journal_exists(r->journal)) {
        char sha256[FQ_SHA256_HEX];
        FQ_TRY(fq_journal_sweep(r->journal, sha256, err));
        if (sha256[0])
            FQ_TRY(same_sweep(r, r->journal, sha256, err));
        FQ_TRY(mark_journal(r, err));
    }
    return 0;
}

/* ---- running ---- */

/* Where a cell that takes long has got to. */
struct cell_progress {
    struct fq_progress *line;
    double cost_ns, given_ns;
    char detail[224];
};

static void step_cell(void *arg, double part, const char *what) {
    struct cell_progress *c = arg;
    char detail[320];
    const double now_ns = part * c->cost_ns;
    snprintf(detail, sizeof detail, "%s, %s", what, c->detail);
    fq_progress_step(c->line, now_ns > c->given_ns ? now_ns - c->given_ns : 0.0, detail);
    c->given_ns = now_ns > c->given_ns ? now_ns : c->given_ns;
}

/* What our side of a model cell cost, against the model's own. */
static void note_share(const struct fq_cell *cell) {
    const char *hook = fq_cell_fact_text(cell, "hook_ns"), *eval = fq_cell_fact_text(cell, "eval_ns");
    const double hook_s = hook ? strtod(hook, NULL) * 1e-9 : 0.0, eval_s = eval ? strtod(eval, NULL) * 1e-9 : 0.0;
    if (cell->ok && hook_s > 0.0 && eval_s > hook_s)
        fq_note("%s on %s: the callback took %.1f %% of llama.cpp's own time (%.2f s of %.2f s)", cell->label,
                cell->data, 100.0 * hook_s / (eval_s - hook_s), hook_s, eval_s - hook_s);
}

/* Runs the cells that `wanted` picks and that are not done; each goes into the journal before the next begins. */
static int run_cells(struct run *r, const char *what, bool (*wanted)(const struct run *, size_t),
                     struct fq_error *err) {
    struct fq_bench *bench = NULL;
    struct fq_progress progress;
    double total = 0;
    size_t n = 0;
    for (size_t i = 0; i < r->plan->n_cells; i++)
        if (wanted(r, i)) {
            total += r->plan->cells[i].cost_ns;
            n++;
        }
    if (n == 0)
        return 0;
    FQ_TRY(fq_bench_open(r->plan, &bench, err));
    fq_progress_begin(&progress, what, total);
    int code = 0;
    for (size_t i = 0; code == 0 && i < r->plan->n_cells; i++) {
        const struct fq_planned *p = &r->plan->cells[i];
        struct fq_cell cell;
        struct cell_progress at = {.line = &progress, .cost_ns = p->cost_ns};
        if (!wanted(r, i))
            continue;
        snprintf(at.detail, sizeof at.detail, "%.95s on %.120s", p->cell.label, p->cell.data);
        fq_progress_step(&progress, 0, at.detail);
        fq_bench_watch(bench, step_cell, &at);
        fq_bench_keep(bench, r->journal);
        fq_bench_run(bench, p, &cell);
        note_share(&cell);
        code = fq_journal_put(r->journal, &cell, r->plan->n_cells, err);
        if (code == 0) /* it is whole now, so its parts are wanted no more */
            fq_journal_forget_parts(r->journal, cell.id);
        if (!cell.ok)
            fq_warn("%s on %s, seed %llu: %s", cell.label, cell.data, (unsigned long long)cell.seed, cell.reason);
        fq_cell_free(&cell);
        r->done[i] = code == 0;
        fq_progress_step(&progress, p->cost_ns - at.given_ns, at.detail);
    }
    fq_progress_end(&progress);
    fq_bench_close(bench);
    return code;
}

static bool wants_codec(const struct run *r, size_t i) {
    return !r->done[i] && is_ours(r, i) && strcmp(r->plan->cells[i].cell.kind, "codec") == 0;
}

static bool wants_model(const struct run *r, size_t i) {
    return !r->done[i] && is_ours(r, i) && strcmp(r->plan->cells[i].cell.kind, "model") == 0;
}

static bool wants_speed(const struct run *r, size_t i) {
    return !r->done[i] && is_ours(r, i) && is_speed(&r->plan->cells[i]) &&
           r->plan->cells[i].cell.process == r->options->process;
}

/* The first cell of a speed process that is neither in the journal nor in the results; n_cells if there is none. */
static size_t first_missing(const struct run *r, int process) {
    for (size_t i = 0; i < r->plan->n_cells; i++)
        if (!r->done[i] && is_ours(r, i) && is_speed(&r->plan->cells[i]) && r->plan->cells[i].cell.process == process)
            return i;
    return r->plan->n_cells;
}

/* A process that died took its current cell with it: that one is recorded as failed and the rest is tried again. */
static int run_speed_process(struct run *r, int process, struct fq_error *err) {
    for (;;) {
        char how[128];
        const size_t before = first_missing(r, process);
        if (before == r->plan->n_cells)
            return 0;
        int died = 0;
        FQ_TRY(fq_process_run(r->plan->sweep->path, r->options, process, &died, how, sizeof how, err));
        FQ_TRY(mark_journal(r, err));
        const size_t missing = first_missing(r, process);
        if (missing == r->plan->n_cells)
            return 0;
        if (!died)
            return fq_fail(err, FQ_FAILED, "speed process %d %s", process + 1, how);
        struct fq_cell cell = r->plan->cells[missing].cell;
        snprintf(cell.reason, sizeof cell.reason, "the process that timed it %s", how);
        fq_warn("%s on %s: %s", cell.label, cell.data, cell.reason);
        FQ_TRY(fq_journal_put(r->journal, &cell, r->plan->n_cells, err));
        r->done[missing] = true;
    }
}

static int run_all(struct run *r, struct fq_error *err) {
    FQ_TRY(run_cells(r, "codes", wants_codec, err));
    /* One thread here while others are timed: an idle pool still owns its processing units. */
    FQ_TRY(fq_pool_start(1, err));
    for (size_t process = 0; process < r->plan->sweep->processes; process++)
        FQ_TRY(run_speed_process(r, (int)process, err));
    return run_cells(r, "models", wants_model, err);
}

/* ---- the results file ---- */

static int by_order(const void *a, const void *b) {
    const struct fq_cell *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int assemble(struct run *r, struct fq_run_summary *summary, struct fq_error *err) {
    struct fq_results all = r->before;
    struct fq_cell *cells = NULL;
    size_t n = 0;
    memset(&r->before, 0, sizeof r->before);
    int code = fq_journal_read(r->journal, &cells, &n, err);
    for (size_t i = 0; i < n; i++) {
        bool there = false;
        for (size_t k = 0; k < all.n_cells && !there; k++)
            there = strcmp(all.cells[k].id, cells[i].id) == 0;
        if (code == 0 && !there)
            code = fq_results_append(&all, &cells[i], err);
        fq_cell_free(&cells[i]);
    }
    free(cells);
    free(all.machine);
    free(all.sweep_text);
    all.sweep_text = strdup(r->plan->sweep->text);
    all.machine = calloc(FQ_MACHINE_FACTS, sizeof *all.machine);
    if (code == 0 && (!all.sweep_text || !all.machine))
        code = fq_fail(err, FQ_FAILED, "out of memory");
    if (code == 0) {
        all.n_machine = fq_observe_machine(all.machine, FQ_MACHINE_FACTS);
        all.planned = r->plan->n_cells;
        snprintf(all.sweep_name, sizeof all.sweep_name, "%s", r->plan->sweep->name);
        snprintf(all.sweep_sha256, sizeof all.sweep_sha256, "%s", r->plan->sweep->sha256);
        if (all.n_cells > 0)
            qsort(all.cells, all.n_cells, sizeof *all.cells, by_order);
        for (size_t i = 0; i < all.n_cells; i++)
            if (!all.cells[i].ok && summary->failed++ == 0)
                snprintf(summary->first_failure, sizeof summary->first_failure, "%.90s on %.90s: %.500s",
                         all.cells[i].label, all.cells[i].data, all.cells[i].reason);
        code = fq_results_write(r->options->out, &all, err);
    } else {
        all.n_machine = 0;
    }
    fq_results_free(&all);
    return code == 0 ? fq_journal_remove(r->journal, err) : code;
}

static void count(const struct run *r, struct fq_run_summary *summary, size_t *done) {
    summary->planned = *done = 0;
    for (size_t i = 0; i < r->plan->n_cells; i++) {
        summary->planned += is_ours(r, i);
        *done += is_ours(r, i) && r->done[i];
    }
}

static int run_here(struct run *r, struct fq_run_summary *summary, struct fq_error *err) {
    size_t before = 0, after = 0;
    FQ_TRY(check_data(r, err));
    FQ_TRY(fq_run_check_output(r->options, err));
    FQ_TRY(find_finished(r, err));
    count(r, summary, &before);
    summary->kept = before;
    FQ_TRY(fq_journal_begin(r->journal, r->plan->sweep->sha256, err));
    int code = run_all(r, err);
    count(r, summary, &after);
    summary->finished = after - before;
    if (code != 0) {
        struct fq_error ignored;
        if (after == 0) /* nothing worth resuming: leave no trace */
            (void)fq_journal_remove(r->journal, &ignored);
        return code;
    }
    return assemble(r, summary, err);
}

/* One speed process: the run that started it has made the journal and will read it. */
static int run_as_process(struct run *r, struct fq_error *err) {
    char sha256[FQ_SHA256_HEX], what[64];
    FQ_TRY(fq_journal_sweep(r->journal, sha256, err));
    FQ_TRY(same_sweep(r, r->journal, sha256, err));
    FQ_TRY(mark_journal(r, err));
    if (access(r->options->out, F_OK) == 0) {
        FQ_TRY(fq_results_read(r->options->out, &r->before, err));
        mark(r, r->before.cells, r->before.n_cells);
    }
    snprintf(what, sizeof what, "speed, process %d of %zu", r->options->process + 1, r->plan->sweep->processes);
    return run_cells(r, what, wants_speed, err);
}

int fq_run_sweep(struct fq_plan *plan, const struct fq_run_options *options, struct fq_run_summary *summary,
                 struct fq_error *err) {
    struct run r = {.plan = plan, .options = options};
    memset(summary, 0, sizeof *summary);
    FQ_TRY(fq_journal_name(options->out, r.journal, sizeof r.journal, err));
    r.done = calloc(plan->n_cells, sizeof *r.done);
    if (!r.done)
        return fq_fail(err, FQ_FAILED, "out of memory");
    const int code = options->process >= 0 ? run_as_process(&r, err) : run_here(&r, summary, err);
    fq_results_free(&r.before);
    free(r.done);
    return code;
}
