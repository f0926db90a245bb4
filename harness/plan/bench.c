/* Runs codec and model cells: opens what they need, calls the measurement, writes down the facts.
 *
 * It must not decide what runs when (run.c), and it must not let a failure out: a cell that fails says why and the
 * sweep goes on. */
#include "harness/plan/bench.h"

#include "harness/base/cpu.h"
#include "harness/base/log.h"
#include "harness/base/placement.h"
#include "harness/base/random.h"
#include "harness/measure/measures.h"
#include "harness/plan/bench_internal.h"
#include "harness/plan/observe.h"
#include "harness/plan/sources.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fq_bench_open(const struct fq_plan *plan, struct fq_bench **out, struct fq_error *err) {
    struct fq_bench *b = calloc(1, sizeof *b);
    if (!b)
        return fq_fail(err, FQ_FAILED, "out of memory");
    b->plan = plan;
    b->timed = calloc(plan->sweep->n_instances + 1, sizeof(struct fq_codec *));
    if (!b->timed) {
        free(b);
        return fq_fail(err, FQ_FAILED, "out of memory");
    }
    *out = b;
    return 0;
}

void fq_bench_rest(struct fq_bench *bench) {
    fq_bench_speed_close(bench);
    fq_ppl_reference_close(bench->reference);
    bench->reference = NULL;
    fq_dataset_close(bench->set);
    bench->set = NULL;
}

void fq_bench_close(struct fq_bench *bench) {
    if (!bench)
        return;
    fq_bench_rest(bench);
    free(bench->timed);
    free(bench->probed);
    free(bench);
}

void fq_bench_gaussian(const char *stream, size_t n, float *out) {
    double block[256];
    const uint64_t key = fq_stream_key(stream, 0);
    for (size_t i = 0; i < n; i += 256) {
        const size_t m = n - i < 256 ? n - i : 256;
        fq_random_gaussian(key, i, m, block);
        for (size_t j = 0; j < m; j++)
            out[i + j] = (float)block[j];
    }
}

int fq_bench_set(struct fq_bench *bench, size_t index, struct fq_error *err) {
    if (bench->set && bench->set_index == index)
        return 0;
    fq_dataset_close(bench->set);
    bench->set = NULL;
    bench->set_index = index;
    return fq_source_open(bench->plan->sweep, &bench->plan->sweep->data[index], &bench->set, err);
}

unsigned fq_bench_threads(const struct fq_bench *bench, const struct fq_planned *p) {
    if (p->policy || p->noise_floor)
        return bench->plan->sweep->workers;
    const struct fq_sweep_instance *at = &bench->plan->sweep->instances[p->instance];
    return at->threads_given || strcmp(p->cell.kind, "speed") == 0 ? at->threads : bench->plan->sweep->workers;
}

int fq_bench_codec(struct fq_bench *bench, const struct fq_planned *p, size_t dim, enum fq_tensor tensor,
                   struct fq_codec **out, struct fq_error *err) {
    const struct fq_sweep_instance *at = &bench->plan->sweep->instances[p->instance];
    const struct fq_codec_config config = {.method = at->method,
                                           .params = at->params,
                                           .shape = {dim, tensor},
                                           .seed = p->cell.seed,
                                           .backend = fq_backend_pick(at->method)};
    return fq_codec_open(&config, out, err);
}

/* Where the centre of the keys comes from, and what it adds to the shared state. */
static int centre_facts(const struct fq_sweep_instance *at, const char *source, size_t layers, size_t kv_heads,
                        size_t dim, struct fq_cell *cell, struct fq_error *err) {
    const uint64_t bytes = fq_centre_shared_bytes(at->centre, layers, kv_heads, dim);
    const char *own = fq_cell_fact_text(cell, "shared_bytes");
    FQ_TRY(fq_cell_fact(cell, "centre", err, "%s", fq_centre_name(at->centre)));
    if (at->centre == FQ_CENTRE_NONE)
        return 0;
    FQ_TRY(fq_cell_fact(cell, "centre_source", err, "%s", source));
    FQ_TRY(fq_cell_fact(cell, "centre_shared_bytes", err, "%" PRIu64, bytes));
    return fq_cell_fact(cell, "shared_bytes", err, "%llu", (own ? strtoull(own, NULL, 10) : 0ULL) + bytes);
}

/* ---- codec cells ---- */

static unsigned measure_mask(unsigned metrics) {
    return (metrics & FQ_METRIC_DISTORTION ? FQ_MEASURE_DISTORTION : 0U) |
           (metrics & FQ_METRIC_INNER_PRODUCT ? FQ_MEASURE_INNER_PRODUCT : 0U) |
           (metrics & FQ_METRIC_ATTENTION ? FQ_MEASURE_ATTENTION : 0U) |
           (metrics & FQ_METRIC_BYTES ? FQ_MEASURE_BYTES : 0U) | (metrics & FQ_METRIC_NEEDLE ? FQ_MEASURE_NEEDLE : 0U);
}

static int watched_dataset(struct fq_bench *bench, const struct fq_planned *p, struct fq_codec *codec,
                           struct fq_cell *cell, struct fq_error *err) {
    struct fq_measure_options options;
    struct fq_watch_result seen = {0};
    fq_measure_options_default(&options);
    options.metrics = measure_mask(fq_plan_metrics(bench->plan, p));
    options.window_queries = bench->plan->sweep->queries;
    options.centre = bench->plan->sweep->instances[p->instance].centre;
    struct fq_watch *watch = fq_watch_begin();
    if (!watch)
        return fq_fail(err, FQ_FAILED, "the watcher of live threads cannot start; raise the limit on processes");
    const int code = fq_measure_dataset(codec, bench->set, &options, &cell->series, err);
    fq_watch_end(watch, &seen);
    FQ_TRY(code);
    return fq_observe_watch(cell, &seen, err);
}

static int data_facts(const struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell,
                      struct fq_error *err) {
    const struct fq_dataset_info *info = &bench->plan->data[p->source];
    FQ_TRY(fq_cell_fact(cell, "tensor", err, "%s", fq_tensor_label(info, p->tensor)));
    FQ_TRY(fq_cell_fact(cell, "data_sha256", err, "%s", info->sha256));
    FQ_TRY(fq_cell_fact(cell, "data_source", err, "%s", info->source[0] ? info->source : "none"));
    return fq_cell_fact(cell, "dim", err, "%zu", info->dim);
}

static int run_codec(struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell, struct fq_error *err) {
    const size_t dim = bench->plan->data[p->source].dim;
    const struct fq_dataset_info *info = &bench->plan->data[p->source];
    struct fq_codec *codec = NULL;
    FQ_TRY(fq_bench_set(bench, p->source, err));
    FQ_TRY(data_facts(bench, p, cell, err));
    FQ_TRY(fq_cell_fact(cell, "batch", err, "%zu", info->kind == FQ_DATA_KV ? info->context : info->n));
    FQ_TRY(fq_cell_fact(cell, "timed_region", err, "none"));
    FQ_TRY(fq_bench_codec(bench, p, dim, p->tensor, &codec, err));
    int code = fq_bench_probe(bench, p, codec, dim, p->tensor, cell, err);
    if (code == 0)
        code = fq_bench_witness_begin(bench, p, codec, err);
    if (code == 0)
        code = watched_dataset(bench, p, codec, cell, err);
    if (code == 0)
        code = fq_bench_witness_end(codec, cell, err);
    if (code == 0)
        code = fq_observe_codecs(cell, codec, NULL, dim, err);
    if (code == 0) {
        const struct fq_sweep_instance *at = &bench->plan->sweep->instances[p->instance];
        char source[256];
        fq_centre_dataset_source(at->centre, info, source, sizeof source);
        code = centre_facts(at, source, info->layers, info->kv_heads, dim, cell, err);
    }
    fq_codec_close(codec);
    return code;
}

/* ---- model cells ---- */

static unsigned model_threads(void) {
    unsigned units[1024];
    const size_t n = fq_placement_units(units, sizeof units / sizeof units[0]);
    return n ? (unsigned)n : 1;
}

void fq_bench_watch(struct fq_bench *bench, fq_bench_progress *progress, void *arg) {
    bench->progress = progress;
    bench->progress_arg = arg;
}

void fq_bench_keep(struct fq_bench *bench, const char *folder) {
    snprintf(bench->keep, sizeof bench->keep, "%s", folder ? folder : "");
}

static void prepare_reference(struct fq_bench *bench, const struct fq_planned *p) {
    const unsigned metrics = fq_plan_metrics(bench->plan, p);
    char path[4096];
    fq_ppl_want_generation(bench->reference, (metrics & FQ_METRIC_GENERATION) != 0);
    fq_ppl_want_needle_text(bench->reference, (metrics & FQ_METRIC_NEEDLE_TEXT) != 0);
    snprintf(path, sizeof path, "%s/%s.windows", bench->keep, bench->cell->id);
    fq_ppl_keep(bench->reference, bench->keep[0] ? path : NULL, bench->cell->id);
}

static void pass_progress(void *arg, size_t done, size_t total) {
    struct fq_bench *bench = arg;
    char what[96];
    snprintf(what, sizeof what, "full precision, window %zu of %zu", done, total);
    bench->before = 0.5 * (double)done / (double)total;
    if (bench->progress)
        bench->progress(bench->progress_arg, bench->before, what);
}

void fq_bench_arm_progress(void *arg, size_t done, size_t total) {
    const struct fq_bench *bench = arg;
    char what[96];
    snprintf(what, sizeof what, "window %zu of %zu", done, total);
    if (bench->progress)
        bench->progress(bench->progress_arg, bench->before + (1.0 - bench->before) * (double)done / (double)total,
                        what);
}

int fq_bench_reference(struct fq_bench *bench, const struct fq_planned *p, struct fq_error *err) {
    const size_t index = p->source;
    const struct fq_sweep_model *m = &bench->plan->sweep->models[index];
    if (bench->reference && bench->reference_index == index) {
        prepare_reference(bench, p);
        return 0;
    }
    fq_ppl_reference_close(bench->reference);
    bench->reference = NULL;
    bench->reference_index = index;
    const struct fq_ppl_config config = {.model = m->model,
                                         .corpus = m->corpus,
                                         .context = m->context,
                                         .chunks = m->chunks,
                                         .threads = model_threads(),
                                         .progress = pass_progress,
                                         .progress_arg = bench};
    FQ_TRY(fq_ppl_reference_open(&config, &bench->reference, err));
    prepare_reference(bench, p);
    return 0;
}

int fq_bench_model_facts(const struct fq_bench *bench, const struct fq_sweep_model *m, struct fq_cell *cell,
                         struct fq_error *err) {
    const struct fq_ppl_info *info = fq_ppl_reference_info(bench->reference);
    FQ_TRY(fq_cell_fact(cell, "tensor", err, "%s", m->key && m->value ? "kv" : m->key ? "key" : "value"));
    FQ_TRY(fq_cell_fact(cell, "data_sha256", err, "%s", info->corpus_sha256));
    FQ_TRY(fq_cell_fact(cell, "model_sha256", err, "%s", info->model->sha256));
    FQ_TRY(fq_cell_fact(cell, "model_library", err, "%s", info->model->library));
    FQ_TRY(fq_cell_fact(cell, "model_threads", err, "%u", model_threads()));
    FQ_TRY(fq_cell_fact(cell, "dim", err, "%zu", info->model->dim));
    FQ_TRY(fq_cell_fact(cell, "layers_without_cache", err, "%zu", info->model->layers_without_cache));
    FQ_TRY(fq_cell_fact(cell, "batch", err, "%zu", info->context));
    FQ_TRY(fq_cell_fact(cell, "chunks", err, "%zu", info->chunks));
    FQ_TRY(fq_cell_fact(cell, "scored_tokens_per_chunk", err, "%zu", info->scored));
    FQ_TRY(
        fq_cell_fact(cell, "logits_rounding_kl", err, "%.3g, at most %.3g", info->rounding_kl, info->rounding_kl_max));
    FQ_TRY(fq_cell_fact(cell, "full_precision_perplexity", err, "%.17g", info->perplexity));
    FQ_TRY(fq_cell_fact(cell, "prefill", err, "quantized")); /* prompt tokens are read back from codes, too */
    return fq_cell_fact(cell, "timed_region", err, "none");
}

int fq_bench_attention_fact(const struct fq_bench *bench, struct fq_cell *cell, struct fq_error *err) {
    char source[256];
    fq_ppl_attention_source(bench->reference, source, sizeof source);
    return fq_cell_fact(cell, "loop_attention", err, "%s", source);
}

int fq_bench_needle_facts(const struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell,
                          struct fq_error *err) {
    char prompts[128];
    if (!(fq_plan_metrics(bench->plan, p) & FQ_METRIC_NEEDLE_TEXT))
        return 0;
    fq_ppl_needle_text_prompts(bench->reference, prompts, sizeof prompts);
    return fq_cell_fact(cell, "needle_text_prompts", err, "%s", prompts);
}

static int watched_arm(struct fq_bench *bench, enum fq_centre_kind centre, struct fq_codec *key, struct fq_codec *value,
                       struct fq_cell *cell, struct fq_error *err) {
    struct fq_ppl_arm_result result = {0};
    struct fq_watch_result seen = {0};
    struct fq_watch *watch = fq_watch_begin();
    if (!watch)
        return fq_fail(err, FQ_FAILED, "the watcher of live threads cannot start; raise the limit on processes");
    const int code = fq_ppl_arm_centred(bench->reference, centre, key, value, fq_bench_arm_progress, bench,
                                        &cell->series, &result, err);
    fq_watch_end(watch, &seen);
    FQ_TRY(code);
    FQ_TRY(fq_cell_fact(cell, "perplexity", err, "%.17g", result.perplexity));
    FQ_TRY(fq_cell_fact(cell, "resumed_windows", err, "%zu", fq_ppl_resumed(bench->reference)));
    FQ_TRY(fq_bench_attention_fact(bench, cell, err));
    FQ_TRY(fq_cell_fact(cell, "hook_ns", err, "%" PRIu64, result.hook_ns));
    FQ_TRY(fq_cell_fact(cell, "eval_ns", err, "%" PRIu64, result.eval_ns));
    return fq_observe_watch(cell, &seen, err);
}

static int run_model(struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell, struct fq_error *err) {
    const struct fq_sweep_model *m = &bench->plan->sweep->models[p->source];
    const struct fq_sweep_instance *at = &bench->plan->sweep->instances[p->instance];
    struct fq_codec *key = NULL, *value = NULL;
    FQ_TRY(fq_bench_reference(bench, p, err));
    FQ_TRY(fq_bench_model_facts(bench, m, cell, err));
    const size_t dim = fq_ppl_reference_info(bench->reference)->model->dim;
    int code = m->key ? fq_bench_codec(bench, p, dim, FQ_KEY, &key, err) : 0;
    if (code == 0 && m->value)
        code = fq_bench_codec(bench, p, dim, FQ_VALUE, &value, err);
    if (code == 0 && key)
        code = fq_bench_probe(bench, p, key, dim, FQ_KEY, cell, err);
    if (code == 0 && value)
        code = fq_bench_probe(bench, p, value, dim, FQ_VALUE, cell, err);
    if (code == 0)
        code = fq_bench_witness_begin(bench, p, key, err);
    if (code == 0)
        code = fq_bench_witness_begin(bench, p, value, err);
    if (code == 0)
        code = watched_arm(bench, at->centre, key, value, cell, err);
    if (code == 0)
        code = fq_bench_needle_facts(bench, p, cell, err);
    if (code == 0)
        code = fq_bench_witness_end(key, cell, err);
    if (code == 0)
        code = fq_bench_witness_end(value, cell, err);
    if (code == 0)
        code = fq_observe_codecs(cell, key, value, dim, err);
    if (code == 0) {
        const struct fq_model_info *info = fq_ppl_reference_info(bench->reference)->model;
        char source[256];
        fq_ppl_centre_source(bench->reference, at->centre, source, sizeof source);
        code = centre_facts(at, source, info->layers, info->kv_heads, dim, cell, err);
    }
    fq_codec_close(key);
    fq_codec_close(value);
    return code;
}

/* ---- any ---- */

static int run(struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell, struct fq_error *err) {
    const unsigned threads = fq_bench_threads(bench, p);
    if (fq_pool_threads() != threads)
        FQ_TRY(fq_pool_start(threads, err));
    if (p->noise_floor)
        return fq_bench_floor(bench, p, cell, err);
    if (p->policy)
        return fq_bench_policy(bench, p, cell, err);
    const struct fq_method *method = bench->plan->sweep->instances[p->instance].method;
    FQ_TRY(fq_observe_conditions(cell, method, fq_backend_pick(method), err));
    if (strcmp(cell->kind, "speed") == 0)
        return fq_bench_speed(bench, p, cell, err);
    return strcmp(cell->kind, "model") == 0 ? run_model(bench, p, cell, err) : run_codec(bench, p, cell, err);
}

/* Vectors that fill no group are kept as float16: no method saw them, so a rate and an error that are mostly theirs say
 * little of it. Said once for each kind, data and instance: its first seed, its first block. */
static void warn_of_tail(const struct fq_bench *bench, const struct fq_planned *p, const struct fq_cell *cell) {
    const char *tail = fq_cell_fact_text(cell, "tail_bytes"), *all = fq_cell_fact_text(cell, "written_bytes");
    const double part = tail ? strtod(tail, NULL) : 0.0, whole = all ? strtod(all, NULL) : 0.0;
    if (p->noise_floor)
        return;
    if (p->policy) /* its full-precision part is asked for */
        return;
    const struct fq_sweep_instance *at = &bench->plan->sweep->instances[p->instance];
    if (part <= 0.1 * whole || (at->n_seeds > 0 && cell->seed != at->seeds[0]) || cell->block > 0 || cell->process > 0)
        return;
    fq_warn("%s on %s: %.0f %% of its bytes are the float16 tail of vectors that fill no group; give a multiple of its "
            "granularity, or more vectors",
            cell->label, cell->data, 100.0 * part / whole);
}

void fq_bench_run(struct fq_bench *bench, const struct fq_planned *planned, struct fq_cell *out) {
    struct fq_error err = {0};
    *out = planned->cell;
    bench->before = 0.0;
    bench->cell = out;
    out->ok = run(bench, planned, out, &err) == 0;
    if (out->ok)
        warn_of_tail(bench, planned, out);
    if (!out->ok) {
        snprintf(out->reason, sizeof out->reason, "%s", err.text);
        fq_series_list_free(&out->series); /* half a measurement is none */
        memset(&out->series, 0, sizeof out->series);
    }
}
