/* Reads the dynamic symbol table of a shared object and lists the imports that a quantization kernel may not have.
 *
 * Why here: a plug-in is compiled by its author, so the harness cannot see its source; the symbol table says whether it
 * can allocate, start a thread, read a clock or do I/O, before any of its code runs. It is an allow-list, because every
 * function not known to be pure is a possible side channel. It cannot see a hand-written system call instruction; the
 * watcher of live threads and the fresh-process probe stand behind it.
 * It must not load or execute the object. */
#include "harness/measure/imports.h"

#include "harness/base/file.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
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

static const char *const allowed_libraries[] = {"libc.so", "libm.so", "libmvec.so", "libgcc_s.so", "ld-linux"};

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

static void list_add(char *out, size_t size, const char *word) {
    const size_t used = strlen(out), need = strlen(word) + (used ? 2 : 0);
    if (used >= 3 && strcmp(out + used - 3, "...") == 0)
        return;
    if (used + need + 5 < size)
        snprintf(out + used, size - used, "%s%s", used ? ", " : "", word);
    else if (used + 4 < size)
        memcpy(out + used, "...", 4);
}

struct image {
    const unsigned char *bytes;
    size_t size;
};

static bool inside(const struct image *m, uint64_t offset, uint64_t length) {
    return offset <= m->size && length <= m->size - offset;
}

/* The section of the given index, copied out because the file gives no alignment; false when it lies outside. */
static bool section_at(const struct image *m, const Elf64_Ehdr *head, size_t i, Elf64_Shdr *out) {
    const uint64_t offset = head->e_shoff + (uint64_t)i * sizeof *out;
    if (i >= head->e_shnum || !inside(m, offset, sizeof *out))
        return false;
    memcpy(out, m->bytes + offset, sizeof *out);
    return out->sh_type == SHT_NOBITS || inside(m, out->sh_offset, out->sh_size);
}

/* Text at an offset of a string table, or NULL when it is not terminated inside. */
static const char *text_at(const struct image *m, const Elf64_Shdr *strings, uint64_t offset) {
    if (offset >= strings->sh_size)
        return NULL;
    const char *s = (const char *)m->bytes + strings->sh_offset + offset;
    return memchr(s, '\0', strings->sh_size - offset) ? s : NULL;
}

static int read_symbols(const char *path, const struct image *m, const Elf64_Shdr *table, const Elf64_Shdr *strings,
                        char *out, size_t size, struct fq_error *err) {
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table->sh_size; at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        memcpy(&symbol, m->bytes + table->sh_offset + at, sizeof symbol);
        if (symbol.st_shndx != SHN_UNDEF || symbol.st_name == 0)
            continue;
        const char *name = text_at(m, strings, symbol.st_name);
        if (!name)
            return fq_fail(err, FQ_USAGE, "%s: the dynamic symbol table points outside the file; build it again", path);
        if (!is_allowed(name))
            list_add(out, size, name);
    }
    return 0;
}

static int read_needed(const char *path, const struct image *m, const Elf64_Shdr *table, const Elf64_Shdr *strings,
                       char *out, size_t size, struct fq_error *err) {
    for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= table->sh_size; at += sizeof(Elf64_Dyn)) {
        Elf64_Dyn entry;
        memcpy(&entry, m->bytes + table->sh_offset + at, sizeof entry);
        if (entry.d_tag == DT_NULL)
            break;
        if (entry.d_tag != DT_NEEDED)
            continue;
        const char *name = text_at(m, strings, entry.d_un.d_val);
        if (!name)
            return fq_fail(err, FQ_USAGE, "%s: the dynamic section points outside the file; build it again", path);
        bool known = false;
        for (size_t i = 0; i < sizeof allowed_libraries / sizeof *allowed_libraries && !known; i++)
            known = strncmp(name, allowed_libraries[i], strlen(allowed_libraries[i])) == 0;
        if (!known)
            list_add(out, size, name);
    }
    return 0;
}

static int read_image(const char *path, const struct image *m, char *out, size_t size, struct fq_error *err) {
    Elf64_Ehdr head;
    if (m->size < sizeof head || memcmp(m->bytes, ELFMAG, SELFMAG) != 0 || m->bytes[EI_CLASS] != ELFCLASS64)
        return fq_fail(err, FQ_USAGE, "%s: expected a plug-in (64-bit ELF shared object, gcc -shared -fPIC), found %s",
                       path, m->size ? "another kind of file" : "an empty file");
    memcpy(&head, m->bytes, sizeof head);
    if (head.e_type != ET_DYN)
        return fq_fail(err, FQ_USAGE, "%s: expected a shared object, found ELF type %u; build it with -shared -fPIC",
                       path, (unsigned)head.e_type);
    bool seen = false;
    for (size_t i = 0; i < head.e_shnum; i++) {
        Elf64_Shdr table, strings;
        if (!section_at(m, &head, i, &table))
            return fq_fail(err, FQ_USAGE, "%s: section %zu lies outside the file: it is truncated; build it again",
                           path, i);
        if (table.sh_type != SHT_DYNSYM && table.sh_type != SHT_DYNAMIC)
            continue;
        if (!section_at(m, &head, table.sh_link, &strings) || strings.sh_type != SHT_STRTAB)
            return fq_fail(err, FQ_USAGE, "%s: section %zu has no string table: the file is damaged", path, i);
        if (table.sh_type == SHT_DYNSYM) {
            seen = true;
            FQ_TRY(read_symbols(path, m, &table, &strings, out, size, err));
        } else {
            FQ_TRY(read_needed(path, m, &table, &strings, out, size, err));
        }
    }
    if (!seen)
        return fq_fail(err, FQ_USAGE,
                       "%s: has no section with its dynamic symbols, so its imports cannot be checked; do not strip it",
                       path);
    return 0;
}

int fq_imports_forbidden(const char *path, char *out, size_t size, struct fq_error *err) {
    char *bytes = NULL;
    size_t n = 0;
    out[0] = '\0';
    FQ_TRY(fq_read_text(path, &bytes, &n, err));
    const struct image m = {(const unsigned char *)bytes, n};
    const int code = read_image(path, &m, out, size, err);
    free(bytes);
    return code;
}
