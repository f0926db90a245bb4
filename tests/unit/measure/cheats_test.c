/* Every plug-in of tests/cheats is loaded as a user's would be, run by the codec, and seen through by the fact that its
 * row in tests/cheats/README.md names; the honest one by none. Needs `make cheats` of the same build. */
#include "tests/unit/measure/fakes.h"

#include "harness/measure/measures.h"
#include "harness/measure/probe.h"

#include <libgen.h>
#include <limits.h>

enum { N = 4096, DIM = 64, PROBE = 16 };

struct cheat {
    const char *file, *method;
};
static const struct cheat cheats[] = {{"honest", "honest"},
                                      {"spawns_thread", "spawns-a-thread"},
                                      {"keeps_floats_aside", "keeps-floats-aside"},
                                      {"writes_past_buffer", "writes-past-buffer"},
                                      {"caches_by_pointer", "caches-by-pointer"},
                                      {"reads_clock", "reads-the-clock"},
                                      {"allocates", "allocates"},
                                      {"writes_shared", "writes-shared"},
                                      {"promises_less", "promises-less"},
                                      {"remembers_scratch", "remembers-scratch"},
                                      {"honest_when_small", "honest-when-small"},
                                      {"shared_memory", "shared-memory"}};
enum { CHEATS = sizeof cheats / sizeof cheats[0] };

/* What a run would record about one plug-in. */
struct facts {
    char canaries[400], shared[400], inside[FQ_PROBE_SENTENCE], outside[FQ_PROBE_SENTENCE], measured[FQ_PROBE_SENTENCE];
    const char *imports;
    uint64_t promised, written;
    unsigned threads_alive, threads_before;
};

static int load_all(void **state) {
    (void)state;
    char self[PATH_MAX], path[PATH_MAX + 128];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return -1;
    self[n] = '\0';
    char *folder = dirname(self); /* BUILD/tests/measure */
    for (size_t i = 0; i < CHEATS; i++) {
        struct fq_error err = {0};
        snprintf(path, sizeof path, "%s/../../cheats/%s.so", folder, cheats[i].file);
        if (fq_catalog_load_plugin(path, &err) != FQ_OK) {
            fprintf(stderr, "%s (is `make cheats` done?)\n", err.text);
            return -1;
        }
    }
    return 0;
}

static struct facts observe(const char *name) {
    struct fq_error err = {0};
    struct facts f = {.imports = NULL};
    const struct fq_method *method = NULL;
    if (fq_catalog_find(name, &method, &err) != FQ_OK)
        fail_msg("%s", err.text);
    f.imports = fq_catalog_imports(method);
    struct fq_codec *codec = fake_open(method, DIM);
    float *x = fake_vectors_new(N, DIM);
    if (fq_codec_probe_codes_only(codec, PROBE, x, f.inside, &err) != FQ_OK ||
        fq_probe_fresh_process(codec, PROBE, x, f.outside, &err) != FQ_OK)
        fail_msg("%s", err.text);
    f.threads_before = fq_threads_alive();
    struct fq_watch *watch = fq_watch_begin();
    struct fq_watch_result seen;
    assert_non_null(watch);
    if (fq_witness_begin(codec, 1, &err) != FQ_OK)
        fail_msg("%s", err.text);
    for (int round = 0; round < 20; round++)
        if (fq_codec_encode(codec, N, x, &err) != FQ_OK)
            fail_msg("%s", err.text);
    fq_watch_end(watch, &seen);
    f.threads_alive = seen.threads_alive_max;
    struct fq_bytes bytes;
    fq_codec_bytes(codec, &bytes);
    f.promised = bytes.promised_bytes;
    f.written = bytes.record_bytes + bytes.tail_bytes;
    snprintf(f.canaries, sizeof f.canaries, "%s", fq_codec_canaries(codec));
    snprintf(f.shared, sizeof f.shared, "%s", fq_codec_shared_state(codec));
    if (fq_witness_end(codec, NULL, 0, f.measured, &err) != FQ_OK)
        fail_msg("%s", err.text);
    free(x);
    fq_codec_close(codec);
    return f;
}

static void the_honest_one_is_clean(void **state) {
    (void)state;
    const struct facts f = observe("honest");
    assert_string_equal(f.canaries, "intact");
    assert_string_equal(f.shared, "intact");
    assert_string_equal(f.inside, "");
    assert_string_equal(f.outside, "");
    assert_string_equal(f.measured, "");
    assert_string_equal(f.imports, "");
    assert_int_equal(f.promised, f.written);
    assert_int_equal(f.threads_alive, f.threads_before);
}

static void each_cheat_is_seen_by_its_fact(void **state) {
    (void)state;
    struct facts f = observe("spawns-a-thread");
    assert_true(f.threads_alive > f.threads_before);
    assert_non_null(strstr(f.imports, "pthread_create"));

    f = observe("keeps-floats-aside");
    assert_non_null(strstr(f.outside, "fresh process"));

    f = observe("writes-past-buffer");
    assert_string_not_equal(f.canaries, "intact");
    assert_true(f.written > f.promised);

    f = observe("caches-by-pointer");
    assert_non_null(strstr(f.inside, "moved"));

    f = observe("reads-the-clock");
    assert_non_null(strstr(f.imports, "clock_gettime"));

    f = observe("allocates");
    assert_non_null(strstr(f.imports, "malloc"));

    f = observe("writes-shared");
    assert_non_null(strstr(f.shared, "shared state"));

    f = observe("promises-less");
    assert_int_equal(f.written - f.promised, 4 * 20 * N);
    assert_string_not_equal(f.canaries, "intact");

    f = observe("remembers-scratch");
    assert_non_null(strstr(f.inside, "scratch"));

    f = observe("honest-when-small");
    assert_string_equal(f.inside, ""); /* a probe of its own size sees nothing */
    assert_string_equal(f.outside, "");
    assert_non_null(strstr(f.measured, "fresh process"));

    f = observe("shared-memory");
    assert_string_equal(f.imports, "");
    assert_non_null(strstr(f.outside, "fresh process"));
    assert_int_equal(unlink("/dev/shm/fairquant-cheat-shared-memory"), 0);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--decode-probe") == 0)
        return fq_probe_main(argv[2]); /* the plug-in's path is in the file */
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_honest_one_is_clean),
                                       cmocka_unit_test(each_cheat_is_seen_by_its_fact)};
    return cmocka_run_group_tests(tests, load_all, NULL);
}
