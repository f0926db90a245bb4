/* The tidy table of all estimates. Must not round, select or rename: selection is for tables and plots. */
#include "harness/report/cells_csv.h"

#include "harness/report/escape.h"

#include <math.h>
#include <stdbool.h>

void fq_put_csv_number(FILE *f, double v) {
    if (isfinite(v))
        fprintf(f, "%.9g", v);
}

static void field(FILE *f, const char *text) {
    fq_put_csv(f, text);
    fputc(',', f);
}

static void number(FILE *f, double v) {
    fq_put_csv_number(f, v);
    fputc(',', f);
}

void fq_put_cells_csv(FILE *f, const struct fq_estimates *e) {
    fputs("data,model,tensor,method,parameters,nominal_bits,rate_bits,metric,value,low,high,unit,n,seed_count,"
          "verdict_flags,label,role,rate_class,contract,kind,resampled,replicate\n",
          f);
    for (size_t i = 0; i < e->n; i++) {
        const struct fq_estimate *row = &e->rows[i];
        bool whole = isfinite(row->value) && isfinite(row->low) && isfinite(row->high);
        field(f, row->data);
        field(f, row->model);
        field(f, row->tensor);
        field(f, row->method);
        field(f, row->parameters);
        number(f, row->nominal_bits);
        number(f, row->rate_bits);
        field(f, row->metric);
        number(f, whole ? row->value : NAN);
        number(f, whole ? row->low : NAN);
        number(f, whole ? row->high : NAN);
        field(f, row->unit);
        fprintf(f, "%zu,%zu,", row->n, row->seed_count);
        field(f, row->flags);
        field(f, row->label);
        field(f, row->role);
        field(f, row->rate_class);
        field(f, row->contract);
        field(f, row->kind);
        field(f, row->resampled);
        fprintf(f, "%d\n", row->replicate);
    }
}
