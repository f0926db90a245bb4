/* Centring: what is taken off comes back, nothing looks ahead or at its own window, the codes alone are enough, and a
 * codec that spends its bits on a common part of the keys gets them back. */
#include "tests/unit/measure/fakes.h"

#include "harness/base/random.h"
#include "harness/data/dataset.h"
#include "harness/measure/codec_internal.h"
#include "harness/measure/measure_internal.h"
#include "methods/registry.h"

enum { LAYERS = 2, KV_HEADS = 2, HEADS = 4, DIM = 64, CONTEXT = 100, TOKENS = 4 * CONTEXT };
enum { BLOCK = 32, QUERIES = 3 };

static const char kv_path[] = "/tmp/fairquant-centre-test.h5", other_path[] = "/tmp/fairquant-centre-test-2.h5";

static void must(int code, const struct fq_error *err) {
    if (code != FQ_OK)
        fail_msg("%s", err->text);
}

static void gaussian(const char *stream, size_t n, double scale, float *out) {
    for (size_t i = 0; i < n; i++) {
        double x;
        fq_random_gaussian(fq_stream_key(stream, 3), i, 1, &x);
        out[i] = (float)(scale * x);
    }
}

/* What is common to the keys of a head (by a constant offset), and at a position (by the bias). */
static float offset_of(size_t layer, size_t head, size_t i) {
    return 20.0F * (float)cos(1.7 * (double)i + 3.0 * (double)layer + (double)head);
}

static float bias_of(size_t layer, size_t head, size_t position, size_t i) {
    return offset_of(layer, head, i) * (float)cos(0.05 * (double)position) + (float)i;
}

/* ---- a KV set: noise around the bias, or around the offset ---- */

static int write_set(const char *path, bool with_bias, float changed) {
    struct fq_error err = {0};
    struct fq_kv_writer *w = NULL;
    const struct fq_kv_attributes a = {.model = "made",
                                       .model_sha256 = "00",
                                       .corpus = "made",
                                       .corpus_sha256 = "00",
                                       .source = "centre_test",
                                       .layers = LAYERS,
                                       .kv_heads = KV_HEADS,
                                       .heads = HEADS,
                                       .dim = DIM,
                                       .tokens = TOKENS,
                                       .context = CONTEXT};
    const size_t positions = (size_t)LAYERS * KV_HEADS * CONTEXT;
    float *rows = malloc(sizeof(float) * TOKENS * HEADS * DIM), *bias = malloc(sizeof(float) * positions * DIM);
    int code = rows && bias ? fq_kv_writer_open(path, &a, &w, &err) : FQ_FAILED;
    for (size_t layer = 0; code == FQ_OK && layer < LAYERS; layer++)
        for (int which = 0; code == FQ_OK && which < 3; which++) {
            const size_t heads = which == 2 ? HEADS : KV_HEADS;
            gaussian(which == 0 ? "data" : "query", (size_t)TOKENS * HEADS * DIM, 1.0, rows);
            for (size_t t = 0; which == 0 && t < TOKENS; t++)
                for (size_t i = 0; i < heads * DIM; i++)
                    rows[t * heads * DIM + i] +=
                        with_bias ? bias_of(layer, i / DIM, t % CONTEXT, i % DIM) : offset_of(layer, i / DIM, i % DIM);
            if (which == 0)
                rows[5 * heads * DIM] += changed; /* token 5, in window 0 */
            code = fq_kv_writer_rows(w, which, layer, 0, TOKENS, rows, &err);
        }
    for (size_t p = 0; code == FQ_OK && with_bias && p < positions; p++)
        for (size_t i = 0; i < DIM; i++)
            bias[p * DIM + i] = bias_of(p / CONTEXT / KV_HEADS, p / CONTEXT % KV_HEADS, p % CONTEXT, i);
    if (code == FQ_OK && with_bias)
        code = fq_kv_writer_key_bias(w, bias, &err);
    if (code == FQ_OK)
        code = fq_kv_writer_commit(w, &err);
    free(rows);
    free(bias);
    return code;
}

static int setup(void **state) {
    struct fq_error err = {0};
    (void)state;
    for (size_t i = 0; fq_methods[i]; i++)
        if (fq_catalog_add(fq_methods[i], &err) != 0)
            return -1;
    return write_set(kv_path, true, 0.0F);
}

static int teardown(void **state) {
    (void)state;
    (void)unlink(other_path);
    return unlink(kv_path);
}

static struct fq_dataset *open_set(const char *path) {
    struct fq_error err = {0};
    struct fq_dataset *set = NULL;
    must(fq_dataset_open(path, &set, &err), &err);
    return set;
}

static double mean(const struct fq_series_list *list, const char *metric) {
    const struct fq_series *s = fq_series_find(list, metric, "key");
    if (s == NULL)
        fail_msg("no series %s", metric);
    double sum = 0.0;
    for (size_t i = 0; i < s->n; i++)
        sum += s->value[i];
    return sum / (double)s->n;
}

static void near(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.9g is not within %.3g of %.9g", a, tolerance, b);
}

static struct fq_codec *open_named(const char *name, const char *bits) {
    struct fq_error err = {0};
    struct fq_codec *codec = NULL;
    struct fq_codec_config config = {.shape = {DIM, FQ_KEY}, .seed = 5, .backend = FQ_REF};
    must(fq_catalog_find(name, &config.method, &err), &err);
    fq_params_default(config.method, &config.params);
    if (bits)
        must(fq_params_set(config.method, &config.params, "bits", bits, &err), &err);
    must(fq_codec_open(&config, &codec, &err), &err);
    return codec;
}

static void measure(struct fq_codec *codec, const char *path, enum fq_centre_kind kind, unsigned metrics,
                    struct fq_series_list *list) {
    struct fq_error err = {0};
    struct fq_measure_options options;
    struct fq_dataset *set = open_set(path);
    fq_measure_options_default(&options);
    options.metrics = metrics;
    options.centre = kind;
    must(fq_measure_dataset(codec, set, &options, list, &err), &err);
    fq_dataset_close(set);
}

/* ---- the centres themselves ---- */

static struct fq_centre *open_centre(enum fq_centre_kind kind) {
    struct fq_error err = {0};
    struct fq_centre *c = NULL;
    must(fq_centre_open(kind, 1, 1, DIM, CONTEXT, &c, &err), &err);
    for (size_t p = 0; kind == FQ_CENTRE_ROPE_BIAS && p < CONTEXT; p++)
        for (size_t i = 0; i < DIM; i++)
            fq_centre_table(c, 0, 0)[p * DIM + i] = bias_of(0, 0, p, i);
    if (kind == FQ_CENTRE_CALIBRATED) {
        float rows[2 * DIM];
        for (size_t i = 0; i < DIM; i++) {
            rows[i] = offset_of(0, 0, i) + 1.0F;
            rows[DIM + i] = offset_of(0, 0, i) - 1.0F;
        }
        fq_centre_learn(c, 0, 0, 2, DIM, rows);
    }
    return c;
}

static float *keys(size_t n) {
    float *x = malloc(n * DIM * sizeof *x);
    assert_non_null(x);
    gaussian("data", n * DIM, 1.0, x);
    for (size_t i = 0; i < n * DIM; i++)
        x[i] += offset_of(0, 0, i % DIM);
    return x;
}

static void names_are_those_of_a_sweep(void **state) {
    (void)state;
    struct fq_error err = {0};
    for (int i = 0; i < FQ_CENTRE_KINDS; i++) {
        enum fq_centre_kind kind;
        assert_int_equal(fq_centre_parse(fq_centre_name((enum fq_centre_kind)i), &kind, &err), FQ_OK);
        assert_int_equal(kind, i);
    }
    enum fq_centre_kind kind;
    assert_int_equal(fq_centre_parse("token-mean", &kind, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "calibrated"));
    assert_non_null(strstr(err.text, "token-mean"));
}

/* A codec that keeps everything gives everything back, whatever was taken off in between; so do its scores. */
static void exact_codecs_stay_exact(void **state) {
    (void)state;
    struct fq_error err = {0};
    const struct fq_method *const methods[] = {&fake_store, &fake_group};
    float *x = keys(CONTEXT), *xhat = malloc(sizeof(float) * CONTEXT * DIM), q[QUERIES * DIM],
          *scores = malloc(sizeof(float) * QUERIES * CONTEXT);
    gaussian("query", QUERIES * DIM, 1.0, q);
    for (size_t m = 0; m < 2; m++)
        for (int kind = 0; kind < FQ_CENTRE_KINDS; kind++) {
            struct fq_codec *codec = fake_open(methods[m], DIM);
            struct fq_centre *c = open_centre((enum fq_centre_kind)kind);
            const struct fq_centre_job job = {
                .n = CONTEXT, .x = x, .xhat = xhat, .n_queries = QUERIES, .q = q, .scores = scores};
            must(fq_centre_run(c, codec, &job, &err), &err);
            for (size_t i = 0; i < (size_t)CONTEXT * DIM; i++)
                near((double)xhat[i], (double)x[i], kind == FQ_CENTRE_NONE ? 0.0 : 1e-5);
            for (size_t k = 0; k < QUERIES; k++)
                for (size_t t = 0; t < CONTEXT; t++)
                    near((double)scores[k * CONTEXT + t], fq_dot(DIM, q + k * DIM, x + t * DIM), 1e-3);
            struct fq_bytes bytes;
            fq_codec_bytes(codec, &bytes);
            assert_int_equal(bytes.vectors, CONTEXT); /* each key once, in blocks of whole groups */
            assert_int_equal(bytes.tail_bytes, 0);
            fq_centre_close(c);
            fq_codec_close(codec);
        }
    free(x);
    free(xhat);
    free(scores);
}

/* A later token changes nothing before it, to the bit: not the centre, not the codes, not the decoded keys. */
static void a_running_mean_is_causal(void **state) {
    (void)state;
    struct fq_error err = {0};
    enum { CHANGED = 70 };
    float *x = keys(CONTEXT), *a = malloc(sizeof(float) * CONTEXT * DIM), *b = malloc(sizeof(float) * CONTEXT * DIM);
    struct fq_codec *codec = open_named("turboquant-mse", "2");
    struct fq_centre *c = open_centre(FQ_CENTRE_RUNNING);
    struct fq_centre_job job = {.n = CONTEXT, .x = x, .xhat = a};
    must(fq_centre_run(c, codec, &job, &err), &err);
    for (size_t i = 0; i < DIM; i++)
        x[CHANGED * DIM + i] += 50.0F;
    job.xhat = b;
    must(fq_centre_run(c, codec, &job, &err), &err);
    assert_memory_equal(a, b, sizeof(float) * CHANGED * DIM);
    assert_memory_not_equal(a + CHANGED * DIM, b + CHANGED * DIM, sizeof(float) * DIM);
    /* Its own block keeps its centre, the next block does not. */
    assert_memory_equal(a + (CHANGED + 1) * DIM, b + (CHANGED + 1) * DIM,
                        sizeof(float) * (3 * BLOCK - CHANGED - 1) * DIM);
    assert_memory_not_equal(a + 3 * BLOCK * DIM, b + 3 * BLOCK * DIM, sizeof(float) * DIM);
    fq_centre_close(c);
    fq_codec_close(codec);
    free(x);
    free(a);
    free(b);
}

/* Records of every block, moved elsewhere, and a reader that has seen nothing else: the same keys to the bit. */
static void records_alone_give_the_running_mean(void **state) {
    (void)state;
    struct fq_error err = {0};
    enum { WHOLE = 3 * BLOCK };
    float *x = keys(WHOLE), xhat[BLOCK * DIM], *all = malloc(sizeof(float) * WHOLE * DIM), vectors[BLOCK * DIM];
    uint8_t *records[WHOLE / BLOCK];
    struct fq_codec *writer = open_named("turboquant-mse", "3"), *reader = open_named("turboquant-mse", "3");
    struct fq_centre *w = open_centre(FQ_CENTRE_RUNNING), *r = open_centre(FQ_CENTRE_RUNNING);
    size_t bytes = 0;
    for (size_t b = 0; b < WHOLE / BLOCK; b++) {
        const struct fq_centre_job job = {
            .first = b * BLOCK, .n = BLOCK, .x = x + b * BLOCK * DIM, .xhat = all + b * BLOCK * DIM};
        must(fq_centre_run(w, writer, &job, &err), &err);
        const uint8_t *at = fq_codec_records(writer, &bytes);
        records[b] = malloc(bytes);
        assert_non_null(records[b]);
        memcpy(records[b], at, bytes);
    }
    for (size_t i = 0; i < (size_t)WHOLE * DIM; i++)
        x[i] = 0.0F; /* gone */
    float first[BLOCK * DIM];
    gaussian("other", BLOCK * DIM, 1.0, first);
    must(fq_codec_encode(reader, BLOCK, first, &err), &err); /* room for as many records */
    for (size_t b = 0; b < WHOLE / BLOCK; b++) {
        fq_centre_vectors(r, 0, 0, b * BLOCK, BLOCK, vectors);
        must(fq_codec_decode_from(reader, BLOCK, records[b], xhat, &err), &err);
        for (size_t i = 0; i < BLOCK * DIM; i++)
            xhat[i] += vectors[i];
        fq_centre_follow(r, 0, 0, b * BLOCK, BLOCK, xhat);
        assert_memory_equal(xhat, all + b * BLOCK * DIM, sizeof xhat);
        free(records[b]);
    }
    fq_centre_close(w);
    fq_centre_close(r);
    fq_codec_close(writer);
    fq_codec_close(reader);
    free(x);
    free(all);
}

/* Rows for a codec that learns: the same centre, to the bit where it does not depend on what was decoded. */
static void training_rows_lose_the_same_centre(void **state) {
    (void)state;
    for (int kind = 0; kind < FQ_CENTRE_KINDS; kind++) {
        float *x = keys(CONTEXT), *y = keys(CONTEXT), *v = malloc(sizeof(float) * CONTEXT * DIM);
        struct fq_centre *c = open_centre((enum fq_centre_kind)kind);
        fq_centre_take_off(c, 0, 0, 0, CONTEXT, y);
        if (kind == FQ_CENTRE_RUNNING) {
            assert_memory_equal(x, y, sizeof(float) * BLOCK * DIM);
            for (size_t i = 0; i < DIM; i++) { /* block 1 loses the mean of block 0 */
                double sum = 0.0;
                for (size_t t = 0; t < BLOCK; t++)
                    sum += (double)x[t * DIM + i];
                near((double)(x[BLOCK * DIM + i] - y[BLOCK * DIM + i]), sum / BLOCK, 1e-5);
            }
        } else {
            fq_centre_vectors(c, 0, 0, 0, CONTEXT, v);
            for (size_t i = 0; i < (size_t)CONTEXT * DIM; i++)
                assert_true(y[i] == x[i] - v[i]);
        }
        fq_centre_close(c);
        free(x);
        free(y);
        free(v);
    }
}

/* Adding one number to all logits changes no softmax: a reader may leave <q, m> out. */
static void a_softmax_does_not_see_the_constant(void **state) {
    (void)state;
    struct fq_error err = {0};
    enum { N = 64, D = 64 };
    float truth[N], with[N], without[N], value[N * D], noise[N];
    gaussian("data", N, 8.0, truth);
    gaussian("other", N, 1.0, noise);
    gaussian("query", N * D, 1.0, value);
    for (size_t i = 0; i < N; i++) {
        with[i] = truth[i] + noise[i];
        without[i] = with[i] - 137.5F;
    }
    struct attention a = {0}, b = {0};
    must(fq_attention_add(&a, N - 1, D, truth, with, value, NULL, &err), &err);
    must(fq_attention_add(&b, N - 1, D, truth, without, value, NULL, &err), &err);
    assert_true(a.kl > 1e-4);
    near(b.kl, a.kl, 1e-5 * a.kl);
    near(b.output, a.output, 1e-4 * a.output);
    near(b.overlap8, a.overlap8, 0.0);
    assert_true(b.logit_error2 > 100.0 * a.logit_error2);
}

/* ---- on a KV set ---- */

enum { ALL = FQ_MEASURE_DISTORTION | FQ_MEASURE_INNER_PRODUCT | FQ_MEASURE_ATTENTION | FQ_MEASURE_BYTES };

static void exact_keys_stay_exact_with_every_centre(void **state) {
    (void)state;
    for (int kind = 0; kind < FQ_CENTRE_KINDS; kind++) {
        struct fq_series_list list = {0};
        struct fq_codec *codec = fake_open(&fake_group, DIM);
        measure(codec, kv_path, (enum fq_centre_kind)kind, ALL, &list);
        near(mean(&list, "rel_mse"), 0.0, 1e-12);
        near(mean(&list, "softmax_kl"), 0.0, 1e-6);
        near(mean(&list, "ip_slope"), 1.0, 1e-5);
        near(mean(&list, "ip_rel_rmse"), 0.0, 1e-5);
        near(mean(&list, "logit_rmse"), 0.0, 1e-4);
        near(mean(&list, "topk_overlap_8"), 1.0, 0.0);
        /* d floats for each layer and head are shared by all tokens of a calibrated centre; the others cost nothing */
        const double floats = kind == FQ_CENTRE_CALIBRATED ? 4.0 * LAYERS * KV_HEADS * DIM : 0.0;
        near(mean(&list, "shared_bytes"), FAKE_SHARED_BYTES + floats, 0.0);
        near(mean(&list, "rate_bits"), 32.0, 0.0);
        assert_int_equal(fq_series_find(&list, "softmax_kl", "key")->n, LAYERS * HEADS);
        fq_series_list_free(&list);
        fq_codec_close(codec);
    }
}

/* Unit noise around offsets of norm 20 sqrt(d / 2): without a centre the code pays for the offset. With one, what is
 * left of the error is that of the noise alone: the same code on the same noise with no offset. */
static void a_centre_gives_back_what_an_offset_cost(void **state) {
    (void)state;
    struct fq_error err = {0};
    assert_int_equal(write_set(other_path, false, 0.0F), FQ_OK);
    float *noise = malloc(sizeof(float) * TOKENS * DIM), *decoded = malloc(sizeof(float) * TOKENS * DIM);
    assert_true(noise && decoded);
    gaussian("data", (size_t)TOKENS * DIM, 1.0, noise);
    struct fq_codec *codec = open_named("turboquant-mse", "3");
    must(fq_codec_roundtrip(codec, TOKENS, noise, decoded, &err), &err);
    double alone = 0.0, energy = 0.0;
    for (size_t i = 0; i < (size_t)TOKENS * DIM; i++)
        alone += pow((double)noise[i] - (double)decoded[i], 2) / TOKENS;
    for (size_t layer = 0; layer < LAYERS; layer++)
        for (size_t head = 0; head < KV_HEADS; head++)
            for (size_t i = 0; i < DIM; i++)
                energy += (pow((double)offset_of(layer, head, i), 2) + 1.0) / (LAYERS * KV_HEADS);
    fq_codec_close(codec);

    double rel[FQ_CENTRE_KINDS], kl[FQ_CENTRE_KINDS];
    for (int kind = FQ_CENTRE_NONE; kind <= FQ_CENTRE_RUNNING; kind++) {
        struct fq_series_list list = {0};
        codec = open_named("turboquant-mse", "3");
        measure(codec, other_path, (enum fq_centre_kind)kind, ALL & ~(unsigned)FQ_MEASURE_BYTES, &list);
        rel[kind] = mean(&list, "rel_mse");
        kl[kind] = mean(&list, "softmax_kl");
        fq_series_list_free(&list);
        fq_codec_close(codec);
    }
    print_message("rel_mse %.5f %.5f %.5f, of the noise alone %.5f; softmax_kl %.4f %.4f %.4f\n", rel[0], rel[1],
                  rel[2], alone / energy, kl[0], kl[1], kl[2]);
    /* rel_mse is against ||k||^2 as ever, so the noise's own error counts alone / energy. */
    near(rel[FQ_CENTRE_CALIBRATED], alone / energy, 0.15 * alone / energy);
    assert_true(rel[FQ_CENTRE_NONE] > 20.0 * rel[FQ_CENTRE_CALIBRATED]);
    assert_true(kl[FQ_CENTRE_NONE] > 5.0 * kl[FQ_CENTRE_CALIBRATED]);
    /* Running: the first 32 of 100 tokens have no mean yet, the rest have one. */
    near(rel[FQ_CENTRE_RUNNING] / rel[FQ_CENTRE_NONE], 0.32 + 0.68 * rel[FQ_CENTRE_CALIBRATED] / rel[FQ_CENTRE_NONE],
         0.05);
    free(noise);
    free(decoded);
}

/* The bias moves with the position, so a mean does not catch it, and the bias itself does. */
static void a_bias_is_taken_off_where_it_stands(void **state) {
    (void)state;
    double rel[FQ_CENTRE_KINDS];
    for (int kind = 0; kind < FQ_CENTRE_KINDS; kind++) {
        struct fq_series_list list = {0};
        struct fq_codec *codec = open_named("turboquant-mse", "3");
        measure(codec, kv_path, (enum fq_centre_kind)kind, FQ_MEASURE_DISTORTION, &list);
        rel[kind] = mean(&list, "rel_mse");
        fq_series_list_free(&list);
        fq_codec_close(codec);
    }
    assert_true(rel[FQ_CENTRE_ROPE_BIAS] < 0.05 * rel[FQ_CENTRE_NONE]);
    assert_true(rel[FQ_CENTRE_ROPE_BIAS] < 0.2 * rel[FQ_CENTRE_CALIBRATED]);
}

/* ---- what a codec is given: first coordinate of the first key of each window (a window may come in several calls) --
 */

static float spied[64];
static size_t n_spied;

static size_t encode_spying(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const bool again = n_spied > 0 && spied[n_spied - 1] == y[0];
    if (n_groups == CONTEXT && !again && n_spied < sizeof spied / sizeof spied[0])
        spied[n_spied++] = y[0];
    return fake_encode(call, n_groups, y, records);
}

FAKE_METHOD(fake_spy, "fake-spy", fake_footprint, encode_spying, fake_decode);

static void a_calibrated_mean_does_not_know_its_own_window(void **state) {
    (void)state;
    float before[4];
    struct fq_series_list list = {0};
    assert_int_equal(write_set(other_path, false, 0.0F), FQ_OK);
    struct fq_codec *codec = fake_open(&fake_spy, DIM);
    n_spied = 0;
    measure(codec, other_path, FQ_CENTRE_CALIBRATED, FQ_MEASURE_DISTORTION, &list);
    memcpy(before, spied, sizeof before); /* windows 0 to 3 of layer 0, head 0 */
    assert_int_equal(write_set(other_path, false, 1000.0F), FQ_OK);
    n_spied = 0;
    measure(codec, other_path, FQ_CENTRE_CALIBRATED, FQ_MEASURE_DISTORTION, &list);
    assert_true(spied[0] == before[0]);
    assert_true(spied[2] == before[2]);
    near((double)before[1] - (double)spied[1], 1000.0 / (2 * CONTEXT), 1e-3);
    near((double)before[3] - (double)spied[3], 1000.0 / (2 * CONTEXT), 1e-3);
    fq_series_list_free(&list);
    fq_codec_close(codec);
}

/* A codec that learns is fitted to keys without their centre, and so is no worse for the offset. */
static void a_codec_that_learns_learns_centred_keys(void **state) {
    (void)state;
    double rel[2];
    assert_int_equal(write_set(other_path, false, 0.0F), FQ_OK);
    for (int kind = FQ_CENTRE_NONE; kind <= FQ_CENTRE_CALIBRATED; kind++) {
        struct fq_series_list list = {0};
        struct fq_codec *codec = open_named("pq", NULL);
        measure(codec, other_path, (enum fq_centre_kind)kind, FQ_MEASURE_DISTORTION, &list);
        rel[kind] = mean(&list, "rel_mse");
        fq_series_list_free(&list);
        fq_codec_close(codec);
    }
    print_message("pq: rel_mse %.6f without, %.6f with a calibrated mean\n", rel[0], rel[1]);
    near(rel[1], rel[0], 0.1 * rel[0]); /* k-means finds an offset by itself */
}

static void what_has_no_centre_is_refused(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_series_list list = {0};
    struct fq_measure_options options;
    struct fq_dataset *set = open_set(kv_path), *sphere = NULL;
    fq_measure_options_default(&options);
    options.metrics = FQ_MEASURE_DISTORTION;
    struct fq_codec_config config = {.method = &fake_store, .shape = {DIM, FQ_VALUE}, .seed = 1, .backend = FQ_REF};
    struct fq_codec *value = NULL, *key = fake_open(&fake_store, DIM);
    must(fq_codec_open(&config, &value, &err), &err);
    options.centre = FQ_CENTRE_RUNNING;
    assert_int_equal(fq_measure_dataset(value, set, &options, &list, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "only keys are centred"));
    must(fq_dataset_generate("sphere", 40, DIM, 1, &sphere, &err), &err);
    assert_int_equal(fq_measure_dataset(key, sphere, &options, &list, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "plain vectors"));
    options.centre = FQ_CENTRE_CALIBRATED;
    must(fq_dataset_restrict(set, NULL, 0, CONTEXT, &err), &err);
    assert_int_equal(fq_measure_dataset(key, set, &options, &list, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "one window"));
    fq_dataset_close(set);
    assert_int_equal(write_set(other_path, false, 0.0F), FQ_OK);
    set = open_set(other_path);
    options.centre = FQ_CENTRE_ROPE_BIAS;
    assert_int_equal(fq_measure_dataset(key, set, &options, &list, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "no key_bias"));
    assert_non_null(fq_centre_obstacle(FQ_CENTRE_RUNNING, fq_dataset_info(set), FQ_KEY, false));
    assert_null(fq_centre_obstacle(FQ_CENTRE_CALIBRATED, fq_dataset_info(set), FQ_KEY, false));
    fq_dataset_close(set);
    fq_dataset_close(sphere);
    fq_codec_close(key);
    fq_codec_close(value);
    fq_series_list_free(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_a_sweep),
        cmocka_unit_test(exact_codecs_stay_exact),
        cmocka_unit_test(a_running_mean_is_causal),
        cmocka_unit_test(records_alone_give_the_running_mean),
        cmocka_unit_test(training_rows_lose_the_same_centre),
        cmocka_unit_test(a_softmax_does_not_see_the_constant),
        cmocka_unit_test(exact_keys_stay_exact_with_every_centre),
        cmocka_unit_test(a_centre_gives_back_what_an_offset_cost),
        cmocka_unit_test(a_bias_is_taken_off_where_it_stands),
        cmocka_unit_test(a_calibrated_mean_does_not_know_its_own_window),
        cmocka_unit_test(a_codec_that_learns_learns_centred_keys),
        cmocka_unit_test(what_has_no_centre_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
