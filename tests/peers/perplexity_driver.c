/* Our side of the comparison with llama.cpp's perplexity tool: one model, one corpus, full precision and any number of
 * cache formats, through the same functions that a sweep uses. A driver for llama_compare.py, not a test.
 *
 *   perplexity_driver MODEL CORPUS CONTEXT CHUNKS THREADS [KEY VALUE QUERY]...
 * Each of KEY, VALUE and QUERY is a method and its parameters as one word, "q8_0 hadamard=llama", or "-" for none. A
 * method at QUERY makes of each query what a cache in that format would hold: llama.cpp multiplies a q8_0 or q4_0 cache
 * with queries that it first rounds to q8_0. Prints one JSON object a line: perplexity, and nats per token by window;
 * the first line is full precision. Exit 2: a sentence on stderr. */
#include "harness/base/cpu.h"
#include "harness/base/pool.h"
#include "harness/measure/catalog.h"
#include "harness/measure/perplexity.h"
#include "methods/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fq_error err;

static void check(int code) {
    if (code == 0)
        return;
    fprintf(stderr, "perplexity_driver: %s\n", err.text);
    exit(2);
}

static struct fq_codec *open_codec(const char *words, size_t dim, enum fq_tensor tensor) {
    if (strcmp(words, "-") == 0)
        return NULL;
    char name[64];
    const size_t n = strcspn(words, " ");
    snprintf(name, sizeof name, "%.*s", (int)n, words);
    struct fq_codec_config config = {.shape = {.dim = dim, .tensor = tensor}, .seed = 1};
    check(fq_catalog_find(name, &config.method, &err));
    fq_params_default(config.method, &config.params);
    check(fq_params_parse(config.method, words + n, &config.params, &err));
    config.backend = fq_backend_pick(config.method);
    struct fq_codec *codec = NULL;
    check(fq_codec_open(&config, &codec, &err));
    return codec;
}

struct arm {
    struct fq_codec *codec[3]; /* by enum fq_hook_tensor */
    float *x, *xhat;
};

static int replace(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                   size_t n_heads, size_t dim, float *data, struct fq_error *error) {
    struct arm *a = arg;
    (void)layer, (void)first_position;
    if (!a->codec[which])
        return 0;
    for (size_t head = 0; head < n_heads; head++) {
        for (size_t t = 0; t < n_tokens; t++)
            memcpy(a->x + t * dim, data + (t * n_heads + head) * dim, dim * sizeof(float));
        FQ_TRY(fq_codec_roundtrip(a->codec[which], n_tokens, a->x, a->xhat, error));
        for (size_t t = 0; t < n_tokens; t++)
            memcpy(data + (t * n_heads + head) * dim, a->xhat + t * dim, dim * sizeof(float));
    }
    fq_pool_rest();
    return 0;
}

static void run_arm(struct fq_ppl_reference *ref, char **words) {
    const struct fq_ppl_info *info = fq_ppl_reference_info(ref);
    const size_t dim = info->model->dim;
    struct arm a = {.codec = {[FQ_HOOK_KEY] = open_codec(words[0], dim, FQ_KEY),
                              [FQ_HOOK_VALUE] = open_codec(words[1], dim, FQ_VALUE),
                              [FQ_HOOK_QUERY] = open_codec(words[2], dim, FQ_KEY)},
                    .x = malloc(info->context * dim * sizeof(float)),
                    .xhat = malloc(info->context * dim * sizeof(float))};
    const struct fq_ppl_agent agent = {.tensors = replace, .arg = &a, .tensor = "kv"};
    struct fq_series_list series = {0};
    double perplexity = 0.0;
    if (!a.x || !a.xhat)
        check(fq_fail(&err, FQ_FAILED, "out of memory"));
    check(fq_ppl_run(ref, &agent, NULL, NULL, &series, &perplexity, &err));
    const struct fq_series *s = fq_series_find(&series, "perplexity", "kv");
    printf("{\"key\": \"%s\", \"value\": \"%s\", \"query\": \"%s\", \"perplexity\": %.9f, \"nats\": [", words[0],
           words[1], words[2], perplexity);
    for (size_t i = 0; i < s->n; i++)
        printf("%s%.9f", i ? ", " : "", s->value[i]);
    printf("]}\n");
    fflush(stdout);
    fq_series_list_free(&series);
    for (int w = 0; w < 3; w++)
        if (a.codec[w])
            fq_codec_close(a.codec[w]);
    free(a.x);
    free(a.xhat);
}

int main(int argc, char **argv) {
    if (argc < 6 || (argc - 6) % 3 != 0) {
        fprintf(stderr, "usage: perplexity_driver MODEL CORPUS CONTEXT CHUNKS THREADS [KEY VALUE QUERY]...\n");
        return 2;
    }
    for (size_t i = 0; fq_methods[i]; i++)
        check(fq_catalog_add(fq_methods[i], &err));
    const unsigned threads = (unsigned)strtoul(argv[5], NULL, 10);
    check(fq_pool_start(threads, &err));
    const struct fq_ppl_config config = {.model = argv[1],
                                         .corpus = argv[2],
                                         .context = strtoul(argv[3], NULL, 10),
                                         .chunks = strtoul(argv[4], NULL, 10),
                                         .threads = threads};
    struct fq_ppl_reference *ref = NULL;
    check(fq_ppl_reference_open(&config, &ref, &err));
    const struct fq_ppl_info *info = fq_ppl_reference_info(ref);
    printf("{\"key\": \"-\", \"value\": \"-\", \"query\": \"-\", \"perplexity\": %.9f, \"nats\": [", info->perplexity);
    for (size_t i = 0; i < info->chunks; i++)
        printf("%s%.9f", i ? ", " : "", info->chunk_nll[i] / (double)info->scored);
    printf("]}\n");
    fflush(stdout);
    for (int i = 6; i < argc; i += 3)
        run_arm(ref, argv + i);
    fq_ppl_reference_close(ref);
    return 0;
}
