/* Prompts of the metric needle_text: sentences planted in a text, and the beginning of each of them once more at the
 * end. Internal to the measure floor.
 *
 * A prompt of L tokens is BOS (if the model adds one), filler with up to FQ_HAYSTACK_DEPTHS planted sentences, and then
 * for each of these, in drawn order, its cue and its answer. Sentence and cue are the same tokens. All of the prompt is
 * evaluated but the last token of the last answer, so that exactly L tokens enter the cache. */
#ifndef FQ_MEASURE_HAYSTACK_H
#define FQ_MEASURE_HAYSTACK_H

#include "harness/base/error.h"
#include "harness/data/model.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FQ_HAYSTACK_CONTEXTS = 3, /* a quarter, half, all of the context */
    FQ_HAYSTACK_DEPTHS = 5,   /* 0, 1/4, 1/2, 3/4, 1 of the filler */
    FQ_HAYSTACK_NEEDLES = 2   /* of each context and depth */
};

/* What a prompt asks for: `answers` tokens, the first of which stands at position `at`. */
struct fq_haystack_needle {
    size_t context, depth, at, answers;
};

struct fq_haystack {
    size_t length;    /* L: tokens to be evaluated; one more is stored behind them */
    int32_t *tokens;  /* [length + 1] */
    int32_t *control; /* [length + 1]: the same without planted sentences, the filler goes on in their place */
    size_t first;     /* needle[first .. first + n), in the order of their cues */
    size_t n;
};

struct fq_haystacks {
    struct fq_haystack prompt[FQ_HAYSTACK_CONTEXTS * FQ_HAYSTACK_DEPTHS * FQ_HAYSTACK_NEEDLES];
    size_t n_prompts;
    struct fq_haystack_needle needle[FQ_HAYSTACK_CONTEXTS * FQ_HAYSTACK_DEPTHS * FQ_HAYSTACK_NEEDLES];
    size_t n_needles;
};

/* Where filler comes from: tokens[n], n >= context. */
struct fq_haystack_text {
    const int32_t *tokens;
    size_t n, context;
    int32_t bos; /* -1: none */
};

/* Words, numbers, filler and order come from the stream "needle text" alone: the same for every caller. Sentences and
 * cues take at most half of a prompt, so short prompts hold fewer of them, and a context in which there is no room for
 * one has none. FQ_USAGE: not even the whole context has room. */
int fq_haystacks_make(struct fq_model *model, const struct fq_haystack_text *text, struct fq_haystacks *out,
                      struct fq_error *err);
void fq_haystacks_free(struct fq_haystacks *h);

#endif
