/* Builds the prompts of needle_text; see haystack.h. Everything is put together from tokens, so that a planted sentence
 * and its cue are the same whatever stands around them. Must not evaluate a model. */
#include "harness/measure/haystack.h"

#include "harness/base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PER_CONTEXT = FQ_HAYSTACK_DEPTHS * FQ_HAYSTACK_NEEDLES,
    SHORTEST_NUMBER = 1000,
    NUMBERS = 9000, /* four digits: guessing finds one in 9,000 */
    MOST_TOKENS = 64
};

static const char *const words[] = {"castle",   "garden",  "river",   "engine", "bridge", "forest", "window", "market",
                                    "mountain", "teacher", "kitchen", "island", "doctor", "summer", "winter", "village",
                                    "planet",   "camera",  "bottle",  "ticket", "letter", "train",  "horse",  "piano",
                                    "street",   "museum",  "farmer",  "hotel",  "mirror", "pencil", "rocket", "soldier",
                                    "tower",    "valley",  "wagon",   "library"};
enum { WORDS = sizeof words / sizeof words[0] };

/* "\nThe secret number of the castle is 4821.": cue, answer, and what closes it. */
struct sentence {
    int32_t tokens[MOST_TOKENS];
    size_t cue, answer, close;
};

static size_t tokens_of(const struct sentence *s) {
    return s->cue + s->answer + s->close;
}

static int too_long(const char *what, struct fq_error *err) {
    return fq_fail(err, FQ_USAGE, "needle_text: this model's tokenizer makes more than %d tokens of '%s'", MOST_TOKENS,
                   what);
}

/* The answer begins where the tokens with the number part from those without it: where digits are tokens of their own,
 * the blank before them belongs to the cue. */
static int make_sentence(struct fq_model *model, const char *word, size_t number, struct sentence *out,
                         struct fq_error *err) {
    char text[128];
    int32_t *cue = NULL, *whole = NULL, *close = NULL;
    size_t n_cue = 0, n_whole = 0, n_close = 0, same = 0;
    const int used = snprintf(text, sizeof text, "\nThe secret number of the %s is ", word);
    int code = fq_model_tokenize(model, text, (size_t)used, false, &cue, &n_cue, err);
    const int all = used + snprintf(text + used, sizeof text - (size_t)used, "%zu", number);
    if (code == 0)
        code = fq_model_tokenize(model, text, (size_t)all, false, &whole, &n_whole, err);
    if (code == 0)
        code = fq_model_tokenize(model, ".", 1, false, &close, &n_close, err);
    if (code == 0 && n_whole + n_close > MOST_TOKENS)
        code = too_long(text + 1, err);
    if (code == 0) {
        while (same < n_cue && same + 1 < n_whole && cue[same] == whole[same])
            same++;
        memcpy(out->tokens, whole, n_whole * sizeof *whole);
        memcpy(out->tokens + n_whole, close, n_close * sizeof *close);
        out->cue = same;
        out->answer = n_whole - same;
        out->close = n_close;
    }
    free(cue);
    free(whole);
    free(close);
    return code;
}

/* Words and numbers of one context, no two alike. */
static int draw_sentences(struct fq_model *model, struct fq_random *random, struct sentence *out,
                          struct fq_error *err) {
    size_t word[WORDS], number[PER_CONTEXT];
    for (size_t i = 0; i < WORDS; i++)
        word[i] = i;
    fq_random_shuffle(random, word, WORDS);
    for (size_t i = 0; i < PER_CONTEXT; i++) {
        size_t k;
        do {
            number[i] = SHORTEST_NUMBER + fq_random_below(random, NUMBERS);
            for (k = 0; k < i && number[k] != number[i];)
                k++;
        } while (k < i);
        FQ_TRY(make_sentence(model, words[word[i]], number[i], &out[i], err));
    }
    return 0;
}

static size_t append(int32_t *to, size_t at, const int32_t *from, size_t n) {
    memcpy(to + at, from, n * sizeof *to);
    return at + n;
}

/* One prompt with the sentences [first, first + n) of its context; sentence i lies at depth i mod DEPTHS. */
static int make_prompt(const struct fq_haystack_text *text, struct fq_random *random, size_t context, size_t length,
                       const struct sentence *sentence, size_t first, size_t n, struct fq_haystacks *h,
                       struct fq_error *err) {
    struct fq_haystack *p = &h->prompt[h->n_prompts];
    size_t order[FQ_HAYSTACK_DEPTHS], by_depth[FQ_HAYSTACK_DEPTHS], planted = 0, asked = 0, at = 0, used = 0;
    for (size_t i = 0; i < n; i++) {
        order[i] = first + i;
        planted += tokens_of(&sentence[first + i]);
    }
    fq_random_shuffle(random, order, n);
    const struct sentence *last = &sentence[order[n - 1]];
    asked = planted - last->close;
    const size_t bos = text->bos >= 0 ? 1 : 0, filler = length + 1 - bos - planted - asked;
    /* The first token of a text may be its BOS. */
    const int32_t *from = text->tokens + 1 + fq_random_below(random, text->n - filler - planted);
    *p = (struct fq_haystack){.length = length, .first = h->n_needles, .n = n};
    p->tokens = malloc((length + 1) * sizeof *p->tokens);
    p->control = malloc((length + 1) * sizeof *p->control);
    h->n_prompts++;
    if (!p->tokens || !p->control)
        return fq_fail(err, FQ_FAILED, "out of memory for prompts of %zu tokens", length);
    p->tokens[0] = p->control[0] = text->bos;
    (void)append(p->control, bos, from, filler + planted);
    at = bos;
    for (size_t depth = 0; depth < FQ_HAYSTACK_DEPTHS; depth++)
        by_depth[depth] = SIZE_MAX;
    for (size_t i = first; i < first + n; i++)
        by_depth[i % FQ_HAYSTACK_DEPTHS] = i;
    for (size_t depth = 0; depth < FQ_HAYSTACK_DEPTHS; depth++) {
        const size_t until = depth * filler / (FQ_HAYSTACK_DEPTHS - 1);
        at = append(p->tokens, at, from + used, until - used);
        used = until;
        if (by_depth[depth] != SIZE_MAX)
            at = append(p->tokens, at, sentence[by_depth[depth]].tokens, tokens_of(&sentence[by_depth[depth]]));
    }
    for (size_t i = 0; i < n; i++) {
        const struct sentence *s = &sentence[order[i]];
        h->needle[h->n_needles++] =
            (struct fq_haystack_needle){context, order[i] % FQ_HAYSTACK_DEPTHS, at + s->cue, s->answer};
        (void)append(p->control, at, s->tokens, s->cue + s->answer + (i + 1 < n ? s->close : 0));
        at = append(p->tokens, at, s->tokens, s->cue + s->answer + (i + 1 < n ? s->close : 0));
    }
    return 0;
}

/* Prompts of one length; *longest is the longest sentence in tokens. */
static int make_context(struct fq_model *model, const struct fq_haystack_text *text, size_t context, size_t length,
                        struct fq_haystacks *h, size_t *longest, struct fq_error *err) {
    struct fq_random random = fq_random_open("needle text", context);
    struct sentence sentence[PER_CONTEXT];
    FQ_TRY(draw_sentences(model, &random, sentence, err));
    *longest = 0;
    for (size_t i = 0; i < PER_CONTEXT; i++)
        *longest = tokens_of(&sentence[i]) > *longest ? tokens_of(&sentence[i]) : *longest;
    size_t most = length / (4 * *longest); /* each stands there twice, and filler is at least half */
    if (most == 0)
        return 0;
    most = most < FQ_HAYSTACK_DEPTHS ? most : FQ_HAYSTACK_DEPTHS;
    const size_t prompts = (PER_CONTEXT + most - 1) / most;
    for (size_t i = 0; i < prompts; i++) {
        const size_t first = i * PER_CONTEXT / prompts, end = (i + 1) * PER_CONTEXT / prompts;
        FQ_TRY(make_prompt(text, &random, context, length, sentence, first, end - first, h, err));
    }
    return 0;
}

int fq_haystacks_make(struct fq_model *model, const struct fq_haystack_text *text, struct fq_haystacks *out,
                      struct fq_error *err) {
    size_t longest = 0;
    memset(out, 0, sizeof *out);
    int code = 0;
    for (size_t c = 0; code == 0 && c < FQ_HAYSTACK_CONTEXTS; c++)
        code = make_context(model, text, c, text->context >> (FQ_HAYSTACK_CONTEXTS - 1 - c), out, &longest, err);
    if (code == 0 && out->n_needles == 0)
        code = fq_fail(err, FQ_USAGE,
                       "needle_text: a context of %zu tokens has no room for a sentence of %zu, its cue and as much "
                       "filler; take at least %zu",
                       text->context, longest, 4 * longest);
    if (code != 0)
        fq_haystacks_free(out);
    return code;
}

void fq_haystacks_free(struct fq_haystacks *h) {
    for (size_t i = 0; i < h->n_prompts; i++) {
        free(h->prompt[i].tokens);
        free(h->prompt[i].control);
    }
    memset(h, 0, sizeof *h);
}
