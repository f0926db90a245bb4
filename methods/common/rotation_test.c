/* Rotations: orthogonal, inverted, padded, reproducible, and drawn from a stream of their own. */
#include "harness/base/random.h"
#include "methods/common/rotation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct turned {
    enum fq_rotation_kind kind;
    int rounds;
    size_t dim, work_dim;
    void *state;
};

static struct turned turned_open(enum fq_rotation_kind kind, int rounds, size_t dim, const struct fq_streams *streams) {
    struct turned t = {.kind = kind, .rounds = rounds, .dim = dim, .work_dim = fq_rotation_work_dim(kind, dim)};
    const size_t bytes = fq_rotation_state_bytes(kind, rounds, dim), scratch = fq_rotation_setup_scratch(kind, dim);
    assert_int_equal(bytes % 64, 0);
    t.state = aligned_alloc(64, bytes + 64);
    void *work = malloc(scratch + 1);
    assert_true(t.state && work);
    memset(t.state, 0xa5, bytes + 64);
    fq_rotation_setup(kind, rounds, dim, streams, t.state, work);
    assert_int_equal(((uint8_t *)t.state)[bytes], 0xa5);
    free(work);
    return t;
}

/* The matrix, row by row of its inverse: e_j -> column j. */
static void assert_orthogonal(const struct turned *t) {
    const size_t d = t->dim, w = t->work_dim;
    float *e = calloc(d * d, sizeof *e), *columns = malloc(d * w * sizeof *columns),
          *back = malloc(d * d * sizeof *back);
    assert_true(e && columns && back);
    for (size_t j = 0; j < d; j++)
        e[j * d + j] = 1;
    fq_rotation_apply(t->kind, t->rounds, d, t->state, d, e, columns);
    for (size_t j = 0; j < d; j++)
        for (size_t k = 0; k <= j; k++) {
            double dot = 0;
            for (size_t i = 0; i < w; i++)
                dot += (double)columns[j * w + i] * (double)columns[k * w + i];
            assert_true(fabs(dot - (j == k)) < 1e-5);
        }
    fq_rotation_invert(t->kind, t->rounds, d, t->state, d, columns, back);
    for (size_t i = 0; i < d * d; i++)
        assert_true(fabsf(back[i] - e[i]) < 1e-5F);
    free(e);
    free(columns);
    free(back);
}

static void every_rotation_is_orthogonal_and_inverted(void **state) {
    (void)state;
    static const size_t dims[] = {1, 3, 32, 64, 80, 96, 128, 200, 256};
    const struct fq_streams streams = fq_streams_for(1);
    char why[200];
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++)
        for (int kind = 0; fq_rotation_choices[kind]; kind++)
            for (int rounds = 1; rounds <= (kind == FQ_ROTATION_RHT ? 4 : 1); rounds++) {
                if (fq_rotation_check((enum fq_rotation_kind)kind, dims[i], why, sizeof why) != 0)
                    continue;
                struct turned t = turned_open((enum fq_rotation_kind)kind, rounds, dims[i], &streams);
                assert_orthogonal(&t);
                free(t.state);
            }
}

static void dimensions_that_do_not_fit_are_refused(void **state) {
    (void)state;
    char why[200] = "";
    assert_int_equal(fq_rotation_check(FQ_ROTATION_BLOCK64, 96, why, sizeof why), -1);
    assert_non_null(strstr(why, "96"));
    assert_int_equal(fq_rotation_check(FQ_ROTATION_BLOCK32, 96, why, sizeof why), 0);
    assert_int_equal(fq_rotation_check(FQ_ROTATION_FHT_KAC, 33, why, sizeof why), -1);
    assert_int_equal(fq_rotation_check(FQ_ROTATION_HAAR, 97, why, sizeof why), 0);
    assert_int_equal(fq_rotation_work_dim(FQ_ROTATION_RHT, 96), 128);
    assert_int_equal(fq_rotation_work_dim(FQ_ROTATION_HADAMARD, 128), 128);
    assert_int_equal(fq_rotation_work_dim(FQ_ROTATION_FHT_KAC, 80), 128);
    assert_int_equal(fq_rotation_work_dim(FQ_ROTATION_HAAR, 80), 80);
}

/* Plain H is Sylvester's matrix; one-hot and constant inputs show it. */
static void hadamard_has_no_signs(void **state) {
    (void)state;
    float x[64], y[64];
    for (size_t i = 0; i < 64; i++)
        x[i] = 1;
    fq_rotation_apply(FQ_ROTATION_HADAMARD, 1, 64, NULL, 1, x, y);
    assert_true(y[0] == 8.0F);
    for (size_t i = 1; i < 64; i++)
        assert_true(y[i] == 0);
}

/* Appendix B's mask is one round of rht: y of a one-hot shows its signs. */
static void first_round_signs_are_the_streams_bits(void **state) {
    (void)state;
    const struct fq_streams streams = fq_streams_for(9);
    struct turned t = turned_open(FQ_ROTATION_RHT, 1, 128, &streams);
    uint64_t words[2];
    fq_random_bits(streams.rotation, 0, 2, words);
    for (size_t j = 0; j < 128; j++) {
        float x[128] = {0}, y[128];
        x[j] = 1;
        fq_rotation_apply(FQ_ROTATION_RHT, 1, 128, t.state, 1, x, y);
        assert_int_equal(signbit(y[0]) != 0, (words[j / 64] >> (j % 64)) & 1);
    }
    free(t.state);
}

/* Same seed, same bytes; another seed, others; and the sketch or data stream never leaks in. */
static void the_rotation_stream_alone_decides(void **state) {
    (void)state;
    for (int kind = 0; fq_rotation_choices[kind]; kind++) {
        const size_t bytes = fq_rotation_state_bytes((enum fq_rotation_kind)kind, 2, 64);
        if (bytes == 0)
            continue;
        struct fq_streams a = fq_streams_for(5), b = fq_streams_for(5), c = fq_streams_for(6);
        b.sketch ^= 1;
        b.training ^= 1;
        struct turned first = turned_open((enum fq_rotation_kind)kind, 2, 64, &a);
        struct turned same = turned_open((enum fq_rotation_kind)kind, 2, 64, &b);
        struct turned other = turned_open((enum fq_rotation_kind)kind, 2, 64, &c);
        assert_memory_equal(first.state, same.state, bytes);
        assert_memory_not_equal(first.state, other.state, bytes);
        free(first.state);
        free(same.state);
        free(other.state);
    }
}

/* Haar has no preferred sign or axis: over seeds, an entry has mean 0 and variance 1/d, also the diagonal, which QR
 * without the sign fix would push to one side. */
static void haar_entries_have_the_right_moments(void **state) {
    (void)state;
    enum { D = 8, SEEDS = 4000 };
    double sum = 0, square = 0, trace = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const struct fq_streams streams = fq_streams_for(seed);
        struct turned t = turned_open(FQ_ROTATION_HAAR, 1, D, &streams);
        const float *m = t.state;
        sum += (double)m[0];
        square += (double)m[0] * (double)m[0];
        for (size_t i = 0; i < D; i++)
            trace += (double)m[i * D + i];
        free(t.state);
    }
    assert_true(fabs(sum / SEEDS) < 4 / sqrt(8.0 * SEEDS));
    assert_true(fabs(square / SEEDS * D - 1) < 0.08);
    assert_true(fabs(trace / SEEDS) < 4 / sqrt((double)SEEDS)); /* E trace = 0, Var trace = 1 */
}

/* A huge finite vector does not overflow on the way. */
static void nothing_grows_on_the_way(void **state) {
    (void)state;
    const struct fq_streams streams = fq_streams_for(2);
    for (int kind = 0; fq_rotation_choices[kind]; kind++) {
        struct turned t = turned_open((enum fq_rotation_kind)kind, 4, 128, &streams);
        float x[128], y[128], back[128];
        for (size_t i = 0; i < 128; i++)
            x[i] = 2e37F;
        fq_rotation_apply(t.kind, 4, 128, t.state, 1, x, y);
        fq_rotation_invert(t.kind, 4, 128, t.state, 1, y, back);
        for (size_t i = 0; i < 128; i++) {
            assert_true(isfinite(y[i]));
            assert_true(fabsf(back[i] / 2e37F - 1) < 1e-4F);
        }
        free(t.state);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rotation_is_orthogonal_and_inverted),
        cmocka_unit_test(dimensions_that_do_not_fit_are_refused),
        cmocka_unit_test(hadamard_has_no_signs),
        cmocka_unit_test(first_round_signs_are_the_streams_bits),
        cmocka_unit_test(the_rotation_stream_alone_decides),
        cmocka_unit_test(haar_entries_have_the_right_moments),
        cmocka_unit_test(nothing_grows_on_the_way),
    };
    return cmocka_run_group_tests_name("rotation", tests, NULL, NULL);
}
