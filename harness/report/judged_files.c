/* Verdicts as CSV, the audit as text. Must not judge. */
#include "harness/report/judged_files.h"

#include "harness/report/cells_csv.h"
#include "harness/report/escape.h"

#include <math.h>

static void field(FILE *f, const char *text) {
    fq_put_csv(f, text != NULL ? text : "");
    fputc(',', f);
}

static void number(FILE *f, double v) {
    fq_put_csv_number(f, v);
    fputc(',', f);
}

static void claim_fields(FILE *f, const struct fq_verdict *v) {
    field(f, v->claim->id);
    field(f, v->claim->who);
    field(f, v->claim->statement);
    field(f, fq_verdict_name(v->kind));
    field(f, v->reason);
    field(f, v->claim->contract);
    field(f, v->claim->family);
    number(f, v->claim->level);
    number(f, v->claim->minimum_effect);
    field(f, v->claim->sha256);
}

void fq_put_verdicts_csv(FILE *f, const struct fq_verdicts *verdicts) {
    fputs(
        "claim,who,statement,verdict,reason,contract,family,level,minimum_effect,claim_sha256,test,outcome,data,tensor,"
        "cells,against,metric,unit,as,value,low,high,reference,effect,p_holm,decisive,below_noise_floor,why\n",
        f);
    for (size_t i = 0; i < verdicts->n; i++) {
        const struct fq_verdict *v = &verdicts->verdict[i];
        if (v->n == 0) {
            claim_fields(f, v);
            fputs(",,,,,,,,,,,,,,,,,\n", f);
        }
        for (size_t k = 0; k < v->n; k++) {
            const struct fq_test_result *r = &v->result[k];
            const struct fq_comparison *m = &r->measured;
            bool shown = r->outcome != FQ_REFUSED && m->has_interval && isfinite(m->value) && isfinite(m->low) &&
                         isfinite(m->high);
            claim_fields(f, v);
            field(f, r->test->name);
            field(f, fq_outcome_name(r->outcome));
            field(f, r->data);
            field(f, r->tensor);
            field(f, r->cells);
            field(f, r->against);
            field(f, r->metric);
            field(f, r->unit);
            field(f, r->test->as == FQ_AS_RATIO ? "ratio" : "difference");
            number(f, shown ? m->value : NAN);
            number(f, shown ? m->low : NAN);
            number(f, shown ? m->high : NAN);
            number(f, r->reference);
            number(f, shown ? r->effect : NAN);
            number(f, shown ? r->p_holm : NAN);
            fprintf(f, "%d,%d,", k == v->decisive, r->below_floor);
            fq_put_csv(f, r->why);
            fputc('\n', f);
        }
    }
}

static void findings(FILE *f, const struct fq_audit *audit, bool fair) {
    for (size_t i = 0; i < audit->n; i++) {
        const struct fq_finding *finding = &audit->finding[i];
        if (finding->fair != fair)
            continue;
        fprintf(f, "  %-8s %s", fair ? "equal" : "UNEQUAL", finding->field);
        if (finding->kind[0] != '\0')
            fprintf(f, " (%s%s%s)", finding->kind, finding->data[0] != '\0' ? ", " : "", finding->data);
        fprintf(f, ": %s\n", finding->detail);
    }
}

void fq_put_audit_text(FILE *f, const struct fq_audit *audit) {
    fprintf(f, "contract %s, %zu cells, %zu failed\n", audit->contract, audit->cells, audit->failed);
    if (audit->exhibit)
        fputs("exhibit: unfair by intention, shown for its effect\n", f);
    fprintf(f, "%s: %zu of %zu comparisons unequal\n\n", audit->unfair == 0 && !audit->exhibit ? "fair" : "UNFAIR",
            audit->unfair, audit->n);
    findings(f, audit, false);
    for (size_t i = 0; i < audit->n_notes; i++)
        fprintf(f, "  note     %s (%s, %s): %s\n", audit->note[i].field, audit->note[i].kind, audit->note[i].data,
                audit->note[i].detail);
    findings(f, audit, true);
}
