/* Writes language models of a few kilobytes as GGUF files, with random float32 weights that the test also keeps, so
 * that keys, values and queries of layer 0 can be computed apart from libllama. Three layouts: separate projections
 * with interleaved RoPE, the same with biases and RoPE in halves, and one fused projection without RoPE. */
#ifndef FQ_TESTS_TINY_MODEL_H
#define FQ_TESTS_TINY_MODEL_H

#include "harness/base/random.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TINY_LAYERS = 2, TINY_HEADS = 4, TINY_KV = 2, TINY_DIM = 8, TINY_WIDTH = TINY_HEADS * TINY_DIM };
enum { TINY_TAPS = 3, TINY_FF = 48, TINY_WORDS = 50, TINY_CONTEXT = 4096, TINY_MAX_TENSORS = 64 };
enum { TINY_Q = TINY_WIDTH, TINY_K = TINY_KV * TINY_DIM, TINY_QKV = TINY_Q + 2 * TINY_K };

enum tiny_kind { TINY_LLAMA, TINY_QWEN2, TINY_GPT2, TINY_LFM2 };

struct tiny_tensor {
    char name[48];
    size_t columns, rows; /* rows 0: a vector */
    float *data;
};

struct tiny_model {
    enum tiny_kind kind;
    struct tiny_tensor tensor[TINY_MAX_TENSORS];
    size_t n;
    uint64_t drawn;
    uint32_t kv_heads[TINY_LAYERS]; /* written per layer if they differ */
    bool reads_text;                /* a token for each letter and the space; else the file holds no words */
    FILE *file;
};

static inline void tiny_add(struct tiny_model *m, const char *name, size_t columns, size_t rows, double scale,
                            double mean) {
    struct tiny_tensor *t = &m->tensor[m->n++];
    size_t n = columns * (rows ? rows : 1);
    double *draws = malloc(n * sizeof *draws);
    t->data = malloc(n * sizeof *t->data);
    if (!draws || !t->data || m->n > TINY_MAX_TENSORS)
        abort();
    (void)snprintf(t->name, sizeof t->name, "%s", name);
    t->columns = columns;
    t->rows = rows;
    fq_random_gaussian(fq_stream_key("tiny model", 7), 2 * m->drawn, n, draws);
    m->drawn += n;
    for (size_t i = 0; i < n; i++)
        t->data[i] = (float)(mean + scale * draws[i]);
    free(draws);
}

static inline void tiny_add_layer(struct tiny_model *m, int layer, const char *name, size_t columns, size_t rows,
                                  double scale, double mean) {
    char full[48];
    (void)snprintf(full, sizeof full, "blk.%d.%s", layer, name);
    tiny_add(m, full, columns, rows, scale, mean);
}

static inline void tiny_build(struct tiny_model *m, enum tiny_kind kind) {
    memset(m, 0, sizeof *m);
    m->kind = kind;
    bool gpt = kind == TINY_GPT2;
    tiny_add(m, "token_embd.weight", TINY_WIDTH, TINY_WORDS, 1.0, 0.0);
    tiny_add(m, kind == TINY_LFM2 ? "token_embd_norm.weight" : "output_norm.weight", TINY_WIDTH, 0, 0.1, 1.0);
    if (gpt) {
        tiny_add(m, "position_embd.weight", TINY_WIDTH, TINY_CONTEXT, 0.3, 0.0);
        tiny_add(m, "output_norm.bias", TINY_WIDTH, 0, 0.1, 0.0);
    }
    for (int l = 0; l < TINY_LAYERS; l++) {
        const bool convolves = kind == TINY_LFM2 && l == 0;
        m->kv_heads[l] = convolves ? 0 : TINY_KV;
        tiny_add_layer(m, l, "attn_norm.weight", TINY_WIDTH, 0, 0.1, 1.0);
        tiny_add_layer(m, l, "ffn_norm.weight", TINY_WIDTH, 0, 0.1, 1.0);
        if (!convolves)
            tiny_add_layer(m, l, "attn_output.weight", TINY_WIDTH, TINY_WIDTH, 0.2, 0.0);
        tiny_add_layer(m, l, "ffn_up.weight", TINY_WIDTH, TINY_FF, 0.2, 0.0);
        tiny_add_layer(m, l, "ffn_down.weight", TINY_FF, TINY_WIDTH, 0.2, 0.0);
        if (gpt) {
            tiny_add_layer(m, l, "attn_qkv.weight", TINY_WIDTH, TINY_QKV, 0.3, 0.0);
            tiny_add_layer(m, l, "attn_qkv.bias", TINY_QKV, 0, 0.5, 0.0);
            tiny_add_layer(m, l, "attn_norm.bias", TINY_WIDTH, 0, 0.1, 0.0);
            tiny_add_layer(m, l, "ffn_norm.bias", TINY_WIDTH, 0, 0.1, 0.0);
            tiny_add_layer(m, l, "attn_output.bias", TINY_WIDTH, 0, 0.1, 0.0);
            tiny_add_layer(m, l, "ffn_up.bias", TINY_FF, 0, 0.1, 0.0);
            tiny_add_layer(m, l, "ffn_down.bias", TINY_WIDTH, 0, 0.1, 0.0);
            continue;
        }
        tiny_add_layer(m, l, "ffn_gate.weight", TINY_WIDTH, TINY_FF, 0.2, 0.0);
        if (convolves) {
            tiny_add_layer(m, l, "shortconv.conv.weight", TINY_TAPS, TINY_WIDTH, 0.5, 0.0);
            tiny_add_layer(m, l, "shortconv.in_proj.weight", TINY_WIDTH, (size_t)3 * TINY_WIDTH, 0.3, 0.0);
            tiny_add_layer(m, l, "shortconv.out_proj.weight", TINY_WIDTH, TINY_WIDTH, 0.3, 0.0);
            continue;
        }
        if (kind == TINY_LFM2) {
            tiny_add_layer(m, l, "attn_q_norm.weight", TINY_DIM, 0, 0.1, 1.0);
            tiny_add_layer(m, l, "attn_k_norm.weight", TINY_DIM, 0, 0.1, 1.0);
        }
        tiny_add_layer(m, l, "attn_q.weight", TINY_WIDTH, TINY_Q, 0.3, 0.0);
        tiny_add_layer(m, l, "attn_k.weight", TINY_WIDTH, TINY_K, 0.3, 0.0);
        tiny_add_layer(m, l, "attn_v.weight", TINY_WIDTH, TINY_K, 0.3, 0.0);
        if (kind == TINY_QWEN2) {
            tiny_add_layer(m, l, "attn_q.bias", TINY_Q, 0, 0.5, 0.0);
            tiny_add_layer(m, l, "attn_k.bias", TINY_K, 0, 3.0, 0.0);
            tiny_add_layer(m, l, "attn_v.bias", TINY_K, 0, 0.5, 0.0);
        }
    }
}

static inline void tiny_free(struct tiny_model *m) {
    for (size_t i = 0; i < m->n; i++)
        free(m->tensor[i].data);
}

static inline const float *tiny_get(const struct tiny_model *m, const char *name) {
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->tensor[i].name, name) == 0)
            return m->tensor[i].data;
    return NULL;
}

/* ---- the file ---- */

static inline void tiny_u32(struct tiny_model *m, uint32_t v) {
    (void)fwrite(&v, sizeof v, 1, m->file);
}

static inline void tiny_u64(struct tiny_model *m, uint64_t v) {
    (void)fwrite(&v, sizeof v, 1, m->file);
}

static inline void tiny_text(struct tiny_model *m, const char *text) {
    tiny_u64(m, strlen(text));
    (void)fwrite(text, 1, strlen(text), m->file);
}

static inline void tiny_count(struct tiny_model *m, const char *key, uint32_t v) {
    tiny_text(m, key);
    tiny_u32(m, 4);
    tiny_u32(m, v);
}

/* Letters, the space and the newline as byte-level BPE writes them, and words that no text has. */
static inline void tiny_words(struct tiny_model *m) {
    tiny_text(m, "tokenizer.ggml.model");
    tiny_u32(m, 8);
    tiny_text(m, "gpt2");
    tiny_text(m, "tokenizer.ggml.pre");
    tiny_u32(m, 8);
    tiny_text(m, "gpt-2");
    tiny_text(m, "tokenizer.ggml.tokens");
    tiny_u32(m, 9);
    tiny_u32(m, 8);
    tiny_u64(m, TINY_WORDS);
    for (int i = 0; i < TINY_WORDS; i++) {
        char word[16];
        (void)snprintf(word, sizeof word, i < 26 ? "%c" : "<%d>", i < 26 ? 'a' + i : i);
        tiny_text(m, i == 26 ? "\xC4\xA0" : i == 27 ? "\xC4\x8A" : word);
    }
    tiny_text(m, "tokenizer.ggml.merges");
    tiny_u32(m, 9);
    tiny_u32(m, 8);
    tiny_u64(m, 1);
    tiny_text(m, "<48> <49>");
    tiny_count(m, "tokenizer.ggml.bos_token_id", TINY_WORDS - 1);
    tiny_count(m, "tokenizer.ggml.eos_token_id", TINY_WORDS - 1);
}

static inline const char *tiny_architecture(const struct tiny_model *m) {
    static const char *const names[] = {"llama", "qwen2", "gpt2", "lfm2"};
    return names[m->kind];
}

static inline void tiny_arch_count(struct tiny_model *m, const char *key, uint32_t v) {
    char full[64];
    (void)snprintf(full, sizeof full, "%s.%s", tiny_architecture(m), key);
    tiny_count(m, full, v);
}

/* One number if all layers have as many, else one for each. */
static inline void tiny_kv_heads(struct tiny_model *m) {
    if (m->kv_heads[0] == m->kv_heads[1] && m->kv_heads[0] != 0) {
        tiny_arch_count(m, "attention.head_count_kv", m->kv_heads[0]);
        return;
    }
    char full[64];
    (void)snprintf(full, sizeof full, "%s.attention.head_count_kv", tiny_architecture(m));
    tiny_text(m, full);
    tiny_u32(m, 9);
    tiny_u32(m, 4);
    tiny_u64(m, TINY_LAYERS);
    for (int l = 0; l < TINY_LAYERS; l++)
        tiny_u32(m, m->kv_heads[l]);
}

/* value_length 0: not written. */
static inline void tiny_write(struct tiny_model *m, const char *path, uint32_t value_length) {
    m->file = fopen(path, "wb");
    if (!m->file)
        abort();
    (void)fwrite("GGUF", 1, 4, m->file);
    tiny_u32(m, 3);
    tiny_u64(m, m->n);
    tiny_u64(m, (value_length ? 11U : 10U) + (m->reads_text ? 5U : 0U) + (m->kind == TINY_LFM2 ? 1U : 0U));
    tiny_text(m, "general.architecture");
    tiny_u32(m, 8);
    tiny_text(m, tiny_architecture(m));
    if (m->reads_text) {
        tiny_words(m);
    } else {
        tiny_text(m, "tokenizer.ggml.model");
        tiny_u32(m, 8);
        tiny_text(m, "no_vocab");
    }
    tiny_arch_count(m, "block_count", TINY_LAYERS);
    tiny_arch_count(m, "context_length", TINY_CONTEXT);
    tiny_arch_count(m, "embedding_length", TINY_WIDTH);
    tiny_arch_count(m, "feed_forward_length", TINY_FF);
    tiny_arch_count(m, "attention.head_count", TINY_HEADS);
    tiny_kv_heads(m);
    if (m->kind == TINY_LFM2)
        tiny_arch_count(m, "shortconv.l_cache", TINY_TAPS);
    tiny_arch_count(m, "vocab_size", TINY_WORDS);
    if (value_length)
        tiny_arch_count(m, "attention.value_length", value_length);
    char key[64];
    (void)snprintf(key, sizeof key, "%s.attention.layer_norm_%sepsilon", tiny_architecture(m),
                   m->kind == TINY_GPT2 ? "" : "rms_");
    float epsilon = 1e-5F;
    tiny_text(m, key);
    tiny_u32(m, 6);
    (void)fwrite(&epsilon, sizeof epsilon, 1, m->file);

    uint64_t offset = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct tiny_tensor *t = &m->tensor[i];
        tiny_text(m, t->name);
        tiny_u32(m, t->rows ? 2 : 1);
        tiny_u64(m, t->columns);
        if (t->rows)
            tiny_u64(m, t->rows);
        tiny_u32(m, 0);
        tiny_u64(m, offset);
        offset += (t->columns * (t->rows ? t->rows : 1) * sizeof(float) + 31) / 32 * 32;
    }
    static const char zeros[32];
    (void)fwrite(zeros, 1, (size_t)(-ftell(m->file) & 31), m->file);
    for (size_t i = 0; i < m->n; i++) {
        const struct tiny_tensor *t = &m->tensor[i];
        size_t n = t->columns * (t->rows ? t->rows : 1);
        (void)fwrite(t->data, sizeof *t->data, n, m->file);
        (void)fwrite(zeros, 1, (size_t)(-ftell(m->file) & 31), m->file);
    }
    if (fclose(m->file) != 0)
        abort();
}

/* ---- layer 0 by the book, in double ---- */

static inline void tiny_normed(const struct tiny_model *m, int token, size_t position, double *out) {
    const float *embedding = tiny_get(m, "token_embd.weight") + (size_t)token * TINY_WIDTH;
    const float *w = tiny_get(m, "blk.0.attn_norm.weight"), *b = tiny_get(m, "blk.0.attn_norm.bias");
    const float *where = tiny_get(m, "position_embd.weight");
    double mean = 0.0, square = 0.0;
    for (size_t i = 0; i < TINY_WIDTH; i++) {
        out[i] = (double)embedding[i] + (where ? (double)where[position * TINY_WIDTH + i] : 0.0);
        mean += out[i] / TINY_WIDTH;
    }
    if (m->kind != TINY_GPT2)
        mean = 0.0;
    for (size_t i = 0; i < TINY_WIDTH; i++)
        square += (out[i] - mean) * (out[i] - mean) / TINY_WIDTH;
    for (size_t i = 0; i < TINY_WIDTH; i++)
        out[i] = (out[i] - mean) / sqrt(square + 1e-5) * (double)w[i] + (b ? (double)b[i] : 0.0);
}

static inline void tiny_rope(const struct tiny_model *m, size_t position, double *head) {
    for (size_t i = 0; i < TINY_DIM / 2; i++) {
        size_t a = m->kind == TINY_LLAMA ? 2 * i : i, b = m->kind == TINY_LLAMA ? 2 * i + 1 : i + TINY_DIM / 2;
        double angle = (double)position * pow(10000.0, -2.0 * (double)i / TINY_DIM);
        double x = head[a], y = head[b];
        head[a] = x * cos(angle) - y * sin(angle);
        head[b] = x * sin(angle) + y * cos(angle);
    }
}

/* which: 'k', 'v' or 'q'; out[heads of that tensor][TINY_DIM]. */
static inline void tiny_project(const struct tiny_model *m, char which, int token, size_t position, double *out) {
    double x[TINY_WIDTH];
    tiny_normed(m, token, position, x);
    char weight[32], bias[32];
    (void)snprintf(weight, sizeof weight, "blk.0.attn_%c.weight", which);
    (void)snprintf(bias, sizeof bias, "blk.0.attn_%c.bias", which);
    bool fused = m->kind == TINY_GPT2;
    size_t rows = which == 'q' ? TINY_Q : TINY_K;
    size_t first = !fused || which == 'q' ? 0 : (which == 'k' ? TINY_Q : TINY_Q + TINY_K);
    const float *w = tiny_get(m, fused ? "blk.0.attn_qkv.weight" : weight) + first * TINY_WIDTH;
    const float *b = tiny_get(m, fused ? "blk.0.attn_qkv.bias" : bias);
    for (size_t r = 0; r < rows; r++) {
        out[r] = b ? (double)b[first + r] : 0.0;
        for (size_t i = 0; i < TINY_WIDTH; i++)
            out[r] += (double)w[r * TINY_WIDTH + i] * x[i];
    }
    if (!fused && which != 'v')
        for (size_t h = 0; h < rows / TINY_DIM; h++)
            tiny_rope(m, position, out + h * TINY_DIM);
}

#endif
