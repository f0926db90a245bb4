/* Starts this program again as one speed process of a run.
 *
 * The executable is opened through /proc/self/exe, so that it is this very binary even if the file of that name was
 * replaced meanwhile. Nothing but exec happens between fork and exec, since other threads may hold locks. */
#include "harness/plan/process.h"

#include "harness/base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIXED_ARGUMENTS = 18, EXEC_FAILED = 127 };

static int wait_for(pid_t child, int *status, struct fq_error *err) {
    while (waitpid(child, status, 0) < 0)
        if (errno != EINTR)
            return fq_fail(err, FQ_FAILED, "cannot wait for a speed process: %s", strerror(errno));
    return 0;
}

static int start(char *const *arguments, pid_t *child, struct fq_error *err) {
    const pid_t parent = getpid();
    *child = fork();
    if (*child < 0)
        return fq_fail(err, FQ_FAILED, "cannot start a speed process: %s", strerror(errno));
    if (*child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) /* it died before the request was heard */
            _exit(EXEC_FAILED);
        (void)execv("/proc/self/exe", arguments);
        _exit(EXEC_FAILED);
    }
    return 0;
}

int fq_process_run(const char *sweep_path, const struct fq_run_options *options, int process, int *died, char *how,
                   size_t how_size, struct fq_error *err) {
    char number[16], shard[32], threads[16];
    const char **arguments = calloc(FIXED_ARGUMENTS + 2 * options->n_plugins, sizeof *arguments);
    if (!arguments)
        return fq_fail(err, FQ_FAILED, "out of memory");
    size_t n = 0;
    snprintf(number, sizeof number, "%d", process);
    snprintf(shard, sizeof shard, "%u/%u", options->shard, options->shards);
    snprintf(threads, sizeof threads, "%u", options->override->threads);
    arguments[n++] = "fairquant";
    arguments[n++] = "run";
    arguments[n++] = sweep_path;
    arguments[n++] = "--out";
    arguments[n++] = options->out;
    arguments[n++] = "--process-index";
    arguments[n++] = number;
    arguments[n++] = "--shard";
    arguments[n++] = shard;
    if (options->data) {
        arguments[n++] = "--data";
        arguments[n++] = options->data;
    }
    if (options->override->threads) {
        arguments[n++] = "--threads";
        arguments[n++] = threads;
    }
    if (options->override->isa) {
        arguments[n++] = "--isa";
        arguments[n++] = options->override->isa;
    }
    if (options->quiet)
        arguments[n++] = "--quiet";
    for (size_t i = 0; i < options->n_plugins; i++) {
        arguments[n++] = "--plugin";
        arguments[n++] = options->plugins[i];
    }
    pid_t child = 0;
    int status = 0;
    (void)fflush(NULL);
    int code = start((char *const *)(uintptr_t)arguments, &child, err);
    if (code == 0)
        code = wait_for(child, &status, err);
    free(arguments);
    if (code != 0)
        return code;
    *died = WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) > FQ_USAGE);
    if (WIFSIGNALED(status))
        snprintf(how, how_size, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(how, how_size, "ended with status %d before its cells were done", WEXITSTATUS(status));
    return 0;
}
