/* Perplexity and its pairs: the windows of a text through a model, once at full precision and once per arm with a codec
 * on the cache. Which positions count, and how, follows llama.cpp's perplexity tool; the arithmetic is in ppl_score.c.
 * Must not open codecs: which method runs is the caller's affair. */
#include "harness/base/file.h"
#include "harness/base/pool.h"
#include "harness/data/manifest.h"
#include "harness/measure/ppl_internal.h"
#include "harness/measure/ppl_score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- scoring a window ---- */

struct scoring {
    const struct fq_ppl_reference *ref;
    size_t chunk;
    const float *full; /* NULL: the full-precision pass itself */
    double *nll, *kl, *same;
};

static void score_tokens(void *arg, unsigned worker, size_t begin, size_t end) {
    (void)worker;
    const struct scoring *s = arg;
    const struct fq_ppl_reference *ref = s->ref;
    size_t vocabulary = ref->info.model->vocabulary;
    const int32_t *next = ref->tokens + s->chunk * ref->info.context + ref->info.context / 2 + 1;
    for (size_t i = begin; i < end; i++) {
        const float *row = ref->now + i * vocabulary;
        s->nll[i] = fq_score_nll(row, vocabulary, next[i]);
        if (s->full) {
            const float *full = s->full + i * vocabulary;
            s->kl[i] = fq_score_kl(full, row, vocabulary);
            s->same[i] = fq_score_top1(full, vocabulary) == fq_score_top1(row, vocabulary) ? 1.0 : 0.0;
        }
    }
}

static double sum(const double *x, size_t n) {
    double s = 0.0;
    for (size_t i = 0; i < n; i++)
        s += x[i];
    return s;
}

/* Logits of the second half of one window into ref->now. */
static int evaluate_chunk(struct fq_ppl_reference *ref, size_t chunk, const struct fq_ppl_agent *agent,
                          struct fq_error *err) {
    size_t context = ref->info.context;
    memcpy(ref->window, ref->tokens + chunk * context, context * sizeof *ref->window);
    if (ref->info.model->add_bos)
        ref->window[0] = fq_model_bos(ref->model);
    return fq_model_eval_attention(ref->model, ref->window, context, agent->tensors, agent->attention, agent->arg,
                                   context / 2, ref->now, err);
}

/* ---- the full-precision pass ---- */

static int load_tokens(struct fq_ppl_reference *ref, const struct fq_ppl_config *config, struct fq_error *err) {
    char path[4096];
    FQ_TRY(fq_manifest_resolve(config->corpus, "corpus", path, sizeof path, ref->info.corpus_sha256, err));
    char *text = NULL;
    size_t bytes = 0, found = 0, needed = config->context * config->chunks;
    FQ_TRY(fq_read_text(path, &text, &bytes, err));
    int code = fq_model_tokenize(ref->model, text, bytes, true, &ref->tokens, &found, err);
    free(text);
    FQ_TRY(code);
    ref->n_tokens = found;
    if (found < needed)
        return fq_fail(err, FQ_USAGE,
                       "%s: %zu chunks of %zu tokens need %zu, the corpus has %zu; take fewer chunks or a longer text",
                       path, config->chunks, config->context, needed, found);
    return 0;
}

static int full_pass(struct fq_ppl_reference *ref, const struct fq_ppl_config *config, struct fq_error *err) {
    size_t row = ref->info.scored * ref->info.model->vocabulary;
    const struct fq_ppl_agent nobody = {.tensor = "kv"};
    uint64_t hook_ns;
    fq_model_times(ref->model, &hook_ns, &ref->info.eval_ns);
    for (size_t c = 0; c < ref->info.chunks; c++) {
        FQ_TRY(evaluate_chunk(ref, c, &nobody, err));
        struct scoring s = {.ref = ref, .chunk = c, .nll = ref->token_nll};
        fq_pool_run(ref->info.scored, 1, score_tokens, &s);
        fq_pool_rest();
        ref->chunk_nll[c] = sum(ref->token_nll, ref->info.scored);
        memcpy(ref->full + c * row, ref->now, row * sizeof *ref->full);
        if (config->progress)
            config->progress(config->progress_arg, c + 1, ref->info.chunks);
    }
    fq_model_times(ref->model, &hook_ns, &ref->info.eval_ns);
    ref->info.perplexity = exp(sum(ref->chunk_nll, ref->info.chunks) / (double)(ref->info.chunks * ref->info.scored));
    if (!isfinite(ref->info.perplexity))
        return fq_fail(err, FQ_FAILED, "the full-precision perplexity of %s is not finite", ref->info.model->name);
    return 0;
}

static int open_reference(struct fq_ppl_reference *ref, const struct fq_ppl_config *config, struct fq_error *err) {
    FQ_TRY(fq_model_open(config->model, config->context, config->threads, &ref->model, err));
    ref->info.model = fq_model_info(ref->model);
    ref->info.context = config->context;
    ref->info.chunks = config->chunks;
    ref->info.scored = config->context - 1 - config->context / 2;
    FQ_TRY(load_tokens(ref, config, err));
    size_t vocabulary = ref->info.model->vocabulary;
    ref->window = malloc(config->context * sizeof *ref->window);
    ref->full = calloc(config->chunks * ref->info.scored, vocabulary * sizeof *ref->full);
    ref->now = calloc(config->context - config->context / 2, vocabulary * sizeof *ref->now);
    ref->chunk_nll = calloc(config->chunks, sizeof *ref->chunk_nll);
    ref->token_nll = calloc(ref->info.scored, sizeof *ref->token_nll);
    if (!ref->window || !ref->full || !ref->now || !ref->chunk_nll || !ref->token_nll)
        return fq_fail(err, FQ_FAILED, "out of memory for the logits of %zu chunks of %zu tokens x %zu words",
                       config->chunks, ref->info.scored, vocabulary);
    ref->info.chunk_nll = ref->chunk_nll;
    return full_pass(ref, config, err);
}

int fq_ppl_reference_open(const struct fq_ppl_config *config, struct fq_ppl_reference **out, struct fq_error *err) {
    *out = NULL;
    if (config->context < 4 || config->chunks < 1)
        return fq_fail(err, FQ_USAGE,
                       "perplexity: expected context >= 4 and chunks >= 1, found context %zu, chunks %zu",
                       config->context, config->chunks);
    struct fq_ppl_reference *ref = calloc(1, sizeof *ref);
    if (!ref)
        return fq_fail(err, FQ_FAILED, "out of memory");
    int code = open_reference(ref, config, err);
    if (code != 0) {
        fq_ppl_reference_close(ref);
        return code;
    }
    *out = ref;
    return 0;
}

void fq_ppl_reference_close(struct fq_ppl_reference *ref) {
    if (!ref)
        return;
    fq_model_close(ref->model);
    for (size_t i = 0; i < FQ_CENTRE_KINDS; i++)
        fq_centre_close(ref->centre[i]);
    free(ref->tokens);
    free(ref->window);
    free(ref->full);
    free(ref->now);
    free(ref->chunk_nll);
    free(ref->token_nll);
    free(ref);
}

const struct fq_ppl_info *fq_ppl_reference_info(const struct fq_ppl_reference *ref) {
    return &ref->info;
}

/* ---- a run with an agent on the cache ---- */

/* The series of one arm; pointers into a list move when it grows, so they are looked up after all are added. */
static int add_series(struct fq_series_list *out, const char *tensor, size_t *first, struct fq_error *err) {
    static const char *const of[4][4] = {{"perplexity", "1", "exp_mean", "chunk"},
                                         {"delta_log_ppl", "nats", "mean", "chunk"},
                                         {"kl", "nats", "mean,median,q99,max", "chunk"},
                                         {"top1_agreement", "1", "mean", "chunk"}};
    *first = out->n;
    for (size_t i = 0; i < 4; i++)
        if (!fq_series_add(out, of[i][0], tensor, of[i][1], of[i][2], of[i][3], err))
            return err->code;
    return 0;
}

static int push_chunk(struct fq_series *s, const struct scoring *scored, double nll, size_t n, double full_nll,
                      struct fq_error *err) {
    int32_t chunk = (int32_t)scored->chunk;
    double tokens = (double)n;
    FQ_TRY(fq_series_push(&s[0], nll / tokens, tokens, chunk, 0, err));
    FQ_TRY(fq_series_push(&s[1], nll / tokens - full_nll / tokens, tokens, chunk, 0, err));
    for (size_t i = 0; i < n; i++) {
        FQ_TRY(fq_series_push(&s[2], scored->kl[i], 1.0, chunk, (int32_t)i, err));
        FQ_TRY(fq_series_push(&s[3], scored->same[i], 1.0, chunk, (int32_t)i, err));
    }
    return 0;
}

static int run_chunks(struct fq_ppl_reference *ref, const struct fq_ppl_agent *agent, struct scoring *s,
                      struct fq_series *series, fq_ppl_progress *progress, void *progress_arg, double *total,
                      struct fq_error *err) {
    size_t n = ref->info.scored;
    for (size_t c = 0; c < ref->info.chunks; c++) {
        if (agent->window)
            FQ_TRY(agent->window(agent->arg, c, err));
        FQ_TRY(evaluate_chunk(ref, c, agent, err));
        s->chunk = c;
        s->full = ref->full + c * n * ref->info.model->vocabulary;
        fq_pool_run(n, 1, score_tokens, s);
        fq_pool_rest();
        double nll = sum(s->nll, n);
        if (!isfinite(nll))
            return fq_fail(err, FQ_FAILED, "%s, chunk %zu: the log-likelihood is not finite with this cache",
                           ref->info.model->name, c);
        *total += nll;
        FQ_TRY(push_chunk(series, s, nll, n, ref->chunk_nll[c], err));
        if (progress)
            progress(progress_arg, c + 1, ref->info.chunks);
    }
    return 0;
}

int fq_ppl_run(struct fq_ppl_reference *ref, const struct fq_ppl_agent *agent, fq_ppl_progress *progress,
               void *progress_arg, struct fq_series_list *out, double *perplexity, struct fq_error *err) {
    size_t first, n = ref->info.scored;
    FQ_TRY(add_series(out, agent->tensor, &first, err));
    double *scores = malloc(3 * n * sizeof *scores), total = 0.0;
    if (!scores)
        return fq_fail(err, FQ_FAILED, "out of memory for the scores of %zu tokens", n);
    struct scoring s = {.ref = ref, .nll = scores, .kl = scores + n, .same = scores + 2 * n};
    fq_model_times(ref->model, &ref->hook_ns, &ref->eval_ns); /* what came before is not this run's */
    const int code = run_chunks(ref, agent, &s, out->series + first, progress, progress_arg, &total, err);
    fq_model_times(ref->model, &ref->hook_ns, &ref->eval_ns);
    free(scores);
    FQ_TRY(code);
    *perplexity = exp(total / (double)(ref->info.chunks * n));
    return 0;
}

void fq_ppl_times(const struct fq_ppl_reference *ref, uint64_t *hook_ns, uint64_t *eval_ns) {
    *hook_ns = ref->hook_ns;
    *eval_ns = ref->eval_ns;
}

struct fq_model *fq_ppl_model(struct fq_ppl_reference *ref) {
    return ref->model;
}
