/* fairquant capture: runs a model over a text and writes what its KV cache stores, and the queries, into a KV set.
 *
 * The text is cut into windows of --context tokens, each evaluated from an empty cache, with BOS in the place of its
 * first token if the model adds one: the same windows that perplexity uses. Keys and queries are taken after RoPE, as
 * the scores see them. Must not change anything in the model: the hook only reads. */
#include "harness/verbs.h"

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/placement.h"
#include "harness/data/dataset.h"
#include "harness/data/manifest.h"
#include "harness/data/model.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct options {
    const char *model, *corpus, *out;
    size_t tokens, context, threads;
    bool half;
    struct fq_error *err;
    bool bad;
};

enum { OPTION_MODEL = 'm', OPTION_CORPUS = 'c', OPTION_TOKENS = 'n', OPTION_OUT = 'o', OPTION_CONTEXT = 'w' };
enum { OPTION_DTYPE = 't', OPTION_THREADS = 'j', DEFAULT_CONTEXT = 1024 };

static const struct argp_option option_table[] = {
    {"model", OPTION_MODEL, "M", 0, "a model of the manifest, or a GGUF file", 0},
    {"corpus", OPTION_CORPUS, "C", 0, "a corpus of the manifest, or a text file", 0},
    {"tokens", OPTION_TOKENS, "N", 0, "how many tokens to capture", 0},
    {"out", OPTION_OUT, "KV.h5", 0, "the KV set to write", 0},
    {"context", OPTION_CONTEXT, "W", 0, "tokens per window, each from an empty cache (default 1024)", 0},
    {"dtype", OPTION_DTYPE, "float16|float32", 0, "precision on disk (default float16)", 0},
    {"threads", OPTION_THREADS, "T", 0, "threads of the model (default: all processing units)", 0},
    {0}};

static void complain(struct options *o, const char *option, const char *expected, const char *found) {
    if (!o->bad)
        (void)fq_fail(o->err, FQ_USAGE, "capture: --%s expects %s, found '%s'", option, expected, found);
    o->bad = true;
}

static size_t parse_count(struct options *o, const char *option, const char *text) {
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v < 1 || v > INT32_MAX) {
        complain(o, option, "a whole number from 1 to 2147483647", text);
        return 1;
    }
    return (size_t)v;
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case OPTION_MODEL:
        o->model = arg;
        return 0;
    case OPTION_CORPUS:
        o->corpus = arg;
        return 0;
    case OPTION_OUT:
        o->out = arg;
        return 0;
    case OPTION_TOKENS:
        o->tokens = parse_count(o, "tokens", arg);
        return 0;
    case OPTION_CONTEXT:
        o->context = parse_count(o, "context", arg);
        return 0;
    case OPTION_THREADS:
        o->threads = parse_count(o, "threads", arg);
        return 0;
    case OPTION_DTYPE:
        o->half = strcmp(arg, "float16") == 0;
        if (!o->half && strcmp(arg, "float32") != 0)
            complain(o, "dtype", "float16 or float32", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (!o->bad)
            (void)fq_fail(o->err, FQ_USAGE,
                          "capture: '%s' belongs to no option; every input is named, as in --model M (see --help)",
                          arg);
        o->bad = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int parse(int argc, char **argv, struct options *o, struct fq_error *err) {
    static const struct argp parser = {.options = option_table,
                                       .parser = parse_option,
                                       .doc = "Runs a model over a text and writes keys, values and queries per layer "
                                              "and head (keys and queries after RoPE) into a KV set."};
    *o = (struct options){.context = DEFAULT_CONTEXT, .half = true, .err = err};
    argp_err_exit_status = FQ_USAGE;
    error_t status = argp_parse(&parser, argc, argv, 0, NULL, o);
    if (o->bad)
        return FQ_USAGE;
    if (status != 0)
        return fq_fail(err, FQ_USAGE, "capture: the command line cannot be read: %s", strerror(status));
    const char *missing = !o->model ? "model" : !o->corpus ? "corpus" : !o->tokens ? "tokens" : !o->out ? "out" : NULL;
    if (missing)
        return fq_fail(err, FQ_USAGE,
                       "capture: --%s is missing; usage: fairquant capture --model M --corpus C --tokens N --out KV.h5",
                       missing);
    if (o->threads == 0) {
        unsigned units[1024];
        o->threads = fq_placement_units(units, sizeof units / sizeof units[0]);
    }
    if (o->context > o->tokens)
        o->context = o->tokens;
    return 0;
}

/* ---- running ---- */

struct capture {
    struct fq_kv_writer *writer;
    struct fq_progress progress;
    size_t first;           /* token at which the window begins */
    size_t window, windows; /* from 1 */
    size_t layers;
};

static int write_rows(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                      size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    (void)n_heads, (void)dim;
    struct capture *c = arg;
    static const int order[3] = {[FQ_HOOK_KEY] = 0, [FQ_HOOK_VALUE] = 1, [FQ_HOOK_QUERY] = 2};
    FQ_TRY(fq_kv_writer_rows(c->writer, order[which], layer, c->first + first_position, n_tokens, data, err));
    char detail[128];
    (void)snprintf(detail, sizeof detail, "window %zu of %zu, layer %zu of %zu", c->window, c->windows, layer + 1,
                   c->layers);
    fq_progress_step(&c->progress, (double)n_tokens / (3.0 * (double)c->layers), detail);
    return 0;
}

static int run_windows(const struct options *o, struct fq_model *model, int32_t *tokens, struct capture *c,
                       struct fq_error *err) {
    bool bos = fq_model_info(model)->add_bos;
    for (size_t first = 0; first < o->tokens; first += o->context) {
        size_t n = o->tokens - first < o->context ? o->tokens - first : o->context;
        if (bos)
            tokens[first] = fq_model_bos(model);
        c->first = first;
        c->window++;
        FQ_TRY(fq_model_eval(model, tokens + first, n, write_rows, c, n, NULL, err));
    }
    return 0;
}

/* The bias itself, before RoPE. */
static int write_bias_weights(struct fq_model *model, struct fq_kv_writer *writer, struct fq_error *err) {
    const struct fq_model_info *info = fq_model_info(model);
    float *bias = malloc(info->layers * info->kv_heads * info->dim * sizeof *bias);
    if (!bias)
        return fq_fail(err, FQ_FAILED, "out of memory for the key bias of %zu layers", info->layers);
    struct fq_error why = {0};
    int code = fq_model_key_bias_weights(model, bias, &why);
    if (code == 0) {
        code = fq_kv_writer_bias_weights(writer, bias, err);
    } else if (code == FQ_USAGE) {
        fq_warn("the key bias before RoPE is not stored: %s", why.text);
        code = 0;
    } else {
        *err = why;
    }
    free(bias);
    return code;
}

/* What the key bias adds is stored beside the keys. A model whose bias cannot be told apart is captured without. */
static int write_bias(const struct options *o, struct fq_model *model, struct fq_kv_writer *writer,
                      struct fq_error *err) {
    const struct fq_model_info *info = fq_model_info(model);
    if (!info->key_bias)
        return 0;
    float *bias = malloc(info->layers * info->kv_heads * o->context * info->dim * sizeof *bias);
    if (!bias)
        return fq_fail(err, FQ_FAILED, "out of memory for the key bias of %zu positions", o->context);
    struct fq_error why = {0};
    int code = fq_model_key_bias(model, o->context, bias, &why);
    if (code == 0) {
        code = fq_kv_writer_key_bias(writer, bias, err);
    } else if (code == FQ_USAGE) {
        fq_warn("the key bias is not stored: %s", why.text);
        code = 0;
    } else {
        *err = why;
    }
    free(bias);
    return code == 0 ? write_bias_weights(model, writer, err) : code;
}

static int capture_tokens(const struct options *o, struct fq_model *model, int32_t *tokens, const char *corpus_sha256,
                          struct fq_error *err) {
    const struct fq_model_info *info = fq_model_info(model);
    const char *base = strrchr(o->corpus, '/');
    char source[128];
    (void)snprintf(source, sizeof source, "fairquant capture, %s", info->library);
    struct fq_kv_attributes a = {.model = info->name,
                                 .model_sha256 = info->sha256,
                                 .corpus = base ? base + 1 : o->corpus,
                                 .corpus_sha256 = corpus_sha256,
                                 .source = source,
                                 .layers = info->layers,
                                 .kv_heads = info->kv_heads,
                                 .heads = info->heads,
                                 .dim = info->dim,
                                 .tokens = o->tokens,
                                 .context = o->context,
                                 .half = o->half};
    struct capture c = {.layers = info->layers, .windows = (o->tokens + o->context - 1) / o->context};
    FQ_TRY(fq_kv_writer_open(o->out, &a, &c.writer, err));
    fq_progress_begin(&c.progress, "capture", (double)o->tokens);
    int code = run_windows(o, model, tokens, &c, err);
    fq_progress_end(&c.progress);
    if (code == 0)
        code = write_bias(o, model, c.writer, err);
    if (code != 0) {
        fq_kv_writer_abort(c.writer);
        return code;
    }
    FQ_TRY(fq_kv_writer_commit(c.writer, err));
    char without[64] = "";
    if (info->layers_without_cache > 0)
        (void)snprintf(without, sizeof without, " (%zu more have no KV cache)", info->layers_without_cache);
    (void)printf(
        "%s: %zu tokens of %s through %s in windows of %zu; %zu layers%s, %zu KV heads, %zu query heads, d = %zu, "
        "%s\n",
        o->out, o->tokens, a.corpus, a.model, o->context, a.layers, without, a.kv_heads, a.heads, a.dim,
        o->half ? "float16" : "float32");
    return 0;
}

static int capture_text(const struct options *o, struct fq_model *model, const char *text, size_t bytes,
                        const char *corpus_sha256, struct fq_error *err) {
    int32_t *tokens = NULL;
    size_t found = 0;
    FQ_TRY(fq_model_tokenize(model, text, bytes, true, &tokens, &found, err));
    int code = found >= o->tokens
                   ? capture_tokens(o, model, tokens, corpus_sha256, err)
                   : fq_fail(err, FQ_USAGE,
                             "corpus %s is too short: --tokens asks for %zu, it has %zu with the tokenizer of %s; ask "
                             "for fewer or name a longer text",
                             o->corpus, o->tokens, found, fq_model_info(model)->name);
    free(tokens);
    return code;
}

/* A KV set replaces what lies at its path when it is whole, and that must not be a device or a pipe. */
static int check_output(const char *path, struct fq_error *err) {
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return fq_fail(err, FQ_USAGE, "cannot write '%s': a KV set needs a regular file, and this is none", path);
    return fq_check_writable(path, err);
}

int fq_verb_capture(int argc, char **argv, struct fq_error *err) {
    struct options o;
    FQ_TRY(parse(argc, argv, &o, err));
    FQ_TRY(check_output(o.out, err));
    char path[4096], sha256[FQ_SHA256_HEX];
    FQ_TRY(fq_manifest_resolve(o.corpus, "corpus", path, sizeof path, sha256, err));
    char *text = NULL;
    size_t bytes = 0;
    FQ_TRY(fq_read_text(path, &text, &bytes, err));
    struct fq_model *model = NULL;
    int code = fq_model_open(o.model, o.context, (unsigned)o.threads, &model, err);
    if (code == 0)
        code = capture_text(&o, model, text, bytes, sha256, err);
    fq_model_close(model);
    free(text);
    return code;
}
