/* The codes-only probes tell honest methods from those that remember, inside the process and from another one. This
 * program is also the other one: it routes --decode-probe as main does. */
#include "tests/unit/measure/fakes.h"

#include "harness/measure/probe.h"

enum { N = 12, DIM = 32 };

static const struct fq_method *const fakes[] = {&fake_store, &fake_group, &fake_keeping, &fake_counting, &fake_scratch};

static int register_fakes(void) {
    struct fq_error err = {0};
    for (size_t i = 0; i < sizeof fakes / sizeof fakes[0]; i++)
        if (fq_catalog_add(fakes[i], &err) != FQ_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
    return 0;
}

static void probe(const struct fq_method *method, char *inside, char *outside) {
    struct fq_error err = {0};
    struct fq_codec *codec = fake_open(method, DIM);
    float *x = fake_vectors_new(N, DIM);
    if (fq_codec_probe_codes_only(codec, N, x, inside, &err) != FQ_OK)
        fail_msg("%s", err.text);
    if (fq_probe_fresh_process(codec, N, x, outside, &err) != FQ_OK)
        fail_msg("%s", err.text);
    struct fq_bytes bytes;
    fq_codec_bytes(codec, &bytes);
    assert_int_equal(bytes.vectors, 0); /* probes leave no trace in the totals */
    free(x);
    fq_codec_close(codec);
}

static void honest_methods_pass(void **state) {
    (void)state;
    char inside[FQ_PROBE_SENTENCE], outside[FQ_PROBE_SENTENCE];
    probe(&fake_store, inside, outside);
    assert_string_equal(inside, "");
    assert_string_equal(outside, "");
    probe(&fake_group, inside, outside);
    assert_string_equal(inside, "");
    assert_string_equal(outside, "");
}

static void kept_floats_are_seen(void **state) {
    (void)state;
    char inside[FQ_PROBE_SENTENCE], outside[FQ_PROBE_SENTENCE];
    probe(&fake_keeping, inside, outside);
    assert_non_null(strstr(inside, "another batch was encoded"));
    assert_non_null(strstr(inside, "vector 0"));
    assert_non_null(strstr(outside, "fresh process"));
}

static void state_that_only_a_fresh_process_lacks_is_seen(void **state) {
    (void)state;
    char inside[FQ_PROBE_SENTENCE], outside[FQ_PROBE_SENTENCE];
    probe(&fake_counting, inside, outside);
    assert_string_equal(inside, ""); /* the count is the same throughout this process */
    assert_non_null(strstr(outside, "fresh process"));
}

static void remembered_scratch_is_seen(void **state) {
    (void)state;
    char inside[FQ_PROBE_SENTENCE], outside[FQ_PROBE_SENTENCE];
    probe(&fake_scratch, inside, outside);
    assert_non_null(strstr(inside, "scratch"));
}

static void fewer_vectors_than_a_group_is_an_error(void **state) {
    (void)state;
    struct fq_error err = {0};
    char sentence[FQ_PROBE_SENTENCE];
    struct fq_codec *codec = fake_open(&fake_group, DIM);
    float *x = fake_vectors_new(N, DIM);
    assert_int_equal(fq_codec_probe_codes_only(codec, 3, x, sentence, &err), FQ_USAGE);
    assert_int_equal(fq_probe_fresh_process(codec, 3, x, sentence, &err), FQ_USAGE);
    free(x);
    fq_codec_close(codec);
}

static void damaged_probe_files_are_refused(void **state) {
    (void)state;
    char path[] = "/tmp/fairquant-probe-test-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "fairquant/probe1", 16), 16);
    assert_int_equal(close(descriptor), 0);
    assert_int_equal(fq_probe_main(path), FQ_USAGE);
    assert_int_equal(fq_probe_main("/nowhere/probe"), FQ_USAGE);
    assert_int_equal(unlink(path), 0);
}

int main(int argc, char **argv) {
    if (register_fakes() != 0)
        return 1;
    if (argc == 3 && strcmp(argv[1], "--decode-probe") == 0)
        return fq_probe_main(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_methods_pass),
        cmocka_unit_test(kept_floats_are_seen),
        cmocka_unit_test(state_that_only_a_fresh_process_lacks_is_seen),
        cmocka_unit_test(remembered_scratch_is_seen),
        cmocka_unit_test(fewer_vectors_than_a_group_is_an_error),
        cmocka_unit_test(damaged_probe_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
