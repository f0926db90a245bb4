/* The BLAS wrapper multiplies what it says, on the number of threads it was told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/blas.h"
#include "harness/base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void multiply(unsigned threads, size_t m, size_t n, size_t k) {
    double *wide = malloc((m + n) * k * sizeof *wide);
    float *a = malloc((m + n) * k * sizeof *a), *c = malloc(m * n * sizeof *c);
    assert_true(wide != NULL && a != NULL && c != NULL);
    fq_random_gaussian(fq_stream_key("data", m * n * k), 0, (m + n) * k, wide);
    for (size_t i = 0; i < (m + n) * k; i++)
        a[i] = (float)wide[i];
    const float *b = a + m * k;
    fq_blas_abt(threads, m, n, k, a, b, c);
    assert_int_equal(fq_blas_threads(), threads);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0.0;
            for (size_t l = 0; l < k; l++)
                sum += (double)a[i * k + l] * (double)b[j * k + l];
            assert_true(fabs(sum - (double)c[i * n + j]) < 1e-5 * sqrt((double)k) * 8.0);
        }
    free(wide);
    free(a);
    free(c);
}

static void products_are_right_on_one_and_two_threads(void **state) {
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        multiply(threads, 1, 1, 1);
        multiply(threads, 3, 5, 7);
        multiply(threads, 64, 33, 128);
        multiply(threads, 130, 257, 96);
    }
    fq_blas_abt(1, 0, 5, 3, NULL, NULL, NULL);
}

static void an_empty_sum_is_zero(void **state) {
    (void)state;
    float c[4] = {1, 2, 3, 4}, none = 0;
    fq_blas_abt(1, 2, 2, 0, &none, &none, c);
    for (int i = 0; i < 4; i++)
        assert_true(c[i] == 0.0f);
}

static void says_what_it_is(void **state) {
    (void)state;
    assert_true(strlen(fq_blas_core()) > 0);
    assert_non_null(strstr(fq_blas_config(), "OpenBLAS"));
    assert_non_null(fq_blas_coretype());
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(products_are_right_on_one_and_two_threads),
                                       cmocka_unit_test(an_empty_sum_is_zero), cmocka_unit_test(says_what_it_is)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
