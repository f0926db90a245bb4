/* ggml blocks, scalar: walking the blocks of a vector, whatever the format. The query stays in float (ggml's own dot
 * product first quantizes it to q8_0), so that score is <q, decode>. Nothing here may know a single format. */
#include "methods/ggml/block.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int ggml_check(const char *name, const struct fq_shape *shape, char *why, size_t why_size) {
    if (shape->dim % GGML_BLOCK == 0)
        return 0;
    snprintf(why, why_size, "%s codes blocks of %d coordinates: needs a dimension divisible by %d, found %zu", name,
             GGML_BLOCK, GGML_BLOCK, shape->dim);
    return -1;
}

struct fq_footprint ggml_footprint(const struct ggml_format *format, const struct fq_shape *shape) {
    const size_t blocks = shape->dim / GGML_BLOCK;
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = blocks * format->block_bytes,
        .side_bytes = blocks * GGML_SCALE_BYTES,
        .work_dim = shape->dim,
        .prepared_bytes = shape->dim * sizeof(float),
        .scratch_bytes = shape->dim * sizeof(double), /* attend's sums */
    };
}

float ggml_reciprocal(float scale) {
    const float inverse = scale != 0 ? 1.0F / scale : 0.0F;
    return isfinite(inverse) ? inverse : 0.0F;
}

size_t ggml_encode(const struct ggml_format *format, const struct fq_call *call, size_t n, const float *x,
                   uint8_t *records) {
    const size_t blocks = call->shape.dim / GGML_BLOCK;
    for (size_t v = 0; v < n; v++)
        for (size_t b = 0; b < blocks; b++) {
            const size_t at = v * blocks + b;
            if (!format->encode(x + at * GGML_BLOCK, records + at * format->block_bytes))
                return v;
        }
    return n;
}

void ggml_prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    memcpy(prepared, q, n * call->shape.dim * sizeof *q);
}

static double scale_of(const uint8_t *block) {
    return (double)fq_scalar_get(FQ_SCALAR_FP16, block);
}

void ggml_score(const struct ggml_format *format, const struct fq_call *call, const void *prepared, size_t n,
                const uint8_t *records, float *scores) {
    const size_t blocks = call->shape.dim / GGML_BLOCK;
    const float *q = prepared;
    float level[GGML_BLOCK];
    for (size_t v = 0; v < n; v++) {
        double score = 0;
        for (size_t b = 0; b < blocks; b++) {
            const uint8_t *block = records + (v * blocks + b) * format->block_bytes;
            format->levels(block, level);
            double dot = 0;
            for (size_t j = 0; j < GGML_BLOCK; j++)
                dot += (double)q[b * GGML_BLOCK + j] * (double)level[j];
            score += scale_of(block) * dot;
        }
        scores[v] = (float)score;
    }
}

void ggml_decode(const struct ggml_format *format, const struct fq_call *call, size_t n, const uint8_t *records,
                 float *x) {
    const size_t blocks = n * (call->shape.dim / GGML_BLOCK);
    for (size_t b = 0; b < blocks; b++) {
        const uint8_t *block = records + b * format->block_bytes;
        const float scale = fq_scalar_get(FQ_SCALAR_FP16, block);
        float *out = x + b * GGML_BLOCK;
        format->levels(block, out);
        for (size_t j = 0; j < GGML_BLOCK; j++)
            out[j] *= scale;
    }
}

void ggml_attend(const struct ggml_format *format, const struct fq_call *call, size_t n, const uint8_t *records,
                 const float *weights, float *out) {
    const size_t dim = call->shape.dim, blocks = dim / GGML_BLOCK;
    double *sum = call->scratch;
    float level[GGML_BLOCK];
    for (size_t i = 0; i < dim; i++)
        sum[i] = 0;
    for (size_t v = 0; v < n; v++)
        for (size_t b = 0; b < blocks; b++) {
            const uint8_t *block = records + (v * blocks + b) * format->block_bytes;
            const double scale = (double)weights[v] * scale_of(block);
            format->levels(block, level);
            for (size_t j = 0; j < GGML_BLOCK; j++)
                sum[b * GGML_BLOCK + j] += scale * (double)level[j];
        }
    for (size_t i = 0; i < dim; i++)
        out[i] = (float)sum[i];
}

void ggml_known_vector(float x[GGML_KNOWN_DIM]) {
    for (int i = 0; i < GGML_KNOWN_DIM; i++)
        x[i] = (float)(sin(1.3 * i + 0.7) + 0.02 * ((37 * i) % 11));
}

double ggml_known_error(const struct ggml_format *format, const float x[GGML_KNOWN_DIM]) {
    uint8_t block[GGML_SCALE_BYTES + GGML_BLOCK * sizeof(float)];
    float level[GGML_BLOCK];
    double error = 0, square = 0;
    for (size_t first = 0; first < GGML_KNOWN_DIM; first += GGML_BLOCK) {
        if (!format->encode(x + first, block))
            return INFINITY;
        format->levels(block, level);
        for (size_t j = 0; j < GGML_BLOCK; j++) {
            const double value = (double)x[first + j], e = value - scale_of(block) * (double)level[j];
            error += e * e;
            square += value * value;
        }
    }
    return error / square;
}
