/* Sentences of the YAML loader: file, line, key, what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/yaml.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum scale { SCALE_RAW, SCALE_MSE };
struct item {
    char *name;
    int bits;
    enum scale scale;
};
struct top {
    char *name;
    struct item *methods;
    unsigned methods_count;
};

static const cyaml_strval_t scales[] = {{"raw", SCALE_RAW}, {"mse", SCALE_MSE}};
static const cyaml_schema_field_t item_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct item, name, 0, CYAML_UNLIMITED),
    CYAML_FIELD_INT("bits", CYAML_FLAG_OPTIONAL, struct item, bits),
    CYAML_FIELD_ENUM("scale", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct item, scale, scales, 2), CYAML_FIELD_END};
static const cyaml_schema_value_t item_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct item, item_fields)};
static const cyaml_schema_field_t top_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct top, name, 0, CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("methods", CYAML_FLAG_POINTER, struct top, methods, &item_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END};
static const cyaml_schema_value_t top_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct top, top_fields)};
static const cyaml_schema_value_t list_schema = {
    CYAML_VALUE_SEQUENCE(CYAML_FLAG_POINTER, struct item, &item_schema, 0, CYAML_UNLIMITED)};

static char path[64];

static void write_file(const char *text) {
    (void)snprintf(path, sizeof path, "/tmp/fq_yaml_test_%ld.yaml", (long)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Loads `text`, expects the sentence "PATH" followed by `rest`. */
static void expect_error(const char *text, const char *rest) {
    write_file(text);
    struct fq_error err = {0};
    void *out = NULL;
    assert_int_equal(fq_yaml_load(path, &top_schema, &out, NULL, &err), FQ_USAGE);
    assert_null(out);
    char expected[FQ_ERROR_SIZE];
    (void)snprintf(expected, sizeof expected, "%s%s", path, rest);
    assert_string_equal(err.text, expected);
    (void)unlink(path);
}

static void loads_what_is_there(void **state) {
    (void)state;
    write_file("name: sweep\nmethods:\n  - {name: a, bits: 3, scale: mse}\n  - name: b\n");
    struct fq_error err = {0};
    void *out = NULL;
    assert_int_equal(fq_yaml_load(path, &top_schema, &out, NULL, &err), FQ_OK);
    const struct top *top = out;
    assert_string_equal(top->name, "sweep");
    assert_int_equal(top->methods_count, 2);
    assert_int_equal(top->methods[0].bits, 3);
    assert_int_equal(top->methods[0].scale, SCALE_MSE);
    assert_string_equal(top->methods[1].name, "b");
    fq_yaml_free(&top_schema, out, 0);
    (void)unlink(path);
}

static void loads_a_list_at_the_top(void **state) {
    (void)state;
    write_file("- {name: a}\n- {name: b}\n- {name: c}\n");
    struct fq_error err = {0};
    void *out = NULL;
    unsigned count = 0;
    assert_int_equal(fq_yaml_load(path, &list_schema, &out, &count, &err), FQ_OK);
    assert_int_equal(count, 3);
    assert_string_equal(((const struct item *)out)[2].name, "c");
    fq_yaml_free(&list_schema, out, count);
    (void)unlink(path);
}

static void names_unknown_keys_with_their_own_line(void **state) {
    (void)state;
    expect_error(
        "name: a\nmethods:\n  - {name: x, bits: 3}\n  - {name: y,\n     bitz: 3}\n",
        ":5: unknown key 'bitz' in 'methods', entry 2, did you mean 'bits'? (known keys here: name, bits, scale)");
    expect_error("name: a\n\n# bits: no key\nmethodz: []\n",
                 ":4: unknown key 'methodz', did you mean 'methods'? (known keys here: name, methods)");
}

static void names_missing_and_repeated_keys(void **state) {
    (void)state;
    expect_error("name: a\n", ":1: the key 'methods' is missing; add it");
    expect_error("name: a\nmethods:\n  - {name: z}\n  - {bits: 3}\n",
                 ":4: the key 'name' is missing in 'methods', entry 2; add it");
    expect_error("name: a\nmethods: []\nname: b\n", ":3: the key 'name' stands here a second time; keep one of them");
}

static void names_wrong_values(void **state) {
    (void)state;
    expect_error("name: a\nmethods:\n  - {name: x, bits: three}\n",
                 ":3: expected a whole number for 'bits', found 'three'");
    expect_error("name: a\nmethods: hello\n", ":2: expected a list for 'methods', found a single value");
    expect_error("- a\n", ":1: expected a mapping, found a list");
}

static void lists_the_words_of_a_choice(void **state) {
    (void)state;
    write_file("name: a\nmethods:\n  - {name: x, scale: big}\n");
    struct fq_error err = {0};
    void *out = NULL;
    assert_int_equal(fq_yaml_load(path, &top_schema, &out, NULL, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, ".yaml:3: "));
    assert_non_null(strstr(err.text, "'scale'"));
    assert_non_null(strstr(err.text, "raw, mse"));
    assert_non_null(strstr(err.text, "big"));
    (void)unlink(path);
}

static void says_when_it_is_no_yaml(void **state) {
    (void)state;
    write_file("name: a\nmethods: [\n  {name: b}\n\tx: 1\n");
    struct fq_error err = {0};
    void *out = NULL;
    assert_int_equal(fq_yaml_load(path, &top_schema, &out, NULL, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "not valid YAML"));
    write_file("");
    assert_int_equal(fq_yaml_load(path, &top_schema, &out, NULL, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "holds no entries"));
    (void)unlink(path);
    assert_int_equal(fq_yaml_load(path, &top_schema, &out, NULL, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "No such file"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(loads_what_is_there),
                                       cmocka_unit_test(loads_a_list_at_the_top),
                                       cmocka_unit_test(names_unknown_keys_with_their_own_line),
                                       cmocka_unit_test(names_missing_and_repeated_keys),
                                       cmocka_unit_test(names_wrong_values),
                                       cmocka_unit_test(lists_the_words_of_a_choice),
                                       cmocka_unit_test(says_when_it_is_no_yaml)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
