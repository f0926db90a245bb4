/* What the files of the model share: the model itself and the hook sites learned from its graph. Only for
 * harness/data/model*.c and gguf*.c, which alone are compiled against libllama. */
#ifndef FQ_DATA_MODEL_INTERNAL_H
#define FQ_DATA_MODEL_INTERNAL_H

#include "harness/data/model.h"

#ifdef FQ_HAVE_LLAMA

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>
#include <llama.h>

#include <pthread.h>

/* One tensor of one layer that a hook sees: the computed node that the cache write or the score product reads, found
 * again in each graph by name, operation and how often that pair came before. */
struct fq_site {
    enum fq_hook_tensor which;
    size_t layer; /* the graph's own number, for sentences */
    char name[GGML_MAX_NAME];
    enum ggml_op op;
    unsigned occurrence;                      /* 0 for the first node of that name and operation */
    size_t offset, token_stride, head_stride; /* bytes, within the node's data; elements of a head are contiguous */
    unsigned met;                             /* this graph: nodes of that name and operation so far */
    struct ggml_tensor *node;                 /* this graph: the node, once asked for */
    unsigned calls;                           /* this graph: hooks called, must end at 1 */
};

/* What the score products tell about a layer while the graph is learned. */
struct fq_layer_shape {
    size_t dim, value_dim, heads, kv_heads, cache_elements[2];
    bool attends;      /* has an attention of some kind */
    const float *bias; /* of the keys, in the weights; NULL if there is none, or not in plain float32 */
    size_t biases;     /* how many stand there side by side */
};

/* The attention of one layer in this graph: by enum fq_attention_stage the node, once asked for, and hooks called. */
struct fq_attention_site {
    struct ggml_tensor *node[3];
    unsigned calls[3];
};

struct fq_seen_node {
    const struct ggml_tensor *node;
};

#define FQ_NO_CACHE SIZE_MAX

struct fq_hooks {
    struct fq_site *site; /* [3 layers], index 3 layer + which; op GGML_OP_NONE until learned */
    struct fq_layer_shape *shape;
    struct fq_attention_site *attention_site; /* [layers] */
    struct fq_site *product; /* [layers]: what the key bias is added to; op GGML_OP_NONE if none is, or not linearly */
    size_t layers, dim, heads, kv_heads; /* layers: those with a cache, once learned */
    size_t graph_layers, *place;         /* [graph_layers]: which of those each is, or FQ_NO_CACHE */
    char attention_unread[160];          /* why attention cannot be computed again; "": it can */
    bool learning, failed;
    struct fq_error error;

    /* While learning: every computed node seen, to count occurrences. */
    struct fq_seen_node *seen;
    size_t n_seen, room_seen;
    size_t learn_tokens;

    /* While evaluating. */
    fq_model_hook *hook;
    fq_model_attention_hook *attention;
    void *arg;
    size_t first_position, n_tokens;
    float *copy; /* for tensors that are not dense; grown when needed */
    size_t copy_room;
    uint64_t ns;
    bool zero_products; /* the keys become what the bias alone makes of them */
};

struct fq_model {
    struct fq_model_info info;
    struct llama_model *model;
    struct llama_context *context;
    struct ggml_threadpool *pool;
    size_t window, batch; /* tokens per sequence, tokens per graph */
    size_t held;          /* tokens that the cache holds behind the last evaluation */
    struct fq_hooks hooks;
    uint64_t eval_ns;
};

int fq_hooks_init(struct fq_hooks *h, size_t layers, struct fq_error *err);
void fq_hooks_free(struct fq_hooks *h);
bool fq_hooks_callback(struct ggml_tensor *t, bool ask, void *arg); /* the cb_eval; arg is struct fq_hooks */
void fq_hooks_learn_begin(struct fq_hooks *h, size_t n_tokens);
int fq_hooks_learn_end(struct fq_hooks *h, struct fq_error *err);
void fq_hooks_graph_begin(struct fq_hooks *h, fq_model_hook *hook, void *arg, size_t first_position, size_t n_tokens);
int fq_hooks_graph_end(struct fq_hooks *h, struct fq_error *err);

/* The layer that a node's name ends with, among those with a cache (FQ_NO_CACHE: it has none); false: no number. */
bool fq_hooks_layer(const struct fq_hooks *h, const char *digits, size_t *layer);

/* model_attention.c. ask: is t a stage of a layer's attention that the hook wants? computed: calls it. Both leave
 * h->failed and h->error behind when the layout is not the expected one. */
/* learn: every node of the graph that is learned. learn_end: before layers without a cache are left out; keeps in
 * h->attention_unread why the attention of some layer cannot be computed again from what the views hold. */
void fq_attention_learn(struct fq_hooks *h, const struct ggml_tensor *t);
void fq_attention_learn_end(struct fq_hooks *h);
void fq_attention_graph_begin(struct fq_hooks *h, fq_model_attention_hook *attention);
bool fq_attention_ask(struct fq_hooks *h, struct ggml_tensor *t);
void fq_attention_computed(struct fq_hooks *h, struct ggml_tensor *t);
void fq_attention_graph_end(struct fq_hooks *h); /* fails if a stage was not hooked exactly once */

/* model_support.c: FQ_USAGE and why this kind of model cannot be measured. */
int fq_model_supported(const struct llama_model *model, const struct fq_model_info *info, struct fq_error *err);

/* Silences libllama and libggml; their first error since the last call of fq_llama_forget is kept for sentences. */
void fq_llama_start(void);
void fq_llama_forget(void);
void fq_llama_complaint(char *out, size_t size);

#endif

/* Is this file a GGUF? FQ_USAGE and what was found instead. */
int fq_gguf_check(const char *path, struct fq_error *err);
/* Fills everything of info that the metadata tells (not name, path, sha256, library). */
int fq_gguf_shape(const char *path, struct fq_model_info *info, struct fq_error *err);
/* Would a context of that many tokens fit, in graphs of `batch`? An estimate of the large parts; FQ_USAGE: no. */
int fq_model_fits(const struct fq_model_info *info, uint64_t weight_bytes, size_t context, size_t batch,
                  uint64_t available, struct fq_error *err);
uint64_t fq_memory_available(void); /* of the machine or this control group, bytes */
/* Where a model lies: path, sha256 and a short name. */
int fq_model_locate(const char *name_or_path, struct fq_model_info *info, struct fq_error *err);

#endif
