/* Reads the claim files and matches parameter texts. What a test means is verdict.c's business. */
#include "harness/judge/claim.h"

#include "harness/base/yaml.h"
#include "harness/data/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TESTS = 64, MAX_PAIR = 16, LONG = 1024 };

#define TEXT(key, structure, member) CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, struct structure, member, 1, LONG)
#define TEXT_OPTIONAL(key, structure, member)                                                                          \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct structure, member, 0, LONG)

static const cyaml_strval_t as_words[] = {{"ratio", FQ_AS_RATIO}, {"difference", FQ_AS_DIFFERENCE}};
static const cyaml_strval_t direction_words[] = {
    {"below", FQ_IS_BELOW}, {"above", FQ_IS_ABOVE}, {"equivalent", FQ_IS_EQUIVALENT}};
static const cyaml_strval_t combine_words[] = {
    {"all", FQ_COMBINE_ALL}, {"any", FQ_COMBINE_ANY}, {"each", FQ_COMBINE_EACH}};
static const cyaml_strval_t rates_words[] = {{"match", FQ_RATES_MATCH}, {"differ", FQ_RATES_DIFFER}};

static const cyaml_schema_field_t selector_fields[] = {TEXT_OPTIONAL("kind", fq_selector, kind),
                                                       TEXT_OPTIONAL("data", fq_selector, data),
                                                       TEXT_OPTIONAL("model", fq_selector, model),
                                                       TEXT_OPTIONAL("tensor", fq_selector, tensor),
                                                       TEXT_OPTIONAL("method", fq_selector, method),
                                                       TEXT_OPTIONAL("parameters", fq_selector, parameters),
                                                       CYAML_FIELD_END};

static const cyaml_schema_value_t word_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 40)};

static const cyaml_schema_field_t test_fields[] = {
    TEXT("name", fq_claim_test, name),
    CYAML_FIELD_MAPPING("cells", CYAML_FLAG_DEFAULT, struct fq_claim_test, cells, selector_fields),
    TEXT("metric", fq_claim_test, metric),
    TEXT_OPTIONAL("statistic", fq_claim_test, statistic),
    CYAML_FIELD_FLOAT_PTR("constant", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_claim_test, constant),
    CYAML_FIELD_MAPPING_PTR("against", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_claim_test, against,
                            selector_fields),
    CYAML_FIELD_SEQUENCE("pair", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_claim_test, pair, &word_schema, 1,
                         MAX_PAIR),
    CYAML_FIELD_ENUM("as", CYAML_FLAG_STRICT, struct fq_claim_test, as, as_words, CYAML_ARRAY_LEN(as_words)),
    CYAML_FIELD_ENUM("direction", CYAML_FLAG_STRICT, struct fq_claim_test, direction, direction_words,
                     CYAML_ARRAY_LEN(direction_words)),
    CYAML_FIELD_FLOAT_PTR("margin", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct fq_claim_test, margin),
    CYAML_FIELD_ENUM("rates", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct fq_claim_test, rates, rates_words,
                     CYAML_ARRAY_LEN(rates_words)),
    TEXT_OPTIONAL("rates_reason", fq_claim_test, rates_reason),
    CYAML_FIELD_END};
static const cyaml_schema_value_t test_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct fq_claim_test, test_fields)};

static const cyaml_schema_field_t claim_fields[] = {
    TEXT("id", fq_claim, id),
    TEXT("who", fq_claim, who),
    TEXT_OPTIONAL("words", fq_claim, words),
    TEXT_OPTIONAL("paraphrase", fq_claim, paraphrase),
    TEXT("where", fq_claim, where),
    TEXT("statement", fq_claim, statement),
    TEXT_OPTIONAL("note", fq_claim, note),
    TEXT("contract", fq_claim, contract),
    TEXT("family", fq_claim, family),
    CYAML_FIELD_FLOAT("level", CYAML_FLAG_DEFAULT, struct fq_claim, level),
    CYAML_FIELD_FLOAT("minimum_effect", CYAML_FLAG_DEFAULT, struct fq_claim, minimum_effect),
    CYAML_FIELD_ENUM("combine", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct fq_claim, combine, combine_words,
                     CYAML_ARRAY_LEN(combine_words)),
    CYAML_FIELD_SEQUENCE("tests", CYAML_FLAG_POINTER, struct fq_claim, tests, &test_schema, 1, MAX_TESTS),
    CYAML_FIELD_END};
static const cyaml_schema_value_t claim_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct fq_claim, claim_fields)};

static bool is_given(const char *text) {
    return text != NULL && text[0] != '\0';
}

static int check(const struct fq_claim *c, struct fq_error *err) {
    if (is_given(c->words) == is_given(c->paraphrase))
        return fq_fail(err, FQ_USAGE, "%s: give either words, a verbatim quotation, or paraphrase", c->path);
    if (!(c->level > 0.5 && c->level < 1.0))
        return fq_fail(err, FQ_USAGE, "%s: level is a confidence between 0.5 and 1 (0.95), found %g", c->path,
                       c->level);
    if (!(c->minimum_effect >= 0.0 && c->minimum_effect < 1.0))
        return fq_fail(err, FQ_USAGE, "%s: minimum_effect is between 0 and 1, found %g", c->path, c->minimum_effect);
    for (unsigned i = 0; i < c->tests_count; i++) {
        const struct fq_claim_test *t = &c->tests[i];
        double margin = t->margin ? *t->margin : c->minimum_effect;
        if (t->constant == NULL && t->against == NULL)
            return fq_fail(err, FQ_USAGE, "%s: test '%s': give a constant, or against, or both", c->path, t->name);
        if (t->constant != NULL && t->as == FQ_AS_RATIO && !(*t->constant > 0.0))
            return fq_fail(err, FQ_USAGE, "%s: test '%s': a ratio needs a constant above zero", c->path, t->name);
        if (!(margin >= 0.0) || (t->as == FQ_AS_RATIO && margin >= 1.0))
            return fq_fail(err, FQ_USAGE, "%s: test '%s': margin %g is out of range", c->path, t->name, margin);
        if (t->direction == FQ_IS_EQUIVALENT && !(margin > 0.0))
            return fq_fail(err, FQ_USAGE, "%s: test '%s': equivalence needs a margin above zero", c->path, t->name);
        if (t->rates == FQ_RATES_DIFFER && (t->against == NULL || !is_given(t->rates_reason)))
            return fq_fail(err, FQ_USAGE, "%s: test '%s': rates: differ needs against and a rates_reason", c->path,
                           t->name);
        if (t->rates == FQ_RATES_MATCH && t->rates_reason != NULL)
            return fq_fail(err, FQ_USAGE, "%s: test '%s': rates_reason without rates: differ", c->path, t->name);
    }
    return 0;
}

static int load_one(const char *dir, const char *name, struct fq_claim **out, struct fq_error *err) {
    char path[1024];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return fq_fail(err, FQ_USAGE, "the path of claim '%s' is longer than %zu bytes", name, sizeof path);
    void *data = NULL;
    FQ_TRY(fq_yaml_load(path, &claim_schema, &data, NULL, err));
    struct fq_claim *c = data;
    snprintf(c->path, sizeof c->path, "%s", path);
    int code = fq_sha256_file(path, c->sha256, err);
    if (code == 0)
        code = check(c, err);
    if (code != 0) {
        fq_yaml_free(&claim_schema, c, 0);
        return code;
    }
    *out = c;
    return 0;
}

static int is_yaml(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);
    return n > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 5, ".yaml") == 0;
}

static int by_id(const void *p, const void *q) {
    return strcmp((*(struct fq_claim *const *)p)->id, (*(struct fq_claim *const *)q)->id);
}

int fq_claims_load(const char *dir, struct fq_claims *out, struct fq_error *err) {
    char home[3072], own[4096];
    memset(out, 0, sizeof *out);
    if (dir == NULL) {
        fq_home(home, sizeof home);
        snprintf(own, sizeof own, "%s/configs/claims", home);
        dir = own;
    }
    struct dirent **entry = NULL;
    int found = scandir(dir, &entry, is_yaml, alphasort);
    if (found < 0)
        return fq_fail(err, FQ_USAGE, "the directory of claims %s cannot be read: %s", dir, strerror(errno));
    int code = 0;
    if (found == 0)
        code = fq_fail(err, FQ_USAGE, "the directory of claims %s holds no .yaml file", dir);
    else if ((out->claim = calloc((size_t)found, sizeof(void *))) == NULL)
        code = fq_fail(err, FQ_FAILED, "out of memory for %d claims", found);
    for (int i = 0; i < found; i++) {
        if (code == 0)
            code = load_one(dir, entry[i]->d_name, &out->claim[out->n], err);
        out->n += code == 0;
        free(entry[i]);
    }
    free(entry);
    if (out->n > 1 && out->claim != NULL)
        qsort(out->claim, out->n, sizeof(void *), by_id);
    for (size_t i = 1; out->claim != NULL && i < out->n && code == 0; i++)
        if (strcmp(out->claim[i - 1]->id, out->claim[i]->id) == 0)
            code = fq_fail(err, FQ_USAGE, "%s and %s are both claim '%s'; rename one", out->claim[i - 1]->path,
                           out->claim[i]->path, out->claim[i]->id);
    if (code != 0)
        fq_claims_free(out);
    return code;
}

void fq_claims_free(struct fq_claims *c) {
    for (size_t i = 0; c->claim != NULL && i < c->n; i++)
        fq_yaml_free(&claim_schema, c->claim[i], 0);
    free(c->claim);
    memset(c, 0, sizeof *c);
}

void fq_claim_said(const struct fq_claim *c, char *out, size_t size) {
    bool quoted = is_given(c->words);
    snprintf(out, size, quoted ? "\"%s\"" : "%s", quoted ? c->words : c->paraphrase);
}

bool fq_parameter_value(const char *parameters, const char *name, char *out, size_t size) {
    size_t n = strlen(name);
    for (const char *at = parameters; *at != '\0';) {
        at += strspn(at, " ");
        size_t word = strcspn(at, " ");
        if (word > n && strncmp(at, name, n) == 0 && at[n] == '=') {
            snprintf(out, size, "%.*s", (int)(word - n - 1), at + n + 1);
            return true;
        }
        at += word;
    }
    return false;
}

static bool one_of(const char *value, const char *choices, size_t size) {
    size_t n = strlen(value);
    for (size_t at = 0; at <= size;) {
        size_t word = 0;
        while (at + word < size && choices[at + word] != '|')
            word++;
        if (word == n && strncmp(choices + at, value, n) == 0)
            return true;
        at += word + 1;
    }
    return false;
}

bool fq_parameters_match(const char *parameters, const char *pattern) {
    for (const char *at = pattern; *at != '\0';) {
        at += strspn(at, " ");
        size_t word = strcspn(at, " "), name = strcspn(at, "= ");
        char key[64], value[128];
        if (word == 0)
            break;
        snprintf(key, sizeof key, "%.*s", (int)(name < 63 ? name : 63), at);
        bool has = fq_parameter_value(parameters, key, value, sizeof value);
        if (!has) { /* a centre, sinks, a window: written down only where there is one */
            snprintf(value, sizeof value, "none");
            has = true;
        }
        if (name >= word || !has || !one_of(value, at + name + 1, word - name - 1))
            return false;
        at += word;
    }
    return true;
}
