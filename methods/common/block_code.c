/* Block formats, scalar: walking the blocks of a vector, whatever the format. Sums run in double in index order. Where
 * llama.cpp's Hadamard stands in front, scores are taken among rotated vectors (H is orthogonal), and only decode and
 * attend turn back. */
#include "methods/common/block_code.h"

#include "methods/common/hadamard.h"
#include "methods/common/known_answer.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LLAMA_LEAST = 64 };

const char *const fq_block_hadamard_choices[] = {"none", "llama", NULL};

static size_t blocks_of(const struct fq_block_code *code, const struct fq_call *call) {
    return call->shape.dim / code->format->length;
}

int fq_block_check(const struct fq_block_code *code, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct fq_block_format *f = code->format;
    if (shape->dim % f->length != 0) {
        snprintf(why, why_size, "%s codes blocks of %zu coordinates: needs a dimension divisible by %zu, found %zu",
                 f->name, f->length, f->length, shape->dim);
        return -1;
    }
    if (code->hadamard == FQ_BLOCK_HADAMARD_LLAMA && shape->dim % LLAMA_LEAST != 0) {
        snprintf(why, why_size,
                 "hadamard=llama needs a dimension divisible by %d, found %zu; llama.cpp leaves such heads unrotated: "
                 "use hadamard=none",
                 (int)LLAMA_LEAST, shape->dim);
        return -1;
    }
    return 0;
}

size_t fq_block_hadamard_size(const struct fq_block_code *code, const struct fq_shape *shape) {
    if (code->hadamard == FQ_BLOCK_HADAMARD_NONE)
        return 1;
    size_t size = LLAMA_LEAST;
    while (shape->tensor == FQ_KEY && shape->dim % (2 * size) == 0)
        size *= 2;
    return size;
}

struct fq_footprint fq_block_footprint(const struct fq_block_code *code, const struct fq_shape *shape) {
    const size_t blocks = shape->dim / code->format->length, scalar = code->greatest > 0 ? sizeof(float) : 0;
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = blocks * code->format->block_bytes + scalar,
        .side_bytes = blocks * code->format->side_bytes + scalar,
        .work_dim = shape->dim,
        .prepared_bytes = shape->dim * sizeof(float),
        .scratch_bytes = shape->dim * sizeof(double), /* attend's sums; the scaled vector of encode */
    };
}

/* v <- H v / sqrt(size) on blocks of the vector; the factor goes first, so that nothing can overflow on the way. */
static void hadamard(const struct fq_block_code *code, const struct fq_call *call, float *v) {
    const size_t size = fq_block_hadamard_size(code, &call->shape), dim = call->shape.dim;
    if (size == 1)
        return;
    const float factor = (float)(1 / sqrt((double)size));
    for (size_t i = 0; i < dim; i++)
        v[i] *= factor;
    for (size_t i = 0; i < dim; i += size)
        fq_fwht(v + i, size);
}

void fq_block_rotate(const struct fq_block_code *code, const struct fq_call *call, size_t n, const float *x, float *y) {
    memcpy(y, x, n * call->shape.dim * sizeof *y);
    for (size_t v = 0; v < n; v++)
        hadamard(code, call, y + v * call->shape.dim);
}

void fq_block_prepare(const struct fq_block_code *code, const struct fq_call *call, size_t n, const float *q,
                      void *prepared) {
    fq_block_rotate(code, call, n, q, prepared);
}

/* s, stored behind the blocks; 1 where the format has none. */
static double vector_scale(const struct fq_block_code *code, const struct fq_call *call, const uint8_t *record) {
    float scale = 1;
    if (code->greatest > 0)
        memcpy(&scale, record + blocks_of(code, call) * code->format->block_bytes, sizeof scale);
    return (double)scale;
}

/* y / s in scratch, s in the record; y itself where the format has no such scale. A vector whose s vanishes in float32
 * is coded as zeros. */
static const float *scaled(const struct fq_block_code *code, const struct fq_call *call, const float *y,
                           uint8_t *record) {
    if (!(code->greatest > 0))
        return y;
    const size_t dim = call->shape.dim;
    float *out = call->scratch, amax = 0;
    for (size_t i = 0; i < dim; i++)
        amax = fmaxf(amax, fabsf(y[i]));
    const float scale = (float)((double)amax / code->greatest);
    memcpy(record + blocks_of(code, call) * code->format->block_bytes, &scale, sizeof scale);
    const double inverse = scale > 0 ? 1 / (double)scale : 0;
    for (size_t i = 0; i < dim; i++) /* a subnormal s is coarse: its quotient may exceed what the format holds */
        out[i] = (float)fmin(fmax((double)y[i] * inverse, -code->greatest), code->greatest);
    return out;
}

/* The Hadamard mixes coordinates, so a vector of nearly float's greatest length may turn into more than a float holds,
 * on its way in or out; half of it leaves room for every format's error. Without, blocks keep to their own range. */
static bool length_fits(const struct fq_block_code *code, const struct fq_call *call, const float *y) {
    if (code->hadamard == FQ_BLOCK_HADAMARD_NONE)
        return true;
    double square = 0;
    for (size_t i = 0; i < call->shape.dim; i++)
        square += (double)y[i] * (double)y[i];
    return square <= (double)FLT_MAX / 2 * ((double)FLT_MAX / 2); /* false for infinities and for what they sum to */
}

size_t fq_block_encode(const struct fq_block_code *code, const struct fq_call *call, size_t n, const float *y,
                       uint8_t *records) {
    const struct fq_block_format *f = code->format;
    const size_t blocks = blocks_of(code, call);
    for (size_t v = 0; v < n; v++) {
        uint8_t *record = records + v * call->footprint->record_bytes;
        if (!length_fits(code, call, y + v * call->shape.dim))
            return v;
        const float *x = scaled(code, call, y + v * call->shape.dim, record);
        for (size_t b = 0; b < blocks; b++)
            if (!f->encode(x + b * f->length, record + b * f->block_bytes))
                return v;
    }
    return n;
}

void fq_block_score(const struct fq_block_code *code, const struct fq_call *call, const void *prepared, size_t n,
                    const uint8_t *records, float *scores) {
    const struct fq_block_format *f = code->format;
    const size_t blocks = blocks_of(code, call);
    const float *q = prepared;
    float x[FQ_BLOCK_MOST_LENGTH];
    for (size_t v = 0; v < n; v++) {
        const uint8_t *record = records + v * call->footprint->record_bytes;
        double score = 0;
        for (size_t b = 0; b < blocks; b++) {
            f->decode(record + b * f->block_bytes, x);
            for (size_t j = 0; j < f->length; j++)
                score += (double)q[b * f->length + j] * (double)x[j];
        }
        scores[v] = (float)(vector_scale(code, call, record) * score);
    }
}

void fq_block_decode(const struct fq_block_code *code, const struct fq_call *call, size_t n, const uint8_t *records,
                     float *x) {
    const struct fq_block_format *f = code->format;
    const size_t blocks = blocks_of(code, call), dim = call->shape.dim;
    for (size_t v = 0; v < n; v++) {
        const uint8_t *record = records + v * call->footprint->record_bytes;
        float *out = x + v * dim;
        for (size_t b = 0; b < blocks; b++)
            f->decode(record + b * f->block_bytes, out + b * f->length);
        if (code->greatest > 0) {
            const double scale = vector_scale(code, call, record);
            for (size_t i = 0; i < dim; i++)
                out[i] = (float)((double)out[i] * scale);
        }
        hadamard(code, call, out);
    }
}

void fq_block_attend(const struct fq_block_code *code, const struct fq_call *call, size_t n, const uint8_t *records,
                     const float *weights, float *out) {
    const struct fq_block_format *f = code->format;
    const size_t blocks = blocks_of(code, call), dim = call->shape.dim;
    double *sum = call->scratch;
    float x[FQ_BLOCK_MOST_LENGTH];
    for (size_t i = 0; i < dim; i++)
        sum[i] = 0;
    for (size_t v = 0; v < n; v++) {
        const uint8_t *record = records + v * call->footprint->record_bytes;
        const double weight = (double)weights[v] * vector_scale(code, call, record);
        for (size_t b = 0; b < blocks; b++) {
            f->decode(record + b * f->block_bytes, x);
            for (size_t j = 0; j < f->length; j++)
                sum[b * f->length + j] += weight * (double)x[j];
        }
    }
    for (size_t i = 0; i < dim; i++)
        out[i] = (float)sum[i];
    hadamard(code, call, out);
}

void fq_block_known_answers(const struct fq_block_format *format, const int codes[FQ_BLOCK_KNOWN_CODES], double error,
                            double tolerance, const char *source, const struct fq_answers *answers) {
    float x[FQ_APPENDIX_B_DIM], q[FQ_APPENDIX_B_DIM], decoded[FQ_BLOCK_MOST_LENGTH];
    uint8_t block[FQ_BLOCK_MOST_BYTES];
    int code[FQ_BLOCK_MOST_LENGTH];
    double wrong = 0, square = 0;
    char what[64];
    fq_appendix_b_vectors(x, q);
    for (size_t first = 0; first < FQ_APPENDIX_B_DIM; first += format->length) {
        if (!format->encode(x + first, block)) {
            answers->emit(answers->sink, "blocks encoded", 1, 0, 0, source);
            return;
        }
        format->codes(block, code);
        for (size_t j = 0; first == 0 && j < FQ_BLOCK_KNOWN_CODES; j++) {
            snprintf(what, sizeof what, "block 0: code %zu", j);
            answers->emit(answers->sink, what, codes[j], code[j], 0, source);
        }
        format->decode(block, decoded);
        for (size_t j = 0; j < format->length; j++) {
            const double value = (double)x[first + j], e = value - (double)decoded[j];
            wrong += e * e;
            square += value * value;
        }
    }
    answers->emit(answers->sink, "whole vector: relative squared error", error, wrong / square, tolerance, source);
}
