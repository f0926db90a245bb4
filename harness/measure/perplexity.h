/* Perplexity of a language model whose KV cache holds what a codec decodes, against the same model at full precision.
 *
 * The text is cut and scored exactly as llama.cpp's own perplexity tool does it: the whole text is tokenized with its
 * special tokens, cut into windows of `context`, the first token of each window is replaced by BOS if the model adds
 * one, and positions context/2 .. context-2 of each window are scored against their next token. The full-precision pass
 * is evaluated once and its logits are kept, so that every arm pairs with it token by token.
 *
 * Decoded keys and values are written over the originals before the cache stores them, prompt tokens included. For
 * every estimator that is linear in a float query this equals scoring from the codes. Methods without a decode stage
 * cannot be measured here. */
#ifndef FQ_MEASURE_PERPLEXITY_H
#define FQ_MEASURE_PERPLEXITY_H

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "harness/data/model.h"
#include "harness/measure/centre.h"
#include "harness/measure/codec.h"
#include "harness/measure/series.h"

#include <stddef.h>
#include <stdint.h>

/* Called after each window (done of total windows); may be NULL. */
typedef void fq_ppl_progress(void *arg, size_t done, size_t total);

struct fq_ppl_config {
    const char *model;  /* a name from the manifest, or a GGUF file */
    const char *corpus; /* a name from the manifest, or a text file */
    size_t context;     /* tokens per window, >= 4 */
    size_t chunks;      /* windows, >= 1; a corpus too short for them is FQ_USAGE */
    unsigned threads;   /* of libllama */
    fq_ppl_progress *progress;
    void *progress_arg;
};

struct fq_ppl_info {
    const struct fq_model_info *model; /* lives as long as the reference; model->dim is the codec's dim */
    char corpus_sha256[FQ_SHA256_HEX];
    size_t context, chunks;
    size_t scored;           /* tokens scored per chunk: context - 1 - context / 2 */
    const double *chunk_nll; /* [chunks], sum over the scored tokens, nats */
    double perplexity;       /* exp(sum of chunk_nll / (chunks scored)) */
    uint64_t eval_ns;        /* of the full-precision pass, when it was made */
    size_t evaluated;        /* windows that were evaluated now; the others were found in the store */
    const char *logits_folder;
    double rounding_kl, rounding_kl_max; /* KL(float32 || what is kept in 16 bits): mean and largest of the tokens */
};

enum { FQ_PPL_BINS = 8 }; /* of positions in the scored half of a window */

/* Opens model and corpus and makes the full-precision pass, or finds it: its logits are kept on disk in 16 bits, one
 * file per window (ppl_logits.h, docs/formats.md), and read back window by window. Perplexities come from float32. */
struct fq_ppl_reference;
int fq_ppl_reference_open(const struct fq_ppl_config *config, struct fq_ppl_reference **out, struct fq_error *err);
void fq_ppl_reference_close(struct fq_ppl_reference *ref); /* NULL is fine */
const struct fq_ppl_info *fq_ppl_reference_info(const struct fq_ppl_reference *ref);

/* Whoever stands between the model and its KV cache while the measured windows run. */
struct fq_ppl_agent {
    fq_model_hook *tensors;             /* NULL, without attention too: the full-precision pass once more */
    fq_model_attention_hook *attention; /* NULL: the model attends to what the cache holds */
    int (*window)(void *arg, size_t chunk, struct fq_error *err); /* a new window begins, its cache is empty; or NULL */
    void *arg;
    /* An agent whose windows do not know of each other may be resumed: after each window `save` writes state_bytes of
     * what that window added to its counts, and `restore` adds them again instead of running it. NULL: it is not. */
    size_t state_bytes;
    void (*save)(void *arg, void *state);
    void (*restore)(void *arg, size_t chunk, const void *state);
    const char *tensor; /* what is touched: "key", "value" or "kv" */
    /* The window that has just begun (`window`) has a prompt of so many tokens, which nobody scores; an agent is told
     * only where that is not half of the context. NULL: it does not care. */
    void (*prompt)(void *arg, size_t tokens);
    /* Takes what the window that has just ended added off its counts: bytes and reads are those of the measured
     * windows. NULL: it counts nothing. */
    void (*forget)(void *arg);
};

/* Runs the measured windows once with this agent and scores them against the full-precision pass. Adds to `out`
 * (tensor: the agent's):
 *   perplexity      per chunk, nats per token, weight = tokens; statistics "exp_mean": the perplexity itself
 *   delta_log_ppl   per chunk, this arm minus full precision, nats per token; statistics "mean"
 *   kl              per token, KL(full precision || this arm), nats, of logits in 16 bits on both sides; statistics
 *                   "mean,median,q99,q999,max"
 *   top1_agreement  per token, 1 if both name the same most likely token; statistics "mean"
 *   kl_binI, delta_log_ppl_binI, position_binI   the same by FQ_PPL_BINS bins of positions, one mean per chunk; the
 *                   middle of the bin in tokens from the start of the window
 * label_a is the chunk, label_b the scored token inside it (0 for per-chunk series); after an error the list may hold
 * part of the series. */
int fq_ppl_run(struct fq_ppl_reference *ref, const struct fq_ppl_agent *agent, fq_ppl_progress *progress,
               void *progress_arg, struct fq_series_list *out, double *perplexity, struct fq_error *err);
/* Keeps each finished window of the following runs in this file and begins with those that are there, the last window
 * apart, which always runs. identity: what else the run depends on. The caller removes the file when the run's result
 * is safe. NULL: nothing is kept. fq_ppl_resumed: how many windows of the last run were found. */
void fq_ppl_keep(struct fq_ppl_reference *ref, const char *path, const char *identity);
size_t fq_ppl_resumed(const struct fq_ppl_reference *ref);

/* The noise floor: full precision once more, with half the threads (two instead of one) and graphs of 3/8 of the
 * tokens, scored as an arm is. Smaller differences say nothing of a cache. The model is closed and opened again around
 * it. */
int fq_ppl_noise_floor(struct fq_ppl_reference *ref, const char *tensor, fq_ppl_progress *progress, void *progress_arg,
                       struct fq_series_list *out, double *perplexity, struct fq_error *err);
/* The same with half of all coordinates of keys and values moved up by one unit in the last place of float32. */
int fq_ppl_last_bits(struct fq_ppl_reference *ref, const char *tensor, fq_ppl_progress *progress, void *progress_arg,
                     struct fq_series_list *out, double *perplexity, struct fq_error *err);
unsigned fq_ppl_floor_threads(unsigned threads); /* what it takes where the reference has these */
size_t fq_ppl_floor_batch(size_t context);
/* Inside hooks, and in all of the evaluation, of the last run. */
void fq_ppl_times(const struct fq_ppl_reference *ref, uint64_t *hook_ns, uint64_t *eval_ns);
/* The reference's model, for an agent that must look at it before it runs (calibration, training). */
struct fq_model *fq_ppl_model(struct fq_ppl_reference *ref);

/* Greedy continuation of the first half of each measured window, FQ_PPL_GENERATED tokens or as many as fit, by full
 * precision (once) and with this agent. Adds, per chunk:
 *   generation_agreement   tokens until the two differ, at most all of them; statistics "mean,median"
 *   generation_same        1 if they never do; statistics "mean" */
enum { FQ_PPL_GENERATED = 64 };
size_t fq_ppl_generated(const struct fq_ppl_reference *ref);
int fq_ppl_generate(struct fq_ppl_reference *ref, const struct fq_ppl_agent *agent, struct fq_series_list *out,
                    struct fq_error *err);
/* Whether the codec arms and the noise floor that follow do so too. What they encode there is not in their bytes: a
 * token that comes alone fills no group, so a codec of groups keeps generated tokens as its float16 tail. */
void fq_ppl_want_generation(struct fq_ppl_reference *ref, bool wanted);

/* Sentences planted in the text and asked for at the end of it (docs/methodology.md, haystack.h): with this agent, by
 * full precision (once), and by full precision without the sentences (once). One window of `agent` per prompt. Adds,
 * one sample per needle, label_a its number and label_b 5 context + depth:
 *   needle_text_recall      1 if every token of the answer is the most likely one; needles that full precision recalls
 *   needle_text_recall_all  the same of all needles
 *   needle_text_delta_nll   -log p of the answer's tokens, this agent minus full precision, nats per token; all needles
 *   needle_text_rank        place of the answer's first token among all words, 1 is first; all needles; "median,max"
 *   needle_text_full        1 if full precision recalls it
 *   needle_text_control     1 if full precision recalls it although it was not planted
 *   needle_text_recall and needle_text_delta_nll with _contextI (a quarter, half, all of the context), _depthJ (0, 1/4,
 *   1/2, 3/4, 1 of the filler) and _contextI_depthJ behind them
 * A series without a needle is left out. FQ_USAGE: no room for a single needle in the context. */
int fq_ppl_needle_text(struct fq_ppl_reference *ref, const struct fq_ppl_agent *agent, struct fq_series_list *out,
                       struct fq_error *err);
/* Whether the codec arms and the noise floor that follow do so too. */
void fq_ppl_want_needle_text(struct fq_ppl_reference *ref, bool wanted);
/* In words, how many needles in how many prompts there are; "" until an arm wanted them. */
void fq_ppl_needle_text_prompts(const struct fq_ppl_reference *ref, char *out, size_t size);

struct fq_ppl_arm_result {
    double perplexity;
    uint64_t hook_ns, eval_ns;  /* inside our callback; the whole evaluation, hooks included */
    struct fq_bytes key, value; /* of this arm alone; zero where the tensor stayed at full precision */
    double rate_bits;           /* 8 (record + tail) / coordinates, over the quantized tensors; 0 if none */
};

/* One arm: key and value are opened by the caller with shape {model->dim, FQ_KEY} and {model->dim, FQ_VALUE}; NULL
 * leaves that tensor at full precision. Each layer's and KV head's rows of a window are one encode.
 *
 * Adds what fq_ppl_run adds (tensor: "key" or "value" when that one alone is quantized, else "kv"), and the errors of
 * ppl_loop.h. Errors of a codec
 * name layer, head and tensor. libllama's threads live, asleep, until the reference is closed: close it before threads
 * are counted in a timed region. */
int fq_ppl_arm(struct fq_ppl_reference *ref, struct fq_codec *key, struct fq_codec *value, fq_ppl_progress *progress,
               void *progress_arg, struct fq_series_list *out, struct fq_ppl_arm_result *result, struct fq_error *err);

/* The same with keys centred (centre.h): what is taken off a key before it is encoded is put back after it is decoded.
 * The first arm with a calibrated mean evaluates up to four windows behind the measured ones, the first with rope-bias
 * one window of biases alone; both are kept with the reference. */
int fq_ppl_arm_centred(struct fq_ppl_reference *ref, enum fq_centre_kind centre, struct fq_codec *key,
                       struct fq_codec *value, fq_ppl_progress *progress, void *progress_arg,
                       struct fq_series_list *out, struct fq_ppl_arm_result *result, struct fq_error *err);
/* That centre for an agent of another kind; the reference keeps it. FQ_CENTRE_NONE gives NULL. */
int fq_ppl_centre(struct fq_ppl_reference *ref, enum fq_centre_kind kind, struct fq_centre **out, struct fq_error *err);
/* Training for two codecs (by enum fq_hook_tensor, NULL: none), as an arm's codecs get it; keys teach without `centre`,
 * which may be NULL. See ppl_training.h for putting the states. */
struct fq_ppl_training;
int fq_ppl_train(struct fq_ppl_reference *ref, struct fq_codec *const codec[2], struct fq_centre *centre,
                 struct fq_ppl_training **out, struct fq_error *err);
/* In words, at which queries attention errors were measured, or why not, for the fact loop_attention. */
void fq_ppl_attention_source(const struct fq_ppl_reference *ref, char *out, size_t size);
/* In words, where that centre comes from, for the fact centre_source. */
void fq_ppl_centre_source(const struct fq_ppl_reference *ref, enum fq_centre_kind kind, char *out, size_t size);

#endif
