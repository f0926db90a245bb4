/* What a user wrote wrongly against what there is. */
#ifndef FQ_BASE_WORDS_H
#define FQ_BASE_WORDS_H

#include <stddef.h>

/* The entry of a list nearest to `word` (Levenshtein, at most 1/2 of its length away), or NULL. */
const char *fq_nearest(const char *word, const char *const *list, size_t n);
/* "a, b, c", cut with "..." if it does not fit. */
void fq_words_join(char *out, size_t size, const char *const *words, size_t n);

#endif
