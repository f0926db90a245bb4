/* Escapes: nothing that a name can contain breaks out of its format. */
#include "harness/report/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef void put(FILE *f, const char *text);

static void expect(put *p, const char *in, const char *out) {
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    p(f, in);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text, out);
    free(text);
}

static void html(void **state) {
    (void)state;
    expect(fq_put_html, "a<b & \"c\" 'd'>", "a&lt;b &amp; &quot;c&quot; &#39;d&#39;&gt;");
    expect(fq_put_html, "</style><script>alert(1)</script>", "&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(fq_put_html, "\u0394 \u221ad", "\u0394 \u221ad");
    expect(fq_put_html,
           "a\x01"
           "b\nc",
           "a b c");
}

static void broken_utf8(void **state) {
    (void)state;
    expect(fq_put_html, "\xff<", "\xef\xbf\xbd&lt;");                            /* no such byte */
    expect(fq_put_html, "\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd");                 /* overlong '<' */
    expect(fq_put_html, "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd");                 /* cut short at the end of the text */
    expect(fq_put_html, "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
    expect(fq_put_csv, "\xff", "\xff");                                          /* data are kept as they are */
}

static void latex(void **state) {
    (void)state;
    expect(fq_put_latex, "q4_0 50% #1 $x^2$ {a&b} ~ \\end{table}",
           "q4\\_0 50\\% \\#1 \\$x\\textasciicircum{}2\\$ \\{a\\&b\\} \\textasciitilde{} "
           "\\textbackslash{}end\\{table\\}");
    expect(fq_put_latex, "[0.1 \u2013 0.2] \u2264 \u221ad", "{[}0.1 -- 0.2] $\\leq$ $\\surd$d");
}

static void markdown(void **state) {
    (void)state;
    expect(fq_put_markdown, "a|b *c* q4_0 [x](y) <z> `t` \\", "a\\|b \\*c\\* q4\\_0 \\[x\\](y) &lt;z&gt; \\`t\\` \\\\");
    expect(fq_put_markdown, "two\nlines", "two lines");
}

static void csv(void **state) {
    (void)state;
    expect(fq_put_csv, "plain text", "plain text");
    expect(fq_put_csv, "a,b", "\"a,b\"");
    expect(fq_put_csv, "say \"x\"", "\"say \"\"x\"\"\"");
    expect(fq_put_csv, "two\nlines", "\"two\nlines\"");
    expect(fq_put_csv, " edge", "\" edge\"");
    expect(fq_put_csv, "", "");
}

static void slug(void **state) {
    (void)state;
    char out[32];
    fq_slug("SmolLM2 / jargon, keys & values!", out, sizeof out);
    assert_string_equal(out, "smollm2-jargon-keys-values");
    fq_slug("../../etc/passwd", out, sizeof out);
    assert_string_equal(out, "etc-passwd");
    fq_slug("a name that is longer than the room for it", out, 8);
    assert_string_equal(out, "a-name");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(html),  cmocka_unit_test(broken_utf8),
                                       cmocka_unit_test(latex), cmocka_unit_test(markdown),
                                       cmocka_unit_test(csv),   cmocka_unit_test(slug)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
