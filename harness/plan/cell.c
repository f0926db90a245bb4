/* What a cell owns: its facts and its series.
 *
 * Why here: a fact is written while the cell runs, by whoever observed it, and is read only as text by the audit.
 * It must not interpret any fact. */
#include "harness/plan/cell.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fq_fact *fact_of(const struct fq_cell *cell, const char *name) {
    for (size_t i = 0; i < cell->n_facts; i++)
        if (strcmp(cell->facts[i].name, name) == 0)
            return &cell->facts[i];
    return NULL;
}

int fq_cell_fact(struct fq_cell *cell, const char *name, struct fq_error *err, const char *format, ...) {
    struct fq_fact *fact = fact_of(cell, name);
    if (!fact) {
        if (cell->n_facts == cell->facts_room) {
            const size_t room = cell->facts_room ? 2 * cell->facts_room : 48;
            struct fq_fact *grown = realloc(cell->facts, room * sizeof *grown);
            if (!grown)
                return fq_fail(err, FQ_FAILED, "out of memory for the facts of a cell");
            cell->facts = grown;
            cell->facts_room = room;
        }
        fact = &cell->facts[cell->n_facts++];
    }
    /* Zeroed whole: these bytes go to a file as they are. */
    memset(fact, 0, sizeof *fact);
    snprintf(fact->name, sizeof fact->name, "%s", name);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(fact->text, sizeof fact->text, format, args);
    va_end(args);
    return 0;
}

const char *fq_cell_fact_text(const struct fq_cell *cell, const char *name) {
    const struct fq_fact *fact = fact_of(cell, name);
    return fact ? fact->text : NULL;
}

void fq_cell_free(struct fq_cell *cell) {
    free(cell->facts);
    fq_series_list_free(&cell->series);
    cell->facts = NULL;
    cell->n_facts = cell->facts_room = 0;
}
