/* The model interface of a build without libllama: each opening function says what is missing and what to do. */
#include "harness/data/model_internal.h"

#ifndef FQ_HAVE_LLAMA

#include <string.h>

static int absent(struct fq_error *err) {
    return fq_fail(err, FQ_USAGE, "this build has no libllama, so no model can be read; run `make setup`, then `make`");
}

bool fq_model_available(void) {
    return false;
}

int fq_model_open(const char *name_or_path, size_t context, unsigned threads, struct fq_model **out,
                  struct fq_error *err) {
    (void)name_or_path, (void)context, (void)threads;
    *out = NULL;
    return absent(err);
}

int fq_model_open_batch(const char *name_or_path, size_t context, size_t batch, unsigned threads, struct fq_model **out,
                        struct fq_error *err) {
    (void)batch;
    return fq_model_open(name_or_path, context, threads, out, err);
}

int fq_model_peek(const char *name_or_path, struct fq_model_info *out, struct fq_error *err) {
    (void)name_or_path;
    memset(out, 0, sizeof *out);
    return absent(err);
}

int fq_embeddings_open(const char *path, struct fq_embeddings **out, size_t *rows, size_t *dim, struct fq_error *err) {
    (void)path;
    *out = NULL;
    *rows = *dim = 0;
    return absent(err);
}

/* The rest needs a model or a table that was opened, which none can be here. */
void fq_model_close(struct fq_model *model) {
    (void)model;
}

const struct fq_model_info *fq_model_info(const struct fq_model *model) {
    (void)model;
    return NULL;
}

const char *fq_model_attention_obstacle(const struct fq_model *model) {
    (void)model;
    return "this build has no libllama";
}

size_t fq_model_batch(const struct fq_model *model) {
    (void)model;
    return 0;
}

int fq_model_tokenize(struct fq_model *model, const char *text, size_t bytes, bool add_special, int32_t **tokens,
                      size_t *n, struct fq_error *err) {
    (void)model, (void)text, (void)bytes, (void)add_special;
    *tokens = NULL;
    *n = 0;
    return absent(err);
}

int fq_model_eval(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook, void *arg,
                  size_t logits_from, float *logits, struct fq_error *err) {
    (void)model, (void)tokens, (void)n, (void)hook, (void)arg, (void)logits_from, (void)logits;
    return absent(err);
}

int fq_model_eval_attention(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook,
                            fq_model_attention_hook *attention, void *arg, size_t logits_from, float *logits,
                            struct fq_error *err) {
    (void)model, (void)tokens, (void)n, (void)hook, (void)attention, (void)arg, (void)logits_from, (void)logits;
    return absent(err);
}

int fq_model_eval_rows(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook,
                       fq_model_attention_hook *attention, void *arg, size_t from, size_t to, fq_model_logits *logits,
                       void *logits_arg, struct fq_error *err) {
    (void)model, (void)tokens, (void)n, (void)hook, (void)attention, (void)arg, (void)from, (void)to, (void)logits;
    (void)logits_arg;
    return absent(err);
}

int fq_model_eval_more(struct fq_model *model, const int32_t *tokens, size_t n, fq_model_hook *hook,
                       fq_model_attention_hook *attention, void *arg, size_t from, size_t to, fq_model_logits *logits,
                       void *logits_arg, struct fq_error *err) {
    return fq_model_eval_rows(model, tokens, n, hook, attention, arg, from, to, logits, logits_arg, err);
}

int fq_model_key_bias(struct fq_model *model, size_t n, float *out, struct fq_error *err) {
    (void)model, (void)n, (void)out;
    return absent(err);
}

int fq_model_key_bias_weights(struct fq_model *model, float *out, struct fq_error *err) {
    (void)model, (void)out;
    return absent(err);
}

int32_t fq_model_bos(const struct fq_model *model) {
    (void)model;
    return -1;
}

void fq_model_times(struct fq_model *model, uint64_t *hook_ns, uint64_t *eval_ns) {
    (void)model;
    *hook_ns = *eval_ns = 0;
}

int fq_embeddings_rows(struct fq_embeddings *e, size_t first, size_t n, float *out, struct fq_error *err) {
    (void)e, (void)first, (void)n, (void)out;
    return absent(err);
}

void fq_embeddings_close(struct fq_embeddings *e) {
    (void)e;
}

#endif
