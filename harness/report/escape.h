/* Text into a format without breaking it: HTML, LaTeX, Markdown, CSV. Every string that did not come from this floor's
 * own source passes through one of these. Bytes that are not UTF-8 come out as U+FFFD; control characters as spaces. */
#ifndef FQ_REPORT_ESCAPE_H
#define FQ_REPORT_ESCAPE_H

#include <stdio.h>

void fq_put_html(FILE *f, const char *text);     /* element content and quoted attribute values */
void fq_put_latex(FILE *f, const char *text);    /* text mode; symbols used here become math */
void fq_put_markdown(FILE *f, const char *text); /* inline text and table cells */
void fq_put_csv(FILE *f, const char *text);      /* one field, quoted by RFC 4180 when it has to be */
/* A file name or HTML id: lower case letters, digits, '-' and '.'; everything else becomes '-'. */
void fq_slug(const char *text, char *out, size_t size);

#endif
