/* What a GGUF file says about a model without loading its weights: shape, vocabulary, biases. Metadata keys carry the
 * architecture as a prefix, so any architecture is read the same way. Must not load tensor data. */
#include "harness/data/model_internal.h"

#include "harness/data/manifest.h"

#ifdef FQ_HAVE_LLAMA

#include <gguf.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

int fq_gguf_check(const char *path, struct fq_error *err) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return fq_fail(err, FQ_USAGE, "%s: cannot be opened: %s", path, strerror(errno));
    unsigned char magic[4] = {0};
    size_t n = fread(magic, 1, sizeof magic, f);
    (void)fclose(f);
    if (n != sizeof magic || memcmp(magic, GGUF_MAGIC, sizeof magic) != 0)
        return fq_fail(
            err, FQ_USAGE,
            "%s: expected a GGUF model, which begins with 'GGUF', found %zu bytes %02x %02x %02x %02x; convert "
            "it with llama.cpp or name another file",
            path, n, magic[0], magic[1], magic[2], magic[3]);
    return 0;
}

int fq_model_locate(const char *name_or_path, struct fq_model_info *info, struct fq_error *err) {
    FQ_TRY(fq_manifest_resolve(name_or_path, "model", info->path, sizeof info->path, info->sha256, err));
    const char *base = strrchr(name_or_path, '/');
    (void)snprintf(info->name, sizeof info->name, "%s", base ? base + 1 : name_or_path);
    size_t n = strlen(info->name);
    if (n > 5 && strcmp(info->name + n - 5, ".gguf") == 0)
        info->name[n - 5] = '\0';
    return fq_gguf_check(info->path, err);
}

/* One whole number, or one per layer if all layers that have any agree; *without: layers that have none. Absent: *out
 * is left alone. */
static int read_layer_count(const struct gguf_context *g, const char *architecture, const char *key, const char *path,
                            size_t *out, size_t *without, struct fq_error *err) {
    *without = 0;
    char name[128];
    (void)snprintf(name, sizeof name, "%s.%s", architecture, key);
    int64_t id = gguf_find_key(g, name);
    if (id < 0)
        return 0;
    enum gguf_type type = gguf_get_kv_type(g, id);
    if (type == GGUF_TYPE_UINT32) {
        *out = gguf_get_val_u32(g, id);
        return 0;
    }
    if (type == GGUF_TYPE_INT32 && gguf_get_val_i32(g, id) >= 0) {
        *out = (size_t)gguf_get_val_i32(g, id);
        return 0;
    }
    if (type == GGUF_TYPE_UINT64) {
        *out = gguf_get_val_u64(g, id);
        return 0;
    }
    if (type != GGUF_TYPE_ARRAY ||
        (gguf_get_arr_type(g, id) != GGUF_TYPE_UINT32 && gguf_get_arr_type(g, id) != GGUF_TYPE_INT32))
        return fq_fail(err, FQ_USAGE, "%s: metadata '%s' is no whole number", path, name);
    const uint32_t *v = gguf_get_arr_data(g, id);
    size_t n = gguf_get_arr_n(g, id), first = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i] == 0) {
            ++*without;
            first += first == i;
        } else if (v[i] != v[first]) {
            return fq_fail(
                err, FQ_USAGE,
                "%s: '%s' is %u for layer %zu and %u for layer %zu; models whose layers differ in shape are not "
                "supported",
                path, name, v[first], first, v[i], i);
        }
    }
    if (n > 0)
        *out = first < n ? v[first] : 0;
    return 0;
}

static int read_count(const struct gguf_context *g, const char *architecture, const char *key, const char *path,
                      size_t *out, struct fq_error *err) {
    size_t without;
    return read_layer_count(g, architecture, key, path, out, &without, err);
}

static int read_shape(const struct gguf_context *g, const char *path, struct fq_model_info *info,
                      struct fq_error *err) {
    int64_t id = gguf_find_key(g, "general.architecture");
    if (id < 0 || gguf_get_kv_type(g, id) != GGUF_TYPE_STRING)
        return fq_fail(err, FQ_USAGE, "%s: no 'general.architecture' in its metadata, so it holds no language model",
                       path);
    (void)snprintf(info->architecture, sizeof info->architecture, "%s", gguf_get_val_str(g, id));
    const char *a = info->architecture;
    size_t width = 0;
    FQ_TRY(read_count(g, a, "block_count", path, &info->layers, err));
    FQ_TRY(read_count(g, a, "attention.head_count", path, &info->heads, err));
    FQ_TRY(read_count(g, a, "embedding_length", path, &width, err));
    FQ_TRY(read_count(g, a, "context_length", path, &info->train_context, err));
    info->kv_heads = info->heads;
    FQ_TRY(read_layer_count(g, a, "attention.head_count_kv", path, &info->kv_heads, &info->layers_without_cache, err));
    if (info->layers_without_cache > 0 && info->layers_without_cache >= info->layers)
        return fq_fail(
            err, FQ_USAGE,
            "%s: '%s.attention.head_count_kv' is 0 for layer 0 and for all %zu layers: none has a KV cache, so "
            "there is nothing to quantize",
            path, a, info->layers);
    info->layers -= info->layers_without_cache;
    info->dim = info->heads ? width / info->heads : 0;
    FQ_TRY(read_count(g, a, "attention.key_length", path, &info->dim, err));
    size_t value_dim = info->dim; /* checked here, because llama.cpp aborts on what its graph does not expect */
    FQ_TRY(read_count(g, a, "attention.value_length", path, &value_dim, err));
    if (value_dim != info->dim)
        return fq_fail(err, FQ_USAGE, "%s: keys have %zu elements and values %zu; only equal lengths are supported",
                       path, info->dim, value_dim);
    FQ_TRY(read_count(g, a, "vocab_size", path, &info->vocabulary, err));
    id = gguf_find_key(g, "tokenizer.ggml.tokens");
    if (id >= 0 && gguf_get_kv_type(g, id) == GGUF_TYPE_ARRAY)
        info->vocabulary = gguf_get_arr_n(g, id);
    id = gguf_find_key(g, "tokenizer.ggml.add_bos_token");
    info->add_bos = id >= 0 && gguf_get_kv_type(g, id) == GGUF_TYPE_BOOL && gguf_get_val_bool(g, id);
    info->key_bias = gguf_find_tensor(g, "blk.0.attn_k.bias") >= 0 || gguf_find_tensor(g, "blk.0.attn_qkv.bias") >= 0;
    if (!info->layers || !info->heads || !info->kv_heads || !info->dim || !info->train_context)
        return fq_fail(err, FQ_USAGE,
                       "%s: architecture '%s' gives %zu layers, %zu heads, %zu KV heads of %zu elements, context %zu; "
                       "expected a transformer with attention, all of them at least 1",
                       path, a, info->layers, info->heads, info->kv_heads, info->dim, info->train_context);
    return 0;
}

int fq_gguf_shape(const char *path, struct fq_model_info *info, struct fq_error *err) {
    fq_llama_start();
    struct gguf_init_params p = {.no_alloc = true, .ctx = NULL};
    struct gguf_context *g = gguf_init_from_file(path, p);
    if (!g) {
        char why[256];
        fq_llama_complaint(why, sizeof why);
        return fq_fail(err, FQ_USAGE, "%s: the GGUF metadata cannot be read (%s); the file is damaged or incomplete",
                       path, why);
    }
    int code = read_shape(g, path, info, err);
    gguf_free(g);
    return code;
}

int fq_model_peek(const char *name_or_path, struct fq_model_info *out, struct fq_error *err) {
    memset(out, 0, sizeof *out);
    FQ_TRY(fq_model_locate(name_or_path, out, err));
    return fq_gguf_shape(out->path, out, err);
}

#endif
