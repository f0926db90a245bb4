/* The entry to all measurements on data: what is possible, which walk, and the bytes. */
#include "harness/measure/measure_internal.h"

#include <stdio.h>
#include <string.h>

void fq_measure_options_default(struct fq_measure_options *options) {
    *options = (struct fq_measure_options){.metrics = FQ_MEASURE_DISTORTION | FQ_MEASURE_INNER_PRODUCT |
                                                      FQ_MEASURE_ATTENTION | FQ_MEASURE_BYTES,
                                           .data_seed = 1,
                                           .max_windows = 0,
                                           .window_queries = 4,
                                           .max_pairs = 4096,
                                           .max_real_queries = 64};
}

const char *fq_tensor_label(const struct fq_dataset_info *info, enum fq_tensor tensor) {
    return info->kind != FQ_DATA_KV ? "vectors" : tensor == FQ_KEY ? "key" : "value";
}

/* NULL: possible; else why not. */
static const char *obstacle(unsigned metric, const struct fq_dataset_info *info, const struct fq_codec *codec) {
    const bool kv = info->kind == FQ_DATA_KV, key = fq_codec_configuration(codec)->shape.tensor == FQ_KEY;
    const bool decode = fq_codec_has(codec, FQ_STAGE_DECODE), score = fq_codec_has(codec, FQ_STAGE_SCORE);
    if (metric == FQ_MEASURE_DISTORTION)
        return decode ? NULL : "the method has no decode stage";
    if (metric == FQ_MEASURE_BYTES)
        return NULL;
    if (!key && !decode)
        return "the method has no decode stage";
    if (!decode && !score)
        return "the method has neither a score nor a decode stage";
    if (metric == FQ_MEASURE_NEEDLE)
        return kv && !key ? "queries meet keys, not values" : NULL;
    if (metric == FQ_MEASURE_INNER_PRODUCT) {
        if (kv && !key)
            return "queries meet keys, not values";
        return kv && !info->has_query ? "the set holds no queries" : NULL;
    }
    if (!kv)
        return "attention needs a KV set";
    if (!info->has_query)
        return "the set holds no queries";
    return !key && !info->has_value ? "the set holds no values" : NULL;
}

bool fq_measure_possible(unsigned metric, const struct fq_dataset_info *info, const struct fq_codec *codec) {
    return obstacle(metric, info, codec) == NULL;
}

int fq_pass_series(const struct measure_pass *pass, const char *metric, const char *unit, const char *statistics,
                   const char *resample, size_t *index, struct fq_error *err) {
    const struct fq_series *s = fq_series_add(pass->list, metric, pass->label, unit, statistics, resample, err);
    if (s == NULL)
        return err->code;
    *index = pass->list->n - 1;
    return FQ_OK;
}

int fq_pass_push(const struct measure_pass *pass, size_t index, double value, double weight, size_t label_a,
                 size_t label_b, struct fq_error *err) {
    return fq_series_push(&pass->list->series[index], value, weight, (int32_t)label_a, (int32_t)label_b, err);
}

int fq_estimates(struct fq_codec *codec, size_t n, const float *xhat, size_t n_queries, const float *q, float *scores,
                 struct fq_error *err) {
    if (fq_codec_has(codec, FQ_STAGE_SCORE))
        return fq_codec_scores(codec, n_queries, q, scores, err);
    const size_t dim = fq_codec_configuration(codec)->shape.dim;
    for (size_t i = 0; i < n_queries; i++)
        for (size_t j = 0; j < n; j++)
            scores[i * n + j] = (float)fq_dot(dim, q + i * dim, xhat + j * dim);
    return FQ_OK;
}

static int check_pass(const struct measure_pass *pass, struct fq_error *err) {
    static const struct {
        unsigned bit;
        const char *name;
    } metrics[] = {{FQ_MEASURE_DISTORTION, "distortion"},
                   {FQ_MEASURE_INNER_PRODUCT, "inner_product"},
                   {FQ_MEASURE_ATTENTION, "attention"},
                   {FQ_MEASURE_BYTES, "bytes"},
                   {FQ_MEASURE_NEEDLE, "needle"}};
    const struct fq_codec_config *config = fq_codec_configuration(pass->codec);
    if (config->shape.dim != pass->info->dim)
        return fq_fail(err, FQ_FAILED, "%s was opened for dimension %zu and %s has %zu", config->method->name,
                       config->shape.dim, pass->info->name, pass->info->dim);
    if (pass->tensor == FQ_VALUE && pass->info->kind == FQ_DATA_KV && !pass->info->has_value)
        return fq_fail(err, FQ_USAGE, "%s holds no values; leave tensor value out", pass->info->name);
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        const char *why =
            (pass->options->metrics & metrics[i].bit) != 0 ? obstacle(metrics[i].bit, pass->info, pass->codec) : NULL;
        if (why != NULL)
            return fq_fail(err, FQ_USAGE, "metric %s of %s on %s (%s) is not possible: %s", metrics[i].name,
                           config->method->name, pass->info->name, pass->label, why);
    }
    if ((pass->options->metrics & FQ_MEASURE_NEEDLE) != 0 && pass->options->centre != FQ_CENTRE_NONE)
        return fq_fail(err, FQ_USAGE, "metric needle of %s on %s is not possible with centre %s", config->method->name,
                       pass->info->name, fq_centre_name(pass->options->centre));
    const char *why =
        fq_centre_obstacle(pass->options->centre, pass->info, pass->tensor, fq_codec_has(pass->codec, FQ_STAGE_DECODE));
    return why == NULL ? FQ_OK
                       : fq_fail(err, FQ_USAGE, "centre %s of %s on %s (%s) is not possible: %s",
                                 fq_centre_name(pass->options->centre), config->method->name, pass->info->name,
                                 pass->label, why);
}

/* `more`: bytes of shared state that are not the codec's own. */
static int measure_bytes(const struct fq_codec *codec, uint64_t more, const char *tensor, struct fq_series_list *list,
                         struct fq_error *err) {
    struct fq_bytes b;
    fq_codec_bytes(codec, &b);
    if (b.vectors == 0)
        return fq_fail(err, FQ_FAILED, "%s: no bytes to measure, nothing was encoded",
                       fq_codec_configuration(codec)->method->name);
    const double n = (double)b.vectors;
    const struct {
        const char *metric, *unit;
        double value;
    } rows[] = {{"rate_bits", "bits", fq_codec_rate_bits(codec)},
                {"record_bytes", "bytes/vector", (double)b.record_bytes / n},
                {"side_bytes", "bytes/vector", (double)b.side_bytes / n},
                {"tail_bytes", "bytes/vector", (double)b.tail_bytes / n},
                {"shared_bytes", "bytes", (double)(b.shared_bytes + more)}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fq_series *s = fq_series_add(list, rows[i].metric, tensor, rows[i].unit, "mean", "exact", err);
        if (s == NULL)
            return err->code;
        FQ_TRY(fq_series_push(s, rows[i].value, 1.0, 0, 0, err));
    }
    return FQ_OK;
}

int fq_measure_dataset(struct fq_codec *codec, struct fq_dataset *set, const struct fq_measure_options *options,
                       struct fq_series_list *list, struct fq_error *err) {
    const struct fq_dataset_info *info = fq_dataset_info(set);
    const enum fq_tensor tensor = fq_codec_configuration(codec)->shape.tensor;
    const struct measure_pass pass = {codec, set, info, tensor, fq_tensor_label(info, tensor), options, list};
    FQ_TRY(check_pass(&pass, err));
    FQ_TRY(info->kind == FQ_DATA_KV ? fq_measure_kv(&pass, err) : fq_measure_vectors(&pass, err));
    if ((options->metrics & FQ_MEASURE_BYTES) != 0)
        FQ_TRY(measure_bytes(codec, fq_centre_shared_bytes(options->centre, info->layers, info->kv_heads, info->dim),
                             pass.label, list, err));
    return FQ_OK;
}

int fq_measure_bytes(const struct fq_codec *codec, const char *tensor, struct fq_series_list *list,
                     struct fq_error *err) {
    return measure_bytes(codec, 0, tensor, list, err);
}
