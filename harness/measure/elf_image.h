/* A shared object as the program loader sees it: segments, dynamic section, symbols. Internal to the measure floor. */
#ifndef FQ_MEASURE_ELF_IMAGE_H
#define FQ_MEASURE_ELF_IMAGE_H

#include "harness/base/error.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FQ_ELF_MOST = 64 };

struct fq_elf {
    const char *path;
    const unsigned char *bytes;
    size_t size;
    Elf64_Phdr segments[FQ_ELF_MOST]; /* PT_LOAD, ascending, not overlapping */
    size_t n_segments;
    uint64_t symbols, n_symbols;     /* address of the table; every number that a relocation or a hash names */
    uint64_t strings, string_bytes;  /* address, size */
    uint64_t libraries[FQ_ELF_MOST]; /* DT_NEEDED, DT_AUXILIARY, DT_FILTER: offsets of their names */
    size_t n_libraries, constructors;
    bool search_path, text_relocations;
    bool *referenced; /* [n_symbols]: some relocation asks for it */
};

/* FQ_USAGE with a sentence for anything that is no 64-bit shared object of this byte order, or that is malformed:
 * tables outside the file, segments over each other, entries given twice. bytes must outlive the result; free in any
 * case. */
int fq_elf_read(const char *path, const unsigned char *bytes, size_t size, struct fq_elf *out, struct fq_error *err);
void fq_elf_free(struct fq_elf *elf);

struct fq_elf_symbol {
    const char *name;
    bool defined, local, referenced; /* local: the loader looks for it nowhere else */
};
int fq_elf_symbol(const struct fq_elf *elf, size_t i, struct fq_elf_symbol *out, struct fq_error *err);
int fq_elf_text(const struct fq_elf *elf, uint64_t offset, const char **out, struct fq_error *err);

#endif
