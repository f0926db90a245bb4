/* Collects the facts of this machine, this binary and the libraries of the ground floor.
 *
 * Reads /proc, /sys and files of the GPU drivers; starts no process and changes nothing. A fact that is equal between
 * two cells is what the audit calls the same machine, so texts are plain and stable: no time stamps, no loads. */
#include "harness/base/env.h"

#include "harness/base/blas.h"
#include "harness/base/clock.h"
#include "harness/base/cpu.h"
#include "harness/base/error.h"
#include "harness/base/placement.h"
#include "harness/base/sha256.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifndef FQ_FLAGS_HASH
#define FQ_FLAGS_HASH "not readable"
#endif
#ifndef FQ_VERSION
#define FQ_VERSION "not readable"
#endif

struct list {
    struct fq_env_fact *fact;
    size_t n, max;
};

static void fact(struct list *list, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void fact(struct list *list, const char *name, const char *format, ...) {
    if (list->n == list->max)
        return;
    struct fq_env_fact *f = &list->fact[list->n++];
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
    if (f->text[0] == '\0')
        (void)snprintf(f->text, sizeof f->text, "not readable");
}

/* Value of the first line of a file that begins with `key` (the whole first line if key is ""), without quotes and
 * spaces around it; "" if there is none. */
static void value_in_file(const char *path, const char *key, char *out, size_t size) {
    out[0] = '\0';
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    char line[512];
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        const char *begin = line + strlen(key);
        begin += strspn(begin, " \t=:\"");
        size_t n = strcspn(begin, "\"\n");
        while (n > 0 && isspace((unsigned char)begin[n - 1]))
            n--;
        (void)snprintf(out, size, "%.*s", (int)n, begin);
        break;
    }
    (void)fclose(file);
}

static void fact_from_file(struct list *list, const char *name, const char *path, const char *key) {
    char text[200];
    value_in_file(path, key, text, sizeof text);
    fact(list, name, "%s", text);
}

static void cache_fact(struct list *list, const char *name, int level) {
    size_t bytes = fq_placement_cache_bytes(level);
    if (bytes == 0)
        fact(list, name, "not readable");
    else
        fact(list, name, "%zu KiB", bytes >> 10);
}

static void processor_facts(struct list *list) {
    char text[256];
    fq_cpu_model(text, sizeof text);
    fact(list, "cpu_model", "%s", text);
    fact(list, "cores_online", "%u", fq_cpu_online());
    fq_placement_describe(text, sizeof text);
    fact(list, "placement", "%s", text);
    cache_fact(list, "cache_l1d", 1);
    cache_fact(list, "cache_l2", 2);
    cache_fact(list, "cache_l3", 3);
    fq_cpu_governor(text, sizeof text);
    fact(list, "governor", "%s", text);
    fact_from_file(list, "turbo_off", "/sys/devices/system/cpu/intel_pstate/no_turbo", "");
    fact_from_file(list, "cpu_boost", "/sys/devices/system/cpu/cpufreq/boost", "");
    fact_from_file(list, "smt", "/sys/devices/system/cpu/smt/control", "");
    fact(list, "isa_available", "%s%s%s", fq_backend_name(FQ_REF), fq_cpu_has(FQ_AVX2) ? " avx2" : "",
         fq_cpu_has(FQ_AVX512) ? " avx512" : "");
    fact(list, "isa_cap", "%s", fq_backend_name(fq_isa_cap()));
}

static void system_facts(struct list *list) {
    char text[200];
    value_in_file("/proc/meminfo", "MemTotal", text, sizeof text);
    unsigned long long kib = strtoull(text, NULL, 10);
    if (kib > 0)
        fact(list, "memory", "%llu MiB", kib >> 10);
    else
        fact(list, "memory", "not readable");
    fact_from_file(list, "transparent_hugepages", "/sys/kernel/mm/transparent_hugepage/enabled", "");
    fact(list, "page_bytes", "%ld", sysconf(_SC_PAGESIZE));
    struct utsname u;
    if (uname(&u) == 0)
        fact(list, "kernel", "%s %s %s", u.sysname, u.release, u.machine);
    else
        fact(list, "kernel", "not readable");
    fact_from_file(list, "os", "/etc/os-release", "PRETTY_NAME");
    fact_from_file(list, "hypervisor", "/sys/class/dmi/id/product_name", "");
    fact(list, "clock_overhead_ns", "%.1f", fq_clock_overhead_ns());
}

static void binary_facts(struct list *list) {
    static char hash[FQ_SHA256_HEX];
    struct fq_error err;
    if (hash[0] == '\0' && fq_sha256_file("/proc/self/exe", hash, &err) != 0)
        hash[0] = '\0';
    fact(list, "version", "%s", FQ_VERSION);
    fact(list, "flags_hash", "%s", FQ_FLAGS_HASH);
    fact(list, "binary_sha256", "%s", hash);
#if defined(__clang__)
    fact(list, "compiler", "clang %s", __clang_version__);
#else
    fact(list, "compiler", "gcc %s", __VERSION__);
#endif
#if defined(FQ_SANITIZED)
    fact(list, "sanitizers", "address, undefined: times of this build mean nothing");
#else
    fact(list, "sanitizers", "none");
#endif
    fact(list, "blas_core", "%s", fq_blas_core());
    fact(list, "blas_config", "%s", fq_blas_config());
    fact(list, "blas_coretype", "%s", fq_blas_coretype()[0] != '\0' ? fq_blas_coretype() : "unset");
    const char *limit = getenv("OMP_THREAD_LIMIT");
    fact(list, "omp_thread_limit", "%s", limit != NULL && limit[0] != '\0' ? limit : "unset");
}

/* Full path of a program on PATH or in one further directory; 0 if it is in neither. */
static int find_program(const char *program, const char *also, char *out, size_t size) {
    const char *path = getenv("PATH");
    char directories[4096];
    (void)snprintf(directories, sizeof directories, "%s:%s", path != NULL ? path : "", also);
    char *rest = NULL;
    for (const char *d = strtok_r(directories, ":", &rest); d != NULL; d = strtok_r(NULL, ":", &rest)) {
        (void)snprintf(out, size, "%s/%s", d, program);
        if (access(out, X_OK) == 0)
            return 1;
    }
    return 0;
}

/* First number in the line of FILE that begins with `key`, where FILE lies in the toolkit that a compiler belongs to
 * (<toolkit>/bin/<compiler>); "" if there is none. */
static void toolkit_version(const char *compiler, const char *file, const char *key, char *out, size_t size) {
    char real[4096], path[4200], line[200];
    out[0] = '\0';
    if (realpath(compiler, real) == NULL)
        return;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(real, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
    (void)snprintf(path, sizeof path, "%s/%s", real, file);
    value_in_file(path, key, line, sizeof line);
    const char *digit = strpbrk(line, "0123456789");
    if (digit != NULL)
        (void)snprintf(out, size, "%.*s", (int)strspn(digit, "0123456789.-"), digit);
}

static void device_facts(struct list *list) {
    char compiler[4096], version[64] = "", toolkit[128];
    int device = access("/dev/nvidia0", F_OK) == 0;
    int found = find_program("nvcc", "/usr/local/cuda/bin", compiler, sizeof compiler);
    if (found) {
        toolkit_version(compiler, "include/cuda.h", "#define CUDA_VERSION", version, sizeof version);
        unsigned long number = strtoul(version, NULL, 10); /* 1000 major + 10 minor */
        if (number > 0)
            (void)snprintf(version, sizeof version, "%lu.%lu", number / 1000, number % 1000 / 10);
    }
    (void)snprintf(toolkit, sizeof toolkit, "CUDA toolkit%s%s found", version[0] != '\0' ? " " : "", version);
    if (device && found)
        fact(list, "cuda", "%s, NVIDIA device present", toolkit);
    else if (device)
        fact(list, "cuda", "absent: an NVIDIA device is there, but no CUDA toolkit (nvcc)");
    else if (found)
        fact(list, "cuda", "compiled only: %s, no device", toolkit);
    else
        fact(list, "cuda", "absent: no NVIDIA device, no CUDA toolkit (nvcc)");
    char driver[200];
    value_in_file("/proc/driver/nvidia/version", "NVRM version", driver, sizeof driver);
    fact(list, "nvidia_driver", "%s", driver[0] != '\0' ? driver : "absent");

    device = access("/dev/kfd", F_OK) == 0;
    found = find_program("hipcc", "/opt/rocm/bin", compiler, sizeof compiler);
    version[0] = '\0';
    if (found)
        toolkit_version(compiler, ".info/version", "", version, sizeof version);
    (void)snprintf(toolkit, sizeof toolkit, "HIP toolkit%s%s found", version[0] != '\0' ? " " : "", version);
    if (device && found)
        fact(list, "hip", "%s, AMD device present", toolkit);
    else if (device)
        fact(list, "hip", "absent: an AMD device is there, but no HIP toolkit (hipcc)");
    else if (found)
        fact(list, "hip", "compiled only: %s, no device", toolkit);
    else
        fact(list, "hip", "absent: no AMD device, no HIP toolkit (hipcc)");
}

size_t fq_env_collect(struct fq_env_fact *out, size_t max) {
    struct list list = {.fact = out, .n = 0, .max = max};
    processor_facts(&list);
    system_facts(&list);
    binary_facts(&list);
    device_facts(&list);
    return list.n;
}
