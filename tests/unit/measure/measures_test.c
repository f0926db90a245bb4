/* Measurements against closed forms: a method that shortens every vector to nine tenths has relative error .01, slope
 * .9 and logits off by a tenth; the identity has none. */
#include "tests/unit/measure/fakes.h"

#include "harness/data/dataset.h"
#include "harness/measure/measures.h"

enum { LAYERS = 2, KV_HEADS = 2, HEADS = 4, DIM = 16, TOKENS = 96, CONTEXT = 48 };

static const char kv_path[] = "/tmp/fairquant-measures-test.h5";

static const struct fq_series *find(const struct fq_series_list *list, const char *metric, const char *tensor) {
    const struct fq_series *s = fq_series_find(list, metric, tensor);
    if (s == NULL)
        fail_msg("no series %s of %s", metric, tensor);
    return s;
}

static double mean(const struct fq_series_list *list, const char *metric, const char *tensor) {
    const struct fq_series *s = find(list, metric, tensor);
    double sum = 0.0, weight = 0.0;
    for (size_t i = 0; i < s->n; i++) {
        const double w = s->weight != NULL ? s->weight[i] : 1.0;
        sum += w * s->value[i];
        weight += w;
    }
    assert_true(weight > 0.0);
    return sum / weight;
}

static void near(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.9g is not within %.3g of %.9g", a, tolerance, b);
}

static void measure(const struct fq_method *method, struct fq_dataset *set, enum fq_tensor tensor, unsigned metrics,
                    struct fq_series_list *list) {
    struct fq_error err = {0};
    struct fq_measure_options options;
    struct fq_codec *codec = NULL;
    const struct fq_codec_config config = {
        .method = method, .shape = {fq_dataset_info(set)->dim, tensor}, .seed = 5, .backend = FQ_REF};
    if (fq_codec_open(&config, &codec, &err) != FQ_OK)
        fail_msg("%s", err.text);
    fq_measure_options_default(&options);
    options.metrics = metrics;
    if (fq_measure_dataset(codec, set, &options, list, &err) != FQ_OK)
        fail_msg("%s", err.text);
    fq_codec_close(codec);
}

static struct fq_dataset *sphere(size_t n, size_t dim) {
    struct fq_error err = {0};
    struct fq_dataset *set = NULL;
    if (fq_dataset_generate("sphere", n, dim, 1, &set, &err) != FQ_OK)
        fail_msg("%s", err.text);
    return set;
}

static const unsigned on_vectors = FQ_MEASURE_DISTORTION | FQ_MEASURE_INNER_PRODUCT | FQ_MEASURE_BYTES;

static void shortened_vectors(void **state) {
    (void)state;
    enum { N = 1000, D = 32 };
    struct fq_series_list list = {0};
    struct fq_dataset *set = sphere(N, D);
    measure(&fake_scaled, set, FQ_KEY, on_vectors, &list);
    assert_int_equal(find(&list, "rel_mse", "vectors")->n, N);
    near(mean(&list, "rel_mse", "vectors"), 0.01, 1e-6);
    near(mean(&list, "energy_mse", "vectors"), 0.01, 1e-6);
    near(mean(&list, "cosine", "vectors"), 1.0, 1e-6);
    near(mean(&list, "ip_slope_rho50", "vectors"), 0.9, 1e-5);
    near(mean(&list, "ip_slope_rho90", "vectors"), 0.9, 1e-5);
    near(mean(&list, "ip_slope_rho100", "vectors"), 0.9, 1e-5);
    /* err = -.1 t: for an independent query d E err^2 = .01 d E t^2 = .01; at rho it is .01 d rho^2. */
    near(mean(&list, "ip_dvar_rho0", "vectors"), 0.01, 0.002);
    near(mean(&list, "ip_rmse_sqrtd_rho50", "vectors"), 0.05 * sqrt(D), 1e-4);
    near(mean(&list, "ip_rmse_sqrtd_rho100", "vectors"), 0.1 * sqrt(D), 1e-4);
    near(mean(&list, "ip_sq_error", "vectors"), 0.01 / D, 0.002 / D);
    near(mean(&list, "ip_tail_2", "vectors"), 0.045, 0.02); /* t is nearly normal at d = 32 */
    near(mean(&list, "ip_tail_6", "vectors"), 0.0, 1e-9);
    for (int bin = 0; bin < 10; bin++) {
        char bias[24], truth[24];
        snprintf(bias, sizeof bias, "ip_bias_bin%d", bin);
        snprintf(truth, sizeof truth, "ip_true_bin%d", bin);
        const double rho = mean(&list, truth, "vectors");
        assert_true(rho >= 0.1 * bin && rho <= 0.1 * (bin + 1));
        near(mean(&list, bias, "vectors"), -0.1 * rho, 1e-5);
    }
    near(mean(&list, "rate_bits", "vectors"), 32.0, 1e-9);
    near(mean(&list, "shared_bytes", "vectors"), FAKE_SHARED_BYTES, 1e-9);
    if (fq_dataset_info(set)->has_query) {
        near(mean(&list, "ip_slope", "vectors"), 0.9, 1e-5);
        near(mean(&list, "ip_rel_rmse", "vectors"), 0.1, 1e-5);
    }
    fq_series_list_free(&list);
    fq_dataset_close(set);
}

static void identity_has_no_error(void **state) {
    (void)state;
    struct fq_series_list list = {0};
    struct fq_dataset *set = sphere(130, 24);
    measure(&fake_store, set, FQ_KEY, on_vectors, &list);
    near(mean(&list, "rel_mse", "vectors"), 0.0, 0.0);
    near(mean(&list, "ip_dvar_rho0", "vectors"), 0.0, 1e-9);
    near(mean(&list, "ip_slope_rho50", "vectors"), 1.0, 1e-6);
    fq_series_list_free(&list);
    fq_dataset_close(set);
}

/* The query's length gives the needle half of the weight at full precision; keys at nine tenths give it less, and
 * change no order. */
static void needles_among_vectors(void **state) {
    (void)state;
    struct fq_series_list exact = {0}, shortened = {0};
    struct fq_dataset *set = sphere(1100, 24); /* two windows of 512, and one of 76 */
    measure(&fake_store, set, FQ_KEY, FQ_MEASURE_NEEDLE, &exact);
    measure(&fake_scaled, set, FQ_KEY, FQ_MEASURE_NEEDLE, &shortened);
    const struct fq_series *full = find(&exact, "needle_full", "vectors");
    assert_int_equal(full->n, 3 * 15);
    const double found = mean(&exact, "needle_full", "vectors");
    assert_true(found > 0.5);
    assert_int_equal(find(&exact, "needle_mass", "vectors")->n, (size_t)(found * (double)full->n + 0.5));
    near(mean(&exact, "needle_mass", "vectors"), 0.5, 1e-4);
    near(mean(&exact, "needle_recall", "vectors"), 1.0, 0.0);
    near(mean(&exact, "needle_rank", "vectors"), 1.0, 0.0);
    for (int depth = 0; depth < 5; depth++) {
        char name[40];
        snprintf(name, sizeof name, "needle_mass_depth%d", depth);
        near(mean(&exact, name, "vectors"), 0.5, 1e-4);
    }
    near(mean(&shortened, "needle_recall", "vectors"), 1.0, 0.0);
    assert_true(mean(&shortened, "needle_mass", "vectors") < 0.48);
    assert_true(mean(&shortened, "needle_mass_context2", "vectors") < 0.48);
    fq_series_list_free(&exact);
    fq_series_list_free(&shortened);
    fq_dataset_close(set);
}

static void methods_pair_sample_by_sample(void **state) {
    (void)state;
    struct fq_series_list a = {0}, b = {0};
    struct fq_dataset *set = sphere(300, 16);
    measure(&fake_store, set, FQ_KEY, on_vectors, &a);
    measure(&fake_scaled, set, FQ_KEY, on_vectors, &b);
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++) {
        assert_string_equal(a.series[i].metric, b.series[i].metric);
        assert_int_equal(a.series[i].n, b.series[i].n);
        assert_memory_equal(a.series[i].label_a, b.series[i].label_a, a.series[i].n * sizeof(int32_t));
    }
    fq_series_list_free(&a);
    fq_series_list_free(&b);
    fq_dataset_close(set);
}

/* ---- a small KV set
 * ------------------------------------------------------------------------------------------------*/

static int write_kv(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_kv_writer *w = NULL;
    const struct fq_kv_attributes a = {.model = "made",
                                       .model_sha256 = "00",
                                       .corpus = "made",
                                       .corpus_sha256 = "00",
                                       .source = "measures_test",
                                       .layers = LAYERS,
                                       .kv_heads = KV_HEADS,
                                       .heads = HEADS,
                                       .dim = DIM,
                                       .tokens = TOKENS,
                                       .context = CONTEXT};
    int code = fq_kv_writer_open(kv_path, &a, &w, &err);
    float *rows = calloc((size_t)TOKENS * HEADS * DIM, sizeof *rows);
    for (size_t layer = 0; code == FQ_OK && rows != NULL && layer < LAYERS; layer++)
        for (int which = 0; code == FQ_OK && which < 3; which++) {
            for (size_t i = 0; i < (size_t)TOKENS * HEADS * DIM; i++)
                rows[i] = (float)sin(0.37 * (double)(i % 7919) + (double)layer + 2.1 * (double)which);
            code = fq_kv_writer_rows(w, which, layer, 0, TOKENS, rows, &err);
        }
    if (code == FQ_OK)
        code = fq_kv_writer_commit(w, &err);
    free(rows);
    if (code != FQ_OK)
        fprintf(stderr, "%s\n", err.text);
    return code;
}

static int remove_kv(void **state) {
    (void)state;
    return unlink(kv_path);
}

static struct fq_dataset *open_kv(void) {
    struct fq_error err = {0};
    struct fq_dataset *set = NULL;
    if (fq_dataset_open(kv_path, &set, &err) != FQ_OK)
        fail_msg("%s", err.text);
    return set;
}

static void shortened_keys(void **state) {
    (void)state;
    struct fq_series_list list = {0};
    struct fq_dataset *set = open_kv();
    measure(&fake_scaled, set, FQ_KEY, on_vectors | FQ_MEASURE_ATTENTION, &list);
    assert_int_equal(find(&list, "rel_mse", "key")->n, LAYERS * KV_HEADS);
    assert_int_equal(find(&list, "softmax_kl", "key")->n, LAYERS * HEADS);
    near(mean(&list, "rel_mse", "key"), 0.01, 1e-6);
    near(mean(&list, "ip_slope", "key"), 0.9, 1e-5);
    near(mean(&list, "ip_rel_rmse", "key"), 0.1, 1e-5);
    near(mean(&list, "topk_overlap_8", "key"), 1.0, 1e-9); /* nine tenths keep the order */
    assert_true(mean(&list, "softmax_kl", "key") > 0.0);
    assert_true(mean(&list, "output_rel_error", "key") > 0.0);
    assert_true(mean(&list, "logit_rmse", "key") > 0.0);
    fq_series_list_free(&list);
    fq_dataset_close(set);
}

/* The output is linear in the values: nine tenths of each give nine tenths of it. */
static void shortened_values(void **state) {
    (void)state;
    struct fq_series_list list = {0};
    struct fq_dataset *set = open_kv();
    measure(&fake_scaled, set, FQ_VALUE, FQ_MEASURE_DISTORTION | FQ_MEASURE_ATTENTION, &list);
    near(mean(&list, "rel_mse", "value"), 0.01, 1e-6);
    near(mean(&list, "output_rel_error", "value"), 0.1, 1e-5);
    assert_null(fq_series_find(&list, "softmax_kl", "value"));
    fq_series_list_free(&list);
    fq_dataset_close(set);
}

static void exact_keys_change_nothing(void **state) {
    (void)state;
    struct fq_series_list list = {0};
    struct fq_dataset *set = open_kv();
    measure(&fake_group, set, FQ_KEY, on_vectors | FQ_MEASURE_ATTENTION, &list);
    near(mean(&list, "rel_mse", "key"), 0.0, 0.0);
    near(mean(&list, "softmax_kl", "key"), 0.0, 1e-9);
    near(mean(&list, "topk_overlap_1", "key"), 1.0, 1e-9);
    near(mean(&list, "output_rel_error", "key"), 0.0, 1e-5);
    near(mean(&list, "ip_slope", "key"), 1.0, 1e-5);
    fq_series_list_free(&list);
    fq_dataset_close(set);
}

static void impossible_metrics_are_refused(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_series_list list = {0};
    struct fq_measure_options options;
    struct fq_dataset *set = sphere(40, DIM), *kv = open_kv();
    struct fq_codec *codec = fake_open(&fake_store, DIM);
    fq_measure_options_default(&options);
    assert_false(fq_measure_possible(FQ_MEASURE_ATTENTION, fq_dataset_info(set), codec));
    assert_true(fq_measure_possible(FQ_MEASURE_ATTENTION, fq_dataset_info(kv), codec));
    options.metrics = FQ_MEASURE_ATTENTION;
    assert_int_equal(fq_measure_dataset(codec, set, &options, &list, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "attention"));
    fq_codec_close(codec);
    codec = fake_open(&fake_store, DIM + 1);
    assert_int_equal(fq_measure_dataset(codec, kv, &options, &list, &err), FQ_FAILED);
    assert_non_null(strstr(err.text, "dimension"));
    fq_codec_close(codec);
    fq_series_list_free(&list);
    fq_dataset_close(set);
    fq_dataset_close(kv);
}

/* ---- speed: shapes and floors, never a time ----------------------------------------------------------------------*/

static void speed_yields_each_stage_with_its_floor(void **state) {
    (void)state;
    enum { N = 64, QUERIES = 2 };
    struct fq_error err = {0};
    struct fq_series_list list = {0};
    struct fq_speed_facts facts;
    const struct fq_speed_options options = {.warmup_limit_ns = 2000000, .block_ns = 2000000, .process = 3, .block = 7};
    struct fq_codec *codec = fake_open(&fake_store, DIM);
    float *x = fake_vectors_new(N, DIM);
    assert_int_equal(fq_measure_speed(codec, N, x, QUERIES, x, "vectors", &options, &list, &facts, &err), FQ_OK);
    const char *present[] = {"ns_encode", "ns_prepare", "ns_score", "ns_decode"};
    for (size_t i = 0; i < sizeof present / sizeof present[0]; i++) {
        const struct fq_series *s = find(&list, present[i], "vectors");
        assert_int_equal(s->n, 1);
        assert_int_equal(s->label_a[0], 3);
        assert_int_equal(s->label_b[0], 7);
        assert_true(s->value[0] > 0.0);
    }
    assert_null(fq_series_find(&list, "ns_rotate", "vectors"));
    assert_null(fq_series_find(&list, "ns_attend", "vectors")); /* no kernel of the method's own */
    near(mean(&list, "bytes_moved_encode", "vectors"), 2.0 * 4 * DIM, 1e-9);
    near(mean(&list, "over_floor_encode", "vectors"),
         mean(&list, "ns_encode", "vectors") / mean(&list, "floor_ns_encode", "vectors"), 1e-9);
    assert_true(facts.rounds > 0 && facts.warmup_rounds > 0);
    assert_true(facts.read_gb_per_s > 0.0 && facts.multiply_add_gop_per_s > 0.0);
    assert_int_equal(facts.watch.threads_alive_max, fq_threads_alive());
    free(x);
    fq_codec_close(codec);
    fq_series_list_free(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shortened_vectors),
        cmocka_unit_test(identity_has_no_error),
        cmocka_unit_test(needles_among_vectors),
        cmocka_unit_test(methods_pair_sample_by_sample),
        cmocka_unit_test(shortened_keys),
        cmocka_unit_test(shortened_values),
        cmocka_unit_test(exact_keys_change_nothing),
        cmocka_unit_test(impossible_metrics_are_refused),
        cmocka_unit_test(speed_yields_each_stage_with_its_floor),
    };
    return cmocka_run_group_tests(tests, write_kv, remove_kv);
}
