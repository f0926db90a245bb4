/* The inside of a perplexity reference, shared by perplexity.c (passes and scores) and ppl_arm.c (codec arms). Internal
 * to the measure floor. */
#ifndef FQ_MEASURE_PPL_INTERNAL_H
#define FQ_MEASURE_PPL_INTERNAL_H

#include "harness/measure/perplexity.h"
#include "harness/measure/ppl_logits.h"
#include "harness/measure/ppl_series.h"

struct fq_ppl_reference {
    struct fq_ppl_info info;
    struct fq_model_info model_info; /* outlives the model, which the noise floor replaces for a while */
    struct fq_model *model;
    unsigned threads;
    int32_t *tokens; /* [n_tokens], as the text has them; the first chunks * context are measured */
    size_t n_tokens;
    int32_t *window; /* [context], with BOS in front if the model wants it */
    struct fq_logits *store;
    uint8_t *packed; /* a slice of rounded rows */
    double *chunk_nll;
    struct fq_ppl_scores scores; /* of the window scored last */
    int32_t *generated;          /* [chunks][fq_ppl_generated]; NULL until an arm wants it */
    bool wants_generation, wants_needle_text;
    struct fq_ppl_needles *needles;            /* prompts and full precision's scores; NULL until an arm wants them */
    uint64_t hook_ns, eval_ns;                 /* of the last run */
    char keep[4096], identity[64];             /* where finished windows are kept; "": nowhere */
    size_t resumed;                            /* windows of the last run that were found there */
    struct fq_centre *centre[FQ_CENTRE_KINDS]; /* NULL until an arm wants it */
};

/* ppl_generate.c: full precision continues, once for all; anybody continues, on a model of its own. */
int fq_ppl_own_words(struct fq_ppl_reference *ref, struct fq_error *err);
int fq_ppl_generate_with(struct fq_ppl_reference *ref, struct fq_model *model, const struct fq_ppl_agent *agent,
                         struct fq_series_list *out, struct fq_error *err);

/* ppl_needle.c: the same two for planted sentences. */
int fq_ppl_own_needles(struct fq_ppl_reference *ref, struct fq_error *err);
int fq_ppl_needle_text_with(struct fq_ppl_reference *ref, struct fq_model *model, const struct fq_ppl_agent *agent,
                            struct fq_series_list *out, struct fq_error *err);
void fq_ppl_needles_close(struct fq_ppl_needles *needles); /* NULL is fine */

#endif
