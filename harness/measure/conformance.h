/* Does a method do what theory and its contract say? Gates (Monte Carlo against closed forms), known answers, and
 * invariants that hold for every method whatever it is.
 *
 * Gates draw vectors uniform on the sphere (or N(0,1) where the gate says so) from the stream "data" and a fresh
 * rotation for each seed; the interval is Student's over rotation seeds, 95 %. A gate passes when the measured value
 * lies within its tolerance; when the interval is wider than the tolerance more seeds are drawn, and if that does not
 * help, the gate fails as undecided. */
#ifndef FQ_MEASURE_CONFORMANCE_H
#define FQ_MEASURE_CONFORMANCE_H

#include "harness/base/error.h"
#include "harness/method.h"

#include <stdbool.h>
#include <stddef.h>

enum fq_check_kind { FQ_CHECK_GATE, FQ_CHECK_ANSWER, FQ_CHECK_INVARIANT };
const char *fq_check_kind_name(enum fq_check_kind kind); /* "gate", "answer", "invariant" */

struct fq_check {
    enum fq_check_kind kind;
    char what[160]; /* "bits=3 scale=raw, d=128: relative MSE" */
    bool passed;
    bool has_numbers;                                /* expected .. tolerance hold numbers */
    double expected, measured, low, high, tolerance; /* tolerance is absolute here; low = high for exact answers */
    char source[96];
    char note[400]; /* why it failed, or what was not tested; "" otherwise */
};

struct fq_conformance_options {
    bool quick;         /* a quarter of the vectors */
    bool fresh_process; /* run the out-of-process codes-only probe (needs main's --decode-probe route) */
    void (*seen)(void *arg, const struct fq_method *method,
                 const struct fq_check *check); /* as they come; may be NULL */
    void *arg;
};

struct fq_conformance {
    const struct fq_method *method;
    struct fq_check *checks;
    size_t n, room;
    size_t failed;        /* checks that failed */
    size_t failed_theory; /* of these: gates and known answers */
};

/* An error only when the checks could not be carried out (out of memory). */
int fq_conformance_run(const struct fq_method *method, const struct fq_conformance_options *options,
                       struct fq_conformance *out, struct fq_error *err);
/* All passed; for a negative control: theory refuted it, as it must. */
bool fq_conformance_as_it_must(const struct fq_conformance *c);
void fq_conformance_free(struct fq_conformance *c);

#endif
