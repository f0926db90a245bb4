/* The catalog: names, parameters as text and back, refusals with the nearest name, and what a shared object imports. */
#include "harness/measure/catalog.h"
#include "harness/measure/imports.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const colours[] = {"red", "green", "blue", NULL};
static const struct fq_param_spec specs[] = {
    {.name = "bits", .help = "bits", .kind = FQ_PARAM_INT, .min = 1, .max = 8, .def = 4},
    {.name = "share", .help = "share", .kind = FQ_PARAM_REAL, .min = 0, .max = 1, .def = 0.1},
    {.name = "colour", .help = "colour", .kind = FQ_PARAM_CHOICE, .def = 1, .choices = colours},
};

static double nominal(const struct fq_params *p) {
    return p->v[0];
}

static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {
    (void)p;
    return (struct fq_footprint){.granularity = 1, .record_bytes = shape->dim, .work_dim = shape->dim};
}

static int check(const struct fq_params *p, const struct fq_shape *shape, char *why, size_t why_size) {
    if (shape->dim % 2 == 0 || p->v[0] < 8)
        return 0;
    snprintf(why, why_size, "8 bits need an even dimension");
    return -1;
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    (void)call;
    (void)y;
    (void)records;
    return n_groups;
}

static const struct fq_kernels kernels = {.encode = encode};

#define METHOD(symbol, text)                                                                                           \
    static const struct fq_method symbol = {.abi = FQ_METHOD_ABI,                                                      \
                                            .name = text,                                                              \
                                            .paper = "none",                                                           \
                                            .summary = "test",                                                         \
                                            .bits_formula = "b",                                                       \
                                            .params = specs,                                                           \
                                            .n_params = 3,                                                             \
                                            .data_oblivious = true,                                                    \
                                            .nominal_bits = nominal,                                                   \
                                            .check = check,                                                            \
                                            .footprint = footprint,                                                    \
                                            .kernels = {&kernels}}
METHOD(zebra, "zebra");
METHOD(antelope, "antelope");

static int setup(void **state) {
    struct fq_error err = {0};
    (void)state;
    return fq_catalog_add(&zebra, &err) || fq_catalog_add(&antelope, &err);
}

static void names_are_sorted_and_found(void **state) {
    struct fq_error err = {0};
    const struct fq_method *found = NULL;
    (void)state;
    assert_int_equal(fq_catalog_size(), 2);
    assert_string_equal(fq_catalog_at(0)->name, "antelope");
    assert_null(fq_catalog_at(2));
    assert_int_equal(fq_catalog_find("zebra", &found, &err), 0);
    assert_ptr_equal(found, &zebra);
    assert_string_equal(fq_catalog_origin(found), "");
    assert_string_equal(fq_catalog_imports(found), "");
}

static void unknown_names_suggest_the_nearest(void **state) {
    struct fq_error err = {0};
    const struct fq_method *found = NULL;
    (void)state;
    assert_int_equal(fq_catalog_find("zebbra", &found, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "did you mean 'zebra'?"));
    assert_int_equal(fq_catalog_find("q", &found, &err), FQ_USAGE);
    assert_null(strstr(err.text, "did you mean"));
}

static void what_breaks_the_contract_is_refused(void **state) {
    struct fq_error err = {0};
    struct fq_method other = zebra;
    (void)state;
    assert_int_equal(fq_catalog_add(&zebra, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "there already"));
    other.name = "other";
    other.abi = FQ_METHOD_ABI + 1;
    assert_int_equal(fq_catalog_add(&other, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "contract version"));
    other.abi = FQ_METHOD_ABI;
    other.kernels[FQ_REF] = NULL;
    assert_int_equal(fq_catalog_add(&other, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "reference backend"));
    assert_int_equal(fq_catalog_size(), 2);
}

static void parameters_go_to_text_and_back(void **state) {
    struct fq_error err = {0};
    struct fq_params p, q;
    char text[384];
    (void)state;
    fq_params_default(&zebra, &p);
    fq_params_print(&zebra, &p, text, sizeof text);
    assert_string_equal(text, "bits=4 share=0.1 colour=green");
    assert_int_equal(fq_params_parse(&zebra, "  colour=blue, share=0.3333333333333333 ", &p, &err), 0);
    fq_params_print(&zebra, &p, text, sizeof text);
    fq_params_default(&zebra, &q);
    assert_int_equal(fq_params_parse(&zebra, text, &q, &err), 0);
    assert_memory_equal(&p, &q, sizeof p);
    assert_true(q.v[1] == 0.3333333333333333);
    fq_params_print(&zebra, &p, text, 8); /* too short: a prefix, terminated */
    assert_true(strlen(text) < 8);
}

static void refused(const char *text, const char *pattern) {
    struct fq_error err = {0};
    struct fq_params p;
    fq_params_default(&zebra, &p);
    assert_int_equal(fq_params_parse(&zebra, text, &p, &err), FQ_USAGE);
    if (!strstr(err.text, pattern))
        fail_msg("'%s' is missing in: %s", pattern, err.text);
}

static void wrong_values_say_what_is_possible(void **state) {
    (void)state;
    refused("bitz=3", "did you mean 'bits'?");
    refused("bits=3,bits=4", "'bits' is given twice");
    refused("bits=3 share=0.5 bits=3", "'bits' is given twice");
    refused("xxxxxxxxxx=3", "bits, share, colour");
    refused("bits=9", "1 to 8");
    refused("bits=0", "1 to 8");
    refused("bits=2.5", "whole number");
    refused("bits=nan", "number");
    refused("bits=3x", "number");
    refused("bits=1e999", "number");
    refused("colour=gren", "did you mean 'green'?");
    refused("colour=xyz", "red, green, blue");
    refused("bits", "name=value");
    refused("=3", "name=value");
}

static void shapes_are_checked(void **state) {
    struct fq_error err = {0};
    struct fq_params p;
    struct fq_shape shape = {0, FQ_KEY};
    (void)state;
    fq_params_default(&zebra, &p);
    assert_int_equal(fq_params_check(&zebra, &p, &shape, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "d = 0"));
    shape.dim = FQ_MAX_DIM + 1;
    assert_int_equal(fq_params_check(&zebra, &p, &shape, &err), FQ_USAGE);
    shape.dim = 33;
    assert_int_equal(fq_params_check(&zebra, &p, &shape, &err), 0);
    p.v[0] = 8;
    assert_int_equal(fq_params_check(&zebra, &p, &shape, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "even dimension"));
    p.v[0] = NAN;
    assert_int_equal(fq_params_check(&zebra, &p, &shape, &err), FQ_USAGE);
    p.v[0] = 4;
    p.v[2] = 3; /* one past the last choice */
    assert_int_equal(fq_params_check(&zebra, &p, &shape, &err), FQ_USAGE);
}

static void imports_are_read_from_the_object(void **state) {
    struct fq_error err = {0};
    char list[4096], few[24];
    (void)state;
    /* This test allocates, prints and uses memcmp; the first two are forbidden to a kernel, the last is not. */
    assert_int_equal(fq_imports_forbidden("/proc/self/exe", list, sizeof list, &err), 0);
    assert_non_null(strstr(list, "malloc"));
    assert_non_null(strstr(list, "dlopen"));
    assert_null(strstr(list, "memcmp"));
    assert_null(strstr(list, "strlen"));
    assert_int_equal(fq_imports_forbidden("/proc/self/exe", few, sizeof few, &err), 0);
    assert_string_equal(few + strlen(few) - 3, "...");
}

static void what_is_no_object_is_refused(void **state) {
    struct fq_error err = {0};
    char path[] = "/tmp/fq-catalog-XXXXXX", list[64];
    (void)state;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(fq_imports_forbidden(path, list, sizeof list, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "empty"));
    assert_int_equal(write(fd, "\177ELF\2\1\1 and then nothing of the kind, only text that goes on for a while", 72),
                     72);
    assert_int_equal(fq_imports_forbidden(path, list, sizeof list, &err), FQ_USAGE);
    assert_int_equal(fq_catalog_load_plugin(path, &err), FQ_USAGE);
    assert_int_equal(fq_catalog_load_plugin("/nowhere/x.so", &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "/nowhere/x.so"));
    close(fd);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_sorted_and_found),          cmocka_unit_test(unknown_names_suggest_the_nearest),
        cmocka_unit_test(what_breaks_the_contract_is_refused), cmocka_unit_test(parameters_go_to_text_and_back),
        cmocka_unit_test(wrong_values_say_what_is_possible),   cmocka_unit_test(shapes_are_checked),
        cmocka_unit_test(imports_are_read_from_the_object),    cmocka_unit_test(what_is_no_object_is_refused),
    };
    return cmocka_run_group_tests_name("catalog", tests, setup, NULL);
}
