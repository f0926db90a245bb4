/* Constants of the authors' released script, as published there (methods.md 2.1, 1.3): four or seven digits, the 3-bit
 * codebook not quite symmetric. Within 2e-4 of the optimum; used by the @release methods only. */
#ifndef FQ_TURBOQUANT_RELEASE_TABLES_H
#define FQ_TURBOQUANT_RELEASE_TABLES_H

enum { RELEASE_CODEBOOK_BITS = 4, RELEASE_MAX_BITS = 5 };

/* Overwrites the codebook at the head of a scalar code's shared block: 2^bits ascending levels, midpoints as bounds;
 * bits 0..4. */
void turboquant_release_codebook(int bits, void *shared);
/* What the script multiplies the residual's sketch by instead of its norm: bits 1..5 in all, of which one is the
 * sketch.
 */
double turboquant_release_residual(int bits);

#endif
