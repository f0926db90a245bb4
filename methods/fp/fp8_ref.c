/* fp8, reference bodies: E4M3 (bias 7, no infinity, greatest 448) and E5M2 (bias 15, IEEE-like, greatest 57344) of the
 * OCP 8-bit floating-point specification; one rounding per coordinate, ties to even.
 *
 * scale=vector: s = max|x| / greatest, stored first, and codes are formed of x / s with the s that was stored, so that
 * its rounding is no error of the codes. Record: codes, then s. Sums run in double in index order. */
#include "methods/fp/fp8.h"

#include <math.h>
#include <string.h>

const struct fp8_format fp8_e4m3 = {.fraction_bits = 3, .bias = 7, .greatest = 0x7e, .greatest_value = 448};
const struct fp8_format fp8_e5m2 = {.fraction_bits = 2, .bias = 15, .greatest = 0x7b, .greatest_value = 57344};

enum { SIGN = 0x80 };

uint8_t fp8_from_double(const struct fp8_format *format, double value, bool *overflowed) {
    const uint8_t sign = signbit(value) ? SIGN : 0;
    int exponent;
    frexp(value, &exponent); /* |value| in [2^(exponent-1), 2^exponent) */
    exponent--;
    const int least = 1 - format->bias;
    if (value == 0 || exponent < least)
        exponent = least;
    /* A whole number of quanta; the division is exact. A carry out of the fraction moves the code into the next
     * exponent by itself, and a number below 2^fraction_bits is a subnormal by itself. */
    const double quanta = rint(ldexp(fabs(value), format->fraction_bits - exponent));
    const double code = ldexp(exponent - least, format->fraction_bits) + quanta;
    if (code > format->greatest) {
        *overflowed = true;
        return format->greatest | sign;
    }
    return (uint8_t)((uint8_t)code | sign);
}

double fp8_value(const struct fp8_format *format, uint8_t code) {
    const int magnitude = code & 0x7f, one = 1 << format->fraction_bits;
    const int exponent = magnitude >> format->fraction_bits, fraction = magnitude & (one - 1);
    const double value = exponent == 0 ? ldexp(fraction, 1 - format->bias - format->fraction_bits)
                                       : ldexp(one + fraction, exponent - format->bias - format->fraction_bits);
    return code & SIGN ? -value : value;
}

static enum fq_scalar_kind scalar_of(const struct fq_call *call) {
    return (enum fq_scalar_kind)call->params->v[FP8_SCALAR];
}

static bool has_scale(const struct fq_call *call) {
    return (int)call->params->v[FP8_SCALE] == FP8_SCALE_VECTOR;
}

/* 1 without a scale. */
static double scale_of(const struct fq_call *call, const uint8_t *record) {
    return has_scale(call) ? (double)fq_scalar_get(scalar_of(call), record + call->shape.dim) : 1;
}

/* s into the record; 0: it does not fit its type, or vanishes in it (then all codes are zero). */
static bool put_scale(const struct fp8_format *format, const struct fq_call *call, const float *x, uint8_t *record) {
    double amax = 0;
    for (size_t i = 0; i < call->shape.dim; i++)
        amax = fmax(amax, fabs((double)x[i]));
    return fq_scalar_put(scalar_of(call), amax / format->greatest_value, record + call->shape.dim);
}

static size_t encode(const struct fp8_format *format, const struct fq_call *call, size_t n, const float *y,
                     uint8_t *records) {
    const size_t dim = call->shape.dim;
    const bool refuse = !has_scale(call) && (int)call->params->v[FP8_OVERFLOW] == FP8_REFUSE;
    for (size_t v = 0; v < n; v++) {
        const float *x = y + v * dim;
        uint8_t *record = records + v * call->footprint->record_bytes;
        bool overflowed = false;
        if (has_scale(call) && !put_scale(format, call, x, record))
            return v;
        const double scale = scale_of(call, record), inverse = scale > 0 ? 1 / scale : 0;
        for (size_t i = 0; i < dim; i++)
            record[i] = fp8_from_double(format, (double)x[i] * inverse, &overflowed);
        if (overflowed && refuse)
            return v;
    }
    return n;
}

static void prepare(const struct fq_call *call, size_t n, const float *q, void *prepared) {
    memcpy(prepared, q, n * call->shape.dim * sizeof *q);
}

static void score(const struct fp8_format *format, const struct fq_call *call, const void *prepared, size_t n,
                  const uint8_t *records, float *scores) {
    const float *q = prepared;
    for (size_t v = 0; v < n; v++, records += call->footprint->record_bytes) {
        double sum = 0;
        for (size_t i = 0; i < call->shape.dim; i++)
            sum += fp8_value(format, records[i]) * (double)q[i];
        scores[v] = (float)(scale_of(call, records) * sum);
    }
}

static void decode(const struct fp8_format *format, const struct fq_call *call, size_t n, const uint8_t *records,
                   float *x) {
    for (size_t v = 0; v < n; v++, records += call->footprint->record_bytes) {
        const double scale = scale_of(call, records);
        for (size_t i = 0; i < call->shape.dim; i++)
            x[v * call->shape.dim + i] = (float)(scale * fp8_value(format, records[i]));
    }
}

#define FP8_KERNELS(name)                                                                                              \
    static size_t encode_##name(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {       \
        return encode(&fp8_##name, call, n_groups, y, records);                                                        \
    }                                                                                                                  \
    static void score_##name(const struct fq_call *call, const void *prepared, size_t n_groups,                        \
                             const uint8_t *records, float *scores) {                                                  \
        score(&fp8_##name, call, prepared, n_groups, records, scores);                                                 \
    }                                                                                                                  \
    static void decode_##name(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {         \
        decode(&fp8_##name, call, n_groups, records, x);                                                               \
    }                                                                                                                  \
    const struct fq_kernels fp8_##name##_ref = {                                                                       \
        .encode = encode_##name, .prepare = prepare, .score = score_##name, .decode = decode_##name}
FP8_KERNELS(e4m3);
FP8_KERNELS(e5m2);
