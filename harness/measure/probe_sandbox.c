/* The walls around the fresh process of the codes-only probe.
 *
 * Why: a method that leaves its floats outside of the process (a file, shared memory, a socket) would find them again
 * in the fresh one. A plug-in needs no import for that, a system call instruction is enough, so the kernel must refuse.
 * Step one stands before the plug-in is loaded: Landlock leaves one file readable, the plug-in itself, and seccomp
 * refuses what is no file. Step two stands before its kernels run: an allow-list of system calls, in which nothing can
 * be opened, mapped or read. Refused calls return EPERM: a method that lives by its records never sees one.
 *
 * Filters are written by hand (classic BPF over struct seccomp_data) rather than with libseccomp: two dozen lines, and
 * no library more to depend on. Must not be called in a process that goes on to do anything else. */
#include "harness/measure/probe_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#define THIS_ARCH 0 /* no filter is known to be right here: none is installed, and the facts say so */
#endif

enum { MOST_LINES = 200, X32_BIT = 0x40000000, REFUSED = (int)(SECCOMP_RET_ERRNO | EPERM) };

struct program {
    struct sock_filter line[MOST_LINES];
    unsigned short n;
};

static void add(struct program *p, unsigned short code, uint32_t k, unsigned char yes, unsigned char no) {
    if (p->n < MOST_LINES)
        p->line[p->n++] = (struct sock_filter){code, yes, no, k};
}

static void load(struct program *p, size_t offset) {
    add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct program *p, uint32_t what) {
    add(p, BPF_RET | BPF_K, what, 0, 0);
}

static void load_number(struct program *p) {
    load(p, offsetof(struct seccomp_data, nr));
}

/* Low half of an argument: descriptors, protections and flags are ints, in little-endian order first. */
static void load_argument(struct program *p, unsigned i) {
    load(p, offsetof(struct seccomp_data, args) + i * sizeof(uint64_t));
}

/* Foreign system call tables would make every number below mean something else. */
static void begin(struct program *p) {
    p->n = 0;
    load(p, offsetof(struct seccomp_data, arch));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0);
    answer(p, (uint32_t)SECCOMP_RET_KILL_PROCESS);
    load_number(p);
    add(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    answer(p, (uint32_t)SECCOMP_RET_KILL_PROCESS);
}

static void number(struct program *p, long nr, uint32_t what) {
    add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1);
    answer(p, what);
}

/* Of this call: `what` if any of the bits is (all_clear: is not) set in the argument. Falls through otherwise, with the
 * number loaded again. */
static void bits(struct program *p, long nr, unsigned argument, uint32_t mask, bool when_set, uint32_t what) {
    add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 4);
    load_argument(p, argument);
    add(p, BPF_JMP | BPF_JSET | BPF_K, mask, when_set ? 0 : 1, when_set ? 1 : 0);
    answer(p, what);
    load_number(p);
}

/* Of this call: allowed if the argument is one of two values. */
static void either(struct program *p, long nr, unsigned argument, uint32_t a, uint32_t b) {
    add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 5);
    load_argument(p, argument);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, a, 1, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, b, 0, 1);
    answer(p, SECCOMP_RET_ALLOW);
    load_number(p);
}

static bool install(struct program *p) {
    const struct sock_fprog program = {.len = p->n, .filter = p->line};
    if (THIS_ARCH == 0 || p->n >= MOST_LINES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return false;
    /* Threads that libraries started are shut in, too. */
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

/* ---- step one -----------------------------------------------------------------------------------------------------*/

/* Nothing of the file system can be read or written any more, but for one file that can be read. */
static bool close_files(const char *readable) {
    const struct landlock_ruleset_attr all = {
        .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
                             LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                             LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                             LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                             LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                             LANDLOCK_ACCESS_FS_MAKE_SYM};
    const long rules = syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    if (rules < 0)
        return false;
    bool closed = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    const int file = readable[0] != '\0' ? open(readable, O_PATH | O_CLOEXEC) : -1;
    if (file >= 0) {
        const struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
                                                        .parent_fd = file};
        closed = closed && syscall(SYS_landlock_add_rule, (int)rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
        (void)close(file);
    }
    closed = closed && syscall(SYS_landlock_restrict_self, (int)rules, 0) == 0;
    (void)close((int)rules);
    return closed;
}

/* /proc/self/maps is read in step two's place, behind step one: its descriptor is opened before. */
static int maps = -1;

enum probe_walls fq_probe_close_before(const char *plugin) {
    static const long refused[] = {
        SYS_socket,
        SYS_socketpair,
        SYS_shmget,
        SYS_shmat,
        SYS_msgget,
        SYS_msgrcv,
        SYS_semget,
        SYS_mq_open,
        SYS_memfd_create,
        SYS_ptrace,
        SYS_process_vm_readv,
        SYS_process_vm_writev,
        SYS_pidfd_open,
        SYS_pidfd_getfd,
        SYS_io_uring_setup,
        SYS_userfaultfd,
        SYS_bpf,
        SYS_perf_event_open,
        SYS_open_by_handle_at,
        SYS_execve,
        SYS_execveat,
        SYS_keyctl,
        SYS_add_key,
        SYS_request_key,
    };
    struct program p;
    maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    begin(&p);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        number(&p, refused[i], REFUSED);
    bits(&p, SYS_mmap, 3, MAP_SHARED, true, REFUSED);
    answer(&p, SECCOMP_RET_ALLOW);
    const bool files = close_files(plugin);
    return (install(&p) ? PROBE_SECCOMP : PROBE_NO_WALLS) | (files ? PROBE_LANDLOCK : PROBE_NO_WALLS);
}

void fq_probe_shared_mapping(char *out, size_t size) {
    out[0] = '\0';
    FILE *file = maps >= 0 ? fdopen(maps, "r") : NULL;
    char line[512], range[64], rights[8];
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "%63s %7s", range, rights) == 2 && strlen(rights) == 4 && rights[3] == 's') {
            line[strcspn(line, "\n")] = '\0';
            snprintf(out, size, "%.150s", line);
            break;
        }
    if (file != NULL)
        (void)fclose(file);
    maps = -1;
}

/* ---- step two -----------------------------------------------------------------------------------------------------*/

enum probe_walls fq_probe_close_after(int descriptor) {
    /* Memory, waiting, time (the harness's own clock) and the end; nothing here can name an object outside. */
    static const long allowed[] = {
        SYS_brk,
        SYS_munmap,
        SYS_mremap,
        SYS_madvise,
        SYS_futex,
        SYS_sched_yield,
        SYS_clock_gettime,
        SYS_clock_getres,
        SYS_gettid,
        SYS_getpid,
        SYS_tgkill,
        SYS_rt_sigprocmask,
        SYS_rt_sigaction,
        SYS_rt_sigreturn,
        SYS_sigaltstack,
        SYS_getrandom,
        SYS_sched_getaffinity,
        SYS_close,
        SYS_restart_syscall,
        SYS_exit,
        SYS_exit_group,
        SYS_rseq,
        SYS_getcpu,
        SYS_clock_nanosleep,
        SYS_nanosleep,
    };
    struct program p;
    begin(&p);
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        number(&p, allowed[i], SECCOMP_RET_ALLOW);
    either(&p, SYS_write, 0, (uint32_t)descriptor, STDERR_FILENO);
    bits(&p, SYS_mprotect, 2, PROT_EXEC, false, SECCOMP_RET_ALLOW);
    bits(&p, SYS_mmap, 3, MAP_SHARED, true, REFUSED);
    bits(&p, SYS_mmap, 2, PROT_EXEC, true, REFUSED);
    bits(&p, SYS_mmap, 3, MAP_ANONYMOUS, true, SECCOMP_RET_ALLOW);
    answer(&p, REFUSED);
    return install(&p) ? PROBE_SECCOMP : PROBE_NO_WALLS;
}
