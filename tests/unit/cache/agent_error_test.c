/* The errors that an agent measures in a small model's graphs, against the same from the keys, values and queries as
 * the model had them, in double; both paths against each other; a window that is restored against one that ran. Float32
 * weights, so that nothing else rounds. */
#include "harness/cache/agent.h"
#include "harness/measure/ppl_attention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/cache/code.h" /* behind cmocka.h, whose macros they use */
#include "tests/unit/cache/tiny.h"

struct seen {
    struct fq_agent *agent;
    float kv[2][TINY_LAYERS][TINY_KV][N][TINY_DIM], q[TINY_LAYERS][TINY_HEADS][N][TINY_DIM];
    float hat[2][TINY_LAYERS][TINY_KV][N][TINY_DIM];
};

static int tensors(void *arg, enum fq_hook_tensor which, size_t layer, size_t first, size_t n, size_t heads, size_t dim,
                   float *data, struct fq_error *err) {
    struct seen *w = arg;
    for (size_t t = 0; t < n; t++)
        for (size_t h = 0; h < heads; h++)
            memcpy(which == FQ_HOOK_QUERY ? w->q[layer][h][first + t] : w->kv[which][layer][h][first + t],
                   data + (t * heads + h) * dim, dim * sizeof *data);
    return fq_agent_tensors(w->agent, which, layer, first, n, heads, dim, data, err);
}

static int attention(void *arg, const struct fq_attention_view *v, struct fq_error *err) {
    const struct seen *w = arg;
    return fq_agent_attention_hook(w->agent)(w->agent, v, err);
}

static struct fq_agent *open_agent(const struct fq_policy *policy, size_t chunks, size_t batch) {
    const struct fq_agent_config config = {.policy = policy,
                                           .layers = TINY_LAYERS,
                                           .heads = TINY_HEADS,
                                           .kv_heads = TINY_KV,
                                           .dim = TINY_DIM,
                                           .context = N,
                                           .seed = 3,
                                           .chunks = chunks,
                                           .batch = batch};
    struct fq_agent *agent = NULL;
    struct fq_error err = {0};
    if (fq_agent_open(&config, &agent, &err) != 0)
        fail_msg("%s", err.text);
    return agent;
}

/* One window in graphs of `batch` tokens, as the last of two. */
static struct seen *run(const struct fq_policy *policy, size_t batch, struct fq_series_list *out) {
    struct seen *w = calloc(1, sizeof *w);
    struct fq_model *model = open_model(batch);
    struct fq_error err = {0};
    assert_non_null(w);
    assert_null(fq_model_attention_obstacle(model));
    w->agent = open_agent(policy, 2, batch);
    assert_int_equal(fq_agent_window(w->agent, 1, &err), 0);
    if (fq_model_eval_attention(model, tokens, N, tensors, attention, w, N, NULL, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(fq_agent_series(w->agent, out, &err), 0);
    fq_model_close(model);
    return w;
}

static void done(struct seen *w, struct fq_series_list *list) {
    fq_agent_close(w->agent);
    fq_series_list_free(list);
    free(w);
}

static double value_of(const struct fq_series_list *list, const char *metric, const char *tensor, size_t layer,
                       size_t head) {
    const struct fq_series *s = fq_series_find(list, metric, tensor);
    assert_non_null(s);
    for (size_t i = 0; i < s->n; i++)
        if (s->label_a[i] == (int32_t)layer && s->label_b[i] == (int32_t)head)
            return s->value[i];
    fail_msg("no %s of layer %zu, head %zu", metric, layer, head);
    return NAN;
}

static void same_values(const struct fq_series_list *a, const struct fq_series_list *b, double tolerance) {
    assert_true(a->n == b->n && a->n > 0);
    for (size_t i = 0; i < a->n; i++) {
        assert_string_equal(a->series[i].metric, b->series[i].metric);
        assert_string_equal(a->series[i].tensor, b->series[i].tensor);
        assert_int_equal(a->series[i].n, b->series[i].n);
        for (size_t k = 0; k < a->series[i].n; k++) {
            const double x = a->series[i].value[k], y = b->series[i].value[k];
            if (!(fabs(x - y) <= tolerance * fabs(x)))
                fail_msg("%s: %.9g and %.9g", a->series[i].metric, x, y);
        }
    }
}

static bool have_model(void) {
    if (!fq_model_available())
        print_message("built without libllama, so this test is skipped\n");
    return fq_model_available();
}

/* ---- a window and sinks, by the book ---- */

static bool coded(const struct seen *w, enum fq_tensor tensor, size_t layer, size_t i, size_t j) {
    return fq_policy_version(fq_agent_plan(w->agent), tensor, layer, i + 1, j) == FQ_VERSION_CODES;
}

static double book_mse(const struct seen *w, enum fq_tensor tensor, size_t layer, size_t head) {
    size_t sample[FQ_PPL_QUERIES];
    const size_t n = fq_ppl_queries(N, sample);
    double error = 0.0, energy = 0.0;
    for (size_t j = 0; j < N; j++) {
        double square = 0.0, reads = 0.0, sees = 0.0;
        for (size_t c = 0; c < TINY_DIM; c++) {
            const double x = (double)w->kv[tensor][layer][head][j][c];
            const double e = x - (double)w->hat[tensor][layer][head][j][c];
            square += e * e;
            energy += x * x;
        }
        for (size_t k = 0; k < n; k++)
            if (sample[k] >= j) {
                sees += 1.0;
                reads += coded(w, tensor, layer, sample[k], j) ? 1.0 : 0.0;
            }
        error += square * reads / sees;
    }
    return error / energy;
}

static void book_output(const struct seen *w, size_t layer, size_t head, size_t i, bool returned, double *out) {
    double weight[N], sum = 0.0;
    memset(out, 0, TINY_DIM * sizeof *out);
    for (size_t j = 0; j <= i; j++) {
        const float *k = returned && coded(w, FQ_KEY, layer, i, j) ? w->hat[FQ_KEY][layer][head / GROUP][j]
                                                                   : w->kv[FQ_KEY][layer][head / GROUP][j];
        double dot = 0.0;
        for (size_t c = 0; c < TINY_DIM; c++)
            dot += (double)w->q[layer][head][i][c] * (double)k[c];
        weight[j] = exp(dot / sqrt(TINY_DIM));
        sum += weight[j];
    }
    for (size_t j = 0; j <= i; j++) {
        const float *v = returned && coded(w, FQ_VALUE, layer, i, j) ? w->hat[FQ_VALUE][layer][head / GROUP][j]
                                                                     : w->kv[FQ_VALUE][layer][head / GROUP][j];
        for (size_t c = 0; c < TINY_DIM; c++)
            out[c] += weight[j] / sum * (double)v[c];
    }
}

static double book_attention(const struct seen *w, size_t layer, size_t head) {
    size_t sample[FQ_PPL_QUERIES];
    double error = 0.0, energy = 0.0, was[TINY_DIM], is[TINY_DIM];
    for (size_t k = 0; k < fq_ppl_queries(N, sample); k++) {
        book_output(w, layer, head, sample[k], false, was);
        book_output(w, layer, head, sample[k], true, is);
        for (size_t c = 0; c < TINY_DIM; c++) {
            error += (was[c] - is[c]) * (was[c] - is[c]);
            energy += was[c] * was[c];
        }
    }
    return error / energy;
}

static void close_to(double expected, double found, const char *what) {
    if (!(expected > 0.0 && fabs(found - expected) <= 1e-5 * expected))
        fail_msg("%s: expected %.9g, found %.9g", what, expected, found);
}

static void window_and_sinks(void **state) {
    static const size_t batches[2] = {N, 13};
    (void)state;
    if (!have_model())
        skip();
    for (int b = 0; b < 2; b++) {
        struct fq_policy p = {.window = 9, .sinks = 3};
        struct fq_series_list list = {0};
        struct fq_error err = {0};
        p.code[FQ_KEY] = p.code[FQ_VALUE] = code_of("turboquant-mse", "bits=2");
        struct seen *w = run(&p, batches[b], &list);
        for (int t = FQ_KEY; t <= FQ_VALUE; t++)
            for (size_t layer = 0; layer < TINY_LAYERS; layer++)
                for (size_t h = 0; h < TINY_KV; h++) {
                    const struct fq_codec_config config = {.method = p.code[t].method,
                                                           .params = p.code[t].params,
                                                           .shape = {TINY_DIM, (enum fq_tensor)t},
                                                           .seed = 3,
                                                           .backend = FQ_REF};
                    struct fq_codec *codec = NULL;
                    assert_int_equal(fq_codec_open(&config, &codec, &err), 0);
                    assert_int_equal(fq_codec_roundtrip(codec, N, w->kv[t][layer][h][0], w->hat[t][layer][h][0], &err),
                                     0);
                    fq_codec_close(codec);
                    close_to(book_mse(w, (enum fq_tensor)t, layer, h),
                             value_of(&list, "loop_rel_mse", t == FQ_KEY ? "key of kv" : "value of kv", layer, h),
                             "error of a tensor");
                }
        for (size_t layer = 0; layer < TINY_LAYERS; layer++)
            for (size_t h = 0; h < TINY_HEADS; h++)
                close_to(book_attention(w, layer, h), value_of(&list, "loop_attention_error", "kv", layer, h),
                         "error of an output");
        done(w, &list);
    }
}

/* ---- what must be equal ---- */

static void full_is_no_error(void **state) {
    struct fq_policy p = {.window = N, .sparse = true};
    struct fq_series_list list = {0};
    (void)state;
    if (!have_model())
        skip();
    p.code[FQ_KEY] = p.code[FQ_VALUE] = code_of("turboquant-mse", "bits=2");
    struct seen *w = run(&p, N, &list);
    assert_true(list.n == 3 * (1 + TINY_LAYERS));
    for (size_t i = 0; i < list.n; i++) {
        assert_true(list.series[i].n > 0);
        for (size_t k = 0; k < list.series[i].n; k++)
            assert_true(list.series[i].value[k] == 0.0);
    }
    done(w, &list);
}

/* All layers, and one alone: layers that are left as they are have errors of 0 on both paths. */
static void paths_agree(void **state) {
    (void)state;
    if (!have_model())
        skip();
    for (int alone = 0; alone < 2; alone++) {
        struct fq_series_list list[2] = {{0}, {0}};
        struct seen *w[2];
        struct fq_policy p = {.n_rules = 1};
        const struct fq_policy_code code = code_of("turboquant-mse", "bits=3");
        if (alone) {
            p.rules[0] = (struct fq_policy_rule){.layers = {0}, .n_layers = 1, .given = {true, true}};
            p.rules[0].code[FQ_KEY] = p.rules[0].code[FQ_VALUE] = code;
        } else {
            p.n_rules = 0;
            p.code[FQ_KEY] = p.code[FQ_VALUE] = code;
        }
        for (int i = 0; i < 2; i++) {
            p.path = i == 0 ? FQ_PATH_SCORES : FQ_PATH_DECODED;
            w[i] = run(&p, N, &list[i]);
        }
        same_values(&list[0], &list[1], 1e-5);
        assert_true(value_of(&list[0], "loop_attention_error", "kv", 0, 0) > 1e-3);
        assert_true((value_of(&list[0], "loop_attention_error", "kv", 1, 0) > 0.0) == !alone);
        done(w[0], &list[0]);
        done(w[1], &list[1]);
    }
}

static void a_restored_window_has_its_errors(void **state) {
    struct fq_policy p = {.residual = 8};
    struct fq_series_list list = {0}, again = {0};
    struct fq_error err = {0};
    (void)state;
    if (!have_model())
        skip();
    p.code[FQ_KEY] = code_of("turboquant-mse", "bits=2");
    p.code[FQ_VALUE] = code_of("turboquant-mse", "bits=4");
    struct seen *w = run(&p, N, &list);
    void *bytes = malloc(fq_agent_state_bytes(w->agent));
    assert_non_null(bytes);
    fq_agent_save(w->agent, bytes);
    struct fq_agent *other = open_agent(&p, 2, N);
    assert_int_equal(fq_agent_state_bytes(other), fq_agent_state_bytes(w->agent));
    fq_agent_restore(other, 1, bytes);
    assert_int_equal(fq_agent_series(other, &again, &err), 0);
    same_values(&list, &again, 0.0);
    fq_agent_close(other);
    fq_series_list_free(&again);
    free(bytes);
    done(w, &list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_and_sinks),
        cmocka_unit_test(full_is_no_error),
        cmocka_unit_test(paths_agree),
        cmocka_unit_test(a_restored_window_has_its_errors),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
