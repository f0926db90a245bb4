/* Reads the dynamic section of a shared object and lists what a quantization kernel may not ask of the outside.
 *
 * Why here: a plug-in is compiled by its author, so the harness cannot see its source; what its symbols and relocations
 * ask for says whether it can allocate, start a thread, read a clock or do I/O, before any of its code runs. It is an
 * allow-list, because every function not known to be pure is a possible side channel. The file is read as the loader
 * reads it, through the program headers (elf_image.c): section headers are for linkers, and can say anything.
 *
 * It cannot see a system call instruction, nor addresses that code works out for itself. Behind it stand the watcher of
 * live threads and the fresh-process probe, whose process the kernel keeps from everything outside
 * (probe_sandbox.c). It must not load or execute the object. */
#include "harness/measure/imports.h"

#include "harness/base/file.h"
#include "harness/measure/elf_image.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Functions of memory and text that keep nothing, the bounded printers that `check` writes its sentence with, and what
 * compilers call by themselves. Thread-local storage (__tls_get_addr) is left out: it is memory that outlives a call.
 */
static const char *const allowed[] = {
    "memcpy",
    "memmove",
    "memset",
    "memcmp",
    "memchr",
    "bcmp",
    "strlen",
    "strnlen",
    "strcmp",
    "strncmp",
    "strchr",
    "strrchr",
    "strstr",
    "strcpy",
    "strncpy",
    "strcat",
    "strncat",
    "snprintf",
    "vsnprintf",
    "abs",
    "labs",
    "llabs",
    "abort",
    "__memcpy_chk",
    "__memmove_chk",
    "__memset_chk",
    "__strcpy_chk",
    "__strncpy_chk",
    "__strcat_chk",
    "__snprintf_chk",
    "__vsnprintf_chk",
    "__assert_fail",
    "__stack_chk_fail",
    "__cxa_finalize",
    "__gmon_start__",
    "__popcountdi2",
    "__udivti3",
    "__umodti3",
    "__divti3",
    "__modti3",
    "__multi3",
    "__extendhfsf2",
    "__truncsfhf2",
    "__truncdfhf2",
    "__cpu_model",
    "__cpu_indicator_init",
};

/* Each also with the suffix f (float) or l (long double). */
static const char *const allowed_math[] = {
    "acos",      "acosh",     "asin", "asinh",     "atan",  "atan2",     "atanh", "cbrt",    "ceil",   "copysign",
    "cos",       "cosh",      "erf",  "erfc",      "exp",   "exp2",      "exp10", "expm1",   "fabs",   "fdim",
    "floor",     "fma",       "fmax", "fmin",      "fmod",  "frexp",     "hypot", "ilogb",   "ldexp",  "lgamma",
    "llrint",    "llround",   "log",  "log10",     "log1p", "log2",      "logb",  "lrint",   "lround", "modf",
    "nearbyint", "nextafter", "pow",  "remainder", "rint",  "roundeven", "round", "scalbln", "scalbn", "sin",
    "sincos",    "sinh",      "sqrt", "tan",       "tanh",  "tgamma",    "trunc",
};

static const char *const allowed_libraries[] = {
    "libc.so.", "libm.so.", "libmvec.so.", "libgcc_s.so.", "ld-linux-x86-64.so.", "ld-linux-aarch64.so."};

static bool is_math(const char *symbol) {
    for (size_t i = 0; i < sizeof allowed_math / sizeof *allowed_math; i++) {
        const size_t n = strlen(allowed_math[i]);
        if (strncmp(symbol, allowed_math[i], n) != 0)
            continue;
        const char *rest = symbol + n;
        if (*rest == '\0' || strcmp(rest, "f") == 0 || strcmp(rest, "l") == 0)
            return true;
    }
    return false;
}

static bool is_allowed(const char *symbol) {
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (strcmp(symbol, allowed[i]) == 0)
            return true;
    if (strncmp(symbol, "_ITM_", 5) == 0 || strncmp(symbol, "_ZGV", 4) == 0) /* compiler hooks, vector maths */
        return true;
    return is_math(symbol);
}

/* The name and a version of digits: "libc.so.evil" is not the C library. */
static bool is_allowed_library(const char *name) {
    for (size_t i = 0; i < sizeof allowed_libraries / sizeof *allowed_libraries; i++) {
        const size_t n = strlen(allowed_libraries[i]);
        if (strncmp(name, allowed_libraries[i], n) != 0 || !isdigit((unsigned char)name[n]))
            continue;
        size_t digits = n;
        while (isdigit((unsigned char)name[digits]))
            digits++;
        if (name[digits] == '\0')
            return true;
    }
    return false;
}

static void list_add(char *out, size_t size, const char *word) {
    const size_t used = strlen(out), need = strlen(word) + (used ? 2 : 0);
    if (used >= 3 && strcmp(out + used - 3, "...") == 0)
        return;
    if (used + need + 5 < size)
        snprintf(out + used, size - used, "%s%s", used ? ", " : "", word);
    else if (used + 4 < size)
        memcpy(out + used, "...", 4);
}

/* A symbol that the object defines itself, but for whose name the process has another owner: the loader would take that
 * one. */
static bool is_taken_elsewhere(const struct fq_elf_symbol *symbol) {
    return symbol->referenced && !symbol->local && dlsym(RTLD_DEFAULT, symbol->name) != NULL;
}

static int read_symbols(const struct fq_elf *elf, char *out, size_t size, struct fq_error *err) {
    for (size_t i = 1; i < elf->n_symbols; i++) { /* number 0 is nobody */
        struct fq_elf_symbol symbol;
        FQ_TRY(fq_elf_symbol(elf, i, &symbol, err));
        if (symbol.name[0] == '\0' || is_allowed(symbol.name))
            continue;
        if (!symbol.defined || is_taken_elsewhere(&symbol))
            list_add(out, size, symbol.name);
    }
    return FQ_OK;
}

static int read_rest(const struct fq_elf *elf, char *out, size_t size, struct fq_error *err) {
    for (size_t i = 0; i < elf->n_libraries; i++) {
        const char *name = NULL;
        FQ_TRY(fq_elf_text(elf, elf->libraries[i], &name, err));
        if (!is_allowed_library(name))
            list_add(out, size, name);
    }
    if (elf->search_path)
        list_add(out, size, "a library search path (DT_RUNPATH)");
    if (elf->constructors > 1) /* compilers put one there, which does nothing */
        list_add(out, size, "code that runs when it is loaded (a constructor)");
    if (elf->text_relocations)
        list_add(out, size, "writable code (DT_TEXTREL)");
    return FQ_OK;
}

int fq_imports_forbidden(const char *path, char *out, size_t size, struct fq_error *err) {
    char *bytes = NULL;
    size_t n = 0;
    struct fq_elf elf;
    out[0] = '\0';
    FQ_TRY(fq_read_text(path, &bytes, &n, err));
    int code = fq_elf_read(path, (const unsigned char *)bytes, n, &elf, err);
    if (code == FQ_OK)
        code = read_symbols(&elf, out, size, err);
    if (code == FQ_OK)
        code = read_rest(&elf, out, size, err);
    fq_elf_free(&elf);
    free(bytes);
    return code;
}
