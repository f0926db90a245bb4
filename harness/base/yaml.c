/* libcyaml's verdicts as one sentence: file, line, key, what was expected.
 *
 * libcyaml reports through a log of several lines: what is wrong, then a backtrace from the inner to the outer entry,
 * each with a line. For an unexpected key the line is that of the entry before it, so the key itself is looked up in
 * the text; the keys that would have been right come from the schema, found by walking the backtrace from outside. */
#include "harness/base/yaml.h"

#include "harness/base/file.h"
#include "harness/base/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_SIZE = 4096, MAX_DEPTH = 32, MAX_KEYS = 64 };

struct log {
    char text[LOG_SIZE];
    size_t used;
};

static void keep(cyaml_log_t level, void *context, const char *format, va_list args) {
    struct log *log = context;
    if (level < CYAML_LOG_ERROR || log->used + 1 >= sizeof log->text)
        return;
    int n = vsnprintf(log->text + log->used, sizeof log->text - log->used, format, args);
    if (n > 0)
        log->used += (size_t)n;
    if (log->used >= sizeof log->text)
        log->used = sizeof log->text - 1;
}

static cyaml_config_t configuration(struct log *log) {
    cyaml_config_t config = {
        .log_fn = keep, .log_ctx = log, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR, .flags = CYAML_CFG_DEFAULT};
    return config;
}

/* One step of the backtrace. */
struct step {
    char field[64]; /* "" if the step is a sequence entry or a mapping as a whole */
    unsigned entry; /* 1, 2, ...; 0 if none */
    unsigned line;
    unsigned column;
};

struct report {
    char problem[256]; /* "Unexpected key: bitz" */
    struct step step[MAX_DEPTH];
    size_t n; /* steps, the innermost first */
};

static void read_step(const char *text, struct step *step) {
    memset(step, 0, sizeof *step);
    const char *quote = strchr(text, '\''), *mark = strstr(text, "(line: ");
    if (mark != NULL) {
        char *after = NULL;
        step->line = (unsigned)strtoul(mark + 7, &after, 10);
        const char *column = strstr(after, "column: ");
        if (column != NULL)
            step->column = (unsigned)strtoul(column + 8, NULL, 10);
    }
    if (quote == NULL)
        return;
    if (strstr(text, "mapping field") != NULL) {
        size_t n = strcspn(quote + 1, "'");
        if (n >= sizeof step->field)
            n = sizeof step->field - 1;
        memcpy(step->field, quote + 1, n);
    } else if (strstr(text, "sequence entry") != NULL) {
        step->entry = (unsigned)strtoul(quote + 1, NULL, 10);
    }
}

static void read_report(struct log *log, struct report *report) {
    memset(report, 0, sizeof *report);
    int tracing = 0;
    char *rest = NULL;
    for (char *line = strtok_r(log->text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, "Backtrace:") != NULL) {
            tracing = 1;
        } else if (tracing) {
            if (report->n < MAX_DEPTH)
                read_step(line, &report->step[report->n++]);
        } else {
            const char *problem = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
            (void)snprintf(report->problem, sizeof report->problem, "%s", problem);
        }
    }
}

/* Line of the `nth` place from (line, column) on where `key` stands as a key, or `line` itself if there is none. */
static unsigned line_of_key(const char *text, const char *key, unsigned line, unsigned column, unsigned nth) {
    const char *p = text;
    unsigned at = 1;
    for (; at < line && *p != '\0'; p++)
        at += *p == '\n';
    for (unsigned c = 1; c < column && *p != '\0' && *p != '\n'; c++)
        p++;
    size_t n = strlen(key);
    for (; *p != '\0'; p++) {
        if (*p == '\n')
            at++;
        if (n == 0 || strncmp(p, key, n) != 0)
            continue;
        const char *after = p + n;
        after += strspn(after, "\"'");
        after += strspn(after, " ");
        int starts = p == text || strchr(" \t\n{,\"'-", p[-1]) != NULL;
        if (starts && *after == ':' && --nth == 0)
            return at;
    }
    return line;
}

static const cyaml_schema_value_t *schema_at(const cyaml_schema_value_t *schema, const struct report *report,
                                             size_t inner) {
    for (size_t i = report->n; schema != NULL && i > inner; i--) {
        const struct step *step = &report->step[i - 1];
        if (step->field[0] != '\0' && schema->type == CYAML_MAPPING) {
            const cyaml_schema_field_t *field = schema->mapping.fields;
            while (field->key != NULL && strcmp(field->key, step->field) != 0)
                field++;
            schema = field->key != NULL ? &field->value : NULL;
        } else if (step->entry > 0 && (schema->type == CYAML_SEQUENCE || schema->type == CYAML_SEQUENCE_FIXED)) {
            schema = schema->sequence.entry;
        }
    }
    return schema;
}

static void add(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void add(char *out, size_t size, const char *format, ...) {
    size_t used = strlen(out);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(out + used, size - used, format, args);
    va_end(args);
}

/* What would have been right in place of `key`: the nearest, then all. */
static void list_keys(const cyaml_schema_value_t *schema, const char *key, char *out, size_t size) {
    const char *known[MAX_KEYS];
    char all[320];
    size_t n = 0;
    if (schema == NULL || schema->type != CYAML_MAPPING)
        return;
    for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key != NULL && n < MAX_KEYS; field++)
        known[n++] = field->key;
    const char *near = fq_nearest(key, known, n);
    fq_words_join(all, sizeof all, known, n);
    if (near != NULL)
        add(out, size, ", did you mean '%s'?", near);
    add(out, size, "%sknown keys here: %s%s", near ? " (" : "; ", all, near ? ")" : "");
}

/* " in 'methods', entry 2", from the innermost named field outwards; nothing at the top. */
static void name_place(const struct report *report, size_t inner, char *out, size_t size) {
    unsigned entry = 0;
    for (size_t i = inner; i < report->n; i++) {
        const struct step *step = &report->step[i];
        if (step->entry > 0 && entry == 0)
            entry = step->entry;
        if (step->field[0] != '\0') {
            add(out, size, " in '%s'", step->field);
            break;
        }
    }
    if (entry > 0)
        add(out, size, out[0] != '\0' ? ", entry %u" : " in entry %u", entry);
}

static const char *after_prefix(const char *text, const char *prefix) {
    size_t n = strlen(prefix);
    return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static const char *kind_of(const char *event) {
    static const char *const words[][2] = {{"SCALAR", "a single value"},
                                           {"SEQUENCE_START", "a list"},
                                           {"MAPPING_START", "a mapping"},
                                           {"MAPPING_END", "the end of the mapping"},
                                           {"SEQUENCE_END", "the end of the list"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(event, words[i][0]) == 0)
            return words[i][1];
    return event;
}

static const char *expected_of(const char *type) {
    static const char *const words[][2] = {
        {"SEQUENCE", "a list"},      {"SEQUENCE_FIXED", "a list"}, {"MAPPING", "a mapping"},
        {"STRING", "a text"},        {"INT", "a whole number"},    {"UINT", "a whole number that is not negative"},
        {"FLOAT", "a number"},       {"BOOL", "true or false"},    {"ENUM", "one of its words"},
        {"FLAGS", "a list of words"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(type, words[i][0]) == 0)
            return words[i][1];
    return type;
}

/* "Expecting SEQUENCE, got event: SCALAR" -> the two words; 0 if the text is something else. */
static int read_expecting(const char *problem, char expected[32], char found[32]) {
    return sscanf(problem, "Expecting %31[A-Z_], got event: %31[A-Z_]", expected, found) == 2;
}

/* "Invalid INT value: 'three'" */
static int read_invalid(const char *problem, char type[32], char value[64]) {
    return sscanf(problem, "Invalid %31[A-Z_0-9] value: %63[^\n]", type, value) == 2;
}

static void list_words(const cyaml_schema_value_t *schema, char *out, size_t size) {
    if (schema == NULL || (schema->type != CYAML_ENUM && schema->type != CYAML_FLAGS))
        return;
    add(out, size, ": ");
    for (uint32_t i = 0; i < schema->enumeration.count; i++)
        add(out, size, "%s%s", i == 0 ? "" : ", ", schema->enumeration.strings[i].str);
}

static int explain(const char *path, const char *text, const cyaml_schema_value_t *schema, const struct report *report,
                   cyaml_err_t verdict, struct fq_error *err) {
    const struct step *inner = &report->step[0];
    unsigned line = inner->line > 0 ? inner->line : 1;
    char place[128] = "", extra[400] = "", one[32], two[64];
    /* In a mapping as a whole the first step names no field, but where a key is missing or repeated it names the field
     * before; either way the mapping itself is one step further out. */
    const char *key = after_prefix(report->problem, "Unexpected key: ");
    if (key != NULL) {
        list_keys(schema_at(schema, report, 1), key, extra, sizeof extra);
        name_place(report, 1, place, sizeof place);
        return fq_fail(err, FQ_USAGE, "%s:%u: unknown key '%s'%s%s", path,
                       line_of_key(text, key, line, inner->column, 1), key, place, extra);
    }
    key = after_prefix(report->problem, "Missing required mapping field: ");
    if (key != NULL) {
        name_place(report, 1, place, sizeof place);
        return fq_fail(err, FQ_USAGE, "%s:%u: the key '%s' is missing%s; add it", path,
                       report->n > 1 ? report->step[1].line : line, key, place);
    }
    key = after_prefix(report->problem, "Mapping field already seen: ");
    if (key != NULL) {
        name_place(report, 1, place, sizeof place);
        return fq_fail(err, FQ_USAGE, "%s:%u: the key '%s' stands here a second time%s; keep one of them", path,
                       line_of_key(text, key, line, inner->column, 1), key, place);
    }
    const cyaml_schema_value_t *wanted = schema_at(schema, report, 0);
    if (inner->field[0] != '\0')
        (void)snprintf(place, sizeof place, " for '%s'", inner->field);
    else
        name_place(report, 0, place, sizeof place);
    list_words(wanted, extra, sizeof extra);
    if (read_expecting(report->problem, one, two))
        return fq_fail(err, FQ_USAGE, "%s:%u: expected %s%s%s, found %s", path, line, expected_of(one), place, extra,
                       kind_of(two));
    if (read_invalid(report->problem, one, two))
        return fq_fail(err, FQ_USAGE, "%s:%u: expected %s%s%s, found %s", path, line, expected_of(one), place, extra,
                       two);
    unsigned entries, bound;
    if (sscanf(report->problem, "Insufficient entries (%u of %u min) in sequence.", &entries, &bound) == 2)
        return fq_fail(err, FQ_USAGE, "%s:%u: expected at least %u entr%s%s, found %u", path, line, bound,
                       bound == 1 ? "y" : "ies", place, entries);
    if (sscanf(report->problem, "Excessive entries (%u max) in sequence.", &bound) == 1)
        return fq_fail(err, FQ_USAGE, "%s:%u: expected at most %u entr%s%s, found more", path, line, bound,
                       bound == 1 ? "y" : "ies", place);
    key = after_prefix(report->problem, "libyaml: ");
    if (key != NULL)
        return fq_fail(err, FQ_USAGE, "%s:%u: not valid YAML: %s (on this line or the next)", path, line, key);
    return fq_fail(err, FQ_USAGE, "%s:%u: %s%s%s", path, line,
                   report->problem[0] != '\0' ? report->problem : cyaml_strerror(verdict), place, extra);
}

int fq_yaml_load(const char *path, const cyaml_schema_value_t *schema, void **out, unsigned *count,
                 struct fq_error *err) {
    *out = NULL;
    if (count != NULL)
        *count = 0;
    char *text;
    size_t n;
    FQ_TRY(fq_read_text(path, &text, &n, err));

    struct log log = {.used = 0};
    cyaml_config_t config = configuration(&log);
    cyaml_err_t verdict = cyaml_load_data((const uint8_t *)text, n, &config, schema, (cyaml_data_t **)out, count);
    int code = FQ_OK;
    if (verdict != CYAML_OK) {
        struct report report;
        read_report(&log, &report);
        code = explain(path, text, schema, &report, verdict, err);
    } else if (*out == NULL) {
        code =
            fq_fail(err, FQ_USAGE, "%s:1: the file holds no entries; see docs/formats.md for what it should say", path);
    }
    free(text);
    return code;
}

void fq_yaml_free(const cyaml_schema_value_t *schema, void *data, unsigned count) {
    struct log log = {.used = 0};
    cyaml_config_t config = configuration(&log);
    if (data != NULL)
        (void)cyaml_free(&config, schema, data, count);
}
