/* How numbers are printed: a value carries as many digits as its interval bears, and without an interval there is no
 * number. */
#ifndef FQ_REPORT_NUMBER_H
#define FQ_REPORT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

enum { FQ_NUMBER_SIZE = 32, FQ_RANGE_SIZE = 72 };

/* A value and its interval as text, all three with the same number of decimals: two significant digits of the
 * interval's half width. A finite value without a finite interval, or outside of it by more than rounding, gives
 * `value` = "no interval" and an empty range, and false. An interval of width zero (a count of bytes, a deterministic
 * ratio) gives the range "exact". */
bool fq_print_estimate(double value, double low, double high, char value_out[FQ_NUMBER_SIZE],
                       char range_out[FQ_RANGE_SIZE]);

/* Exact quantities that have no interval by nature (promised bytes, nominal bits): "4.125", "18,432". */
void fq_print_exact(double value, char out[FQ_NUMBER_SIZE]);

#endif
