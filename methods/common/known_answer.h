/* The known-answer test of methods.md, appendix B: one fixed vector and query at d = 128, one fixed sign mask, and what
 * every Lloyd-Max code must make of them. */
#ifndef FQ_METHODS_COMMON_KNOWN_ANSWER_H
#define FQ_METHODS_COMMON_KNOWN_ANSWER_H

#include "harness/method.h"

enum { FQ_APPENDIX_B_DIM = 128, FQ_APPENDIX_B_BITS = 4 };

void fq_appendix_b_vectors(float x[FQ_APPENDIX_B_DIM], float q[FQ_APPENDIX_B_DIM]);
/* Streams whose rotation words are the appendix's sign mask, so that a method with rotation=rht rounds=1 makes the
 * appendix's rotation by its own code. The Gaussian stream is a fixed sequence of its own, for sketches. */
struct fq_streams fq_appendix_b_streams(void);

/* Expected values by bits - 1 (b = 1..4): C = sum code_i (i + 1), and the relative squared error at S = 1. */
extern const double fq_appendix_b_code_sum[FQ_APPENDIX_B_BITS];
extern const double fq_appendix_b_raw_error[FQ_APPENDIX_B_BITS];
double fq_appendix_b_code_sum_of(int bits, const uint8_t *packed);

/* All lines of the appendix's Lloyd-Max table through the method's own kernels, for the scales that the method offers.
 * The method has the parameters bits, rotation, rounds, scale and scalar, and the records of scalar_code.h. */
void fq_scalar_code_known_answers(const struct fq_method *method, const struct fq_answers *answers);

#endif
