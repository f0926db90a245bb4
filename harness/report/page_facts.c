/* The parts of the page that say under which conditions the numbers were made: methods, machine, provenance, failures,
 * and how to make them again. Must not interpret a fact; facts are shown as observed. */
#include "harness/measure/catalog.h"
#include "harness/report/escape.h"
#include "harness/report/number.h"
#include "harness/report/page.h"

#include <stdlib.h>
#include <string.h>

static const struct fq_method *method_named(const char *name) {
    for (size_t i = 0; i < fq_catalog_size(); i++)
        if (strcmp(fq_catalog_at(i)->name, name) == 0)
            return fq_catalog_at(i);
    return NULL;
}

static bool seen_before(const struct fq_estimates *e, size_t i, bool whole_instance) {
    for (size_t j = 0; j < i; j++)
        if (strcmp(e->rows[j].method, e->rows[i].method) == 0 &&
            (!whole_instance ||
             (strcmp(e->rows[j].parameters, e->rows[i].parameters) == 0 && e->rows[j].replicate == 0)))
            return true;
    return false;
}

static int put_instances(FILE *f, const struct fq_estimates *e, struct fq_error *err) {
    struct fq_table t;
    fq_table_begin(&t, "instances", "Method instances and every parameter");
    snprintf(t.caption, sizeof t.caption,
             "Bits formula: bits per coordinate with everything included, d the dimension; what was measured stands in "
             "the tables above.");
    fq_table_column(&t, "instance", "", false);
    fq_table_column(&t, "parameters", "", false);
    fq_table_column(&t, "nominal", "bits/coord.", true);
    fq_table_column(&t, "bits formula", "", false);
    int code = FQ_OK;
    for (size_t i = 0; i < e->n && code == FQ_OK; i++) {
        if (e->rows[i].replicate != 0 || seen_before(e, i, true))
            continue;
        struct fq_table_row *row = fq_table_row(&t, err);
        if (row == NULL) {
            code = err->code;
            break;
        }
        const struct fq_method *m = method_named(e->rows[i].method);
        snprintf(row->cell[0].text, sizeof row->cell[0].text, "%s", e->rows[i].label);
        snprintf(row->cell[1].text, sizeof row->cell[1].text, "%.223s",
                 e->rows[i].parameters[0] != '\0' ? e->rows[i].parameters : "none");
        fq_print_exact(e->rows[i].nominal_bits, row->cell[2].text);
        snprintf(row->cell[3].text, sizeof row->cell[3].text, "%s", m != NULL ? m->bits_formula : "\u2013");
    }
    if (code == FQ_OK)
        fq_table_html(f, &t);
    fq_table_free(&t);
    return code;
}

int fq_put_methods(FILE *f, const struct fq_page *page, struct fq_error *err) {
    static const char *const roles[] = {"contender", "baseline", "negative control"};
    const struct fq_estimates *e = page->in->estimates;
    fputs("<h2 id=\"methods\">Methods</h2>\n<dl>\n", f);
    for (size_t i = 0; i < e->n; i++) {
        if (seen_before(e, i, false))
            continue;
        const struct fq_method *m = method_named(e->rows[i].method);
        fputs("<dt><b>", f);
        fq_put_html(f, e->rows[i].method);
        fputs("</b>", f);
        if (m == NULL) {
            fputs("</dt>\n<dd>Not in this binary (a plug-in of the run, or another version).</dd>\n", f);
            continue;
        }
        fprintf(f, " (%s)</dt>\n<dd>", roles[m->role]);
        fq_put_html(f, m->summary);
        fputs(" <span class=\"who\">", f);
        fq_put_html(f, m->paper);
        fputs("</span></dd>\n", f);
    }
    fputs("</dl>\n", f);
    return put_instances(f, e, err);
}

/* Hybrid models: the numbers are those of the layers that have a cache. Said once for each data item. */
static void put_layers_left_out(FILE *f, const struct fq_results *results) {
    const char *last = "";
    for (size_t c = 0; c < results->n_cells; c++) {
        const struct fq_cell *cell = &results->cells[c];
        const char *n = fq_cell_fact_text(cell, "layers_without_cache");
        if (n == NULL || strcmp(n, "0") == 0 || strcmp(cell->data, last) == 0)
            continue;
        bool said = false;
        for (size_t k = 0; k < c && !said; k++)
            said = strcmp(results->cells[k].data, cell->data) == 0 &&
                   fq_cell_fact_text(&results->cells[k], "layers_without_cache") != NULL;
        last = cell->data;
        if (said)
            continue;
        fputs("<p>", f);
        fq_put_html(f, cell->data);
        fputs(": ", f);
        fq_put_html(f, n);
        fputs(" layers of this model have no KV cache and are left out.</p>\n", f);
    }
}

/* Facts as two columns; where several results files differ, each value once with the file it is from. */
int fq_put_conditions(FILE *f, const struct fq_page *page, struct fq_error *err) {
    (void)err;
    const struct fq_report_input *in = page->in;
    fputs("<h2 id=\"conditions\">Conditions</h2>\n<p>As read from the machine while the sweep ran, not as configured. "
          "What could not be read says so.</p>\n",
          f);
    for (size_t r = 0; r < in->n_results; r++) {
        fputs("<h3>", f);
        fq_put_html(f, in->paths[r]);
        fprintf(f, "</h3>\n<p>Sweep \u201c");
        fq_put_html(f, in->results[r].sweep_name);
        fprintf(f, "\u201d, %zu of %zu planned cells%s.</p>\n", in->results[r].n_cells, in->results[r].planned,
                in->results[r].n_cells < in->results[r].planned ? " (the run is partial)" : "");
        put_layers_left_out(f, &in->results[r]);
        fputs("<div class=\"scroll\"><table class=\"facts\"><tbody>\n", f);
        for (size_t i = 0; i < in->results[r].n_machine; i++) {
            fputs("<tr><td>", f);
            fq_put_html(f, in->results[r].machine[i].name);
            fputs("</td><td>", f);
            fq_put_html(f, in->results[r].machine[i].text);
            fputs("</td></tr>\n", f);
        }
        fputs("</tbody></table></div>\n", f);
    }
    return FQ_OK;
}

static bool is_hash(const struct fq_fact *fact) {
    return strstr(fact->name, "sha256") != NULL || strstr(fact->name, "hash") != NULL;
}

/* Every hash that a cell observed, once for each data set and value. */
int fq_put_provenance(FILE *f, const struct fq_page *page, struct fq_error *err) {
    const struct fq_report_input *in = page->in;
    struct seen {
        const char *data, *name, *text;
    } *seen = NULL;
    size_t n = 0, room = 0;
    fputs(
        "<h2 id=\"provenance\">Data and binary</h2>\n<p>SHA-256 of everything that the numbers depend on, as the cells "
        "observed it.</p>\n<div class=\"scroll\"><table class=\"facts\"><tbody>\n",
        f);
    for (size_t r = 0; r < in->n_results; r++)
        for (size_t c = 0; c < in->results[r].n_cells; c++)
            for (size_t i = 0; i < in->results[r].cells[c].n_facts; i++) {
                const struct fq_cell *cell = &in->results[r].cells[c];
                const struct fq_fact *fact = &cell->facts[i];
                if (!is_hash(fact))
                    continue;
                /* What does not depend on the data is listed once. */
                const char *data = strncmp(fact->name, "data", 4) == 0 || strncmp(fact->name, "model", 5) == 0 ||
                                           strncmp(fact->name, "corpus", 6) == 0
                                       ? cell->data
                                       : "";
                size_t k = 0;
                while (k < n && (strcmp(seen[k].data, data) != 0 || strcmp(seen[k].name, fact->name) != 0 ||
                                 strcmp(seen[k].text, fact->text) != 0))
                    k++;
                if (k < n)
                    continue;
                if (n == room) {
                    struct seen *grown = realloc(seen, (room = 2 * room + 16) * sizeof *seen);
                    if (grown == NULL) {
                        free(seen);
                        return fq_fail(err, FQ_USAGE, "out of memory for the provenance of the report");
                    }
                    seen = grown;
                }
                seen[n++] = (struct seen){data, fact->name, fact->text};
                fputs("<tr><td>", f);
                fq_put_html(f, data);
                fputs("</td><td>", f);
                fq_put_html(f, fact->name);
                fputs("</td><td><code>", f);
                fq_put_html(f, fact->text);
                fputs("</code></td></tr>\n", f);
            }
    free(seen);
    for (size_t r = 0; r < in->n_results; r++) {
        fputs("<tr><td>", f);
        fq_put_html(f, in->results[r].sweep_name);
        fputs("</td><td>sweep_sha256</td><td><code>", f);
        fq_put_html(f, in->results[r].sweep_sha256);
        fputs("</code></td></tr>\n", f);
    }
    fputs("</tbody></table></div>\n", f);
    return FQ_OK;
}

int fq_put_failures(FILE *f, const struct fq_page *page, struct fq_error *err) {
    const struct fq_report_input *in = page->in;
    struct fq_table t;
    fq_table_begin(&t, "failures", "Cells that failed");
    snprintf(t.caption, sizeof t.caption, "A failed cell has no number anywhere in this report.");
    fq_table_column(&t, "data", "", false);
    fq_table_column(&t, "instance", "", false);
    fq_table_column(&t, "seed", "", true);
    fq_table_column(&t, "reason", "", false);
    int code = FQ_OK;
    for (size_t r = 0; r < in->n_results && code == FQ_OK; r++)
        for (size_t c = 0; c < in->results[r].n_cells; c++) {
            const struct fq_cell *cell = &in->results[r].cells[c];
            if (cell->ok)
                continue;
            struct fq_table_row *row = fq_table_row(&t, err);
            if (row == NULL) {
                code = err->code;
                break;
            }
            snprintf(row->cell[0].text, sizeof row->cell[0].text, "%s", cell->data);
            snprintf(row->cell[1].text, sizeof row->cell[1].text, "%s", cell->label);
            snprintf(row->cell[2].text, sizeof row->cell[2].text, "%llu", (unsigned long long)cell->seed);
            snprintf(row->cell[3].text, sizeof row->cell[3].text, "%.223s", cell->reason);
        }
    if (code == FQ_OK && t.n_rows > 0) {
        fputs("<h2 id=\"failed\">Failed cells</h2>\n", f);
        fq_table_html(f, &t);
    }
    fq_table_free(&t);
    return code;
}

/* The file names that the commands below use: a sweep's name, made fit for a file. */
static void put_file_names(FILE *f, const struct fq_report_input *in) {
    for (size_t r = 0; r < in->n_results; r++) {
        char name[64];
        fq_slug(in->results[r].sweep_name, name, sizeof name);
        fprintf(f, " %s.h5", name);
    }
}

void fq_put_reproduce(FILE *f, const struct fq_page *page) {
    const struct fq_report_input *in = page->in;
    fputs("<h2 id=\"reproduce\">How to make this again</h2>\n<p>", f);
    if (in->n_results == 1 && strcmp(in->results[0].sweep_name, "reproduce") == 0)
        fputs("From a clone, <code>make reproduce</code> does everything. By hand: save", f);
    else
        fputs("Save", f);
    fprintf(f, " the sweep%s below under the name%s used here, then</p>\n<pre>", in->n_results == 1 ? "" : "s",
            in->n_results == 1 ? "" : "s");
    for (size_t r = 0; r < in->n_results; r++) {
        char name[64];
        fq_slug(in->results[r].sweep_name, name, sizeof name);
        fprintf(f, "fairquant run %s.yaml --out %s.h5\n", name, name);
    }
    static const char *const verbs[] = {"audit", "judge", "report"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        fprintf(f, "fairquant %s", verbs[i]);
        put_file_names(f, in);
        fputs(i == 2 ? " --out report</pre>\n" : "\n", f);
    }
    fputs("<p>Seeds, data and order are in the file, so errors and bits come out the same on every machine; times do "
          "not. Plots can be drawn again from <code>plots/data/*.csv</code>, for example "
          "<code>gnuplot -c rate_mse.gp rate_mse.csv out.pdf pdf</code> with the scripts in <code>plots/</code> of the "
          "project.</p>\n",
          f);
    for (size_t r = 0; r < in->n_results; r++) {
        fputs("<details><summary>Sweep \u201c", f);
        fq_put_html(f, in->results[r].sweep_name);
        fputs("\u201d as run</summary>\n<pre>", f);
        /* Line by line, because the escape makes line ends into spaces. */
        for (const char *s = in->results[r].sweep_text != NULL ? in->results[r].sweep_text : ""; *s != '\0';) {
            char line[1024];
            size_t n = strcspn(s, "\n"), take = n < sizeof line ? n : sizeof line - 1;
            memcpy(line, s, take);
            line[take] = '\0';
            fq_put_html(f, line);
            s += take;
            if (*s == '\n') {
                fputc('\n', f);
                s++;
            }
        }
        fputs("</pre></details>\n", f);
    }
}
