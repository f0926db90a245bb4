/* Settings of one method that differ in nothing but what sets their rate: the points of a rate-distortion curve, and
 * what such a curve says at a rate that is asked for. */
#ifndef FQ_REPORT_CURVES_H
#define FQ_REPORT_CURVES_H

#include "harness/judge/estimate.h"
#include "harness/report/select.h"

#include <stdbool.h>
#include <stddef.h>

struct fq_curve {
    char name[96];                   /* the label without the words that set the rate */
    const struct fq_subject **point; /* sorted by measured rate */
    size_t n;
};

struct fq_curves {
    struct fq_curve *curve; /* in the order of their names */
    size_t n;
    const struct fq_subject **points; /* of all curves */
};

/* Groups subjects of one scope into curves. A parameter sets the rate when its value is a number, unless two settings
 * that differ in it alone have the same rate (rounds of a rotation); every other parameter, and a number that does not
 * set the rate, makes a curve of its own. Subjects that the audit found unequal are left out: they stand for nothing
 * but themselves. The subjects must outlive the curves. */
int fq_curves_build(const struct fq_subject *subjects, size_t n, struct fq_curves *out, struct fq_error *err);
void fq_curves_free(struct fq_curves *curves);

/* Largest distance in bits of a measured rate that stands for the rate asked for. */
#define FQ_MATCH_WINDOW 0.13

enum fq_match_kind {
    FQ_MATCH_NONE,        /* no setting near it, and none on one of its sides: extrapolation is not done */
    FQ_MATCH_MEASURED,    /* `low` is a setting within the window */
    FQ_MATCH_INTERPOLATED /* between `low` and `high`, the nearest below and above, at `part` of the way */
};
struct fq_match {
    enum fq_match_kind kind;
    const struct fq_subject *low, *high;
    double part;
};
struct fq_match fq_curve_at(const struct fq_curve *curve, double rate);

/* Value and interval at `part` of the way from a to b: by logarithms (an error falls exponentially with the rate) or
 * linearly. The ends of the intervals are interpolated like the values, as if both were wrong in the same direction:
 * no dependence between the two makes the result wider. false: no interval, or a logarithm of what is not positive. */
struct fq_interpolated {
    double value, low, high;
};
bool fq_interpolate(const struct fq_estimate *a, const struct fq_estimate *b, double part, bool by_logarithm,
                    struct fq_interpolated *out);

#endif
