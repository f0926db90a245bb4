/* Runs speed cells: one repetition of one instance in one block.
 *
 * Codecs stay open from block to block, so that a block times stages and not setups; every instance works on the same
 * vectors and queries. Must run in a process that does nothing else meanwhile. */
#include "harness/plan/bench_internal.h"

#include "harness/measure/measures.h"
#include "harness/plan/observe.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SPEED_QUERIES = 8 };

void fq_bench_speed_close(struct fq_bench *bench) {
    for (size_t i = 0; i < bench->plan->sweep->n_instances; i++) {
        fq_codec_close(bench->timed[i]);
        bench->timed[i] = NULL;
    }
    free(bench->x);
    free(bench->q);
    bench->x = bench->q = NULL;
}

/* The vectors that all are timed on: the first rows of one matrix, from the middle layer of a KV set. */
static int open_timed(struct fq_bench *bench, const struct fq_planned *p, struct fq_error *err) {
    const struct fq_dataset_info *info = &bench->plan->data[p->source];
    if (bench->x && bench->timed_index == p->source)
        return 0;
    fq_bench_speed_close(bench);
    FQ_TRY(fq_bench_set(bench, p->source, err));
    bench->timed_index = p->source;
    bench->n_x = (size_t)p->vectors;
    bench->x = malloc(bench->n_x * info->dim * sizeof *bench->x);
    bench->q = malloc(SPEED_QUERIES * info->dim * sizeof *bench->q);
    int code = bench->x && bench->q ? 0 : fq_fail(err, FQ_FAILED, "out of memory for %zu timed vectors", bench->n_x);
    if (code == 0)
        code = fq_dataset_rows(bench->set, p->tensor, info->layers / 2, 0, 0, bench->n_x, bench->x, err);
    if (code != 0) {
        fq_bench_speed_close(bench);
        return code;
    }
    fq_bench_gaussian("query", SPEED_QUERIES * info->dim, bench->q);
    return 0;
}

int fq_bench_speed(struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell, struct fq_error *err) {
    const struct fq_dataset_info *info = &bench->plan->data[p->source];
    struct fq_speed_options options;
    struct fq_speed_facts seen = {0};
    const char *tensor = fq_tensor_label(info, p->tensor);
    FQ_TRY(open_timed(bench, p, err));
    struct fq_codec **codec = &bench->timed[p->instance];
    const bool fresh = !*codec;
    if (fresh)
        FQ_TRY(fq_bench_codec(bench, p, info->dim, p->tensor, codec, err));
    FQ_TRY(fq_bench_probe(bench, p, *codec, info->dim, p->tensor, cell, err));
    if (fresh && fq_codec_learns(*codec)) /* after the probe, which fits it to its own vectors */
        FQ_TRY(fq_codec_train(*codec, bench->n_x, bench->x, "those that are timed", err));
    fq_speed_options_default(&options);
    options.process = p->cell.process;
    options.block = p->cell.block;
    FQ_TRY(fq_measure_speed(*codec, bench->n_x, bench->x, SPEED_QUERIES, bench->q, tensor, &options, &cell->series,
                            &seen, err));
    FQ_TRY(fq_bench_probe_timed(bench, p, *codec, info->dim, cell, err));
    FQ_TRY(fq_cell_fact(cell, "tensor", err, "%s", tensor));
    FQ_TRY(fq_cell_fact(cell, "data_sha256", err, "%s", info->sha256));
    FQ_TRY(fq_cell_fact(cell, "dim", err, "%zu", info->dim));
    FQ_TRY(fq_cell_fact(cell, "batch", err, "%zu vectors, %d queries", bench->n_x, (int)SPEED_QUERIES));
    FQ_TRY(fq_cell_fact(cell, "timed_region", err, "rotate, encode, prepare, score, decode, attend: kernels only"));
    FQ_TRY(fq_cell_fact(cell, "rounds", err, "%" PRIu64, seen.rounds));
    FQ_TRY(fq_cell_fact(cell, "warmup_rounds", err, "%" PRIu64, seen.warmup_rounds));
    FQ_TRY(fq_cell_fact(cell, "warmup", err, "%s", seen.warmup_stable ? "stable" : "ended by its limit"));
    FQ_TRY(fq_cell_fact(cell, "read_gb_per_s", err, "%.17g", seen.read_gb_per_s));
    FQ_TRY(fq_cell_fact(cell, "multiply_add_gop_per_s", err, "%.17g", seen.multiply_add_gop_per_s));
    FQ_TRY(fq_cell_fact(cell, "clock_overhead_ns", err, "%.17g", seen.clock_overhead_ns));
    FQ_TRY(fq_observe_watch(cell, &seen.watch, err));
    return fq_observe_codecs(cell, *codec, NULL, info->dim, err);
}
