/* The `policies:` list of a sweep: one cache policy per entry, every list multiplied out.
 *
 * A value that is a list stands for one policy per item, wherever it is: in a method's parameters, in a window, in a
 * list of whole methods. So an entry is read again and again, each time with other items, as an odometer counts; what
 * has turned is the policy's label. Lists that are lists by nature (the layers of a rule, the rules) are no choice.
 *
 * It must not know what a policy does: what contradicts itself is said by harness/cache/policy.c. */
#include "harness/plan/sweep_parts.h"

#include "harness/measure/catalog.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CHOICES = 32, MAX_POLICIES = 4096, MAX_TOKENS = 1 << 20, SHAPE_DIM = 128 };

static const char *const policy_keys[] = {"name",   "key",      "value",   "window", "sinks",      "residual", "decay",
                                          "layers", "sparse_v", "prefill", "path",   "rate_class", "centre",   "data"};
static const char *const rule_keys[] = {"layers", "key", "value", "decay"};
static const char *const decay_keys[] = {"after", "every", "key", "value"};

struct choice {
    size_t at, count;
    char words[48]; /* " key.bits=2" */
};

struct reader {
    struct fq_tree *tree;
    struct choice choice[MAX_CHOICES];
    size_t met, known;
};

/* ---- choices -----------------------------------------------------------------------------------------------------*/

/* What a label shows of an item: the word, or the name of a method. */
static const char *shown(struct fq_tree *tree, const yaml_node_t *item) {
    const char *text = fq_tree_text(item);
    if (!text)
        text = fq_tree_text(fq_tree_get(tree, item, "name"));
    return text ? text : "...";
}

/* The item of a list that this reading takes; anything else is itself. */
static int pick(struct reader *r, const yaml_node_t *node, const char *what, const yaml_node_t **out,
                struct fq_error *err) {
    *out = node;
    if (!node || node->type != YAML_SEQUENCE_NODE)
        return 0;
    const size_t count = fq_tree_count(node);
    if (count == 0)
        return fq_tree_fail(r->tree, node, err, "%s: the list is empty; give at least one value", what);
    if (r->met == MAX_CHOICES)
        return fq_tree_fail(r->tree, node, err, "%s: a policy may hold at most %d lists", what, MAX_CHOICES);
    struct choice *c = &r->choice[r->met];
    if (r->met++ == r->known) {
        *c = (struct choice){.count = count};
        r->known++;
    }
    *out = fq_tree_item(r->tree, node, c->at);
    c->words[0] = '\0';
    if (count > 1)
        snprintf(c->words, sizeof c->words, " %.24s=%.20s", what, shown(r->tree, *out));
    return 0;
}

/* The next reading; false when all have been made. */
static bool turn(struct reader *r) {
    while (r->known > 0) {
        struct choice *c = &r->choice[r->known - 1];
        if (++c->at < c->count)
            return true;
        r->known--;
    }
    return false;
}

/* ---- values ------------------------------------------------------------------------------------------------------*/

static int read_tokens(struct reader *r, const yaml_node_t *map, const char *key, const char *what, uint64_t least,
                       size_t *out, struct fq_error *err) {
    const yaml_node_t *node = fq_tree_get(r->tree, map, key), *item = NULL;
    uint64_t n = 0;
    if (!node)
        return 0;
    FQ_TRY(pick(r, node, what, &item, err));
    FQ_TRY(fq_tree_number(r->tree, item, what, least, MAX_TOKENS, &n, err));
    *out = (size_t)n;
    return 0;
}

/* One word out of a few. */
static int read_word(struct reader *r, const yaml_node_t *node, const char *what, const char *const *words, size_t n,
                     size_t *out, struct fq_error *err) {
    const yaml_node_t *item = NULL;
    const char *word = NULL;
    char all[128] = "";
    FQ_TRY(pick(r, node, what, &item, err));
    FQ_TRY(fq_tree_word(r->tree, item, what, &word, err));
    for (size_t i = 0, used = 0; i < n; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = i;
            return 0;
        }
        if (used < sizeof all)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? " or " : "", words[i]);
    }
    const char *near = fq_nearest(word, words, n);
    return fq_tree_fail(r->tree, item, err, "%s: expected %s, found '%s'%s%s%s", what, all, word,
                        near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* full, or {name: METHOD, PARAMETER: value}. `what` is the place in the entry: "key", "decay.value". */
static int read_code(struct reader *r, const yaml_node_t *node, const char *what, struct fq_policy_code *out,
                     struct fq_error *err) {
    const yaml_node_t *map = NULL, *item = NULL;
    const char *word = NULL;
    FQ_TRY(pick(r, node, what, &map, err));
    memset(out, 0, sizeof *out);
    if (fq_tree_text(map)) {
        static const char *const full[] = {"full"};
        size_t which = 0;
        if (strcmp(fq_tree_text(map), "full") == 0)
            return 0;
        FQ_TRY(fq_catalog_find(fq_tree_text(map), &out->method, err) == 0
                   ? fq_tree_fail(r->tree, map, err, "%s: write a method as a mapping: {name: %s}", what,
                                  fq_tree_text(map))
                   : read_word(r, map, what, full, 1, &which, err));
    }
    const yaml_node_t *name = fq_tree_get(r->tree, map, "name");
    if (!name)
        return fq_tree_fail(r->tree, map, err, "%s: expected full or {name: METHOD, PARAMETER: value}", what);
    FQ_TRY(pick(r, name, what, &item, err));
    FQ_TRY(fq_tree_word(r->tree, item, "name", &word, err));
    if (fq_catalog_find(word, &out->method, err) != 0)
        return fq_tree_fail_in(r->tree, item, err);
    fq_params_default(out->method, &out->params);
    for (size_t i = 0; i < fq_tree_pairs(map); i++) {
        const char *key = fq_tree_key(r->tree, map, i);
        const yaml_node_t *value = fq_tree_value(r->tree, map, i);
        char place[96];
        for (size_t k = 0; k < i; k++)
            if (strcmp(key, fq_tree_key(r->tree, map, k)) == 0)
                return fq_tree_fail(r->tree, value, err, "%s: the key '%s' stands there twice", what, key);
        if (strcmp(key, "name") == 0)
            continue;
        snprintf(place, sizeof place, "%.40s.%.40s", what, key);
        FQ_TRY(pick(r, value, place, &item, err));
        FQ_TRY(fq_tree_word(r->tree, item, place, &word, err));
        if (fq_params_set(out->method, &out->params, key, word, err) != 0)
            return fq_tree_fail_in(r->tree, item, err);
    }
    return 0;
}

/* ---- rules and decay ---------------------------------------------------------------------------------------------*/

static int read_rule_layers(struct reader *r, const yaml_node_t *list, struct fq_policy_rule *rule,
                            struct fq_error *err) {
    for (size_t i = 0; i < fq_tree_count(list); i++) {
        const yaml_node_t *item = fq_tree_item(r->tree, list, i);
        const char *word = NULL;
        char *end = NULL;
        FQ_TRY(fq_tree_word(r->tree, item, "layers", &word, err));
        errno = 0;
        const long v = strtol(word, &end, 10);
        if (*end != '\0' || errno == ERANGE || v > 9999 || v < -9999)
            return fq_tree_fail(r->tree, item, err,
                                "layers: expected whole numbers (negative ones count from the end), found '%s'", word);
        if (rule->n_layers == FQ_POLICY_RULE_LAYERS)
            return fq_tree_fail(r->tree, list, err, "layers: a rule may name at most %d layers", FQ_POLICY_RULE_LAYERS);
        rule->layers[rule->n_layers++] = (int)v;
    }
    return rule->n_layers > 0 ? 0 : fq_tree_fail(r->tree, list, err, "layers: the list of a rule is empty");
}

static int read_rule(struct reader *r, const yaml_node_t *map, struct fq_policy *p, struct fq_error *err) {
    static const char *const none[] = {"none"};
    static const char *const names[2] = {"key", "value"}, *const places[2] = {"layers.key", "layers.value"};
    struct fq_policy_rule *rule = &p->rules[p->n_rules];
    const yaml_node_t *list = fq_tree_get(r->tree, map, "layers"), *decay = fq_tree_get(r->tree, map, "decay");
    size_t which = 0;
    memset(rule, 0, sizeof *rule);
    rule->line = fq_tree_line(map);
    if (!list)
        return fq_tree_fail(r->tree, map, err,
                            "layers: each rule names its layers, e.g. - {layers: [0, -1], value: {name: q8_0}}");
    FQ_TRY(fq_sweep_known_keys(r->tree, map, "a rule for layers", rule_keys, 4, err));
    FQ_TRY(read_rule_layers(r, list, rule, err));
    for (int t = FQ_KEY; t <= FQ_VALUE; t++) {
        const yaml_node_t *node = fq_tree_get(r->tree, map, names[t]);
        rule->given[t] = node != NULL;
        if (node)
            FQ_TRY(read_code(r, node, places[t], &rule->code[t], err));
    }
    if (decay) {
        FQ_TRY(read_word(r, decay, "decay of a rule", none, 1, &which, err));
        rule->no_decay = true;
    }
    if (!decay && !rule->given[FQ_KEY] && !rule->given[FQ_VALUE])
        return fq_tree_fail(r->tree, map, err,
                            "layers: a rule that changes nothing; give it key, value or decay: none");
    p->n_rules++;
    return 0;
}

static int read_rules(struct reader *r, const yaml_node_t *list, struct fq_policy *p, struct fq_error *err) {
    if (list->type != YAML_SEQUENCE_NODE)
        return fq_tree_fail(r->tree, list, err,
                            "layers: expected a list of rules, e.g. "
                            "[{layers: [0, -1], value: {name: q8_0}}]");
    for (size_t i = 0; i < fq_tree_count(list); i++) {
        if (p->n_rules == FQ_POLICY_RULES)
            return fq_tree_fail(r->tree, list, err, "layers: a policy may hold at most %d rules", FQ_POLICY_RULES);
        FQ_TRY(read_rule(r, fq_tree_item(r->tree, list, i), p, err));
    }
    return 0;
}

static int read_decay(struct reader *r, const yaml_node_t *node, struct fq_policy *p, struct fq_error *err) {
    static const char *const names[2] = {"key", "value"}, *const places[2] = {"decay.key", "decay.value"};
    const yaml_node_t *map = NULL;
    FQ_TRY(pick(r, node, "decay", &map, err));
    if (fq_tree_text(map) && strcmp(fq_tree_text(map), "none") == 0)
        return 0;
    if (map->type != YAML_MAPPING_NODE || !fq_tree_get(r->tree, map, "after") || !fq_tree_get(r->tree, map, "every"))
        return fq_tree_fail(r->tree, map, err,
                            "decay: expected {after: TOKENS, every: TOKENS, key: ..., value: ...} with after and every "
                            "and at least one of key and value");
    FQ_TRY(fq_sweep_known_keys(r->tree, map, "decay", decay_keys, 4, err));
    FQ_TRY(read_tokens(r, map, "after", "decay.after", 0, &p->decay_after, err));
    FQ_TRY(read_tokens(r, map, "every", "decay.every", 1, &p->decay_every, err));
    for (int t = FQ_KEY; t <= FQ_VALUE; t++) {
        const yaml_node_t *code = fq_tree_get(r->tree, map, names[t]);
        p->decays[t] = code != NULL;
        if (code)
            FQ_TRY(read_code(r, code, places[t], &p->decayed[t], err));
    }
    if (!p->decays[FQ_KEY] && !p->decays[FQ_VALUE])
        return fq_tree_fail(r->tree, map, err, "decay: give what old tokens become: key, value or both");
    return 0;
}

/* ---- an entry ----------------------------------------------------------------------------------------------------*/

static int read_sparse(struct reader *r, const yaml_node_t *node, struct fq_policy *p, struct fq_error *err) {
    const yaml_node_t *item = NULL;
    const char *word = NULL;
    char *end = NULL;
    FQ_TRY(pick(r, node, "sparse_v", &item, err));
    FQ_TRY(fq_tree_word(r->tree, item, "sparse_v", &word, err));
    p->sparse_v = strtod(word, &end);
    p->sparse = true;
    if (*end != '\0' || !(p->sparse_v >= 0.0 && p->sparse_v <= 1.0))
        return fq_tree_fail(r->tree, item, err,
                            "sparse_v: expected a softmax weight from 0 to 1 below which values are skipped, found "
                            "'%s'",
                            word);
    return 0;
}

static int read_centre(struct reader *r, const yaml_node_t *node, struct fq_policy *p, struct fq_error *err) {
    const yaml_node_t *item = NULL;
    const char *word = NULL;
    FQ_TRY(pick(r, node, "centre", &item, err));
    FQ_TRY(fq_tree_word(r->tree, item, "centre", &word, err));
    return fq_centre_parse(word, &p->centre, err) == 0 ? 0 : fq_tree_fail_in(r->tree, item, err);
}

static int read_rest(struct reader *r, const yaml_node_t *entry, struct fq_policy *p, struct fq_error *err) {
    static const char *const prefills[] = {"quantized", "full"}, *const paths[] = {"scores", "decoded"};
    const yaml_node_t *node = NULL;
    size_t which = 0;
    FQ_TRY(read_tokens(r, entry, "window", "window", 0, &p->window, err));
    FQ_TRY(read_tokens(r, entry, "sinks", "sinks", 0, &p->sinks, err));
    FQ_TRY(read_tokens(r, entry, "residual", "residual", 0, &p->residual, err));
    if ((node = fq_tree_get(r->tree, entry, "decay")))
        FQ_TRY(read_decay(r, node, p, err));
    if ((node = fq_tree_get(r->tree, entry, "layers")))
        FQ_TRY(read_rules(r, node, p, err));
    if ((node = fq_tree_get(r->tree, entry, "sparse_v")))
        FQ_TRY(read_sparse(r, node, p, err));
    if ((node = fq_tree_get(r->tree, entry, "centre")))
        FQ_TRY(read_centre(r, node, p, err));
    if ((node = fq_tree_get(r->tree, entry, "prefill"))) {
        FQ_TRY(read_word(r, node, "prefill", prefills, 2, &which, err));
        p->prefill_full = which == 1;
    }
    if ((node = fq_tree_get(r->tree, entry, "path"))) {
        FQ_TRY(read_word(r, node, "path", paths, 2, &which, err));
        p->path = which == 1 ? FQ_PATH_DECODED : FQ_PATH_SCORES;
    }
    return 0;
}

bool fq_sweep_policy_runs_on(const struct fq_sweep_policy *policy, const char *name) {
    return fq_sweep_patterns_match(policy->data, policy->n_data, name);
}

static bool meet(const struct fq_sweep *sweep, const struct fq_sweep_policy *a, const struct fq_sweep_policy *b) {
    for (size_t i = 0; i < sweep->n_models; i++)
        if (fq_sweep_policy_runs_on(a, sweep->models[i].name) && fq_sweep_policy_runs_on(b, sweep->models[i].name))
            return true;
    return false;
}

/* A copy of `from` at the end of the list, with patterns of its own. */
static int add(struct reader *r, const yaml_node_t *entry, struct fq_sweep *sweep, const struct fq_sweep_policy *from,
               struct fq_error *err) {
    if (sweep->n_policies >= MAX_POLICIES)
        return fq_tree_fail(r->tree, entry, err, "the policies multiply out to more than %d; split the sweep",
                            MAX_POLICIES);
    struct fq_sweep_policy *grown = realloc(sweep->policies, (sweep->n_policies + 1) * sizeof *grown);
    if (!grown)
        return fq_fail(err, FQ_FAILED, "out of memory for the policies of a sweep");
    sweep->policies = grown;
    struct fq_sweep_policy *to = &grown[sweep->n_policies++];
    *to = *from;
    FQ_TRY(fq_sweep_copy_patterns(from->data, from->n_data, &to->data, &to->n_data, err));
    for (size_t i = 0; i + 1 < sweep->n_policies; i++)
        if (strcmp(grown[i].name, to->name) == 0 && strcmp(grown[i].parameters, to->parameters) == 0 &&
            meet(sweep, &grown[i], to))
            to->replicate++;
    return 0;
}

/* One reading of an entry with the choices as they stand. */
static int read_once(struct reader *r, const yaml_node_t *entry, struct fq_sweep *sweep, const char *name,
                     char **patterns, size_t n_patterns, struct fq_error *err) {
    struct fq_sweep_policy at = {.line = fq_tree_line(entry), .data = patterns, .n_data = n_patterns};
    const yaml_node_t *key = fq_tree_get(r->tree, entry, "key"), *value = fq_tree_get(r->tree, entry, "value");
    const yaml_node_t *rate = fq_tree_get(r->tree, entry, "rate_class");
    const char *word = NULL;
    size_t used = (size_t)snprintf(at.label, sizeof at.label, "%s", name);
    r->met = 0;
    snprintf(at.name, sizeof at.name, "%s", name);
    FQ_TRY(read_code(r, key, "key", &at.policy.code[FQ_KEY], err));
    FQ_TRY(read_code(r, value, "value", &at.policy.code[FQ_VALUE], err));
    FQ_TRY(read_rest(r, entry, &at.policy, err));
    if (rate) {
        FQ_TRY(fq_tree_word(r->tree, rate, "rate_class", &word, err));
        if (strlen(word) >= sizeof at.rate_class)
            return fq_tree_fail(r->tree, rate, err, "rate_class: '%s' is longer than %zu characters", word,
                                sizeof at.rate_class - 1);
        snprintf(at.rate_class, sizeof at.rate_class, "%s", word);
    }
    if (fq_policy_check(&at.policy, 0, SHAPE_DIM, err) != 0)
        return fq_tree_fail_in(r->tree, entry, err);
    if (fq_policy_print(&at.policy, at.parameters, sizeof at.parameters) >= sizeof at.parameters)
        return fq_tree_fail(r->tree, entry, err,
                            "the policy takes more than %zu characters when written out; use "
                            "fewer rules",
                            sizeof at.parameters - 1);
    for (size_t i = 0; i < r->met && used < sizeof at.label; i++)
        used += (size_t)snprintf(at.label + used, sizeof at.label - used, "%s", r->choice[i].words);
    return add(r, entry, sweep, &at, err);
}

static int read_entry(struct fq_tree *tree, const yaml_node_t *entry, struct fq_sweep *sweep, struct fq_error *err) {
    struct reader r = {.tree = tree};
    const yaml_node_t *name = fq_tree_get(tree, entry, "name"), *data = fq_tree_get(tree, entry, "data");
    const char *word = NULL;
    if (!name || !fq_tree_get(tree, entry, "key") || !fq_tree_get(tree, entry, "value"))
        return fq_tree_fail(tree, entry, err,
                            "a policy needs name, key and value, e.g. - {name: asym, key: {name: q8_0}, value: full}");
    FQ_TRY(fq_sweep_known_keys(tree, entry, "a policy", policy_keys, sizeof policy_keys / sizeof *policy_keys, err));
    FQ_TRY(fq_tree_word(tree, name, "name", &word, err));
    if (strlen(word) >= sizeof((struct fq_sweep_policy *)0)->name)
        return fq_tree_fail(tree, name, err, "name: '%.40s...' is longer than %zu characters", word,
                            sizeof((struct fq_sweep_policy *)0)->name - 1);
    char **patterns = NULL;
    size_t n_patterns = 0;
    int code = 0;
    if (data)
        code = fq_sweep_read_patterns(tree, data, sweep, word, &patterns, &n_patterns, err);
    do
        code = code == 0 ? read_once(&r, entry, sweep, word, patterns, n_patterns, err) : code;
    while (code == 0 && turn(&r));
    fq_sweep_free_patterns(patterns, n_patterns);
    return code;
}

static bool code_draws(const struct fq_policy_code *code, enum fq_tensor tensor) {
    const struct fq_shape shape = {SHAPE_DIM, tensor};
    return code->method && code->method->footprint(&code->params, &shape).shared_bytes > 0;
}

/* A policy whose codes draw nothing gives the same bytes for every seed. */
static bool draws(const struct fq_policy *p) {
    for (int t = FQ_KEY; t <= FQ_VALUE; t++) {
        if (code_draws(&p->code[t], (enum fq_tensor)t) || code_draws(&p->decayed[t], (enum fq_tensor)t))
            return true;
        for (size_t i = 0; i < p->n_rules; i++)
            if (code_draws(&p->rules[i].code[t], (enum fq_tensor)t))
                return true;
    }
    return false;
}

/* Every model needs a noise floor, so where `data` keeps the twins so far from one, the first policy that runs there
 * gets another. */
static int add_twins(struct reader *r, const yaml_node_t *list, struct fq_sweep *sweep, struct fq_error *err) {
    for (size_t m = 0; m < sweep->n_models; m++) {
        const struct fq_sweep_policy *first = NULL;
        bool twin = false;
        for (size_t i = 0; i < sweep->n_policies; i++) {
            const struct fq_sweep_policy *at = &sweep->policies[i];
            if (!fq_sweep_policy_runs_on(at, sweep->models[m].name))
                continue;
            twin = twin || at->replicate > 0;
            first = first ? first : at;
        }
        if (first && !twin) {
            const struct fq_sweep_policy copy = *first;
            FQ_TRY(add(r, list, sweep, &copy, err));
        }
    }
    return 0;
}

int fq_sweep_read_policies(struct fq_tree *tree, struct fq_sweep *sweep, struct fq_error *err) {
    const yaml_node_t *list = fq_tree_get(tree, fq_tree_root(tree), "policies");
    if (!list)
        return 0;
    if (list->type != YAML_SEQUENCE_NODE || fq_tree_count(list) == 0)
        return fq_tree_fail(tree, list, err,
                            "policies: expected a list with at least one entry, e.g. - {name: asym, key: {name: q8_0}, "
                            "value: full}");
    for (size_t i = 0; i < fq_tree_count(list); i++)
        FQ_TRY(read_entry(tree, fq_tree_item(tree, list, i), sweep, err));
    struct reader r = {.tree = tree};
    if (sweep->n_instances == 0) /* methods have a twin of their own */
        FQ_TRY(add_twins(&r, list, sweep, err));
    for (size_t i = 0; i < sweep->n_policies; i++) {
        struct fq_sweep_policy *at = &sweep->policies[i];
        at->draws = draws(&at->policy);
        const size_t used = strlen(at->label);
        if (at->replicate > 0)
            snprintf(at->label + used, sizeof at->label - used, " (twin)");
    }
    return 0;
}
