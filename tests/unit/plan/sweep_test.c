/* Sweeps: lists multiplied out, defaults, twins, labels, seeds; and the plan made of them. */
#include "tests/unit/plan/fixture.h"

#include "harness/measure/catalog.h"
#include "harness/plan/plan.h"
#include "harness/plan/sweep.h"
#include "methods/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const char head[] = "name: test\n"
                           "contract: matched-cpu\n"
                           "seeds: [1, 2, 3]\n"
                           "repetitions: {processes: 2, blocks: 4}\n"
                           "metrics: [distortion, inner_product, speed, bytes]\n";

static int setup(void **state) {
    struct fq_error err = {0};
    for (size_t i = 0; fq_methods[i]; i++)
        if (fq_catalog_add(fq_methods[i], &err) != 0)
            return -1;
    return fixture_open(state);
}

static const char *write_sweep(const char *rest) {
    char text[4096];
    const char *path = fixture_path("s.yaml");
    const int n = snprintf(text, sizeof text, "%s%s", head, rest);
    fixture_write(path, text, (size_t)n);
    return path;
}

static void load(const char *rest, struct fq_sweep *s) {
    struct fq_error err = {0};
    if (fq_sweep_load(write_sweep(rest), NULL, s, &err) != 0)
        fail_msg("%s", err.text);
}

/* One per model, behind its other cells; its row stands where the others of that model stand. */
static void models_have_a_noise_floor(void **state) {
    struct fq_model_info info;
    struct fq_sweep s = {.n_models = 0};
    struct fq_plan plan = {.n_cells = 0};
    struct fq_error err = {0};
    (void)state;
    if (!fq_model_available() || fq_model_peek("smollm2-135m", &info, &err) != 0)
        skip();
    char text[1024];
    const char *path = fixture_path("n.yaml");
    const int n = snprintf(text, sizeof text,
                           "name: floor\ncontract: matched-cpu\nseeds: [1]\nmetrics: [perplexity]\nmodels:\n"
                           "  - {model: smollm2-135m, corpus: jargon, context: 64, chunks: 2, tensors: [key]}\n"
                           "methods:\n  - {name: fp16}\n");
    fixture_write(path, text, (size_t)n);
    if (fq_sweep_load(path, NULL, &s, &err) != 0 || fq_plan_make(&s, false, &plan, &err) != 0)
        fail_msg("%s", err.text);
    size_t floors = 0;
    for (size_t i = 0; i < plan.n_cells; i++)
        if (plan.cells[i].noise_floor) {
            const struct fq_cell *c = &plan.cells[i].cell;
            floors++;
            assert_true(i + 2 >= plan.n_cells);
            assert_string_equal(c->method, "noise-floor");
            assert_string_equal(c->role, FQ_ROLE_NOISE_FLOOR);
            assert_string_equal(c->data, "smollm2-135m/jargon@64");
            assert_string_equal(plan.cells[i].touches, "key");
        }
    assert_int_equal(floors, 2);
    fq_plan_free(&plan);
    fq_sweep_free(&s);
}

/* An entry's own metrics hold for its model cells, too; the noise floor and policies are asked what the sweep asks. */
static void entries_narrow_what_a_model_is_asked(void **state) {
    struct fq_model_info info;
    struct fq_sweep s = {.n_models = 0};
    struct fq_plan plan = {.n_cells = 0};
    struct fq_error err = {0};
    (void)state;
    if (!fq_model_available() || fq_model_peek("smollm2-135m", &info, &err) != 0)
        skip();
    char text[1024];
    const char *path = fixture_path("m.yaml");
    const int n = snprintf(text, sizeof text,
                           "name: narrow\ncontract: matched-cpu\nseeds: [1]\n"
                           "metrics: [perplexity, generation, needle_text]\nmodels:\n"
                           "  - {model: smollm2-135m, corpus: jargon, context: 64, chunks: 2, tensors: [key]}\n"
                           "methods:\n  - {name: fp16}\n  - {name: q8_0, metrics: [perplexity]}\n"
                           "policies:\n  - {name: p, key: {name: q8_0}, value: full}\n");
    fixture_write(path, text, (size_t)n);
    if (fq_sweep_load(path, NULL, &s, &err) != 0 || fq_plan_make(&s, false, &plan, &err) != 0)
        fail_msg("%s", err.text);
    size_t asked = 0;
    for (size_t i = 0; i < plan.n_cells; i++) {
        const struct fq_planned *p = &plan.cells[i];
        const bool narrow = strcmp(p->cell.method, "q8_0") == 0;
        const unsigned expected = FQ_METRIC_PERPLEXITY | (narrow ? 0U : FQ_METRIC_NEEDLE_TEXT) |
                                  (narrow || p->policy ? 0U : FQ_METRIC_GENERATION);
        assert_int_equal(fq_plan_metrics(&plan, p), expected);
        asked += expected & FQ_METRIC_NEEDLE_TEXT ? 1 : 0;
    }
    assert_int_equal(asked, 5); /* fp16 and its twin, the policy, two noise floors */
    fq_plan_free(&plan);
    fq_sweep_free(&s);
}

/* Results are pooled by name: two contexts of one model must not share it. */
static void contexts_have_names(void **state) {
    struct fq_sweep s;
    (void)state;
    char text[1024];
    const char *path = fixture_path("m.yaml");
    const int n = snprintf(text, sizeof text,
                           "name: contexts\ncontract: matched-cpu\nseeds: [1]\nmetrics: [perplexity]\nmodels:\n"
                           "  - {model: net, corpus: some/words, context: 512, chunks: 2, tensors: [key]}\n"
                           "  - {model: net, corpus: some/words, context: 2048, chunks: 2, tensors: [key]}\n"
                           "methods:\n  - {name: turbo4, narrow: group-64, data: [\"*@2048\"]}\n");
    fixture_write(path, text, (size_t)n);
    struct fq_error err = {0};
    if (fq_sweep_load(path, NULL, &s, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(s.n_models, 2);
    assert_string_equal(s.models[0].name, "net/words");
    assert_string_equal(s.models[1].name, "net/words@2048");
    assert_false(fq_sweep_runs_on(&s.instances[0], s.models[0].name));
    assert_true(fq_sweep_runs_on(&s.instances[0], s.models[1].name));
    fq_sweep_free(&s);
}

/* The same key as in methods; every model has a twin of a policy that runs on it, and only there. */
static void a_policy_runs_on_its_own_models_only(void **state) {
    struct fq_sweep s;
    struct fq_error err = {0};
    (void)state;
    char text[1024];
    const char *path = fixture_path("d.yaml"),
               *head_of = "name: parts\ncontract: matched-cpu\nseeds: [1]\nmetrics: [perplexity]\nmodels:\n"
                          "  - {model: small, corpus: words, context: 512, chunks: 2, tensors: [key]}\n"
                          "  - {model: large, corpus: words, context: 512, chunks: 2, tensors: [key]}\npolicies:\n";
    int n = snprintf(text, sizeof text,
                     "%s  - {name: a, key: {name: [q4_0, q8_0]}, value: full, data: [\"small/*\"]}\n"
                     "  - {name: a, key: {name: q4_0}, value: full, data: [\"lar*\", \"none/*\", \"large/words\"]}\n",
                     head_of);
    fixture_write(path, text, (size_t)n);
    assert_int_equal(fq_sweep_load(path, NULL, &s, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, ":10: data of a: no data or model is called 'none/*'"));
    n = snprintf(text, sizeof text,
                 "%s  - {name: a, key: {name: [q4_0, q8_0]}, value: full, data: [\"small/*\"]}\n"
                 "  - {name: a, key: {name: q4_0}, value: full, data: \"lar*\"}\n",
                 head_of);
    fixture_write(path, text, (size_t)n);
    if (fq_sweep_load(path, NULL, &s, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(s.n_policies, 3 + 2);
    static const bool small[] = {true, true, false, true, false};
    static const int replicate[] = {0, 0, 0, 1, 1};
    for (size_t i = 0; i < s.n_policies; i++) {
        assert_int_equal(fq_sweep_policy_runs_on(&s.policies[i], "small/words"), small[i]);
        assert_int_equal(fq_sweep_policy_runs_on(&s.policies[i], "large/words"), !small[i]);
        assert_int_equal(s.policies[i].replicate, replicate[i]);
    }
    fq_sweep_free(&s);
}

static void lists_multiply_and_defaults_fill(void **state) {
    struct fq_sweep s;
    (void)state;
    load("data:\n"
         "  - {generate: sphere, vectors: [64, 128], dim: [32, 48]}\n"
         "  - {generate: gaussian, vectors: 64, dim: 32, seed: 5, metrics: [distortion]}\n"
         "methods:\n"
         "  - {name: turboquant-mse, bits: [2, 3], rotation: [haar, rht]}\n"
         "  - {name: fp16, rate_class: [half], metrics: [bytes, distortion]}\n"
         "  - {name: rabitq, bits: 2, threads: 2, seeds: [9]}\n",
         &s);
    assert_int_equal(s.n_data, 5);
    assert_string_equal(s.data[0].name, "sphere-64x32");
    assert_string_equal(s.data[3].name, "sphere-128x48");
    assert_string_equal(s.data[4].name, "gaussian-64x32-seed-5");
    assert_int_equal(s.data[4].metrics, FQ_METRIC_DISTORTION);
    assert_int_equal(s.threads, 1);
    assert_int_equal(s.workers, 1);
    assert_int_equal(s.processes, 2);
    assert_int_equal(s.blocks, 4);
    assert_int_equal(s.n_instances, 4 + 1 + 1 + 1); /* the last is the twin */
    assert_string_equal(s.instances[1].label, "turboquant-mse bits=2 rotation=rht");
    assert_string_equal(s.instances[1].rate_class, "2");
    assert_int_equal(s.instances[1].n_seeds, 3);
    assert_string_equal(s.instances[4].rate_class, "half");
    assert_int_equal(s.instances[4].n_seeds, 1); /* draws nothing: one seed says all */
    assert_int_equal(s.instances[4].metrics, FQ_METRIC_BYTES | FQ_METRIC_DISTORTION);
    assert_string_equal(s.instances[5].label, "rabitq threads=2");
    assert_int_equal(s.instances[5].seeds[0], 9);
    assert_int_equal(s.instances[6].replicate, 1);
    assert_ptr_equal(s.instances[6].method, s.instances[0].method);
    assert_string_equal(s.instances[6].parameters, s.instances[0].parameters);
    fq_sweep_free(&s);
}

static void an_instance_listed_twice_is_its_own_twin(void **state) {
    struct fq_sweep s;
    (void)state;
    load("data: [{generate: sphere, vectors: 64, dim: 32}]\n"
         "methods:\n"
         "  - {name: rabitq, bits: 2}\n"
         "  - {name: rabitq, bits: 2}\n",
         &s);
    assert_int_equal(s.n_instances, 2);
    assert_int_equal(s.instances[0].replicate, 0);
    assert_int_equal(s.instances[1].replicate, 1);
    fq_sweep_free(&s);
}

static void overrides_make_another_sweep(void **state) {
    struct fq_sweep a, b;
    struct fq_error err = {0};
    const struct fq_sweep_override two = {.threads = 2};
    const char *path = write_sweep("data: [{generate: sphere, vectors: 64, dim: 32}]\nmethods: [{name: fp16}]\n");
    (void)state;
    assert_int_equal(fq_sweep_load(path, NULL, &a, &err), 0);
    assert_int_equal(fq_sweep_load(path, &two, &b, &err), 0);
    assert_int_equal(b.threads, 2);
    assert_string_not_equal(a.sha256, b.sha256);
    fq_sweep_free(&a);
    fq_sweep_free(&b);
}

static void refuses(const char *rest, int line, const char *pattern) {
    struct fq_error err = {0};
    struct fq_sweep s;
    char place[32];
    assert_int_equal(fq_sweep_load(write_sweep(rest), NULL, &s, &err), FQ_USAGE);
    snprintf(place, sizeof place, "s.yaml:%d", line);
    if (!strstr(err.text, place) || !strstr(err.text, pattern))
        fail_msg("'%s' or '%s' is missing in: %s", place, pattern, err.text);
    assert_null(s.text);
}

#define GOOD_DATA "data: [{generate: sphere, vectors: 64, dim: 32}]\n"

static void refusals_name_the_line(void **state) {
    (void)state;
    refuses(GOOD_DATA "methods:\n  - {name: rabitq, bitz: 2}\n", 8, "did you mean 'bits'?");
    refuses(GOOD_DATA "methods:\n  - {name: rabbitq}\n", 8, "did you mean 'rabitq'?");
    refuses(GOOD_DATA "methods:\n  - name: rabitq\n    bits: [2,\n           12]\n", 10, "1 to 8");
    refuses(GOOD_DATA "methods:\n  - {name: rabitq, bits: [[2]]}\n", 8, "single value");
    refuses(GOOD_DATA "methods:\n  - {name: fp16, rate_class: [1, 2]}\n", 8, "one value");
    refuses(GOOD_DATA "methods:\n  - {name: fp16, metrics: [perplexity]}\n", 8, "metrics of the sweep");
    refuses(GOOD_DATA "methods:\n  - {name: fp16, data: [sfere-*]}\n", 8, "sphere-64x32");
    refuses(GOOD_DATA "methods: []\n", 7, "at least one");
    refuses(GOOD_DATA "methods: fp16\n", 7, "list");
    refuses("data:\n  - {generate: sfere, vectors: 64, dim: 32}\nmethods: [{name: fp16}]\n", 7,
            "did you mean 'sphere'?");
    refuses("data:\n  - {generate: sphere, vectors: 64, dim: 5000}\nmethods: [{name: fp16}]\n", 7, "4096");
    refuses("data:\n  - {generate: sphere, vectors: -1, dim: 32}\nmethods: [{name: fp16}]\n", 7, "vectors");
    refuses("data:\n  - {generate: sphere, vectors: [64, 64], dim: 32}\nmethods: [{name: fp16}]\n", 7, "twice");
    refuses("data:\n  - {generate: sphere, vectors: 64}\nmethods: [{name: fp16}]\n", 7, "dim");
    refuses("data:\n  - {tokens: 64}\nmethods: [{name: fp16}]\n", 7, "kv, generate, vectors, embeddings");
    refuses("data: []\nmethods: [{name: fp16}]\n", 6, "at least one");
    refuses("methods: [{name: fp16}]\n", 1, "nothing to measure");
    refuses(GOOD_DATA "order_seed: x\nmethods: [{name: fp16}]\n", 7, "order_seed");
}

/* ---- the plan ---- */

static void plan_of(const char *rest, struct fq_sweep *s, struct fq_plan *plan) {
    struct fq_error err = {0};
    load(rest, s);
    if (fq_plan_make(s, true, plan, &err) != 0)
        fail_msg("%s", err.text);
}

static const char planned[] = "data: [{generate: sphere, vectors: 64, dim: [32, 64]}]\n"
                              "methods:\n"
                              "  - {name: turboquant-mse, bits: [1, 2, 3]}\n"
                              "  - {name: fp16}\n";

static void cells_are_counted_and_named_once(void **state) {
    struct fq_sweep s;
    struct fq_plan plan;
    (void)state;
    plan_of(planned, &s, &plan);
    /* codec: 2 sets x (4 instances x 3 seeds + 1); speed: 2 sets x 2 processes x 4 blocks x 5 */
    assert_int_equal(plan.n_cells, 2 * 13 + 80);
    for (size_t i = 0; i < plan.n_cells; i++) {
        assert_int_equal(plan.cells[i].cell.order, i);
        assert_int_equal(strlen(plan.cells[i].cell.id), 16);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(plan.cells[i].cell.id, plan.cells[k].cell.id);
    }
    fq_plan_free(&plan);
    fq_sweep_free(&s);
}

static void a_block_holds_every_instance_once_in_an_order_of_its_own(void **state) {
    struct fq_sweep s;
    struct fq_plan plan;
    size_t orders = 0;
    (void)state;
    plan_of(planned, &s, &plan);
    size_t at = 0;
    while (at < plan.n_cells && strcmp(plan.cells[at].cell.kind, "speed") != 0)
        at++;
    const size_t first = at;
    for (; at < plan.n_cells; at += s.n_instances) {
        unsigned seen = 0;
        for (size_t i = 0; i < s.n_instances; i++) {
            const struct fq_planned *p = &plan.cells[at + i];
            assert_int_equal(p->cell.block, plan.cells[at].cell.block);
            assert_int_equal(p->cell.process, plan.cells[at].cell.process);
            assert_int_equal(p->group, plan.cells[at].group);
            seen |= 1U << p->instance;
        }
        assert_int_equal(seen, (1U << s.n_instances) - 1);
        for (size_t i = 0; i < s.n_instances; i++)
            orders += plan.cells[at + i].instance != plan.cells[first + i].instance;
    }
    assert_true(orders > 0);
    fq_plan_free(&plan);
    fq_sweep_free(&s);
}

static void the_same_sweep_is_the_same_plan(void **state) {
    struct fq_sweep s, t;
    struct fq_plan a, b;
    (void)state;
    plan_of(planned, &s, &a);
    plan_of(planned, &t, &b);
    assert_int_equal(a.n_cells, b.n_cells);
    for (size_t i = 0; i < a.n_cells; i++)
        assert_string_equal(a.cells[i].cell.id, b.cells[i].cell.id);
    fq_plan_free(&a);
    fq_plan_free(&b);
    fq_sweep_free(&s);
    fq_sweep_free(&t);
}

static void an_entry_runs_on_its_own_data_only(void **state) {
    struct fq_sweep s;
    struct fq_plan plan;
    (void)state;
    plan_of("data: [{generate: sphere, vectors: 64, dim: [32, 40]}]\n"
            "methods:\n  - {name: q4_0, data: '*x32'}\n  - {name: fp16}\n",
            &s, &plan);
    /* q4_0 and its twin on one set, fp16 on two: 1 codec cell and 2 x 4 speed cells for each pair */
    assert_int_equal(plan.n_cells, 4 * (1 + 8));
    for (size_t i = 0; i < plan.n_cells; i++)
        if (strcmp(plan.cells[i].cell.method, "q4_0") == 0)
            assert_string_equal(plan.cells[i].cell.data, "sphere-64x32");
    fq_plan_free(&plan);
    fq_sweep_free(&s);
}

static void shards_divide_the_plan(void **state) {
    struct fq_sweep s;
    struct fq_plan plan;
    size_t per_shard[3] = {0};
    (void)state;
    plan_of(planned, &s, &plan);
    for (size_t i = 0; i < plan.n_cells; i++) {
        size_t in = 0;
        for (unsigned k = 1; k <= 3; k++)
            if (fq_plan_in_shard(&plan.cells[i], k, 3)) {
                in++;
                per_shard[k - 1]++;
            }
        assert_int_equal(in, 1);
        assert_true(fq_plan_in_shard(&plan.cells[i], 1, 1));
    }
    assert_true(per_shard[0] && per_shard[1] && per_shard[2]);
    fq_plan_free(&plan);
    fq_sweep_free(&s);
}

static void a_shape_that_a_method_refuses_is_a_mistake_of_the_sweep(void **state) {
    struct fq_sweep s;
    struct fq_plan plan;
    struct fq_error err = {0};
    (void)state;
    load("data: [{generate: sphere, vectors: 64, dim: 40}]\nmethods:\n  - {name: fp16}\n  - {name: q4_0}\n", &s);
    assert_int_equal(fq_plan_make(&s, false, &plan, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "s.yaml:9"));
    assert_non_null(strstr(err.text, "40"));
    assert_null(plan.cells);
    fq_sweep_free(&s);
}

static void bytes_are_those_of_the_footprint(void **state) {
    struct fq_sweep s;
    struct fq_plan plan;
    (void)state;
    plan_of("data: [{generate: sphere, vectors: 100, dim: 64}]\nmethods: [{name: kivi, bits: 2, group: 32}]\n", &s,
            &plan);
    /* 3 groups of 32 vectors at 3 bits (2 + 32/32) and a tail of 4 vectors at 16 bits */
    assert_true(plan.cells[0].planned_bytes == 3 * 32 * 64 * 3.0 / 8 + 4 * 64 * 2);
    fq_plan_free(&plan);
    fq_sweep_free(&s);
}

/* ---- centring: a factor of the experiment, not a parameter of the method ---- */

/* Two windows of keys and values, with queries and without a key bias. */
static const char *write_kv(void) {
    enum { TOKENS = 64, DIM = 32 };
    const char *path = fixture_path("set.h5");
    struct fq_error err = {0};
    struct fq_kv_writer *w = NULL;
    static const float rows[TOKENS * DIM];
    const struct fq_kv_attributes a = {.model = "made",
                                       .model_sha256 = "00",
                                       .corpus = "made",
                                       .corpus_sha256 = "00",
                                       .source = "sweep_test",
                                       .layers = 1,
                                       .kv_heads = 1,
                                       .heads = 1,
                                       .dim = DIM,
                                       .tokens = TOKENS,
                                       .context = TOKENS / 2};
    if (fq_kv_writer_open(path, &a, &w, &err) != 0)
        fail_msg("%s", err.text);
    for (int which = 0; which < 3; which++)
        assert_int_equal(fq_kv_writer_rows(w, which, 0, 0, TOKENS, rows, &err), 0);
    assert_int_equal(fq_kv_writer_commit(w, &err), 0);
    return path;
}

static const char *kv_sweep(const char *methods) {
    static char text[1024];
    snprintf(text, sizeof text,
             "data:\n  - {kv: %s, tensors: [key, value]}\n  - {generate: sphere, vectors: 64, dim: 32}\nmethods:\n%s",
             write_kv(), methods);
    return text;
}

static void centres_multiply_like_parameters(void **state) {
    struct fq_sweep s;
    struct fq_plan plan;
    (void)state;
    plan_of(
        kv_sweep("  - {name: turboquant-mse, bits: [2, 3], centre: [none, calibrated, running]}\n  - {name: fp16}\n"),
        &s, &plan);
    assert_int_equal(s.n_instances, 8); /* 2 x 3, fp16, and the twin */
    assert_null(strstr(s.instances[0].parameters, "centre"));
    assert_string_equal(s.instances[0].label, "turboquant-mse bits=2");
    assert_non_null(strstr(s.instances[1].parameters, " centre=calibrated"));
    assert_string_equal(s.instances[1].label, "turboquant-mse bits=2 centre=calibrated");
    assert_string_equal(s.instances[5].label, "turboquant-mse bits=3 centre=running");
    assert_int_equal(s.instances[7].replicate, 1);
    assert_int_equal(s.instances[7].centre, FQ_CENTRE_NONE);
    for (size_t i = 0; i < plan.n_cells; i++) {
        const struct fq_planned *p = &plan.cells[i];
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(p->cell.id, plan.cells[k].cell.id);
        if (s.instances[p->instance].centre == FQ_CENTRE_NONE)
            continue;
        assert_string_equal(p->cell.kind, "codec"); /* keys of the KV set alone */
        assert_int_equal(p->tensor, FQ_KEY);
        assert_int_equal(p->source, 0);
        assert_non_null(strstr(p->cell.parameters, "centre="));
        assert_non_null(strstr(p->cell.key, "centre="));
    }
    size_t said = 0;
    for (size_t i = 0; i < plan.n_notes; i++)
        said += strncmp(plan.notes[i], "centre=", 7) == 0;
    assert_int_equal(said, 2 * 4); /* each kind: values, vectors, and speed of both sets */
    fq_plan_free(&plan);
    fq_sweep_free(&s);
}

static void a_centre_without_cells_is_a_mistake(const char *methods, const char *pattern) {
    struct fq_sweep s;
    struct fq_plan plan;
    struct fq_error err = {0};
    load(kv_sweep(methods), &s);
    assert_int_equal(fq_plan_make(&s, false, &plan, &err), FQ_USAGE);
    if (!strstr(err.text, "s.yaml:11") || !strstr(err.text, pattern))
        fail_msg("'%s' is missing in: %s", pattern, err.text);
    fq_sweep_free(&s);
}

static void impossible_centres_are_sentences(void **state) {
    (void)state;
    a_centre_without_cells_is_a_mistake("  - {name: fp16}\n  - {name: fp32, centre: rope-bias}\n", "no key_bias");
    a_centre_without_cells_is_a_mistake("  - {name: fp16}\n  - {name: fp32, centre: calibrated, data: 'sphere-*'}\n",
                                        "plain vectors");
    a_centre_without_cells_is_a_mistake("  - {name: fp16}\n  - {name: fp32, centre: running, metrics: [speed]}\n",
                                        "outside of");
    refuses(GOOD_DATA "methods:\n  - {name: fp16, centre: mean}\n", 8, "none, calibrated, running or rope-bias");
    refuses(GOOD_DATA "methods:\n  - {name: fp16, centre: []}\n", 8, "empty");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_multiply_and_defaults_fill),
        cmocka_unit_test(contexts_have_names),
        cmocka_unit_test(a_policy_runs_on_its_own_models_only),
        cmocka_unit_test(models_have_a_noise_floor),
        cmocka_unit_test(entries_narrow_what_a_model_is_asked),
        cmocka_unit_test(an_instance_listed_twice_is_its_own_twin),
        cmocka_unit_test(overrides_make_another_sweep),
        cmocka_unit_test(refusals_name_the_line),
        cmocka_unit_test(cells_are_counted_and_named_once),
        cmocka_unit_test(a_block_holds_every_instance_once_in_an_order_of_its_own),
        cmocka_unit_test(the_same_sweep_is_the_same_plan),
        cmocka_unit_test(an_entry_runs_on_its_own_data_only),
        cmocka_unit_test(shards_divide_the_plan),
        cmocka_unit_test(a_shape_that_a_method_refuses_is_a_mistake_of_the_sweep),
        cmocka_unit_test(bytes_are_those_of_the_footprint),
        cmocka_unit_test(centres_multiply_like_parameters),
        cmocka_unit_test(impossible_centres_are_sentences),
    };
    return cmocka_run_group_tests_name("sweep", tests, setup, fixture_close);
}
