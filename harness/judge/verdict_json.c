/* Verdicts as JSON (jansson): the machine-readable twin of the judge's table. NaN becomes null. */
#include "harness/judge/verdict.h"

#include "harness/base/file.h"

#include <jansson.h>
#include <math.h>

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static int put(json_t *to, const char *key, json_t *value) {
    return json_object_set_new(to, key, value);
}

static json_t *result_json(const struct fq_test_result *r) {
    static const char *const directions[] = {"below", "above", "equivalent"};
    const struct fq_comparison *m = &r->measured;
    json_t *o = json_object();
    int bad = put(o, "test", json_string(r->test->name));
    bad |= put(o, "outcome", json_string(fq_outcome_name(r->outcome)));
    bad |= put(o, "data", json_string(r->data));
    bad |= put(o, "tensor", json_string(r->tensor));
    bad |= put(o, "metric", json_string(r->metric));
    bad |= put(o, "unit", json_string(r->unit));
    bad |= put(o, "cells", json_string(r->cells));
    bad |= put(o, "parameters", json_string(r->parameters));
    bad |= put(o, "against", r->against[0] ? json_string(r->against) : json_null());
    bad |= put(o, "rate_bits", number(r->rate_bits));
    bad |= put(o, "against_rate_bits", number(r->against_rate_bits));
    bad |= put(o, "as", json_string(r->test->as == FQ_AS_RATIO ? "ratio" : "difference"));
    bad |= put(o, "direction", json_string(directions[r->test->direction]));
    bad |= put(o, "reference", number(r->reference));
    bad |= put(o, "value", m->has_interval ? number(m->value) : json_null());
    bad |= put(o, "value_low", number(m->has_interval ? m->low : NAN));
    bad |= put(o, "value_high", number(m->has_interval ? m->high : NAN));
    bad |= put(o, "effect", number(r->effect));
    bad |= put(o, "low", number(r->low));
    bad |= put(o, "high", number(r->high));
    bad |= put(o, "standard_error", number(m->has_interval ? m->se : NAN));
    bad |= put(o, "degrees_of_freedom", number(m->has_interval ? m->df : NAN));
    bad |= put(o, "p", number(r->p));
    bad |= put(o, "p_holm", number(r->p_holm));
    bad |= put(o, "n", json_integer((json_int_t)m->n));
    bad |= put(o, "seeds", json_integer((json_int_t)m->seeds));
    bad |= put(o, "resampled", json_string(m->resampled));
    bool differ = r->test->rates == FQ_RATES_DIFFER;
    bad |= put(o, "rates", json_string(differ ? "differ" : "match"));
    bad |= put(o, "rates_reason", differ ? json_string(r->test->rates_reason) : json_null());
    bad |= put(o, "standard_error_of", json_string(m->logarithm ? "logarithm" : "value"));
    bad |= put(o, "below_noise_floor", json_boolean(r->below_floor));
    bad |= put(o, "why", json_string(r->why));
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

static json_t *verdict_json(const struct fq_verdict *v) {
    const struct fq_claim *c = v->claim;
    const struct fq_test_result *r = v->decisive < v->n ? &v->result[v->decisive] : NULL;
    json_t *o = json_object(), *tests = json_array();
    int bad = put(o, "id", json_string(c->id));
    bad |= put(o, "verdict", json_string(fq_verdict_name(v->kind)));
    bad |= put(o, "effect", number(r ? r->effect : NAN));
    bad |= put(o, "low", number(r ? r->low : NAN));
    bad |= put(o, "high", number(r ? r->high : NAN));
    bad |= put(o, "reason", json_string(v->reason));
    bad |= put(o, "who", json_string(c->who));
    bad |= put(o, "words", c->words ? json_string(c->words) : json_null());
    bad |= put(o, "paraphrase", c->paraphrase ? json_string(c->paraphrase) : json_null());
    bad |= put(o, "where", json_string(c->where));
    bad |= put(o, "statement", json_string(c->statement));
    bad |= put(o, "note", c->note ? json_string(c->note) : json_null());
    bad |= put(o, "contract", json_string(c->contract));
    bad |= put(o, "family", json_string(c->family));
    bad |= put(o, "level", number(c->level));
    bad |= put(o, "minimum_effect", number(c->minimum_effect));
    bad |= put(o, "claim_file", json_string(c->path));
    bad |= put(o, "claim_sha256", json_string(c->sha256));
    bad |= put(o, "holds", json_integer((json_int_t)v->holds));
    bad |= put(o, "fails", json_integer((json_int_t)v->fails));
    bad |= put(o, "undecided", json_integer((json_int_t)v->undecided));
    bad |= put(o, "refused", json_integer((json_int_t)v->refused));
    bad |= put(o, "tests_without_cells", json_integer((json_int_t)v->missing));
    for (size_t i = 0; i < v->n; i++)
        bad |= json_array_append_new(tests, result_json(&v->result[i]));
    bad |= put(o, "comparisons", tests);
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

int fq_verdicts_write_json(const struct fq_verdicts *verdicts, const char *const *paths, size_t n_paths,
                           const char *out, struct fq_error *err) {
    json_t *root = json_object(), *files = json_array(), *list = json_array();
    int bad = put(root, "schema", json_string("fairquant/verdicts/1"));
    for (size_t i = 0; i < n_paths; i++)
        bad |= json_array_append_new(files, json_string(paths[i]));
    bad |= put(root, "results", files);
    for (size_t i = 0; i < verdicts->n; i++)
        bad |= json_array_append_new(list, verdict_json(&verdicts->verdict[i]));
    bad |= put(root, "claims", list);
    struct fq_outfile file;
    int code = bad ? fq_fail(err, FQ_FAILED,
                             "the verdicts cannot be written as JSON: a text is not UTF-8, or memory "
                             "is out")
                   : fq_outfile_open(&file, out, err);
    if (code == 0) {
        if (json_dumpf(root, file.stream, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) != 0 ||
            fputc('\n', file.stream) == EOF) {
            fq_outfile_abort(&file);
            code = fq_fail(err, FQ_USAGE, "%s cannot be written whole; is the disk full?", out);
        } else
            code = fq_outfile_commit(&file, err);
    }
    json_decref(root);
    return code;
}
