/* The sentence behind an error code.
 *
 * Here and nowhere else are sentences cut to length, so that a long path never overruns a caller's buffer. This file
 * must not print: the verb decides where a sentence goes. */
#include "harness/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fq_fail_text(struct fq_error *err, int code, const char *format, ...) {
    if (err != NULL) {
        /* A caller may pass the old sentence as an argument, so the new one is built apart. */
        char text[FQ_ERROR_SIZE];
        va_list args;
        va_start(args, format);
        (void)vsnprintf(text, sizeof text, format, args);
        va_end(args);
        err->code = code;
        memcpy(err->text, text, sizeof text);
    }
    return code;
}

int fq_fail_in(struct fq_error *err, const char *format, ...) {
    char prefix[FQ_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);

    char text[2 * FQ_ERROR_SIZE + 4];
    (void)snprintf(text, sizeof text, "%s: %s", prefix, err->text);
    memcpy(err->text, text, FQ_ERROR_SIZE - 1);
    err->text[FQ_ERROR_SIZE - 1] = '\0';
    return err->code;
}
