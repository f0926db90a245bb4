/* Pictures inside the page. Two SVG files in one page share a name space of ids, so each id gets the picture's prefix.
 * Must not trust the file to be more than text: it is copied between its <svg and </svg>. */
#include "harness/base/file.h"
#include "harness/report/escape.h"
#include "harness/report/page.h"

#include <stdlib.h>
#include <string.h>

/* The end of the value that starts behind one of the attributes that name an id, or NULL. */
static const char *id_value(const char *s) {
    static const char *const forms[] = {" id=\"", " id='", "href=\"#", "href='#", "url(#"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strncmp(s, forms[i], strlen(forms[i])) == 0)
            return s + strlen(forms[i]);
    return NULL;
}

int fq_put_svg(FILE *f, const char *path, const char *prefix, const char *description, struct fq_error *err) {
    char *text = NULL;
    size_t n = 0;
    FQ_TRY(fq_read_text(path, &text, &n, err));
    const char *start = strstr(text, "<svg"), *end = NULL;
    for (const char *s = start; s != NULL && (s = strstr(s, "</svg>")) != NULL; s++)
        end = s;
    if (start == NULL || end == NULL || strstr(start, "<script") != NULL) {
        free(text);
        return fq_fail(err, FQ_USAGE, "%s: expected an SVG picture without scripts, found none: is gnuplot whole?",
                       path);
    }
    /* width and height stay as hints; viewBox lets the style sheet scale it. */
    fputs("<svg role=\"img\" aria-label=\"", f);
    fq_put_html(f, description);
    fputc('"', f);
    for (const char *s = start + strlen("<svg"); s < end;) {
        const char *value = id_value(s);
        if (value != NULL && value <= end) {
            fwrite(s, 1, (size_t)(value - s), f);
            fputs(prefix, f);
            s = value;
        } else if (strncmp(s, "<title>", 7) == 0 && strstr(s, "</title>") != NULL)
            s = strstr(s, "</title>") + strlen("</title>");
        else
            fputc(*s++, f);
    }
    fputs("</svg>\n", f);
    free(text);
    return FQ_OK;
}
