/* Printing of numbers with intervals. Here, so that tables, pages and captions cannot differ in how many digits they
 * claim. Must not round a value further than its interval allows, nor print one that has none. */
#include "harness/report/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "%.*f" in a range that a reader takes in at a glance, "%.*e" outside of it. decimals counts behind the point of the
 * fixed form. */
static void print_at(double v, int decimals, bool scientific, int exponent, char *out, size_t size) {
    if (scientific) {
        int digits = decimals + exponent;
        snprintf(out, size, "%.*fe%d", digits < 0 ? 0 : digits, v * pow(10.0, -exponent), exponent);
    } else
        snprintf(out, size, "%.*f", decimals < 0 ? 0 : decimals, v);
    /* "-0.00" is no number that anybody measured. */
    if (out[0] == '-' && strspn(out + 1, "0.") == strlen(out + 1))
        memmove(out, out + 1, strlen(out));
}

bool fq_print_estimate(double value, double low, double high, char value_out[FQ_NUMBER_SIZE],
                       char range_out[FQ_RANGE_SIZE]) {
    range_out[0] = '\0';
    if (!isfinite(value) || !isfinite(low) || !isfinite(high) || low > high) {
        snprintf(value_out, FQ_NUMBER_SIZE, "no interval");
        return false;
    }
    if (low == high) {
        fq_print_exact(value, value_out);
        snprintf(range_out, FQ_RANGE_SIZE, "exact");
        return true;
    }
    double half = (high - low) / 2, largest = fmax(fabs(low), fmax(fabs(high), fabs(value)));
    int half_place = (int)floor(log10(half)), top_place = (int)floor(log10(largest));
    int decimals = 1 - half_place;
    if (top_place + decimals > 7) /* eight significant digits are the most that anybody reads */
        decimals = 7 - top_place;
    bool scientific = top_place <= -4 || top_place >= 7;
    char a[FQ_NUMBER_SIZE], b[FQ_NUMBER_SIZE];
    print_at(value, decimals, scientific, top_place, value_out, FQ_NUMBER_SIZE);
    print_at(low, decimals, scientific, top_place, a, sizeof a);
    print_at(high, decimals, scientific, top_place, b, sizeof b);
    snprintf(range_out, FQ_RANGE_SIZE, "%s \u2013 %s", a, b);
    return true;
}

void fq_print_exact(double value, char out[FQ_NUMBER_SIZE]) {
    if (!isfinite(value)) {
        snprintf(out, FQ_NUMBER_SIZE, "none");
        return;
    }
    if (value != floor(value) || fabs(value) >= 1e15) {
        snprintf(out, FQ_NUMBER_SIZE, "%.6g", value);
        return;
    }
    char plain[FQ_NUMBER_SIZE];
    snprintf(plain, sizeof plain, "%.0f", fabs(value));
    size_t n = strlen(plain), o = 0;
    if (value < 0)
        out[o++] = '-';
    for (size_t i = 0; i < n && o + 2 < FQ_NUMBER_SIZE; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            out[o++] = ',';
        out[o++] = plain[i];
    }
    out[o] = '\0';
}
