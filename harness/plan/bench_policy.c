/* Runs model cells whose agent is a cache policy, and writes down what was held, read and skipped.
 *
 * It must not know how a policy answers a pair (harness/cache). */
#include "harness/base/cpu.h"
#include "harness/cache/agent.h"
#include "harness/measure/catalog.h"
#include "harness/measure/ppl_training.h"
#include "harness/plan/bench_internal.h"
#include "harness/plan/observe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Machine and threads are those of any cell; a policy may hold several methods, and none of them may hide. */
static int conditions(const struct fq_agent *agent, const struct fq_policy_plan *plan, struct fq_cell *cell,
                      struct fq_error *err) {
    char backends[128] = "", plugins[256] = "", imports[256] = "";
    size_t b = 0, p = 0, m = 0;
    const struct fq_method *any = fq_catalog_at(0);
    for (size_t i = 0; i < plan->n_codes; i++) {
        const struct fq_codec_config *config = fq_codec_configuration(fq_agent_codec(agent, i));
        const char *name = fq_backend_name(config->backend), *plugin = fq_catalog_origin(config->method);
        const char *import = fq_catalog_imports(config->method);
        any = config->method;
        if (!strstr(backends, name) && b < sizeof backends)
            b += (size_t)snprintf(backends + b, sizeof backends - b, "%s%s", b ? "," : "", name);
        if (plugin[0] && !strstr(plugins, plugin) && p < sizeof plugins)
            p += (size_t)snprintf(plugins + p, sizeof plugins - p, "%s%s", p ? "," : "", plugin);
        if (import[0] && !strstr(imports, import) && m < sizeof imports)
            m += (size_t)snprintf(imports + m, sizeof imports - m, "%s%s", m ? "," : "", import);
    }
    FQ_TRY(fq_observe_conditions(cell, any, fq_backend_pick(any), err));
    FQ_TRY(fq_cell_fact(cell, "backend", err, "%s", backends[0] ? backends : "none"));
    FQ_TRY(fq_cell_fact(cell, "plugin", err, "%s", plugins[0] ? plugins : "built in"));
    return fq_cell_fact(cell, "imports", err, "%s", imports);
}

static int policy_facts(const struct fq_planned *p, struct fq_agent *agent, struct fq_cell *cell,
                        struct fq_error *err) {
    const struct fq_policy *policy = &p->policy->policy;
    FQ_TRY(fq_cell_fact(cell, "tensor", err, "%s", fq_agent_tensor(agent)));
    FQ_TRY(fq_cell_fact(cell, "policy", err, "%s", p->policy->name));
    FQ_TRY(fq_cell_fact(cell, "prefill", err, "%s", policy->prefill_full ? "full" : "quantized"));
    FQ_TRY(fq_cell_fact(cell, "path", err, "%s", policy->path == FQ_PATH_SCORES ? "scores" : "decoded"));
    return fq_cell_fact(cell, "centre", err, "%s", fq_centre_name(policy->centre));
}

/* What the cache holds at the end of a window, by kind, and of all windows as other cells count it. */
static int byte_facts(struct fq_bench *bench, const struct fq_planned *p, struct fq_agent *agent, struct fq_cell *cell,
                      struct fq_error *err) {
    const struct fq_ppl_info *info = fq_ppl_reference_info(bench->reference);
    const struct fq_policy_plan *plan = fq_agent_plan(agent);
    struct fq_policy_bytes promised, written;
    uint64_t side = 0;
    fq_policy_count(fq_agent_plan(agent), info->context, info->model->kv_heads, &promised);
    fq_agent_count(agent, info->context, &written);
    cell->rate_bits = written.rate_bits;
    FQ_TRY(fq_cell_fact(cell, "rate_bits", err, "%.17g", written.rate_bits));
    FQ_TRY(fq_cell_fact(cell, "code_bytes", err, "%" PRIu64, written.code_bytes));
    FQ_TRY(fq_cell_fact(cell, "window_bytes", err, "%" PRIu64, written.full_bytes));
    FQ_TRY(fq_cell_fact(cell, "promised_bytes", err, "%" PRIu64,
                        (promised.code_bytes + promised.full_bytes) * info->chunks));
    FQ_TRY(
        fq_cell_fact(cell, "written_bytes", err, "%" PRIu64, (written.code_bytes + written.full_bytes) * info->chunks));
    for (size_t i = 0; i < plan->n_codes; i++) {
        struct fq_bytes b = {0};
        fq_codec_bytes(fq_agent_codec(agent, i), &b);
        side += b.side_bytes;
    }
    FQ_TRY(fq_cell_fact(cell, "side_bytes", err, "%" PRIu64, side));
    FQ_TRY(fq_cell_fact(cell, "shared_bytes", err, "%" PRIu64, written.shared_bytes));
    return fq_cell_fact(cell, "vectors", err, "%" PRIu64, p->vectors);
}

static double part(uint64_t of, uint64_t all) {
    return all ? (double)of / (double)all : 0.0;
}

static int read_facts(const struct fq_agent *agent, const struct fq_policy *policy, struct fq_cell *cell,
                      struct fq_error *err) {
    static const char *const names[2] = {"key_reads", "value_reads"};
    struct fq_agent_reads r;
    fq_agent_reads(agent, &r);
    for (int t = FQ_KEY; t <= FQ_VALUE && policy->path == FQ_PATH_SCORES; t++) {
        const uint64_t all = r.pairs[t][0] + r.pairs[t][1] + r.pairs[t][2];
        FQ_TRY(fq_cell_fact(cell, names[t], err, "full %.6f, codes %.6f, decayed %.6f",
                            part(r.pairs[t][FQ_VERSION_FULL], all), part(r.pairs[t][FQ_VERSION_CODES], all),
                            part(r.pairs[t][FQ_VERSION_DECAYED], all)));
    }
    if (policy->sparse)
        FQ_TRY(fq_cell_fact(cell, "sparse_v_skipped", err, "%.17g", part(r.skipped, r.weights)));
    return 0;
}

/* The first complaint of any codec stands for the cell. */
static int integrity_facts(const struct fq_agent *agent, const struct fq_policy_plan *plan, struct fq_cell *cell,
                           struct fq_error *err) {
    const char *canaries = "intact", *shared = "unchanged", *complaint = "none";
    for (size_t i = 0; i < plan->n_codes; i++) {
        const struct fq_codec *codec = fq_agent_codec(agent, i);
        if (strcmp(canaries, "intact") == 0)
            canaries = fq_codec_canaries(codec);
        if (strcmp(shared, "unchanged") == 0 && strcmp(fq_codec_shared_state(codec), "intact") != 0)
            shared = fq_codec_shared_state(codec);
        if (strcmp(complaint, "none") == 0 && fq_codec_complaint(codec)[0])
            complaint = fq_codec_complaint(codec);
    }
    FQ_TRY(fq_cell_fact(cell, "canaries", err, "%s", canaries));
    FQ_TRY(fq_cell_fact(cell, "shared_state", err, "%s", shared));
    return fq_cell_fact(cell, "complaint", err, "%s", complaint);
}

static int watched_run(struct fq_bench *bench, const struct fq_planned *p, struct fq_agent *agent, struct fq_cell *cell,
                       struct fq_error *err) {
    const struct fq_ppl_agent hooks = {.tensors = fq_agent_tensors,
                                       .attention = fq_agent_attention_hook(agent),
                                       .window = fq_agent_window,
                                       .arg = agent,
                                       .state_bytes = fq_agent_state_bytes(agent),
                                       .save = fq_agent_save,
                                       .restore = fq_agent_restore,
                                       .prompt = fq_agent_prompt,
                                       .forget = fq_agent_forget,
                                       .tensor = fq_agent_tensor(agent)};
    struct fq_watch_result seen = {0};
    double perplexity = 0.0;
    uint64_t hook_ns = 0, eval_ns = 0;
    struct fq_watch *watch = fq_watch_begin();
    if (!watch)
        return fq_fail(err, FQ_FAILED, "the watcher of live threads cannot start; raise the limit on processes");
    int code = fq_ppl_run(bench->reference, &hooks, fq_bench_arm_progress, bench, &cell->series, &perplexity, err);
    fq_ppl_times(bench->reference, &hook_ns, &eval_ns);
    if (code == 0) /* before prompts that are no windows add to the sums */
        code = fq_agent_series(agent, &cell->series, err);
    if (code == 0 && (fq_plan_metrics(bench->plan, p) & FQ_METRIC_NEEDLE_TEXT))
        code = fq_ppl_needle_text(bench->reference, &hooks, &cell->series, err);
    fq_watch_end(watch, &seen);
    FQ_TRY(code);
    FQ_TRY(fq_cell_fact(cell, "perplexity", err, "%.17g", perplexity));
    FQ_TRY(fq_cell_fact(cell, "hook_ns", err, "%" PRIu64, hook_ns));
    FQ_TRY(fq_cell_fact(cell, "eval_ns", err, "%" PRIu64, eval_ns));
    FQ_TRY(fq_bench_attention_fact(bench, cell, err));
    if (fq_agent_keys_unread(agent))
        FQ_TRY(fq_cell_fact(cell, "loop_rel_mse", err, "not of keys, which have no decoded form"));
    return fq_observe_watch(cell, &seen, err);
}

/* ---- codecs that learn ---- */

struct lessons {
    struct fq_ppl_training *of[FQ_POLICY_CODES];
};

static void put(void *arg, size_t code, enum fq_tensor tensor, size_t layer, size_t head) {
    const struct lessons *l = arg;
    fq_ppl_training_put(l->of[code], tensor == FQ_KEY ? FQ_HOOK_KEY : FQ_HOOK_VALUE, layer, head);
}

static int teach(struct fq_bench *bench, struct fq_agent *agent, struct fq_centre *centre, struct lessons *l,
                 struct fq_cell *cell, struct fq_error *err) {
    const struct fq_policy_plan *plan = fq_agent_plan(agent);
    for (size_t i = 0; i < plan->n_codes; i++) {
        struct fq_codec *codec = fq_agent_codec(agent, i), *pair[2] = {NULL, NULL};
        if (!fq_codec_learns(codec))
            continue;
        pair[plan->tensor[i] == FQ_KEY ? FQ_HOOK_KEY : FQ_HOOK_VALUE] = codec;
        FQ_TRY(fq_ppl_train(bench->reference, pair, centre, &l->of[i], err));
        FQ_TRY(fq_cell_fact(cell, "training", err, "%s", fq_codec_training(codec)));
    }
    fq_agent_learned(agent, put, l);
    return 0;
}

static int run(struct fq_bench *bench, const struct fq_planned *p, struct fq_agent *agent, struct fq_centre *centre,
               struct fq_cell *cell, struct fq_error *err) {
    const struct fq_policy_plan *plan = fq_agent_plan(agent);
    FQ_TRY(conditions(agent, plan, cell, err));
    FQ_TRY(fq_bench_model_facts(bench, &bench->plan->sweep->models[p->source], cell, err));
    FQ_TRY(policy_facts(p, agent, cell, err));
    for (size_t i = 0; i < plan->n_codes; i++) {
        FQ_TRY(fq_bench_probe_codec(fq_agent_codec(agent, i), plan->dim, cell, err));
        FQ_TRY(fq_bench_witness_begin(bench, p, fq_agent_codec(agent, i), err));
    }
    struct lessons lessons = {{NULL}};
    int code = teach(bench, agent, centre, &lessons, cell, err);
    if (code == 0)
        code = watched_run(bench, p, agent, cell, err);
    if (code == 0)
        code = fq_bench_needle_facts(bench, p, cell, err);
    fq_agent_learned(agent, NULL, NULL);
    for (size_t i = 0; i < plan->n_codes; i++)
        fq_ppl_training_close(lessons.of[i]);
    FQ_TRY(code);
    for (size_t i = 0; i < plan->n_codes; i++)
        FQ_TRY(fq_bench_witness_end(fq_agent_codec(agent, i), cell, err));
    FQ_TRY(byte_facts(bench, p, agent, cell, err));
    FQ_TRY(read_facts(agent, &p->policy->policy, cell, err));
    return integrity_facts(agent, plan, cell, err);
}

int fq_bench_policy(struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell, struct fq_error *err) {
    FQ_TRY(fq_bench_reference(bench, p, err));
    const struct fq_ppl_info *info = fq_ppl_reference_info(bench->reference);
    struct fq_agent_config config = {.policy = &p->policy->policy,
                                     .layers = info->model->layers,
                                     .heads = info->model->heads,
                                     .kv_heads = info->model->kv_heads,
                                     .dim = info->model->dim,
                                     .context = info->context,
                                     .seed = cell->seed,
                                     .chunks = info->chunks,
                                     .batch = fq_model_batch(fq_ppl_model(bench->reference)),
                                     .attention_hidden =
                                         fq_model_attention_obstacle(fq_ppl_model(bench->reference)) != NULL};
    struct fq_agent *agent = NULL;
    FQ_TRY(fq_ppl_centre(bench->reference, config.policy->centre, &config.centre, err));
    FQ_TRY(fq_agent_open(&config, &agent, err));
    int code = run(bench, p, agent, config.centre, cell, err);
    if (code == 0 && config.centre) {
        char source[256];
        fq_ppl_centre_source(bench->reference, config.policy->centre, source, sizeof source);
        code = fq_cell_fact(cell, "centre_source", err, "%s", source);
    }
    fq_agent_close(agent);
    return code;
}
