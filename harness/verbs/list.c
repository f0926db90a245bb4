/* fairquant list: methods, claims, contracts, models and backends that are here.
 *
 * Each topic is built once as JSON and printed either as such or as text, so that both always say the same. It must not
 * measure, and it must not hide what is absent: a backend that is compiled and not usable here is listed as such. */
#include "harness/verbs.h"

#include "harness/base/cpu.h"
#include "harness/data/manifest.h"
#include "harness/data/model.h"
#include "harness/judge/claim.h"
#include "harness/judge/contract.h"
#include "harness/measure/catalog.h"

#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PLUGINS = 32, ODD_DIM = 7 };

struct options {
    const char *topic, *name, *plugins[MAX_PLUGINS]; /* name: of one method; NULL: all */
    size_t n_plugins;
    bool json, bad;
    struct fq_error *err;
};

static const struct argp_option option_table[] = {
    {"json", 'j', NULL, 0, "one JSON array", 0},
    {"plugin", 'p', "X.so", 0, "also the methods of a plug-in (may be repeated)", 0},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'j':
        o->json = true;
        return 0;
    case 'p':
        if (o->n_plugins < MAX_PLUGINS)
            o->plugins[o->n_plugins++] = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (!o->topic)
            o->topic = arg;
        else if (!o->name && strcmp(o->topic, "methods") == 0)
            o->name = arg;
        else if (!o->bad) {
            (void)fq_fail(o->err, FQ_USAGE, "expected one topic, or methods and one name, found '%s' after '%s'", arg,
                          o->name ? o->name : o->topic);
            o->bad = true;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void set_text(json_t *object, const char *key, const char *text) {
    (void)json_object_set_new(object, key, json_string(text ? text : ""));
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* ---- methods ---- */

static json_t *parameter_json(const struct fq_method *method, size_t i) {
    const struct fq_param_spec *p = &method->params[i];
    json_t *object = json_object();
    set_text(object, "name", p->name);
    set_text(object, "help", p->help);
    if (p->kind == FQ_PARAM_CHOICE) {
        json_t *choices = json_array();
        for (size_t k = 0; p->choices[k]; k++)
            (void)json_array_append_new(choices, json_string(p->choices[k]));
        set_text(object, "default", p->choices[(size_t)p->def]);
        (void)json_object_set_new(object, "choices", choices);
    } else {
        (void)json_object_set_new(object, "default", json_real(p->def));
        (void)json_object_set_new(object, "min", json_real(p->min));
        (void)json_object_set_new(object, "max", json_real(p->max));
        (void)json_object_set_new(object, "whole", json_boolean(p->kind == FQ_PARAM_INT));
    }
    return object;
}

/* What the method itself says to a dimension that nothing divides; "" if it takes it. */
static void set_refusal(json_t *object, const struct fq_method *method) {
    const struct fq_shape shape = {ODD_DIM, FQ_KEY};
    struct fq_params params;
    char why[FQ_ERROR_SIZE] = "";
    fq_params_default(method, &params);
    if (method->check == NULL || method->check(&params, &shape, why, sizeof why) == 0)
        why[0] = '\0';
    set_text(object, "refusal_at_7", why);
}

static json_t *method_json(const struct fq_method *method) {
    static const char *const roles[] = {"contender", "baseline", "negative control"};
    json_t *object = json_object(), *parameters = json_array(), *backends = json_array();
    set_text(object, "name", method->name);
    set_text(object, "role", roles[method->role]);
    set_text(object, "summary", method->summary);
    set_text(object, "paper", method->paper);
    set_text(object, "bits", method->bits_formula);
    (void)json_object_set_new(object, "decodes", json_boolean(method->kernels[FQ_REF]->decode != NULL));
    set_refusal(object, method);
    set_text(object, "plugin", fq_catalog_origin(method));
    set_text(object, "imports", fq_catalog_imports(method));
    for (size_t i = 0; i < method->n_params; i++)
        (void)json_array_append_new(parameters, parameter_json(method, i));
    for (int b = 0; b < FQ_BACKENDS; b++)
        if (method->kernels[b])
            (void)json_array_append_new(backends, json_string(fq_backend_name((enum fq_backend)b)));
    (void)json_object_set_new(object, "parameters", parameters);
    (void)json_object_set_new(object, "backends", backends);
    return object;
}

/* All methods, or the one of that name. */
static int methods_json(const char *name, json_t **out, struct fq_error *err) {
    const struct fq_method *one = NULL;
    if (name)
        FQ_TRY(fq_catalog_find(name, &one, err));
    *out = json_array();
    for (size_t i = 0; i < fq_catalog_size(); i++)
        if (!one || one == fq_catalog_at(i))
            (void)json_array_append_new(*out, method_json(fq_catalog_at(i)));
    return 0;
}

/* Is this word in the text, between what belongs to no word? */
static bool has_word(const char *text, const char *word) {
    const size_t n = strlen(word);
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
        const char before = at == text ? ' ' : at[-1], after = at[n];
        if (strchr(" ,:;()", before) && (after == '\0' || strchr(" ,:;().", after)))
            return true;
    }
    return false;
}

/* Choices are printed unless the help names each of them already. */
static void print_parameter(const json_t *p, int width) {
    const json_t *choices = json_object_get(p, "choices"), *choice;
    size_t i;
    printf("    %-*s ", width, text_of(p, "name"));
    if (choices) {
        bool named = true;
        json_array_foreach(choices, i, choice) {
            named = named && has_word(text_of(p, "help"), json_string_value(choice));
        }
        for (i = 0; i < json_array_size(choices) && !named; i++)
            printf("%s%s", i ? "|" : "", json_string_value(json_array_get(choices, i)));
        printf("%s(default %s): ", named ? "" : " ", text_of(p, "default"));
    } else {
        printf("%g..%g (default %g): ", json_real_value(json_object_get(p, "min")),
               json_real_value(json_object_get(p, "max")), json_real_value(json_object_get(p, "default")));
    }
    printf("%s\n", text_of(p, "help"));
}

static void print_method(const json_t *m) {
    const json_t *item, *parameters = json_object_get(m, "parameters");
    int width = (int)strlen("backends");
    size_t i;
    for (i = 0; i < json_array_size(parameters); i++) {
        const int n = (int)strlen(text_of(json_array_get(parameters, i), "name"));
        width = n > width ? n : width;
    }
    printf("%s (%s): %s\n    %-*s %s\n    %-*s %s\n    %-*s", text_of(m, "name"), text_of(m, "role"),
           text_of(m, "summary"), width, "paper", text_of(m, "paper"), width, "bits", text_of(m, "bits"), width,
           "backends");
    json_array_foreach(json_object_get(m, "backends"), i, item) printf(" %s", json_string_value(item));
    printf("\n");
    if (!json_is_true(json_object_get(m, "decodes")))
        printf("    %-*s keys only: it decodes nothing\n", width, "tensors");
    if (text_of(m, "refusal_at_7")[0])
        printf("    %-*s %s\n", width, "at d = 7", text_of(m, "refusal_at_7"));
    if (text_of(m, "plugin")[0])
        printf("    %-*s %s%s%s\n", width, "plug-in", text_of(m, "plugin"),
               text_of(m, "imports")[0] ? ", imports " : "", text_of(m, "imports"));
    json_array_foreach(parameters, i, item) print_parameter(item, width);
    printf("\n");
}

/* ---- claims, contracts, models, backends ---- */

static int claims_json(json_t **out, struct fq_error *err) {
    struct fq_claims claims = {0};
    FQ_TRY(fq_claims_load(NULL, &claims, err));
    *out = json_array();
    for (size_t i = 0; i < claims.n; i++) {
        json_t *object = json_object();
        char said[1200];
        fq_claim_said(claims.claim[i], said, sizeof said);
        set_text(object, "id", claims.claim[i]->id);
        set_text(object, "who", claims.claim[i]->who);
        set_text(object, "said", said);
        set_text(object, claims.claim[i]->words ? "words" : "paraphrase",
                 claims.claim[i]->words ? claims.claim[i]->words : claims.claim[i]->paraphrase);
        set_text(object, "statement", claims.claim[i]->statement);
        set_text(object, "contract", claims.claim[i]->contract);
        set_text(object, "sha256", claims.claim[i]->sha256);
        (void)json_array_append_new(*out, object);
    }
    fq_claims_free(&claims);
    return 0;
}

static void print_claim(const json_t *c) {
    printf("%s (%s)\n    says       %s\n    decided    %s\n    contract   %s, file %.12s\n", text_of(c, "id"),
           text_of(c, "who"), text_of(c, "said"), text_of(c, "statement"), text_of(c, "contract"),
           text_of(c, "sha256"));
}

static int contracts_json(json_t **out, struct fq_error *err) {
    struct fq_contracts contracts = {0};
    FQ_TRY(fq_contracts_load(NULL, &contracts, err));
    *out = json_array();
    for (unsigned i = 0; i < contracts.n; i++) {
        json_t *object = json_object();
        set_text(object, "name", contracts.contract[i].name);
        set_text(object, "about", contracts.contract[i].about);
        (void)json_object_set_new(object, "exhibit", json_boolean(contracts.contract[i].exhibit));
        (void)json_array_append_new(*out, object);
    }
    fq_contracts_free(&contracts);
    return 0;
}

static void print_contract(const json_t *c) {
    printf("%s%s: %s\n", text_of(c, "name"), json_is_true(json_object_get(c, "exhibit")) ? " (exhibit)" : "",
           text_of(c, "about"));
}

static int models_json(json_t **out, struct fq_error *err) {
    struct fq_manifest_entry *entries = NULL;
    size_t n = 0;
    FQ_TRY(fq_manifest_load(&entries, &n, err));
    *out = json_array();
    for (size_t i = 0; i < n; i++) {
        char path[4096], sha256[FQ_SHA256_HEX];
        struct fq_error missing = {0};
        json_t *object = json_object();
        const bool here =
            fq_manifest_resolve(entries[i].name, entries[i].kind, path, sizeof path, sha256, &missing) == 0;
        set_text(object, "name", entries[i].name);
        set_text(object, "kind", entries[i].kind);
        set_text(object, "shape", entries[i].shape);
        set_text(object, "licence", entries[i].licence);
        set_text(object, "source", entries[i].source);
        set_text(object, "state", here ? "here" : missing.text);
        (void)json_array_append_new(*out, object);
    }
    free(entries);
    return 0;
}

static void print_model(const json_t *m) {
    printf("%s (%s): %s\n    licence    %s\n    state      %s\n", text_of(m, "name"), text_of(m, "kind"),
           text_of(m, "shape"), text_of(m, "licence"), text_of(m, "state"));
}

static json_t *backends_json(void) {
    json_t *all = json_array();
    for (int b = 0; b < FQ_BACKENDS; b++) {
        json_t *object = json_object();
        size_t n = 0;
        for (size_t i = 0; i < fq_catalog_size(); i++)
            n += fq_catalog_at(i)->kernels[b] != NULL;
        const bool usable = fq_cpu_has((enum fq_backend)b);
        set_text(object, "name", fq_backend_name((enum fq_backend)b));
        (void)json_object_set_new(object, "methods", json_integer((json_int_t)n));
        set_text(object, "state",
                 n == 0   ? "absent: no method has it"
                 : usable ? "usable"
                          : "compiled, not usable here");
        (void)json_array_append_new(all, object);
    }
    return all;
}

static void print_backend(const json_t *b) {
    printf("%-8s %3lld methods  %s\n", text_of(b, "name"), (long long)json_integer_value(json_object_get(b, "methods")),
           text_of(b, "state"));
}

/* ---- the verb ---- */

static int show(json_t *all, bool as_json, void (*print)(const json_t *), struct fq_error *err) {
    const json_t *item;
    size_t i;
    int failed = 0;
    if (as_json) {
        failed = json_dumpf(all, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    } else {
        json_array_foreach(all, i, item) print(item);
    }
    json_decref(all);
    return failed ? fq_fail(err, FQ_USAGE, "cannot write to standard output") : 0;
}

static int list(const struct options *o, struct fq_error *err) {
    static const char *const topics[] = {"methods", "claims", "contracts", "models", "backends"};
    const char *topic = o->topic ? o->topic : "methods";
    json_t *all = NULL;
    if (strcmp(topic, "methods") == 0) {
        FQ_TRY(methods_json(o->name, &all, err));
        FQ_TRY(show(all, o->json, print_method, err));
        if (!o->json)
            printf(
                "In a sweep, keys may be centred before any of them: centre: none, calibrated, running (needs a method "
                "that decodes) or rope-bias (docs/formats.md).\n");
        return 0;
    }
    if (strcmp(topic, "backends") == 0)
        return show(backends_json(), o->json, print_backend, err);
    if (strcmp(topic, "claims") == 0) {
        FQ_TRY(claims_json(&all, err));
        return show(all, o->json, print_claim, err);
    }
    if (strcmp(topic, "contracts") == 0) {
        FQ_TRY(contracts_json(&all, err));
        return show(all, o->json, print_contract, err);
    }
    if (strcmp(topic, "models") == 0) {
        FQ_TRY(models_json(&all, err));
        return show(all, o->json, print_model, err);
    }
    const char *near = fq_nearest(topic, topics, sizeof topics / sizeof *topics);
    return fq_fail(err, FQ_USAGE, "unknown topic '%s'%s%s%s (topics: methods, claims, contracts, models, backends)",
                   topic, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int fq_verb_list(int argc, char **argv, struct fq_error *err) {
    static const struct argp parser = {.options = option_table,
                                       .parser = parse_option,
                                       .args_doc = "[methods [NAME]|claims|contracts|models|backends]",
                                       .doc =
                                           "What is here: methods (or one) with parameters and bits formulas, claims, "
                                           "contracts, models and corpora, backends compiled and usable."};
    struct options o = {.err = err};
    argp_err_exit_status = FQ_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &o) != 0)
        return fq_fail(err, FQ_USAGE, "the command line cannot be read");
    if (o.bad)
        return FQ_USAGE;
    for (size_t i = 0; i < o.n_plugins; i++)
        FQ_TRY(fq_catalog_load_plugin(o.plugins[i], err));
    return list(&o, err);
}
