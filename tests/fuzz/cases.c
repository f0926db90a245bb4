/* Cases of the fuzzer. Here apart from what is done with them, so that they can be read as a list of what is tried. */
#include "tests/fuzz/cases.h"

#include "harness/base/random.h"

#include <math.h>
#include <string.h>

uint8_t fuzz_byte(struct fuzz_bytes *b) {
    if (b->left == 0)
        return 0;
    b->left--;
    return *b->at++;
}

uint64_t fuzz_word(struct fuzz_bytes *b, size_t bytes) {
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)fuzz_byte(b) << (8 * i);
    return v;
}

size_t fuzz_dim(struct fuzz_bytes *b, size_t most) {
    static const size_t usual[] = {64, 32, 16, 8,  48, 1,  2,  3,   4,   5,   7,   12,
                                   17, 31, 33, 40, 63, 65, 96, 100, 128, 129, 160, 256};
    enum { USUAL = sizeof usual / sizeof usual[0], EVIL = 3 };
    static const size_t evil[EVIL] = {0, FQ_MAX_DIM + 1, SIZE_MAX};
    const uint8_t kind = fuzz_byte(b);
    const size_t other = (size_t)fuzz_word(b, 2);
    if (kind < 160)
        return usual[kind % USUAL];
    if (kind < 236)
        return 1 + other % most;
    return kind < 250 ? 1 + other % FQ_MAX_DIM : evil[kind % EVIL];
}

static size_t choices_of(const struct fq_param_spec *spec) {
    size_t n = 0;
    while (spec->choices[n])
        n++;
    return n;
}

static double fuzz_value(struct fuzz_bytes *b, const struct fq_param_spec *spec) {
    const uint8_t kind = fuzz_byte(b);
    const double u = (double)fuzz_word(b, 2) / 65535.0;
    const double low = spec->kind == FQ_PARAM_CHOICE ? 0 : spec->min;
    const double high = spec->kind == FQ_PARAM_CHOICE ? (double)choices_of(spec) - 1 : spec->max;
    if (kind < 64)
        return spec->def;
    if (kind < 80)
        return low;
    if (kind < 96)
        return high;
    if (kind < 120 && spec->kind == FQ_PARAM_INT) /* small values: where widths and counts live */
        return fmin(high, low + floor(u * 9));
    if (kind < 248)
        return spec->kind == FQ_PARAM_REAL ? low + u * (high - low) : low + floor(u * (high - low + 0.999));
    switch (kind % 8) { /* what no table allows */
    case 0:
        return low - 1;
    case 1:
        return high + 1;
    case 2:
        return low + 0.5;
    case 3:
        return NAN;
    case 4:
        return INFINITY;
    case 5:
        return -1e300;
    case 6:
        return 1e300;
    default:
        return -0.0;
    }
}

void fuzz_params(struct fuzz_bytes *b, const struct fq_method *method, struct fq_params *out) {
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < method->n_params; i++)
        out->v[i] = fuzz_value(b, &method->params[i]);
}

static float finite_or_one(float v) {
    return isfinite(v) ? v : 1.0F;
}

static float raw_float(struct fuzz_bytes *b) {
    const uint32_t bits = (uint32_t)fuzz_word(b, 4);
    float v;
    memcpy(&v, &bits, sizeof v);
    return finite_or_one(v);
}

/* Standard normal from the seed, times 2^exponent, within float. */
static void normal(uint64_t seed, size_t dim, int exponent, float *x) {
    const uint64_t key = fq_stream_key("data", seed);
    for (size_t i = 0; i < dim; i += 64) {
        double row[64];
        const size_t n = dim - i < 64 ? dim - i : 64;
        fq_random_gaussian(key, i, n, row);
        for (size_t j = 0; j < n; j++)
            x[i + j] = (float)fmax(-3.4e38, fmin(3.4e38, ldexp(row[j], exponent)));
    }
}

static void fill(size_t dim, float v, float *x) {
    for (size_t i = 0; i < dim; i++)
        x[i] = v;
}

enum fuzz_kind {
    KIND_NORMAL,
    KIND_NORMAL_ANY,
    KIND_ZERO,
    KIND_CONSTANT,
    KIND_ONE_HOT,
    KIND_SPARSE,
    KIND_HUGE_CHANNEL,
    KIND_DENORMAL,
    KIND_SIGNS,
    KIND_RAW,
    KIND_STEPS,
    KIND_COPY,
    KINDS
};

static void fuzz_vector(struct fuzz_bytes *b, size_t dim, const float *before, float *x) {
    const uint8_t kind = fuzz_byte(b);
    const uint64_t seed = fuzz_word(b, 2);
    const int exponent = (int)fuzz_byte(b) - 128; /* 2^-128 .. 2^127 */
    const size_t place = (size_t)seed % dim;
    fill(dim, 0.0F, x);
    switch ((enum fuzz_kind)(kind % KINDS)) {
    case KIND_NORMAL:
        normal(seed, dim, exponent / 16, x);
        break;
    case KIND_NORMAL_ANY:
        normal(seed, dim, exponent, x);
        break;
    case KIND_CONSTANT:
        fill(dim, raw_float(b), x);
        break;
    case KIND_ONE_HOT:
        x[place] = ldexpf(seed & 1 ? -1.0F : 1.0F, exponent);
        break;
    case KIND_SPARSE:
        for (size_t i = 0; i < 4; i++)
            x[(place + i * (1 + dim / 3)) % dim] = raw_float(b);
        break;
    case KIND_HUGE_CHANNEL:
        normal(seed, dim, 0, x);
        x[place] = finite_or_one(ldexpf(1.0F, exponent));
        break;
    case KIND_DENORMAL:
        for (size_t i = 0; i < dim; i++) {
            const uint32_t bits = (uint32_t)((seed + i * 2654435761U) & 0x807fffffU);
            memcpy(&x[i], &bits, sizeof bits);
        }
        break;
    case KIND_SIGNS:
        for (size_t i = 0; i < dim; i++)
            x[i] = ldexpf((seed >> (i % 16)) & 1 ? -1.0F : 1.0F, exponent);
        break;
    case KIND_RAW:
        for (size_t i = 0; i < dim; i++)
            x[i] = b->left > 0 ? raw_float(b) : x[i / 2];
        break;
    case KIND_STEPS: /* every magnitude at once */
        for (size_t i = 0; i < dim; i++)
            x[i] = ldexpf(i % 3 ? 1.0F : -1.5F, exponent / 2 + (int)(i % 64) - 32);
        break;
    case KIND_COPY:
        if (before)
            memcpy(x, before, dim * sizeof *x);
        break;
    case KIND_ZERO:
    case KINDS:
        break;
    }
}

void fuzz_vectors(struct fuzz_bytes *b, size_t n, size_t dim, float *x) {
    const uint8_t how = fuzz_byte(b);
    for (size_t v = 0; v < n; v++) {
        float *row = x + v * dim;
        /* A batch of one kind is the common case, and it spares bytes: half of the inputs say one vector and repeat it
         * at other seeds. */
        if (how % 2 == 0 || v == 0)
            fuzz_vector(b, dim, v > 0 ? row - dim : NULL, row);
        else
            for (size_t i = 0; i < dim; i++)
                row[i] = x[(i * (2 * v + 1) + v) % dim] * (v % 3 ? 1.0F : -1.0F);
    }
}

void fuzz_query(struct fuzz_bytes *b, size_t dim, float *q) {
    const int shrink = 6 + fuzz_byte(b) / 2;
    double square = 0;
    fuzz_vector(b, dim, NULL, q);
    for (size_t i = 0; i < dim; i++)
        square += (double)q[i] * (double)q[i];
    /* In two steps: a factor of 1 / 1e38 would be a denormal float. */
    const double factor = square > 0 ? ldexp(1 / sqrt(square), -shrink) : 0;
    for (size_t i = 0; i < dim; i++)
        q[i] = (float)((double)q[i] * factor);
}
