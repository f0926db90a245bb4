/* Sections of models: which settings a figure shows, what pairs with what, what is said to be missing. */
#include "harness/base/file.h"
#include "harness/report/models.h"
#include "tests/unit/report/fixture.h"
#include "tests/unit/report/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct fq_estimates e;
    struct fq_results results;
    struct fq_report_dir dir;
    struct fq_model_sections sections;
};

static void export_all(struct world *w, const char *name) {
    char path[128];
    struct fq_error err = {0};
    const struct fq_report_input in = {.results = &w->results, .n_results = 1, .estimates = &w->e};
    snprintf(path, sizeof path, "%s/%s", base, name);
    if (fq_report_dir_open(&w->dir, path, &err) != 0 || fq_models_export(&in, &w->dir, &w->sections, &err) != 0)
        fail_msg("%s", err.text);
}

static void close_all(struct world *w) {
    fq_report_dir_abort(&w->dir);
    fq_models_free(&w->sections);
    fq_estimates_free(&w->e);
    free(w);
}

static struct world *new_world(void) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    return w;
}

/* The exported data of a figure, to be freed; NULL: there is none. */
static char *data_of(const struct world *w, size_t section, enum fq_model_figure which) {
    char path[4096];
    char *text = NULL;
    size_t n = 0;
    struct fq_error err;
    snprintf(path, sizeof path, "%s/plots/data/%s.csv", w->dir.temporary,
             w->sections.section[section].figure[which].name);
    return fq_read_text(path, &text, &n, &err) == 0 ? text : NULL;
}

static size_t lines_with(const char *text, const char *what) {
    size_t n = 0;
    for (const char *s = text; *s != '\0';) {
        const size_t length = strcspn(s, "\n");
        const char *at = strstr(s, what);
        n += at != NULL && at < s + length;
        s += length + (s[length] == '\n');
    }
    return n;
}

static struct fq_estimate *model(struct fq_estimates *e, const char *data, const char *tensor, const char *label,
                                 double rate, const char *metric, double value) {
    return fixture_add(e, "model", data, tensor, label, "c", rate, metric, value, value / 10);
}

static void both(struct fq_estimates *e, const char *tensor, const char *label, double rate, double kl) {
    model(e, "m/text", tensor, label, rate, "kl", kl);
    model(e, "m/text", tensor, label, rate, "delta_log_ppl", kl / 2);
}

static void no_model_no_section(void **state) {
    (void)state;
    struct world *w = new_world();
    fixture_add(&w->e, "codec", "sphere", "vectors", "alpha bits=2", "2", 2.25, "rel_mse", 0.1, 0.01);
    export_all(w, "none");
    assert_int_equal(w->sections.n, 0);
    close_all(w);
}

static void a_section_for_each_text(void **state) {
    (void)state;
    struct world *w = new_world();
    both(&w->e, "kv", "alpha bits=2", 2.25, 0.2);
    model(&w->e, "m/text@64", "kv", "alpha bits=2", 2.25, "kl", 0.3);
    model(&w->e, "m-text", "kv", "alpha bits=2", 2.25, "kl", 0.3);
    export_all(w, "each");
    assert_int_equal(w->sections.n, 3);
    assert_string_equal(w->sections.section[0].data, "m/text");
    assert_string_equal(w->sections.section[1].data, "m/text@64");
    /* one slug for two names would have one file overwrite the other */
    assert_string_not_equal(w->sections.section[0].slug, w->sections.section[2].slug);
    close_all(w);
}

/* Every setting but those that the audit objects to, that are yardsticks, or that have more than 12 bits; the noise
 * floor beside each. */
static void rate_has_all_settings(void **state) {
    (void)state;
    struct world *w = new_world();
    both(&w->e, "kv", "alpha bits=2", 2.25, 0.2);
    both(&w->e, "kv", "alpha bits=4", 4.25, 0.02);
    both(&w->e, "kv", "beta", 3.0, 0.1);
    both(&w->e, "kv", "fp16", 16.0, 0.0001);
    both(&w->e, "kv", "unequal", 3.0, 0.1);
    for (size_t i = w->e.n - 2; i < w->e.n; i++)
        snprintf(w->e.rows[i].flags, sizeof w->e.rows[i].flags, "unfair:threads");
    both(&w->e, "kv", "noise floor: a", 32.0, 0.001);
    both(&w->e, "kv", "noise floor: b", 32.0, 0.002);
    for (size_t i = w->e.n - 4; i < w->e.n; i++)
        snprintf(w->e.rows[i].role, sizeof w->e.rows[i].role, "noise floor");
    both(&w->e, "key", "beta", 3.0, 0.05);
    export_all(w, "rate");
    const struct fq_figure *figure = &w->sections.section[0].figure[FQ_MODEL_RATE];
    assert_true(figure->has_data);
    assert_int_equal(figure->panels, 2);
    char *csv = data_of(w, 0, FQ_MODEL_RATE);
    assert_non_null(csv);
    assert_int_equal(lines_with(csv, "alpha bits="), 2);
    assert_int_equal(lines_with(csv, ",beta,"), 2);
    assert_int_equal(lines_with(csv, "fp16") + lines_with(csv, "unequal") + lines_with(csv, "noise"), 0);
    /* of the two floors the larger, its interval's end with it; keys have none */
    assert_int_equal(lines_with(csv, ",1,0.00045,0.0011,0.002,0.0022"), 3);
    assert_int_equal(lines_with(csv, ",0,,,,"), 1);
    free(csv);
    assert_false(w->sections.section[0].figure[FQ_MODEL_POSITION].has_data);
    csv = data_of(w, 0, FQ_MODEL_POSITION);
    assert_null(csv);
    char lacks[1024];
    fq_model_lacks(&w->sections.section[0], lacks, sizeof lacks);
    assert_string_equal(lacks, "Not measured in this run: bins of positions, the attention error by layer, "
                               "a setting on keys alone and the same on values alone and "
                               "a policy that skips values (sparse_v).");
    close_all(w);
}

/* Twelve methods at three widths: eight lines, the best and the worst of the settings near 3 bits among them. */
static void position_shows_a_few(void **state) {
    (void)state;
    struct world *w = new_world();
    for (int m = 0; m < 12; m++)
        for (int bits = 2; bits <= 4; bits++) {
            char label[32];
            snprintf(label, sizeof label, "method%c bits=%d", 'a' + m, bits);
            const double kl = (1 + m) * 0.01 / bits;
            both(&w->e, "kv", label, bits + 0.25, kl);
            for (int bin = 0; bin < 2; bin++) {
                char name[40];
                snprintf(name, sizeof name, "kl_bin%d", bin);
                model(&w->e, "m/text", "kv", label, bits + 0.25, name, kl);
                snprintf(name, sizeof name, "delta_log_ppl_bin%d", bin);
                model(&w->e, "m/text", "kv", label, bits + 0.25, name, kl / 2);
                snprintf(name, sizeof name, "position_bin%d", bin);
                model(&w->e, "m/text", "kv", label, bits + 0.25, name, 100 + 10 * bin);
            }
        }
    export_all(w, "position");
    char *csv = data_of(w, 0, FQ_MODEL_POSITION);
    assert_non_null(csv);
    assert_int_equal(lines_with(csv, "bits=3"), 8 * 2);
    assert_int_equal(lines_with(csv, "bits=2") + lines_with(csv, "bits=4"), 0);
    assert_int_equal(lines_with(csv, "methoda bits=3,100,"), 1);
    assert_int_equal(lines_with(csv, "methodl bits=3,110,"), 1);
    assert_non_null(strstr(w->sections.section[0].figure[FQ_MODEL_POSITION].caption, "nearest to 3 bits"));
    free(csv);
    close_all(w);
}

/* A panel for each choice of what is quantized; errors of keys and values are not in it. */
static void layers_are_cells_of_a_map(void **state) {
    (void)state;
    struct world *w = new_world();
    static const char *const labels[] = {"alpha bits=2", "beta"};
    for (int m = 0; m < 2; m++) {
        model(&w->e, "m/text", "key", labels[m], 2.25 + m, "loop_attention_error", 0.1);
        for (int layer = 0; layer < 3; layer++) {
            char name[40];
            snprintf(name, sizeof name, "loop_attention_error_layer%d", layer);
            model(&w->e, "m/text", "key", labels[m], 2.25 + m, name, 0.1 + layer);
            if (m == 1)
                model(&w->e, "m/text", "kv", labels[m], 2.25 + m, name, 0.01 + layer);
            snprintf(name, sizeof name, "loop_rel_mse_layer%d", layer);
            model(&w->e, "m/text", "key", labels[m], 2.25 + m, name, 0.5);
        }
    }
    model(&w->e, "m/text", "kv", "a policy", 3.5, "loop_attention_error", 0.2);
    struct fq_estimate *row = model(&w->e, "m/text", "kv", "a policy", 3.5, "loop_attention_error_layer1", 0.25);
    snprintf(row->method, sizeof row->method, "policy");
    snprintf(w->e.rows[w->e.n - 2].method, sizeof row->method, "policy");
    export_all(w, "layers");
    char *csv = data_of(w, 0, FQ_MODEL_LAYERS);
    assert_non_null(csv);
    assert_int_equal(w->sections.section[0].figure[FQ_MODEL_LAYERS].panels, 2);
    assert_int_equal(lines_with(csv, "1,keys and values,1,a policy,3.5,1,0.25,"), 1);
    assert_int_equal(lines_with(csv, "2,keys,2,alpha bits=2,2.25,"), 3);
    assert_int_equal(lines_with(csv, "2,keys,3,beta,3.25,"), 3);
    assert_int_equal(lines_with(csv, "1,keys and values,3,beta,3.25,2,2.01,"), 1);
    assert_int_equal(lines_with(csv, ",0.5,"), 0);
    free(csv);
    close_all(w);
}

static void policy(struct fq_estimates *e, const char *label, const char *parameters, double kl) {
    struct fq_estimate *row = model(e, "m/text", "kv", label, 3.0, "kl", kl);
    snprintf(row->method, sizeof row->method, "policy");
    snprintf(row->parameters, sizeof row->parameters, "%s", parameters);
}

/* Method entries pair by tensor; policies pair when the other tensor is full, and all else is the same. */
static void keys_pair_with_values(void **state) {
    (void)state;
    struct world *w = new_world();
    both(&w->e, "key", "alpha bits=2", 2.25, 0.2);
    both(&w->e, "value", "alpha bits=2", 2.25, 0.1);
    both(&w->e, "kv", "alpha bits=2", 2.25, 0.3);
    both(&w->e, "key", "beta", 2.25, 0.2);
    policy(&w->e, "k t2", "key=t2(narrow=g) value=full path=decoded", 0.4);
    policy(&w->e, "v t2", "key=full value=t2(narrow=g) path=decoded", 0.5);
    policy(&w->e, "b t2", "key=t2(narrow=g) value=t2(narrow=g) path=decoded", 0.6);
    policy(&w->e, "v t3", "key=full value=t2(narrow=g) window=64 path=decoded", 0.7);
    policy(&w->e, "mixed", "key=t3 value=t2(narrow=g) path=decoded", 0.8);
    export_all(w, "pairs");
    char *csv = data_of(w, 0, FQ_MODEL_KV);
    assert_non_null(csv);
    assert_int_equal(lines_with(csv, ""), 1 + 6);
    assert_int_equal(lines_with(csv, "1,alpha bits=2,1,keys alone,2.25,0.2,"), 1);
    assert_int_equal(lines_with(csv, "1,alpha bits=2,2,values alone,2.25,0.1,"), 1);
    assert_int_equal(lines_with(csv, "1,alpha bits=2,3,both,2.25,0.3,"), 1);
    assert_int_equal(lines_with(csv, "2,t2 narrow=g,1,keys alone,3,0.4,"), 1);
    assert_int_equal(lines_with(csv, "2,t2 narrow=g,2,values alone,3,0.5,"), 1);
    assert_int_equal(lines_with(csv, "2,t2 narrow=g,3,both,3,0.6,"), 1);
    free(csv);
    close_all(w);
}

/* The skipped part is a fact of the cells: its mean over the seeds, beside the KL that the judge pooled. */
static void skipped_part_is_the_mean_of_cells(void **state) {
    (void)state;
    static const struct {
        const char *threshold, *skipped[2];
        double kl;
    } rows[] = {{"0.01", {"0.5", "0.7"}, 0.3}, {"0", {"0", "0"}, 0.1}};
    struct world *w = new_world();
    struct fq_cell cells[4];
    struct fq_error err;
    memset(cells, 0, sizeof cells);
    for (size_t i = 0; i < 2; i++) {
        char text[96], label[64];
        snprintf(text, sizeof text, "key=fp16 value=fp16 sparse_v=%s path=scores", rows[i].threshold);
        snprintf(label, sizeof label, "sparse sparse_v=%s", rows[i].threshold);
        policy(&w->e, label, text, rows[i].kl);
        for (size_t seed = 0; seed < 2; seed++) {
            struct fq_cell *c = &cells[2 * i + seed];
            c->ok = true;
            snprintf(c->data, sizeof c->data, "m/text");
            snprintf(c->parameters, sizeof c->parameters, "%s", text);
            snprintf(c->label, sizeof c->label, "%s", label);
            assert_int_equal(fq_cell_fact(c, "sparse_v_skipped", &err, "%s", rows[i].skipped[seed]), 0);
        }
    }
    w->results.cells = cells;
    w->results.n_cells = 4;
    export_all(w, "sparse");
    char *csv = data_of(w, 0, FQ_MODEL_SPARSE);
    assert_non_null(csv);
    assert_int_equal(lines_with(csv, ""), 1 + 2);
    assert_non_null(strstr(csv, "\n1,sparse,1,0,0,0.1,"));
    assert_non_null(strstr(csv, "\n1,sparse,2,0.01,0.6,0.3,"));
    free(csv);
    for (size_t i = 0; i < 4; i++)
        fq_cell_free(&cells[i]);
    close_all(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_model_no_section),
                                       cmocka_unit_test(a_section_for_each_text),
                                       cmocka_unit_test(rate_has_all_settings),
                                       cmocka_unit_test(position_shows_a_few),
                                       cmocka_unit_test(layers_are_cells_of_a_map),
                                       cmocka_unit_test(keys_pair_with_values),
                                       cmocka_unit_test(skipped_part_is_the_mean_of_cells)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
