/* fairquant plan: what a sweep would do, in which order, with how many bytes and how long. Measures a few vectors for
 * the estimate and runs nothing. */
#include "harness/verbs.h"

#include "harness/measure/measures.h"
#include "harness/plan/cost.h"
#include "harness/plan/plan.h"
#include "harness/verbs/rate_notes.h"
#include "harness/verbs/sweep_options.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_CELLS = 20 };

struct options {
    struct fq_sweep_options sweep;
    bool all_cells;
};

static const struct argp_option option_table[] = {{"cells", 'c', NULL, 0, "print every cell, not only the first 20", 0},
                                                  {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->sweep;
        return 0;
    case 'c':
        o->all_cells = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_bytes(double bytes, char *out, size_t size) {
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t k = 0;
    while (bytes >= 1024 && k < 4) {
        bytes /= 1024;
        k++;
    }
    snprintf(out, size, k ? "%.1f %s" : "%.0f %s", bytes, unit[k]);
}

static void print_time(double ns, char *out, size_t size) {
    if (ns < 60e9)
        snprintf(out, size, "%.1f s", ns / 1e9);
    else if (ns < 3600e9)
        snprintf(out, size, "%.1f min", ns / 60e9);
    else
        snprintf(out, size, "%.1f h", ns / 3600e9);
}

/* Columns are as wide as their longest entry: names never run together. */
static int wider(int width, const char *text) {
    const int n = (int)strlen(text);
    return n > width ? n : width;
}

struct widths {
    int data, method, rate_class;
};

static struct widths measure_widths(const struct fq_plan *plan) {
    struct widths w = {.data = 8, .method = 8, .rate_class = (int)strlen("rate class")};
    for (size_t i = 0; i < plan->n_cells; i++) {
        w.data = wider(w.data, plan->cells[i].cell.data);
        w.method = wider(w.method, plan->cells[i].cell.label);
    }
    for (size_t i = 0; i < plan->sweep->n_instances; i++) {
        w.method = wider(w.method, plan->sweep->instances[i].label);
        w.rate_class = wider(w.rate_class, plan->sweep->instances[i].rate_class);
    }
    for (size_t i = 0; i < plan->sweep->n_policies; i++)
        w.method = wider(w.method, plan->sweep->policies[i].label);
    return w;
}

static const char *tensor_of(const struct fq_plan *plan, const struct fq_planned *p) {
    if (p->policy)
        return p->touches;
    if (strcmp(p->cell.kind, "model") == 0) {
        const struct fq_sweep_model *m = &plan->sweep->models[p->source];
        return m->key && m->value ? "kv" : m->key ? "key" : "value";
    }
    return fq_tensor_label(&plan->data[p->source], p->tensor);
}

static bool same_group(const struct fq_planned *a, const struct fq_planned *b) {
    return strcmp(a->cell.kind, b->cell.kind) == 0 && strcmp(a->cell.data, b->cell.data) == 0;
}

/* One line per kind and data, in the order of their first cells. */
static void print_groups(const struct fq_plan *plan, const struct widths *w) {
    printf("%-6s  %-*s %7s %14s %12s %10s\n", "kind", w->data, "data", "cells", "vectors", "bytes", "time");
    double bytes = 0, ns = 0;
    uint64_t vectors = 0;
    char size[32], time[32];
    for (size_t i = 0; i < plan->n_cells; i++) {
        const struct fq_planned *first = &plan->cells[i];
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = same_group(&plan->cells[k], first);
        if (seen)
            continue;
        double group_bytes = 0, group_ns = 0;
        uint64_t group_vectors = 0;
        size_t n = 0;
        for (size_t k = i; k < plan->n_cells; k++)
            if (same_group(&plan->cells[k], first)) {
                group_bytes += plan->cells[k].planned_bytes;
                group_ns += plan->cells[k].cost_ns;
                group_vectors += plan->cells[k].vectors;
                n++;
            }
        print_bytes(group_bytes, size, sizeof size);
        print_time(group_ns, time, sizeof time);
        printf("%-6s  %-*s %7zu %14llu %12s %10s\n", first->cell.kind, w->data, first->cell.data, n,
               (unsigned long long)group_vectors, size, time);
        bytes += group_bytes;
        ns += group_ns;
        vectors += group_vectors;
    }
    print_bytes(bytes, size, sizeof size);
    print_time(ns, time, sizeof time);
    printf("%-6s  %-*s %7zu %14llu %12s %10s\n", "all", w->data, "", plan->n_cells, (unsigned long long)vectors, size,
           time);
    printf("\nTime: %s.\n", fq_cost_how);
}

static void print_methods(const struct fq_plan *plan, const struct widths *w) {
    const struct fq_sweep *s = plan->sweep;
    printf("\n%-*s %-*s %8s %6s  %s\n", w->method, "method", w->rate_class, "rate class", "nominal", "seeds",
           "parameters");
    for (size_t i = 0; i < s->n_instances; i++) {
        const struct fq_sweep_instance *at = &s->instances[i];
        printf("%-*s %-*s %8.3g %6zu  %s\n", w->method, at->label, w->rate_class, at->rate_class,
               at->method->nominal_bits(&at->params), at->n_seeds, at->parameters[0] ? at->parameters : "(none)");
    }
}

static bool has_cell(const struct fq_plan *plan, size_t model, const struct fq_sweep_policy *at) {
    for (size_t i = 0; i < plan->n_cells; i++)
        if (plan->cells[i].policy == at && plan->cells[i].source == model)
            return true;
    return false;
}

/* What each policy holds at the end of a window, full-precision part and codes apart. */
static int print_policies(const struct fq_plan *plan, const struct widths *w, struct fq_error *err) {
    const struct fq_sweep *s = plan->sweep;
    if (s->n_policies > 0)
        printf("\n%-*s %-*s %8s %12s %12s %12s  %s\n", w->method, "policy", w->data, "data", "bits", "codes",
               "full (fp16)", "shared", "parameters");
    for (size_t m = 0; m < s->n_models; m++)
        for (size_t i = 0; i < s->n_policies; i++) {
            const struct fq_sweep_policy *at = &s->policies[i];
            struct fq_policy_plan layers;
            struct fq_policy_bytes b;
            char codes[32], full[32], shared[32];
            if (at->replicate > 0 || !has_cell(plan, m, at))
                continue;
            FQ_TRY(fq_policy_plan_open(&at->policy, plan->models[m].layers, plan->models[m].dim, &layers, err));
            fq_policy_count(&layers, s->models[m].context, plan->models[m].kv_heads, &b);
            fq_policy_plan_close(&layers);
            print_bytes((double)b.code_bytes, codes, sizeof codes);
            print_bytes((double)b.full_bytes, full, sizeof full);
            print_bytes((double)b.shared_bytes, shared, sizeof shared);
            printf("%-*s %-*s %8.3f %12s %12s %12s  %s\n", w->method, at->label, w->data, s->models[m].name,
                   b.rate_bits, codes, full, shared, at->parameters);
        }
    return 0;
}

static void print_cells(const struct fq_plan *plan, const struct widths *w, bool all) {
    const size_t n = all || plan->n_cells <= FIRST_CELLS ? plan->n_cells : FIRST_CELLS;
    printf("\nOrder (seed %llu):\n%5s  %-16s  %-6s %-*s %-7s %-*s %5s %4s %5s %8s %12s\n",
           (unsigned long long)plan->sweep->order_seed, "order", "id", "kind", w->data, "data", "tensor", w->method,
           "method", "seed", "proc", "block", "bits", "bytes");
    for (size_t i = 0; i < n; i++) {
        const struct fq_planned *p = &plan->cells[i];
        char size[32];
        print_bytes(p->planned_bytes, size, sizeof size);
        printf("%5llu  %-16s  %-6s %-*s %-7s %-*s %5llu %4d %5d %8.3f %12s\n", (unsigned long long)p->cell.order,
               p->cell.id, p->cell.kind, w->data, p->cell.data, tensor_of(plan, p), w->method, p->cell.label,
               (unsigned long long)p->cell.seed, p->cell.process, p->cell.block, p->cell.rate_bits, size);
    }
    if (n < plan->n_cells)
        printf("... and %zu more; --cells prints all\n", plan->n_cells - n);
}

int fq_verb_plan(int argc, char **argv, struct fq_error *err) {
    static const struct argp_child children[] = {{&fq_sweep_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {.options = option_table,
                                       .parser = parse_option,
                                       .args_doc = "SWEEP.yaml",
                                       .doc = "Prints the cells of a sweep by kind, their order, the bytes that the "
                                              "methods promise and an estimate of the time, for which every "
                                              "method encodes a few vectors here and now; no cell is run.",
                                       .children = children};
    struct options o = {.sweep = {.err = err}};
    struct fq_sweep sweep;
    struct fq_plan plan;
    argp_err_exit_status = FQ_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &o) != 0 || o.sweep.bad)
        return FQ_USAGE;
    FQ_TRY(fq_sweep_options_load(&o.sweep, &sweep, err));
    int code = fq_plan_make(&sweep, false, &plan, err);
    if (code == 0) {
        code = fq_cost_estimate(&plan, err);
        if (code == 0) {
            printf("sweep %s under contract %s: %zu cells, %zu process%s x %zu block%s of timing, hash %.12s\n\n",
                   sweep.name, sweep.contract, plan.n_cells, sweep.processes, sweep.processes == 1 ? "" : "es",
                   sweep.blocks, sweep.blocks == 1 ? "" : "s", sweep.sha256);
            const struct widths w = measure_widths(&plan);
            print_groups(&plan, &w);
            for (size_t i = 0; i < plan.n_notes; i++)
                printf("%s\n", plan.notes[i]);
            code = fq_rate_notes(&plan, err);
            if (sweep.n_instances > 0)
                print_methods(&plan, &w);
            if (code == 0)
                code = print_policies(&plan, &w, err);
            if (code == 0)
                print_cells(&plan, &w, o.all_cells);
        }
        fq_plan_free(&plan);
    }
    fq_sweep_free(&sweep);
    return code;
}
