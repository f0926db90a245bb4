/* Claims -> verdicts on synthetic cells whose truth is known, and the errors of claim files. */
#include "harness/judge/verdict.h"

#include "cells.h"
#include "harness/base/file.h"
#include "harness/base/random.h"
#include "harness/judge/verdict_internal.h"

#include <jansson.h>
#include <unistd.h>

static struct fq_contracts contracts;
static char directory[64];

static int load(void **state) {
    (void)state;
    struct fq_error err;
    snprintf(directory, sizeof directory, "/tmp/fq-claims-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    return fq_contracts_load("configs/contracts.yaml", &contracts, &err);
}

static void remove_claim(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    unlink(path);
}

static int unload(void **state) {
    (void)state;
    fq_contracts_free(&contracts);
    remove_claim("a.yaml");
    remove_claim("b.yaml");
    remove_claim("v.json");
    return rmdir(directory);
}

static void write_claim(const char *name, const char *id, const char *rest) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f,
            "id: %s\nwho: somebody\nwords: \"better\"\nwhere: a paper\nstatement: a test\ncontract: matched-cpu\n"
            "family: test\nlevel: 0.95\nminimum_effect: 0.02\n%s",
            id, rest);
    fclose(f);
}

/* alpha: mean 1.0; beta: mean 0.9 (paired: the same vectors); three seeds, 60 vectors. */
static void results(struct fq_results *r) {
    memset(r, 0, sizeof *r);
    for (uint64_t seed = 1; seed <= 3; seed++)
        for (int bits = 2; bits <= 3; bits++) {
            double common[60], own[120], a[60], b[60];
            char parameters[32];
            snprintf(parameters, sizeof parameters, "bits=%d rotation=haar", bits);
            fq_random_gaussian(fq_stream_key("test common", 1), 0, 60, common);
            fq_random_gaussian(fq_stream_key("test own", seed), (uint64_t)bits * 1000, 120, own);
            for (int i = 0; i < 60; i++) {
                a[i] = 1.0 + 0.2 * common[i] + 0.02 * own[i];
                b[i] = 0.9 * (1.0 + 0.2 * common[i]) + 0.02 * own[60 + i];
            }
            put_series(put_cell(r, "codec", "alpha", parameters, seed, 0, 0, 0), "rel_mse", "1", "mean", a, 60);
            put_series(put_cell(r, "codec", "beta", parameters, seed, 0, 0, 0), "rel_mse", "1", "mean", b, 60);
        }
    r->planned = r->n_cells;
}

static void judge(const struct fq_results *r, struct fq_claims *claims, struct fq_verdicts *v) {
    struct fq_error err;
    if (fq_claims_load(directory, claims, &err) != 0 || fq_judge_results(claims, &contracts, r, 1, 1, v, &err) != 0)
        fail_msg("%s", err.text);
}

static enum fq_verdict_kind verdict_on(const char *tests, char reason[640]) {
    struct fq_results r;
    struct fq_claims claims;
    struct fq_verdicts v;
    write_claim("a.yaml", "one", tests);
    results(&r);
    judge(&r, &claims, &v);
    assert_int_equal(v.n, 1);
    enum fq_verdict_kind kind = v.verdict[0].kind;
    snprintf(reason, 640, "%s", v.verdict[0].reason);
    fq_verdicts_free(&v);
    fq_claims_free(&claims);
    fq_results_free(&r);
    return kind;
}

#define PAIR                                                                                                           \
    "cells: {kind: codec, data: \"sphere-*\", method: beta}\n    metric: rel_mse\n    against: {method: alpha}\n"      \
    "    pair: [bits]\n"

static void pairs(void **state) {
    (void)state;
    char reason[640];
    assert_int_equal(verdict_on("tests:\n  - name: better\n    " PAIR "    as: ratio\n    direction: below\n", reason),
                     FQ_SUPPORTED);
    assert_non_null(strstr(reason, "2 of 2 comparisons hold"));
    assert_int_equal(verdict_on("tests:\n  - name: worse\n    " PAIR "    as: ratio\n    direction: above\n", reason),
                     FQ_REFUTED);
    assert_int_equal(
        verdict_on("tests:\n  - name: same\n    " PAIR "    as: ratio\n    direction: equivalent\n", reason),
        FQ_REFUTED);
    assert_int_equal(verdict_on("tests:\n  - name: factor\n    " PAIR
                                "    as: ratio\n    constant: 0.9\n    direction: equivalent\n",
                                reason),
                     FQ_SUPPORTED);
    assert_int_equal(verdict_on("tests:\n  - name: gap\n    " PAIR
                                "    as: difference\n    direction: below\n    margin: 0.05\n",
                                reason),
                     FQ_SUPPORTED);
    /* the truth lies on the bound: nothing can be decided */
    assert_int_equal(verdict_on("tests:\n  - name: edge\n    " PAIR
                                "    as: ratio\n    direction: below\n    margin: 0.1\n",
                                reason),
                     FQ_INCONCLUSIVE);
    assert_non_null(strstr(reason, "2 undecided"));
}

static void constants(void **state) {
    (void)state;
    char reason[640];
    static const char cells[] =
        "    cells: {method: alpha, parameters: \"bits=2|3 rotation=haar\"}\n    metric: rel_mse\n";
    char text[1024];
    snprintf(text, sizeof text,
             "tests:\n  - name: one\n%s    constant: 1.0\n    as: ratio\n    direction: equivalent\n"
             "    margin: 0.15\n",
             cells);
    assert_int_equal(verdict_on(text, reason), FQ_SUPPORTED);
    snprintf(text, sizeof text,
             "tests:\n  - name: bound\n%s    constant: 1.5\n    as: ratio\n    direction: below\n"
             "    margin: 0\n",
             cells);
    assert_int_equal(verdict_on(text, reason), FQ_SUPPORTED);
    snprintf(text, sizeof text,
             "tests:\n  - name: printed\n%s    constant: 0.5\n    as: ratio\n"
             "    direction: equivalent\n",
             cells);
    assert_int_equal(verdict_on(text, reason), FQ_REFUTED);
    assert_non_null(strstr(reason, "above 0.5"));
    /* interval about +-5 % of 1: an equivalence within 2 % stays open */
    snprintf(text, sizeof text,
             "tests:\n  - name: tight\n%s    constant: 1.0\n    as: ratio\n"
             "    direction: equivalent\n",
             cells);
    assert_int_equal(verdict_on(text, reason), FQ_INCONCLUSIVE);
}

/* Two seeds that are a factor of 30 apart: the plain interval of their mean would reach far below zero, and a squared
 * error cannot. Held against a constant as a difference, the same samples keep the plain interval. */
static void a_magnitude_against_a_constant_stays_above_zero(void **state) {
    (void)state;
    static const char *const as[2] = {"ratio", "difference"};
    for (int k = 0; k < 2; k++) {
        struct fq_results r = {0};
        struct fq_claims claims;
        struct fq_verdicts v;
        char text[512];
        for (uint64_t seed = 1; seed <= 2; seed++) {
            double x[8];
            for (int i = 0; i < 8; i++)
                x[i] = (seed == 1 ? 0.1 : 3.0) + 0.001 * i;
            put_series(put_cell(&r, "codec", "alpha", "bits=2", seed, 0, 0, 0), "rel_mse", "1", "mean", x, 8);
        }
        r.planned = r.n_cells;
        snprintf(text, sizeof text,
                 "tests:\n  - name: one\n    cells: {method: alpha}\n    metric: rel_mse\n    constant: 1\n"
                 "    as: %s\n    direction: below\n",
                 as[k]);
        write_claim("a.yaml", "one", text);
        judge(&r, &claims, &v);
        const struct fq_test_result *only = &v.verdict[0].result[0];
        assert_int_equal(v.verdict[0].n, 1);
        assert_non_null(strstr(v.verdict[0].reason, "of 1 comparison hold"));
        if (k == 0)
            assert_true(only->low > 0.0 && only->low < only->effect && only->effect < only->high);
        else
            assert_true(only->measured.low < 0.0);
        fq_verdicts_free(&v);
        fq_claims_free(&claims);
        fq_results_free(&r);
    }
}

static void combinations(void **state) {
    (void)state;
    char reason[640];
    static const char both[] = "tests:\n  - name: better\n    " PAIR "    as: ratio\n    direction: below\n"
                               "  - name: worse\n    " PAIR "    as: ratio\n    direction: above\n";
    char text[2048];
    assert_int_equal(verdict_on(both, reason), FQ_REFUTED);
    snprintf(text, sizeof text, "combine: any\n%s", both);
    assert_int_equal(verdict_on(text, reason), FQ_SUPPORTED);
    /* nothing matches */
    assert_int_equal(verdict_on("tests:\n  - name: none\n    cells: {method: delta}\n    metric: rel_mse\n"
                                "    constant: 1\n    as: ratio\n    direction: below\n",
                                reason),
                     FQ_NOT_MEASURED);
    assert_non_null(strstr(reason, "no cell"));
    /* a part is missing: the rest cannot support the whole */
    assert_int_equal(verdict_on("tests:\n  - name: better\n    " PAIR "    as: ratio\n    direction: below\n"
                                "  - name: none\n    cells: {method: delta}\n    metric: rel_mse\n"
                                "    constant: 1\n    as: ratio\n    direction: below\n",
                                reason),
                     FQ_INCONCLUSIVE);
    assert_non_null(strstr(reason, "1 of 2 tests match no cell"));
}

static void refuses_unequal_cells(void **state) {
    (void)state;
    struct fq_results r;
    struct fq_claims claims;
    struct fq_verdicts v;
    write_claim("a.yaml", "one", "tests:\n  - name: better\n    " PAIR "    as: ratio\n    direction: below\n");
    results(&r);
    set_fact(&r.cells[1], "threads_configured", "2");
    judge(&r, &claims, &v);
    assert_int_equal(v.verdict[0].kind, FQ_NOT_MEASURED);
    assert_int_equal(v.verdict[0].refused, 1); /* bits=2; the pair of bits=3 is equal */
    assert_non_null(strstr(v.verdict[0].reason, "threads_configured differs"));
    assert_non_null(strstr(v.verdict[0].reason, "2: beta"));
    assert_true(isnan(v.verdict[0].result[0].effect));
    fq_verdicts_free(&v);
    fq_claims_free(&claims);
    fq_results_free(&r);
}

/* An effect smaller than the A/A pair's interval decides nothing, however small its own interval is. */
static void noise_floor(void **state) {
    (void)state;
    struct fq_results r;
    struct fq_claims claims;
    struct fq_verdicts v;
    write_claim("a.yaml", "one",
                "tests:\n  - name: better\n    " PAIR "    as: ratio\n    direction: below\n    margin: 0\n");
    results(&r);
    for (uint64_t seed = 1; seed <= 3; seed++) { /* the twin of alpha comes out 30 % off */
        double twin[60];
        for (int i = 0; i < 60; i++)
            twin[i] = 1.3 * r.cells[0].series.series[0].value[i];
        put_series(put_cell(&r, "codec", "alpha", "bits=2 rotation=haar", seed, 0, 0, 1), "rel_mse", "1", "mean", twin,
                   60);
    }
    judge(&r, &claims, &v);
    assert_int_equal(v.verdict[0].kind, FQ_INCONCLUSIVE);
    assert_true(v.verdict[0].result[0].below_floor);
    assert_non_null(strstr(v.verdict[0].reason, "noise floor"));
    fq_verdicts_free(&v);
    fq_claims_free(&claims);
    fq_results_free(&r);
}

/* Bits against more bits is no comparison, whatever the sweep calls their classes; unless the claim says that it means
 * just that. */
static void refuses_unequal_rates(void **state) {
    (void)state;
    static const char body[] =
        "tests:\n  - name: better\n    cells: {kind: codec, method: beta, parameters: \"bits=2\"}\n    metric: "
        "rel_mse\n"
        "    against: {method: alpha, parameters: \"bits=3\"}\n    as: ratio\n    direction: below\n%s";
    char text[1024];
    for (int differ = 0; differ < 2; differ++) {
        struct fq_results r;
        struct fq_claims claims;
        struct fq_verdicts v;
        snprintf(text, sizeof text, body,
                 differ ? "    rates: differ\n    rates_reason: \"a bit less is the claim\"\n" : "");
        write_claim("a.yaml", "one", text);
        results(&r);
        for (size_t i = 0; i < r.n_cells; i++)
            if (strstr(r.cells[i].parameters, "bits=3") != NULL) {
                set_fact(&r.cells[i], "rate_bits", "3.25");
                snprintf(r.cells[i].rate_class, sizeof r.cells[i].rate_class, "3");
            }
        judge(&r, &claims, &v);
        assert_int_equal(v.verdict[0].n, 1);
        if (differ)
            assert_int_equal(v.verdict[0].kind, FQ_SUPPORTED);
        else {
            assert_int_equal(v.verdict[0].kind, FQ_NOT_MEASURED);
            assert_int_equal(v.verdict[0].refused, 1);
            assert_non_null(strstr(v.verdict[0].reason, "rate_bits differs"));
            assert_non_null(strstr(v.verdict[0].reason, "3.25: alpha"));
        }
        fq_verdicts_free(&v);
        fq_claims_free(&claims);
        fq_results_free(&r);
    }
}

/* At a bound of an equivalence "holds" and "fails" are both wrong answers; together they come up at most as often as
 * the level says. */
static void equivalence_at_the_margin(void **state) {
    (void)state;
    enum { RUNS = 20000 };
    static double z[RUNS];
    struct fq_claim claim = {.level = 0.95, .minimum_effect = 0.5};
    struct fq_claim_test test = {.as = FQ_AS_DIFFERENCE, .direction = FQ_IS_EQUIVALENT};
    fq_random_gaussian(fq_stream_key("test margin", 1), 0, RUNS, z);
    int holds = 0, fails = 0;
    for (int i = 0; i < RUNS; i++) {
        struct fq_test_result r = {.test = &test, .measured = {.value = 0.5 + 0.02 * z[i], .se = 0.02, .df = 1e6}};
        fq_test_side(&claim, &r);
        holds += r.p <= 0.05 && r.outcome == FQ_HOLDS;
        fails += r.p <= 0.05 && r.outcome == FQ_FAILS;
    }
    print_message("decisions at the margin: %d hold, %d fail of %d\n", holds, fails, (int)RUNS);
    near(holds, 0.025 * RUNS, 3.5 * sqrt(0.025 * RUNS));
    near(fails, 0.025 * RUNS, 3.5 * sqrt(0.025 * RUNS));
}

/* `each`: some comparison of every test holds. Here: beta is below alpha at one setting, above it at another. */
static void one_of_each(void **state) {
    (void)state;
    static const char both[] =
        "combine: each\ntests:\n  - name: below\n    " PAIR "    as: ratio\n    direction: below\n"
        "  - name: above\n    " PAIR "    as: ratio\n    direction: above\n";
    for (int crossed = 0; crossed < 2; crossed++) {
        struct fq_results r;
        struct fq_claims claims;
        struct fq_verdicts v;
        write_claim("a.yaml", "one", both);
        results(&r);
        for (size_t i = 0; i < r.n_cells && crossed; i++) /* at 3 bits beta becomes the worse one */
            if (strcmp(r.cells[i].method, "beta") == 0 && strstr(r.cells[i].parameters, "bits=3") != NULL)
                for (size_t k = 0; k < r.cells[i].series.series[0].n; k++)
                    r.cells[i].series.series[0].value[k] *= 1.3;
        judge(&r, &claims, &v);
        assert_int_equal(v.verdict[0].n, 4);
        assert_int_equal(v.verdict[0].kind, crossed ? FQ_SUPPORTED : FQ_REFUTED);
        fq_verdicts_free(&v);
        fq_claims_free(&claims);
        fq_results_free(&r);
    }
}

/* Cells on centred keys are another experiment: a claim that does not name the centre does not mean them. */
static void centred_cells_are_asked_for(void **state) {
    (void)state;
    struct fq_results r;
    struct fq_claims claims;
    struct fq_verdicts v;
    write_claim(
        "a.yaml", "one",
        "tests:\n  - name: plain\n    cells: {method: beta, parameters: \"bits=2\"}\n    metric: \"rel_*\"\n"
        "    constant: 1\n    as: ratio\n    direction: below\n"
        "  - name: centred\n    cells: {method: beta, parameters: \"bits=2 centre=mean\"}\n    metric: rel_mse\n"
        "    constant: 1\n    as: ratio\n    direction: below\n");
    results(&r);
    const double value[3] = {0.1, 0.2, 0.3};
    put_series(put_cell(&r, "codec", "beta", "bits=2 rotation=haar centre=mean", 1, 0, 0, 0), "rel_mse", "1", "mean",
               value, 3);
    judge(&r, &claims, &v);
    assert_int_equal(v.verdict[0].n, 2);
    assert_null(strstr(v.verdict[0].result[0].parameters, "centre"));
    assert_non_null(strstr(v.verdict[0].result[1].parameters, "centre=mean"));
    fq_verdicts_free(&v);
    fq_claims_free(&claims);
    fq_results_free(&r);
}

/* A quotation is printed as one, a paraphrase is not. */
static void quotations(void **state) {
    (void)state;
    char said[1200];
    struct fq_claim quoted = {.words = "100 % better"}, told = {.paraphrase = "It is better."};
    fq_claim_said(&quoted, said, sizeof said);
    assert_string_equal(said, "\"100 % better\"");
    fq_claim_said(&told, said, sizeof said);
    assert_string_equal(said, "It is better.");
}

/* Holm counts every comparison of the family, whichever file it stands in. */
static void holm_over_the_family(void **state) {
    (void)state;
    struct fq_results r;
    struct fq_claims claims;
    struct fq_verdicts v;
    static const char edge[] =
        "tests:\n  - name: edge\n    " PAIR "    as: ratio\n    direction: below\n    margin: 0.097\n";
    write_claim("a.yaml", "one", edge);
    write_claim("b.yaml", "two", edge);
    results(&r);
    judge(&r, &claims, &v);
    assert_int_equal(v.n, 2);
    double largest = 0.0, smallest = 1.0, smallest_holm = 1.0;
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < v.verdict[i].n; k++) {
            const struct fq_test_result *t = &v.verdict[i].result[k];
            largest = fmax(largest, t->p);
            smallest = fmin(smallest, t->p);
            smallest_holm = fmin(smallest_holm, t->p_holm);
            assert_true(t->p_holm >= t->p);
        }
    near(smallest_holm, fmin(1.0, 4.0 * smallest), 1e-12);
    assert_true(largest >= smallest);

    char path[128];
    struct fq_error err;
    const char *paths[1] = {"r.h5"};
    snprintf(path, sizeof path, "%s/v.json", directory);
    assert_int_equal(fq_verdicts_write_json(&v, paths, 1, path, &err), 0);
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    json_t *first = json_array_get(json_object_get(root, "claims"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "id")), "one");
    assert_string_equal(json_string_value(json_object_get(first, "claim_sha256")), claims.claim[0]->sha256);
    assert_int_equal(json_array_size(json_object_get(first, "comparisons")), 2);
    json_decref(root);
    fq_verdicts_free(&v);
    fq_claims_free(&claims);
    fq_results_free(&r);
    remove_claim("b.yaml");
}

static void claim_errors(void **state) {
    (void)state;
    static const struct {
        const char *rest, *says;
    } bad[] = {
        {"tests:\n  - name: x\n    cells: {method: a}\n    metric: m\n    as: ratio\n    direction: below\n",
         "give a constant"},
        {"tests:\n  - name: x\n    cells: {methods: a}\n    metric: m\n    as: ratio\n    direction: below\n",
         "methods"},
        {"tests:\n  - name: x\n    cells: {method: a}\n    metric: m\n    constant: 1\n    as: ratio\n"
         "    direction: sideways\n",
         "direction"},
        {"tests:\n  - name: x\n    cells: {method: a}\n    metric: m\n    constant: 0\n    as: ratio\n"
         "    direction: below\n",
         "above zero"},
        {"tests:\n  - name: x\n    cells: {method: a}\n    metric: m\n    constant: 1\n    as: ratio\n"
         "    direction: equivalent\n    margin: 0\n",
         "margin above zero"},
        {"paraphrase: it is better\ntests:\n  - name: x\n    cells: {method: a}\n    metric: m\n    constant: 1\n"
         "    as: ratio\n    direction: below\n",
         "either words"},
        {"tests:\n  - name: x\n    cells: {method: a}\n    metric: m\n    against: {method: b}\n    as: ratio\n"
         "    direction: below\n    rates: differ\n",
         "rates_reason"},
    };
    struct fq_claims claims;
    struct fq_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_claim("a.yaml", "one", bad[i].rest);
        assert_int_equal(fq_claims_load(directory, &claims, &err), FQ_USAGE);
        if (strstr(err.text, bad[i].says) == NULL || strstr(err.text, "a.yaml") == NULL)
            fail_msg("'%s' does not say '%s' and the file", err.text, bad[i].says);
    }
    static const char good[] = "tests:\n  - name: x\n    cells: {method: a}\n    metric: m\n    constant: 1\n"
                               "    as: ratio\n    direction: below\n";
    write_claim("a.yaml", "one", good);
    write_claim("b.yaml", "one", good);
    assert_int_equal(fq_claims_load(directory, &claims, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "both claim 'one'"));
    remove_claim("a.yaml");
    remove_claim("b.yaml");
    assert_int_equal(fq_claims_load(directory, &claims, &err), FQ_USAGE);
    assert_non_null(strstr(err.text, "no .yaml"));
    assert_int_equal(fq_claims_load("/nowhere", &claims, &err), FQ_USAGE);
}

static void parameter_texts(void **state) {
    (void)state;
    static const char all[] = "bits=12 rotation=haar scale=raw";
    char value[16];
    assert_true(fq_parameter_value(all, "rotation", value, sizeof value));
    assert_string_equal(value, "haar");
    assert_false(fq_parameter_value(all, "bit", value, sizeof value));
    assert_true(fq_parameters_match(all, ""));
    assert_true(fq_parameters_match(all, "bits=2|12 scale=raw"));
    assert_false(fq_parameters_match(all, "bits=1|2"));
    assert_false(fq_parameters_match(all, "bits=2|3 scale=raw"));
    assert_false(fq_parameters_match(all, "rounds=2"));
    assert_false(fq_parameters_match(all, "rotation=ha"));
    assert_false(fq_parameters_match(all, "rotation"));
    assert_true(fq_parameters_match(all, "centre=none|calibrated")); /* not written down where there is none */
    assert_false(fq_parameters_match(all, "centre=calibrated"));
    assert_false(fq_parameters_match("bits=2 centre=running", "centre=none"));
    assert_true(fq_parameters_match("key=full value=turbo3(narrow=pad)", "value=turbo3(narrow=pad) sinks=none|4"));
    assert_false(fq_parameters_match("key=full sinks=4", "sinks=none"));
}

/* The claims of this repository are well formed and name contracts that exist. */
static void committed_claims(void **state) {
    (void)state;
    struct fq_claims claims;
    struct fq_error err;
    if (fq_claims_load("configs/claims", &claims, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(claims.n >= 10);
    for (size_t i = 0; i < claims.n; i++) {
        const struct fq_contract *contract = NULL;
        assert_int_equal(fq_contract_find(&contracts, claims.claim[i]->contract, &contract, &err), 0);
        assert_int_equal(strlen(claims.claim[i]->sha256), 64);
    }
    fq_claims_free(&claims);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(constants),
        cmocka_unit_test(a_magnitude_against_a_constant_stays_above_zero),
        cmocka_unit_test(combinations),
        cmocka_unit_test(refuses_unequal_cells),
        cmocka_unit_test(noise_floor),
        cmocka_unit_test(refuses_unequal_rates),
        cmocka_unit_test(equivalence_at_the_margin),
        cmocka_unit_test(one_of_each),
        cmocka_unit_test(centred_cells_are_asked_for),
        cmocka_unit_test(quotations),
        cmocka_unit_test(holm_over_the_family),
        cmocka_unit_test(claim_errors),
        cmocka_unit_test(parameter_texts),
        cmocka_unit_test(committed_claims),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
