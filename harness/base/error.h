/* Errors: an int (0 = fine) plus one sentence for a person. The sentence says what was expected, what was found, where,
 * and what to do. A caller adds nothing and forwards with FQ_TRY; the verb prints the sentence and exits with the code.
 */
#ifndef FQ_BASE_ERROR_H
#define FQ_BASE_ERROR_H

enum fq_code {
    FQ_OK = 0,
    FQ_FAILED = 1, /* a measured or judged failure: a cell failed, an audit found an unequal field */
    FQ_USAGE = 2   /* usage, input or environment: the user can mend it */
};

enum { FQ_ERROR_SIZE = 768 };

struct fq_error {
    int code; /* enum fq_code */
    char text[FQ_ERROR_SIZE];
};

/* Writes the sentence (printf style) and yields `code`, so that a function can `return fq_fail(err, FQ_USAGE, "...")`.
 * err may be NULL. The code is returned by an inline function, so that a static analyser sees that it is not 0. */
#define fq_fail(err, code, ...) fq_failed_with(fq_fail_text((err), (code), __VA_ARGS__), (code))
int fq_fail_text(struct fq_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
static inline int fq_failed_with(int written, int code) {
    (void)written;
    return code;
}

/* Puts "prefix: " before the sentence already there and returns its code. */
int fq_fail_in(struct fq_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forwards an error unchanged. */
#define FQ_TRY(call)                                                                                                   \
    do {                                                                                                               \
        int fq_try_code_ = (call);                                                                                     \
        if (fq_try_code_ != 0)                                                                                         \
            return fq_try_code_;                                                                                       \
    } while (0)

#endif
