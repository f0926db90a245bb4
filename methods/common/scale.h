/* The four per-vector scales (methods.md 1.2), and how one scalar is stored. All cost the same; which one is used is a
 * factor.
 *
 * With a = <c, y>, n2 = ||c||^2, and y the rotated vector (norm ||y||), c the codeword in N(0,1) units:
 *   raw       ||y|| / sqrt(d)      TurboQuant-mse as published ("S = 1")
 *   matched   ||y|| / ||c||        "norm correction"
 *   mse       a / n2               EDEN biased; least squares
 *   unbiased  ||y||^2 / a          EDEN, DRIVE, RaBitQ's estimator */
#ifndef FQ_METHODS_COMMON_SCALE_H
#define FQ_METHODS_COMMON_SCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fq_scale_kind { FQ_SCALE_RAW, FQ_SCALE_MATCHED, FQ_SCALE_MSE, FQ_SCALE_UNBIASED };
extern const char *const fq_scale_choices[]; /* "raw" "matched" "mse" "unbiased", NULL */
enum fq_scalar_kind { FQ_SCALAR_FP16, FQ_SCALAR_FP32 };
extern const char *const fq_scalar_choices[]; /* "fp16" "fp32", NULL */

/* FQ_PARAM_SCALE(default), FQ_PARAM_SCALAR: specs for a method's table. */
#define FQ_PARAM_SCALE(default_kind)                                                                                   \
    {                                                                                                                  \
        .name = "scale",                                                                                               \
        .help =                                                                                                        \
            "per-vector scale: raw (norm), matched (norm of the codeword corrected), mse (least squares), unbiased",   \
        .kind = FQ_PARAM_CHOICE, .def = (default_kind), .choices = fq_scale_choices                                    \
    }
#define FQ_PARAM_SCALAR                                                                                                \
    {                                                                                                                  \
        .name = "scalar", .help = "stored type of each per-vector scalar", .kind = FQ_PARAM_CHOICE, .def = 0,          \
        .choices = fq_scalar_choices                                                                                   \
    }

/* 0 when y is zero or the scale is not finite (a codeword orthogonal to y); infinite, so that it cannot be stored, when
 * y has coordinates that are not finite. d is the dimension that the codebook is scaled for. */
double fq_scale_of(enum fq_scale_kind kind, size_t d, const float *y, const float *c, size_t n);

size_t fq_scalar_bytes(enum fq_scalar_kind kind); /* 2 or 4 */
/* false: value does not fit, nothing written. fp16 ends at 65504. fp32 ends at 2^112, 2^-16 of float's own range: a
 * decoder multiplies a scalar by a codeword (coordinates up to 2^8) and turns it back (a factor up to sqrt(d) <= 2^6),
 * and what encode accepts must decode to finite numbers. */
#define FQ_SCALAR_GREATEST_FP32 0x1p112
bool fq_scalar_put(enum fq_scalar_kind kind, double value, uint8_t *bytes);
float fq_scalar_get(enum fq_scalar_kind kind, const uint8_t *bytes);

uint16_t fq_half_from_float(float f); /* round to nearest even; overflow -> Inf */
float fq_float_from_half(uint16_t h);

#endif
