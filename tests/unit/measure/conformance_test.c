/* Conformance finds what is wrong and only that: an identity passes, a lie in a gate, a breach of the contract and a
 * control that goes undetected do not. */
#include "tests/unit/measure/fakes.h"

#include "harness/measure/conformance.h"

/* Decodes nine tenths of what it scores. */
static void decode_less(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    fake_decode(call, n_groups, records, x);
    for (size_t i = 0; i < fake_vectors(call, n_groups) * call->shape.dim; i++)
        x[i] *= 0.9F;
}
FAKE_METHOD(fake_divided, "fake-divided", fake_footprint, fake_encode, decode_less);

/* Keys as they are, values at 0.9. */
static size_t encode_by_tensor(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    return call->shape.tensor == FQ_VALUE ? fake_encode_scaled(call, n_groups, y, records)
                                          : fake_encode(call, n_groups, y, records);
}
FAKE_METHOD(fake_two_ways, "fake-two-ways", fake_footprint, encode_by_tensor, fake_decode);

static const struct fq_gate identity_gates[] = {
    {"", 32, FQ_GATE_MSE, 0.0, 0.0, "identity"},
    {"", 32, FQ_GATE_SLOPE, 1.0, 1e-5, "identity"},
    {"", 48, FQ_GATE_SELF_IP, 1.0, 1e-5, "identity"},
    {"", 32, FQ_GATE_MSE_GAUSS, 0.0, 0.0, "identity"},
};
enum { IDENTITY_GATES = sizeof identity_gates / sizeof identity_gates[0] };
/* 0.9 x: relative error .01, slope .9, and d Var .01 for independent queries. */
static const struct fq_gate scaled_gates[] = {
    {"", 32, FQ_GATE_MSE, 0.01, 0.001, "algebra"},       {"", 32, FQ_GATE_IP_VAR, 0.01, 0.05, "algebra"},
    {"", 32, FQ_GATE_SLOPE, 0.9, 1e-4, "algebra"},       {"", 48, FQ_GATE_SELF_IP, 0.9, 1e-4, "algebra"},
    {"", 32, FQ_GATE_MSE_GAUSS, 0.01, 0.001, "algebra"},
};

static struct fq_method with_gates(const struct fq_method *method, const struct fq_gate *gates, size_t n) {
    struct fq_method m = *method;
    m.gates = gates;
    m.n_gates = n;
    return m;
}

static void run(const struct fq_method *method, struct fq_conformance *out) {
    struct fq_error err = {0};
    const struct fq_conformance_options options = {.quick = true};
    if (fq_conformance_run(method, &options, out, &err) != FQ_OK)
        fail_msg("%s", err.text);
}

/* The first failed check whose text holds `what`, or NULL. */
static const struct fq_check *failure(const struct fq_conformance *c, const char *what) {
    for (size_t i = 0; i < c->n; i++)
        if (!c->checks[i].passed && strstr(c->checks[i].what, what) != NULL)
            return &c->checks[i];
    return NULL;
}

static void right_methods_pass(void **state) {
    (void)state;
    const struct fq_method methods[] = {with_gates(&fake_store, identity_gates, IDENTITY_GATES),
                                        with_gates(&fake_scaled, scaled_gates, 5), with_gates(&fake_group, NULL, 0)};
    for (size_t i = 0; i < 3; i++) {
        struct fq_conformance c;
        run(&methods[i], &c);
        for (size_t k = 0; k < c.n; k++)
            if (!c.checks[k].passed)
                fail_msg("%s: %s: %s (measured %g)", methods[i].name, c.checks[k].what, c.checks[k].note,
                         c.checks[k].measured);
        assert_true(c.n >= 12);
        assert_true(fq_conformance_as_it_must(&c));
        fq_conformance_free(&c);
    }
}

static void a_missed_gate_fails_with_its_numbers(void **state) {
    (void)state;
    const struct fq_method m = with_gates(&fake_scaled, identity_gates, IDENTITY_GATES);
    struct fq_conformance c;
    run(&m, &c);
    const struct fq_check *slope = failure(&c, "slope");
    assert_non_null(slope);
    assert_true(slope->has_numbers);
    assert_true(fabs(slope->measured - 0.9) < 1e-4);
    assert_true(slope->low <= slope->measured && slope->measured <= slope->high);
    assert_int_equal(c.failed_theory, IDENTITY_GATES);
    assert_int_equal(c.failed, IDENTITY_GATES);
    assert_false(fq_conformance_as_it_must(&c));
    fq_conformance_free(&c);
}

/* Gates of keys see keys and gates of values see values, and a line says which. */
static void values_have_gates_of_their_own(void **state) {
    (void)state;
    struct fq_method m = with_gates(&fake_two_ways, identity_gates, IDENTITY_GATES);
    m.value_gates = scaled_gates;
    m.n_value_gates = 5;
    struct fq_conformance c;
    run(&m, &c);
    assert_int_equal(c.failed_theory, 0);
    fq_conformance_free(&c);
    m.value_gates = identity_gates;
    m.n_value_gates = IDENTITY_GATES;
    run(&m, &c);
    assert_int_equal(c.failed_theory, IDENTITY_GATES);
    assert_non_null(failure(&c, "values, d=32: relative MSE"));
    fq_conformance_free(&c);
}

static void a_control_must_be_refuted(void **state) {
    (void)state;
    struct fq_method wrong = with_gates(&fake_scaled, identity_gates, IDENTITY_GATES),
                     right = with_gates(&fake_store, identity_gates, IDENTITY_GATES);
    struct fq_conformance c;
    wrong.role = right.role = FQ_NEGATIVE_CONTROL;
    run(&wrong, &c);
    assert_true(fq_conformance_as_it_must(&c));
    fq_conformance_free(&c);
    run(&right, &c);
    assert_false(fq_conformance_as_it_must(&c)); /* a control that passes tells that the gates see nothing */
    fq_conformance_free(&c);
}

static void breaches_fail_their_invariant(void **state) {
    (void)state;
    const struct {
        const struct fq_method *method;
        const char *what, *note;
    } cases[] = {{&fake_overrun, "bytes promised", "writes"},      {&fake_shared, "shared state", "shared state"},
                 {&fake_keeping, "only channel", "another batch"}, {&fake_scratch, "only channel", "scratch"},
                 {&fake_nan, "same bytes", "NaN for vector 2"}, /* seen before the first invariant runs */
                 {&fake_refusing, "same bytes", "vector 5"},       {&fake_divided, "score = <q, decode>", "query"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fq_conformance c;
        run(cases[i].method, &c);
        const struct fq_check *check = failure(&c, cases[i].what);
        if (check == NULL || strstr(check->note, cases[i].note) == NULL)
            fail_msg("%s: no failed check about '%s' that says '%s'", cases[i].method->name, cases[i].what,
                     cases[i].note);
        assert_int_equal(c.failed_theory, 0);
        assert_false(fq_conformance_as_it_must(&c));
        fq_conformance_free(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_methods_pass),
        cmocka_unit_test(a_missed_gate_fails_with_its_numbers),
        cmocka_unit_test(values_have_gates_of_their_own),
        cmocka_unit_test(a_control_must_be_refuted),
        cmocka_unit_test(breaches_fail_their_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
