/* A cell is one measurement of one method instance under observed conditions: identity, facts, series.
 *
 * Facts are name = text pairs as *observed* while the cell ran (threads alive, backend, BLAS core, hashes, bytes
 * written ...), not as configured. Contracts name facts, the audit compares them; neither knows what they mean. */
#ifndef FQ_PLAN_CELL_H
#define FQ_PLAN_CELL_H

#include "harness/base/error.h"
#include "harness/measure/series.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for the canonical text of a cache policy, which names several methods. */
enum { FQ_CELL_KEY = 3072, FQ_CELL_PARAMETERS = 1536 };

/* The role of a cell that is a yardstick: nothing is compared with it, so the audit leaves it out. */
#define FQ_ROLE_NOISE_FLOOR "noise floor"

struct fq_fact {
    char name[40];
    char text[256]; /* numbers are printed with %.17g */
};

struct fq_cell {
    char id[17];           /* first 16 hex digits of SHA-256 of `key` */
    char key[FQ_CELL_KEY]; /* canonical identity: every field below up to block, and the sweep's own settings that
                              matter */
    char kind[12];         /* codec | model | speed */
    char data[128];        /* dataset, or "model/corpus", "model/corpus@2048" */
    char model[64];        /* "" when the data is not from a model */
    char method[64];
    char parameters[FQ_CELL_PARAMETERS]; /* canonical, every parameter */
    char label[96];                      /* short name for tables: method and the parameters that this sweep varies */
    char role[20];                       /* contender | baseline | negative control */
    char rate_class[32]; /* rows with equal class stand side by side, and must have equal rate within the contract's
                            tolerance */
    char contract[48];
    uint64_t seed;
    int replicate;      /* 0; 1 for the A/A twin */
    int process, block; /* speed cells; else 0 */
    uint64_t order;     /* position in the stored, seeded order */
    bool ok;
    char reason[FQ_ERROR_SIZE]; /* why not ok */
    double nominal_bits, rate_bits;
    struct fq_fact *facts;
    size_t n_facts, facts_room;
    struct fq_series_list series;
};

int fq_cell_fact(struct fq_cell *cell, const char *name, struct fq_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
const char *fq_cell_fact_text(const struct fq_cell *cell, const char *name); /* NULL if absent */
void fq_cell_free(struct fq_cell *cell);                                     /* what it owns, not the struct */

#endif
