/* The codes-only probes tell honest methods from those that remember, inside the process and from another one. This
 * program is also the other one: it routes --decode-probe as main does. */
#include "tests/unit/measure/fakes.h"

#include "harness/measure/probe.h"
#include "harness/measure/probe_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { N = 12, DIM = 32, BATCH = 100, SMALL = 16 };

/* ---- methods that are honest when they are probed ---- */

/* Decodes more than there is in the records, but only of more than 16 groups. */
static float small_kept;

static size_t small_encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    small_kept = n_groups > SMALL ? y[0] + 1.0F : 0.0F;
    return fake_encode(call, n_groups, y, records);
}

static void small_decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    fake_decode(call, n_groups, records, x);
    x[0] += n_groups > SMALL ? small_kept : 0.0F;
}

/* Encodes otherwise in a large batch, and decodes by the records. */
static size_t large_encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    fake_encode(call, n_groups, y, records);
    for (size_t i = 0; i < n_groups && n_groups > SMALL; i++)
        memset(records + i * call->footprint->record_bytes, 0, sizeof(float));
    return n_groups;
}

/* The first reading after an encode is prettier than the codes: a probe that decodes once more sees nothing. */
static bool first_time;

static size_t first_encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    first_time = n_groups > SMALL;
    return fake_encode(call, n_groups, y, records);
}

static void first_decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    fake_decode(call, n_groups, records, x);
    x[DIM + 3] += first_time ? 1.0F : 0.0F;
    first_time = false;
}

static void first_score(const struct fq_call *call, const void *prepared, size_t n_groups, const uint8_t *records,
                        float *scores) {
    fake_score(call, prepared, n_groups, records, scores);
    for (size_t i = 0; i < n_groups && first_time; i++)
        scores[i] += 1.0F;
    first_time = false;
}

#define FAKE(variable, title, encoder, decoder, scorer)                                                                \
    static const struct fq_kernels variable##_kernels = {                                                              \
        .encode = (encoder), .decode = (decoder), .prepare = fake_prepare, .score = (scorer)};                         \
    static const struct fq_method variable = {.abi = FQ_METHOD_ABI,                                                    \
                                              .name = (title),                                                         \
                                              .role = FQ_CONTENDER,                                                    \
                                              .paper = "none",                                                         \
                                              .summary = "a fake",                                                     \
                                              .bits_formula = "32",                                                    \
                                              .data_oblivious = true,                                                  \
                                              .nominal_bits = fake_nominal,                                            \
                                              .footprint = fake_footprint,                                             \
                                              .setup = fake_setup,                                                     \
                                              .kernels = {[FQ_REF] = &variable##_kernels}}

FAKE(fake_small, "fake-small", small_encode, small_decode, fake_score);
FAKE(fake_large, "fake-large", large_encode, fake_decode, fake_score);
FAKE(fake_first, "fake-first", first_encode, first_decode, fake_score);
FAKE(fake_first_score, "fake-first-score", first_encode, fake_decode, first_score);

static const struct fq_method *const fakes[] = {&fake_store,    &fake_group,   &fake_keeping,
                                                &fake_counting, &fake_scratch, &fake_small,
                                                &fake_large,    &fake_first,   &fake_first_score};

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

/* Three batches, as a measurement encodes, decodes and scores them. `what` and the sentence as they come. */
static void measure_watched(const struct fq_method *method, size_t n, char what[80], char *sentence) {
    struct fq_error err = {0};
    struct fq_codec *codec = fake_open(method, DIM);
    float *x = fake_vectors_new(n, DIM), *y = malloc(n * DIM * sizeof *y), *scores = malloc(2 * n * sizeof *scores);
    struct fq_bytes before, after;
    assert_true(y != NULL && scores != NULL);
    assert_int_equal(fq_witness_begin(codec, 7, &err), FQ_OK);
    for (int batch = 0; batch < 3; batch++) {
        if (fq_codec_encode(codec, n, x, &err) != FQ_OK)
            fail_msg("%s", err.text);
        if (method != &fake_first_score)
            assert_int_equal(fq_codec_decode(codec, y, &err), FQ_OK);
        assert_int_equal(fq_codec_scores(codec, 2, x, scores, &err), FQ_OK);
        if (method != &fake_first_score)
            assert_int_equal(fq_codec_scores_own(codec, x, scores, &err), FQ_OK);
        x[0] += 1.0F;
    }
    fq_codec_bytes(codec, &before);
    assert_true(fq_witness_present(codec));
    if (fq_witness_end(codec, what, 80, sentence, &err) != FQ_OK)
        fail_msg("%s", err.text);
    assert_false(fq_witness_present(codec));
    fq_codec_bytes(codec, &after);
    assert_memory_equal(&before, &after, sizeof before);
    free(x);
    free(y);
    free(scores);
    fq_codec_close(codec);
}

static void honest_batches_pass(void **state) {
    (void)state;
    char what[80], sentence[FQ_PROBE_SENTENCE];
    measure_watched(&fake_store, BATCH, what, sentence);
    assert_string_equal(sentence, "");
    assert_non_null(strstr(what, " of 3, 100 vectors"));
    measure_watched(&fake_group, BATCH + 3, what, sentence); /* three of the float16 tail */
    assert_string_equal(sentence, "");
    assert_non_null(strstr(what, " of 3, 100 vectors"));
    measure_watched(&fake_group, 3, what, sentence);
    assert_string_equal(sentence, "");
    assert_string_equal(what, "no whole group");
}

static void honest_in_small_batches_only_is_seen_in_a_measured_one(void **state) {
    (void)state;
    char inside[FQ_PROBE_SENTENCE], outside[FQ_PROBE_SENTENCE], what[80];
    probe(&fake_small, inside, outside);
    assert_string_equal(inside, ""); /* what the small probe alone would let pass */
    assert_string_equal(outside, "");
    measure_watched(&fake_small, BATCH, what, outside);
    assert_non_null(strstr(outside, "fresh process"));

    probe(&fake_large, inside, outside);
    assert_string_equal(inside, "");
    assert_string_equal(outside, "");
    measure_watched(&fake_large, BATCH, what, outside);
    assert_non_null(strstr(outside, "encode differently in a batch of 3 than in the measured one of 100"));
}

static void what_the_measurement_was_given_counts(void **state) {
    (void)state;
    char what[80], sentence[FQ_PROBE_SENTENCE];
    measure_watched(&fake_first, BATCH, what, sentence);
    assert_non_null(strstr(sentence, "the measurement was given other values"));
    assert_non_null(strstr(sentence, "vector 1, coordinate 3"));
    measure_watched(&fake_first_score, BATCH, what, sentence);
    assert_non_null(strstr(sentence, "the measurement was given other scores"));
}

static void the_last_timed_batch_is_examined(void **state) {
    (void)state;
    char sentence[FQ_PROBE_SENTENCE];
    const struct fq_method *const methods[] = {&fake_store, &fake_small, &fake_large};
    for (size_t i = 0; i < 3; i++) {
        struct fq_error err = {0};
        struct fq_codec *codec = fake_open(methods[i], DIM);
        float *x = fake_vectors_new(BATCH, DIM);
        assert_int_equal(fq_codec_encode(codec, BATCH, x, &err), FQ_OK);
        assert_int_equal(fq_probe_last_batch(codec, N, x, 1, sentence, &err), FQ_FAILED); /* not that batch */
        if (fq_probe_last_batch(codec, BATCH, x, 1, sentence, &err) != FQ_OK)
            fail_msg("%s", err.text);
        assert_true((sentence[0] == '\0') == (i == 0));
        free(x);
        fq_codec_close(codec);
    }
}

/* Tries everything that would lead out; returns the number of the first that worked, 0 if none did. */
static int ways_out(int answer, int other) {
    char byte = 0;
    int n = 0;
    const int64_t worked[] = {
        open("/proc/self/status", O_RDONLY) >= 0,
        open("/dev/shm/fairquant-sandbox-test", O_RDWR | O_CREAT, 0600) >= 0,
        socket(AF_UNIX, SOCK_STREAM, 0) >= 0,
        shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) >= 0,
        memfd_create("x", 0) >= 0,
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED,
        mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, other, 0) != MAP_FAILED,
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED,
        read(other, &byte, 1) >= 0,
        write(other, &byte, 1) >= 0,
        dup2(other, answer) >= 0,
        fork() >= 0,
    };
    for (size_t i = 0; i < sizeof worked / sizeof worked[0] && n == 0; i++)
        n = worked[i] ? (int)i + 1 : 0;
    return n;
}

static int shut_in_child(int answer, int other) {
    void *room;
    if (fq_probe_close_before("/proc/self/cmdline") == PROBE_NO_WALLS)
        return 100;
    const bool file = open("/proc/self/status", O_RDONLY) >= 0;
    if (file && (fq_probe_close_before("") & PROBE_LANDLOCK) != 0)
        return 101;
    if (fq_probe_close_after(answer) != PROBE_SECCOMP)
        return 102;
    const int n = ways_out(answer, other);
    if (n != 0)
        return n;
    room = malloc(8 << 20); /* what a kernel's harness needs still works */
    if (room == NULL)
        return 103;
    memset(room, 1, 8 << 20);
    free(room);
    return write(answer, "done", 4) == 4 ? 0 : 104;
}

static void the_fresh_process_can_reach_nothing(void **state) {
    (void)state;
    char inside[FQ_PROBE_SENTENCE], outside[FQ_PROBE_SENTENCE], text[8] = "";
    probe(&fake_store, inside, outside);
    if (strcmp(fq_probe_sandbox(), "none") == 0) {
        print_message("this kernel lets no process shut itself in\n");
        skip();
    }
    int answer[2];
    assert_int_equal(pipe(answer), 0);
    const int other = open("/proc/self/exe", O_RDONLY);
    assert_true(other >= 0);
    const pid_t child = fork();
    if (child == 0)
        _exit(shut_in_child(answer[1], other));
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(read(answer[0], text, 4), 4);
    assert_string_equal(text, "done");
    (void)close(other);
    (void)close(answer[0]);
    (void)close(answer[1]);
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
        cmocka_unit_test(honest_batches_pass),
        cmocka_unit_test(honest_in_small_batches_only_is_seen_in_a_measured_one),
        cmocka_unit_test(what_the_measurement_was_given_counts),
        cmocka_unit_test(the_last_timed_batch_is_examined),
        cmocka_unit_test(the_fresh_process_can_reach_nothing),
        cmocka_unit_test(fewer_vectors_than_a_group_is_an_error),
        cmocka_unit_test(damaged_probe_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
