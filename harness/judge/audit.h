/* The fairness audit: compares what the cells observed with what a contract demands, and names every field that differs
 * with its values and the methods that hold them. It sees facts only: a cheat that leaves no trace in any fact is not
 * seen here (docs/fairness.md lists what is). */
#ifndef FQ_JUDGE_AUDIT_H
#define FQ_JUDGE_AUDIT_H

#include "harness/base/error.h"
#include "harness/judge/contract.h"
#include "harness/judge/estimate.h"
#include "harness/plan/results.h"

#include <stdbool.h>
#include <stddef.h>

struct fq_instance {
    char method[64], parameters[FQ_CELL_PARAMETERS];
    int replicate;
};

struct fq_finding {
    char field[40];
    char kind[12];  /* "" for findings over the whole run */
    char data[128]; /* "" likewise */
    bool fair;
    char detail[768]; /* fair: the common value; unfair: "1: a, b; 2: c" */
    /* Whom an unfair finding is about: the cells of the rate class that is too wide, those that differ from more than
     * half of the others, those that lack what is required. n_odd = 0: all of this kind and data. */
    struct fq_instance *odd;
    size_t n_odd;
};

struct fq_audit {
    char contract[48];
    bool exhibit;
    struct fq_finding *finding;
    size_t n, room;
    size_t unfair; /* findings that are */
    size_t cells, failed;
    struct fq_finding *note; /* what a reader should know and what makes no comparison unfair: fair, with a detail */
    size_t n_notes, room_notes;
};

/* Between which cells the numbers of a contract's `tolerance` are compared. */
enum fq_audit_rates {
    FQ_RATES_BY_CLASS, /* those of one rate_class: a table */
    FQ_RATES_OF_PAIR,  /* all of them, whatever their classes: the two sides of one comparison */
    FQ_RATES_FREE      /* those of one instance: a comparison that says that and why its sides differ */
};

/* Audits any subset of cells; cells that are not ok are counted and left out. Appends to *out (zero it first). */
int fq_audit_cells(const struct fq_contract *contract, const struct fq_cell *const *cells, size_t n,
                   enum fq_audit_rates rates, struct fq_audit *out, struct fq_error *err);

/* Audits everything under one contract, or (name NULL) under the one that the cells name. FQ_USAGE: unknown contract,
 * cells that name different ones, no finished cell. The verdict is out->unfair, not the return value. */
int fq_audit_results(const struct fq_contracts *contracts, const struct fq_results *results, size_t n_results,
                     const char *name, struct fq_audit *out, struct fq_error *err);
void fq_audit_free(struct fq_audit *audit);

/* The first unfair finding that concerns cells of this kind and data (findings over the whole run concern all), or
 * NULL. */
const struct fq_finding *fq_audit_unfair(const struct fq_audit *audit, const char *kind, const char *data);

/* Puts "unfair:FIELD" in front of the flags of every estimate that the audit objects to (the odd instances of a
 * finding, not their neighbours); under an exhibit to all ("unfair:exhibit" where nothing else differs). */
void fq_audit_mark(const struct fq_audit *audit, struct fq_estimates *estimates);

#endif
