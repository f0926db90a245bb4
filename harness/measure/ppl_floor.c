/* The second half of the noise floor: a cache whose keys and values differ from full precision in their last bits only.
 * Sums taken in another order (fq_ppl_noise_floor) may come out the same to the last bit; a codec never leaves all bits
 * alone, and a model with quantized weights rounds its activations, so that one bit decides some of those roundings. */
#include "harness/base/random.h"
#include "harness/measure/ppl_internal.h"

#include <math.h>

struct last_bits {
    uint64_t key, next; /* stream "sample", words used so far */
};

static int new_window(void *arg, size_t chunk, struct fq_error *err) {
    struct last_bits *l = arg;
    (void)err;
    l->next = (uint64_t)chunk << 40U;
    return 0;
}

static int move_last_bits(void *arg, enum fq_hook_tensor which, size_t layer, size_t first_position, size_t n_tokens,
                          size_t n_heads, size_t dim, float *data, struct fq_error *err) {
    struct last_bits *l = arg;
    (void)layer, (void)first_position, (void)err;
    if (which == FQ_HOOK_QUERY)
        return 0;
    for (size_t i = 0; i < n_tokens * n_heads * dim; i += 64) {
        const size_t here = n_tokens * n_heads * dim - i < 64 ? n_tokens * n_heads * dim - i : 64;
        uint64_t bits;
        fq_random_bits(l->key, l->next++, 1, &bits);
        for (size_t k = 0; k < here; k++)
            if ((bits >> k & 1U) != 0)
                data[i + k] = nextafterf(data[i + k], INFINITY);
    }
    return 0;
}

int fq_ppl_last_bits(struct fq_ppl_reference *ref, const char *tensor, fq_ppl_progress *progress, void *progress_arg,
                     struct fq_series_list *out, double *perplexity, struct fq_error *err) {
    struct last_bits l = {.key = fq_stream_key("sample", 0)};
    const struct fq_ppl_agent agent = {.tensors = move_last_bits, .window = new_window, .arg = &l, .tensor = tensor};
    FQ_TRY(fq_ppl_run(ref, &agent, progress, progress_arg, out, perplexity, err));
    if (ref->wants_generation)
        FQ_TRY(fq_ppl_generate(ref, &agent, out, err));
    return ref->wants_needle_text ? fq_ppl_needle_text(ref, &agent, out, err) : 0;
}
