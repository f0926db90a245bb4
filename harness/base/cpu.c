/* What the processor can do and what the user allows.
 *
 * CPUID alone is not enough: the operating system must also save the wide registers (XGETBV), else the first AVX
 * instruction ends the process. Devices are asked elsewhere; here CUDA and HIP are only names. */
#include "harness/base/cpu.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static int has_all(unsigned word, const unsigned *bits, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((word >> bits[i] & 1) == 0)
            return 0;
    return 1;
}

static enum fq_backend detect(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return FQ_REF;
    static const unsigned leaf1_c[] = {12, 27, 28, 29}; /* FMA, OSXSAVE, AVX, F16C */
    if (!has_all(c, leaf1_c, 4))
        return FQ_REF;
    const uint64_t ymm = 0x6, zmm = 0xE6; /* XCR0: SSE and AVX state; and opmask, ZMM low, ZMM high */
    uint64_t saved = saved_registers();
    if ((saved & ymm) != ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return FQ_REF;
    static const unsigned avx2_b[] = {5, 8};             /* AVX2, BMI2 */
    static const unsigned avx512_b[] = {16, 17, 30, 31}; /* F, DQ, BW, VL */
    static const unsigned avx512_c[] = {11};             /* VNNI */
    if (!has_all(b, avx2_b, 2))
        return FQ_REF;
    if ((saved & zmm) != zmm || !has_all(b, avx512_b, 4) || !has_all(c, avx512_c, 1))
        return FQ_AVX2;
    return FQ_AVX512;
}

/* 48 bytes of brand string, leaves 0x80000002 to 0x80000004. */
static int brand(char text[49]) {
    unsigned word[12], highest = __get_cpuid_max(0x80000000u, NULL);
    if (highest < 0x80000004u)
        return 0;
    for (unsigned i = 0; i < 3; i++)
        (void)__get_cpuid(0x80000002u + i, &word[4 * i], &word[4 * i + 1], &word[4 * i + 2], &word[4 * i + 3]);
    memcpy(text, word, sizeof word);
    text[48] = '\0';
    return 1;
}
#else
static enum fq_backend detect(void) {
    return FQ_REF;
}

static int brand(char text[49]) {
    text[0] = '\0';
    return 0;
}
#endif

static enum fq_backend best(void) {
    static int known;
    static enum fq_backend backend;
    if (!known) {
        backend = detect();
        known = 1;
    }
    return backend;
}

bool fq_cpu_has(enum fq_backend backend) {
    return (backend == FQ_REF || backend == FQ_AVX2 || backend == FQ_AVX512) && backend <= best();
}

static const char *const names[FQ_BACKENDS] = {"ref", "avx2", "avx512", "cuda", "hip"};

const char *fq_backend_name(enum fq_backend backend) {
    return (unsigned)backend < FQ_BACKENDS ? names[backend] : "unknown";
}

int fq_backend_parse(const char *name, enum fq_backend *out, struct fq_error *err) {
    for (int i = 0; i < FQ_BACKENDS; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum fq_backend)i;
            return FQ_OK;
        }
    return fq_fail(err, FQ_USAGE, "unknown instruction set or device '%s': choose one of ref, avx2, avx512, cuda, hip",
                   name);
}

static int cap_is_set;
static enum fq_backend cap;

void fq_isa_cap_set(enum fq_backend new_cap) {
    cap = new_cap;
    cap_is_set = 1;
}

enum fq_backend fq_isa_cap(void) {
    return cap_is_set ? cap : best();
}

enum fq_backend fq_backend_pick(const struct fq_method *method) {
    for (int i = FQ_AVX512; i > FQ_REF; i--) {
        enum fq_backend candidate = (enum fq_backend)i;
        if (candidate <= fq_isa_cap() && fq_cpu_has(candidate) && method->kernels[candidate] != NULL)
            return candidate;
    }
    return FQ_REF;
}

/* First line of a small text file without its newline; 0 if there is none. */
static int first_line(const char *path, char *out, size_t size) {
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    int got = fgets(out, (int)size, file) != NULL;
    (void)fclose(file);
    if (got)
        out[strcspn(out, "\n")] = '\0';
    return got && out[0] != '\0';
}

void fq_cpu_model(char *out, size_t size) {
    char text[49];
    const char *name = "not readable";
    if (brand(text)) {
        name = text + strspn(text, " ");
        for (size_t n = strlen(text); n > 0 && text[n - 1] == ' '; n--)
            text[n - 1] = '\0';
    }
    (void)snprintf(out, size, "%s", name[0] != '\0' ? name : "not readable");
}

void fq_cpu_governor(char *out, size_t size) {
    if (!first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", out, size))
        (void)snprintf(out, size, "not readable");
}

unsigned fq_cpu_online(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (unsigned)n;
}
