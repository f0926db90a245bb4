/* A YAML file as a tree with line numbers.
 *
 * It must not know any key: meaning is the business of sweep_*.c. */
#include "harness/plan/yaml_tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fq_tree_load(const char *path, const char *text, size_t n, struct fq_tree *out, struct fq_error *err) {
    yaml_parser_t parser;
    memset(out, 0, sizeof *out);
    snprintf(out->path, sizeof out->path, "%s", path);
    if (!yaml_parser_initialize(&parser))
        return fq_fail(err, FQ_FAILED, "out of memory while reading '%s'", path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    int code = 0;
    if (!yaml_parser_load(&parser, &out->document))
        code = fq_fail(err, FQ_USAGE, "%s:%zu: not valid YAML: %s%s%s", path, parser.problem_mark.line + 1,
                       parser.problem ? parser.problem : "unknown problem", parser.context ? " " : "",
                       parser.context ? parser.context : "");
    yaml_parser_delete(&parser);
    if (code == 0 && !yaml_document_get_root_node(&out->document)) {
        code = fq_fail(err, FQ_USAGE, "%s:1: the file is empty; expected a mapping with name, data and methods", path);
        fq_tree_free(out);
    }
    return code;
}

void fq_tree_free(struct fq_tree *tree) {
    yaml_document_delete(&tree->document);
}

const yaml_node_t *fq_tree_root(struct fq_tree *tree) {
    return yaml_document_get_root_node(&tree->document);
}

size_t fq_tree_pairs(const yaml_node_t *map) {
    if (!map || map->type != YAML_MAPPING_NODE)
        return 0;
    return (size_t)(map->data.mapping.pairs.top - map->data.mapping.pairs.start);
}

const char *fq_tree_key(struct fq_tree *tree, const yaml_node_t *map, size_t i) {
    const yaml_node_t *key = yaml_document_get_node(&tree->document, map->data.mapping.pairs.start[i].key);
    const char *text = fq_tree_text(key);
    return text ? text : "";
}

const yaml_node_t *fq_tree_value(struct fq_tree *tree, const yaml_node_t *map, size_t i) {
    return yaml_document_get_node(&tree->document, map->data.mapping.pairs.start[i].value);
}

const yaml_node_t *fq_tree_get(struct fq_tree *tree, const yaml_node_t *map, const char *key) {
    for (size_t i = 0; i < fq_tree_pairs(map); i++)
        if (strcmp(fq_tree_key(tree, map, i), key) == 0)
            return fq_tree_value(tree, map, i);
    return NULL;
}

size_t fq_tree_count(const yaml_node_t *node) {
    if (!node)
        return 0;
    if (node->type != YAML_SEQUENCE_NODE)
        return 1;
    return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

const yaml_node_t *fq_tree_item(struct fq_tree *tree, const yaml_node_t *node, size_t i) {
    if (node->type != YAML_SEQUENCE_NODE)
        return node;
    return yaml_document_get_node(&tree->document, node->data.sequence.items.start[i]);
}

int fq_tree_line(const yaml_node_t *node) {
    return node ? (int)node->start_mark.line + 1 : 1;
}

const char *fq_tree_text(const yaml_node_t *node) {
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

int fq_tree_fail(const struct fq_tree *tree, const yaml_node_t *node, struct fq_error *err, const char *format, ...) {
    char text[FQ_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fq_fail(err, FQ_USAGE, "%s:%d: %s", tree->path, fq_tree_line(node), text);
}

int fq_tree_fail_in(const struct fq_tree *tree, const yaml_node_t *node, struct fq_error *err) {
    return fq_fail_in(err, "%s:%d", tree->path, fq_tree_line(node));
}

static const char *kind_of(const yaml_node_t *node) {
    return node->type == YAML_SEQUENCE_NODE ? "a list" : "a mapping";
}

int fq_tree_word(const struct fq_tree *tree, const yaml_node_t *node, const char *what, const char **out,
                 struct fq_error *err) {
    const char *text = fq_tree_text(node);
    if (!text)
        return fq_tree_fail(tree, node, err, "%s: expected a single value, found %s", what, kind_of(node));
    if (text[0] == '\0')
        return fq_tree_fail(tree, node, err, "%s: expected a value, found nothing", what);
    *out = text;
    return FQ_OK;
}

int fq_tree_number(const struct fq_tree *tree, const yaml_node_t *node, const char *what, uint64_t min, uint64_t max,
                   uint64_t *out, struct fq_error *err) {
    const char *text = "";
    char *end = NULL;
    FQ_TRY(fq_tree_word(tree, node, what, &text, err));
    errno = 0;
    const unsigned long long v = strtoull(text, &end, 10);
    if (*end != '\0' || text[0] == '-' || text[0] == '+' || text[0] == ' ' || errno == ERANGE || v < min || v > max)
        return fq_tree_fail(tree, node, err, "%s: expected a whole number from %llu to %llu, found '%s'", what,
                            (unsigned long long)min, (unsigned long long)max, text);
    *out = v;
    return 0;
}
