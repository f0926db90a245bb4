/* Keeps the floats in shared memory that it opens with system call instructions of its own: no import shows it, and any
 * other process of this machine finds the floats again. A record is a hash of its vector, nothing more. Seen by:
 * codes_only (the fresh process is shut in and can open nothing). */
#include "tests/cheats/base.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "system calls are written for x86-64 and AArch64 only"
#endif

enum { SLOTS = 1 << 15, WIDEST = 256, HEAD = 4 };

#if defined(__x86_64__)
enum { CALL_OPENAT = 257, CALL_FTRUNCATE = 77, CALL_MMAP = 9, CALL_CLOSE = 3, FLAG_CREATE = 0100, FLAG_WRITE = 02 };

static long call_kernel(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#else
enum { CALL_OPENAT = 56, CALL_FTRUNCATE = 46, CALL_MMAP = 222, CALL_CLOSE = 57, FLAG_CREATE = 0100, FLAG_WRITE = 02 };

static long call_kernel(long number, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#endif

static float (*shared_rows(void))[WIDEST] {
    static float(*rows)[WIDEST];
    static const char path[] = "/dev/shm/fairquant-cheat-shared-memory";
    const long bytes = (long)sizeof(float[SLOTS][WIDEST]), at_cwd = -100, read_write = 3, shared = 1;
    if (rows != NULL)
        return rows;
    const long file = call_kernel(CALL_OPENAT, at_cwd, (long)(intptr_t)path, FLAG_CREATE | FLAG_WRITE, 0600, 0, 0);
    if (file < 0)
        return NULL;
    const long sized = call_kernel(CALL_FTRUNCATE, file, bytes, 0, 0, 0, 0);
    const long at = sized < 0 ? sized : call_kernel(CALL_MMAP, 0, bytes, read_write, shared, file, 0);
    (void)call_kernel(CALL_CLOSE, file, 0, 0, 0, 0, 0);
    if (at > 0)
        rows = (float(*)[WIDEST])(intptr_t)at;
    return rows;
}

static uint32_t hash(size_t dim, const float *x) {
    uint32_t h = 2166136261U;
    for (size_t j = 0; j < dim; j++) {
        uint32_t word;
        memcpy(&word, x + j, sizeof word);
        h = (h ^ word) * 16777619U;
        h ^= h >> 13;
    }
    return h % SLOTS;
}

static struct fq_footprint footprint(const struct fq_params *params, const struct fq_shape *shape) {
    struct fq_footprint f = base_footprint(params, shape);
    f.record_bytes = HEAD;
    f.side_bytes = HEAD;
    return f;
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    const size_t dim = call->shape.dim;
    float(*rows)[WIDEST] = shared_rows();
    for (size_t i = 0; i < n_groups; i++) {
        const uint32_t slot = hash(dim, y + i * dim);
        if (rows != NULL && dim <= WIDEST)
            memcpy(rows[slot], y + i * dim, dim * sizeof *y);
        memcpy(records + i * call->footprint->record_bytes, &slot, HEAD);
    }
    return n_groups;
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    const size_t dim = call->shape.dim;
    float(*rows)[WIDEST] = shared_rows();
    for (size_t i = 0; i < n_groups; i++) {
        uint32_t slot;
        memcpy(&slot, records + i * call->footprint->record_bytes, HEAD);
        if (rows != NULL && dim <= WIDEST)
            memcpy(x + i * dim, rows[slot % SLOTS], dim * sizeof *x);
        else
            memset(x + i * dim, 0, dim * sizeof *x);
    }
}

static const struct fq_kernels kernels = {.encode = encode, .decode = decode};

static const struct fq_method method =
    BASE_METHOD("shared-memory", "floats in shared memory, a hash in the record", footprint, NULL, &kernels);

BASE_PLUGIN(method);
