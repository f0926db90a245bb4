/* What is refused before a graph is built: models of another kind than a decoder with a cache, and contexts that do not
 * fit into memory. libllama aborts on some of the former and the system kills on the latter, and neither is a sentence.
 * Kinds that only the graph can tell are model_hooks.c's affair. Must not open anything of a model. */
#include "harness/data/model_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int fq_model_fits(const struct fq_model_info *info, uint64_t weight_bytes, size_t context, size_t batch,
                  uint64_t available, struct fq_error *err) {
    const uint64_t number = sizeof(float);
    const uint64_t cache = 2 * number * info->layers * info->kv_heads * info->dim * context;
    const uint64_t scores = 2 * number * info->heads * batch * context;      /* before and after the softmax */
    const uint64_t logits = 2 * number * (uint64_t)batch * info->vocabulary; /* in the graph, and handed on */
    const uint64_t needed = weight_bytes + cache + scores + logits;
    if (needed <= available)
        return 0;
    return fq_fail(err, FQ_USAGE,
                   "%s: a context of %zu tokens needs about %" PRIu64 " MiB (weights %" PRIu64
                   ", a float32 cache of %zu "
                   "layers %" PRIu64 ", scores and logits of one graph %" PRIu64 "), and %" PRIu64
                   " MiB of memory are free; take a shorter context or a smaller model",
                   info->name, context, needed >> 20, weight_bytes >> 20, info->layers, cache >> 20,
                   (scores + logits) >> 20, available >> 20);
}

/* A whole number from a small file of the system: the one after `key`, or the first. 0: absent, or no number. */
static uint64_t system_number(const char *path, const char *key) {
    FILE *f = fopen(path, "r");
    uint64_t found = 0;
    char line[256];
    while (f && found == 0 && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            (void)sscanf(line + strlen(key), "%" SCNu64, &found);
    if (f)
        (void)fclose(f);
    return found;
}

uint64_t fq_memory_available(void) {
    const uint64_t kib = system_number("/proc/meminfo", "MemAvailable:");
    const uint64_t limit = system_number("/sys/fs/cgroup/memory.max", "");
    uint64_t available = kib != 0 ? kib << 10 : UINT64_MAX; /* not readable: nothing is refused */
    if (limit != 0) {
        const uint64_t used = system_number("/sys/fs/cgroup/memory.current", "");
        const uint64_t left = limit > used ? limit - used : 0;
        available = left < available ? left : available;
    }
    return available;
}

#ifdef FQ_HAVE_LLAMA

int fq_model_supported(const struct llama_model *model, const struct fq_model_info *info, struct fq_error *err) {
    if (llama_model_has_encoder(model) || !llama_model_has_decoder(model))
        return fq_fail(
            err, FQ_USAGE,
            "%s: architecture '%s' has an encoder, whose layers from layer 0 on attend in both directions and "
            "keep no KV cache; only decoders are supported",
            info->name, info->architecture);
    if (llama_model_is_recurrent(model))
        return fq_fail(
            err, FQ_USAGE,
            "%s: architecture '%s' is recurrent: layer 0 and all others keep a state and no keys and values, "
            "so there is nothing to quantize",
            info->name, info->architecture);
    return 0;
}

#endif
