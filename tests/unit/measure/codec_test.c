/* The codec: exact round trips, bytes, tails, slices over threads, and every breach of the contract seen and named. */
#include "tests/unit/measure/fakes.h"

#include "harness/measure/series.h"

static void round_trip_scores_and_bytes(void **state) {
    (void)state;
    enum { N = 37, DIM = 24, QUERIES = 3 };
    struct fq_error err = {0};
    struct fq_codec *codec = fake_open(&fake_store, DIM);
    float *x = fake_vectors_new(N, DIM), *xhat = fake_vectors_new(N, DIM), *q = fake_vectors_new(QUERIES, DIM);
    float scores[QUERIES * N], own[N];
    memset(xhat, 0, sizeof(float) * N * DIM);
    assert_int_equal(fq_codec_roundtrip(codec, N, x, xhat, &err), FQ_OK);
    assert_memory_equal(x, xhat, sizeof(float) * N * DIM);
    assert_int_equal(fq_codec_scores(codec, QUERIES, q, scores, &err), FQ_OK);
    assert_int_equal(fq_codec_scores_own(codec, x, own, &err), FQ_OK);
    for (size_t i = 0; i < N; i++) {
        double dot = 0.0, self = 0.0;
        for (size_t j = 0; j < DIM; j++) {
            dot += (double)q[2 * DIM + j] * (double)x[i * DIM + j];
            self += (double)x[i * DIM + j] * (double)x[i * DIM + j];
        }
        assert_float_equal(scores[2 * N + i], (float)dot, 1e-4F);
        assert_float_equal(own[i], (float)self, 1e-4F);
    }
    struct fq_bytes bytes;
    fq_codec_bytes(codec, &bytes);
    assert_int_equal(bytes.vectors, N);
    assert_int_equal(bytes.record_bytes, 4 * N * DIM);
    assert_int_equal(bytes.promised_bytes, bytes.record_bytes);
    assert_int_equal(bytes.shared_bytes, FAKE_SHARED_BYTES);
    assert_float_equal((float)fq_codec_rate_bits(codec), 32.0F, 1e-9F);
    assert_string_equal(fq_codec_complaint(codec), "");
    assert_string_equal(fq_codec_canaries(codec), "intact");
    free(x);
    free(xhat);
    free(q);
    fq_codec_close(codec);
}

static void attend_sums_weighted_vectors(void **state) {
    (void)state;
    enum { N = 11, DIM = 8 };
    struct fq_error err = {0};
    struct fq_codec *codec = fake_open(&fake_group, DIM); /* 8 in groups, 3 in the tail */
    float *x = fake_vectors_new(N, DIM), weights[N], out[DIM];
    for (size_t i = 0; i < N; i++)
        weights[i] = (float)(i + 1);
    assert_int_equal(fq_codec_encode(codec, N, x, &err), FQ_OK);
    assert_int_equal(fq_codec_attend(codec, weights, out, &err), FQ_OK);
    for (size_t j = 0; j < DIM; j++) {
        double sum = 0.0;
        for (size_t i = 0; i < N; i++)
            sum += (double)weights[i] * (double)x[i * DIM + j];
        assert_float_equal(out[j], (float)sum, 0.05F); /* the tail is float16 */
    }
    free(x);
    fq_codec_close(codec);
}

static void tail_is_float16_and_counted(void **state) {
    (void)state;
    enum { N = 10, DIM = 16 };
    struct fq_error err = {0};
    struct fq_codec *codec = fake_open(&fake_group, DIM);
    float *x = fake_vectors_new(N, DIM), xhat[N * DIM], scores[N];
    assert_int_equal(fq_codec_roundtrip(codec, N, x, xhat, &err), FQ_OK);
    assert_memory_equal(x, xhat, sizeof(float) * 8 * DIM);
    for (size_t i = 8 * DIM; i < N * DIM; i++)
        assert_true(fabsf(xhat[i] - x[i]) <= fabsf(x[i]) / 2048.0F);
    assert_memory_not_equal(x + 8 * DIM, xhat + 8 * DIM, sizeof(float) * 2 * DIM);
    assert_int_equal(fq_codec_scores(codec, 1, x, scores, &err), FQ_OK);
    struct fq_bytes bytes;
    fq_codec_bytes(codec, &bytes);
    assert_int_equal(bytes.tail_bytes, 2 * 2 * DIM);
    assert_float_equal((float)fq_codec_rate_bits(codec), (8.0F * 32.0F + 2.0F * 16.0F) / 10.0F, 1e-6F);
    x[9 * DIM + 5] = 1e6F;
    assert_int_equal(fq_codec_encode(codec, N, x, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "vector 9, coordinate 5"));
    free(x);
    fq_codec_close(codec);
}

static void bad_vectors_are_named(void **state) {
    (void)state;
    enum { N = 9, DIM = 8 };
    struct fq_error err = {0};
    float *x = fake_vectors_new(N, DIM), xhat[N * DIM];
    struct fq_codec *codec = fake_open(&fake_store, DIM);
    x[3 * DIM + 6] = NAN;
    assert_int_equal(fq_codec_encode(codec, N, x, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "vector 3"));
    assert_non_null(strstr(err.text, "coordinate 6"));
    assert_int_equal(fq_codec_decode(codec, xhat, &err), FQ_USAGE); /* nothing is left to decode */
    assert_int_equal(fq_codec_encode(codec, 0, x, &err), FQ_USAGE);
    fq_codec_close(codec);
    x[3 * DIM + 6] = 0.0F;
    codec = fake_open(&fake_refusing, DIM);
    assert_int_equal(fq_codec_encode(codec, N, x, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "fake-refusing"));
    assert_non_null(strstr(err.text, "vector 5"));
    fq_codec_close(codec);
    codec = fake_open(&fake_nan, DIM);
    assert_int_equal(fq_codec_roundtrip(codec, N, x, xhat, &err), FQ_FAILED);
    assert_non_null(strstr(err.text, "vector 2, coordinate 3"));
    fq_codec_close(codec);
    free(x);
}

static void wrong_requests_are_refused(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_codec *codec = NULL;
    struct fq_codec_config config = {.method = &fake_store, .shape = {0, FQ_KEY}, .backend = FQ_REF};
    assert_int_equal(fq_codec_open(&config, &codec, &err), FQ_USAGE);
    assert_null(codec);
    assert_non_null(strstr(err.text, "dimension 0"));
    config.shape.dim = 8;
    config.backend = FQ_AVX512;
    assert_int_equal(fq_codec_open(&config, &codec, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "avx512"));
}

static void overrun_is_seen_and_counted(void **state) {
    (void)state;
    enum { N = 6, DIM = 16 };
    struct fq_error err = {0};
    struct fq_codec *codec = fake_open(&fake_overrun, DIM);
    float *x = fake_vectors_new(N, DIM);
    assert_int_equal(fq_codec_encode(codec, N, x, &err), FQ_OK);
    assert_non_null(strstr(fq_codec_canaries(codec), "fake-overrun"));
    assert_non_null(strstr(fq_codec_complaint(codec), "promises 64 bytes a record and writes 65"));
    struct fq_bytes bytes;
    fq_codec_bytes(codec, &bytes);
    assert_int_equal(bytes.promised_bytes, 64 * N);
    assert_int_equal(bytes.record_bytes, 65 * N);
    free(x);
    fq_codec_close(codec);
}

static void writing_shared_state_is_seen(void **state) {
    (void)state;
    enum { N = 6, DIM = 16 };
    struct fq_error err = {0};
    struct fq_codec *codec = fake_open(&fake_shared, DIM);
    float *x = fake_vectors_new(N, DIM);
    assert_string_equal(fq_codec_shared_state(codec), "intact");
    assert_int_equal(fq_codec_encode(codec, N, x, &err), FQ_OK);
    assert_non_null(strstr(fq_codec_shared_state(codec), "byte 17"));
    free(x);
    fq_codec_close(codec);
}

static void threads_inside_encode_are_watched(void **state) {
    (void)state;
    enum { N = 6, DIM = 16 };
    struct fq_error err = {0};
    float *x = fake_vectors_new(N, DIM);
    const unsigned before = fq_threads_alive();
    const struct fq_method *methods[] = {&fake_store, &fake_threaded};
    unsigned seen[2];
    for (size_t i = 0; i < 2; i++) {
        struct fq_codec *codec = fake_open(methods[i], DIM);
        struct fq_watch *watch = fq_watch_begin();
        struct fq_watch_result result;
        assert_non_null(watch);
        assert_int_equal(fq_codec_encode(codec, N, x, &err), FQ_OK);
        usleep(2000);
        fq_watch_end(watch, &result);
        seen[i] = result.threads_alive_max;
        fq_codec_close(codec);
    }
    assert_int_equal(seen[0], before);
    assert_int_equal(seen[1], before + 1);
    free(x);
}

static void threads_change_nothing(void **state) {
    (void)state;
    enum { N = 501, DIM = 12 };
    struct fq_error err = {0};
    float *x = fake_vectors_new(N, DIM), *one = fake_vectors_new(N, DIM), *two = fake_vectors_new(N, DIM);
    if (fq_pool_start(2, &err) != FQ_OK) {
        print_message("one processing unit only: slices over two threads are not tested here (%s)\n", err.text);
        free(x);
        free(one);
        free(two);
        skip();
    }
    struct fq_codec *codec = fake_open(&fake_group, DIM);
    assert_int_equal(fq_codec_roundtrip(codec, N, x, two, &err), FQ_OK);
    fq_codec_close(codec);
    assert_int_equal(fq_pool_start(1, &err), FQ_OK);
    codec = fake_open(&fake_group, DIM);
    assert_int_equal(fq_codec_roundtrip(codec, N, x, one, &err), FQ_OK);
    fq_codec_close(codec);
    assert_memory_equal(one, two, sizeof(float) * N * DIM);
    free(x);
    free(one);
    free(two);
}

/* More vectors than one stage buffer holds: 4 MiB of floats at dimension 256 are 4096 vectors. */
static void big_inputs_go_in_chunks(void **state) {
    (void)state;
    enum { N = 9001, DIM = 256 };
    struct fq_error err = {0};
    float *x = fake_vectors_new(N, DIM), *xhat = calloc((size_t)N * DIM, sizeof *xhat), *scores = calloc(2 * N, 4);
    assert_non_null(xhat);
    assert_non_null(scores);
    struct fq_codec *codec = fake_open(&fake_store, DIM);
    assert_int_equal(fq_codec_roundtrip(codec, N, x, xhat, &err), FQ_OK);
    assert_memory_equal(x, xhat, sizeof(float) * N * DIM);
    assert_int_equal(fq_codec_scores(codec, 2, x, scores, &err), FQ_OK);
    struct fq_stage_times times;
    fq_codec_times(codec, &times, 1);
    assert_int_equal(times.vectors[FQ_STAGE_ENCODE], N);
    assert_int_equal(times.vectors[FQ_STAGE_DECODE], N);
    assert_int_equal(times.vectors[FQ_STAGE_SCORE], 2 * N);
    assert_true(times.ns[FQ_STAGE_ENCODE] > 0);
    assert_int_equal(times.vectors[FQ_STAGE_ROTATE], 0);
    fq_codec_close(codec);
    free(x);
    free(xhat);
    free(scores);
}

static void series_keep_weights_and_labels(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_series_list list = {0};
    struct fq_series *s = fq_series_add(&list, "kl", "key", "nats", "mean,q99", "chunk", &err);
    assert_non_null(s);
    for (int i = 0; i < 300; i++)
        assert_int_equal(fq_series_push(s, 0.5 * i, i < 200 ? 1.0 : 2.0, i / 10, i % 10, &err), FQ_OK);
    assert_ptr_equal(fq_series_find(&list, "kl", "key"), s);
    assert_null(fq_series_find(&list, "kl", "value"));
    assert_int_equal(s->n, 300);
    assert_true(s->weight[0] == 1.0 && s->weight[199] == 1.0 && s->weight[200] == 2.0);
    assert_true(s->value[299] == 149.5 && s->label_a[299] == 29 && s->label_b[299] == 9);
    fq_series_list_free(&list);
    assert_null(list.series);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip_scores_and_bytes),
        cmocka_unit_test(attend_sums_weighted_vectors),
        cmocka_unit_test(tail_is_float16_and_counted),

        cmocka_unit_test(bad_vectors_are_named),
        cmocka_unit_test(wrong_requests_are_refused),
        cmocka_unit_test(overrun_is_seen_and_counted),
        cmocka_unit_test(writing_shared_state_is_seen),
        cmocka_unit_test(threads_inside_encode_are_watched),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(big_inputs_go_in_chunks),
        cmocka_unit_test(series_keep_weights_and_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
