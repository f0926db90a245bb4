/* Reads configs/contracts.yaml. The schema is all there is: what a contract means is audit.c's business. */
#include "harness/judge/contract.h"

#include "harness/base/yaml.h"
#include "harness/data/manifest.h"
#include "harness/measure/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LIST = 64 };

static const cyaml_schema_value_t text_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 256)};

static const cyaml_schema_field_t equal_fields[] = {
    CYAML_FIELD_SEQUENCE("facts", CYAML_FLAG_POINTER, struct fq_equal_rule, facts, &text_schema, 1, MAX_LIST),
    CYAML_FIELD_SEQUENCE("kinds", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_equal_rule, kinds, &text_schema,
                         1, MAX_LIST),
    CYAML_FIELD_END};
static const cyaml_schema_value_t equal_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct fq_equal_rule, equal_fields)};

static const cyaml_schema_field_t tolerance_fields[] = {
    CYAML_FIELD_STRING_PTR("fact", CYAML_FLAG_POINTER, struct fq_tolerance_rule, fact, 1, 39),
    CYAML_FIELD_FLOAT("within", CYAML_FLAG_DEFAULT, struct fq_tolerance_rule, within),
    CYAML_FIELD_FLOAT("per_vector", CYAML_FLAG_OPTIONAL, struct fq_tolerance_rule, per_vector),
    CYAML_FIELD_SEQUENCE("kinds", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_tolerance_rule, kinds,
                         &text_schema, 1, MAX_LIST),
    CYAML_FIELD_END};
static const cyaml_schema_value_t tolerance_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct fq_tolerance_rule, tolerance_fields)};

static const cyaml_schema_field_t require_fields[] = {
    CYAML_FIELD_STRING_PTR("fact", CYAML_FLAG_POINTER, struct fq_require_rule, fact, 1, 39),
    CYAML_FIELD_STRING_PTR("is", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_require_rule, is, 0, 255),
    CYAML_FIELD_STRING_PTR("equals", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_require_rule, equals, 1, 39),
    CYAML_FIELD_STRING_PTR("at_most", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_require_rule, at_most, 1, 39),
    CYAML_FIELD_FLOAT("slack", CYAML_FLAG_OPTIONAL, struct fq_require_rule, slack),
    CYAML_FIELD_SEQUENCE("kinds", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_require_rule, kinds, &text_schema,
                         1, MAX_LIST),
    CYAML_FIELD_END};
static const cyaml_schema_value_t require_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct fq_require_rule, require_fields)};

static const cyaml_schema_field_t contract_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct fq_contract, name, 1, 47),
    CYAML_FIELD_STRING_PTR("about", CYAML_FLAG_POINTER, struct fq_contract, about, 1, 512),
    CYAML_FIELD_BOOL("exhibit", CYAML_FLAG_OPTIONAL, struct fq_contract, exhibit),
    CYAML_FIELD_BOOL("same_seeds", CYAML_FLAG_OPTIONAL, struct fq_contract, same_seeds),
    CYAML_FIELD_SEQUENCE("everywhere", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_contract, everywhere,
                         &text_schema, 0, MAX_LIST),
    CYAML_FIELD_SEQUENCE("equal", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_contract, equal, &equal_schema, 0,
                         MAX_LIST),
    CYAML_FIELD_SEQUENCE("tolerance", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_contract, tolerance,
                         &tolerance_schema, 0, MAX_LIST),
    CYAML_FIELD_SEQUENCE("require", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_contract, require,
                         &require_schema, 0, MAX_LIST),
    CYAML_FIELD_END};
static const cyaml_schema_value_t contract_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct fq_contract, contract_fields)};
static const cyaml_schema_value_t file_schema = {
    CYAML_VALUE_SEQUENCE(CYAML_FLAG_POINTER, struct fq_contract, &contract_schema, 1, MAX_LIST)};

static int check(const struct fq_contracts *c, struct fq_error *err) {
    for (unsigned i = 0; i < c->n; i++) {
        const struct fq_contract *k = &c->contract[i];
        for (unsigned j = 0; j < i; j++)
            if (strcmp(k->name, c->contract[j].name) == 0)
                return fq_fail(err, FQ_USAGE, "%s: the contract '%s' stands there twice; rename one", c->path, k->name);
        for (unsigned j = 0; j < k->tolerance_count; j++)
            if (!(k->tolerance[j].within >= 0.0) || !(k->tolerance[j].per_vector >= 0.0))
                return fq_fail(err, FQ_USAGE,
                               "%s: contract '%s', tolerance of '%s': within and per_vector are not below 0", c->path,
                               k->name, k->tolerance[j].fact);
        for (unsigned j = 0; j < k->require_count; j++) {
            const struct fq_require_rule *r = &k->require[j];
            if ((r->is != NULL) + (r->equals != NULL) + (r->at_most != NULL) != 1)
                return fq_fail(err, FQ_USAGE,
                               "%s: contract '%s', require of '%s': give exactly one of is, equals and at_most",
                               c->path, k->name, r->fact);
        }
    }
    return 0;
}

int fq_contracts_load(const char *path, struct fq_contracts *out, struct fq_error *err) {
    memset(out, 0, sizeof *out);
    if (path != NULL)
        snprintf(out->path, sizeof out->path, "%s", path);
    else {
        char home[3072];
        fq_home(home, sizeof home);
        snprintf(out->path, sizeof out->path, "%s/configs/contracts.yaml", home);
    }
    void *data = NULL;
    FQ_TRY(fq_yaml_load(out->path, &file_schema, &data, &out->n, err));
    out->contract = data;
    int code = check(out, err);
    if (code != 0)
        fq_contracts_free(out);
    return code;
}

void fq_contracts_free(struct fq_contracts *c) {
    fq_yaml_free(&file_schema, c->contract, c->n);
    c->contract = NULL;
    c->n = 0;
}

int fq_contract_find(const struct fq_contracts *c, const char *name, const struct fq_contract **out,
                     struct fq_error *err) {
    const char *names[MAX_LIST];
    for (unsigned i = 0; i < c->n; i++) {
        names[i] = c->contract[i].name;
        if (strcmp(names[i], name) == 0) {
            *out = &c->contract[i];
            return 0;
        }
    }
    const char *near = fq_nearest(name, names, c->n);
    char list[400] = "";
    fq_words_join(list, sizeof list, names, c->n);
    return fq_fail(err, FQ_USAGE, "unknown contract '%s'%s%s%s (those of %s: %s)", name, near ? ", did you mean '" : "",
                   near ? near : "", near ? "'?" : "", c->path, list);
}

bool fq_kind_listed(char *const *kinds, unsigned n, const char *kind) {
    for (unsigned i = 0; i < n; i++)
        if (strcmp(kinds[i], kind) == 0)
            return true;
    return n == 0;
}
