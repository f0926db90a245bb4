/* The block function of the random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as
 * easy as 1, 2, 3", SC 2011). Apart from random.h so that its known answers can be tested; nobody else includes this.
 */
#ifndef FQ_BASE_PHILOX_H
#define FQ_BASE_PHILOX_H

#include <stdint.h>

/* out = ten rounds of counter[4] under key[2]. */
void fq_philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
