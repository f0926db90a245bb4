/* Notes, warnings and progress on stderr.
 *
 * On a terminal the progress line redraws itself ten times a second at most; into a file or a CI log it prints one line
 * each quarter of a minute, so that a log of half an hour stays readable. Results never go through here. Called from
 * the main thread only. */
#include "harness/base/log.h"

#include "harness/base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int quiet;
static int line_open; /* a progress line stands on the terminal, without its newline */

static int on_terminal(void) {
    return isatty(STDERR_FILENO);
}

static void clear_line(void) {
    if (line_open)
        (void)fputs("\r\033[K", stderr);
    line_open = 0;
}

void fq_log_quiet(int on) {
    quiet = on;
}

void fq_note(const char *format, ...) {
    if (quiet)
        return;
    clear_line();
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

void fq_warn(const char *format, ...) {
    clear_line();
    (void)fputs("warning: ", stderr);
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

static void print_duration(char *out, size_t size, double seconds) {
    unsigned long s = (unsigned long)(seconds + 0.5);
    if (seconds < 10.0)
        (void)snprintf(out, size, "%.1f s", seconds);
    else if (s < 60)
        (void)snprintf(out, size, "%lu s", s);
    else if (s < 3600)
        (void)snprintf(out, size, "%lu min %02lu s", s / 60, s % 60);
    else
        (void)snprintf(out, size, "%lu h %02lu min", s / 3600, s / 60 % 60);
}

void fq_progress_begin(struct fq_progress *p, const char *what, double total) {
    memset(p, 0, sizeof *p);
    (void)snprintf(p->what, sizeof p->what, "%s", what);
    p->total = total > 0.0 ? total : 1.0;
    p->start_ns = fq_now_ns();
    p->printed_ns = p->start_ns;
}

static double share_of(const struct fq_progress *p) {
    double share = p->done / p->total;
    return share > 1.0 ? 1.0 : share;
}

void fq_progress_step(struct fq_progress *p, double work, const char *detail) {
    p->done += work;
    if (quiet)
        return;
    const uint64_t redraw_ns = 100000000u, line_ns = 15000000000u;
    int terminal = on_terminal();
    uint64_t now_ns = fq_now_ns();
    if (now_ns - p->printed_ns < (terminal ? redraw_ns : line_ns))
        return;
    p->printed_ns = now_ns;

    double share = share_of(p), elapsed_s = (double)(now_ns - p->start_ns) * 1e-9;
    char left[64] = "time left unknown";
    if (share > 0.0) {
        char duration[40];
        print_duration(duration, sizeof duration, elapsed_s * (1.0 - share) / share);
        (void)snprintf(left, sizeof left, "%s left", duration);
    }
    if (!terminal) {
        (void)fprintf(stderr, "%s: %.0f %%, %s%s%s\n", p->what, 100.0 * share, left, detail != NULL ? ", " : "",
                      detail != NULL ? detail : "");
        return;
    }
    enum { WIDTH = 24 };
    char bar[WIDTH + 1];
    for (int i = 0; i < WIDTH; i++)
        bar[i] = (double)i < share * WIDTH ? '#' : '.';
    bar[WIDTH] = '\0';
    (void)fprintf(stderr, "\r%s [%s] %3.0f %%  %s  %.40s\033[K", p->what, bar, 100.0 * share, left,
                  detail != NULL ? detail : "");
    (void)fflush(stderr);
    line_open = 1;
}

void fq_progress_end(struct fq_progress *p) {
    if (quiet)
        return;
    clear_line();
    char duration[40];
    print_duration(duration, sizeof duration, (double)(fq_now_ns() - p->start_ns) * 1e-9);
    if (p->done >= p->total * (1.0 - 1e-9))
        (void)fprintf(stderr, "%s: done in %s\n", p->what, duration);
    else
        (void)fprintf(stderr, "%s: stopped at %.0f %% after %s\n", p->what, 100.0 * share_of(p), duration);
}
