/* One call of gnuplot, as a program: it is not linked, and a report is made without it. */
#ifndef FQ_REPORT_GNUPLOT_H
#define FQ_REPORT_GNUPLOT_H

#include <stdbool.h>
#include <stddef.h>

/* Is there a gnuplot in PATH that starts? If not, `why` says so and which package has it. */
bool fq_gnuplot_usable(char *why, size_t size);
/* `gnuplot -c SCRIPT DATA OUT KIND` (kind: svg | pdf). False: `why` holds its complaint, and OUT is removed. */
bool fq_gnuplot_draw(const char *script, const char *data, const char *out, const char *kind, char *why, size_t size);

#endif
