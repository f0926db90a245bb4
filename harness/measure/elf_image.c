/* Parses a shared object through its program headers, as the loader does: PT_LOAD says where file bytes come to lie,
 * PT_DYNAMIC where the tables are. Section headers are not read: an object works without them, and they may lie.
 *
 * How many symbols there are, no entry says. The hash tables name those that others may find; relocations name those
 * that the object asks for, whatever the hash tables say. The table is taken to reach as far as either.
 *
 * All input is hostile: every address is checked against the file before it is read, every value copied out, since a
 * file gives no alignment. */
#include "harness/measure/elf_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, MOST_SYMBOLS = 1 << 20 };

/* One word each of the dynamic section; twice is an error, since the loader takes the last one. */
enum entry {
    HASH,
    GNU_HASH,
    STRTAB,
    STRSZ,
    SYMTAB,
    SYMENT,
    RELA,
    RELASZ,
    REL,
    RELSZ,
    JMPREL,
    PLTRELSZ,
    PLTREL,
    INIT_ARRAYSZ,
    ENTRIES
};
static const int64_t entry_tags[ENTRIES] = {DT_HASH,   DT_GNU_HASH, DT_STRTAB, DT_STRSZ,       DT_SYMTAB,
                                            DT_SYMENT, DT_RELA,     DT_RELASZ, DT_REL,         DT_RELSZ,
                                            DT_JMPREL, DT_PLTRELSZ, DT_PLTREL, DT_INIT_ARRAYSZ};

struct dynamic {
    uint64_t value[ENTRIES];
    bool given[ENTRIES];
};

static int malformed(const struct fq_elf *elf, const char *what, struct fq_error *err) {
    return fq_fail(err, FQ_USAGE, "%s: %s; it is damaged or made to mislead, build it again", elf->path, what);
}

static bool inside(uint64_t offset, uint64_t length, uint64_t size) {
    return offset <= size && length <= size - offset;
}

/* The file's bytes that come to lie at [address, address + length), or NULL. */
static const unsigned char *at(const struct fq_elf *elf, uint64_t address, uint64_t length) {
    for (size_t i = 0; i < elf->n_segments; i++) {
        const Elf64_Phdr *p = &elf->segments[i];
        if (address >= p->p_vaddr && inside(address - p->p_vaddr, length, p->p_filesz))
            return elf->bytes + p->p_offset + (address - p->p_vaddr);
    }
    return NULL;
}

static int read_word(const struct fq_elf *elf, uint64_t address, uint32_t *out, struct fq_error *err) {
    const unsigned char *from = at(elf, address, sizeof *out);
    if (from == NULL)
        return malformed(elf, "a hash table lies outside the file", err);
    memcpy(out, from, sizeof *out);
    return FQ_OK;
}

/* ---- segments ----------------------------------------------------------------------------------------------------*/

static int add_segment(struct fq_elf *elf, const Elf64_Phdr *p, struct fq_error *err) {
    if (!inside(p->p_offset, p->p_filesz, elf->size) || p->p_filesz > p->p_memsz || p->p_vaddr > UINT64_MAX / 4 ||
        p->p_memsz > UINT64_MAX / 4)
        return malformed(elf, "a segment lies outside the file: it is truncated", err);
    if (elf->n_segments == FQ_ELF_MOST)
        return malformed(elf, "it has more than 64 segments", err);
    if (elf->n_segments > 0) {
        const Elf64_Phdr *last = &elf->segments[elf->n_segments - 1];
        const uint64_t end = (last->p_vaddr + last->p_memsz + PAGE - 1) / PAGE * PAGE;
        if (p->p_vaddr / PAGE * PAGE < end) /* the later one would cover what was read from the earlier */
            return malformed(elf, "its segments overlap or are out of order", err);
    }
    elf->segments[elf->n_segments++] = *p;
    return FQ_OK;
}

static int read_segments(struct fq_elf *elf, const Elf64_Ehdr *head, Elf64_Phdr *dynamic, struct fq_error *err) {
    size_t seen = 0;
    if (head->e_phentsize != sizeof(Elf64_Phdr) ||
        !inside(head->e_phoff, (uint64_t)head->e_phnum * sizeof(Elf64_Phdr), elf->size))
        return malformed(elf, "its program headers lie outside the file: it is truncated", err);
    for (size_t i = 0; i < head->e_phnum; i++) {
        Elf64_Phdr p;
        memcpy(&p, elf->bytes + head->e_phoff + i * sizeof p, sizeof p);
        if (p.p_type == PT_LOAD)
            FQ_TRY(add_segment(elf, &p, err));
        if (p.p_type == PT_DYNAMIC) {
            seen++;
            *dynamic = p;
        }
    }
    return seen == 1 ? FQ_OK : malformed(elf, "expected one dynamic segment", err);
}

/* ---- the dynamic section -----------------------------------------------------------------------------------------*/

static int take_entry(struct fq_elf *elf, const Elf64_Dyn *entry, struct dynamic *d, struct fq_error *err) {
    const int64_t tag = entry->d_tag;
    elf->search_path = elf->search_path || tag == DT_RPATH || tag == DT_RUNPATH;
    elf->text_relocations =
        elf->text_relocations || tag == DT_TEXTREL || (tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0);
    if (tag == DT_NEEDED || tag == DT_AUXILIARY || tag == DT_FILTER || tag == DT_AUDIT || tag == DT_DEPAUDIT) {
        if (elf->n_libraries == FQ_ELF_MOST)
            return malformed(elf, "it needs more than 64 libraries", err);
        elf->libraries[elf->n_libraries++] = entry->d_un.d_val;
    }
    for (int i = 0; i < ENTRIES; i++) {
        if (entry_tags[i] != tag)
            continue;
        if (d->given[i])
            return malformed(elf, "its dynamic section has an entry twice", err);
        d->given[i] = true;
        d->value[i] = entry->d_un.d_val;
    }
    return FQ_OK;
}

static int read_dynamic(struct fq_elf *elf, const Elf64_Phdr *segment, struct dynamic *d, struct fq_error *err) {
    for (uint64_t i = 0;; i++) {
        Elf64_Dyn entry;
        const unsigned char *from = at(elf, segment->p_vaddr + i * sizeof entry, sizeof entry);
        if (from == NULL) /* the loader goes on to DT_NULL, whatever size the segment claims */
            return malformed(elf, "its dynamic section does not end inside the file", err);
        memcpy(&entry, from, sizeof entry);
        if (entry.d_tag == DT_NULL)
            break;
        FQ_TRY(take_entry(elf, &entry, d, err));
    }
    if (!d->given[STRTAB] || !d->given[STRSZ] || !d->given[SYMTAB] || (!d->given[HASH] && !d->given[GNU_HASH]))
        return malformed(elf, "its dynamic section lacks symbols, strings or a hash table", err);
    if (d->given[SYMENT] && d->value[SYMENT] != sizeof(Elf64_Sym))
        return malformed(elf, "its symbols have another size", err);
    elf->symbols = d->value[SYMTAB];
    elf->strings = d->value[STRTAB];
    elf->string_bytes = d->value[STRSZ];
    elf->constructors = d->given[INIT_ARRAYSZ] ? d->value[INIT_ARRAYSZ] / sizeof(Elf64_Addr) : 0;
    if (at(elf, elf->strings, elf->string_bytes) == NULL)
        return malformed(elf, "its strings lie outside the file", err);
    return FQ_OK;
}

/* ---- how many symbols --------------------------------------------------------------------------------------------*/

static int count_gnu_hash(const struct fq_elf *elf, uint64_t table, uint64_t *n, struct fq_error *err) {
    uint32_t head[4]; /* buckets, number of the first symbol that can be found, bloom words, shift */
    for (size_t i = 0; i < 4; i++)
        FQ_TRY(read_word(elf, table + 4 * i, &head[i], err));
    const uint64_t buckets = table + 16 + 8 * (uint64_t)head[2], chains = buckets + 4 * (uint64_t)head[0];
    uint64_t last = 0;
    for (uint32_t i = 0; i < head[0]; i++) {
        uint32_t first;
        FQ_TRY(read_word(elf, buckets + 4 * (uint64_t)i, &first, err));
        last = first > last ? first : last;
    }
    if (*n < head[1])
        *n = head[1];
    if (last < head[1])
        return FQ_OK; /* nothing can be found in it */
    for (uint32_t hash = 0; (hash & 1U) == 0; last++)
        FQ_TRY(read_word(elf, chains + 4 * (last - head[1]), &hash, err));
    if (*n < last)
        *n = last;
    return FQ_OK;
}

/* Calls back nothing, so that both passes stay one loop: with `referenced` NULL the largest number is looked for, else
 * the numbers are marked. */
static int walk_relocations(const struct fq_elf *elf, uint64_t table, uint64_t bytes, size_t entry, uint64_t *n,
                            bool *referenced, struct fq_error *err) {
    if (bytes > 0 && at(elf, table, bytes) == NULL)
        return malformed(elf, "its relocations lie outside the file", err);
    for (uint64_t offset = 0; offset + entry <= bytes; offset += entry) {
        Elf64_Rel relocation; /* the first two words of both kinds */
        memcpy(&relocation, at(elf, table + offset, entry), sizeof relocation);
        const uint64_t symbol = ELF64_R_SYM(relocation.r_info);
        if (referenced != NULL)
            referenced[symbol] = true;
        else if (symbol + 1 > *n)
            *n = symbol + 1;
    }
    return FQ_OK;
}

static int walk_all_relocations(const struct fq_elf *elf, const struct dynamic *d, uint64_t *n, bool *referenced,
                                struct fq_error *err) {
    const size_t plt = d->given[PLTREL] && d->value[PLTREL] == DT_REL ? sizeof(Elf64_Rel) : sizeof(Elf64_Rela);
    if (d->given[RELA])
        FQ_TRY(walk_relocations(elf, d->value[RELA], d->value[RELASZ], sizeof(Elf64_Rela), n, referenced, err));
    if (d->given[REL])
        FQ_TRY(walk_relocations(elf, d->value[REL], d->value[RELSZ], sizeof(Elf64_Rel), n, referenced, err));
    if (d->given[JMPREL])
        FQ_TRY(walk_relocations(elf, d->value[JMPREL], d->value[PLTRELSZ], plt, n, referenced, err));
    return FQ_OK;
}

static int read_symbol_table(struct fq_elf *elf, const struct dynamic *d, struct fq_error *err) {
    uint64_t n = 1;
    if (d->given[HASH]) {
        uint32_t chain = 0;
        FQ_TRY(read_word(elf, d->value[HASH] + 4, &chain, err));
        n = chain > n ? chain : n;
    }
    if (d->given[GNU_HASH])
        FQ_TRY(count_gnu_hash(elf, d->value[GNU_HASH], &n, err));
    FQ_TRY(walk_all_relocations(elf, d, &n, NULL, err));
    if (n > MOST_SYMBOLS || at(elf, elf->symbols, n * sizeof(Elf64_Sym)) == NULL)
        return malformed(elf, "its symbols lie outside the file", err);
    elf->referenced = calloc(n, sizeof *elf->referenced);
    if (elf->referenced == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: the symbols of %s", elf->path);
    elf->n_symbols = n;
    return walk_all_relocations(elf, d, &n, elf->referenced, err);
}

/* ---- entry -------------------------------------------------------------------------------------------------------*/

int fq_elf_read(const char *path, const unsigned char *bytes, size_t size, struct fq_elf *out, struct fq_error *err) {
    const unsigned char order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
    Elf64_Ehdr head;
    Elf64_Phdr segment;
    struct dynamic d = {0};
    *out = (struct fq_elf){.path = path, .bytes = bytes, .size = size};
    if (size < sizeof head || memcmp(bytes, ELFMAG, SELFMAG) != 0 || bytes[EI_CLASS] != ELFCLASS64 ||
        bytes[EI_DATA] != order)
        return fq_fail(err, FQ_USAGE, "%s: expected a plug-in (64-bit ELF shared object, gcc -shared -fPIC), found %s",
                       path, size > 0 ? "another kind of file" : "an empty file");
    memcpy(&head, bytes, sizeof head);
    if (head.e_type != ET_DYN)
        return fq_fail(err, FQ_USAGE, "%s: expected a shared object, found ELF type %u; build it with -shared -fPIC",
                       path, (unsigned)head.e_type);
    FQ_TRY(read_segments(out, &head, &segment, err));
    FQ_TRY(read_dynamic(out, &segment, &d, err));
    return read_symbol_table(out, &d, err);
}

void fq_elf_free(struct fq_elf *elf) {
    free(elf->referenced);
    elf->referenced = NULL;
}

int fq_elf_text(const struct fq_elf *elf, uint64_t offset, const char **out, struct fq_error *err) {
    const unsigned char *strings = at(elf, elf->strings, elf->string_bytes);
    if (strings == NULL || offset >= elf->string_bytes ||
        memchr(strings + offset, '\0', elf->string_bytes - offset) == NULL)
        return malformed(elf, "a name lies outside its strings", err);
    *out = (const char *)strings + offset;
    return FQ_OK;
}

int fq_elf_symbol(const struct fq_elf *elf, size_t i, struct fq_elf_symbol *out, struct fq_error *err) {
    Elf64_Sym s;
    const unsigned char *from = at(elf, elf->symbols + i * sizeof s, sizeof s);
    if (from == NULL || i >= elf->n_symbols)
        return malformed(elf, "a symbol lies outside the file", err);
    memcpy(&s, from, sizeof s);
    FQ_TRY(fq_elf_text(elf, s.st_name, &out->name, err));
    out->defined = s.st_shndx != SHN_UNDEF;
    out->local = ELF64_ST_BIND(s.st_info) == STB_LOCAL || ELF64_ST_VISIBILITY(s.st_other) != STV_DEFAULT;
    out->referenced = elf->referenced[i];
    return FQ_OK;
}
