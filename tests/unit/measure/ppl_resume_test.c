/* Runs of a model that are killed between windows go on where they stopped and give the same to the last bit;
 * free-running generation follows full precision exactly as long as nothing changes. */
#include "harness/base/pool.h"
#include "harness/measure/perplexity.h"
#include "tests/unit/data/tiny_model.h"
#include "tests/unit/measure/logits_folder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

enum { CONTEXT = 64, CHUNKS = 3 };

/* ---- somebody on the cache: rounds values, counts what it sees, may be killed ---- */

struct rounder {
    float step;          /* 0: leaves everything as it is */
    size_t stop_at;      /* refuses this window */
    uint64_t seen, then; /* values seen; when the window began */
    size_t windows;      /* that really ran */
};

static int round_values(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                        size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    struct rounder *r = arg;
    (void)layer, (void)first_position, (void)err;
    if (which != FQ_HOOK_VALUE)
        return 0;
    r->seen += n_tokens * n_heads;
    for (size_t i = 0; r->step > 0.0F && i < n_tokens * n_heads * dim; i++)
        data[i] = r->step * roundf(data[i] / r->step);
    return 0;
}

static int begin_window(void *arg, size_t chunk, struct fq_error *err) {
    struct rounder *r = arg;
    if (chunk == r->stop_at)
        return fq_fail(err, FQ_FAILED, "killed at window %zu", chunk);
    r->then = r->seen;
    r->windows++;
    return 0;
}

static void save(void *arg, void *state) {
    const struct rounder *r = arg;
    const uint64_t more = r->seen - r->then;
    memcpy(state, &more, sizeof more);
}

static void restore(void *arg, size_t chunk, const void *state) {
    struct rounder *r = arg;
    uint64_t more;
    (void)chunk;
    memcpy(&more, state, sizeof more);
    r->seen += more;
}

static struct fq_ppl_agent agent_of(struct rounder *r) {
    return (struct fq_ppl_agent){.tensors = round_values,
                                 .window = begin_window,
                                 .arg = r,
                                 .state_bytes = sizeof(uint64_t),
                                 .save = save,
                                 .restore = restore,
                                 .tensor = "value"};
}

/* A model of a few kilobytes whose words are letters. */
static struct fq_ppl_reference *open_reference(void) {
    char model[64], corpus[64];
    struct tiny_model tiny;
    struct fq_ppl_reference *ref = NULL;
    struct fq_error err = {0};
    (void)snprintf(model, sizeof model, "%s/tiny.gguf", folder);
    (void)snprintf(corpus, sizeof corpus, "%s/tiny.txt", folder);
    tiny_build(&tiny, TINY_LLAMA);
    tiny.reads_text = true;
    tiny_write(&tiny, model, 0);
    tiny_free(&tiny);
    FILE *f = fopen(corpus, "wb");
    assert_non_null(f);
    for (size_t i = 0; i < CONTEXT * CHUNKS + 9; i++)
        (void)fputc('a' + (int)((i * i + 3 * i) % 23), f);
    (void)fclose(f);
    const struct fq_ppl_config config = {
        .model = model, .corpus = corpus, .context = CONTEXT, .chunks = CHUNKS, .threads = 1};
    if (fq_ppl_reference_open(&config, &ref, &err) != 0)
        fail_msg("%s", err.text);
    return ref;
}

static int run(struct fq_ppl_reference *ref, struct rounder *r, struct fq_series_list *list, double *perplexity) {
    const struct fq_ppl_agent agent = agent_of(r);
    struct fq_error err = {0};
    return fq_ppl_run(ref, &agent, NULL, NULL, list, perplexity, &err);
}

static void same_series(const struct fq_series_list *a, const struct fq_series_list *b) {
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_string_equal(a->series[i].metric, b->series[i].metric);
        assert_int_equal(a->series[i].n, b->series[i].n);
        assert_memory_equal(a->series[i].value, b->series[i].value, a->series[i].n * sizeof(double));
        assert_memory_equal(a->series[i].label_a, b->series[i].label_a, a->series[i].n * sizeof(int32_t));
    }
}

static void resumed(struct fq_ppl_reference *ref, const char *identity, size_t windows, const struct rounder *whole,
                    const struct fq_series_list *expected, double perplexity, const char *path) {
    struct rounder again = {.step = 0.5F, .stop_at = CHUNKS};
    struct fq_series_list list = {0};
    double found = 0.0;
    fq_ppl_keep(ref, path, identity);
    assert_int_equal(run(ref, &again, &list, &found), 0);
    assert_int_equal(fq_ppl_resumed(ref), windows);
    assert_int_equal(again.windows, CHUNKS - windows);
    assert_int_equal(again.seen, whole->seen);
    assert_memory_equal(&found, &perplexity, sizeof found);
    same_series(expected, &list);
    fq_series_list_free(&list);
}

static void a_killed_run_goes_on_at_its_window(void **state) {
    (void)state;
    if (!fq_model_available())
        skip();
    struct fq_ppl_reference *ref = open_reference();
    struct rounder whole = {.step = 0.5F, .stop_at = CHUNKS}, killed = {.step = 0.5F, .stop_at = 2};
    struct fq_series_list expected = {0}, list = {0};
    char path[64];
    double perplexity = 0.0, ignored;
    (void)snprintf(path, sizeof path, "%s/cell.windows", folder);
    assert_int_equal(run(ref, &whole, &expected, &perplexity), 0);
    const double change = perplexity - fq_ppl_reference_info(ref)->perplexity;
    assert_true(change > 0.0 || change < 0.0);

    fq_ppl_keep(ref, path, "a cell");
    assert_int_not_equal(run(ref, &killed, &list, &ignored), 0);
    fq_series_list_free(&list);
    resumed(ref, "a cell", 2, &whole, &expected, perplexity, path);
    resumed(ref, "a cell", CHUNKS - 1, &whole, &expected, perplexity, path); /* the last window always runs */

    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0); /* killed while a window was written */
    resumed(ref, "a cell", 1, &whole, &expected, perplexity, path);
    resumed(ref, "another cell", 0, &whole, &expected, perplexity, path);
    fq_series_list_free(&expected);
    fq_ppl_reference_close(ref);
}

static double mean(const struct fq_series_list *list, const char *metric) {
    const struct fq_series *s = fq_series_find(list, metric, "value");
    double sum = 0.0;
    assert_non_null(s);
    assert_int_equal(s->n, CHUNKS);
    for (size_t i = 0; i < s->n; i++)
        sum += s->value[i];
    return sum / (double)s->n;
}

static void generation_agrees_until_something_changes(void **state) {
    (void)state;
    if (!fq_model_available())
        skip();
    struct fq_ppl_reference *ref = open_reference();
    const double all = (double)fq_ppl_generated(ref);
    static const float steps[2] = {0.0F, 50.0F};
    assert_int_equal(fq_ppl_generated(ref), CONTEXT / 2);
    for (int i = 0; i < 2; i++) {
        struct rounder r = {.step = steps[i], .stop_at = CHUNKS};
        const struct fq_ppl_agent agent = agent_of(&r);
        struct fq_series_list list = {0};
        struct fq_error err = {0};
        if (fq_ppl_generate(ref, &agent, &list, &err) != 0)
            fail_msg("%s", err.text);
        const double same = mean(&list, "generation_agreement"), never = mean(&list, "generation_same");
        if (i == 0)
            assert_true(same == all && never == 1.0);
        else
            assert_true(same < 0.7 * all && never < 1.0);
        fq_series_list_free(&list);
    }
    fq_ppl_reference_close(ref);
}

static int setup(void **state) {
    struct fq_error err = {0};
    (void)state;
    if (make_folder() != 0)
        return -1;
    return fq_pool_start(2, &err) == 0 ? 0 : fq_pool_start(1, &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_killed_run_goes_on_at_its_window),
                                       cmocka_unit_test(generation_agrees_until_something_changes)};
    return cmocka_run_group_tests(tests, setup, remove_folder);
}
