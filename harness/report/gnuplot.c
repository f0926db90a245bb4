/* Runs gnuplot. Here, so that no other file starts a process. Must not go through a shell: file names are data. */
#include "harness/report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Runs argv with stdin and stdout closed off, keeps what it says on stderr: the last lines up to size. Exit status, or
 * -1 if it could not be started. */
static int run(char *const argv[], char *said, size_t size) {
    int pipe_ends[2];
    said[0] = '\0';
    if (pipe2(pipe_ends, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        (void)close(pipe_ends[0]);
        (void)close(pipe_ends[1]);
        return -1;
    }
    (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 2);
    pid_t child = 0;
    int failed = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(pipe_ends[1]);
    if (failed != 0) {
        (void)close(pipe_ends[0]);
        errno = failed;
        return -1;
    }
    size_t kept = 0;
    char block[1024];
    for (;;) {
        ssize_t n = read(pipe_ends[0], block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        size_t room = size - 1 - kept, take = (size_t)n < room ? (size_t)n : room;
        memcpy(said + kept, block, take);
        kept += take;
    }
    said[kept] = '\0';
    (void)close(pipe_ends[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* gnuplot's complaint as one line: the last line that says anything. */
static void last_line(const char *said, char *out, size_t size) {
    const char *end = said + strlen(said);
    while (end > said && (end[-1] == '\n' || end[-1] == ' '))
        end--;
    const char *start = end;
    while (start > said && start[-1] != '\n')
        start--;
    snprintf(out, size, "%.*s", (int)(end - start), start);
}

bool fq_gnuplot_usable(char *why, size_t size) {
    char program[] = "gnuplot", option[] = "--version", said[256];
    char *argv[] = {program, option, NULL};
    int status = run(argv, said, sizeof said);
    if (status == 0)
        return true;
    if (status < 0 || status == 127)
        snprintf(why, size, "gnuplot is not installed (Debian: apt-get install gnuplot-nox)");
    else
        snprintf(why, size, "gnuplot does not start: exit status %d", status);
    return false;
}

bool fq_gnuplot_draw(const char *script, const char *data, const char *out, const char *kind, char *why, size_t size) {
    char program[] = "gnuplot", option[] = "-c", said[4096], names[4][4096];
    const char *from[4] = {script, data, out, kind};
    for (size_t i = 0; i < 4; i++)
        snprintf(names[i], sizeof names[i], "%s", from[i]);
    char *argv[] = {program, option, names[0], names[1], names[2], names[3], NULL};
    int status = run(argv, said, sizeof said);
    struct stat st;
    bool made = stat(out, &st) == 0 && st.st_size > 0;
    if (status == 0 && made)
        return true;
    (void)unlink(out);
    if (strstr(said, "unknown or ambiguous terminal") != NULL)
        snprintf(why, size, "this gnuplot cannot write %s (Debian: apt-get install gnuplot-nox)", kind);
    else {
        char line[256];
        last_line(said, line, sizeof line);
        snprintf(why, size, "gnuplot failed on %s: %s", script, line[0] != '\0' ? line : "it wrote nothing");
    }
    return false;
}
