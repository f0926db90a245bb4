/* Every buffer a method sees comes from an arena: 64-byte aligned, counted, poisoned before use, with canaries before
 * and behind it. A method that writes one byte too many, or reads what it did not write, is seen. */
#ifndef FQ_BASE_ARENA_H
#define FQ_BASE_ARENA_H

#include "harness/base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { FQ_ALIGN = 64, FQ_CANARY_BYTES = 64 };

struct fq_arena;

/* name is used in sentences ("records", "scratch"). Returns NULL only when memory is out. */
struct fq_arena *fq_arena_new(const char *name);
void fq_arena_free(struct fq_arena *arena);

/* size bytes, poisoned, canaries armed; size 0 gives a valid pointer of which no byte may be touched. NULL + err: no
 * memory. */
void *fq_arena_take(struct fq_arena *arena, const char *what, size_t size, struct fq_error *err);

/* Fills a block taken before with the poison byte pattern again (quiet NaNs when read as float). */
void fq_arena_poison(struct fq_arena *arena, void *block);

/* FQ_FAILED and a sentence naming the block, the side and the distance of the first overwritten canary byte; 0 if all
 * intact. */
int fq_arena_check(const struct fq_arena *arena, struct fq_error *err);

size_t fq_arena_bytes(const struct fq_arena *arena); /* bytes asked for, without canaries and alignment */
size_t fq_arena_size_of(const struct fq_arena *arena, const void *block);

#endif
