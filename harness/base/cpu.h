/* What this processor can do, what the user allows (the ISA cap), and what the machine is. */
#ifndef FQ_BASE_CPU_H
#define FQ_BASE_CPU_H

#include "harness/base/error.h"
#include "harness/method.h"

#include <stdbool.h>
#include <stddef.h>

/* avx2 means AVX2 + FMA + F16C + BMI2; avx512 means F + BW + DQ + VL + VNNI. Both only if the OS saves the registers
 * (XGETBV). */
bool fq_cpu_has(enum fq_backend backend); /* REF: true; CUDA, HIP: false here, devices are asked elsewhere */

const char *fq_backend_name(enum fq_backend backend); /* "ref" "avx2" "avx512" "cuda" "hip" */
int fq_backend_parse(const char *name, enum fq_backend *out, struct fq_error *err);

/* The cap: no backend above it runs. Default: the best that the processor has. */
void fq_isa_cap_set(enum fq_backend cap);
enum fq_backend fq_isa_cap(void);

/* The best backend of a method under the cap. */
enum fq_backend fq_backend_pick(const struct fq_method *method);

void fq_cpu_model(char *out, size_t size);    /* "AMD EPYC ...", or "not readable" */
void fq_cpu_governor(char *out, size_t size); /* "performance", or "not readable" */
unsigned fq_cpu_online(void);

#endif
