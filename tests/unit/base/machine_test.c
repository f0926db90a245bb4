/* The machine as the harness sees it: instruction sets, cap, placement, caches, and the facts made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/clock.h"
#include "harness/base/cpu.h"
#include "harness/base/env.h"
#include "harness/base/file.h"
#include "harness/base/placement.h"
#include "harness/base/sha256.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static void names_go_both_ways(void **state) {
    (void)state;
    struct fq_error err = {0};
    for (int i = 0; i < FQ_BACKENDS; i++) {
        enum fq_backend parsed;
        assert_int_equal(fq_backend_parse(fq_backend_name((enum fq_backend)i), &parsed, &err), FQ_OK);
        assert_int_equal(parsed, i);
    }
    enum fq_backend parsed;
    assert_int_equal(fq_backend_parse("avx", &parsed, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "'avx'"));
    assert_non_null(strstr(err.text, "avx512"));
}

/* The kernel lists what CPUID says and the operating system supports: an independent witness. */
static int kernel_lists(const char *cpuinfo, const char *flag) {
    const char *line = strstr(cpuinfo, "\nflags");
    if (line == NULL)
        return 0;
    const char *end = strchr(line + 1, '\n');
    size_t n = strlen(flag);
    for (const char *p = strstr(line, flag); p != NULL && p < end; p = strstr(p + 1, flag))
        if (p[-1] == ' ' && (p[n] == ' ' || p[n] == '\n'))
            return 1;
    return 0;
}

static void instruction_sets_agree_with_the_kernel(void **state) {
    (void)state;
    struct fq_error err = {0};
    char *info;
    size_t size;
    assert_int_equal(fq_read_text("/proc/cpuinfo", &info, &size, &err), FQ_OK);
    int avx2 = kernel_lists(info, "avx2") && kernel_lists(info, "fma") && kernel_lists(info, "f16c") &&
               kernel_lists(info, "bmi2");
    int avx512 = avx2 && kernel_lists(info, "avx512f") && kernel_lists(info, "avx512bw") &&
                 kernel_lists(info, "avx512dq") && kernel_lists(info, "avx512vl") && kernel_lists(info, "avx512_vnni");
    assert_true(fq_cpu_has(FQ_REF));
    /* An emulator (valgrind) may hide instruction sets that the kernel lists, never add one. */
    assert_true(fq_cpu_has(FQ_AVX2) <= avx2);
    assert_true(fq_cpu_has(FQ_AVX512) <= avx512);
    const char *preloaded = getenv("LD_PRELOAD");
    if (preloaded == NULL || strstr(preloaded, "vgpreload") == NULL) {
        assert_int_equal(fq_cpu_has(FQ_AVX2), avx2);
        assert_int_equal(fq_cpu_has(FQ_AVX512), avx512);
    }
    assert_false(fq_cpu_has(FQ_CUDA));
    free(info);
}

static void the_cap_limits_the_pick(void **state) {
    (void)state;
    static const struct fq_kernels none = {0};
    struct fq_method all = {.kernels = {&none, &none, &none, NULL, NULL}}, old = {.kernels = {&none, &none, NULL}};
    enum fq_backend best = fq_isa_cap();
    assert_true(fq_cpu_has(best));
    assert_int_equal(fq_backend_pick(&all), best);
    assert_int_equal(fq_backend_pick(&old), best < FQ_AVX2 ? best : FQ_AVX2);
    fq_isa_cap_set(FQ_REF);
    assert_int_equal(fq_backend_pick(&all), FQ_REF);
    fq_isa_cap_set(FQ_AVX512);
    assert_true(fq_cpu_has(fq_backend_pick(&all)));
    fq_isa_cap_set(best);
}

static void units_are_different_and_allowed(void **state) {
    (void)state;
    unsigned unit[256];
    cpu_set_t allowed;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    size_t n = fq_placement_units(unit, 256);
    assert_int_equal(n, CPU_COUNT(&allowed) < 256 ? CPU_COUNT(&allowed) : 256);
    for (size_t i = 0; i < n; i++) {
        assert_true(CPU_ISSET(unit[i], &allowed));
        for (size_t j = 0; j < i; j++)
            assert_true(unit[i] != unit[j]);
    }
    assert_int_equal(fq_placement_units(unit, 1), 1);
    struct fq_error err = {0};
    assert_int_equal(fq_placement_bind_self(100000, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "100000"));
    assert_int_equal(fq_placement_cache_bytes(0), 0);
    assert_int_equal(fq_placement_cache_bytes(9), 0);
    char text[128];
    fq_placement_describe(text, sizeof text);
    assert_true(strlen(text) > 10);
}

static void clocks_go_forward(void **state) {
    (void)state;
    uint64_t wall_ns = fq_now_ns(), cpu_ns = fq_process_cpu_ns();
    double overhead_ns = fq_clock_overhead_ns();
    assert_true(overhead_ns > 0.0);
    assert_true(overhead_ns == fq_clock_overhead_ns());
    assert_true(fq_now_ns() > wall_ns);
    assert_true(fq_process_cpu_ns() >= cpu_ns);
}

static void facts_are_named_once_and_never_empty(void **state) {
    (void)state;
    struct fq_env_fact fact[FQ_ENV_MAX];
    size_t n = fq_env_collect(fact, FQ_ENV_MAX);
    assert_true(n > 20 && n < FQ_ENV_MAX);
    char hash[FQ_SHA256_HEX];
    struct fq_error err = {0};
    assert_int_equal(fq_sha256_file("/proc/self/exe", hash, &err), FQ_OK);
    int seen_hash = 0, seen_cuda = 0, seen_core = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(fact[i].name[0] != '\0' && fact[i].text[0] != '\0');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(fact[i].name, fact[j].name);
        seen_hash += strcmp(fact[i].name, "binary_sha256") == 0 && strcmp(fact[i].text, hash) == 0;
        seen_cuda += strcmp(fact[i].name, "cuda") == 0;
        seen_core += strcmp(fact[i].name, "blas_core") == 0;
    }
    assert_int_equal(seen_hash, 1);
    assert_int_equal(seen_cuda, 1);
    assert_int_equal(seen_core, 1);
    assert_int_equal(fq_env_collect(fact, 3), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),      cmocka_unit_test(instruction_sets_agree_with_the_kernel),
        cmocka_unit_test(the_cap_limits_the_pick), cmocka_unit_test(units_are_different_and_allowed),
        cmocka_unit_test(clocks_go_forward),       cmocka_unit_test(facts_are_named_once_and_never_empty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
