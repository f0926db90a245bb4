/* An agent in a small model's graphs, pair by pair: every score, weight and output against what a policy's words mean,
 * computed here from the keys, values and queries as the model had them, each version by a codec of its own. Then both
 * paths against each other, and windows in one graph against windows in many. Float32 weights, so that nothing else
 * rounds. */
#include "harness/cache/agent_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/cache/code.h" /* behind cmocka.h, whose macros they use */
#include "tests/unit/cache/tiny.h"

/* ---- a codec of this test: four tokens share a step per channel ---- */

static const struct fq_param_spec steps_param[] = {
    {.name = "steps", .help = "steps in a channel's range", .kind = FQ_PARAM_INT, .min = 1, .max = 255, .def = 7}};

static double nominal(const struct fq_params *p) {
    (void)p;
    return 8.0;
}

static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {
    (void)p;
    return (struct fq_footprint){
        .granularity = 4, .record_bytes = shape->dim * (4 + 8), .side_bytes = 8 * shape->dim, .work_dim = shape->dim};
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const size_t dim = call->shape.dim;
    for (size_t g = 0; g < n_groups; g++)
        for (size_t c = 0; c < dim; c++) {
            const float *x = y + g * 4 * dim + c;
            uint8_t *to = records + (g * dim + c) * 12;
            float least = x[0], most = x[0];
            for (size_t t = 1; t < 4; t++) {
                least = fminf(least, x[t * dim]);
                most = fmaxf(most, x[t * dim]);
            }
            const float step = fmaxf(most - least, 1e-20F) / (float)call->params->v[0];
            memcpy(to, &least, 4);
            memcpy(to + 4, &step, 4);
            for (size_t t = 0; t < 4; t++)
                to[8 + t] = (uint8_t)lrintf((x[t * dim] - least) / step);
        }
    return n_groups;
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const size_t dim = call->shape.dim;
    for (size_t i = 0; i < n_groups * dim; i++) {
        float least, step;
        memcpy(&least, records + i * 12, 4);
        memcpy(&step, records + i * 12 + 4, 4);
        for (size_t t = 0; t < 4; t++)
            x[(i / dim * 4 + t) * dim + i % dim] = least + step * (float)records[i * 12 + 8 + t];
    }
}

static const struct fq_kernels kernels = {.encode = encode, .decode = decode};
static const struct fq_method four = {.abi = FQ_METHOD_ABI,
                                      .name = "four",
                                      .role = FQ_BASELINE,
                                      .paper = "none",
                                      .summary = "four tokens share a step per channel",
                                      .bits_formula = "24",
                                      .params = steps_param,
                                      .n_params = 1,
                                      .data_oblivious = true,
                                      .nominal_bits = nominal,
                                      .footprint = footprint,
                                      .kernels = {[FQ_REF] = &kernels}};

static struct fq_policy_code fours(int steps) {
    return (struct fq_policy_code){.method = &four, .params = {{steps}}};
}

/* ---- an agent that is watched ---- */

struct watched {
    struct fq_agent *agent;
    const struct fq_policy *policy;
    struct fq_codec *codec[FQ_POLICY_CODES]; /* of the test alone */
    float kv[2][TINY_LAYERS][TINY_KV][N][TINY_DIM], q[TINY_LAYERS][TINY_HEADS][N][TINY_DIM];
    float version[FQ_VERSIONS][N][TINY_DIM]; /* of the head looked at */
    float estimate[N][N];                    /* scores of a method that decodes nothing */
    float before[TINY_HEADS * N * 256];
    double worst;
    size_t pairs, skipped;
    size_t prompt; /* tokens of the window that a full prefill answers */
};

static int tensors(void *arg, enum fq_hook_tensor which, size_t layer, size_t first, size_t n, size_t heads, size_t dim,
                   float *data, struct fq_error *err) {
    struct watched *w = arg;
    assert_int_equal(dim, TINY_DIM);
    for (size_t t = 0; t < n; t++)
        for (size_t h = 0; h < heads; h++)
            memcpy(which == FQ_HOOK_QUERY ? w->q[layer][h][first + t] : w->kv[which][layer][h][first + t],
                   data + (t * heads + h) * dim, dim * sizeof *data);
    return fq_agent_tensors(w->agent, which, layer, first, n, heads, dim, data, err);
}

/* What the tokens [0, n) of a head are in every version. */
static void make_versions(struct watched *w, enum fq_tensor tensor, size_t layer, size_t head, size_t n) {
    const struct fq_policy_tensor *t = &fq_agent_plan(w->agent)->layer[layer][tensor];
    struct fq_error err = {0};
    memcpy(w->version[FQ_VERSION_FULL], w->kv[tensor][layer][head], n * TINY_DIM * sizeof(float));
    const float *from = w->version[FQ_VERSION_FULL][0];
    size_t whole = n;
    if (t->codes >= 0) {
        assert_int_equal(fq_codec_encode(w->codec[t->codes], n, from, &err), 0);
        if (!fq_codec_has(w->codec[t->codes], FQ_STAGE_DECODE))
            return; /* the caller asks for its scores */
        assert_int_equal(fq_codec_decode(w->codec[t->codes], w->version[FQ_VERSION_CODES][0], &err), 0);
        from = w->version[FQ_VERSION_CODES][0];
        whole = n / fq_codec_footprint(w->codec[t->codes])->granularity *
                fq_codec_footprint(w->codec[t->codes])->granularity;
    }
    if (t->decayed >= 0 && whole > 0)
        assert_int_equal(fq_codec_roundtrip(w->codec[t->decayed], whole, from, w->version[FQ_VERSION_DECAYED][0], &err),
                         0);
}

static enum fq_version version_of(const struct watched *w, enum fq_tensor tensor, size_t layer, size_t i, size_t j) {
    if (w->policy->prefill_full && i < w->prompt)
        return FQ_VERSION_FULL;
    return fq_policy_version(fq_agent_plan(w->agent), tensor, layer, i + 1, j);
}

static void compare(struct watched *w, double expected, double found, const char *what, size_t layer, size_t head,
                    size_t i, size_t j) {
    const double apart = fabs(expected - found);
    w->worst = fmax(w->worst, apart);
    w->pairs++;
    if (!(apart < 1e-4))
        fail_msg("%s of layer %zu, head %zu, query %zu, %zu: expected %.7g, found %.7g", what, layer, head, i, j,
                 expected, found);
}

/* Codes that must be asked: there is no decoded form, or it is not what the score is made of. */
static bool scores_itself(const struct fq_codec *codec) {
    const struct fq_codec_config *config = fq_codec_configuration(codec);
    return !fq_codec_has(codec, FQ_STAGE_DECODE) ||
           (config->method->quantizes_query && config->method->quantizes_query(&config->params));
}

static void check_scores(struct watched *w, const struct fq_attention_view *v, size_t head) {
    const struct fq_policy_tensor *t = &fq_agent_plan(w->agent)->layer[v->layer][FQ_KEY];
    const bool sketch = t->codes >= 0 && scores_itself(w->codec[t->codes]);
    const size_t n = v->first_position + v->n_queries;
    struct fq_error err = {0};
    make_versions(w, FQ_KEY, v->layer, head / GROUP, n);
    if (sketch)
        assert_int_equal(fq_codec_scores(w->codec[t->codes], n, w->q[v->layer][head][0], w->estimate[0], &err), 0);
    for (size_t i = 0; i < v->n_queries; i++) {
        const size_t position = v->first_position + i, at = head * v->head_stride + i * v->query_stride;
        for (size_t j = 0; j < v->n_keys; j++) {
            const enum fq_version version =
                j <= position ? version_of(w, FQ_KEY, v->layer, position, j) : FQ_VERSION_FULL;
            double sum = 0.0;
            if (version == FQ_VERSION_FULL) { /* untouched, to the bit; so is what the mask hides */
                assert_memory_equal(&v->data[at + j], &w->before[at + j], sizeof(float));
                w->pairs++;
                continue;
            }
            for (size_t c = 0; c < TINY_DIM; c++)
                sum += (double)w->q[v->layer][head][position][c] * (double)w->version[version][j][c];
            compare(w, sketch ? (double)(&w->estimate[0][0])[position * n + j] : sum, (double)v->data[at + j], "score",
                    v->layer, head, position, j);
        }
    }
}

static void check_weights(struct watched *w, const struct fq_attention_view *v, size_t head) {
    for (size_t i = 0; i < v->n_queries; i++) {
        const size_t position = v->first_position + i, at = head * v->head_stride + i * v->query_stride;
        for (size_t j = 0; j < v->n_keys; j++) {
            const bool hidden = j > position, spared = w->policy->prefill_full && position < w->prompt;
            const bool drop =
                w->policy->sparse && !hidden && !spared && (double)w->before[at + j] < w->policy->sparse_v;
            assert_int_equal(hidden, isinf(v->mask[i * v->mask_stride + j]) != 0);
            assert_true(v->data[at + j] == (drop ? 0.0F : w->before[at + j]));
            w->skipped += drop;
        }
    }
}

static void check_outputs(struct watched *w, const struct fq_attention_view *v, size_t head) {
    make_versions(w, FQ_VALUE, v->layer, head / GROUP, v->first_position + v->n_queries);
    for (size_t i = 0; i < v->n_queries; i++) {
        const size_t position = v->first_position + i, at = head * v->head_stride + i * v->query_stride;
        double sum[TINY_DIM] = {0};
        bool all_full = true;
        for (size_t j = 0; j <= position; j++) {
            const enum fq_version version = version_of(w, FQ_VALUE, v->layer, position, j);
            const double weight = (double)v->weights[head * v->weight_head_stride + i * v->weight_query_stride + j];
            all_full = all_full && version == FQ_VERSION_FULL;
            for (size_t c = 0; c < TINY_DIM; c++)
                sum[c] += weight * (double)w->version[version][j][c];
        }
        for (size_t c = 0; c < TINY_DIM; c++) {
            compare(w, sum[c], (double)v->data[at + c], "output", v->layer, head, position, c);
            if (all_full)
                assert_memory_equal(&v->data[at + c], &w->before[at + c], sizeof(float));
        }
    }
}

static int attention(void *arg, const struct fq_attention_view *v, struct fq_error *err) {
    struct watched *w = arg;
    const size_t columns = v->stage == FQ_ATTENTION_OUTPUT ? v->dim : v->n_keys;
    assert_true(v->heads == TINY_HEADS && v->kv_heads == TINY_KV && v->dim == TINY_DIM && v->n_keys <= 256);
    const size_t all = (TINY_HEADS - 1) * v->head_stride + (v->n_queries - 1) * v->query_stride + columns;
    assert_true(all <= sizeof w->before / sizeof(float));
    memcpy(w->before, v->data, all * sizeof(float));
    const int code = fq_agent_attention(w->agent, v, err);
    for (size_t head = 0; code == 0 && head < TINY_HEADS; head++) {
        if (v->stage == FQ_ATTENTION_SCORES)
            check_scores(w, v, head);
        else if (v->stage == FQ_ATTENTION_WEIGHTS)
            check_weights(w, v, head);
        else
            check_outputs(w, v, head);
    }
    return code;
}

static struct fq_agent *open_agent(const struct fq_policy *policy, struct fq_centre *centre) {
    const struct fq_agent_config config = {.policy = policy,
                                           .layers = TINY_LAYERS,
                                           .heads = TINY_HEADS,
                                           .kv_heads = TINY_KV,
                                           .dim = TINY_DIM,
                                           .context = N,
                                           .seed = 3,
                                           .centre = centre};
    struct fq_agent *agent = NULL;
    struct fq_error err = {0};
    if (fq_agent_open(&config, &agent, &err) != 0)
        fail_msg("%s", err.text);
    return agent;
}

/* A window with a longer prompt than half of it, which leaves no count behind. */
static void forgotten_window(struct watched *w, struct fq_model *model) {
    const struct fq_policy_plan *plan = fq_agent_plan(w->agent);
    const size_t skipped = w->skipped;
    struct fq_bytes before[FQ_POLICY_CODES], after;
    struct fq_error err = {0};
    for (size_t i = 0; i < plan->n_codes; i++)
        fq_codec_bytes(fq_agent_codec(w->agent, i), &before[i]);
    assert_int_equal(fq_agent_window(w->agent, 1, &err), 0);
    w->prompt = N - 5;
    fq_agent_prompt(w->agent, w->prompt);
    if (fq_model_eval_attention(model, tokens, N, tensors, attention, w, 0, NULL, &err) != 0)
        fail_msg("%s", err.text);
    fq_agent_forget(w->agent);
    w->prompt = N / 2;
    w->skipped = skipped;
    for (size_t i = 0; i < plan->n_codes; i++) {
        fq_codec_bytes(fq_agent_codec(w->agent, i), &after);
        assert_memory_equal(&after, &before[i], sizeof after);
    }
}

/* Two windows that count, so that what one leaves behind would be seen in the next, around one that does not. */
static void watch(const struct fq_policy *policy, size_t batch, struct fq_agent_reads *reads, float *logits) {
    struct watched *w = calloc(1, sizeof *w);
    struct fq_model *model = open_model(batch);
    struct fq_error err = {0};
    assert_non_null(w);
    w->policy = policy;
    w->prompt = N / 2;
    w->agent = open_agent(policy, NULL);
    const struct fq_policy_plan *plan = fq_agent_plan(w->agent);
    for (size_t i = 0; i < plan->n_codes; i++) {
        const struct fq_codec_config config = {.method = plan->code[i].method,
                                               .params = plan->code[i].params,
                                               .shape = {TINY_DIM, plan->tensor[i]},
                                               .seed = 3,
                                               .backend = FQ_REF};
        assert_int_equal(fq_codec_open(&config, &w->codec[i], &err), 0);
    }
    for (int window = 0; window < 2; window++) {
        if (window == 1)
            forgotten_window(w, model);
        assert_int_equal(fq_agent_window(w->agent, (size_t)window, &err), 0);
        if (fq_model_eval_attention(model, tokens, N, tensors, attention, w, 0, logits, &err) != 0)
            fail_msg("%s", err.text);
    }
    struct fq_agent_reads seen;
    fq_agent_reads(w->agent, &seen);
    const uint64_t all = (uint64_t)2 * TINY_LAYERS * TINY_KV * N * (N + 1) / 2;
    for (int t = FQ_KEY; t <= FQ_VALUE; t++)
        assert_int_equal(seen.pairs[t][0] + seen.pairs[t][1] + seen.pairs[t][2], all);
    assert_int_equal(seen.skipped, w->skipped);
    if (reads)
        *reads = seen;
    for (size_t i = 0; i < plan->n_codes; i++) {
        assert_string_equal(fq_codec_complaint(fq_agent_codec(w->agent, i)), "");
        fq_codec_close(w->codec[i]);
    }
    print_message("%zu values compared, worst %.2g\n", w->pairs, w->worst);
    fq_agent_close(w->agent);
    fq_model_close(model);
    free(w);
}

static bool have_model(void) {
    if (!fq_model_available())
        print_message("built without libllama, so this test is skipped\n");
    return fq_model_available();
}

/* ---- policies ---- */

static float logits[N][TINY_WORDS], other[N][TINY_WORDS], full[N][TINY_WORDS];

static void window_and_sinks(void **state) {
    struct fq_policy p = {.window = 9, .sinks = 3};
    struct fq_agent_reads reads;
    (void)state;
    if (!have_model())
        skip();
    p.code[FQ_KEY] = code_of("turboquant-mse", "bits=3");
    p.code[FQ_VALUE] = fours(7);
    watch(&p, N, &reads, NULL);
    assert_true(reads.pairs[FQ_KEY][FQ_VERSION_CODES] > reads.pairs[FQ_VALUE][FQ_VERSION_CODES]); /* whole groups */
    assert_true(reads.pairs[FQ_VALUE][FQ_VERSION_CODES] > 0);
    assert_int_equal(reads.pairs[FQ_KEY][FQ_VERSION_DECAYED], 0);
}

static void residual(void **state) {
    struct fq_policy p = {.residual = 8};
    (void)state;
    if (!have_model())
        skip();
    p.code[FQ_KEY] = fours(3);
    p.code[FQ_VALUE] = code_of("turboquant-mse", "bits=2");
    watch(&p, N, NULL, NULL);
}

static void decay_is_double_quantization(void **state) {
    struct fq_policy p = {.decay_after = 6, .decay_every = 4, .decays = {true, true}, .sinks = 2, .n_rules = 1};
    struct fq_agent_reads reads;
    (void)state;
    if (!have_model())
        skip();
    p.code[FQ_KEY] = code_of("turboquant-mse", "bits=3");
    p.decayed[FQ_KEY] = code_of("turboquant-mse", "bits=2");
    p.code[FQ_VALUE] = fours(15);
    p.decayed[FQ_VALUE] = code_of("turboquant-mse", "bits=2");
    p.rules[0] = (struct fq_policy_rule){.layers = {-1}, .n_layers = 1, .given = {true, false}};
    watch(&p, N, &reads, NULL); /* keys of the last layer: full, then decayed at once */
    assert_true(reads.pairs[FQ_KEY][FQ_VERSION_DECAYED] > 0 && reads.pairs[FQ_VALUE][FQ_VERSION_DECAYED] > 0);
    p.window = 8;
    watch(&p, 12, NULL, NULL); /* graphs of 12 tokens: groups and passes straddle them */
}

static void a_full_prefill(void **state) {
    struct fq_policy p = {.prefill_full = true, .sparse = true, .sparse_v = 0.02};
    (void)state;
    if (!have_model())
        skip();
    p.code[FQ_KEY] = p.code[FQ_VALUE] = code_of("turboquant-mse", "bits=2");
    watch(&p, N, NULL, NULL);
}

static void keys_that_only_score(void **state) {
    struct fq_policy p = {.window = 4};
    (void)state;
    if (!have_model())
        skip();
    p.code[FQ_KEY] = code_of("qjl", "");
    p.code[FQ_VALUE] = code_of("turboquant-mse", "bits=4");
    watch(&p, N, NULL, NULL);
    p.code[FQ_KEY] = code_of("rabitq", "bits=2 query=4bit");
    watch(&p, N, NULL, NULL);
}

static void evaluate(struct fq_model *model, const struct fq_policy *policy, struct fq_centre *centre, float *out) {
    struct fq_error err = {0};
    struct fq_agent *agent = policy ? open_agent(policy, centre) : NULL;
    const int code = agent ? fq_model_eval_attention(model, tokens, N, fq_agent_tensors, fq_agent_attention_hook(agent),
                                                     agent, 0, out, &err)
                           : fq_model_eval(model, tokens, N, NULL, NULL, 0, out, &err);
    if (code != 0)
        fail_msg("%s", err.text);
    fq_agent_close(agent);
}

static double furthest(const float *a, const float *b) {
    double most = 0.0;
    for (size_t i = 0; i < (size_t)N * TINY_WORDS; i++)
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

static void sparse_values(void **state) {
    static const double taus[] = {0.0, 1e-4, 2e-2};
    uint64_t before = 0;
    (void)state;
    if (!have_model())
        skip();
    struct fq_model *model = open_model(N);
    evaluate(model, NULL, NULL, full[0]);
    for (size_t i = 0; i < 3; i++) {
        const struct fq_policy p = {.sparse = true, .sparse_v = taus[i]};
        struct fq_agent_reads reads;
        watch(&p, N, &reads, logits[0]);
        assert_int_equal(reads.weights, (uint64_t)2 * TINY_LAYERS * TINY_HEADS * N * (N + 1) / 2);
        assert_true(i == 0 ? reads.skipped == 0 : reads.skipped > before);
        before = reads.skipped;
        if (i == 0)
            assert_memory_equal(logits, full, sizeof full);
    }
    assert_true(furthest(logits[0], full[0]) > 1e-3);
    fq_model_close(model);
}

/* ---- paths, graphs, centres ---- */

static void a_window_over_everything_changes_no_bit(void **state) {
    struct fq_policy p = {.window = N};
    (void)state;
    if (!have_model())
        skip();
    struct fq_model *model = open_model(N);
    p.code[FQ_KEY] = p.code[FQ_VALUE] = code_of("turboquant-mse", "bits=2");
    evaluate(model, NULL, NULL, full[0]);
    evaluate(model, &p, NULL, logits[0]);
    assert_memory_equal(logits, full, sizeof full);
    p.window = 0;
    p.sinks = N;
    evaluate(model, &p, NULL, logits[0]);
    assert_memory_equal(logits, full, sizeof full);
    fq_model_close(model);
}

static void paths_agree(struct fq_model *model, struct fq_policy *p, struct fq_centre *const centre[2]) {
    p->path = FQ_PATH_SCORES;
    evaluate(model, p, centre ? centre[0] : NULL, logits[0]);
    p->path = FQ_PATH_DECODED;
    evaluate(model, p, centre ? centre[1] : NULL, other[0]);
    const double apart = furthest(logits[0], other[0]);
    print_message("paths differ by %.2g, codes move logits by %.2g\n", apart, furthest(logits[0], full[0]));
    assert_true(apart < 1e-4);
    assert_true(furthest(logits[0], full[0]) > 1e-2);
}

static void both_paths_agree(void **state) {
    struct fq_policy p = {.n_rules = 1};
    (void)state;
    if (!have_model())
        skip();
    p.rules[0] = (struct fq_policy_rule){.layers = {0}, .n_layers = 1, .given = {false, true}};
    static const size_t batches[] = {N, 16}; /* one graph; three */
    for (size_t b = 0; b < 2; b++) {
        struct fq_model *model = open_model(batches[b]);
        evaluate(model, NULL, NULL, full[0]);
        p.code[FQ_KEY] = p.code[FQ_VALUE] = code_of("turboquant-mse", "bits=2");
        p.rules[0].code[FQ_VALUE] = code_of("turboquant-mse", "bits=4");
        paths_agree(model, &p, NULL);
        p.code[FQ_KEY] = fours(3);
        p.code[FQ_VALUE] = p.rules[0].code[FQ_VALUE] = (struct fq_policy_code){0};
        paths_agree(model, &p, NULL);
        p.code[FQ_KEY] = (struct fq_policy_code){0};
        p.code[FQ_VALUE] = code_of("turboquant-mse", "bits=3");
        paths_agree(model, &p, NULL);
        fq_model_close(model);
    }
}

static void centres_are_put_back(void **state) {
    struct fq_policy p = {.n_rules = 0};
    struct fq_error err = {0};
    (void)state;
    if (!have_model())
        skip();
    struct fq_model *model = open_model(N);
    evaluate(model, NULL, NULL, full[0]);
    p.code[FQ_KEY] = p.code[FQ_VALUE] = code_of("turboquant-mse", "bits=3");
    for (int kind = FQ_CENTRE_CALIBRATED; kind < FQ_CENTRE_KINDS; kind++) {
        struct fq_centre *centre[2] = {NULL, NULL};
        p.centre = (enum fq_centre_kind)kind;
        for (int i = 0; i < 2; i++) {
            assert_int_equal(fq_centre_open(p.centre, TINY_LAYERS, TINY_KV, TINY_DIM, N, &centre[i], &err), 0);
            if (kind == FQ_CENTRE_ROPE_BIAS)
                assert_int_equal(fq_model_key_bias(model, N, fq_centre_table(centre[i], 0, 0), &err), 0);
            const float mean[TINY_DIM] = {1.0F, -2.0F, 3.0F, 0.5F};
            for (size_t slot = 0; slot < TINY_LAYERS * TINY_KV && kind == FQ_CENTRE_CALIBRATED; slot++)
                fq_centre_learn(centre[i], slot / TINY_KV, slot % TINY_KV, 1, TINY_DIM, mean);
        }
        paths_agree(model, &p, centre);
        fq_centre_close(centre[0]);
        fq_centre_close(centre[1]);
    }
    fq_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(window_and_sinks),
                                       cmocka_unit_test(residual),
                                       cmocka_unit_test(decay_is_double_quantization),
                                       cmocka_unit_test(a_full_prefill),
                                       cmocka_unit_test(keys_that_only_score),
                                       cmocka_unit_test(sparse_values),
                                       cmocka_unit_test(a_window_over_everything_changes_no_bit),
                                       cmocka_unit_test(both_paths_agree),
                                       cmocka_unit_test(centres_are_put_back)};
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
