/* Counted, poisoned, canaried memory for everything a method touches.
 *
 * Layout of one block: [64 bytes canary][size bytes][64 or more bytes canary, up to the next multiple of 64]. The back
 * canary begins at the first byte that was not asked for, so that an overrun of one byte is seen. The canaries are
 * plain memory also under AddressSanitizer: an overrun has to be reported by name (and by the audit), not end the
 * process. Methods never see this file; they get pointers. */
#include "harness/base/arena.h"

#include <stdlib.h>
#include <string.h>

/* Bytes B7 FF F9 7F, again and again: a quiet NaN as float and double, a NaN as float16 and bfloat16 at every aligned
 * place, so that arithmetic on unwritten memory cannot look right. */
static const uint8_t poison_pattern[4] = {0xB7, 0xFF, 0xF9, 0x7F};
static const uint8_t canary_pattern[8] = {0xC5, 0x3A, 0x96, 0x5C, 0xE1, 0x2D, 0x78, 0xB4};

struct block {
    uint8_t *base; /* as allocated */
    size_t size, total;
    char what[32];
};

struct fq_arena {
    char name[32];
    struct block *blocks;
    size_t n, room;
    size_t bytes;
};

static void copy_name(char *to, size_t size, const char *from) {
    size_t n = strlen(from);
    if (n >= size)
        n = size - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

static uint8_t *user_of(const struct block *b) {
    return b->base + FQ_CANARY_BYTES;
}

static void fill_poison(const struct block *b) {
    uint8_t *user = user_of(b);
    for (size_t i = 0; i < b->size && i < sizeof poison_pattern; i++)
        user[i] = poison_pattern[i];
    /* Doubling copies: poisoning happens before every kernel call and must run at memory speed. */
    for (size_t filled = sizeof poison_pattern; filled < b->size;) {
        size_t more = filled < b->size - filled ? filled : b->size - filled;
        memcpy(user + filled, user, more);
        filled += more;
    }
}

static void fill_canary(uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        p[i] = canary_pattern[i % sizeof canary_pattern];
}

static struct block *find(const struct fq_arena *arena, const void *user) {
    for (size_t i = arena->n; i > 0; i--)
        if (user_of(&arena->blocks[i - 1]) == user)
            return &arena->blocks[i - 1];
    return NULL;
}

struct fq_arena *fq_arena_new(const char *name) {
    struct fq_arena *arena = calloc(1, sizeof *arena);
    if (arena != NULL)
        copy_name(arena->name, sizeof arena->name, name);
    return arena;
}

void fq_arena_free(struct fq_arena *arena) {
    if (arena == NULL)
        return;
    for (size_t i = 0; i < arena->n; i++)
        free(arena->blocks[i].base);
    free(arena->blocks);
    free(arena);
}

static void *no_memory(const struct fq_arena *arena, const char *what, size_t size, struct fq_error *err) {
    (void)fq_fail(err, FQ_USAGE,
                  "out of memory: %zu bytes for '%s' (%s) are not to be had; use fewer vectors, a shorter context or a "
                  "smaller dimension",
                  size, what, arena->name);
    return NULL;
}

void *fq_arena_take(struct fq_arena *arena, const char *what, size_t size, struct fq_error *err) {
    if (size > SIZE_MAX / 2)
        return no_memory(arena, what, size, err);
    if (arena->n == arena->room) {
        size_t room = arena->room == 0 ? 16 : 2 * arena->room;
        struct block *grown = realloc(arena->blocks, room * sizeof *grown);
        if (grown == NULL)
            return no_memory(arena, what, size, err);
        arena->blocks = grown;
        arena->room = room;
    }
    size_t padded = (size + FQ_ALIGN - 1) / FQ_ALIGN * FQ_ALIGN;
    struct block b = {.size = size, .total = FQ_CANARY_BYTES + padded + FQ_CANARY_BYTES};
    b.base = aligned_alloc(FQ_ALIGN, b.total);
    if (b.base == NULL)
        return no_memory(arena, what, size, err);
    copy_name(b.what, sizeof b.what, what);
    fill_canary(b.base, FQ_CANARY_BYTES);
    fill_canary(user_of(&b) + size, b.total - FQ_CANARY_BYTES - size);
    fill_poison(&b);
    arena->blocks[arena->n++] = b;
    arena->bytes += size;
    return user_of(&b);
}

void fq_arena_poison(struct fq_arena *arena, void *block) {
    const struct block *b = find(arena, block);
    if (b == NULL)
        abort(); /* a pointer that this arena never gave out: a fault of the harness, not of a method */
    fill_poison(b);
}

/* Index of the first byte that differs from a fresh canary of n bytes, or n. */
static size_t first_damage(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (i < n && p[i] == canary_pattern[i % sizeof canary_pattern])
        i++;
    return i;
}

int fq_arena_check(const struct fq_arena *arena, struct fq_error *err) {
    for (size_t i = 0; i < arena->n; i++) {
        const struct block *b = &arena->blocks[i];
        size_t back = b->total - FQ_CANARY_BYTES - b->size;
        size_t at = first_damage(user_of(b) + b->size, back);
        if (at < back)
            return fq_fail(err, FQ_FAILED,
                           "%s: wrote behind '%s' of %zu bytes: the byte %zu past its end was overwritten", arena->name,
                           b->what, b->size, at + 1);
        for (size_t before = 1; before <= FQ_CANARY_BYTES; before++) {
            size_t j = FQ_CANARY_BYTES - before;
            if (b->base[j] != canary_pattern[j % sizeof canary_pattern])
                return fq_fail(err, FQ_FAILED,
                               "%s: wrote before '%s' of %zu bytes: the byte %zu ahead of its start was overwritten",
                               arena->name, b->what, b->size, before);
        }
    }
    return FQ_OK;
}

size_t fq_arena_bytes(const struct fq_arena *arena) {
    return arena->bytes;
}

size_t fq_arena_size_of(const struct fq_arena *arena, const void *block) {
    const struct block *b = find(arena, block);
    return b == NULL ? 0 : b->size;
}
