/* Results files and journals: what is written is read, and whatever is damaged is refused with one sentence. */
#include "tests/unit/plan/fixture.h"

#include "harness/base/file.h"
#include "harness/plan/journal.h"
#include "harness/plan/results.h"

#include <hdf5.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

enum { CELLS = 5 };

static struct fq_results make(void) {
    struct fq_results r = {.planned = 9};
    struct fq_error err = {0};
    snprintf(r.sweep_name, sizeof r.sweep_name, "test");
    memset(r.sweep_sha256, 'a', 64);
    r.sweep_text = strdup("name: test\n# \xc3\xa4\n");
    r.machine = calloc(1, sizeof *r.machine);
    r.n_machine = 1;
    snprintf(r.machine[0].name, sizeof r.machine[0].name, "cpu_model");
    snprintf(r.machine[0].text, sizeof r.machine[0].text, "a processor");
    for (int k = 0; k < CELLS; k++) {
        struct fq_cell c = fixture_cell(k);
        if (k == 3) {
            c.ok = false;
            snprintf(c.reason, sizeof c.reason, "it failed");
        }
        assert_int_equal(fq_results_append(&r, &c, &err), 0);
    }
    return r;
}

static void same_series(const struct fq_series *a, const struct fq_series *b) {
    assert_string_equal(a->metric, b->metric);
    assert_string_equal(a->statistics, b->statistics);
    assert_string_equal(a->resample, b->resample);
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_true(a->value[i] == b->value[i]);
        assert_true((a->weight ? a->weight[i] : 1.0) == (b->weight ? b->weight[i] : 1.0));
        assert_int_equal(a->label_a[i], b->label_a[i]);
        assert_int_equal(a->label_b[i], b->label_b[i]);
    }
}

static void what_is_written_is_read(void **state) {
    struct fq_error err = {0};
    struct fq_results a = make(), b;
    const char *path = fixture_path("round.h5");
    (void)state;
    assert_int_equal(fq_results_write(path, &a, &err), 0);
    assert_int_equal(fq_results_read(path, &b, &err), 0);
    assert_string_equal(a.sweep_text, b.sweep_text);
    assert_string_equal(a.sweep_sha256, b.sweep_sha256);
    assert_int_equal(b.planned, 9);
    assert_int_equal(b.n_cells, CELLS);
    assert_string_equal(b.machine[0].text, "a processor");
    for (size_t i = 0; i < CELLS; i++) {
        const struct fq_cell *x = &a.cells[i], *y = &b.cells[i];
        assert_string_equal(x->id, y->id);
        assert_string_equal(x->parameters, y->parameters);
        assert_string_equal(x->reason, y->reason);
        assert_true(x->ok == y->ok && x->seed == y->seed && x->replicate == y->replicate && x->order == y->order);
        assert_true(x->rate_bits == y->rate_bits);
        assert_int_equal(x->n_facts, y->n_facts);
        assert_string_equal(fq_cell_fact_text(y, "rate_bits"), fq_cell_fact_text(x, "rate_bits"));
        assert_null(fq_cell_fact_text(y, "absent"));
        assert_int_equal(x->series.n, y->series.n);
        for (size_t s = 0; s < x->series.n; s++)
            same_series(&x->series.series[s], &y->series.series[s]);
    }
    fq_results_free(&a);
    fq_results_free(&b);
}

static void an_empty_run_is_a_file_too(void **state) {
    struct fq_error err = {0};
    struct fq_results none = {0}, back;
    (void)state;
    assert_int_equal(fq_results_write(fixture_path("none.h5"), &none, &err), 0);
    assert_int_equal(fq_results_read(fixture_path("none.h5"), &back, &err), 0);
    assert_int_equal(back.n_cells, 0);
    assert_string_equal(back.sweep_text, "");
    fq_results_free(&back);
}

static void refuses(const char *path, const char *pattern) {
    struct fq_error err = {0};
    struct fq_results r;
    assert_int_equal(fq_results_read(path, &r, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, path));
    if (!strstr(err.text, pattern))
        fail_msg("'%s' is missing in: %s", pattern, err.text);
    assert_null(r.cells);
}

static void damage_is_refused_wherever_it_is(void **state) {
    struct fq_error err = {0};
    struct fq_results r = make();
    char *bytes = NULL;
    size_t n = 0;
    (void)state;
    assert_int_equal(fq_results_write(fixture_path("whole.h5"), &r, &err), 0);
    fq_results_free(&r);
    assert_int_equal(fq_read_text(fixture_path("whole.h5"), &bytes, &n, &err), 0);
    for (size_t cut = 0; cut < n; cut += n / 37 + 1) {
        fixture_write(fixture_path("cut.h5"), bytes, cut);
        refuses(fixture_path("cut.h5"), "");
    }
    for (size_t at = 0; at < n; at = at < 2000 ? at + 97 : at + 331) {
        if (at >= 91 && at < 512)
            continue; /* the unused rest of the user block */
        bytes[at] = (char)(bytes[at] ^ 0x5a);
        fixture_write(fixture_path("flip.h5"), bytes, n);
        bytes[at] = (char)(bytes[at] ^ 0x5a);
        refuses(fixture_path("flip.h5"), at < 27 ? "expected a results file" : "truncated or damaged");
    }
    free(bytes);
}

/* The user block hides nothing from HDF5 itself: any tool opens the file. */
static void any_hdf5_tool_reads_it(void **state) {
    struct fq_error err = {0};
    struct fq_results r = make();
    (void)state;
    assert_int_equal(fq_results_write(fixture_path("tool.h5"), &r, &err), 0);
    fq_results_free(&r);
    const hid_t file = H5Fopen(fixture_path("tool.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    const hid_t set = H5Dopen2(file, "samples/value", H5P_DEFAULT), space = H5Dget_space(set);
    assert_int_equal(H5Sget_simple_extent_npoints(space), (3 + 2) + (4 + 2) + (5 + 2) + (6 + 2) + (7 + 2));
    (void)H5Sclose(space);
    (void)H5Dclose(set);
    (void)H5Fclose(file);
}

static void what_is_no_results_file_is_refused(void **state) {
    (void)state;
    refuses(fixture_path("nowhere.h5"), "no such");
    fixture_write(fixture_path("text.h5"), "this is text\n", 13);
    refuses(fixture_path("text.h5"), "another kind");
}

static void nothing_is_left_when_it_cannot_be_written(void **state) {
    struct fq_error err = {0};
    struct fq_results r = make();
    (void)state;
    assert_int_equal(fq_results_write(fixture_path("no/such/folder.h5"), &r, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "no/such"));
    assert_true(access(fixture_path("no"), F_OK) != 0);
    fq_results_free(&r);
}

static void a_journal_keeps_whole_cells_only(void **state) {
    struct fq_error err = {0};
    struct fq_cell *cells = NULL;
    char dir[256], sha256[FQ_SHA256_HEX], given[FQ_SHA256_HEX];
    size_t n = 0;
    (void)state;
    assert_int_equal(fq_journal_name(fixture_path("r.h5"), dir, sizeof dir, &err), 0);
    assert_false(fq_journal_exists(dir));
    memset(given, 'b', sizeof given - 1);
    given[sizeof given - 1] = '\0';
    assert_int_equal(fq_journal_begin(dir, given, &err), 0);
    assert_int_equal(fq_journal_sweep(dir, sha256, &err), 0);
    assert_string_equal(sha256, given);
    for (int k = 0; k < 3; k++) {
        struct fq_cell c = fixture_cell(k);
        assert_int_equal(fq_journal_put(dir, &c, 7, &err), 0);
        assert_int_equal(fq_journal_put(dir, &c, 7, &err), 0); /* the same cell again is the same file */
        fq_cell_free(&c);
    }
    /* What a killed process leaves: a temporary that never got its name. */
    char torn[300];
    snprintf(torn, sizeof torn, "%s/00000000000000ff.h5.tmp.123", dir);
    fixture_write(torn, "half", 4);
    assert_int_equal(fq_journal_read(dir, &cells, &n, &err), 0);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(cells[i].order, i);
        assert_int_equal(cells[i].series.n, 2);
        fq_cell_free(&cells[i]);
    }
    free(cells);
    assert_int_equal(fq_journal_remove(dir, &err), 0);
    assert_false(fq_journal_exists(dir));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(an_empty_run_is_a_file_too),
        cmocka_unit_test(damage_is_refused_wherever_it_is),
        cmocka_unit_test(any_hdf5_tool_reads_it),
        cmocka_unit_test(what_is_no_results_file_is_refused),
        cmocka_unit_test(nothing_is_left_when_it_cannot_be_written),
        cmocka_unit_test(a_journal_keeps_whole_cells_only),
    };
    return cmocka_run_group_tests_name("results", tests, fixture_open, fixture_close);
}
