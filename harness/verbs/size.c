/* fairquant size: the bytes of a model's KV cache by method, from the footprints that the methods promise and the
 * harness enforces; nothing nominal.
 *
 * A method argument is NAME or NAME:parameter=value,parameter=value. It must not run a method. */
#include "harness/verbs.h"

#include "harness/data/model.h"
#include "harness/measure/catalog.h"
#include "harness/measure/codec.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_LAYERS = 1000, OPTION_KV_HEADS, OPTION_DIM, MAX_LIST = 64, MAX_COUNT = 100000000 };

static const struct argp_option option_table[] = {
    {"model", 'm', "M", 0, "a model of the manifest, or a GGUF file", 0},
    {"context", 'n', "N", 0, "tokens in the cache", 0},
    {"layers", OPTION_LAYERS, "L", 0, "instead of a model: layers", 0},
    {"kv-heads", OPTION_KV_HEADS, "H", 0, "instead of a model: KV heads per layer", 0},
    {"dim", OPTION_DIM, "D", 0, "instead of a model: dimension of a head", 0},
    {"json", 'j', NULL, 0, "as JSON, sizes in bytes", 0},
    {"plugin", 'p', "X.so", 0, "also the methods of a plug-in (may be repeated)", 0},
    {0}};

struct options {
    const char *model;
    size_t context, layers, kv_heads, dim;
    const char *methods[MAX_LIST], *plugins[MAX_LIST];
    size_t n_methods, n_plugins;
    struct fq_error *err;
    bool bad, json;
};

static size_t parse_count(struct options *o, const char *name, const char *text) {
    char *end = NULL;
    errno = 0;
    const unsigned long long v = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v < 1 || v > MAX_COUNT) {
        if (!o->bad)
            (void)fq_fail(o->err, FQ_USAGE, "--%s expects a whole number from 1 to %d, found '%s'", name,
                          (int)MAX_COUNT, text);
        o->bad = true;
    }
    return (size_t)v;
}

static void add_word(struct options *o, const char **list, size_t *n, const char *what, const char *word) {
    if (*n < MAX_LIST) {
        list[(*n)++] = word;
        return;
    }
    if (!o->bad)
        (void)fq_fail(o->err, FQ_USAGE, "more than %d %s are named; '%s' is one too many", (int)MAX_LIST, what, word);
    o->bad = true;
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'm':
        o->model = arg;
        return 0;
    case 'n':
        o->context = parse_count(o, "context", arg);
        return 0;
    case OPTION_LAYERS:
        o->layers = parse_count(o, "layers", arg);
        return 0;
    case OPTION_KV_HEADS:
        o->kv_heads = parse_count(o, "kv-heads", arg);
        return 0;
    case OPTION_DIM:
        o->dim = parse_count(o, "dim", arg);
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case 'p':
        add_word(o, o->plugins, &o->n_plugins, "plug-ins", arg);
        return 0;
    case ARGP_KEY_ARG:
        add_word(o, o->methods, &o->n_methods, "methods", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Bytes of one method's cache. Double: a hundred million tokens of a large model exceed what anybody adds up by hand,
 * and whole numbers stay exact up to 2^53. */
struct sizes {
    const struct fq_method *method;
    char parameters[384];
    double tensor[2]; /* of keys, of values: records, and a float16 tail for tokens that fill none; NAN: cannot be */
    double side;      /* of both: what is no code */
    double shared;    /* rotations and codebooks; not part of the cache's rate */
};

static double coordinates(const struct options *o) { /* of keys, or of values */
    return (double)o->layers * (double)o->kv_heads * (double)o->context * (double)o->dim;
}

/* A sketch that reconstructs nothing scores keys; no attention can sum values from it, so there is no such cache. */
static bool decodes(const struct fq_method *method) {
    return method->kernels[FQ_REF]->decode != NULL;
}

static int measure(const struct options *o, const struct fq_method *method, const struct fq_params *params,
                   struct sizes *out, struct fq_error *err) {
    const double matrices = (double)o->layers * (double)o->kv_heads;
    *out = (struct sizes){.method = method, .tensor = {NAN, NAN}};
    for (int tensor = FQ_KEY; tensor <= (decodes(method) ? FQ_VALUE : FQ_KEY); tensor++) {
        const struct fq_shape shape = {o->dim, (enum fq_tensor)tensor};
        FQ_TRY(fq_params_check(method, params, &shape, err));
        const struct fq_footprint f = method->footprint(params, &shape);
        const size_t g = f.granularity ? f.granularity : 1, groups = o->context / g, tail = o->context % g;
        out->tensor[tensor] =
            matrices * ((double)groups * (double)f.record_bytes + (double)tail * (double)o->dim * 2.0);
        out->side += matrices * (double)groups * (double)f.side_bytes;
        /* What is drawn serves all layers and heads; what is learnt, each learns for itself. */
        out->shared += (double)f.shared_bytes * (fq_method_learns(method, params) ? matrices : 1);
    }
    fq_params_print(method, params, out->parameters, sizeof out->parameters);
    return 0;
}

static double whole_cache(const struct sizes *s) {
    return s->tensor[FQ_KEY] + s->tensor[FQ_VALUE];
}

/* 16 bits a coordinate over all that has to be there to read the cache: codebooks can be as large as the codes. */
static double ratio_to_half(const struct options *o, const struct sizes *s) {
    return 4.0 * coordinates(o) / (whole_cache(s) + s->shared);
}

static void print_number(int width, int decimals, double v) {
    if (isnan(v))
        printf(" %*s", width, "-");
    else
        printf(" %*.*f", width, decimals, v);
}

static const double MIB = 1048576.0;

/* All rows are computed before the first is printed: a wrong name at the end leaves nothing half-said. */
struct table {
    struct sizes *row;
    char (*refused)[FQ_ERROR_SIZE]; /* instead of sizes: why this method cannot hold the shape; "" if it can */
    size_t n;
};

static int measure_word(const struct options *o, const char *word, struct sizes *out, struct fq_error *err) {
    char name[128];
    const struct fq_method *method = NULL;
    struct fq_params params;
    const size_t n = strcspn(word, ":");
    if (n >= sizeof name)
        return fq_fail(err, FQ_USAGE, "the method '%.40s...' is longer than a name can be", word);
    memcpy(name, word, n);
    name[n] = '\0';
    FQ_TRY(fq_catalog_find(name, &method, err));
    fq_params_default(method, &params);
    if (word[n] == ':')
        FQ_TRY(fq_params_parse(method, word + n + 1, &params, err));
    return measure(o, method, &params, out, err);
}

/* The methods named, or all with their defaults; of all, one that cannot hold the shape says so in its row. */
static int fill(const struct options *o, struct table *t, struct fq_error *err) {
    t->n = o->n_methods > 0 ? o->n_methods : fq_catalog_size();
    t->row = calloc(t->n + 1, sizeof *t->row);
    t->refused = calloc(t->n + 1, sizeof *t->refused);
    if (!t->row || !t->refused)
        return fq_fail(err, FQ_FAILED, "out of memory for %zu methods", t->n);
    for (size_t i = 0; i < t->n; i++) {
        if (o->n_methods > 0) {
            FQ_TRY(measure_word(o, o->methods[i], &t->row[i], err));
            continue;
        }
        struct fq_params params;
        struct fq_error why = {0};
        fq_params_default(fq_catalog_at(i), &params);
        if (measure(o, fq_catalog_at(i), &params, &t->row[i], &why) != 0)
            memcpy(t->refused[i], why.text, sizeof why.text);
    }
    return 0;
}

static void print_text(const struct options *o, const struct table *t) {
    int width = (int)strlen("method");
    for (size_t i = 0; i < t->n; i++)
        if ((int)strlen(t->row[i].method->name) > width)
            width = (int)strlen(t->row[i].method->name);
    printf("%s: %zu layers, %zu KV heads, d = %zu, %zu tokens\n", o->model ? o->model : "given shape", o->layers,
           o->kv_heads, o->dim, o->context);
    printf("%-*s %9s %12s %12s %8s %12s %12s %11s %11s  %s\n", width, "method", "bits", "bytes/token", "cache MiB",
           "vs fp16", "keys MiB", "values MiB", "side MiB", "shared MiB", "parameters");
    for (size_t i = 0; i < t->n; i++) {
        const struct sizes *s = &t->row[i];
        const double cache = whole_cache(s);
        if (t->refused[i][0] != '\0') {
            printf("%-*s cannot hold this shape: %s\n", width, s->method->name, t->refused[i]);
            continue;
        }
        printf("%-*s", width, s->method->name);
        print_number(9, 4, 4 * cache / coordinates(o));
        print_number(12, 1, cache / (double)o->context);
        print_number(12, 3, cache / MIB);
        print_number(8, 2, ratio_to_half(o, s));
        print_number(12, 3, s->tensor[FQ_KEY] / MIB);
        print_number(12, 3, s->tensor[FQ_VALUE] / MIB);
        print_number(11, 3, s->side / MIB);
        print_number(11, 3, s->shared / MIB);
        printf("  %s%s\n", s->parameters[0] ? s->parameters : "-",
               decodes(s->method) ? "" : " (keys only: it decodes nothing)");
    }
}

static json_t *row_json(const struct options *o, const struct sizes *s) {
    const double cache = whole_cache(s), n = coordinates(o);
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"rate_bits", 4 * cache / n},
                   {"key_bits", 8 * s->tensor[FQ_KEY] / n},
                   {"value_bits", 8 * s->tensor[FQ_VALUE] / n},
                   {"bytes_per_token", cache / (double)o->context},
                   {"cache_bytes", cache},
                   {"key_bytes", s->tensor[FQ_KEY]},
                   {"value_bytes", s->tensor[FQ_VALUE]},
                   {"side_bytes", s->side},
                   {"shared_bytes", s->shared},
                   {"ratio_to_fp16", ratio_to_half(o, s)}};
    json_t *row = json_pack("{s:s, s:s}", "method", s->method->name, "parameters", s->parameters);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)json_object_set_new(row, numbers[i].key,
                                  isnan(numbers[i].value) ? json_null() : json_real(numbers[i].value));
    return row;
}

static void print_json(const struct options *o, const struct table *t) {
    json_t *rows = json_array();
    for (size_t i = 0; i < t->n; i++)
        (void)json_array_append_new(
            rows, t->refused[i][0] != '\0'
                      ? json_pack("{s:s, s:s}", "method", t->row[i].method->name, "refused", t->refused[i])
                      : row_json(o, &t->row[i]));
    json_t *all = json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "model", o->model ? o->model : "", "layers",
                            (json_int_t)o->layers, "kv_heads", (json_int_t)o->kv_heads, "dim", (json_int_t)o->dim,
                            "context", (json_int_t)o->context, "methods", rows);
    (void)json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    (void)putchar('\n');
    json_decref(all);
}

static int find_shape(struct options *o, struct fq_error *err) {
    struct fq_model_info info;
    if (!o->context)
        return fq_fail(err, FQ_USAGE, "--context is missing; usage: fairquant size --model M --context N [METHOD ...]");
    if (!o->model) {
        if (!o->layers || !o->kv_heads || !o->dim)
            return fq_fail(err, FQ_USAGE, "expected --model M, or all of --layers L --kv-heads H --dim D");
        return 0;
    }
    if (o->layers || o->kv_heads || o->dim)
        return fq_fail(err, FQ_USAGE, "expected either --model or --layers, --kv-heads and --dim, found both");
    FQ_TRY(fq_model_peek(o->model, &info, err));
    o->layers = info.layers;
    o->kv_heads = info.kv_heads;
    o->dim = info.dim;
    return 0;
}

int fq_verb_size(int argc, char **argv, struct fq_error *err) {
    static const struct argp parser = {
        .options = option_table,
        .parser = parse_option,
        .args_doc = "[METHOD[:PARAMETER=VALUE,...] ...]",
        .doc = "Bytes of a KV cache by method: records, side information and the float16 tail of an unfinished group, "
               "as promised by the methods; no METHOD: all with their defaults."};
    struct options o = {.err = err};
    struct table t = {0};
    argp_err_exit_status = FQ_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &o) != 0)
        return fq_fail(err, FQ_USAGE, "the command line cannot be read");
    if (o.bad)
        return FQ_USAGE;
    for (size_t i = 0; i < o.n_plugins; i++)
        FQ_TRY(fq_catalog_load_plugin(o.plugins[i], err));
    FQ_TRY(find_shape(&o, err));
    const int code = fill(&o, &t, err);
    if (code == 0 && o.json)
        print_json(&o, &t);
    else if (code == 0)
        print_text(&o, &t);
    free(t.row);
    free(t.refused);
    return code;
}
