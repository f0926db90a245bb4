/* Free-running generation: how long a greedy continuation with somebody on the cache stays that of full precision. The
 * scores of perplexity.c are teacher-forced: every token is given the true text before it. Here a model meets its own
 * words, so one changed choice changes all that follow. Must not open codecs. */
#include "harness/measure/ppl_internal.h"
#include "harness/measure/ppl_score.h"

#include <stdlib.h>
#include <string.h>

static size_t prompt_of(const struct fq_ppl_reference *ref) {
    return ref->info.context / 2;
}

size_t fq_ppl_generated(const struct fq_ppl_reference *ref) {
    const size_t room = ref->info.context - prompt_of(ref);
    return room < FQ_PPL_GENERATED ? room : FQ_PPL_GENERATED;
}

void fq_ppl_want_generation(struct fq_ppl_reference *ref, bool wanted) {
    ref->wants_generation = wanted;
}

struct next {
    size_t vocabulary;
    int32_t token;
};

static int take_best(void *arg, size_t first, size_t n, const float *rows, struct fq_error *err) {
    struct next *next = arg;
    (void)first, (void)err;
    next->token = (int32_t)fq_score_top1(rows + (n - 1) * next->vocabulary, next->vocabulary);
    return 0;
}

/* Greedy tokens behind the first half of a window. */
static int generate(struct fq_ppl_reference *ref, struct fq_model *model, size_t chunk,
                    const struct fq_ppl_agent *agent, int32_t *out, struct fq_error *err) {
    const size_t prompt = prompt_of(ref), n = fq_ppl_generated(ref);
    struct next next = {.vocabulary = ref->model_info.vocabulary};
    memcpy(ref->window, ref->tokens + chunk * ref->info.context, prompt * sizeof *ref->window);
    if (ref->model_info.add_bos)
        ref->window[0] = fq_model_bos(model);
    if (agent->window)
        FQ_TRY(agent->window(agent->arg, chunk, err));
    FQ_TRY(fq_model_eval_rows(model, ref->window, prompt, agent->tensors, agent->attention, agent->arg, prompt - 1,
                              prompt, take_best, &next, err));
    for (size_t i = 0; i < n; i++) {
        out[i] = next.token;
        if (i + 1 < n)
            FQ_TRY(fq_model_eval_more(model, &out[i], 1, agent->tensors, agent->attention, agent->arg, prompt + i,
                                      prompt + i + 1, take_best, &next, err));
    }
    return 0;
}

int fq_ppl_own_words(struct fq_ppl_reference *ref, struct fq_error *err) {
    const struct fq_ppl_agent nobody = {.tensor = "kv"};
    const size_t n = fq_ppl_generated(ref);
    if (ref->generated)
        return 0;
    int32_t *words = malloc(ref->info.chunks * n * sizeof *words);
    if (!words)
        return fq_fail(err, FQ_FAILED, "out of memory for %zu generated tokens", ref->info.chunks * n);
    for (size_t c = 0; c < ref->info.chunks; c++) {
        const int code = generate(ref, ref->model, c, &nobody, words + c * n, err);
        if (code != 0) {
            free(words);
            return code;
        }
    }
    ref->generated = words;
    return 0;
}

int fq_ppl_generate(struct fq_ppl_reference *ref, const struct fq_ppl_agent *agent, struct fq_series_list *out,
                    struct fq_error *err) {
    if (!ref->model)
        return fq_fail(err, FQ_FAILED, "%s could not be opened again after the noise floor", ref->info.model->name);
    FQ_TRY(fq_ppl_own_words(ref, err));
    return fq_ppl_generate_with(ref, ref->model, agent, out, err);
}

int fq_ppl_generate_with(struct fq_ppl_reference *ref, struct fq_model *model, const struct fq_ppl_agent *agent,
                         struct fq_series_list *out, struct fq_error *err) {
    const size_t n = fq_ppl_generated(ref), first = out->n;
    if (!fq_series_add(out, "generation_agreement", agent->tensor, "tokens", "mean,median", "chunk", err) ||
        !fq_series_add(out, "generation_same", agent->tensor, "1", "mean", "chunk", err))
        return err->code;
    int32_t words[FQ_PPL_GENERATED];
    for (size_t c = 0; c < ref->info.chunks; c++) {
        size_t same = 0;
        FQ_TRY(generate(ref, model, c, agent, words, err));
        if (agent->forget)
            agent->forget(agent->arg);
        while (same < n && words[same] == ref->generated[c * n + same])
            same++;
        FQ_TRY(fq_series_push(&out->series[first], (double)same, 1.0, (int32_t)c, 0, err));
        FQ_TRY(fq_series_push(&out->series[first + 1], same == n ? 1.0 : 0.0, 1.0, (int32_t)c, 0, err));
    }
    return 0;
}
