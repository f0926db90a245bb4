/* Attention errors at sampled queries against a direct computation in double: a made-up layer with grouped heads, a
 * soft cap, and a mask that leaves a sliding window and a sink; once as a cache that was written over, once as pairs
 * that are answered otherwise. Then arms on a model of a few kilobytes and on the default one. */
#include "harness/base/pool.h"
#include "harness/base/random.h"
#include "harness/data/manifest.h"
#include "harness/measure/catalog.h"
#include "harness/measure/perplexity.h"
#include "harness/measure/ppl_attention.h"
#include "methods/registry.h"
#include "tests/unit/data/tiny_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <unistd.h>

#include <cmocka.h>

enum { N = 48, SLOTS = 64, HEADS = 6, KV = 2, DIM = 8, GROUP = HEADS / KV, LAYERS = 2, WINDOW = 11, SINKS = 1 };

/* ---- the layer ---- */

struct layer {
    float kv[2][KV][SLOTS][DIM], hat[2][KV][SLOTS][DIM]; /* as made, as returned */
    float q[N][HEADS][DIM], mask[N][SLOTS];
    float scores[HEADS][N][SLOTS], values[KV][DIM][SLOTS]; /* what the cache holds, channel by channel */
    float scale, cap;
};

static void gaussian(uint64_t *at, double scale, size_t n, float *out) {
    double draw[2];
    for (size_t i = 0; i < n; i++, *at += 2) {
        fq_random_gaussian(fq_stream_key("attention test", 1), *at, 1, draw);
        out[i] = (float)(scale * draw[0]);
    }
}

/* step 0: what is returned is what was made. */
static struct layer *make_layer(float cap, float step) {
    struct layer *l = calloc(1, sizeof *l);
    uint64_t at = 0;
    assert_non_null(l);
    l->scale = 0.4F;
    l->cap = cap;
    gaussian(&at, 1.5, sizeof l->q / sizeof(float), l->q[0][0]);
    gaussian(&at, 1.0, sizeof l->kv / sizeof(float), l->kv[0][0][0]);
    for (size_t i = 0; i < sizeof l->kv / sizeof(float); i++) {
        const float x = (&l->kv[0][0][0][0])[i];
        (&l->hat[0][0][0][0])[i] = step > 0.0F ? step * roundf(x / step) : x;
    }
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < SLOTS; j++)
            l->mask[i][j] = j <= i && (j < SINKS || i - j < WINDOW) ? 0.0F : -INFINITY;
    return l;
}

/* Scores and values that the view shows: of what is returned, or as the model made them. */
static void fill(struct layer *l, bool returned) {
    const float(*k)[SLOTS][DIM] = returned ? l->hat[0] : l->kv[0], (*v)[SLOTS][DIM] = returned ? l->hat[1] : l->kv[1];
    for (size_t h = 0; h < HEADS; h++)
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < SLOTS; j++) {
                l->scores[h][i][j] = 0.0F;
                for (size_t c = 0; c < DIM; c++)
                    l->scores[h][i][j] += l->q[i][h][c] * k[h / GROUP][j][c];
            }
    for (size_t h = 0; h < KV; h++)
        for (size_t j = 0; j < SLOTS; j++)
            for (size_t c = 0; c < DIM; c++)
                l->values[h][c][j] = v[h][j][c];
}

/* Queries [first, first + n) of layer `layer`. */
static struct fq_attention_view view_of(struct layer *l, enum fq_attention_stage stage, size_t layer, size_t first,
                                        size_t n) {
    return (struct fq_attention_view){.stage = stage,
                                      .layer = layer,
                                      .first_position = first,
                                      .n_queries = n,
                                      .n_keys = SLOTS,
                                      .heads = HEADS,
                                      .kv_heads = KV,
                                      .dim = DIM,
                                      .data = l->scores[0][first],
                                      .query_stride = SLOTS,
                                      .head_stride = (size_t)N * SLOTS,
                                      .mask = l->mask[first],
                                      .mask_stride = SLOTS,
                                      .values = l->values[0][0],
                                      .value_stride = SLOTS,
                                      .value_head_stride = (size_t)DIM * SLOTS,
                                      .scale = l->scale,
                                      .cap = l->cap};
}

/* By the book. full: token j is read as it was made by query i. */
static double expected(const struct layer *l, size_t head, bool (*full)(size_t i, size_t j), double drop) {
    size_t positions[FQ_PPL_QUERIES];
    const size_t n = fq_ppl_queries(N, positions);
    double error = 0.0, energy = 0.0;
    for (size_t s = 0; s < n; s++) {
        const size_t i = positions[s];
        double out[2][DIM] = {{0}};
        for (int t = 0; t < 2; t++) {
            double w[N], sum = 0.0;
            for (size_t j = 0; j <= i; j++) {
                const bool own = t == 0 || (full && full(i, j));
                double dot = 0.0;
                for (size_t c = 0; c < DIM; c++)
                    dot += (double)l->q[i][head][c] *
                           (double)(own ? l->kv[0][head / GROUP][j][c] : l->hat[0][head / GROUP][j][c]);
                if (l->cap > 0.0F)
                    dot = (double)l->cap * tanh(dot / (double)l->cap);
                w[j] = isinf(l->mask[i][j]) ? 0.0 : exp((double)l->scale * dot);
                sum += w[j];
            }
            for (size_t j = 0; j <= i; j++) {
                const bool own = t == 0 || (full && full(i, j));
                const double weight = t == 1 && w[j] / sum < drop ? 0.0 : w[j] / sum;
                for (size_t c = 0; c < DIM; c++)
                    out[t][c] += weight * (double)(own ? l->kv[1][head / GROUP][j][c] : l->hat[1][head / GROUP][j][c]);
            }
        }
        for (size_t c = 0; c < DIM; c++) {
            error += (out[0][c] - out[1][c]) * (out[0][c] - out[1][c]);
            energy += out[0][c] * out[0][c];
        }
    }
    return error / energy;
}

static struct fq_ppl_attention *open_attention(size_t batch, bool written, struct fq_ppl_loop **loop) {
    const struct fq_ppl_attention_shape shape = {.layers = LAYERS,
                                                 .heads = HEADS,
                                                 .kv_heads = KV,
                                                 .dim = DIM,
                                                 .context = N,
                                                 .batch = batch,
                                                 .written = {written, written}};
    struct fq_ppl_attention *p = NULL;
    struct fq_error err = {0};
    assert_int_equal(fq_ppl_loop_open(LAYERS, HEADS, KV, 2, loop, &err), 0);
    fq_ppl_loop_window(*loop, 1);
    assert_int_equal(fq_ppl_attention_open(&shape, *loop, &p, &err), 0);
    return p;
}

/* Layer `layer` of window 1, head by head. */
static void errors_of(const struct fq_ppl_loop *loop, size_t layer, double out[HEADS]) {
    struct fq_series_list list = {0};
    struct fq_error err = {0};
    char name[40];
    (void)snprintf(name, sizeof name, "loop_attention_error_layer%zu", layer);
    assert_int_equal(fq_ppl_loop_series(loop, FQ_PPL_ATTENTION, "kv", &list, &err), 0);
    const struct fq_series *s = fq_series_find(&list, name, "kv");
    assert_non_null(s);
    assert_int_equal(s->n, 2 * HEADS);
    for (size_t i = 0; i < s->n; i++)
        if (s->label_a[i] == 1)
            out[s->label_b[i]] = s->value[i];
        else
            assert_true(s->value[i] == 0.0); /* a window that did not run */
    fq_series_list_free(&list);
}

static void close_to(double expected_value, double found) {
    if (!(fabs(found - expected_value) <= 1e-5 * expected_value))
        fail_msg("expected %.9g, found %.9g", expected_value, found);
}

/* A window in graphs of `batch` tokens through a cache that was written over, two layers that differ. */
static void write_over(struct layer *const layers[LAYERS], size_t batch, double out[LAYERS][HEADS]) {
    struct fq_ppl_loop *loop;
    struct fq_ppl_attention *p = open_attention(batch, true, &loop);
    for (size_t first = 0; first < N; first += batch)
        for (size_t layer = 0; layer < LAYERS; layer++) {
            struct layer *l = layers[layer];
            const size_t n = N - first < batch ? N - first : batch;
            for (size_t j = first; j < first + n; j++)
                for (size_t h = 0; h < KV; h++)
                    for (int t = 0; t < 2; t++)
                        fq_ppl_attention_row(p, (enum fq_hook_tensor)t, layer, h, j, l->kv[t][h][j], l->hat[t][h][j]);
            fq_ppl_attention_queries(p, first, n, l->q[first][0]);
            for (int stage = FQ_ATTENTION_SCORES; stage <= FQ_ATTENTION_OUTPUT; stage++) {
                const struct fq_attention_view v = view_of(l, (enum fq_attention_stage)stage, layer, first, n);
                fq_ppl_attention_look(p, &v);
            }
        }
    for (size_t layer = 0; layer < LAYERS; layer++)
        errors_of(loop, layer, out[layer]);
    fq_ppl_attention_close(p);
    fq_ppl_loop_close(loop);
}

static void positions_are_spread(void **state) {
    size_t p[FQ_PPL_QUERIES];
    (void)state;
    assert_int_equal(fq_ppl_queries(512, p), FQ_PPL_QUERIES);
    for (size_t k = 0; k < FQ_PPL_QUERIES; k++) /* one in each eighth of the second half */
        assert_true(p[k] >= 256 + 32 * k && p[k] < 256 + 32 * (k + 1));
    assert_int_equal(p[FQ_PPL_QUERIES - 1], 511);
    assert_int_equal(fq_ppl_queries(5, p), 3);
    assert_true(p[0] >= 2 && p[0] < p[1] && p[1] < p[2] && p[2] == 4);
}

static void a_written_cache(void **state) {
    static const float caps[2] = {0.0F, 3.0F};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct layer *const layers[LAYERS] = {make_layer(caps[i], 0.5F), make_layer(caps[i], 1.5F)};
        double found[LAYERS][HEADS], again[LAYERS][HEADS];
        fill(layers[0], true);
        fill(layers[1], true);
        write_over(layers, N, found);
        write_over(layers, 7, again); /* samples of one window in several graphs */
        for (size_t layer = 0; layer < LAYERS; layer++)
            for (size_t h = 0; h < HEADS; h++) {
                const double book = expected(layers[layer], h, NULL, 0.0);
                assert_true(book > 1e-3);
                close_to(book, found[layer][h]);
                close_to(book, again[layer][h]);
            }
        free(layers[0]);
        free(layers[1]);
    }
}

static void nothing_changed_is_no_error(void **state) {
    struct layer *const layers[LAYERS] = {make_layer(3.0F, 0.0F), make_layer(0.0F, 0.0F)};
    double found[LAYERS][HEADS];
    (void)state;
    fill(layers[0], true);
    fill(layers[1], true);
    write_over(layers, N, found);
    for (size_t layer = 0; layer < LAYERS; layer++)
        for (size_t h = 0; h < HEADS; h++)
            assert_true(found[layer][h] == 0.0);
    free(layers[0]);
    free(layers[1]);
}

static bool recent(size_t i, size_t j) {
    return j < SINKS || i - j < 5;
}

/* The model's own scores and values, and pairs behind the last five tokens and the sink answered from codes; weights
 * below a threshold dropped. */
static void pairs_answered_otherwise(void **state) {
    static const double drops[2] = {0.0, 0.05};
    (void)state;
    for (int d = 0; d < 2; d++) {
        struct layer *l = make_layer(3.0F, 0.8F);
        struct fq_ppl_loop *loop;
        struct fq_ppl_attention *p = open_attention(N, false, &loop);
        struct fq_attention_view v = view_of(l, FQ_ATTENTION_SCORES, 0, 0, N);
        size_t begin[FQ_PPL_QUERIES], end[FQ_PPL_QUERIES];
        float difference[N][DIM];
        fill(l, false);
        fq_ppl_attention_before(p, &v);
        for (size_t h = 0; h < HEADS; h++)
            for (size_t i = 0; i < N; i++)
                for (size_t j = 0; j <= i; j++) {
                    double dot = 0.0;
                    for (size_t c = 0; c < DIM; c++)
                        dot += (double)l->q[i][h][c] * (double)l->hat[0][h / GROUP][j][c];
                    l->scores[h][i][j] = recent(i, j) ? l->scores[h][i][j] : (float)dot;
                }
        fq_ppl_attention_after(p, &v);
        for (size_t h = 0; h < HEADS; h++) /* as the model would weigh them */
            for (size_t i = 0; i < N; i++) {
                double sum = 0.0, w[N];
                for (size_t j = 0; j <= i; j++) {
                    w[j] = isinf(l->mask[i][j]) ? 0.0
                                                : exp((double)l->scale * 3.0 * tanh((double)l->scores[h][i][j] / 3.0));
                    sum += w[j];
                }
                for (size_t j = 0; j <= i; j++)
                    l->scores[h][i][j] = (float)(w[j] / sum);
            }
        v.stage = FQ_ATTENTION_WEIGHTS;
        if (d > 0) {
            fq_ppl_attention_undropped(p, &v);
            for (size_t i = 0; i < sizeof l->scores / sizeof(float); i++)
                if ((double)(&l->scores[0][0][0])[i] < drops[d])
                    (&l->scores[0][0][0])[i] = 0.0F;
            fq_ppl_attention_dropped(p, &v);
        }
        v.stage = FQ_ATTENTION_OUTPUT;
        for (size_t k = 0; k < FQ_PPL_QUERIES; k++) {
            begin[k] = SINKS;
            end[k] = fq_ppl_attention_position(p, k) + 1 - 5;
        }
        for (size_t h = 0; h < KV; h++) {
            for (size_t j = 0; j < N; j++)
                for (size_t c = 0; c < DIM; c++)
                    difference[j][c] = l->kv[1][h][j][c] - l->hat[1][h][j][c];
            fq_ppl_attention_begin(p, &v, h, (struct fq_blas_matrix){l->values[h][0], SLOTS}, true);
            fq_ppl_attention_add(p, difference[0], begin, end);
            fq_ppl_attention_end(p);
        }
        double found[HEADS];
        errors_of(loop, 0, found);
        for (size_t h = 0; h < HEADS; h++)
            close_to(expected(l, h, recent, drops[d]), found[h]);
        fq_ppl_attention_close(p);
        fq_ppl_loop_close(loop);
        free(l);
    }
}

/* ---- arms ---- */

static struct fq_codec *open_codec(const char *name, const char *params, size_t dim, enum fq_tensor tensor) {
    struct fq_codec_config config = {.shape = {dim, tensor}, .seed = 1, .backend = FQ_REF};
    struct fq_codec *codec = NULL;
    struct fq_error err = {0};
    assert_int_equal(fq_catalog_find(name, &config.method, &err), 0);
    fq_params_default(config.method, &config.params);
    if (fq_params_parse(config.method, params, &config.params, &err) != 0 || fq_codec_open(&config, &codec, &err) != 0)
        fail_msg("%s", err.text);
    return codec;
}

/* The largest error of a layer and head, of all there are; which tensors the errors of keys were filed under. */
static double worst_of(struct fq_ppl_reference *ref, const char *name, const char *params, bool values, double *mean) {
    const struct fq_model_info *m = fq_ppl_reference_info(ref)->model;
    struct fq_codec *key = open_codec(name, params, m->dim, FQ_KEY),
                    *value = values ? open_codec(name, params, m->dim, FQ_VALUE) : NULL;
    struct fq_series_list list = {0};
    struct fq_ppl_arm_result result;
    struct fq_error err = {0};
    if (fq_ppl_arm(ref, key, value, NULL, NULL, &list, &result, &err) != 0)
        fail_msg("%s", err.text);
    const struct fq_series *s = fq_series_find(&list, "loop_attention_error", values ? "kv" : "key");
    assert_non_null(s);
    assert_int_equal(s->n, m->layers * m->heads);
    assert_non_null(fq_series_find(&list, "loop_rel_mse", values ? "key of kv" : "key"));
    assert_null(fq_series_find(&list, "loop_rel_mse", values ? "key" : "key of kv"));
    assert_true((fq_series_find(&list, "loop_rel_mse", "value of kv") != NULL) == values);
    double worst = 0.0;
    *mean = 0.0;
    for (size_t i = 0; i < s->n; i++) {
        worst = fmax(worst, s->value[i]);
        *mean += s->value[i] / (double)s->n;
    }
    fq_series_list_free(&list);
    fq_codec_close(key);
    fq_codec_close(value);
    return worst;
}

static void fewer_bits_more_error(void **state) {
    static const char *const bits[3] = {"bits=4", "bits=3", "bits=2"};
    const struct fq_ppl_config config = {
        .model = "smollm2-135m", .corpus = "jargon", .context = 64, .chunks = 1, .threads = 1};
    struct fq_ppl_reference *ref = NULL;
    struct fq_error err = {0};
    char path[4096], sha256[FQ_SHA256_HEX];
    double before = 0.0, mean;
    (void)state;
    if (!fq_model_available() || fq_manifest_resolve("smollm2-135m", "model", path, sizeof path, sha256, &err) != 0 ||
        fq_manifest_resolve("jargon", "corpus", path, sizeof path, sha256, &err) != 0) {
        print_message("the default model is not here, so this test is skipped\n");
        skip();
    }
    if (fq_ppl_reference_open(&config, &ref, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(worst_of(ref, "null", "", true, &mean) == 0.0);
    for (int i = 0; i < 3; i++) {
        (void)worst_of(ref, "turboquant-mse", bits[i], true, &mean);
        print_message("turboquant-mse %s: mean attention error %.3g\n", bits[i], mean);
        assert_true(mean > 1.5 * before && mean < 1.0);
        before = mean;
    }
    assert_true(worst_of(ref, "turboquant-mse", "bits=2", false, &mean) > 0.0 && mean < 1.0);
    fq_ppl_reference_close(ref);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_are_spread),        cmocka_unit_test(a_written_cache),
        cmocka_unit_test(nothing_changed_is_no_error), cmocka_unit_test(pairs_answered_otherwise),
        cmocka_unit_test(fewer_bits_more_error),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
