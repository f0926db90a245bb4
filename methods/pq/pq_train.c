/* Training of product quantization: for each place of a sub-vector k-means++ seeds (Arthur and Vassilvitskii 2007),
 * then Lloyd's iteration until no vector changes its entry or the rounds are used up. Sums run in double in index
 * order, so that the same vectors and the same stream give the same bytes. An entry that lost all its vectors takes
 * over the vector that is represented worst.
 *
 * The work space is promised before the number of training vectors is known: of more than most_training vectors an even
 * sample is taken. Kernels are in pq_ref.c; nothing here runs while vectors are coded. */
#include "methods/pq/pq.h"

#include <math.h>
#include <string.h>

struct work {
    double *distance; /* [most_training], to the entry that a vector belongs to */
    double *sum;      /* [levels][sub_dim] */
    size_t *count;    /* [levels] */
    float *y;         /* [most_training][work_dim]: rotated, normalised */
    uint8_t *entry;   /* [most_training] */
};

size_t pq_train_scratch(const struct pq_layout *l) {
    return l->most_training * (sizeof(double) + l->work_dim * sizeof(float) + 1) +
           l->levels * (l->sub_dim * sizeof(double) + sizeof(size_t)) + l->work_dim * sizeof(float);
}

static struct work work_in(const struct pq_layout *l, void *scratch) {
    struct work w = {.distance = scratch};
    w.sum = w.distance + l->most_training;
    void *counts = w.sum + l->levels * l->sub_dim;
    w.count = counts;
    void *vectors = w.count + l->levels;
    w.y = vectors;
    w.entry = (uint8_t *)(w.y + l->most_training * l->work_dim);
    return w;
}

double pq_normalise(const struct pq_layout *l, float *y) {
    if (l->norm == PQ_NORM_NONE)
        return 1;
    double square = 0;
    for (size_t i = 0; i < l->work_dim; i++)
        square += (double)y[i] * (double)y[i];
    const double norm = sqrt(square / (double)l->work_dim), inverse = norm > 0 ? 1 / norm : 0;
    for (size_t i = 0; i < l->work_dim; i++)
        y[i] = (float)((double)y[i] * inverse);
    return norm;
}

static double squared_distance(size_t n, const float *a, const float *b) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double e = (double)a[i] - (double)b[i];
        sum += e * e;
    }
    return sum;
}

/* One codebook and the sub-vectors that it is fitted to. */
struct fit {
    const struct pq_layout *l;
    const struct work *w;
    size_t n;
    const float *y;  /* sub-vector v is at y + v * work_dim */
    float *codebook; /* [levels][sub_dim] */
};

static const float *vector_of(const struct fit *f, size_t v) {
    return f->y + v * f->l->work_dim;
}

static void place(const struct fit *f, size_t entry, size_t v) {
    memcpy(f->codebook + entry * f->l->sub_dim, vector_of(f, v), f->l->sub_dim * sizeof(float));
}

/* The vector at which the running sum of distances passes u times their total; the last one that has a distance if
 * rounding keeps it from being passed, and the first one if all distances are zero. */
static size_t drawn(const struct fit *f, double u) {
    double total = 0, running = 0;
    size_t chosen = 0;
    for (size_t v = 0; v < f->n; v++)
        total += f->w->distance[v];
    for (size_t v = 0; v < f->n && running <= u * total; v++)
        if (f->w->distance[v] > 0) {
            running += f->w->distance[v];
            chosen = v;
        }
    return chosen;
}

static void seed(const struct fit *f, const struct fq_streams *streams, uint64_t first) {
    for (size_t v = 0; v < f->n; v++)
        f->w->distance[v] = 1;
    for (size_t k = 0; k < f->l->levels; k++) {
        double u;
        streams->uniform(streams->training, first + k, 1, &u);
        place(f, k, drawn(f, u));
        for (size_t v = 0; v < f->n; v++) {
            const double d = squared_distance(f->l->sub_dim, vector_of(f, v), f->codebook + k * f->l->sub_dim);
            f->w->distance[v] = k == 0 ? d : fmin(d, f->w->distance[v]);
        }
    }
}

/* Every vector to its nearest entry, the lower of two; returns how many changed. */
static size_t assign(const struct fit *f) {
    size_t changed = 0;
    for (size_t v = 0; v < f->n; v++) {
        size_t best = 0;
        double least = INFINITY;
        for (size_t k = 0; k < f->l->levels; k++) {
            const double d = squared_distance(f->l->sub_dim, vector_of(f, v), f->codebook + k * f->l->sub_dim);
            if (d < least) {
                least = d;
                best = k;
            }
        }
        changed += f->w->entry[v] != best;
        f->w->entry[v] = (uint8_t)best;
        f->w->distance[v] = least;
    }
    return changed;
}

static void fill_empty(const struct fit *f, size_t k) {
    size_t worst = 0;
    for (size_t v = 1; v < f->n; v++)
        if (f->w->distance[v] > f->w->distance[worst])
            worst = v;
    place(f, k, worst);
    f->w->distance[worst] = 0;
}

static void move_to_means(const struct fit *f) {
    const size_t ds = f->l->sub_dim;
    memset(f->w->sum, 0, f->l->levels * ds * sizeof *f->w->sum);
    memset(f->w->count, 0, f->l->levels * sizeof *f->w->count);
    for (size_t v = 0; v < f->n; v++) {
        f->w->count[f->w->entry[v]]++;
        for (size_t i = 0; i < ds; i++)
            f->w->sum[f->w->entry[v] * ds + i] += (double)vector_of(f, v)[i];
    }
    for (size_t k = 0; k < f->l->levels; k++) {
        if (f->w->count[k] == 0)
            fill_empty(f, k);
        for (size_t i = 0; f->w->count[k] > 0 && i < ds; i++)
            f->codebook[k * ds + i] = (float)(f->w->sum[k * ds + i] / (double)f->w->count[k]);
    }
}

void pq_train(const struct pq_layout *l, const struct fq_streams *streams, size_t n, const float *x, void *shared,
              void *scratch) {
    const struct work w = work_in(l, scratch);
    const size_t taken = n < l->most_training ? n : l->most_training;
    void *behind = (uint8_t *)shared + l->rotation_bytes;
    float *codebook = behind;
    for (size_t i = 0; i < taken; i++) {
        fq_rotation_apply(l->rotation, l->rounds, l->dim, shared, 1, x + i * n / taken * l->dim, w.y + i * l->work_dim);
        pq_normalise(l, w.y + i * l->work_dim);
    }
    for (size_t m = 0; m < l->subs; m++) {
        const struct fit f = {
            .l = l, .w = &w, .n = taken, .y = w.y + m * l->sub_dim, .codebook = codebook + m * l->levels * l->sub_dim};
        seed(&f, streams, m * l->levels);
        memset(w.entry, 0, taken);
        for (int i = 0; i < l->iterations; i++) {
            if (assign(&f) == 0 && i > 0)
                break;
            move_to_means(&f);
        }
    }
}
