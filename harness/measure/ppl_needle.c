/* Retrieval of planted sentences by the running model: the prompts of haystack.c with somebody on the cache, scored
 * against full precision. The answer is given to the model token by token, whatever it would have said
 * (teacher-forced), so that one wrong digit does not decide the next; recall asks that each was its first choice. Must
 * not open codecs. */
#include "harness/measure/haystack.h"
#include "harness/measure/ppl_internal.h"
#include "harness/measure/ppl_score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One needle as it was answered. */
struct answer {
    double nll;    /* mean over its tokens, nats */
    double recall; /* 1 if each of them was the most likely word */
    double rank;   /* of the first among all words, ties halved */
};

struct fq_ppl_needles {
    struct fq_haystacks haystacks;
    struct answer *full, *control, *now; /* [needles] */
};

void fq_ppl_needles_close(struct fq_ppl_needles *needles) {
    if (!needles)
        return;
    fq_haystacks_free(&needles->haystacks);
    free(needles->full);
    free(needles->control);
    free(needles->now);
    free(needles);
}

void fq_ppl_want_needle_text(struct fq_ppl_reference *ref, bool wanted) {
    ref->wants_needle_text = wanted;
}

void fq_ppl_needle_text_prompts(const struct fq_ppl_reference *ref, char *out, size_t size) {
    const struct fq_haystacks *h = ref->needles ? &ref->needles->haystacks : NULL;
    size_t tokens = 0;
    for (size_t i = 0; h && i < h->n_prompts; i++)
        tokens += h->prompt[i].length;
    (void)snprintf(out, size, "%s", "");
    if (h)
        (void)snprintf(out, size, "%zu needles in %zu prompts, %zu tokens in all", h->n_needles, h->n_prompts, tokens);
}

/* ---- a prompt through a model ---- */

struct asking {
    const struct fq_haystacks *haystacks;
    const struct fq_haystack *prompt;
    const int32_t *tokens;
    size_t vocabulary;
    struct answer *out; /* [needles] */
};

static double rank_of(const float *row, size_t vocabulary, int32_t token) {
    double greater = 0.0, equal = 0.0;
    for (size_t i = 0; i < vocabulary; i++) {
        greater += row[i] > row[token] ? 1.0 : 0.0;
        equal += row[i] > row[token] || row[i] < row[token] ? 0.0 : 1.0;
    }
    return greater + 0.5 * (equal + 1.0); /* the token itself is among its equals */
}

/* Row i speaks of the token behind position first + i. */
static int score_rows(void *arg, size_t first, size_t n, const float *rows, struct fq_error *err) {
    const struct asking *a = arg;
    (void)err;
    for (size_t k = a->prompt->first; k < a->prompt->first + a->prompt->n; k++) {
        const struct fq_haystack_needle *needle = &a->haystacks->needle[k];
        struct answer *to = &a->out[k];
        for (size_t t = 0; t < needle->answers; t++) {
            const size_t position = needle->at + t;
            if (position - 1 < first || position - 1 >= first + n)
                continue;
            const float *row = rows + (position - 1 - first) * a->vocabulary;
            const int32_t token = a->tokens[position];
            to->nll += fq_score_nll(row, a->vocabulary, token) / (double)needle->answers;
            if (fq_score_top1(row, a->vocabulary) != (size_t)token)
                to->recall = 0.0;
            if (t == 0)
                to->rank = rank_of(row, a->vocabulary, token);
        }
    }
    return 0;
}

/* All prompts, planted or not, into out[needles]. */
static int ask_all(struct fq_ppl_reference *ref, struct fq_model *model, const struct fq_ppl_agent *agent, bool control,
                   struct answer *out, struct fq_error *err) {
    const struct fq_haystacks *h = &ref->needles->haystacks;
    for (size_t i = 0; i < h->n_needles; i++)
        out[i] = (struct answer){.recall = 1.0};
    for (size_t i = 0; i < h->n_prompts; i++) {
        const struct fq_haystack *p = &h->prompt[i];
        const size_t from = h->needle[p->first].at - 1;
        struct asking a = {h, p, control ? p->control : p->tokens, ref->model_info.vocabulary, out};
        if (agent->window)
            FQ_TRY(agent->window(agent->arg, i, err));
        if (agent->prompt)
            agent->prompt(agent->arg, from);
        FQ_TRY(fq_model_eval_rows(model, a.tokens, p->length, agent->tensors, agent->attention, agent->arg, from,
                                  p->length, score_rows, &a, err));
        if (agent->forget)
            agent->forget(agent->arg);
    }
    for (size_t i = 0; i < h->n_needles; i++)
        if (!isfinite(out[i].nll))
            return fq_fail(err, FQ_FAILED, "%s, needle %zu: the log-likelihood is not finite with this cache",
                           ref->info.model->name, i);
    return 0;
}

static int make_needles(struct fq_ppl_reference *ref, struct fq_error *err) {
    static const struct fq_ppl_agent nobody = {.tensor = "kv"};
    const struct fq_haystack_text text = {.tokens = ref->tokens,
                                          .n = ref->info.chunks * ref->info.context,
                                          .context = ref->info.context,
                                          .bos = ref->model_info.add_bos ? fq_model_bos(ref->model) : -1};
    struct fq_ppl_needles *needles = ref->needles;
    FQ_TRY(fq_haystacks_make(ref->model, &text, &needles->haystacks, err));
    const size_t n = needles->haystacks.n_needles;
    needles->full = calloc(n, sizeof *needles->full);
    needles->control = calloc(n, sizeof *needles->control);
    needles->now = calloc(n, sizeof *needles->now);
    if (!needles->full || !needles->control || !needles->now)
        return fq_fail(err, FQ_FAILED, "out of memory for %zu needles", n);
    FQ_TRY(ask_all(ref, ref->model, &nobody, false, needles->full, err));
    return ask_all(ref, ref->model, &nobody, true, needles->control, err);
}

int fq_ppl_own_needles(struct fq_ppl_reference *ref, struct fq_error *err) {
    if (ref->needles)
        return 0;
    ref->needles = calloc(1, sizeof *ref->needles);
    if (!ref->needles)
        return fq_fail(err, FQ_FAILED, "out of memory for needles");
    const int code = make_needles(ref, err);
    if (code != 0) {
        fq_ppl_needles_close(ref->needles);
        ref->needles = NULL;
    }
    return code;
}

/* ---- series ---- */

enum what { RECALL, DELTA, RANK, FULL, CONTROL };
static const int any = -1;

static double value_of(const struct fq_ppl_needles *n, enum what what, size_t i) {
    switch (what) {
    case RECALL:
        return n->now[i].recall;
    case DELTA:
        return n->now[i].nll - n->full[i].nll;
    case RANK:
        return n->now[i].rank;
    case FULL:
        return n->full[i].recall;
    case CONTROL:
        break;
    }
    return n->control[i].recall;
}

/* The needles of this context and depth, all or those that full precision recalls, as one series; none: no series. */
static int add(const struct fq_ppl_needles *n, enum what what, int context, int depth, bool found, const char *metric,
               const char *tensor, struct fq_series_list *out, struct fq_error *err) {
    static const char *const units[] = {"1", "nats", "1", "1", "1"};
    static const char *const statistics[] = {"mean", "mean,median", "median,max", "mean", "mean"};
    struct fq_series *s = NULL;
    for (size_t i = 0; i < n->haystacks.n_needles; i++) {
        const struct fq_haystack_needle *at = &n->haystacks.needle[i];
        if ((context != any && (size_t)context != at->context) || (depth != any && (size_t)depth != at->depth) ||
            (found && !(n->full[i].recall > 0.0)))
            continue;
        if (!s)
            s = fq_series_add(out, metric, tensor, units[what], statistics[what], "needle", err);
        if (!s)
            return err->code;
        FQ_TRY(fq_series_push(s, value_of(n, what, i), 1.0, (int32_t)i,
                              (int32_t)(at->context * FQ_HAYSTACK_DEPTHS + at->depth), err));
    }
    return 0;
}

/* Of one cell of the grid, or of a row or column of it. */
static int add_part(const struct fq_ppl_needles *n, int context, int depth, const char *tensor,
                    struct fq_series_list *out, struct fq_error *err) {
    char where[24] = "", name[40];
    size_t used = 0;
    if (context != any)
        used = (size_t)snprintf(where, sizeof where, "_context%d", context);
    if (depth != any)
        (void)snprintf(where + used, sizeof where - used, "_depth%d", depth);
    (void)snprintf(name, sizeof name, "needle_text_recall%s", where);
    FQ_TRY(add(n, RECALL, context, depth, true, name, tensor, out, err));
    (void)snprintf(name, sizeof name, "needle_text_delta_nll%s", where);
    return add(n, DELTA, context, depth, false, name, tensor, out, err);
}

int fq_ppl_needle_text_with(struct fq_ppl_reference *ref, struct fq_model *model, const struct fq_ppl_agent *agent,
                            struct fq_series_list *out, struct fq_error *err) {
    const struct fq_ppl_needles *n = ref->needles;
    const char *tensor = agent->tensor;
    FQ_TRY(ask_all(ref, model, agent, false, n->now, err));
    FQ_TRY(add(n, RECALL, any, any, false, "needle_text_recall_all", tensor, out, err));
    FQ_TRY(add(n, RANK, any, any, false, "needle_text_rank", tensor, out, err));
    FQ_TRY(add(n, FULL, any, any, false, "needle_text_full", tensor, out, err));
    FQ_TRY(add(n, CONTROL, any, any, false, "needle_text_control", tensor, out, err));
    FQ_TRY(add_part(n, any, any, tensor, out, err));
    for (int c = 0; c < FQ_HAYSTACK_CONTEXTS; c++)
        FQ_TRY(add_part(n, c, any, tensor, out, err));
    for (int d = 0; d < FQ_HAYSTACK_DEPTHS; d++)
        FQ_TRY(add_part(n, any, d, tensor, out, err));
    for (int c = 0; c < FQ_HAYSTACK_CONTEXTS; c++)
        for (int d = 0; d < FQ_HAYSTACK_DEPTHS; d++)
            FQ_TRY(add_part(n, c, d, tensor, out, err));
    return 0;
}

int fq_ppl_needle_text(struct fq_ppl_reference *ref, const struct fq_ppl_agent *agent, struct fq_series_list *out,
                       struct fq_error *err) {
    if (!ref->model)
        return fq_fail(err, FQ_FAILED, "%s could not be opened again after the noise floor", ref->info.model->name);
    FQ_TRY(fq_ppl_own_needles(ref, err));
    return fq_ppl_needle_text_with(ref, ref->model, agent, out, err);
}
