/* Where threads may run.
 *
 * hwloc says which processing units share a core, the kernel says which of them this process may use (taskset, cgroup).
 * The topology is read once, when it is first asked for and before anything was pinned, and kept as plain numbers. This
 * file binds single threads; who runs where is the pool's decision. */
#include "harness/base/placement.h"

#include <errno.h>
#include <hwloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { MAX_UNITS = 1024, CACHE_LEVELS = 5 };

static struct {
    unsigned unit[MAX_UNITS];
    size_t n_units;
    size_t cache_bytes[CACHE_LEVELS];
    int packages, cores, pus;
} machine;
static pthread_once_t machine_once = PTHREAD_ONCE_INIT;

static void add_unit(unsigned os_index, const cpu_set_t *allowed) {
    if (machine.n_units < MAX_UNITS && os_index < CPU_SETSIZE && CPU_ISSET(os_index, allowed))
        machine.unit[machine.n_units++] = os_index;
}

/* The k-th unit of every core, for k = 0, 1, ...: a second hyper-thread is used only when all cores are taken. */
static void list_units(hwloc_topology_t topology, const cpu_set_t *allowed) {
    int cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
    for (int k = 0, found = 1; found; k++) {
        found = 0;
        for (int c = 0; c < cores; c++) {
            hwloc_obj_t core = hwloc_get_obj_by_type(topology, HWLOC_OBJ_CORE, (unsigned)c);
            hwloc_obj_t pu = hwloc_get_obj_inside_cpuset_by_type(topology, core->cpuset, HWLOC_OBJ_PU, (unsigned)k);
            if (pu == NULL)
                continue;
            found = 1;
            add_unit(pu->os_index, allowed);
        }
    }
}

static void read_machine(void) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        CPU_SET(0, &allowed);
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) == 0) {
        if (hwloc_topology_load(topology) == 0) {
            list_units(topology, &allowed);
            machine.packages = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PACKAGE);
            machine.cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
            machine.pus = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
            static const hwloc_obj_type_t cache[CACHE_LEVELS] = {HWLOC_OBJ_PU, HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE,
                                                                 HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE};
            for (int level = 1; level < CACHE_LEVELS; level++) {
                hwloc_obj_t object = hwloc_get_obj_by_type(topology, cache[level], 0);
                if (object != NULL && object->attr != NULL)
                    machine.cache_bytes[level] = (size_t)object->attr->cache.size;
            }
        }
        hwloc_topology_destroy(topology);
    }
    /* hwloc may know nothing (an emulator, a chroot without /sys); the kernel's list is then used in its own order. */
    if (machine.n_units == 0)
        for (unsigned i = 0; i < CPU_SETSIZE; i++)
            add_unit(i, &allowed);
}

static void know_machine(void) {
    (void)pthread_once(&machine_once, read_machine);
}

size_t fq_placement_units(unsigned *os_index, size_t max) {
    know_machine();
    size_t n = machine.n_units < max ? machine.n_units : max;
    if (n > 0)
        memcpy(os_index, machine.unit, n * sizeof *os_index);
    return n;
}

int fq_placement_bind_self(unsigned os_index, struct fq_error *err) {
    know_machine();
    cpu_set_t set;
    CPU_ZERO(&set);
    if (os_index < CPU_SETSIZE)
        CPU_SET(os_index, &set);
    if (os_index >= CPU_SETSIZE || sched_setaffinity(0, sizeof set, &set) != 0)
        return fq_fail(err, FQ_USAGE,
                       "cannot bind a thread to processing unit %u: %s; ask for fewer threads or a wider CPU set",
                       os_index, os_index >= CPU_SETSIZE ? "no such unit" : strerror(errno));
    return FQ_OK;
}

static void describe_cache(char *out, size_t size, int level) {
    size_t bytes = machine.cache_bytes[level];
    if (bytes == 0)
        return;
    size_t used = strlen(out);
    if (bytes % (1 << 20) == 0)
        (void)snprintf(out + used, size - used, ", L%d %zu MiB", level, bytes >> 20);
    else
        (void)snprintf(out + used, size - used, ", L%d %zu KiB", level, bytes >> 10);
}

void fq_placement_describe(char *out, size_t size) {
    know_machine();
    if (machine.pus <= 0) {
        (void)snprintf(out, size, "topology not readable, %zu PU usable", machine.n_units);
        return;
    }
    (void)snprintf(out, size, "%d package%s, %d core%s, %d PU (%zu usable)", machine.packages,
                   machine.packages == 1 ? "" : "s", machine.cores, machine.cores == 1 ? "" : "s", machine.pus,
                   machine.n_units);
    for (int level = 1; level < CACHE_LEVELS; level++)
        describe_cache(out, size, level);
}

size_t fq_placement_cache_bytes(int level) {
    know_machine();
    return level >= 1 && level < CACHE_LEVELS ? machine.cache_bytes[level] : 0;
}
