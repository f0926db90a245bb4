/* Sums of errors while the model runs; see ppl_loop.h. Must not look at the model or at codecs. */
#include "harness/measure/ppl_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ppl_sums {
    double error, energy;
};

struct fq_ppl_loop {
    size_t layers, heads[FQ_PPL_ERRORS], chunks, chunk;
    size_t first[FQ_PPL_ERRORS], rows; /* rows of `sums`: where those of each error begin, and all of them */
    struct ppl_sums *sums;             /* [error][layers][heads of it][chunks] */
};

int fq_ppl_loop_open(size_t layers, size_t heads, size_t kv_heads, size_t chunks, struct fq_ppl_loop **out,
                     struct fq_error *err) {
    *out = NULL;
    struct fq_ppl_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return fq_fail(err, FQ_FAILED, "out of memory");
    for (int e = FQ_PPL_KEY; e < FQ_PPL_ERRORS; e++) {
        loop->heads[e] = e == FQ_PPL_ATTENTION ? heads : kv_heads;
        loop->first[e] = loop->rows;
        loop->rows += layers * loop->heads[e];
    }
    loop->sums = calloc(loop->rows, chunks * sizeof *loop->sums);
    if (!loop->sums) {
        free(loop);
        return fq_fail(err, FQ_FAILED, "out of memory for the errors of %zu layers", layers);
    }
    loop->layers = layers;
    loop->chunks = chunks;
    *out = loop;
    return 0;
}

void fq_ppl_loop_close(struct fq_ppl_loop *loop) {
    if (!loop)
        return;
    free(loop->sums);
    free(loop);
}

void fq_ppl_loop_window(struct fq_ppl_loop *loop, size_t chunk) {
    loop->chunk = chunk < loop->chunks ? chunk : loop->chunks - 1;
}

static struct ppl_sums *sums_of(const struct fq_ppl_loop *loop, enum fq_ppl_error what, size_t layer, size_t head) {
    return loop->sums + (loop->first[what] + layer * loop->heads[what] + head) * loop->chunks;
}

void fq_ppl_loop_sums(struct fq_ppl_loop *loop, enum fq_ppl_error what, size_t layer, size_t head, double error,
                      double energy) {
    if (layer >= loop->layers || head >= loop->heads[what])
        return;
    struct ppl_sums *s = sums_of(loop, what, layer, head) + loop->chunk;
    s->error += error;
    s->energy += energy;
}

void fq_ppl_loop_add(struct fq_ppl_loop *loop, enum fq_ppl_error what, size_t layer, size_t head, size_t dim,
                     const float *x, const float *xhat) {
    /* Four sums side by side: one alone would wait for itself, and this runs for every vector of every layer. */
    float error[4] = {0}, energy[4] = {0};
    size_t i = 0;
    for (; i + 4 <= dim; i += 4)
        for (size_t k = 0; k < 4; k++) {
            const float e = x[i + k] - xhat[i + k];
            error[k] += e * e;
            energy[k] += x[i + k] * x[i + k];
        }
    for (; i < dim; i++) {
        const float e = x[i] - xhat[i];
        error[0] += e * e;
        energy[0] += x[i] * x[i];
    }
    fq_ppl_loop_sums(loop, what, layer, head, (double)error[0] + (double)error[1] + (double)error[2] + (double)error[3],
                     (double)energy[0] + (double)energy[1] + (double)energy[2] + (double)energy[3]);
}

size_t fq_ppl_loop_bytes(const struct fq_ppl_loop *loop) {
    return loop ? loop->rows * sizeof(struct ppl_sums) : 0;
}

void fq_ppl_loop_save(const struct fq_ppl_loop *loop, void *bytes) {
    for (size_t i = 0; i < loop->rows; i++)
        memcpy((char *)bytes + i * sizeof *loop->sums, loop->sums + i * loop->chunks + loop->chunk, sizeof *loop->sums);
}

void fq_ppl_loop_restore(struct fq_ppl_loop *loop, const void *bytes) {
    for (size_t i = 0; i < loop->rows; i++)
        memcpy(loop->sums + i * loop->chunks + loop->chunk, (const char *)bytes + i * sizeof *loop->sums,
               sizeof *loop->sums);
}

static double ratio(const struct ppl_sums *s) {
    return s->energy > 0.0 ? s->error / s->energy : 0.0;
}

static struct ppl_sums all_windows(const struct fq_ppl_loop *loop, enum fq_ppl_error what, size_t layer, size_t head) {
    const struct ppl_sums *s = sums_of(loop, what, layer, head);
    struct ppl_sums all = {0};
    for (size_t c = 0; c < loop->chunks; c++) {
        all.error += s[c].error;
        all.energy += s[c].energy;
    }
    return all;
}

static const char *metric_of(enum fq_ppl_error what) {
    return what == FQ_PPL_ATTENTION ? "loop_attention_error" : "loop_rel_mse";
}

static const char *tensor_of(enum fq_ppl_error what, const char *touches) {
    if (what == FQ_PPL_ATTENTION)
        return touches;
    if (strcmp(touches, "kv") == 0)
        return what == FQ_PPL_KEY ? "key of kv" : "value of kv";
    return what == FQ_PPL_KEY ? "key" : "value";
}

static int layer_series(const struct fq_ppl_loop *loop, enum fq_ppl_error what, size_t layer, const char *tensor,
                        struct fq_series_list *out, struct fq_error *err) {
    char metric[64];
    snprintf(metric, sizeof metric, "%s_layer%zu", metric_of(what), layer);
    struct fq_series *s = fq_series_add(out, metric, tensor, "1", "mean", "chunk", err);
    if (!s)
        return err->code;
    for (size_t c = 0; c < loop->chunks; c++)
        for (size_t head = 0; head < loop->heads[what]; head++)
            FQ_TRY(fq_series_push(s, ratio(sums_of(loop, what, layer, head) + c), 1.0, (int32_t)c, (int32_t)head, err));
    return 0;
}

int fq_ppl_loop_series(const struct fq_ppl_loop *loop, enum fq_ppl_error what, const char *touches,
                       struct fq_series_list *out, struct fq_error *err) {
    const char *tensor = tensor_of(what, touches);
    struct fq_series *s = fq_series_add(out, metric_of(what), tensor, "1", "mean,max", "layer and head", err);
    if (!s)
        return err->code;
    for (size_t layer = 0; layer < loop->layers; layer++)
        for (size_t head = 0; head < loop->heads[what]; head++) {
            const struct ppl_sums all = all_windows(loop, what, layer, head);
            if (all.energy > 0.0)
                FQ_TRY(fq_series_push(s, ratio(&all), 1.0, (int32_t)layer, (int32_t)head, err));
        }
    for (size_t layer = 0; layer < loop->layers; layer++) {
        const struct ppl_sums first = all_windows(loop, what, layer, 0);
        if (first.energy > 0.0)
            FQ_TRY(layer_series(loop, what, layer, tensor, out, err));
    }
    return 0;
}
