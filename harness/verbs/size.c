/* fairquant size: the bytes of a model's KV cache by method, from the footprints that the methods promise and the
 * harness enforces; nothing nominal.
 *
 * A method argument is NAME or NAME:parameter=value,parameter=value. It must not run a method. */
#include "harness/verbs.h"

#include "harness/data/model.h"
#include "harness/measure/catalog.h"

#include <argp.h>
#include <errno.h>
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
    {"plugin", 'p', "X.so", 0, "also the methods of a plug-in (may be repeated)", 0},
    {0}};

struct options {
    const char *model;
    size_t context, layers, kv_heads, dim;
    const char *methods[MAX_LIST], *plugins[MAX_LIST];
    size_t n_methods, n_plugins;
    struct fq_error *err;
    bool bad;
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
    case 'p':
        if (o->n_plugins < MAX_LIST)
            o->plugins[o->n_plugins++] = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->n_methods < MAX_LIST)
            o->methods[o->n_methods++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Whole records, and a float16 tail for the tokens that fill none. */
static double tensor_bytes(const struct fq_footprint *f, const struct options *o) {
    const size_t g = f->granularity ? f->granularity : 1, groups = o->context / g, tail = o->context % g;
    return (double)o->layers * (double)o->kv_heads *
           ((double)groups * (double)f->record_bytes + (double)tail * (double)o->dim * 2.0);
}

static int print_method(const struct options *o, const struct fq_method *method, const struct fq_params *params,
                        struct fq_error *err) {
    char text[384];
    double cache = 0, shared = 0, side = 0;
    for (int tensor = FQ_KEY; tensor <= FQ_VALUE; tensor++) {
        const struct fq_shape shape = {o->dim, (enum fq_tensor)tensor};
        FQ_TRY(fq_params_check(method, params, &shape, err));
        const struct fq_footprint f = method->footprint(params, &shape);
        const size_t g = f.granularity ? f.granularity : 1;
        cache += tensor_bytes(&f, o);
        const size_t groups = o->context / g;
        side += (double)o->layers * (double)o->kv_heads * (double)groups * (double)f.side_bytes;
        shared += (double)f.shared_bytes;
    }
    fq_params_print(method, params, text, sizeof text);
    const double coordinates = 2.0 * (double)o->layers * (double)o->kv_heads * (double)o->context * (double)o->dim;
    const double half = 2.0 * coordinates;
    printf("%-18s %9.4f %12.1f %14.3f %9.2f %12.3f %12.3f  %s\n", method->name, 8 * cache / coordinates,
           cache / (double)o->context, cache / 1048576.0, half / cache, side / 1048576.0, shared / 1048576.0,
           text[0] ? text : "-");
    return 0;
}

static int print_named(const struct options *o, const char *word, struct fq_error *err) {
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
    return print_method(o, method, &params, err);
}

static int print_all(const struct options *o, struct fq_error *err) {
    for (size_t i = 0; i < fq_catalog_size(); i++) {
        const struct fq_method *method = fq_catalog_at(i);
        struct fq_params params;
        struct fq_error why = {0};
        fq_params_default(method, &params);
        if (print_method(o, method, &params, &why) != 0)
            printf("%-18s cannot hold this shape: %s\n", method->name, why.text);
    }
    (void)err;
    return 0;
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
    argp_err_exit_status = FQ_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &o) != 0)
        return fq_fail(err, FQ_USAGE, "the command line cannot be read");
    if (o.bad)
        return FQ_USAGE;
    for (size_t i = 0; i < o.n_plugins; i++)
        FQ_TRY(fq_catalog_load_plugin(o.plugins[i], err));
    FQ_TRY(find_shape(&o, err));
    printf("%s: %zu layers, %zu KV heads, d = %zu, %zu tokens\n", o.model ? o.model : "given shape", o.layers,
           o.kv_heads, o.dim, o.context);
    printf("%-18s %9s %12s %14s %9s %12s %12s  %s\n", "method", "bits", "bytes/token", "cache MiB", "vs fp16",
           "side MiB", "shared MiB", "parameters");
    if (o.n_methods == 0)
        return print_all(&o, err);
    for (size_t i = 0; i < o.n_methods; i++)
        FQ_TRY(print_named(&o, o.methods[i], err));
    return 0;
}
