/* A narrowed set shows the same rows under fewer numbers, and refuses what it no longer has. */
#include "harness/data/dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 50, DIM = 8, KEPT = 10 };

static void fewer_rows_are_the_first_rows(void **state) {
    struct fq_error err = {0};
    struct fq_dataset *set = NULL;
    float whole[ROWS * DIM], part[KEPT * DIM];
    (void)state;
    assert_int_equal(fq_dataset_generate("gaussian", ROWS, DIM, 3, &set, &err), 0);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, 0, ROWS, whole, &err), 0);
    assert_int_equal(fq_dataset_restrict(set, NULL, 0, ROWS + 1, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "51"));
    assert_int_equal(fq_dataset_info(set)->n, ROWS);
    assert_int_equal(fq_dataset_restrict(set, NULL, 0, KEPT, &err), 0);
    assert_int_equal(fq_dataset_info(set)->n, KEPT);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, 0, KEPT, part, &err), 0);
    assert_memory_equal(whole, part, sizeof part);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, KEPT - 1, 2, part, &err), FQ_USAGE);
    fq_dataset_close(set);
}

static void layers_are_renumbered_and_checked(void **state) {
    struct fq_error err = {0};
    struct fq_dataset *set = NULL;
    const size_t first = 0, second = 1;
    float a[DIM], b[DIM];
    (void)state;
    assert_int_equal(fq_dataset_generate("sphere", ROWS, DIM, 3, &set, &err), 0);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, 0, 1, a, &err), 0);
    assert_int_equal(fq_dataset_restrict(set, &second, 1, 0, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "layer 1"));
    assert_int_equal(fq_dataset_restrict(set, &first, 1, 0, &err), 0);
    assert_int_equal(fq_dataset_info(set)->layers, 1);
    assert_int_equal(fq_dataset_info(set)->n, ROWS);
    assert_int_equal(fq_dataset_rows(set, FQ_KEY, 0, 0, 0, 1, b, &err), 0);
    assert_memory_equal(a, b, sizeof a);
    fq_dataset_close(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewer_rows_are_the_first_rows),
        cmocka_unit_test(layers_are_renumbered_and_checked),
    };
    return cmocka_run_group_tests_name("restrict", tests, NULL, NULL);
}
