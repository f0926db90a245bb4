/* A folder of its own for the tests of one program, removed behind them. */
#ifndef FQ_TEST_REPORT_FOLDER_H
#define FQ_TEST_REPORT_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

static char base[64];

static int set_up(void **state) {
    (void)state;
    snprintf(base, sizeof base, "/tmp/fq-report-XXXXXX");
    return mkdtemp(base) == NULL;
}

static int tear_down(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    return system(command); /* NOLINT(cert-env33-c): a test's own folder */
}

#endif
