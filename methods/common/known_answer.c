/* Appendix B through a method's own kernels: setup, rotate, encode, score, decode. Nothing is recomputed beside them.
 */
#include "methods/common/known_answer.h"

#include "methods/common/method_run.h"
#include "methods/common/pack.h"
#include "methods/common/scale.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { D = FQ_APPENDIX_B_DIM, MAX_RECORD = 4 * D };

static const char source[] = "methods.md appendix B";

const double fq_appendix_b_code_sum[FQ_APPENDIX_B_BITS] = {3888, 12205, 29401, 63659};
const double fq_appendix_b_raw_error[FQ_APPENDIX_B_BITS] = {0.719729, 0.295623, 0.119143, 0.047383};

/* Rows b = 1..4; columns in the order of enum fq_scale_kind. The raw scale is ||x|| / sqrt(d). */
static const double scale_table[FQ_APPENDIX_B_BITS][4] = {{0.7188621, 0.9009600, 0.5176698, 1.5680439},
                                                          {0.7188621, 0.8746905, 0.7342644, 1.0419727},
                                                          {0.7188621, 0.8436177, 0.7954657, 0.8946846},
                                                          {0.7188621, 0.7878433, 0.7706969, 0.8053712}};
static const double estimate_table[FQ_APPENDIX_B_BITS][4] = {{1.152223, 1.444098, 0.829744, 2.513329},
                                                             {-1.212886, -1.475804, -1.238873, -1.758048},
                                                             {-1.160243, -1.361598, -1.283881, -1.444020},
                                                             {-0.764171, -0.837500, -0.819273, -0.856133}};
/* The appendix has no error for the unbiased scale; 0 marks that. */
static const double error_table[FQ_APPENDIX_B_BITS][4] = {{0.719729, 0.850848, 0.669863, 0},
                                                          {0.295623, 0.321087, 0.295313, 0},
                                                          {0.119143, 0.114156, 0.110898, 0},
                                                          {0.047383, 0.043528, 0.043054, 0}};

void fq_appendix_b_vectors(float x[FQ_APPENDIX_B_DIM], float q[FQ_APPENDIX_B_DIM]) {
    for (int i = 0; i < D; i++) {
        x[i] = (float)(sin(1.3 * i + 0.7) + 0.02 * ((37 * i) % 11));
        q[i] = (float)cos(0.9 * i + 0.2);
    }
}

static void mask_words(uint64_t key, uint64_t first, size_t n, uint64_t *out) {
    (void)key;
    for (size_t w = 0; w < n; w++) {
        out[w] = 0;
        for (unsigned b = 0; b < 64; b++) {
            const uint32_t hash = (uint32_t)((first + w) * 64 + b) * 2654435761U;
            out[w] |= (uint64_t)(hash >> 31) << b;
        }
    }
}

/* A Weyl sequence: equidistributed, which is all a fixed example needs. */
static void weyl(uint64_t key, uint64_t first, size_t n, double *out) {
    (void)key;
    for (size_t i = 0; i < n; i++) {
        const uint64_t word = (first + i + 1) * 0x9e3779b97f4a7c15ULL;
        out[i] = ((double)(word >> 11) + 0.5) * 0x1p-53;
    }
}

static void box_muller(uint64_t key, uint64_t first, size_t n, double *out) {
    for (size_t i = 0; i < n; i++) {
        double u[2];
        weyl(key, 2 * (first + i), 2, u);
        out[i] = sqrt(-2 * log(u[0])) * cos(2 * acos(-1.0) * u[1]);
    }
}

struct fq_streams fq_appendix_b_streams(void) {
    return (struct fq_streams){
        .rotation = 1, .sketch = 2, .training = 3, .bits = mask_words, .uniform = weyl, .gaussian = box_muller};
}

double fq_appendix_b_code_sum_of(int bits, const uint8_t *packed) {
    uint8_t index[D];
    double sum = 0;
    fq_unpack(bits, D, packed, index);
    for (int i = 0; i < D; i++)
        sum += (double)index[i] * (i + 1);
    return sum;
}

static double relative_error(const float *x, const float *y) {
    double error = 0, norm = 0;
    for (int i = 0; i < D; i++) {
        const double e = (double)x[i] - (double)y[i];
        error += e * e;
        norm += (double)x[i] * (double)x[i];
    }
    return error / norm;
}

/* Not every method that is this pipeline offers all four scales: a paper may know two. */
static bool has_scale(const struct fq_method *method, const char *name) {
    for (size_t i = 0; i < method->n_params; i++)
        if (strcmp(method->params[i].name, "scale") == 0)
            for (const char *const *choice = method->params[i].choices; *choice; choice++)
                if (strcmp(*choice, name) == 0)
                    return true;
    return false;
}

void fq_scalar_code_known_answers(const struct fq_method *method, const struct fq_answers *answers) {
    const struct fq_streams streams = fq_appendix_b_streams();
    float x[D], q[D], decoded[D], estimate;
    uint8_t record[MAX_RECORD];
    char text[128];
    fq_appendix_b_vectors(x, q);
    for (int bits = 1; bits <= FQ_APPENDIX_B_BITS; bits++) {
        bool codes_seen = false;
        for (int kind = 0; fq_scale_choices[kind]; kind++) {
            struct fq_method_run run;
            if (!has_scale(method, fq_scale_choices[kind]))
                continue;
            snprintf(text, sizeof text, "bits=%d rotation=rht rounds=1 scale=%s scalar=fp32", bits,
                     fq_scale_choices[kind]);
            const bool opened = fq_method_run_open(&run, method, text, D, &streams) == 0;
            if (!opened || run.footprint.record_bytes > MAX_RECORD || fq_method_run_encode(&run, 1, x, record) != 1) {
                answers->emit(answers->sink, text, 1, 0, 0, "the record of appendix B could not be made");
                if (opened)
                    fq_method_run_close(&run);
                continue;
            }
            fq_method_run_decode(&run, 1, record, decoded);
            fq_method_run_score(&run, q, 1, record, &estimate);
            const uint8_t *scalar = record + fq_packed_bytes(bits, D);
            char what[64];
#define FQ_EMIT(name, expected, measured, tolerance)                                                                   \
    do {                                                                                                               \
        snprintf(what, sizeof what, name ", b=%d scale=%s", bits, fq_scale_choices[kind]);                             \
        answers->emit(answers->sink, what, expected, measured, tolerance, source);                                     \
    } while (0)
            if (!codes_seen) /* the codes do not depend on the scale */
                FQ_EMIT("sum of code_i (i+1)", fq_appendix_b_code_sum[bits - 1],
                        fq_appendix_b_code_sum_of(bits, record), 0);
            codes_seen = true;
            FQ_EMIT("scale S", scale_table[bits - 1][kind], (double)fq_scalar_get(FQ_SCALAR_FP32, scalar), 2e-7);
            FQ_EMIT("estimate of <q,x>", estimate_table[bits - 1][kind], (double)estimate, 3e-6);
            if (error_table[bits - 1][kind] > 0)
                FQ_EMIT("relative squared error", error_table[bits - 1][kind], relative_error(x, decoded), 2e-6);
#undef FQ_EMIT
            fq_method_run_close(&run);
        }
    }
}
