/* The pool covers every index once and pins its threads; the watcher sees a thread that it was not told about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/placement.h"
#include "harness/base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { N = 10007 };
static atomic_int visits[N];
static atomic_int slices, ragged, wrong_worker;
static size_t grain_now;

static void visit(void *arg, unsigned worker, size_t begin, size_t end) {
    const unsigned *threads = arg;
    if (worker >= *threads)
        atomic_fetch_add(&wrong_worker, 1);
    if (begin % grain_now != 0)
        atomic_fetch_add(&ragged, 1);
    atomic_fetch_add(&slices, 1);
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&visits[i], 1);
}

static void cover(unsigned threads, size_t n, size_t grain) {
    for (size_t i = 0; i < N; i++)
        atomic_store(&visits[i], 0);
    atomic_store(&slices, 0);
    grain_now = grain;
    fq_pool_run(n, grain, visit, &threads);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(atomic_load(&visits[i]), i < n ? 1 : 0);
    assert_int_equal(atomic_load(&ragged), 0);
    assert_int_equal(atomic_load(&wrong_worker), 0);
    if (n > 0)
        assert_true((size_t)atomic_load(&slices) <= (n + grain - 1) / grain);
}

static unsigned usable(void) {
    unsigned unit[64];
    return (unsigned)fq_placement_units(unit, 64);
}

static void every_index_is_visited_once(void **state) {
    (void)state;
    struct fq_error err = {0};
    const size_t sizes[] = {0, 1, 2, 31, 32, 33, 1000, N}, grains[] = {1, 7, 32, 5000};
    for (unsigned threads = 1; threads <= 2 && threads <= usable(); threads++) {
        assert_int_equal(fq_pool_start(threads, &err), FQ_OK);
        assert_int_equal(fq_pool_threads(), threads);
        for (size_t s = 0; s < 8; s++)
            for (size_t g = 0; g < 4; g++)
                cover(threads, sizes[s], grains[g]);
    }
}

struct where {
    cpu_set_t set[64];
};

static void note_set(void *arg, unsigned worker, size_t begin, size_t end) {
    (void)begin;
    (void)end;
    struct where *w = arg;
    (void)sched_getaffinity(0, sizeof w->set[worker], &w->set[worker]);
}

static void workers_are_pinned_and_the_caller_is_let_go(void **state) {
    (void)state;
    struct fq_error err = {0};
    cpu_set_t before, after;
    unsigned unit[64];
    assert_true(fq_placement_units(unit, 64) > 0);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(fq_pool_start(1, &err), FQ_OK);
    struct where w;
    fq_pool_run(1, 1, note_set, &w);
    assert_int_equal(CPU_COUNT(&w.set[0]), 1);
    assert_true(CPU_ISSET(unit[0], &w.set[0]));
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    char text[64], expected[16];
    fq_pool_cpu_set(text, sizeof text);
    (void)snprintf(expected, sizeof expected, "%u", unit[0]);
    assert_string_equal(text, expected);
}

static void fewer_threads_means_fewer_alive(void **state) {
    (void)state;
    struct fq_error err = {0};
    if (usable() >= 2) {
        assert_int_equal(fq_pool_start(2, &err), FQ_OK);
        assert_int_equal(fq_threads_alive(), 2);
    }
    assert_int_equal(fq_pool_start(1, &err), FQ_OK);
    assert_int_equal(fq_threads_alive(), 1);
}

static void too_many_threads_are_refused(void **state) {
    (void)state;
    struct fq_error err = {0};
    assert_int_equal(fq_pool_start(0, &err), FQ_USAGE);
    assert_int_equal(fq_pool_start(1000, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "may use"));
    assert_int_equal(fq_pool_start(1, &err), FQ_OK);
}

static void spin(void) {
    struct timespec begin, now;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000000000L + now.tv_nsec - begin.tv_nsec < 30000000L);
}

static void *stowaway(void *arg) {
    (void)arg;
    spin();
    return NULL;
}

static void the_watcher_sees_a_stowaway(void **state) {
    (void)state;
    struct fq_error err = {0};
    assert_int_equal(fq_pool_start(1, &err), FQ_OK);
    struct fq_watch_result honest, cheat;
    struct fq_watch *watch = fq_watch_begin();
    assert_non_null(watch);
    spin();
    fq_watch_end(watch, &honest);
    assert_int_equal(honest.threads_alive_max, 1);
    assert_true(honest.samples > 1);
    assert_true(honest.wall_ns >= 30000000u);
    assert_true(honest.cpu_over_wall <= 1.05);

    watch = fq_watch_begin();
    assert_non_null(watch);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stowaway, NULL), 0);
    spin();
    assert_int_equal(pthread_join(thread, NULL), 0);
    fq_watch_end(watch, &cheat);
    assert_int_equal(cheat.threads_alive_max, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_is_visited_once), cmocka_unit_test(workers_are_pinned_and_the_caller_is_let_go),
        cmocka_unit_test(fewer_threads_means_fewer_alive), cmocka_unit_test(too_many_threads_are_refused),
        cmocka_unit_test(the_watcher_sees_a_stowaway)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
