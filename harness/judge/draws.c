/* Draws the multiplicities of the bootstrap. Here, apart from the statistics, because the random numbers are the
 * expensive part and depend on the layout alone. Streams "bootstrap" and "bootstrap outer" only. */
#include "harness/judge/draws.h"

#include "harness/base/random.h"

#include <stdlib.h>
#include <string.h>

enum { LAYOUTS = 16, WORDS = 256 };

struct layout {
    size_t clusters, units;
    uint32_t *first; /* NULL for the outer factor */
    uint16_t *times;
};

/* Apart, so that filling one never forgets the other while both are in use. */
struct shelf {
    struct layout layout[LAYOUTS];
    size_t next;
};

struct fq_draws {
    uint64_t seed;
    size_t resamples;
    struct shelf units, outer;
};

struct source {
    uint64_t key, next;
    size_t left;
    uint64_t word[WORDS];
};

static uint32_t next32(struct source *s) {
    if (s->left == 0) {
        fq_random_bits(s->key, s->next, WORDS, s->word);
        s->next += WORDS;
        s->left = 2 * WORDS;
    }
    s->left--;
    uint64_t word = s->word[s->left / 2];
    return s->left % 2 ? (uint32_t)(word >> 32) : (uint32_t)word;
}

/* Unbiased number below n by a multiplication, redrawn in the rare overhang (Lemire 2019). */
static uint32_t below(struct source *s, uint32_t n) {
    uint64_t product = (uint64_t)next32(s) * n;
    uint32_t overhang = (uint32_t)(0x100000000u % n);
    while ((uint32_t)product < overhang)
        product = (uint64_t)next32(s) * n;
    return (uint32_t)(product >> 32);
}

struct fq_draws *fq_draws_new(uint64_t seed, size_t resamples) {
    struct fq_draws *d = calloc(1, sizeof *d);
    if (d != NULL) {
        d->seed = seed;
        d->resamples = resamples;
    }
    return d;
}

static void layout_clear(struct layout *l) {
    free(l->first);
    free(l->times);
    memset(l, 0, sizeof *l);
}

void fq_draws_free(struct fq_draws *d) {
    if (d == NULL)
        return;
    for (size_t i = 0; i < LAYOUTS; i++) {
        layout_clear(&d->units.layout[i]);
        layout_clear(&d->outer.layout[i]);
    }
    free(d);
}

size_t fq_draws_resamples(const struct fq_draws *d) {
    return d->resamples;
}

/* The slot to fill next: the oldest one is forgotten. */
static struct layout *take_slot(struct shelf *shelf, size_t resamples, size_t units) {
    struct layout *l = &shelf->layout[shelf->next];
    shelf->next = (shelf->next + 1) % LAYOUTS;
    layout_clear(l);
    l->times = calloc(resamples * units, sizeof *l->times);
    l->units = units;
    return l->times ? l : NULL;
}

const uint16_t *fq_draws_outer(struct fq_draws *d, size_t n_outer) {
    for (size_t i = 0; i < LAYOUTS; i++)
        if (d->outer.layout[i].times != NULL && d->outer.layout[i].units == n_outer)
            return d->outer.layout[i].times;
    struct layout *l = take_slot(&d->outer, d->resamples, n_outer);
    if (l == NULL)
        return NULL;
    struct source s = {.key = fq_stream_key("bootstrap outer", d->seed)};
    for (size_t r = 0; r < d->resamples; r++)
        for (size_t k = 0; k < n_outer; k++)
            l->times[r * n_outer + below(&s, (uint32_t)n_outer)]++;
    return l->times;
}

const uint16_t *fq_draws_units(struct fq_draws *d, const struct fq_design *design) {
    size_t clusters = design->n_clusters, units = design->n_units, bytes = (clusters + 1) * sizeof(uint32_t);
    for (size_t i = 0; i < LAYOUTS; i++) {
        const struct layout *l = &d->units.layout[i];
        if (l->times != NULL && l->units == units && l->clusters == clusters &&
            memcmp(l->first, design->cluster_first, bytes) == 0)
            return l->times;
    }
    struct layout *l = take_slot(&d->units, d->resamples, units);
    if (l == NULL)
        return NULL;
    l->first = malloc(bytes);
    if (l->first == NULL) {
        layout_clear(l);
        return NULL;
    }
    memcpy(l->first, design->cluster_first, bytes);
    l->clusters = clusters;
    struct source s = {.key = fq_stream_key("bootstrap", d->seed)};
    for (size_t r = 0; r < d->resamples; r++)
        for (size_t k = 0; k < clusters; k++) {
            uint32_t c = below(&s, (uint32_t)clusters), n = l->first[c + 1] - l->first[c];
            for (uint32_t j = 0; j < n; j++)
                l->times[r * units + l->first[c] + below(&s, n)]++;
        }
    return l->times;
}
