/* Words for people: the nearest of a list, and a list on one line. Here, at the bottom, because every floor that reads
 * what a user wrote tells the user what could have been meant. It must not know any of the words. */
#include "harness/base/words.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 63 };

/* Levenshtein distance with unit costs; words longer than WORD_MAX are cut, they resemble nothing anyway. */
static size_t distance(const char *a, const char *b) {
    const size_t n = strnlen(a, WORD_MAX), m = strnlen(b, WORD_MAX);
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[m];
}

const char *fq_nearest(const char *word, const char *const *list, size_t n) {
    const char *best = NULL;
    size_t best_distance = strlen(word) / 2 + 1;
    for (size_t i = 0; i < n; i++) {
        const size_t d = distance(word, list[i]);
        if (d < best_distance) {
            best = list[i];
            best_distance = d;
        }
    }
    return best;
}

void fq_words_join(char *out, size_t size, const char *const *words, size_t n) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const int w = snprintf(out + used, size - used, "%s%s", i ? ", " : "", words[i]);
        if (w < 0 || (size_t)w >= size - used) {
            if (size > 4)
                memcpy(out + size - 4, "...", 4);
            return;
        }
        used += (size_t)w;
    }
}
