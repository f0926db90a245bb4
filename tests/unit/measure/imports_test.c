/* What a shared object asks for is read as the loader reads it: section headers may be gone or lie, and nothing that a
 * file says is believed before it is checked. Works on plug-ins of tests/cheats. Needs `make cheats` of the same build.
 */
#include "harness/measure/imports.h"

#include "harness/base/file.h"

#include <elf.h>
#include <libgen.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct object {
    char *bytes;
    size_t n;
};

static struct object load(const char *name) {
    char self[PATH_MAX], path[PATH_MAX + 128];
    struct fq_error err = {0};
    struct object o = {NULL, 0};
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    snprintf(path, sizeof path, "%s/../../cheats/%s.so", dirname(self), name);
    if (fq_read_text(path, &o.bytes, &o.n, &err) != FQ_OK)
        fail_msg("%s (is `make cheats` done?)", err.text);
    return o;
}

/* What is found in these bytes: the code of fq_imports_forbidden, the list and the sentence. */
static int forbidden(const char *bytes, size_t n, char list[256], struct fq_error *err) {
    char path[] = "/tmp/fairquant-imports-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    memset(err, 0, sizeof *err);
    const int code = fq_imports_forbidden(path, list, 256, err);
    assert_int_equal(unlink(path), 0);
    return code;
}

static Elf64_Ehdr head_of(const struct object *o) {
    Elf64_Ehdr head;
    memcpy(&head, o->bytes, sizeof head);
    return head;
}

static void expect_malloc(const struct object *o) {
    char list[256];
    struct fq_error err;
    if (forbidden(o->bytes, o->n, list, &err) != FQ_OK)
        fail_msg("%s", err.text);
    assert_non_null(strstr(list, "malloc"));
}

static void the_honest_one_asks_for_nothing(void **state) {
    (void)state;
    struct object o = load("honest");
    char list[256];
    struct fq_error err;
    if (forbidden(o.bytes, o.n, list, &err) != FQ_OK)
        fail_msg("%s", err.text);
    assert_string_equal(list, "");
    free(o.bytes);
}

static void shrunk_section_headers_hide_nothing(void **state) {
    (void)state;
    struct object o = load("allocates");
    const Elf64_Ehdr head = head_of(&o);
    size_t shrunk = 0;
    for (size_t i = 0; i < head.e_shnum; i++) {
        Elf64_Shdr section;
        memcpy(&section, o.bytes + head.e_shoff + i * sizeof section, sizeof section);
        if (section.sh_type != SHT_DYNSYM && section.sh_type != SHT_DYNAMIC)
            continue;
        section.sh_size = section.sh_type == SHT_DYNSYM ? sizeof(Elf64_Sym) : sizeof(Elf64_Dyn);
        memcpy(o.bytes + head.e_shoff + i * sizeof section, &section, sizeof section);
        shrunk++;
    }
    assert_int_equal(shrunk, 2);
    expect_malloc(&o);
    free(o.bytes);
}

static void stripped_section_headers_hide_nothing(void **state) {
    (void)state;
    struct object o = load("allocates");
    Elf64_Ehdr head = head_of(&o);
    memset(o.bytes + head.e_shoff, 0, head.e_shnum * sizeof(Elf64_Shdr));
    head.e_shoff = 0;
    head.e_shnum = head.e_shstrndx = 0;
    memcpy(o.bytes, &head, sizeof head);
    expect_malloc(&o);
    free(o.bytes);
}

/* The place in the file of a dynamic entry's value; objects of the usual layout only, which is all a test needs. */
static size_t entry_at(const struct object *o, int64_t tag) {
    const Elf64_Ehdr head = head_of(o);
    for (size_t i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr p;
        memcpy(&p, o->bytes + head.e_phoff + i * sizeof p, sizeof p);
        for (size_t at = 0; p.p_type == PT_DYNAMIC && at + sizeof(Elf64_Dyn) <= p.p_filesz; at += sizeof(Elf64_Dyn)) {
            Elf64_Dyn entry;
            memcpy(&entry, o->bytes + p.p_offset + at, sizeof entry);
            if (entry.d_tag == tag)
                return p.p_offset + at;
        }
    }
    fail_msg("no dynamic entry of tag %lld", (long long)tag);
    return 0;
}

static void set_entry(const struct object *o, int64_t tag, Elf64_Dyn entry) {
    memcpy(o->bytes + entry_at(o, tag), &entry, sizeof entry);
}

/* A hash table of nothing: malloc is still asked for by a relocation. */
static void an_empty_hash_table_hides_nothing(void **state) {
    (void)state;
    struct object o = load("allocates");
    Elf64_Dyn entry;
    memcpy(&entry, o.bytes + entry_at(&o, DT_GNU_HASH), sizeof entry);
    /* the table lies in the first segment, where address and place in the file agree */
    const uint32_t nothing[4] = {0, 1, 0, 0};
    memcpy(o.bytes + entry.d_un.d_ptr, nothing, sizeof nothing);
    expect_malloc(&o);
    free(o.bytes);
}

static void expect_refused(const struct object *o, size_t n, const char *what) {
    char list[256];
    struct fq_error err;
    assert_int_equal(forbidden(o->bytes, n, list, &err), FQ_USAGE);
    if (strstr(err.text, what) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, what);
}

static void malformed_objects_are_refused_with_a_sentence(void **state) {
    (void)state;
    struct object o = load("allocates");
    expect_refused(&o, 0, "empty file");
    expect_refused(&o, 63, "another kind of file");
    expect_refused(&o, sizeof(Elf64_Ehdr), "program headers");
    expect_refused(&o, 4096, "segment");
    const int64_t tables[] = {DT_SYMTAB, DT_STRTAB, DT_GNU_HASH};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        struct object bad = load("allocates");
        const Elf64_Dyn far = {.d_tag = tables[i], .d_un = {.d_ptr = UINT64_MAX - 8}};
        set_entry(&bad, tables[i], far);
        expect_refused(&bad, bad.n, "outside");
        free(bad.bytes);
    }
    struct object twice = load("allocates");
    const Elf64_Dyn second = {.d_tag = DT_STRTAB, .d_un = {.d_ptr = 0}};
    set_entry(&twice, DT_SYMENT, second);
    expect_refused(&twice, twice.n, "twice");
    free(twice.bytes);
    free(o.bytes);
}

static void search_paths_and_constructors_are_named(void **state) {
    (void)state;
    char list[256];
    struct fq_error err;
    struct object o = load("honest");
    const Elf64_Dyn runpath = {.d_tag = DT_RUNPATH, .d_un = {.d_val = 1}};
    set_entry(&o, DT_SYMENT, runpath); /* an entry that the loader does not need */
    const Elf64_Dyn more = {.d_tag = DT_INIT_ARRAYSZ, .d_un = {.d_val = 16}};
    set_entry(&o, DT_INIT_ARRAYSZ, more);
    assert_int_equal(forbidden(o.bytes, o.n, list, &err), FQ_OK);
    assert_non_null(strstr(list, "search path"));
    assert_non_null(strstr(list, "constructor"));
    free(o.bytes);
}

/* Any file is either read or refused; the sanitizers watch. */
static void damaged_objects_do_no_harm(void **state) {
    (void)state;
    struct object o = load("allocates");
    char list[256];
    struct fq_error err;
    uint32_t random = 1;
    for (size_t round = 0; round < 400; round++) {
        char *copy = malloc(o.n);
        assert_non_null(copy);
        memcpy(copy, o.bytes, o.n);
        const size_t head = 64 + 56 * (size_t)head_of(&o).e_phnum, dynamic = entry_at(&o, DT_NEEDED);
        for (size_t i = 0; i < 3; i++) {
            random = random * 1664525U + 1013904223U;
            const size_t at = round % 2 == 0 ? (random >> 8) % head : dynamic + (random >> 8) % 400;
            copy[at] = (char)(copy[at] ^ (char)(random >> 24));
        }
        const int code = forbidden(copy, o.n, list, &err);
        assert_true(code == FQ_OK || (code == FQ_USAGE && err.text[0] != '\0'));
        free(copy);
    }
    free(o.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_honest_one_asks_for_nothing),
        cmocka_unit_test(shrunk_section_headers_hide_nothing),
        cmocka_unit_test(stripped_section_headers_hide_nothing),
        cmocka_unit_test(an_empty_hash_table_hides_nothing),
        cmocka_unit_test(malformed_objects_are_refused_with_a_sentence),
        cmocka_unit_test(search_paths_and_constructors_are_named),
        cmocka_unit_test(damaged_objects_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
