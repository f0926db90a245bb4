/* RaBitQ's known answers (methods.md appendix B): one structured vector of 128 numbers, rotated by signs and one
 * Hadamard transform, whose codes and estimates were computed independently in double precision. The kernels run here
 * exactly as the harness runs them, on the rotated vector with rotation=none. */
#include "methods/rabitq/rabitq.h"

#include <math.h>
#include <stdio.h>

enum { DIM = 128, SCRATCH = 64 * 1024 };

struct known {
    int bits;
    double t; /* 0: nothing to search */
    double cosine;
    double checksum; /* sum code_i (i + 1) */
    double scale;    /* ||x|| / <u, g> */
    double estimate;
};

static const struct known known[] = {
    {1, 0, 0.57457578, 3888, 2.5022360, 2.513329},
    {2, 10.230706, 0.82777843, 12099, 1.0984783, -1.674619},
    {3, 14.856981, 0.94094471, 29425, 0.6051616, -0.624710},
    {4, 24.175656, 0.98051501, 63359, 0.3474233, -0.694722},
};

/* y = H (s . x) / sqrt(128) and r = H (s . q) / sqrt(128), rounded to float once, as an input of the harness would be.
 */
static void make_input(float *y, float *r) {
    double x[DIM], q[DIM];
    for (int i = 0; i < DIM; i++) {
        const double sign = ((uint32_t)i * 2654435761U) >> 31 ? -1 : 1;
        x[i] = sign * (sin(1.3 * i + 0.7) + 0.02 * ((37 * i) % 11));
        q[i] = sign * cos(0.9 * i + 0.2);
    }
    for (int k = 0; k < DIM; k++) { /* entry (k, i) of the Sylvester matrix is -1 to the number of common bits */
        double yk = 0, rk = 0;
        for (int i = 0; i < DIM; i++) {
            const double h = __builtin_popcount((unsigned)(k & i)) & 1 ? -1 : 1;
            yk += h * x[i];
            rk += h * q[i];
        }
        y[k] = (float)(yk / sqrt(DIM));
        r[k] = (float)(rk / sqrt(DIM));
    }
}

static void answer(const struct fq_answers *answers, int bits, const char *what, double expected, double measured,
                   double tolerance) {
    char text[64];
    snprintf(text, sizeof text, "bits=%d: %s", bits, what);
    answers->emit(answers->sink, text, expected, measured, tolerance, "methods.md appendix B");
}

static void one_width(const struct fq_answers *answers, const struct known *k, const float *y, const float *r) {
    _Alignas(64) uint8_t scratch[SCRATCH];
    _Alignas(64) float prepared[DIM + 2];
    uint8_t record[DIM + sizeof(float)], code[DIM];
    struct fq_params params = {{0}};
    params.v[RABITQ_BITS] = k->bits;
    params.v[RABITQ_ROTATION] = FQ_ROTATION_NONE;
    params.v[RABITQ_ROUNDS] = 1;
    params.v[RABITQ_SEARCH] = RABITQ_EXACT;
    params.v[RABITQ_SCALE] = RABITQ_SCALE_UNBIASED;
    params.v[RABITQ_SCALAR] = FQ_SCALAR_FP32;
    const struct rabitq_config config = rabitq_config_of(&params);
    const size_t code_bytes = fq_packed_bytes(k->bits, DIM);
    const struct fq_footprint footprint = {
        .granularity = 1,
        .record_bytes = code_bytes + sizeof(float),
        .side_bytes = sizeof(float),
        .work_dim = DIM,
        .prepared_bytes = sizeof prepared,
        .scratch_bytes = rabitq_scratch_bytes(&config, DIM),
    };
    const struct fq_call call = {
        .params = &params, .shape = {.dim = DIM, .tensor = FQ_KEY}, .footprint = &footprint, .scratch = scratch};

    double norm2 = 0;
    for (int i = 0; i < DIM; i++)
        norm2 += (double)y[i] * (double)y[i];
    const double norm = sqrt(norm2);
    const bool fits = footprint.scratch_bytes <= sizeof scratch;
    if (!fits || rabitq_kernels_ref.encode(&call, 1, y, record) != 1) {
        answer(answers, k->bits, "encoded", 1, 0, 0);
        return;
    }
    float estimate;
    rabitq_kernels_ref.prepare(&call, 1, r, prepared);
    rabitq_kernels_ref.score(&call, prepared, 1, record, &estimate);

    fq_unpack(k->bits, DIM, record, code);
    double checksum = 0, dot = 0, square = 0;
    for (int i = 0; i < DIM; i++) {
        const double g = code[i] - 0.5 * ((1 << k->bits) - 1);
        checksum += code[i] * (i + 1);
        dot += g * (double)y[i];
        square += g * g;
    }
    if (k->bits > 1) {
        double magnitude[DIM], inverse[DIM];
        for (int i = 0; i < DIM; i++) {
            magnitude[i] = fabs((double)y[i]) / norm;
            inverse[i] = 1 / magnitude[i];
        }
        const double t = rabitq_search_exact(k->bits, DIM, magnitude, inverse, scratch);
        answer(answers, k->bits, "rescale factor t", k->t, t, 1e-4);
    }
    answer(answers, k->bits, "cosine", k->cosine, dot / (norm * sqrt(square)), 1e-7);
    answer(answers, k->bits, "code checksum", k->checksum, checksum, 0);
    answer(answers, k->bits, "scale of the grid", k->scale,
           (double)fq_scalar_get(FQ_SCALAR_FP32, record + code_bytes) * rabitq_step(k->bits), 1e-6);
    answer(answers, k->bits, "estimate of <q,x>", k->estimate, (double)estimate, 5e-6);
}

void rabitq_known_answers(const struct fq_answers *answers) {
    float y[DIM], r[DIM];
    make_input(y, r);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        one_width(answers, &known[i], y, r);
}
