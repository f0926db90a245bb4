/* Both paths on the default model, methods as they ship. What a layer attends to is compared where its input is the
 * same to the bit, which is where the paths do different things. Logits are printed, not judged: the weights of this
 * model are quantized, so llama.cpp rounds activations to 8 bits, and now and then a last bit becomes a step of one. In
 * float32 logits are judged by agent_test.c. Skips without libllama or the model. */
#include "harness/base/pool.h"
#include "harness/cache/agent.h"
#include "harness/data/manifest.h"
#include "harness/measure/catalog.h"
#include "methods/registry.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/cache/code.h" /* behind cmocka.h, whose macros it uses */

enum { N = 40, FROM = 20 }; /* tokens of the window; the first whose logits are looked at */

static int32_t tokens[N];
static size_t vocabulary;

struct watched {
    struct fq_agent *agent;
    fq_model_attention_hook *attention;
    size_t layer;
    float *output; /* [heads][N][dim] */
};

static int tensors(void *arg, enum fq_hook_tensor which, size_t layer, size_t first, size_t n, size_t heads, size_t dim,
                   float *data, struct fq_error *err) {
    const struct watched *w = arg;
    return fq_agent_tensors(w->agent, which, layer, first, n, heads, dim, data, err);
}

static int attention(void *arg, const struct fq_attention_view *v, struct fq_error *err) {
    const struct watched *w = arg;
    if (w->attention)
        FQ_TRY(w->attention(w->agent, v, err));
    if (v->stage == FQ_ATTENTION_OUTPUT && v->layer == w->layer)
        for (size_t h = 0; h < v->heads; h++)
            for (size_t i = 0; i < v->n_queries; i++)
                memcpy(w->output + (h * N + i) * v->dim, v->data + h * v->head_stride + i * v->query_stride,
                       v->dim * sizeof(float));
    return 0;
}

static void run(struct fq_model *model, const struct fq_policy *policy, size_t layer, float *output, float *logits) {
    const struct fq_model_info *info = fq_model_info(model);
    const struct fq_agent_config config = {.policy = policy,
                                           .layers = info->layers,
                                           .heads = info->heads,
                                           .kv_heads = info->kv_heads,
                                           .dim = info->dim,
                                           .context = N,
                                           .seed = 1};
    struct watched w = {.layer = layer, .output = output};
    struct fq_error err = {0};
    if (fq_agent_open(&config, &w.agent, &err) != 0)
        fail_msg("%s", err.text);
    w.attention = fq_agent_attention_hook(w.agent);
    if (fq_model_eval_attention(model, tokens, N, tensors, attention, &w, FROM, logits, &err) != 0)
        fail_msg("%s", err.text);
    fq_agent_close(w.agent);
}

static double furthest(const float *a, const float *b, size_t n) {
    double most = 0.0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

static double largest(const float *a, size_t n) {
    double most = 0.0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)a[i]));
    return most;
}

static struct fq_model *open_model(void) {
    struct fq_model *model = NULL;
    struct fq_error err = {0};
    if (fq_model_open("smollm2-135m", N, 2, &model, &err) != 0)
        fail_msg("%s", err.text);
    return model;
}

static float *floats(size_t n) {
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    return x;
}

static void read_text(struct fq_model *model) {
    static const char text[] =
        "The cache of a language model holds a key and a value for each token that was read, and "
        "each new token is compared with all of the keys before their values are added up. ";
    int32_t *ids = NULL;
    size_t n = 0;
    struct fq_error err = {0};
    if (fq_model_tokenize(model, text, strlen(text), false, &ids, &n, &err) != 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < N; i++)
        tokens[i] = ids[i % n];
    free(ids);
}

static void both_paths_agree(void **state) {
    static const char *const methods[3][2] = {{"turboquant-mse", "bits=4"}, {"kivi", "bits=2 group=32"}, {"q8_0", ""}};
    char path[4096], sha256[FQ_SHA256_HEX];
    struct fq_error err = {0};
    (void)state;
    if (!fq_model_available() || fq_manifest_resolve("smollm2-135m", "model", path, sizeof path, sha256, &err) != 0) {
        print_message("the default model is not here, so this test is skipped\n");
        skip();
    }
    struct fq_model *model = open_model();
    const struct fq_model_info *info = fq_model_info(model);
    const size_t cells = info->heads * N * info->dim;
    vocabulary = info->vocabulary;
    const size_t rows = (N - FROM) * vocabulary;
    float *full = floats(rows), *logits[2] = {floats(rows), floats(rows)};
    float *output[2] = {floats(cells), floats(cells)};
    read_text(model);
    if (fq_model_eval(model, tokens, N, NULL, NULL, FROM, full, &err) != 0)
        fail_msg("%s", err.text);
    for (size_t m = 0; m < 3; m++)
        for (size_t layer = 0; layer < info->layers; layer += info->layers - 1) {
            struct fq_policy p = {.n_rules = 1};
            p.rules[0] = (struct fq_policy_rule){.layers = {(int)layer}, .n_layers = 1, .given = {true, true}};
            p.rules[0].code[FQ_KEY] = p.rules[0].code[FQ_VALUE] = code_of(methods[m][0], methods[m][1]);
            for (int i = 0; i < 2; i++) {
                p.path = i == 0 ? FQ_PATH_SCORES : FQ_PATH_DECODED;
                run(model, &p, layer, output[i], logits[i]);
            }
            const double sums = furthest(output[0], output[1], cells) / largest(output[1], cells);
            const double apart = furthest(logits[0], logits[1], rows), moved = furthest(logits[0], full, rows);
            print_message("%s %s, layer %zu: sums differ by %.2g of their size, logits by %.2g (codes move them by "
                          "%.2g)\n",
                          methods[m][0], methods[m][1], layer, sums, apart, moved);
            assert_true(sums < 1e-5);
            assert_true(moved > 1e-4);
        }
    for (int i = 0; i < 2; i++) {
        free(logits[i]);
        free(output[i]);
    }
    free(full);
    fq_model_close(model);
}

static int group_setup(void **state) {
    struct fq_error err = {0};
    (void)state;
    for (size_t i = 0; fq_methods[i]; i++)
        if (fq_catalog_add(fq_methods[i], &err) != 0)
            return -1;
    return fq_pool_start(1, &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_paths_agree)};
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
