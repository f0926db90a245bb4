/* Needles among keys: one key of a window is looked for by a query that is close to it, at full precision and from
 * codes. It needs no model: the keys are those of the data.
 *
 * The query is the needle less the mean of its window (what all keys share finds none of them), plus as much noise
 * again, so that its cosine with that direction is about 0.71. Its length is chosen so that softmax at full precision
 * gives the needle half of the weight: the same difficulty everywhere, and no room for a method to profit from a scale.
 * Needles that full precision itself does not find are left out and counted. Definitions in measures.h. */
#include "harness/measure/measure_internal.h"

#include "harness/base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXTS = 3, DEPTHS = 5, GRID = CONTEXTS * DEPTHS, FEWEST_KEYS = 8, SOLVER_STEPS = 40 };

struct needle {
    const struct measure_pass *pass;
    size_t room;     /* keys of one call */
    float *q;        /* [windows * GRID][dim] */
    float *estimate; /* [windows * GRID][room] */
    double *truth;   /* [room] */
    size_t *at;      /* [windows * GRID]: the needle's position in its window; SIZE_MAX: none */
    size_t full, recall, mass, rank, recall_context[CONTEXTS], mass_context[CONTEXTS], recall_depth[DEPTHS],
        mass_depth[DEPTHS];
};

static size_t windows_in(size_t n, size_t window) {
    return (n + window - 1) / window;
}

/* Keys that the needle lies among: a quarter, half, all of the window. */
static size_t keys_of(size_t slot, size_t n) {
    return n >> (CONTEXTS - 1 - slot / DEPTHS);
}

static int open_series(struct needle *nd, const char *unit, struct fq_error *err) {
    char name[40];
    FQ_TRY(fq_pass_series(nd->pass, "needle_recall", "1", "mean", unit, &nd->recall, err));
    FQ_TRY(fq_pass_series(nd->pass, "needle_mass", "1", "mean,median", unit, &nd->mass, err));
    FQ_TRY(fq_pass_series(nd->pass, "needle_rank", "1", "mean,max", unit, &nd->rank, err));
    FQ_TRY(fq_pass_series(nd->pass, "needle_full", "1", "mean", unit, &nd->full, err));
    for (size_t k = 0; k < CONTEXTS; k++) {
        snprintf(name, sizeof name, "needle_recall_context%zu", k);
        FQ_TRY(fq_pass_series(nd->pass, name, "1", "mean", unit, &nd->recall_context[k], err));
        snprintf(name, sizeof name, "needle_mass_context%zu", k);
        FQ_TRY(fq_pass_series(nd->pass, name, "1", "mean", unit, &nd->mass_context[k], err));
    }
    for (size_t k = 0; k < DEPTHS; k++) {
        snprintf(name, sizeof name, "needle_recall_depth%zu", k);
        FQ_TRY(fq_pass_series(nd->pass, name, "1", "mean", unit, &nd->recall_depth[k], err));
        snprintf(name, sizeof name, "needle_mass_depth%zu", k);
        FQ_TRY(fq_pass_series(nd->pass, name, "1", "mean", unit, &nd->mass_depth[k], err));
    }
    return FQ_OK;
}

int fq_needle_open(const struct measure_pass *pass, size_t room, size_t window, const char *unit, struct needle **out,
                   struct fq_error *err) {
    const size_t queries = windows_in(room, window) * GRID;
    struct needle *nd = calloc(1, sizeof *nd);
    *out = nd;
    if (nd != NULL) {
        nd->pass = pass;
        nd->room = room;
        nd->q = malloc(queries * pass->info->dim * sizeof *nd->q);
        nd->estimate = malloc(queries * room * sizeof *nd->estimate);
        nd->truth = malloc(room * sizeof *nd->truth);
        nd->at = malloc(queries * sizeof *nd->at);
    }
    if (nd == NULL || nd->q == NULL || nd->estimate == NULL || nd->truth == NULL || nd->at == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: %zu needles among %zu keys", queries, room);
    return open_series(nd, unit, err);
}

void fq_needle_free(struct needle *nd) {
    if (nd == NULL)
        return;
    free(nd->q);
    free(nd->estimate);
    free(nd->truth);
    free(nd->at);
    free(nd);
}

/* false: the needle is what all keys are, so no direction leads to it alone. */
static bool make_query(const struct needle *nd, uint64_t draw, size_t keys, size_t at, const float *x, float *q) {
    const size_t dim = nd->pass->info->dim;
    const uint64_t key = fq_stream_key("query", nd->pass->options->data_seed);
    double direction[FQ_MAX_DIM], noise[FQ_MAX_DIM], norm = 0.0, energy = 0.0;
    memset(direction, 0, dim * sizeof *direction);
    for (size_t i = 0; i < keys; i++)
        for (size_t j = 0; j < dim; j++)
            direction[j] -= (double)x[i * dim + j];
    for (size_t j = 0; j < dim; j++) {
        direction[j] = (double)x[at * dim + j] + direction[j] / (double)keys;
        norm += direction[j] * direction[j];
        energy += (double)x[at * dim + j] * (double)x[at * dim + j];
    }
    memset(q, 0, dim * sizeof *q);
    if (!(norm > 1e-12 * energy))
        return false;
    fq_random_gaussian(key, draw * FQ_MAX_DIM, dim, noise);
    for (size_t j = 0; j < dim; j++)
        q[j] = (float)(direction[j] / sqrt(norm) + noise[j] / sqrt((double)dim));
    return true;
}

/* log of the weight of all others over the needle's, for logits scale * t, and its derivative by the scale. */
static double others(const double *t, size_t n, size_t at, double scale, double *slope) {
    double largest = -INFINITY, sum = 0.0, weighted = 0.0; /* the largest adds 1: at least that */
    for (size_t i = 0; i < n; i++)
        if (i != at && t[i] > largest)
            largest = t[i];
    for (size_t i = 0; i < n; i++) {
        const double w = i == at ? 0.0 : exp(scale * (t[i] - largest));
        sum += w;
        weighted += w * (t[i] - t[at]);
    }
    *slope = weighted / fmax(sum, 1.0);
    return scale * (largest - t[at]) + log(fmax(sum, 1.0));
}

/* The scale at which the needle gets half: the log of the ratio is convex and falls, so Newton's steps from 0 never go
 * too far. Negative: full precision does not find the needle. */
static double half_scale(const double *t, size_t n, size_t at) {
    double scale = 0.0;
    for (size_t i = 0; i < n; i++)
        if (i != at && t[i] >= t[at])
            return -1.0;
    for (int step = 0; step < SOLVER_STEPS; step++) {
        double slope;
        const double f = others(t, n, at, scale, &slope);
        if (fabs(f) < 1e-9)
            break;
        scale -= f / slope;
    }
    return scale;
}

static int score_needle(struct needle *nd, size_t slot, size_t n, size_t at, double scale, const float *estimate,
                        size_t label_a, size_t label_b, struct fq_error *err) {
    double rest = 0.0, greater = 0.0, equal = 0.0;
    for (size_t i = 0; i < n; i++) {
        if (i == at)
            continue;
        rest += exp(scale * ((double)estimate[i] - (double)estimate[at]));
        greater += estimate[i] > estimate[at] ? 1.0 : 0.0;
        equal += estimate[i] > estimate[at] || estimate[i] < estimate[at] ? 0.0 : 1.0;
    }
    const double mass = 1.0 / (1.0 + rest), recall = greater > 0.0 ? 0.0 : 1.0 / (1.0 + equal);
    const size_t context = slot / DEPTHS, depth = slot % DEPTHS;
    const struct {
        size_t series;
        double value;
    } rows[] = {{nd->recall, recall},
                {nd->mass, mass},
                {nd->rank, 1.0 + greater + 0.5 * equal},
                {nd->recall_context[context], recall},
                {nd->mass_context[context], mass},
                {nd->recall_depth[depth], recall},
                {nd->mass_depth[depth], mass}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        FQ_TRY(fq_pass_push(nd->pass, rows[i].series, rows[i].value, 1.0, label_a, label_b, err));
    return FQ_OK;
}

/* One window: x[n], its queries and the estimates against the call's keys from `first` on. */
static int score_window(struct needle *nd, size_t window, size_t first, size_t n, size_t all, const float *x,
                        size_t label_a, size_t label_b, struct fq_error *err) {
    const size_t dim = nd->pass->info->dim;
    for (size_t slot = 0; slot < GRID; slot++) {
        const size_t query = window * GRID + slot, keys = keys_of(slot, n);
        if (nd->at[query] == SIZE_MAX)
            continue;
        for (size_t i = 0; i < keys; i++)
            nd->truth[i] = fq_dot(dim, nd->q + query * dim, x + i * dim);
        const double scale = half_scale(nd->truth, keys, nd->at[query]);
        FQ_TRY(fq_pass_push(nd->pass, nd->full, scale < 0.0 ? 0.0 : 1.0, 1.0, label_a, label_b + slot, err));
        if (scale >= 0.0)
            FQ_TRY(score_needle(nd, slot, keys, nd->at[query], scale, nd->estimate + query * all + first, label_a,
                                label_b + slot, err));
    }
    return FQ_OK;
}

int fq_needle_add(struct needle *nd, size_t n, size_t window, uint64_t draw, const float *x, const float *xhat,
                  bool own_labels, size_t label_a, size_t label_b, struct fq_error *err) {
    const size_t dim = nd->pass->info->dim, count = windows_in(n, window);
    for (size_t w = 0; w < count; w++)
        for (size_t slot = 0; slot < GRID; slot++) {
            const size_t first = w * window, here = n - first < window ? n - first : window;
            const size_t keys = keys_of(slot, here), query = w * GRID + slot;
            const size_t at = keys > 0 ? (slot % DEPTHS) * (keys - 1) / (DEPTHS - 1) : 0;
            nd->at[query] = at;
            if (keys < FEWEST_KEYS ||
                !make_query(nd, draw * GRID + query, keys, at, x + first * dim, nd->q + query * dim)) {
                memset(nd->q + query * dim, 0, dim * sizeof *nd->q);
                nd->at[query] = SIZE_MAX;
            }
        }
    FQ_TRY(fq_estimates(nd->pass->codec, n, xhat, count * GRID, nd->q, nd->estimate, err));
    for (size_t w = 0; w < count; w++) {
        const size_t first = w * window, here = n - first < window ? n - first : window;
        FQ_TRY(score_window(nd, w, first, here, n, x + first * dim, own_labels ? label_a + w : label_a,
                            own_labels ? 0 : label_b + w * GRID, err));
    }
    return FQ_OK;
}
