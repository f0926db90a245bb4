/* What codecs that learn are fitted to when a model runs: keys and values of text behind the measured windows, at full
 * precision, for each layer and KV head its own.
 * For arms, and for other agents on a perplexity reference. */
#ifndef FQ_MEASURE_PPL_TRAINING_H
#define FQ_MEASURE_PPL_TRAINING_H

#include "harness/base/error.h"
#include "harness/data/model.h"
#include "harness/measure/centre.h"
#include "harness/measure/codec.h"

#include <stddef.h>
#include <stdint.h>

enum { FQ_PPL_TRAINING_WINDOWS = 4 };

struct fq_ppl_text { /* tokens[n], of which the first `measured` are measured in windows of `context` */
    const int32_t *tokens;
    size_t n, measured, context;
    int32_t bos; /* replaces the first token of a window; -1: it stays */
};

/* Windows behind the measured ones that there are, at most FQ_PPL_TRAINING_WINDOWS. */
size_t fq_ppl_windows_behind(const struct fq_ppl_text *text);
/* Evaluates n whole windows from token `first` on at full precision, with this hook; *window counts them, from 0. */
int fq_ppl_windows(struct fq_model *model, const struct fq_ppl_text *text, size_t first, size_t n, size_t *window,
                   fq_model_hook *hook, void *arg, struct fq_error *err);
/* Means of the keys of the windows behind the measured ones, for each layer and head. FQ_USAGE if there is none. */
int fq_ppl_calibrate(struct fq_model *model, const struct fq_ppl_text *text, struct fq_centre *centre,
                     struct fq_error *err);

/* States for codec[2] (by enum fq_hook_tensor: key, value; NULL or one that learns nothing: none). Runs up to
 * FQ_PPL_TRAINING_WINDOWS windows behind the measured text; a text without one more window teaches with its measured
 * ones, and the codecs' training sentence says so. Keys teach without their centre (NULL: as they are). */
struct fq_ppl_training;
int fq_ppl_training_open(struct fq_model *model, const struct fq_ppl_text *text, struct fq_codec *const codec[2],
                         struct fq_centre *centre, struct fq_ppl_training **out, struct fq_error *err);
void fq_ppl_training_close(struct fq_ppl_training *t); /* NULL is fine */
/* Puts the state of this layer and head into the codec, if it is one that learns. */
void fq_ppl_training_put(const struct fq_ppl_training *t, enum fq_hook_tensor which, size_t layer, size_t head);

#endif
