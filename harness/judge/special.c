/* Distributions: normal, beta, Student, F, binomial. Here because intervals and p-values need them and no library that
 * may be linked offers them. Pure functions; no data, no randomness. */
#include "harness/judge/stats.h"

#include <float.h>
#include <math.h>

double fq_normal_cdf(double z) {
    return 0.5 * erfc(-z / sqrt(2.0));
}

/* Bisection on a monotone function: slower than a rational approximation and accurate to the last digits, which matters
 * more for a handful of quantiles per report. */
double fq_normal_quantile(double p) {
    if (!(p > 0.0))
        return -INFINITY;
    if (!(p < 1.0))
        return INFINITY;
    double low = -40.0, high = 40.0;
    for (int i = 0; i < 200 && high - low > 1e-15 * (1.0 + fabs(low)); i++) {
        double middle = 0.5 * (low + high);
        if (fq_normal_cdf(middle) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

/* Continued fraction of the incomplete beta function (DLMF 8.17.22), evaluated by Lentz's method. Converges fast for
 * x < (a + 1) / (a + b + 2); the caller reflects otherwise. */
static double beta_fraction(double a, double b, double x) {
    const double tiny = DBL_MIN / DBL_EPSILON;
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= 10000; m++) {
        double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        const double step[2] = {even, odd};
        double change = 1.0;
        for (int k = 0; k < 2; k++) {
            d = 1.0 + step[k] * d;
            d = 1.0 / (fabs(d) < tiny ? tiny : d);
            c = 1.0 + step[k] / c;
            if (fabs(c) < tiny)
                c = tiny;
            change = c * d;
            h *= change;
        }
        if (fabs(change - 1.0) < 1e-15)
            break;
    }
    return h;
}

double fq_beta_cdf(double a, double b, double x) {
    if (!(x > 0.0))
        return 0.0;
    if (!(x < 1.0))
        return 1.0;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1.0) / (a + b + 2.0))
        return front * beta_fraction(a, b, x) / a;
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

double fq_beta_quantile(double a, double b, double p) {
    double low = 0.0, high = 1.0;
    for (int i = 0; i < 200 && high - low > 1e-16; i++) {
        double middle = 0.5 * (low + high);
        if (fq_beta_cdf(a, b, middle) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

double fq_student_cdf(double t, double df) {
    if (isinf(df))
        return fq_normal_cdf(t);
    double tail = 0.5 * fq_beta_cdf(0.5 * df, 0.5, df / (df + t * t));
    return t > 0.0 ? 1.0 - tail : tail;
}

double fq_student_quantile(double p, double df) {
    if (isinf(df))
        return fq_normal_quantile(p);
    if (p == 0.5)
        return 0.0;
    if (p < 0.5)
        return -fq_student_quantile(1.0 - p, df);
    double low = 0.0, high = 1.0;
    while (fq_student_cdf(high, df) < p && high < 1e12)
        high *= 2.0;
    for (int i = 0; i < 200 && high - low > 1e-14 * high; i++) {
        double middle = 0.5 * (low + high);
        if (fq_student_cdf(middle, df) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

double fq_f_upper(double f, double df1, double df2) {
    if (!(f > 0.0))
        return 1.0;
    return fq_beta_cdf(0.5 * df2, 0.5 * df1, df2 / (df2 + df1 * f));
}

double fq_binomial_cdf(size_t k, size_t n, double p) {
    if (k >= n)
        return 1.0;
    return fq_beta_cdf((double)(n - k), (double)k + 1.0, 1.0 - p);
}
