/* Models: the hooks see exactly what the cache stores and the scores read, once, in every layout; what they write
 * reaches the cache; reading changes nothing. On tiny models whose layer 0 is computed here by the book. */
#include "harness/data/manifest.h"
#include "harness/data/model_internal.h"
#include "tests/unit/data/tiny_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

enum { TOKENS = 5 };

static const int32_t text[TOKENS] = {3, 17, 42, 3, 9};

struct watch {
    const struct tiny_model *tiny; /* NULL: do not compare */
    unsigned calls[3][TINY_LAYERS];
    size_t last_first;
    double worst;               /* largest deviation from the computation by the book */
    enum fq_hook_tensor zeroed; /* which tensor is overwritten with zeros */
    bool zero, fail_at_layer_1;
};

static int watch_hook(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                      size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    struct watch *w = arg;
    assert_true(layer < TINY_LAYERS);
    assert_int_equal(dim, TINY_DIM);
    assert_int_equal(n_heads, which == FQ_HOOK_QUERY ? TINY_HEADS : TINY_KV);
    w->calls[which][layer]++;
    w->last_first = first_position;
    static const char letters[3] = {[FQ_HOOK_KEY] = 'k', [FQ_HOOK_VALUE] = 'v', [FQ_HOOK_QUERY] = 'q'};
    for (size_t t = 0; w->tiny && layer == 0 && t < n_tokens; t++) {
        double expected[TINY_WIDTH];
        tiny_project(w->tiny, letters[which], text[first_position + t], first_position + t, expected);
        for (size_t i = 0; i < n_heads * dim; i++)
            w->worst = fmax(w->worst, fabs(expected[i] - (double)data[t * n_heads * dim + i]));
    }
    if (w->zero && which == w->zeroed)
        memset(data, 0, n_tokens * n_heads * dim * sizeof *data);
    if (w->fail_at_layer_1 && layer == 1)
        return fq_fail(err, FQ_FAILED, "the hook refuses layer %zu", layer);
    return 0;
}

static bool have_llama(void) {
    if (!fq_model_available())
        print_message("built without libllama: only the refusal is tested\n");
    return fq_model_available();
}

static void temporary(char path[64]) {
    (void)snprintf(path, 64, "/tmp/fq-model-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
}

static struct fq_model *open_tiny(struct tiny_model *tiny, enum tiny_kind kind, size_t context) {
    char path[64];
    struct fq_error err = {0};
    struct fq_model *model = NULL;
    temporary(path);
    tiny_build(tiny, kind);
    tiny_write(tiny, path, 0);
    int code = fq_model_open(path, context, 1, &model, &err);
    (void)unlink(path);
    if (code != 0)
        print_error("%s\n", err.text);
    assert_int_equal(code, 0);
    return model;
}

static void evaluate(struct fq_model *model, const int32_t *tokens, size_t n, struct watch *w, size_t from,
                     float *logits) {
    struct fq_error err = {0};
    int code = fq_model_eval(model, tokens, n, w ? watch_hook : NULL, w, from, logits, &err);
    if (code != 0)
        print_error("%s\n", err.text);
    assert_int_equal(code, 0);
}

static double distance(const float *a, const float *b, size_t n) {
    double worst = 0.0;
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    return worst;
}

static void check_kind(enum tiny_kind kind) {
    struct tiny_model tiny;
    struct fq_model *model = open_tiny(&tiny, kind, 16);
    const struct fq_model_info *info = fq_model_info(model);
    assert_int_equal(info->layers, TINY_LAYERS);
    assert_int_equal(info->heads, TINY_HEADS);
    assert_int_equal(info->kv_heads, TINY_KV);
    assert_int_equal(info->dim, TINY_DIM);
    assert_int_equal(info->vocabulary, TINY_WORDS);
    assert_int_equal(info->key_bias, kind != TINY_LLAMA);

    static float plain[TOKENS * TINY_WORDS], watched[TOKENS * TINY_WORDS], no_key[TOKENS * TINY_WORDS],
        no_query[TOKENS * TINY_WORDS], no_value[TOKENS * TINY_WORDS];
    struct watch w = {.tiny = &tiny};
    evaluate(model, text, TOKENS, NULL, 0, plain);
    evaluate(model, text, TOKENS, &w, 0, watched);
    for (int which = 0; which < 3; which++)
        for (int l = 0; l < TINY_LAYERS; l++)
            assert_int_equal(w.calls[which][l], 1);
    assert_true(w.worst < 1e-4);
    assert_memory_equal(plain, watched, sizeof plain);

    /* Scores are all zero without keys and without queries alike, so both replacements must do the same. */
    struct watch key = {.zero = true, .zeroed = FQ_HOOK_KEY}, query = {.zero = true, .zeroed = FQ_HOOK_QUERY};
    evaluate(model, text, TOKENS, &key, 0, no_key);
    evaluate(model, text, TOKENS, &query, 0, no_query);
    assert_true(distance(no_key, plain, TOKENS * TINY_WORDS) > 1e-2);
    assert_true(distance(no_key, no_query, TOKENS * TINY_WORDS) < 1e-4);

    /* Without values no token sees another: the same token gives the same logits wherever it stands (tokens 0 and 3),
     * unless its place is in its embedding. */
    struct watch value = {.zero = true, .zeroed = FQ_HOOK_VALUE};
    evaluate(model, text, TOKENS, &value, 0, no_value);
    double same = distance(no_value, no_value + (size_t)3 * TINY_WORDS, TINY_WORDS);
    assert_true(kind == TINY_GPT2 ? same > 1e-2 : same < 1e-4);
    assert_true(distance(plain, plain + (size_t)3 * TINY_WORDS, TINY_WORDS) > 1e-2);

    /* Nothing of an earlier evaluation stays behind. */
    evaluate(model, text, TOKENS, NULL, 0, watched);
    assert_memory_equal(plain, watched, sizeof plain);
    uint64_t hook_ns = 0, eval_ns = 0;
    fq_model_times(model, &hook_ns, &eval_ns);
    assert_true(hook_ns > 0 && hook_ns < eval_ns);
    fq_model_close(model);
    tiny_free(&tiny);
}

static void separate_projections(void **state) {
    (void)state;
    if (have_llama())
        check_kind(TINY_LLAMA);
}

static void biased_projections(void **state) {
    (void)state;
    if (have_llama())
        check_kind(TINY_QWEN2);
}

static void fused_projection(void **state) {
    (void)state;
    if (have_llama())
        check_kind(TINY_GPT2);
}

/* ---- the key bias ---- */

struct keep {
    float key[TINY_LAYERS][TOKENS * TINY_K];
};

static int keep_hook(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                     size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    struct keep *k = arg;
    (void)err;
    if (which == FQ_HOOK_KEY)
        memcpy(k->key[layer] + first_position * n_heads * dim, data, n_tokens * n_heads * dim * sizeof *data);
    return 0;
}

/* RoPE_p(b) by the book, in both layers: a bias depends on no token, so layer 1 can be computed, too. Without RoPE it
 * is b at every position. */
static void check_bias(enum tiny_kind kind) {
    struct tiny_model tiny;
    struct fq_error err = {0};
    struct fq_model *model = open_tiny(&tiny, kind, 16);
    static float bias[TINY_LAYERS * TINY_KV * TOKENS * TINY_DIM], before[TOKENS * TINY_WORDS],
        after[TOKENS * TINY_WORDS];
    struct keep key = {0};
    evaluate(model, text, TOKENS, NULL, 0, before);
    assert_int_equal(fq_model_key_bias(model, TOKENS, bias, &err), 0);
    double worst = 0.0;
    for (size_t layer = 0; layer < TINY_LAYERS; layer++)
        for (size_t head = 0; head < TINY_KV; head++)
            for (size_t p = 0; p < TOKENS; p++) {
                char name[48];
                double b[TINY_DIM];
                (void)snprintf(name, sizeof name, "blk.%zu.attn_%s.bias", layer, kind == TINY_GPT2 ? "qkv" : "k");
                const float *all = tiny_get(&tiny, name) + (kind == TINY_GPT2 ? TINY_Q : 0);
                for (size_t i = 0; i < TINY_DIM; i++)
                    b[i] = (double)all[head * TINY_DIM + i];
                if (kind != TINY_GPT2)
                    tiny_rope(&tiny, p, b);
                const float *found = bias + ((layer * TINY_KV + head) * TOKENS + p) * TINY_DIM;
                for (size_t i = 0; i < TINY_DIM; i++)
                    worst = fmax(worst, fabs(b[i] - (double)found[i]));
            }
    assert_true(worst < 1e-4);
    static float own_bias[TINY_LAYERS * TINY_K];
    assert_int_equal(fq_model_key_bias_weights(model, own_bias, &err), 0);
    for (size_t layer = 0; layer < TINY_LAYERS; layer++) {
        char name[48];
        (void)snprintf(name, sizeof name, "blk.%zu.attn_%s.bias", layer, kind == TINY_GPT2 ? "qkv" : "k");
        assert_memory_equal(own_bias + layer * TINY_K, tiny_get(&tiny, name) + (kind == TINY_GPT2 ? TINY_Q : 0),
                            TINY_K * sizeof(float));
    }

    /* What is left of a key of layer 0 is what the weights alone make of its token. */
    assert_int_equal(fq_model_eval(model, text, TOKENS, keep_hook, &key, TOKENS, NULL, &err), 0);
    float *own = (float *)(uintptr_t)tiny_get(&tiny, kind == TINY_GPT2 ? "blk.0.attn_qkv.bias" : "blk.0.attn_k.bias");
    memset(own, 0, (kind == TINY_GPT2 ? TINY_QKV : TINY_K) * sizeof *own);
    worst = 0.0;
    for (size_t p = 0; p < TOKENS; p++) {
        double without[TINY_WIDTH];
        tiny_project(&tiny, 'k', text[p], p, without);
        for (size_t i = 0; i < TINY_K; i++) {
            const float b = bias[(i / TINY_DIM * TOKENS + p) * TINY_DIM + i % TINY_DIM];
            worst = fmax(worst, fabs(without[i] - (double)(key.key[0][p * TINY_K + i] - b)));
        }
    }
    assert_true(worst < 1e-4);
    evaluate(model, text, TOKENS, NULL, 0, after); /* and the model is as before */
    assert_memory_equal(before, after, sizeof before);
    fq_model_close(model);
    tiny_free(&tiny);
}

static void key_bias_is_that_of_the_weights(void **state) {
    (void)state;
    if (!have_llama())
        return;
    check_bias(TINY_QWEN2);
    check_bias(TINY_GPT2);
    struct tiny_model tiny;
    struct fq_error err = {0};
    float bias[TINY_LAYERS * TINY_KV * TINY_DIM];
    struct fq_model *model = open_tiny(&tiny, TINY_LLAMA, 16);
    assert_int_equal(fq_model_key_bias(model, 1, bias, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "no bias on its keys"));
    assert_int_equal(fq_model_key_bias_weights(model, bias, &err), FQ_USAGE);
    fq_model_close(model);
    tiny_free(&tiny);
}

/* A layer without a cache is left out: the other one is layer 0 to everybody, and its attention is hooked as any. */
static int one_layer(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                     size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    (void)first_position, (void)n_tokens, (void)n_heads, (void)dim, (void)data, (void)err;
    unsigned *calls = arg;
    assert_int_equal(layer, 0);
    calls[which]++;
    return 0;
}

static int one_attention(void *arg, const struct fq_attention_view *view, struct fq_error *err) {
    (void)err;
    unsigned *calls = arg;
    assert_int_equal(view->layer, 0);
    calls[3 + view->stage]++;
    return 0;
}

static void hybrid_layers_are_left_out(void **state) {
    (void)state;
    if (!have_llama())
        return;
    struct tiny_model tiny;
    struct fq_error err = {0};
    struct fq_model *model = open_tiny(&tiny, TINY_LFM2, 16);
    const struct fq_model_info *info = fq_model_info(model);
    assert_int_equal(info->layers, 1);
    assert_int_equal(info->layers_without_cache, 1);
    assert_int_equal(info->kv_heads, TINY_KV);
    assert_int_equal(info->dim, TINY_DIM);
    static float plain[TOKENS * TINY_WORDS], watched[TOKENS * TINY_WORDS];
    unsigned calls[6] = {0};
    evaluate(model, text, TOKENS, NULL, 0, plain);
    assert_int_equal(fq_model_eval_attention(model, text, TOKENS, one_layer, one_attention, calls, 0, watched, &err),
                     0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(calls[i], 1);
    assert_memory_equal(plain, watched, sizeof plain);

    fq_model_close(model);

    struct fq_model_info peeked;
    char path[64];
    temporary(path);
    tiny_write(&tiny, path, 0);
    assert_int_equal(fq_model_peek(path, &peeked, &err), 0);
    assert_int_equal(peeked.layers, 1);
    assert_int_equal(peeked.layers_without_cache, 1);
    tiny.kv_heads[1] = 0; /* no layer with a cache */
    tiny_write(&tiny, path, 0);
    assert_int_equal(fq_model_open(path, 16, 1, &model, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "none has a KV cache"));
    tiny.kv_heads[0] = TINY_HEADS; /* two layers of different shape */
    tiny.kv_heads[1] = TINY_KV;
    tiny_write(&tiny, path, 0);
    assert_int_equal(fq_model_open(path, 16, 1, &model, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "is 4 for layer 0 and 2 for layer 1"));
    (void)unlink(path);
    tiny_free(&tiny);
}

/* By hand: 2 x 4 x 28 x 2 x 128 bytes of cache a token, scores of 12 heads, logits of 512 tokens. */
static void contexts_that_do_not_fit_are_refused(void **state) {
    (void)state;
    struct fq_error err = {0};
    const struct fq_model_info info = {
        .name = "big", .layers = 28, .heads = 12, .kv_heads = 2, .dim = 128, .vocabulary = 151936};
    const uint64_t needed = 1000 + 57344ULL * 8192 + 8ULL * 12 * 512 * 8192 + 8ULL * 512 * 151936;
    assert_int_equal(fq_model_fits(&info, 1000, 8192, 512, needed, &err), 0);
    assert_int_equal(fq_model_fits(&info, 1000, 8192, 512, needed - 1, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "big: a context of 8192 tokens needs about 1425 MiB"));
    assert_non_null(strstr(err.text, "cache of 28 layers 448"));
    assert_true(fq_memory_available() > 0);
}

/* More tokens than one graph takes: hooks once per graph, logits across the seam. */
static void window_of_two_graphs(void **state) {
    (void)state;
    if (!have_llama())
        return;
    enum { LONG = 560, FROM = 500 };
    struct tiny_model tiny;
    struct fq_model *model = open_tiny(&tiny, TINY_LLAMA, LONG);
    int32_t *tokens = malloc(LONG * sizeof *tokens);
    float *rows = malloc((size_t)(LONG - FROM) * TINY_WORDS * sizeof *rows), last[TINY_WORDS];
    assert_true(tokens && rows);
    for (int i = 0; i < LONG; i++)
        tokens[i] = (i * 7 + 3) % TINY_WORDS;
    struct watch w = {.tiny = NULL};
    evaluate(model, tokens, LONG, &w, FROM, rows);
    assert_int_equal(w.calls[FQ_HOOK_KEY][0], 2);
    assert_int_equal(w.calls[FQ_HOOK_QUERY][1], 2);
    assert_int_equal(w.last_first, 512);
    evaluate(model, tokens, LONG, NULL, LONG - 1, last);
    assert_true(distance(last, rows + (size_t)(LONG - 1 - FROM) * TINY_WORDS, TINY_WORDS) < 1e-4);
    evaluate(model, tokens, FROM + 1, NULL, FROM, last);
    assert_true(distance(last, rows, TINY_WORDS) < 1e-3);
    free(tokens);
    free(rows);
    fq_model_close(model);
    tiny_free(&tiny);
}

static void errors_are_sentences(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_model *model = NULL;
    if (!have_llama()) {
        assert_int_equal(fq_model_open("x", 16, 1, &model, &err), FQ_USAGE);
        assert_non_null(strstr(err.text, "make setup"));
        return;
    }
    struct tiny_model tiny;
    model = open_tiny(&tiny, TINY_LLAMA, 16);
    float logits[TINY_WORDS];
    int32_t bad[2] = {1, TINY_WORDS};
    assert_int_equal(fq_model_eval(model, bad, 2, NULL, NULL, 1, logits, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "token 1 is 50"));
    assert_int_equal(fq_model_eval(model, text, 0, NULL, NULL, 0, logits, &err), FQ_USAGE);
    struct watch w = {.fail_at_layer_1 = true};
    assert_int_equal(fq_model_eval(model, text, 2, watch_hook, &w, 1, logits, &err), FQ_FAILED);
    assert_string_equal(err.text, "the hook refuses layer 1");
    evaluate(model, text, 2, NULL, 1, logits); /* and the model goes on working */
    fq_model_close(model);

    char path[64];
    temporary(path);
    tiny_write(&tiny, path, TINY_DIM / 2);
    assert_int_equal(fq_model_open(path, 16, 1, &model, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "keys have 8 elements and values 4"));
    tiny_write(&tiny, path, 0);
    assert_int_equal(fq_model_open(path, TINY_CONTEXT + 1, 1, &model, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "4097"));
    assert_int_equal(truncate(path, 20000), 0);
    assert_int_equal(fq_model_open(path, 16, 1, &model, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(fq_model_open(path, 16, 1, &model, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "damaged or incomplete"));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs("just text\n", f);
    (void)fclose(f);
    assert_int_equal(fq_model_open(path, 16, 1, &model, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "GGUF"));
    assert_null(model);
    (void)unlink(path);
    tiny_free(&tiny);
}

static void shape_and_embeddings_without_weights(void **state) {
    (void)state;
    if (!have_llama())
        return;
    char path[64];
    struct fq_error err = {0};
    struct tiny_model tiny;
    struct fq_model_info info;
    temporary(path);
    tiny_build(&tiny, TINY_QWEN2);
    tiny_write(&tiny, path, 0);
    assert_int_equal(fq_model_peek(path, &info, &err), 0);
    assert_string_equal(info.architecture, "qwen2");
    assert_int_equal(info.layers, TINY_LAYERS);
    assert_int_equal(info.heads, TINY_HEADS);
    assert_int_equal(info.kv_heads, TINY_KV);
    assert_int_equal(info.dim, TINY_DIM);
    assert_int_equal(info.train_context, TINY_CONTEXT);
    assert_int_equal(info.vocabulary, TINY_WORDS);
    assert_true(info.key_bias);

    struct fq_embeddings *e = NULL;
    size_t rows = 0, dim = 0;
    assert_int_equal(fq_embeddings_open(path, &e, &rows, &dim, &err), 0);
    assert_int_equal(rows, TINY_WORDS);
    assert_int_equal(dim, TINY_WIDTH);
    float out[3 * TINY_WIDTH];
    assert_int_equal(fq_embeddings_rows(e, 11, 3, out, &err), 0);
    assert_memory_equal(out, tiny_get(&tiny, "token_embd.weight") + (size_t)11 * TINY_WIDTH, sizeof out);
    assert_int_equal(fq_embeddings_rows(e, TINY_WORDS - 1, 2, out, &err), FQ_USAGE);
    fq_embeddings_close(e);
    (void)unlink(path);
    tiny_free(&tiny);
}

/* The default model, if it has been set up: stored in four bits, so its rows must be expanded. */
static void default_model(void **state) {
    (void)state;
    char path[4096], sha256[FQ_SHA256_HEX];
    struct fq_error err = {0};
    if (!have_llama() || fq_manifest_resolve("smollm2-135m", "model", path, sizeof path, sha256, &err) != 0) {
        print_message("smollm2-135m is not here: %s\n", err.text);
        skip();
    }
    struct fq_model_info info;
    assert_int_equal(fq_model_peek("smollm2-135m", &info, &err), 0);
    assert_string_equal(info.name, "smollm2-135m");
    assert_int_equal(info.layers, 30);
    assert_int_equal(info.heads, 9);
    assert_int_equal(info.kv_heads, 3);
    assert_int_equal(info.dim, 64);
    assert_int_equal(info.vocabulary, 49152);
    assert_int_equal(info.train_context, 8192);
    assert_false(info.key_bias);
    struct fq_embeddings *e = NULL;
    size_t rows = 0, dim = 0;
    assert_int_equal(fq_embeddings_open(path, &e, &rows, &dim, &err), 0);
    assert_int_equal(rows, 49152);
    assert_int_equal(dim, 576);
    float row[576];
    assert_int_equal(fq_embeddings_rows(e, 1000, 1, row, &err), 0);
    double norm = 0.0;
    for (size_t i = 0; i < dim; i++)
        norm += (double)row[i] * (double)row[i];
    assert_true(norm > 0.01 && norm < 1e4);
    fq_embeddings_close(e);

    struct fq_model *model = NULL;
    assert_int_equal(fq_model_open("smollm2-135m", 64, 1, &model, &err), 0);
    int32_t *tokens = NULL;
    size_t n = 0;
    assert_int_equal(fq_model_tokenize(model, "The cat sat on the mat", 22, true, &tokens, &n, &err), 0);
    assert_true(n >= 5 && n <= 8);
    free(tokens);
    fq_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separate_projections),
        cmocka_unit_test(biased_projections),
        cmocka_unit_test(fused_projection),
        cmocka_unit_test(key_bias_is_that_of_the_weights),
        cmocka_unit_test(hybrid_layers_are_left_out),
        cmocka_unit_test(contexts_that_do_not_fit_are_refused),
        cmocka_unit_test(window_of_two_graphs),
        cmocka_unit_test(errors_are_sentences),
        cmocka_unit_test(shape_and_embeddings_without_weights),
        cmocka_unit_test(default_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
