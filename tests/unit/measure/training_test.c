/* What learns is fitted before it encodes, never to what it is then measured on, and to each matrix apart. The learner
 * below keeps a list of what it was taught and compares it with all that it is asked to encode. */
#include "tests/unit/measure/fakes.h"

#include "harness/data/dataset.h"
#include "harness/measure/measures.h"

enum { DIM = 4, MOST = 4096, LAYERS = 2, HEADS = 2, TOKENS = 48, CONTEXT = 16 };
static const char kv_path[] = "/tmp/fairquant-training-test.h5";

/* First coordinates, which tell all vectors of these tests apart. */
static float taught[MOST];
static size_t n_taught, n_trainings, n_encoded, n_seen_before;

static void learn(const struct fq_params *p, const struct fq_shape *shape, const struct fq_streams *streams, size_t n,
                  const float *x, void *shared, void *scratch) {
    (void)p;
    (void)streams;
    (void)scratch;
    assert_true(n <= MOST);
    for (size_t i = 0; i < n; i++)
        taught[i] = x[i * shape->dim];
    n_taught = n;
    n_trainings++;
    memcpy(shared, x, sizeof(float));
}

static size_t encode_watching(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    for (size_t i = 0; i < n_groups; i++)
        for (size_t j = 0; j < n_taught; j++)
            n_seen_before += y[i * call->shape.dim] == taught[j];
    n_encoded += n_groups;
    return fake_encode(call, n_groups, y, records);
}

FAKE_KERNELS(learner, encode_watching, fake_decode);
static const struct fq_method learner = {.abi = FQ_METHOD_ABI,
                                         .name = "learner",
                                         .role = FQ_BASELINE,
                                         .paper = "none",
                                         .summary = "a fake that learns",
                                         .bits_formula = "32",
                                         .data_oblivious = false,
                                         .nominal_bits = fake_nominal,
                                         .footprint = fake_footprint,
                                         .setup = fake_setup,
                                         .train = learn,
                                         .kernels = {[FQ_REF] = &learner_kernels}};

static int forget(void **state) {
    (void)state;
    n_taught = n_trainings = n_encoded = n_seen_before = 0;
    return 0;
}

static void nothing_is_encoded_untrained(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_codec *codec = fake_open(&learner, DIM);
    const float x[2 * DIM] = {1, 2, 3, 4, 5, 6, 7, 8};
    assert_true(fq_codec_learns(codec));
    assert_string_equal(fq_codec_training(codec), "");
    assert_int_equal(fq_codec_encode(codec, 2, x, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "learner learns from data: it needs a training split"));
    assert_int_equal(fq_codec_train(codec, 0, x, "none", &err), FQ_USAGE);
    assert_int_equal(fq_codec_train(codec, 2, x, "two of them", &err), FQ_OK);
    assert_string_equal(fq_codec_training(codec), "2 vectors, two of them");
    assert_int_equal(fq_codec_encode(codec, 2, x, &err), FQ_OK);
    fq_codec_close(codec);

    codec = fake_open(&fake_store, DIM);
    assert_false(fq_codec_learns(codec));
    assert_int_equal(fq_codec_train(codec, 2, x, "two of them", &err), FQ_FAILED);
    fq_codec_close(codec);
}

/* Each training starts from what setup left; a state that was kept can be put back, and is then the one that is
 * guarded. */
static void states_are_kept_apart(void **state) {
    (void)state;
    struct fq_error err = {0};
    struct fq_codec *codec = fake_open(&learner, DIM);
    const float x[DIM] = {1, 2, 3, 4}, y[DIM] = {9, 8, 7, 6};
    unsigned char first[FAKE_SHARED_BYTES], second[FAKE_SHARED_BYTES];
    size_t bytes = 0;
    assert_int_equal(fq_codec_train(codec, 1, x, "x", &err), FQ_OK);
    memcpy(first, fq_codec_shared(codec, &bytes), sizeof first);
    assert_int_equal(fq_codec_train(codec, 1, y, "y", &err), FQ_OK);
    memcpy(second, fq_codec_shared(codec, &bytes), sizeof second);
    assert_memory_equal(first + sizeof(float), second + sizeof(float), sizeof first - sizeof(float));
    assert_true(memcmp(first, second, sizeof(float)) != 0);
    fq_codec_put_shared(codec, first);
    assert_memory_equal(fq_codec_shared(codec, &bytes), first, sizeof first);
    assert_int_equal(fq_codec_encode(codec, 1, x, &err), FQ_OK);
    assert_string_equal(fq_codec_shared_state(codec), "intact");
    struct fq_bytes counted;
    fq_codec_count_states(codec, 6);
    fq_codec_bytes(codec, &counted);
    assert_int_equal(counted.shared_bytes, 6 * FAKE_SHARED_BYTES);
    fq_codec_close(codec);
}

static void measure(struct fq_dataset *set, enum fq_tensor tensor, char training[128], uint64_t *shared_bytes) {
    struct fq_error err = {0};
    struct fq_codec *codec = NULL;
    const struct fq_codec_config config = {.method = &learner, .shape = {DIM, tensor}, .seed = 7, .backend = FQ_REF};
    struct fq_measure_options options;
    struct fq_series_list list = {0};
    struct fq_bytes bytes;
    fq_measure_options_default(&options);
    options.metrics = FQ_MEASURE_DISTORTION | FQ_MEASURE_BYTES;
    assert_int_equal(fq_codec_open(&config, &codec, &err), FQ_OK);
    if (fq_measure_dataset(codec, set, &options, &list, &err) != FQ_OK)
        fail_msg("%s", err.text);
    fq_codec_bytes(codec, &bytes);
    *shared_bytes = bytes.shared_bytes;
    snprintf(training, 128, "%s", fq_codec_training(codec));
    fq_codec_close(codec);
    fq_series_list_free(&list);
}

static void halves_of_a_vector_set(void **state) {
    (void)state;
    static const struct {
        size_t n, trainings, seen;
        const char *training;
    } rows[] = {{1000, 2, 0, "448 vectors, the other half of the set"},
                {100, 1, 100, "100 vectors, the measured set itself, too small for halves"}};
    for (size_t r = 0; r < 2; r++) {
        struct fq_error err = {0};
        struct fq_dataset *set = NULL;
        char training[128];
        uint64_t shared;
        forget(NULL);
        assert_int_equal(fq_dataset_generate("gaussian", rows[r].n, DIM, 3, &set, &err), FQ_OK);
        measure(set, FQ_KEY, training, &shared);
        assert_int_equal(n_trainings, rows[r].trainings);
        assert_true(n_encoded >= rows[r].n); /* one group is encoded twice more, to see how far a record reaches */
        assert_true(r == 0 ? n_seen_before == 0 : n_seen_before >= rows[r].seen);
        assert_string_equal(training, rows[r].training);
        assert_int_equal(shared, FAKE_SHARED_BYTES);
        fq_dataset_close(set);
    }
}

static void write_kv(size_t context) {
    struct fq_error err = {0};
    struct fq_kv_writer *w = NULL;
    const struct fq_kv_attributes a = {.model = "made",
                                       .model_sha256 = "00",
                                       .corpus = "made",
                                       .corpus_sha256 = "00",
                                       .source = "training_test",
                                       .layers = LAYERS,
                                       .kv_heads = HEADS,
                                       .heads = HEADS,
                                       .dim = DIM,
                                       .tokens = TOKENS,
                                       .context = context};
    float rows[TOKENS * HEADS * DIM], next = 1;
    int code = fq_kv_writer_open(kv_path, &a, &w, &err);
    for (size_t layer = 0; code == FQ_OK && layer < LAYERS; layer++)
        for (int which = 0; code == FQ_OK && which < 3; which++) {
            for (size_t i = 0; i < TOKENS * HEADS * DIM; i++)
                rows[i] = next++;
            code = fq_kv_writer_rows(w, which, layer, 0, TOKENS, rows, &err);
        }
    if (code == FQ_OK)
        code = fq_kv_writer_commit(w, &err);
    if (code != FQ_OK)
        fail_msg("%s", err.text);
}

static void windows_of_each_layer_and_head(void **state) {
    (void)state;
    static const struct {
        size_t context, trainings, last;
        const char *training;
    } rows[] = {
        {CONTEXT, 2 * LAYERS * HEADS, 2 * CONTEXT, "32 vectors, the other half of the windows of each layer and head"},
        {TOKENS, LAYERS * HEADS, TOKENS, "48 vectors, the measured window itself, for want of a second one"}};
    for (size_t r = 0; r < 2; r++) {
        struct fq_error err = {0};
        struct fq_dataset *set = NULL;
        char training[128];
        uint64_t shared;
        write_kv(rows[r].context);
        forget(NULL);
        assert_int_equal(fq_dataset_open(kv_path, &set, &err), FQ_OK);
        measure(set, FQ_VALUE, training, &shared);
        assert_int_equal(n_trainings, rows[r].trainings);
        assert_int_equal(n_taught, rows[r].last);
        assert_true(n_encoded >= (size_t)LAYERS * HEADS * TOKENS);
        assert_true(r == 0 ? n_seen_before == 0 : n_seen_before >= (size_t)LAYERS * HEADS * TOKENS);
        assert_string_equal(training, rows[r].training);
        assert_int_equal(shared, (size_t)LAYERS * HEADS * FAKE_SHARED_BYTES);
        fq_dataset_close(set);
        assert_int_equal(unlink(kv_path), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_encoded_untrained, forget),
        cmocka_unit_test_setup(states_are_kept_apart, forget),
        cmocka_unit_test_setup(halves_of_a_vector_set, forget),
        cmocka_unit_test_setup(windows_of_each_layer_and_head, forget),
    };
    struct fq_error err = {0};
    if (fq_pool_start(1, &err) != FQ_OK)
        return 1;
    return cmocka_run_group_tests_name("training", tests, NULL, NULL);
}
