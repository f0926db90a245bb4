/* Planted sentences: the prompts are what they are said to be, the default model recalls what stands in them and not
 * what does not, an exact codec changes nothing to the last bit, a ruinous one loses recall, and no count is touched.
 */
#include "harness/base/pool.h"
#include "harness/data/manifest.h"
#include "harness/measure/catalog.h"
#include "harness/measure/haystack.h"
#include "harness/measure/perplexity.h"
#include "methods/registry.h"
#include "tests/unit/measure/logits_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

enum { CONTEXT = 64, CHUNKS = 2, EACH = FQ_HAYSTACK_DEPTHS * FQ_HAYSTACK_NEEDLES };

static bool have_all(void) {
    static const char *const names[2][2] = {{"smollm2-135m", "model"}, {"jargon", "corpus"}};
    char path[4096], sha256[FQ_SHA256_HEX];
    struct fq_error err = {0};
    for (int i = 0; i < 2; i++)
        if (!fq_model_available() || fq_manifest_resolve(names[i][0], names[i][1], path, sizeof path, sha256, &err)) {
            print_message("not here, so this test is skipped: %s\n", err.text);
            return false;
        }
    return true;
}

/* ---- prompts ---- */

/* How often the tokens [at, at + n) of a prompt stand in front of `end`; the last such place in *where. */
static size_t seen_before(const int32_t *tokens, size_t at, size_t n, size_t end, size_t *where) {
    size_t seen = 0;
    for (size_t i = 0; i + n <= end; i++)
        if (memcmp(tokens + i, tokens + at, n * sizeof *tokens) == 0) {
            seen++;
            *where = i;
        }
    return seen;
}

/* Filler of this test: tokens that stand in no sentence, each once, so that every place of a prompt is known. */
enum { TEXT = 1024, FIRST = 20000 };

static void check_prompt(const struct fq_haystacks *h, const struct fq_haystack *p, int32_t bos, size_t *asked) {
    size_t fillers = 0, cue_begin = p->length;
    for (size_t i = 0; i < p->length; i++) /* behind the last filler token and the sentences are cues alone */
        fillers += p->tokens[i] >= FIRST && p->tokens[i] < FIRST + TEXT;
    assert_true(2 * fillers >= p->length - 1); /* a BOS apart */
    for (size_t k = p->first; k < p->first + p->n; k++) {
        const struct fq_haystack_needle *needle = &h->needle[k];
        size_t where = 0, before = 0;
        assert_true(needle->answers >= 1 && needle->at + needle->answers <= p->length + 1);
        assert_true(needle->depth < FQ_HAYSTACK_DEPTHS && needle->context < FQ_HAYSTACK_CONTEXTS);
        /* " of the WORD is NUMBER": once more in the prompt, nowhere in the control */
        assert_int_equal(seen_before(p->tokens, needle->at - 4, 4 + needle->answers, needle->at - 4, &where), 1);
        assert_int_equal(seen_before(p->control, needle->at - 4, 4 + needle->answers, needle->at - 4, &cue_begin), 0);
        assert_memory_equal(p->control + needle->at, p->tokens + needle->at, needle->answers * sizeof *p->tokens);
        for (size_t i = 0; i < where; i++)
            before += p->tokens[i] >= FIRST && p->tokens[i] < FIRST + TEXT;
        assert_int_equal(before, needle->depth * fillers / (FQ_HAYSTACK_DEPTHS - 1));
        asked[needle->context * FQ_HAYSTACK_DEPTHS + needle->depth]++;
    }
    assert_int_equal(p->tokens[0], bos >= 0 ? bos : p->tokens[0]);
    for (size_t i = 2; p->control[i] >= FIRST && p->control[i] < FIRST + TEXT; i++) /* filler without a seam */
        assert_int_equal(p->control[i], p->control[i - 1] + 1);
}

static void prompts_are_what_they_are_said_to_be(void **state) {
    static const int32_t bos[2] = {1, -1};
    struct fq_model *model = NULL;
    struct fq_error err = {0};
    int32_t tokens[TEXT];
    (void)state;
    if (!have_all())
        skip();
    if (fq_model_open("smollm2-135m", 8, 1, &model, &err) != 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < TEXT; i++)
        tokens[i] = FIRST + i;
    for (int b = 0; b < 2; b++) {
        struct fq_haystack_text text = {.tokens = tokens, .n = TEXT, .context = 512, .bos = bos[b]};
        struct fq_haystacks h, again;
        size_t asked[FQ_HAYSTACK_CONTEXTS * FQ_HAYSTACK_DEPTHS] = {0};
        if (fq_haystacks_make(model, &text, &h, &err) != 0 || fq_haystacks_make(model, &text, &again, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(h.n_needles, FQ_HAYSTACK_CONTEXTS * EACH);
        assert_int_equal(h.n_prompts, again.n_prompts);
        for (size_t i = 0; i < h.n_prompts; i++) {
            check_prompt(&h, &h.prompt[i], bos[b], asked);
            assert_int_equal(h.prompt[i].length, 128U << h.needle[h.prompt[i].first].context);
            assert_memory_equal(h.prompt[i].tokens, again.prompt[i].tokens, (h.prompt[i].length + 1) * sizeof *tokens);
        }
        for (size_t i = 0; i < FQ_HAYSTACK_CONTEXTS * FQ_HAYSTACK_DEPTHS; i++)
            assert_int_equal(asked[i], FQ_HAYSTACK_NEEDLES);
        fq_haystacks_free(&again);
        fq_haystacks_free(&h);
    }
    struct fq_haystack_text text = {.tokens = tokens, .n = 64, .context = 64, .bos = -1};
    struct fq_haystacks h;
    assert_int_equal(fq_haystacks_make(model, &text, &h, &err), 0); /* an eighth and a quarter of it: no room */
    assert_int_equal(h.n_needles, EACH);
    assert_int_equal(h.needle[0].context, FQ_HAYSTACK_CONTEXTS - 1);
    fq_haystacks_free(&h);
    text.context = 32;
    assert_int_equal(fq_haystacks_make(model, &text, &h, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "take at least"));
    fq_model_close(model);
}

/* ---- scores ---- */

static struct fq_codec *open_codec(const char *name, const char *parameters, size_t dim, enum fq_tensor tensor) {
    struct fq_codec_config config = {.shape = {dim, tensor}, .seed = 1, .backend = FQ_REF};
    struct fq_codec *codec = NULL;
    struct fq_error err = {0};
    if (fq_catalog_find(name, &config.method, &err) != 0)
        fail_msg("%s", err.text);
    fq_params_default(config.method, &config.params);
    if (fq_params_parse(config.method, parameters, &config.params, &err) != 0 ||
        fq_codec_open(&config, &codec, &err) != 0)
        fail_msg("%s", err.text);
    return codec;
}

/* An arm with this code on keys and values. */
static void arm(struct fq_ppl_reference *ref, const char *name, const char *parameters, struct fq_series_list *list,
                struct fq_ppl_arm_result *result) {
    const size_t dim = fq_ppl_reference_info(ref)->model->dim;
    struct fq_codec *key = open_codec(name, parameters, dim, FQ_KEY);
    struct fq_codec *value = open_codec(name, parameters, dim, FQ_VALUE);
    struct fq_error err = {0};
    if (fq_ppl_arm(ref, key, value, NULL, NULL, list, result, &err) != 0)
        fail_msg("%s", err.text);
    fq_codec_close(key);
    fq_codec_close(value);
}

static double mean(const struct fq_series_list *list, const char *metric, size_t n) {
    const struct fq_series *s = fq_series_find(list, metric, "kv");
    double sum = 0.0;
    assert_non_null(s);
    assert_string_equal(s->resample, "needle");
    if (n > 0)
        assert_int_equal(s->n, n);
    for (size_t i = 0; i < s->n; i++)
        sum += s->value[i];
    return sum / (double)s->n;
}

static void all_zero(const struct fq_series_list *list, const char *metric) {
    const struct fq_series *s = fq_series_find(list, metric, "kv");
    assert_non_null(s);
    for (size_t i = 0; i < s->n; i++)
        assert_true(s->value[i] == 0.0);
}

/* The grid's parts hold each needle once; half of so short a context has no room and no series. */
static void parts_make_the_whole(const struct fq_series_list *list) {
    size_t by_depth = 0, by_cell = 0;
    char name[40];
    for (int d = 0; d < FQ_HAYSTACK_DEPTHS; d++) {
        (void)snprintf(name, sizeof name, "needle_text_delta_nll_depth%d", d);
        by_depth += fq_series_find(list, name, "kv")->n;
        (void)snprintf(name, sizeof name, "needle_text_delta_nll_context2_depth%d", d);
        const struct fq_series *s = fq_series_find(list, name, "kv");
        assert_int_equal(s->n, FQ_HAYSTACK_NEEDLES);
        for (size_t i = 0; i < s->n; i++)
            assert_int_equal(s->label_b[i], 2 * FQ_HAYSTACK_DEPTHS + d);
        by_cell += s->n;
    }
    assert_int_equal(by_depth, EACH);
    assert_int_equal(by_cell, EACH);
    assert_int_equal(fq_series_find(list, "needle_text_delta_nll_context2", "kv")->n, EACH);
    assert_null(fq_series_find(list, "needle_text_delta_nll_context1", "kv"));
}

/* An agent that does nothing but see how it is told of windows. */
struct watcher {
    size_t windows, prompts, forgotten, tokens;
    bool in_window;
};

static int begin(void *arg, size_t chunk, struct fq_error *err) {
    struct watcher *w = arg;
    (void)chunk, (void)err;
    assert_false(w->in_window);
    w->in_window = true;
    w->windows++;
    return 0;
}

static void prompt_of(void *arg, size_t tokens) {
    struct watcher *w = arg;
    assert_true(w->in_window && tokens > CONTEXT / 2 && tokens < CONTEXT);
    w->prompts++;
}

static void forget(void *arg) {
    struct watcher *w = arg;
    w->in_window = false;
    w->forgotten++;
}

static int see(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
               size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    struct watcher *w = arg;
    (void)first_position, (void)n_heads, (void)dim, (void)data, (void)err;
    w->tokens += which == FQ_HOOK_KEY && layer == 0 ? n_tokens : 0;
    return 0;
}

static void an_onlooker_changes_nothing(struct fq_ppl_reference *ref) {
    struct watcher w = {0};
    const struct fq_ppl_agent agent = {
        .tensors = see, .window = begin, .prompt = prompt_of, .forget = forget, .arg = &w, .tensor = "kv"};
    struct fq_series_list list = {0};
    struct fq_error err = {0};
    char said[128], expected[128];
    if (fq_ppl_needle_text(ref, &agent, &list, &err) != 0)
        fail_msg("%s", err.text);
    all_zero(&list, "needle_text_delta_nll");
    assert_true(w.windows > 0 && w.prompts == w.windows && w.forgotten == w.windows);
    (void)snprintf(expected, sizeof expected, "%d needles in %zu prompts, %zu tokens in all", EACH, w.windows,
                   w.tokens);
    fq_ppl_needle_text_prompts(ref, said, sizeof said);
    assert_string_equal(said, expected);
    fq_series_list_free(&list);
}

static void the_default_model_recalls(void **state) {
    struct fq_ppl_reference *ref = NULL;
    struct fq_error err = {0};
    (void)state;
    if (!have_all())
        skip();
    const struct fq_ppl_config config = {
        .model = "smollm2-135m", .corpus = "jargon", .context = CONTEXT, .chunks = CHUNKS, .threads = 1};
    if (fq_ppl_reference_open(&config, &ref, &err) != 0)
        fail_msg("%s", err.text);

    struct fq_series_list without = {0}, exact = {0}, coarse = {0};
    struct fq_ppl_arm_result bare, result, ruined;
    char said[128];
    arm(ref, "null", "", &without, &bare);
    fq_ppl_needle_text_prompts(ref, said, sizeof said);
    assert_string_equal(said, "");
    assert_null(fq_series_find(&without, "needle_text_full", "kv"));

    fq_ppl_want_needle_text(ref, true);
    arm(ref, "null", "", &exact, &result);
    const double full = mean(&exact, "needle_text_full", EACH);
    const double control = mean(&exact, "needle_text_control", EACH);
    print_message("full precision recalls %.2f, without the sentence %.2f\n", full, control);
    assert_true(full > 0.5 && control == 0.0);
    all_zero(&exact, "needle_text_delta_nll");
    all_zero(&exact, "needle_text_delta_nll_context2_depth4");
    assert_true(mean(&exact, "needle_text_recall", 0) == 1.0);
    assert_true(mean(&exact, "needle_text_recall_all", EACH) == full);
    assert_true(mean(&exact, "needle_text_rank", EACH) >= 1.0);
    parts_make_the_whole(&exact);
    assert_true(result.key.vectors == bare.key.vectors && result.value.record_bytes == bare.value.record_bytes);
    assert_true(result.key.vectors > 0 && result.perplexity == bare.perplexity);

    arm(ref, "turboquant-mse", "bits=1", &coarse, &ruined);
    const double recall = mean(&coarse, "needle_text_recall", 0), delta = mean(&coarse, "needle_text_delta_nll", 0);
    print_message("1 bit recalls %.2f of them, its answers cost %.2f nats per token more\n", recall, delta);
    assert_true(recall < 0.3 && delta > 1.0);
    assert_true(mean(&coarse, "needle_text_rank", 0) > mean(&exact, "needle_text_rank", 0));
    assert_true(mean(&coarse, "needle_text_full", 0) == full);
    an_onlooker_changes_nothing(ref); /* behind a ruinous arm */
    fq_series_list_free(&without);
    fq_series_list_free(&exact);
    fq_series_list_free(&coarse);
    fq_ppl_reference_close(ref);
}

static int setup(void **state) {
    struct fq_error err = {0};
    (void)state;
    for (size_t i = 0; fq_methods[i]; i++)
        if (fq_catalog_add(fq_methods[i], &err) != 0)
            return -1;
    if (make_folder() != 0)
        return -1;
    return fq_pool_start(2, &err) == 0 ? 0 : fq_pool_start(1, &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(prompts_are_what_they_are_said_to_be),
                                       cmocka_unit_test(the_default_model_recalls)};
    return cmocka_run_group_tests(tests, setup, remove_folder);
}
