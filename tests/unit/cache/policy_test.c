/* Policies without data: versions against a cache that is played token by token, bytes against a count by hand, layer
 * rules, texts, and rules that contradict each other. */
#include "harness/cache/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a method of this test alone: groups of g tokens in g dim / 4 + 4 bytes ---- */

static const struct fq_param_spec group_param[] = {
    {.name = "group", .help = "tokens in one record", .kind = FQ_PARAM_INT, .min = 1, .max = 64, .def = 1},
    {.name = "side", .help = "bytes beside the codes", .kind = FQ_PARAM_INT, .min = 0, .max = 64, .def = 4}};

static double nominal(const struct fq_params *p) {
    (void)p;
    return 2.0;
}

static struct fq_footprint footprint(const struct fq_params *p, const struct fq_shape *shape) {
    const size_t g = (size_t)p->v[0];
    return (struct fq_footprint){.granularity = g,
                                 .record_bytes = g * shape->dim / 4 + (size_t)p->v[1],
                                 .side_bytes = (size_t)p->v[1],
                                 .work_dim = shape->dim,
                                 .shared_bytes = 100};
}

static size_t encode(const struct fq_call *call, size_t n_groups, const float *y, uint8_t *records) {
    (void)call, (void)y, (void)records;
    return n_groups;
}

static void decode(const struct fq_call *call, size_t n_groups, const uint8_t *records, float *x) {
    (void)call, (void)n_groups, (void)records, (void)x;
}

static const struct fq_kernels kernels = {.encode = encode, .decode = decode};
static const struct fq_kernels sketch_kernels = {.encode = encode};
#define FAKE(label, table)                                                                                             \
    {                                                                                                                  \
        .abi = FQ_METHOD_ABI, .name = (label), .role = FQ_BASELINE, .paper = "none", .summary = "shape only",          \
        .bits_formula = "2", .params = group_param, .n_params = 2, .data_oblivious = true, .nominal_bits = nominal,    \
        .footprint = footprint, .kernels = {                                                                           \
            [FQ_REF] = (table)                                                                                         \
        }                                                                                                              \
    }
static const struct fq_method fake = FAKE("fake", &kernels), sketch = FAKE("sketch", &sketch_kernels);

static struct fq_policy_code group_of(size_t g) {
    return (struct fq_policy_code){.method = &fake, .params = {{(double)g, 4.0}}};
}

static void open_plan(const struct fq_policy *policy, struct fq_policy_plan *plan) {
    struct fq_error err = {0};
    if (fq_policy_plan_open(policy, 4, 64, plan, &err) != 0)
        fail_msg("%s", err.text);
}

/* ---- versions: a cache that is played ---- */

enum { LONGEST = 48 };

struct played {
    enum fq_version version[LONGEST];
    size_t n, flushed; /* tokens; those that have left window or residual */
};

/* Group by group from the oldest on, while the whole group may go. */
static void leave(struct played *c, size_t may, size_t g) {
    while (c->flushed + g <= may) {
        for (size_t j = 0; j < g; j++)
            c->version[c->flushed + j] = FQ_VERSION_CODES;
        c->flushed += g;
    }
}

static void arrive(struct played *c, const struct fq_policy *p, enum fq_tensor tensor, size_t g, size_t decayed_g) {
    c->version[c->n++] = FQ_VERSION_FULL;
    if (p->window == 0 && p->residual == 0) {
        c->version[c->n - 1] = FQ_VERSION_CODES;
        c->flushed = c->n;
    } else if (p->residual > 0 && tensor == FQ_KEY) {
        if (c->n - c->flushed == p->residual) /* the whole residual at once */
            leave(c, c->n, g);
    } else {
        const size_t recent = p->residual > 0 ? p->residual : p->window;
        leave(c, c->n > recent ? c->n - recent : 0, g);
    }
    if (p->decay_every > 0 && c->n % p->decay_every == 0)
        for (size_t j = 0; j + decayed_g <= c->flushed && j + decayed_g + p->decay_after <= c->n; j += decayed_g)
            for (size_t k = j; k < j + decayed_g; k++)
                c->version[k] = FQ_VERSION_DECAYED;
}

static size_t compared;

static void play(const struct fq_policy *p, enum fq_tensor tensor, size_t g, size_t decayed_g) {
    struct fq_policy_plan plan;
    struct played c = {.n = 0};
    open_plan(p, &plan);
    for (size_t n = 1; n <= LONGEST; n++) {
        arrive(&c, p, tensor, g, decayed_g);
        for (size_t j = 0; j < n; j++) {
            const enum fq_version expected = j < p->sinks ? FQ_VERSION_FULL : c.version[j];
            if (fq_policy_version(&plan, tensor, 1, n, j) != expected)
                fail_msg("window %zu residual %zu sinks %zu decay %zu/%zu group %zu/%zu: token %zu of %zu is %d, "
                         "expected %d",
                         p->window, p->residual, p->sinks, p->decay_after, p->decay_every, g, decayed_g, j, n,
                         (int)fq_policy_version(&plan, tensor, 1, n, j), (int)expected);
            compared++;
        }
    }
    fq_policy_plan_close(&plan);
}

static void versions_are_those_of_a_cache_that_is_played(void **state) {
    static const size_t windows[] = {0, 1, 5, 16, 64}, sinks[] = {0, 1, 4, 7}, groups[] = {1, 4, 8};
    static const size_t after[] = {0, 3, 10}, every[] = {0, 1, 6, 8};
    (void)state;
    for (size_t w = 0; w < 5; w++)
        for (size_t s = 0; s < 4; s++)
            for (size_t g = 0; g < 3; g++)
                for (size_t e = 0; e < 4; e++)
                    for (size_t a = 0; a < (e ? 3U : 1U); a++)
                        for (int t = FQ_KEY; t <= FQ_VALUE; t++) {
                            struct fq_policy p = {.window = windows[w], .sinks = sinks[s]};
                            p.code[FQ_KEY] = p.code[FQ_VALUE] = group_of(groups[g]);
                            p.decay_every = every[e];
                            p.decay_after = e ? after[a] : 0;
                            p.decays[FQ_KEY] = p.decays[FQ_VALUE] = e > 0;
                            p.decayed[FQ_KEY] = p.decayed[FQ_VALUE] = group_of(2);
                            if (windows[w] == 0 && groups[g] > 1 && e > 0)
                                continue; /* codes of groups that are not complete: below */
                            play(&p, (enum fq_tensor)t, groups[g], groups[g] > 2 ? groups[g] : 2);
                            p.window = 0;
                            p.residual = 8;
                            if (w == 2)
                                play(&p, (enum fq_tensor)t, groups[g], groups[g] > 2 ? groups[g] : 2);
                        }
    print_message("%zu versions compared\n", compared);
}

static void only_whole_groups_decay(void **state) {
    struct fq_policy p = {.decay_after = 3, .decay_every = 2, .decays = {true, false}};
    struct fq_policy_plan plan;
    (void)state;
    p.code[FQ_KEY] = p.code[FQ_VALUE] = group_of(4);
    p.decayed[FQ_KEY] = group_of(6); /* records of 4 become records of 6: twelve tokens at a time */
    open_plan(&p, &plan);
    for (size_t n = 1; n <= LONGEST; n++) {
        const struct fq_policy_spans s = fq_policy_spans(&plan, FQ_KEY, 0, n);
        const size_t pass = n / 2 * 2;
        assert_int_equal(s.decayed, pass > 3 ? (pass - 3) / 12 * 12 : 0);
        assert_int_equal(s.codes, n);
        assert_int_equal(fq_policy_spans(&plan, FQ_VALUE, 0, n).decayed, 0);
    }
    fq_policy_plan_close(&plan);
}

/* KIVI as published: 128 tokens of keys leave together, values one by one. */
static void residual_groups(void **state) {
    struct fq_policy p = {.residual = 128};
    struct fq_policy_plan plan;
    (void)state;
    p.code[FQ_KEY] = group_of(32);
    p.code[FQ_VALUE] = group_of(1);
    open_plan(&p, &plan);
    static const size_t n[] = {1, 127, 128, 129, 255, 256, 300}, keys[] = {0, 0, 128, 128, 128, 256, 256},
                        values[] = {0, 0, 0, 1, 127, 128, 172};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(fq_policy_spans(&plan, FQ_KEY, 0, n[i]).codes, keys[i]);
        assert_int_equal(fq_policy_spans(&plan, FQ_VALUE, 0, n[i]).codes, values[i]);
    }
    fq_policy_plan_close(&plan);
}

/* ---- bytes ---- */

static void bytes_by_hand(void **state) {
    struct fq_policy p = {.window = 10, .sinks = 3};
    struct fq_policy_plan plan;
    struct fq_policy_bytes b;
    (void)state;
    p.code[FQ_KEY] = group_of(8); /* a record: 8 x 64 / 4 + 4 = 132 bytes */
    p.code[FQ_VALUE] = (struct fq_policy_code){0};
    open_plan(&p, &plan);
    /* 45 tokens: 35 have left the window, 32 of them in whole groups: 4 records; full: 3 sinks and 13 behind */
    fq_policy_count(&plan, 45, 2, &b);
    assert_int_equal(b.code_bytes, 4 * 2 * 4 * 132);
    assert_int_equal(b.full_bytes, 4 * 2 * ((3 + 13) + 45) * 64 * 2);
    assert_int_equal(b.shared_bytes, 100);
    const double bits = 8.0 * (4 * 132 + (16 + 45) * 128) / (2.0 * 45 * 64);
    assert_true(b.rate_bits > bits - 1e-9 && b.rate_bits < bits + 1e-9);
    fq_policy_plan_close(&plan);

    /* No window: 45 tokens are 5 records and a rest of 5 tokens that fills none. */
    p.window = p.sinks = 0;
    p.code[FQ_VALUE] = group_of(1); /* 20 bytes a token */
    open_plan(&p, &plan);
    fq_policy_count(&plan, 45, 1, &b);
    assert_int_equal(b.code_bytes, 4 * (5 * 132 + 45 * 20));
    assert_int_equal(b.full_bytes, 4 * 5 * 64 * 2);
    assert_int_equal(b.shared_bytes, 200);
    fq_policy_plan_close(&plan);

    /* Sinks inside a group are kept twice: full, and in the record that the others of the group need. */
    p = (struct fq_policy){.sinks = 4, .window = 8};
    p.code[FQ_KEY] = group_of(8);
    open_plan(&p, &plan);
    fq_policy_count(&plan, 16, 1, &b);
    assert_int_equal(b.code_bytes, 4 * 132);
    assert_int_equal(b.full_bytes, 4 * (4 + 8 + 16) * 64 * 2);
    fq_policy_plan_close(&plan);

    /* Decay: 64 tokens, a pass at 64, older than 20 is 44: 5 groups of 8 decayed, 3 not. */
    p = (struct fq_policy){.decay_after = 20, .decay_every = 16, .decays = {true, false}};
    p.code[FQ_KEY] = group_of(8);
    p.decayed[FQ_KEY] = (struct fq_policy_code){.method = &fake, .params = {{8.0, 0.0}}}; /* 128 bytes */
    open_plan(&p, &plan);
    fq_policy_count(&plan, 64, 1, &b);
    assert_int_equal(b.code_bytes, 4 * (5 * 128 + 3 * 132));
    fq_policy_plan_close(&plan);
}

/* ---- layers ---- */

static void the_last_rule_that_names_a_layer_wins(void **state) {
    struct fq_policy p = {.decay_after = 4, .decay_every = 4, .decays = {false, true}, .n_rules = 2};
    struct fq_policy_plan plan;
    (void)state;
    p.code[FQ_KEY] = p.code[FQ_VALUE] = p.decayed[FQ_VALUE] = group_of(1);
    p.decayed[FQ_VALUE].params.v[1] = 0.0;
    p.rules[0] = (struct fq_policy_rule){.layers = {0, -1}, .n_layers = 2, .given = {false, true}};
    p.rules[0].code[FQ_VALUE] = group_of(2);
    p.rules[1] = (struct fq_policy_rule){.layers = {3, 2}, .n_layers = 2, .given = {true, false}, .no_decay = true};
    open_plan(&p, &plan); /* 4 layers; rules[1] makes keys of 2 and 3 full */
    assert_int_equal(plan.n_codes, 4);
    assert_int_equal(plan.layer[0][FQ_VALUE].group, 2);
    assert_int_equal(plan.layer[1][FQ_VALUE].group, 1);
    assert_int_equal(plan.layer[3][FQ_VALUE].group, 2); /* rules[1] says nothing of values */
    assert_int_equal(plan.layer[2][FQ_KEY].codes, -1);
    assert_int_equal(plan.layer[3][FQ_KEY].codes, -1);
    assert_true(plan.layer[1][FQ_KEY].codes >= 0);
    assert_true(plan.layer[1][FQ_VALUE].decayed >= 0 && plan.layer[0][FQ_VALUE].decayed >= 0);
    assert_int_equal(plan.layer[2][FQ_VALUE].decayed, -1);
    assert_int_equal(fq_policy_version(&plan, FQ_KEY, 2, 10, 3), FQ_VERSION_FULL);
    assert_int_equal(fq_policy_version(&plan, FQ_VALUE, 1, 10, 3), FQ_VERSION_DECAYED);
    assert_int_equal(fq_policy_version(&plan, FQ_VALUE, 2, 10, 3), FQ_VERSION_CODES);
    fq_policy_plan_close(&plan);
}

/* ---- texts and refusals ---- */

static void one_text_for_one_policy(void **state) {
    struct fq_policy p = {.window = 5, .sinks = 2, .sparse = true, .sparse_v = 1e-6, .centre = FQ_CENTRE_CALIBRATED};
    char text[400], cut[8];
    (void)state;
    p.code[FQ_KEY] = group_of(8);
    p.n_rules = 1;
    p.rules[0] = (struct fq_policy_rule){.layers = {0, -1}, .n_layers = 2, .given = {false, true}, .no_decay = true};
    const size_t n = fq_policy_print(&p, text, sizeof text);
    assert_string_equal(text, "key=fake(group=8,side=4) value=full window=5 sinks=2 sparse_v=1e-06 prefill=quantized "
                              "path=scores rule=0,-1:value=full:decay=none centre=calibrated");
    assert_int_equal(n, strlen(text));
    assert_int_equal(fq_policy_print(&p, cut, sizeof cut), n);
    assert_string_equal(cut, "key=fak");
}

static void refuses(const struct fq_policy *p, const char *pattern) {
    struct fq_error err = {0};
    assert_int_equal(fq_policy_check(p, 4, 64, &err), FQ_USAGE);
    if (!strstr(err.text, pattern))
        fail_msg("'%s' is missing in: %s", pattern, err.text);
}

static void contradictions_are_sentences(void **state) {
    const struct fq_policy good = {.code = {{.method = &fake, .params = {{1.0, 4.0}}}}};
    struct fq_error err = {0};
    struct fq_policy p = good;
    (void)state;
    assert_int_equal(fq_policy_check(&good, 4, 64, &err), 0);
    p.window = p.residual = 8;
    refuses(&p, "give one of them");
    p = good;
    p.path = FQ_PATH_DECODED;
    p.sinks = 4;
    refuses(&p, "use path: scores");
    p = good;
    p.residual = 20;
    p.code[FQ_KEY] = group_of(8);
    refuses(&p, "residual: 20 is no multiple of 8");
    p = good;
    p.code[FQ_VALUE] = group_of(1);
    p.code[FQ_VALUE].method = &sketch;
    refuses(&p, "decodes nothing");
    p = (struct fq_policy){.window = 3};
    refuses(&p, "nothing to measure");
    p = good;
    p.n_rules = 1;
    p.rules[0] = (struct fq_policy_rule){.layers = {-5}, .n_layers = 1, .given = {true, false}};
    refuses(&p, "layer -5 is out of range");
    p.rules[0].layers[0] = 4;
    refuses(&p, "expected -4 to 3");
    assert_int_equal(fq_policy_check(&p, 0, 64, &err), 0); /* the model is not known yet */
    p = good;
    p.centre = FQ_CENTRE_RUNNING;
    p.decays[FQ_KEY] = true;
    p.decay_every = 1;
    p.decayed[FQ_KEY] = group_of(1);
    refuses(&p, "use calibrated");
    p.centre = FQ_CENTRE_NONE;
    p.decayed[FQ_KEY].method = NULL;
    refuses(&p, "cannot become full again");
    p = (struct fq_policy){.centre = FQ_CENTRE_CALIBRATED};
    p.code[FQ_VALUE] = group_of(1);
    refuses(&p, "keys of this policy are full");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(versions_are_those_of_a_cache_that_is_played),
                                       cmocka_unit_test(only_whole_groups_decay),
                                       cmocka_unit_test(residual_groups),
                                       cmocka_unit_test(bytes_by_hand),
                                       cmocka_unit_test(the_last_rule_that_names_a_layer_wins),
                                       cmocka_unit_test(one_text_for_one_policy),
                                       cmocka_unit_test(contradictions_are_sentences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
