/* Escaping for the four output formats. Here, in one file, because a report is only as trustworthy as its weakest
 * escape: names come from sweeps, HDF5 attributes and plug-ins. Must not know what it is escaping. */
#include "harness/report/escape.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Length of the well-formed UTF-8 sequence at s, 0 if there is none. Overlong forms and surrogates are not well-formed.
 */
static size_t utf8_length(const char *s) {
    const unsigned char *u = (const unsigned char *)s;
    if (u[0] < 0x80)
        return 1;
    size_t n = u[0] >= 0xf0 && u[0] <= 0xf4 ? 4 : u[0] >= 0xe0 ? 3 : u[0] >= 0xc2 && u[0] < 0xe0 ? 2 : 0;
    if (n == 0 || u[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf0 && u[1] < 0x90) ||
        (u[0] == 0xf4 && u[1] > 0x8f))
        return 0;
    return n;
}

struct replacement {
    const char *from, *to;
};

/* The longest well-formed character at *s is written, by the table where it is listed; *s moves behind it. */
static void put_next(FILE *f, const char **s, const struct replacement *table, size_t n_table) {
    size_t n = utf8_length(*s);
    if (n == 0) {
        fputs("\xef\xbf\xbd", f);
        (*s)++;
        return;
    }
    if (n == 1 && ((unsigned char)**s < 0x20 || (unsigned char)**s == 0x7f)) {
        fputc(' ', f);
        (*s)++;
        return;
    }
    for (size_t i = 0; i < n_table; i++)
        if (strlen(table[i].from) == n && memcmp(table[i].from, *s, n) == 0) {
            fputs(table[i].to, f);
            *s += n;
            return;
        }
    fwrite(*s, 1, n, f);
    *s += n;
}

static void put_all(FILE *f, const char *text, const struct replacement *table, size_t n_table) {
    for (const char *s = text; *s != '\0';)
        put_next(f, &s, table, n_table);
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

void fq_put_html(FILE *f, const char *text) {
    static const struct replacement table[] = {
        {"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}};
    put_all(f, text, table, COUNT(table));
}

void fq_put_latex(FILE *f, const char *text) {
    static const struct replacement table[] = {
        {"\\", "\\textbackslash{}"},
        {"{", "\\{"},
        {"}", "\\}"},
        {"$", "\\$"},
        {"&", "\\&"},
        {"#", "\\#"},
        {"%", "\\%"},
        {"_", "\\_"},
        {"^", "\\textasciicircum{}"},
        {"~", "\\textasciitilde{}"},
        {"<", "\\textless{}"},
        {">", "\\textgreater{}"},
        {"|", "\\textbar{}"},
        {"\"", "\\textquotedbl{}"},
        {"[", "{[}"}, /* behind a row's end a bare [ or * would be read as its argument */
        {"*", "{*}"},
        {"\u2013", "--"},
        {"\u2212", "$-$"},
        {"\u00d7", "$\\times$"},
        {"\u00b7", "$\\cdot$"},
        {"\u00b1", "$\\pm$"},
        {"\u2264", "$\\leq$"},
        {"\u2265", "$\\geq$"},
        {"\u221a", "$\\surd$"},
        {"\u03c1", "$\\rho$"},
        {"\u0394", "$\\Delta$"},
        {"\u03bb", "$\\lambda$"},
        {"\u00b2", "$^2$"},
    };
    put_all(f, text, table, COUNT(table));
}

void fq_put_markdown(FILE *f, const char *text) {
    static const struct replacement table[] = {
        {"\\", "\\\\"}, {"|", "\\|"},  {"`", "\\`"},   {"*", "\\*"}, {"_", "\\_"}, {"[", "\\["}, {"]", "\\]"},
        {"<", "&lt;"},  {">", "&gt;"}, {"&", "&amp;"}, {"#", "\\#"}, {"~", "\\~"}, {"$", "\\$"}};
    put_all(f, text, table, COUNT(table));
}

void fq_put_csv(FILE *f, const char *text) {
    size_t n = strlen(text);
    bool quote = strpbrk(text, ",\"\r\n") != NULL ||
                 (n > 0 && (isspace((unsigned char)text[0]) != 0 || isspace((unsigned char)text[n - 1]) != 0));
    if (!quote) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

void fq_slug(const char *text, char *out, size_t size) {
    size_t n = 0;
    for (; *text != '\0' && n + 1 < size; text++) {
        unsigned char c = (unsigned char)*text;
        bool keep = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '.' && n > 0);
        if (c >= 'A' && c <= 'Z')
            out[n++] = (char)(c - 'A' + 'a');
        else if (keep)
            out[n++] = (char)c;
        else if (n > 0 && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n > 0 && out[n - 1] == '-')
        n--;
    if (size > 0)
        out[n] = '\0';
}
