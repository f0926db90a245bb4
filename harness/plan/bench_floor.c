/* Runs the cell of a model's noise floor (plan_floor.c).
 *
 * It must not decide how the second evaluation differs: that is the measurement's (perplexity.h). */
#include "harness/measure/catalog.h"
#include "harness/plan/bench_internal.h"
#include "harness/plan/observe.h"
#include "harness/plan/plan_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same samples under another tensor: full precision knows none, and each table wants its row. */
static int repeat(struct fq_series_list *list, size_t n, const char *tensor, struct fq_error *err) {
    for (size_t i = 0; i < n; i++) {
        const struct fq_series from = list->series[i]; /* the list may move */
        struct fq_series *to = fq_series_add(list, from.metric, tensor, from.unit, from.statistics, from.resample, err);
        if (!to)
            return err->code;
        for (size_t k = 0; k < from.n; k++)
            FQ_TRY(fq_series_push(to, from.value[k], from.weight ? from.weight[k] : 1.0, from.label_a[k],
                                  from.label_b[k], err));
    }
    return 0;
}

static int facts(const struct fq_planned *p, struct fq_ppl_reference *ref, double perplexity, struct fq_cell *cell,
                 struct fq_error *err) {
    const struct fq_ppl_info *info = fq_ppl_reference_info(ref);
    const char *threads = fq_cell_fact_text(cell, "model_threads");
    const unsigned own = threads ? (unsigned)strtoul(threads, NULL, 10) : 1;
    uint64_t hook_ns = 0, eval_ns = 0;
    fq_ppl_times(ref, &hook_ns, &eval_ns);
    FQ_TRY(fq_cell_fact(cell, "tensor", err, "%s", p->touches));
    if (p->noise_floor == FQ_FLOOR_LAST_BITS)
        FQ_TRY(fq_cell_fact(cell, "noise_floor", err,
                            "half of the coordinates of keys and values one unit in the last place of float32 higher"));
    else
        FQ_TRY(fq_cell_fact(cell, "noise_floor", err, "%u threads and graphs of %zu tokens, against %u and %zu",
                            fq_ppl_floor_threads(own), fq_ppl_floor_batch(info->context), own,
                            info->context < 512 ? info->context : (size_t)512));
    FQ_TRY(fq_cell_fact(cell, "prefill", err, "full"));
    FQ_TRY(fq_cell_fact(cell, "centre", err, "none"));
    FQ_TRY(fq_cell_fact(cell, "rate_bits", err, "32"));
    FQ_TRY(fq_cell_fact(cell, "shared_bytes", err, "0"));
    FQ_TRY(fq_cell_fact(cell, "vectors", err, "%" PRIu64, p->vectors));
    FQ_TRY(fq_cell_fact(cell, "perplexity", err, "%.17g", perplexity));
    FQ_TRY(fq_cell_fact(cell, "hook_ns", err, "%" PRIu64, hook_ns));
    return fq_cell_fact(cell, "eval_ns", err, "%" PRIu64, eval_ns);
}

int fq_bench_floor(struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell, struct fq_error *err) {
    static const char *const tensors[3] = {"kv", "key", "value"};
    const struct fq_method *any = fq_catalog_at(0); /* conditions of machine and program; no method runs */
    double perplexity = 0.0;
    FQ_TRY(fq_observe_conditions(cell, any, FQ_REF, err));
    FQ_TRY(fq_cell_fact(cell, "backend", err, "none"));
    FQ_TRY(fq_cell_fact(cell, "plugin", err, "built in"));
    FQ_TRY(fq_cell_fact(cell, "imports", err, "%s", ""));
    FQ_TRY(fq_bench_reference(bench, p, err));
    FQ_TRY(fq_bench_model_facts(bench, &bench->plan->sweep->models[p->source], cell, err));
    const char *first = NULL;
    for (size_t i = 0; i < 3 && !first; i++)
        if (fq_plan_floor_tensor(bench->plan, p->source, tensors[i]))
            first = tensors[i];
    if (!first)
        return fq_fail(err, FQ_FAILED, "a noise floor that no cell of its model is compared with");
    const int code = (p->noise_floor == FQ_FLOOR_LAST_BITS ? fq_ppl_last_bits : fq_ppl_noise_floor)(
        bench->reference, first, fq_bench_arm_progress, bench, &cell->series, &perplexity, err);
    if (code != 0) { /* the model may be closed */
        fq_bench_rest(bench);
        return code;
    }
    const size_t n = cell->series.n;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(tensors[i], first) != 0 && fq_plan_floor_tensor(bench->plan, p->source, tensors[i]))
            FQ_TRY(repeat(&cell->series, n, tensors[i], err));
    FQ_TRY(fq_bench_needle_facts(bench, p, cell, err));
    return facts(p, bench->reference, perplexity, cell, err);
}
