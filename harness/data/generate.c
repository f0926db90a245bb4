/* Generated vectors: the cases for which theory predicts an answer, and those that break a quantizer.
 *
 * Vector i is a pure function of (kind, dim, seed, i), so any slice can be produced on its own and nothing is kept.
 * Base vectors come from the stream "data", queries from the stream "query"; rotations and sketches have streams of
 * their own, because a data generator shared with a rotation once decided a published comparison.
 *
 * Queries follow the law of the base vectors, except for one-hot, few-sparse and constant, whose queries are Gaussian:
 * two one-hot vectors are nearly always orthogonal, and a constant query would measure one direction only. */
#include "harness/base/random.h"
#include "harness/data/dataset_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES = 1000, CLUSTERS = 64, SPARSE = 3, OUTLIERS = 4, SHARED_AT = 62 };

enum kind { SPHERE, GAUSSIAN, LOGNORMAL, ONE_HOT, FEW_SPARSE, CONSTANT, OUTLIER_CHANNELS, CLUSTERED, KINDS };
static const char *const kind_names[KINDS + 1] = {"sphere",   "gaussian", "lognormal", "one-hot", "few-sparse",
                                                  "constant", "outliers", "clustered", NULL};

struct generated {
    enum kind kind;
    size_t dim;
    uint64_t data_key, query_key;
    size_t outlier[OUTLIERS], n_outliers; /* channels, the same for all vectors */
    double *centres;                      /* clustered: [CLUSTERS][dim] */
    double *work;                         /* one vector */
};

const char *const *fq_generator_names(void) {
    return kind_names;
}

/* Each vector owns 2 dim numbers of its stream; what all vectors share lies far above them. */
static uint64_t first_of(const struct generated *g, size_t vector) {
    return 2 * (uint64_t)vector * g->dim;
}
static const uint64_t shared_first = (uint64_t)1 << SHARED_AT;

/* `count` different channels out of dim, in the order drawn, from uniform numbers u[count]. */
static void draw_channels(size_t dim, size_t count, const double *u, size_t *channel) {
    for (size_t k = 0; k < count; k++) {
        size_t c = (size_t)(u[k] * (double)(dim - k)); /* rank among the channels not yet drawn */
        /* Step over the drawn ones in ascending order. */
        size_t sorted[SPARSE > OUTLIERS ? SPARSE : OUTLIERS];
        for (size_t i = 0; i < k; i++) {
            size_t j = i;
            for (; j > 0 && sorted[j - 1] > channel[i]; j--)
                sorted[j] = sorted[j - 1];
            sorted[j] = channel[i];
        }
        for (size_t i = 0; i < k; i++)
            c += c >= sorted[i];
        channel[k] = c;
    }
}

static void make_sparse(const struct generated *g, uint64_t key, uint64_t first, size_t count, double *x) {
    size_t channel[SPARSE], n = count < g->dim ? count : g->dim;
    double place[SPARSE], value[SPARSE];
    fq_random_uniform(key, first, n, place);
    fq_random_gaussian(key, first + g->dim, n, value);
    draw_channels(g->dim, n, place, channel);
    memset(x, 0, g->dim * sizeof *x);
    for (size_t k = 0; k < n; k++)
        x[channel[k]] = g->kind == ONE_HOT ? (value[k] < 0.0 ? -1.0 : 1.0) : value[k];
}

static void make_vector(const struct generated *g, int is_query, size_t vector, double *x) {
    uint64_t key = is_query ? g->query_key : g->data_key, first = first_of(g, vector);
    int isotropic = is_query && (g->kind == ONE_HOT || g->kind == FEW_SPARSE || g->kind == CONSTANT);
    size_t d = g->dim;
    if (!isotropic && (g->kind == ONE_HOT || g->kind == FEW_SPARSE)) {
        make_sparse(g, key, first, g->kind == ONE_HOT ? 1 : SPARSE, x);
        return;
    }
    fq_random_gaussian(key, first, d, x);
    if (isotropic || g->kind == GAUSSIAN)
        return;
    double square = 0.0, u = 0.0;
    switch (g->kind) {
    case SPHERE:
        for (size_t c = 0; c < d; c++)
            square += x[c] * x[c];
        for (size_t c = 0; c < d; c++)
            x[c] /= sqrt(square);
        break;
    case LOGNORMAL:
        for (size_t c = 0; c < d; c++)
            x[c] = exp(x[c]);
        break;
    case CONSTANT:
        for (size_t c = 0; c < d; c++)
            x[c] = 1.0 + 0.05 * x[c];
        break;
    case OUTLIER_CHANNELS:
        for (size_t k = 0; k < g->n_outliers; k++)
            x[g->outlier[k]] *= 30.0;
        break;
    case CLUSTERED:
        fq_random_uniform(key, first + d, 1, &u);
        for (size_t c = 0; c < d; c++)
            x[c] = g->centres[(size_t)(u * CLUSTERS) * d + c] + 0.3 * x[c];
        break;
    default:
        break;
    }
}

static int generated_rows(void *state, enum fq_matrix which, size_t layer, size_t head, size_t first, size_t n,
                          float *out, struct fq_error *err) {
    (void)layer;
    (void)head;
    (void)err;
    struct generated *g = state;
    for (size_t i = 0; i < n; i++) {
        make_vector(g, which == FQ_MATRIX_QUERY, first + i, g->work);
        for (size_t c = 0; c < g->dim; c++)
            out[i * g->dim + c] = (float)g->work[c];
    }
    return FQ_OK;
}

static void generated_close(void *state) {
    struct generated *g = state;
    free(g->centres);
    free(g->work);
    free(g);
}

static const struct fq_source generated_source = {.rows = generated_rows, .close = generated_close};

static int prepare(struct generated *g, struct fq_error *err) {
    g->work = malloc(g->dim * sizeof *g->work);
    if (g->kind == CLUSTERED)
        g->centres = malloc(CLUSTERS * g->dim * sizeof *g->centres);
    if (g->work == NULL || (g->kind == CLUSTERED && g->centres == NULL))
        return fq_fail(err, FQ_USAGE, "out of memory for generated vectors of length %zu", g->dim);
    if (g->kind == CLUSTERED)
        fq_random_gaussian(g->data_key, shared_first, CLUSTERS * g->dim, g->centres);
    double place[OUTLIERS];
    g->n_outliers = g->dim < OUTLIERS ? g->dim : OUTLIERS;
    fq_random_uniform(g->data_key, shared_first, g->n_outliers, place);
    draw_channels(g->dim, g->n_outliers, place, g->outlier);
    return FQ_OK;
}

/* Hash of all base vectors, then all queries, as float32: two machines whose log() differs in the last bit are told
 * apart. */
static int hash_content(struct generated *g, const struct fq_dataset_info *info, char hex[FQ_SHA256_HEX],
                        struct fq_error *err) {
    enum { SLICE = 64 };
    float *rows = malloc(SLICE * g->dim * sizeof *rows);
    if (rows == NULL)
        return fq_fail(err, FQ_USAGE, "out of memory for generated vectors of length %zu", g->dim);
    struct fq_sha256_stream *stream = fq_sha256_open();
    for (int query = 0; query < 2; query++) {
        size_t total = query ? info->n_queries : info->n;
        for (size_t first = 0; first < total; first += SLICE) {
            size_t n = total - first < SLICE ? total - first : SLICE;
            (void)generated_rows(g, query ? FQ_MATRIX_QUERY : FQ_MATRIX_KEY, 0, 0, first, n, rows, err);
            fq_sha256_add(stream, rows, n * g->dim * sizeof *rows);
        }
    }
    fq_sha256_close(stream, hex);
    free(rows);
    return FQ_OK;
}

static int parse_kind(const char *name, enum kind *out, struct fq_error *err) {
    for (int i = 0; i < KINDS; i++)
        if (strcmp(name, kind_names[i]) == 0) {
            *out = (enum kind)i;
            return FQ_OK;
        }
    return fq_fail(err, FQ_USAGE,
                   "unknown generator '%s': choose one of sphere, gaussian, lognormal, one-hot, few-sparse, constant, "
                   "outliers, clustered",
                   name);
}

int fq_dataset_generate(const char *kind, size_t n, size_t dim, uint64_t seed, struct fq_dataset **out,
                        struct fq_error *err) {
    *out = NULL;
    enum kind parsed = SPHERE;
    FQ_TRY(parse_kind(kind, &parsed, err));
    if (dim == 0 || dim > FQ_MAX_DIM)
        return fq_fail(err, FQ_USAGE, "generate %s: dim %zu; expected 1 to %d", kind, dim, FQ_MAX_DIM);
    if (n == 0 || n > (size_t)1 << 40)
        return fq_fail(err, FQ_USAGE, "generate %s: %zu vectors; expected 1 to 2^40", kind, n);
    struct fq_dataset *set = calloc(1, sizeof *set);
    struct generated *g = calloc(1, sizeof *g);
    if (set == NULL || g == NULL) {
        free(set);
        free(g);
        return fq_fail(err, FQ_USAGE, "out of memory for generated vectors");
    }
    *g = (struct generated){
        .kind = parsed, .dim = dim, .data_key = fq_stream_key("data", seed), .query_key = fq_stream_key("query", seed)};
    set->source = &generated_source;
    set->state = g;
    struct fq_dataset_info *info = &set->info;
    (void)snprintf(info->name, sizeof info->name, "%s", kind);
    (void)snprintf(info->source, sizeof info->source, "generated, seed %llu", (unsigned long long)seed);
    (void)snprintf(set->path, sizeof set->path, "generated %s", kind);
    info->kind = FQ_DATA_GENERATED;
    info->layers = info->kv_heads = info->heads = 1;
    info->dim = dim;
    info->n = info->context = n;
    info->n_queries = QUERIES;
    info->has_query = true;
    int code = prepare(g, err);
    if (code == 0)
        code = hash_content(g, info, info->sha256, err);
    if (code != 0) {
        fq_dataset_close(set);
        return code;
    }
    *out = set;
    return FQ_OK;
}
