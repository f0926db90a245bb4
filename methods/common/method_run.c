/* The least driver of a method. */
#include "methods/common/method_run.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, POISON = 0xa5, MAX_NAME = 32 };

static void *aligned_bytes(size_t n) {
    const size_t size = n ? (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
    void *p = aligned_alloc(ALIGNMENT, size);
    if (p)
        memset(p, POISON, size);
    return p;
}

static int set_value(const struct fq_param_spec *spec, const char *text, double *value) {
    if (spec->kind == FQ_PARAM_CHOICE) {
        for (size_t i = 0; spec->choices[i]; i++)
            if (strcmp(spec->choices[i], text) == 0) {
                *value = (double)i;
                return 0;
            }
        return -1;
    }
    char *end;
    *value = strtod(text, &end);
    return end == text || *end != '\0' || *value < spec->min || *value > spec->max ? -1 : 0;
}

int fq_method_run_params(const struct fq_method *method, const char *text, struct fq_params *params) {
    memset(params, 0, sizeof *params);
    for (size_t i = 0; i < method->n_params; i++)
        params->v[i] = method->params[i].def;
    while (*text) {
        char pair[2 * MAX_NAME];
        const size_t length = strcspn(text, " ");
        if (length >= sizeof pair)
            return -1;
        memcpy(pair, text, length);
        pair[length] = '\0';
        text += length + strspn(text + length, " ");
        char *value = strchr(pair, '=');
        if (!value)
            return -1;
        *value++ = '\0';
        size_t i = 0;
        while (i < method->n_params && strcmp(method->params[i].name, pair) != 0)
            i++;
        if (i == method->n_params || set_value(&method->params[i], value, &params->v[i]) != 0)
            return -1;
    }
    return 0;
}

int fq_method_run_open(struct fq_method_run *run, const struct fq_method *method, const char *params, size_t dim,
                       const struct fq_streams *streams) {
    memset(run, 0, sizeof *run);
    char why[256];
    run->method = method;
    run->kernels = method->kernels[FQ_REF];
    run->shape = (struct fq_shape){.dim = dim, .tensor = FQ_KEY};
    if (!run->kernels || fq_method_run_params(method, params, &run->params) != 0)
        return -1;
    if (method->check && method->check(&run->params, &run->shape, why, sizeof why) != 0)
        return -1;
    run->footprint = method->footprint(&run->params, &run->shape);
    run->shared = aligned_bytes(run->footprint.shared_bytes);
    run->scratch = aligned_bytes(run->footprint.scratch_bytes);
    void *work = aligned_bytes(method->setup_scratch ? method->setup_scratch(&run->params, &run->shape) : 0);
    if (!run->shared || !run->scratch || !work) {
        free(work);
        fq_method_run_close(run);
        return -1;
    }
    if (method->setup)
        method->setup(&run->params, &run->shape, streams, run->shared, work);
    free(work);
    run->call = (struct fq_call){.params = &run->params,
                                 .shape = run->shape,
                                 .footprint = &run->footprint,
                                 .shared = run->shared,
                                 .scratch = run->scratch};
    return 0;
}

void fq_method_run_close(struct fq_method_run *run) {
    free(run->shared);
    free(run->scratch);
    run->shared = run->scratch = NULL;
}

static const struct fq_call *fresh_call(struct fq_method_run *run) {
    memset(run->scratch, POISON, run->footprint.scratch_bytes);
    /* The struct may have been moved since it was opened. */
    run->call.params = &run->params;
    run->call.footprint = &run->footprint;
    return &run->call;
}

size_t fq_method_run_encode(struct fq_method_run *run, size_t n_groups, const float *x, uint8_t *records) {
    const size_t n = n_groups * run->footprint.granularity;
    if (!run->kernels->rotate)
        return run->kernels->encode(fresh_call(run), n_groups, x, records);
    float *y = aligned_bytes(n * run->footprint.work_dim * sizeof *y);
    if (!y)
        return 0;
    run->kernels->rotate(fresh_call(run), n, x, y);
    const size_t done = run->kernels->encode(fresh_call(run), n_groups, y, records);
    free(y);
    return done;
}

void fq_method_run_decode(struct fq_method_run *run, size_t n_groups, const uint8_t *records, float *x) {
    run->kernels->decode(fresh_call(run), n_groups, records, x);
}

void fq_method_run_score(struct fq_method_run *run, const float *q, size_t n_groups, const uint8_t *records,
                         float *scores) {
    void *prepared = aligned_bytes(run->footprint.prepared_bytes);
    if (!prepared)
        return;
    run->kernels->prepare(fresh_call(run), 1, q, prepared);
    run->kernels->score(fresh_call(run), prepared, n_groups, records, scores);
    free(prepared);
}

void fq_method_run_attend(struct fq_method_run *run, size_t n_groups, const uint8_t *records, const float *weights,
                          float *out) {
    run->kernels->attend(fresh_call(run), n_groups, records, weights, out);
}
