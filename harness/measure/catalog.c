/* The table of methods that this process knows: built in (registered by main) and plug-ins (loaded here).
 *
 * Why here: every floor above asks for a method by the name that a sweep gives, and no floor may name one itself.
 * It must not call a kernel, and it must not know any method's name. */
#include "harness/measure/catalog.h"

#include "harness/measure/imports.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const struct fq_method *method;
    char *origin;  /* "" for built-in ones */
    char *imports; /* "" for none */
};

static struct {
    struct entry *at;
    size_t n, room;
} catalog;

/* What the contract asks of the description itself; a kernel's behaviour is measured, not checked here. */
static int check_method(const struct fq_method *m, struct fq_error *err) {
    if (!m->name || m->name[0] == '\0' || strlen(m->name) >= 64)
        return fq_fail(err, FQ_USAGE, "a method needs a name of 1 to 63 characters");
    if (m->abi != FQ_METHOD_ABI)
        return fq_fail(err, FQ_USAGE,
                       "method '%s' was built for contract version %d, this program has version %d; compile it against "
                       "the harness/method.h of this version",
                       m->name, m->abi, FQ_METHOD_ABI);
    if (m->n_params > FQ_MAX_PARAMS || (m->n_params && !m->params))
        return fq_fail(err, FQ_USAGE, "method '%s' declares %zu parameters, at most %d are possible", m->name,
                       m->n_params, FQ_MAX_PARAMS);
    for (size_t i = 0; i < m->n_params; i++) {
        const struct fq_param_spec *p = &m->params[i];
        if (!p->name || !p->help || (p->kind == FQ_PARAM_CHOICE && (!p->choices || !p->choices[0])))
            return fq_fail(err, FQ_USAGE,
                           "method '%s': parameter %zu needs a name, a help text and, if it is a choice,"
                           " its choices",
                           m->name, i);
    }
    if (!m->footprint || !m->nominal_bits || !m->paper || !m->summary || !m->bits_formula)
        return fq_fail(err, FQ_USAGE, "method '%s' must have paper, summary, bits_formula, nominal_bits and footprint",
                       m->name);
    if (!m->kernels[FQ_REF] || !m->kernels[FQ_REF]->encode)
        return fq_fail(err, FQ_USAGE, "method '%s' has no reference backend with an encode kernel; it defines correct",
                       m->name);
    return 0;
}

static int add(const struct fq_method *method, const char *origin, const char *imports, struct fq_error *err) {
    FQ_TRY(check_method(method, err));
    size_t place = 0;
    while (place < catalog.n && strcmp(catalog.at[place].method->name, method->name) < 0)
        place++;
    if (place < catalog.n && strcmp(catalog.at[place].method->name, method->name) == 0) {
        const char *other = catalog.at[place].origin;
        return fq_fail(err, FQ_USAGE, "method '%s' is there already (%s); give the one of %s another name",
                       method->name, other[0] ? other : "built in", origin[0] ? origin : "methods/methods.def");
    }
    if (catalog.n == catalog.room) {
        const size_t room = catalog.room ? 2 * catalog.room : 32;
        struct entry *grown = realloc(catalog.at, room * sizeof *grown);
        if (!grown)
            return fq_fail(err, FQ_FAILED, "out of memory for the table of methods");
        catalog.at = grown;
        catalog.room = room;
    }
    struct entry e = {method, strdup(origin), strdup(imports)};
    if (!e.origin || !e.imports) {
        free(e.origin);
        free(e.imports);
        return fq_fail(err, FQ_FAILED, "out of memory for the table of methods");
    }
    memmove(&catalog.at[place + 1], &catalog.at[place], (catalog.n - place) * sizeof *catalog.at);
    catalog.at[place] = e;
    catalog.n++;
    return 0;
}

int fq_catalog_add(const struct fq_method *method, struct fq_error *err) {
    return add(method, "", "", err);
}

int fq_catalog_load_plugin(const char *path, struct fq_error *err) {
    char imports[256], full[PATH_MAX];
    FQ_TRY(fq_imports_forbidden(path, imports, sizeof imports, err));
    if (!realpath(path, full)) /* dlopen searches the library path for a name without a slash */
        return fq_fail(err, FQ_USAGE, "%s: no such plug-in", path);
    void *handle = dlopen(full, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *why = dlerror();
        return fq_fail(err, FQ_USAGE, "the plug-in cannot be loaded: %s", why ? why : path);
    }
    /* The handle stays open: the methods live in it until the process ends. */
    const struct fq_plugin *plugin = dlsym(handle, "fq_plugin");
    int code = 0;
    if (!plugin)
        code = fq_fail(err, FQ_USAGE, "%s: exports no symbol fq_plugin (struct fq_plugin of harness/method.h)", path);
    else if (plugin->abi != FQ_METHOD_ABI)
        code = fq_fail(err, FQ_USAGE,
                       "%s: built for contract version %d, this program has version %d; compile it against the "
                       "harness/method.h of this version",
                       path, plugin->abi, FQ_METHOD_ABI);
    else if (!plugin->methods || !plugin->methods[0])
        code = fq_fail(err, FQ_USAGE, "%s: fq_plugin lists no method", path);
    for (size_t i = 0; code == 0 && plugin->methods[i]; i++) {
        code = add(plugin->methods[i], full, imports, err);
        if (code != 0 && i > 0)
            return fq_fail_in(err, "%s", path);
    }
    if (code != 0)
        dlclose(handle);
    return code;
}

size_t fq_catalog_size(void) {
    return catalog.n;
}

const struct fq_method *fq_catalog_at(size_t i) {
    return i < catalog.n ? catalog.at[i].method : NULL;
}

int fq_catalog_find(const char *name, const struct fq_method **out, struct fq_error *err) {
    for (size_t i = 0; i < catalog.n; i++)
        if (strcmp(catalog.at[i].method->name, name) == 0) {
            *out = catalog.at[i].method;
            return 0;
        }
    const char **names = malloc((catalog.n + 1) * sizeof *names);
    if (!names)
        return fq_fail(err, FQ_FAILED, "out of memory");
    for (size_t i = 0; i < catalog.n; i++)
        names[i] = catalog.at[i].method->name;
    const char *near = fq_nearest(name, names, catalog.n);
    free(names);
    if (near)
        return fq_fail(err, FQ_USAGE, "unknown method '%s', did you mean '%s'?", name, near);
    return fq_fail(err, FQ_USAGE, "unknown method '%s'; `fairquant list methods` prints those that are here", name);
}

static const struct entry *entry_of(const struct fq_method *method) {
    for (size_t i = 0; i < catalog.n; i++)
        if (catalog.at[i].method == method)
            return &catalog.at[i];
    return NULL;
}

const char *fq_catalog_origin(const struct fq_method *method) {
    const struct entry *e = entry_of(method);
    return e ? e->origin : "";
}

const char *fq_catalog_imports(const struct fq_method *method) {
    const struct entry *e = entry_of(method);
    return e ? e->imports : "";
}
