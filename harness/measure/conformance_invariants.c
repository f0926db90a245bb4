/* What must hold for every method, whatever it computes: the contract's promises and the worst inputs.
 *
 * A case is one parameter set at one dimension: the defaults at five dimensions (two of them no power of two, one no
 * multiple of 32), and every parameter set that the gates name, at their dimension. All invariants run on each case,
 * but those that start a process: a large batch on the first case alone, the hardest vectors on the defaults, at
 * dimensions that fit nothing as well. One line is printed for each invariant, naming the first case that broke it. */
#include "harness/measure/conformance_internal.h"

#include "harness/base/cpu.h"
#include "harness/base/random.h"
#include "harness/measure/catalog.h"
#include "harness/measure/codec.h"
#include "harness/measure/probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEWEST_VECTORS = 8, FEWEST_GROUPS = 3, NOTE = 400 };

struct subject {
    const struct fq_method *method;
    struct fq_codec_config config;
    struct fq_codec *codec;
    size_t n, dim, total; /* total = n dim */
    float *x, *z, *y;     /* unit vectors; the batch under test; what came back */
    double usual;         /* relative error of x */
    bool quick;
};

/* What one invariant said of one case. */
enum verdict { HOLDS, BROKEN, NOT_APPLICABLE };

static enum verdict broken(char *note, const char *why) {
    snprintf(note, NOTE, "%.390s", why);
    return BROKEN;
}

/* What learns is fitted to the batch under test: a codebook that was learnt from unit vectors promises nothing at norm
 * 8192, one that was learnt there does. */
static int round_trip(struct subject *s, struct fq_error *err) {
    if (fq_codec_learns(s->codec))
        FQ_TRY(fq_codec_train(s->codec, s->n, s->z, "the batch under test", err));
    FQ_TRY(fq_codec_encode(s->codec, s->n, s->z, err));
    return fq_codec_has(s->codec, FQ_STAGE_DECODE) ? fq_codec_decode(s->codec, s->y, err) : FQ_OK;
}

static double relative_error(const struct subject *s) {
    double error = 0.0, energy = 0.0;
    for (size_t i = 0; i < s->total; i++) {
        const double e = (double)s->z[i] - (double)s->y[i];
        error += e * e;
        energy += (double)s->z[i] * (double)s->z[i];
    }
    return error / energy;
}

static void scaled_batch(const struct subject *s, float scale) {
    for (size_t i = 0; i < s->total; i++)
        s->z[i] = scale * s->x[i];
}

/* ---- promises ----------------------------------------------------------------------------------------------------*/

/* Twice in one batch, then group by group: the same bytes. Records are poisoned between, so a byte that is promised and
 * not written is found by the codes-only probe, and a batch that leaks into another here. */
static enum verdict deterministic(struct subject *s, char *note) {
    struct fq_error err = {0};
    const struct fq_footprint *f = fq_codec_footprint(s->codec);
    size_t bytes = 0;
    scaled_batch(s, 1.0F);
    if (fq_codec_encode(s->codec, s->n, s->z, &err) != FQ_OK)
        return broken(note, err.text);
    const uint8_t *records = fq_codec_records(s->codec, &bytes);
    uint8_t *first = malloc(bytes + 1);
    if (first == NULL)
        return broken(note, "out of memory");
    memcpy(first, records, bytes);
    enum verdict verdict = HOLDS;
    if (fq_codec_encode(s->codec, s->n, s->z, &err) != FQ_OK)
        verdict = broken(note, err.text);
    else if (memcmp(first, fq_codec_records(s->codec, &bytes), bytes) != 0)
        verdict = broken(note, "the same batch gave other bytes the second time");
    for (size_t i = 0; verdict == HOLDS && i < s->n / f->granularity; i++) {
        size_t one = 0;
        if (fq_codec_encode(s->codec, f->granularity, s->z + i * f->granularity * s->dim, &err) != FQ_OK)
            verdict = broken(note, err.text);
        else if (memcmp(first + i * f->record_bytes, fq_codec_records(s->codec, &one), f->record_bytes) != 0)
            verdict = broken(note, "a group encoded alone gave other bytes than in a batch");
    }
    free(first);
    return verdict;
}

static enum verdict keeps_promises(struct subject *s, char *note) {
    struct fq_error err = {0};
    struct fq_bytes bytes;
    scaled_batch(s, 1.0F);
    if (round_trip(s, &err) != FQ_OK)
        return broken(note, err.text);
    fq_codec_bytes(s->codec, &bytes);
    if (fq_codec_complaint(s->codec)[0] != '\0')
        return broken(note, fq_codec_complaint(s->codec));
    if (bytes.record_bytes + bytes.tail_bytes != bytes.promised_bytes)
        return broken(note, "bytes written differ from bytes promised");
    const struct fq_footprint again = s->method->footprint(&s->config.params, &s->config.shape);
    const struct fq_footprint *f = fq_codec_footprint(s->codec);
    if (again.granularity != f->granularity || again.record_bytes != f->record_bytes ||
        again.side_bytes != f->side_bytes || again.work_dim != f->work_dim ||
        again.prepared_bytes != f->prepared_bytes || again.shared_bytes != f->shared_bytes ||
        again.scratch_bytes != f->scratch_bytes)
        return broken(note, "the footprint changes from call to call");
    return HOLDS;
}

static enum verdict codes_only(struct subject *s, char *note) {
    struct fq_error err = {0};
    char sentence[FQ_PROBE_SENTENCE];
    if (fq_codec_probe_codes_only(s->codec, s->n, s->x, sentence, &err) != FQ_OK)
        return broken(note, err.text);
    return sentence[0] == '\0' ? HOLDS : broken(note, sentence);
}

/* A batch as large as the gates measure, so that a method which is honest in small ones gains nothing. Repeated vectors
 * are as good as others: each is encoded for itself, or with the others of its group. */
static enum verdict fresh_process(struct subject *s, char *note) {
    struct fq_error err = {0};
    char sentence[FQ_PROBE_SENTENCE] = "";
    const size_t n = fq_gate_vectors(s->quick, fq_codec_footprint(s->codec)->granularity);
    float *x = malloc(n * s->dim * sizeof *x), *y = malloc(n * s->dim * sizeof *y),
          *scores = malloc(n * sizeof *scores);
    int code = x != NULL && y != NULL && scores != NULL ? FQ_OK : fq_fail(&err, FQ_FAILED, "out of memory");
    for (size_t i = 0; code == FQ_OK && i < n * s->dim; i++)
        x[i] = (i / s->total % 2 == 0 ? 1.0F : -0.5F) * s->x[i % s->total];
    if (code == FQ_OK)
        code = fq_codec_probe_codes_only(s->codec, n, x, sentence, &err);
    if (code == FQ_OK && sentence[0] == '\0') {
        code = fq_witness_begin(s->codec, 0, &err);
        if (code == FQ_OK)
            code = fq_codec_encode(s->codec, n, x, &err);
        if (code == FQ_OK && fq_codec_has(s->codec, FQ_STAGE_DECODE))
            code = fq_codec_decode(s->codec, y, &err);
        if (code == FQ_OK && fq_codec_has(s->codec, FQ_STAGE_SCORE))
            code = fq_codec_scores(s->codec, 1, x, scores, &err);
        if (code == FQ_OK)
            code = fq_witness_end(s->codec, NULL, 0, sentence, &err);
    }
    free(x);
    free(y);
    free(scores);
    if (code != FQ_OK)
        return broken(note, err.text);
    return sentence[0] == '\0' ? HOLDS : broken(note, sentence);
}

/* The vectors that break quantizers, whatever the shape: zero, one-hot, constant, alternating, two that are sparse,
 * every magnitude in one vector; of norm 1, 2^-12 and 2^6. */
static void hard_batch(const struct subject *s) {
    static const float norms[] = {1.0F, 0x1p-12F, 0x1p6F};
    memset(s->z, 0, s->total * sizeof *s->z);
    for (size_t v = 0; v < s->n; v++) {
        float *row = s->z + v * s->dim;
        const float norm = norms[v / 6 % 3];
        for (size_t i = 0; i < s->dim; i++) {
            const float kinds[] = {0.0F,
                                   i == 5 * v % s->dim ? -norm : 0.0F,
                                   norm / sqrtf((float)s->dim),
                                   (i % 2 == 0 ? norm : -norm) / sqrtf((float)s->dim),
                                   i % 29 == 5 ? norm * ((float)(i % 7) - 3.0F) : 0.0F,
                                   ldexpf(i % 3 == 0 ? -norm : norm, -(int)(i % 24))};
            row[i] = kinds[v % 6];
        }
    }
}

static enum verdict fresh_process_hard(struct subject *s, char *note) {
    struct fq_error err = {0};
    char sentence[FQ_PROBE_SENTENCE] = "";
    hard_batch(s);
    if (fq_codec_learns(s->codec) && fq_codec_train(s->codec, s->n, s->z, "the batch under test", &err) != FQ_OK)
        return broken(note, err.text);
    if (fq_probe_fresh_process(s->codec, s->n, s->z, sentence, &err) != FQ_OK)
        return broken(note, err.text);
    return sentence[0] == '\0' ? HOLDS : broken(note, sentence);
}

/* ---- worst inputs -------------------------------------------------------------------------------------------------*/

static enum verdict zero_vectors(struct subject *s, char *note) {
    struct fq_error err = {0};
    if (!fq_codec_has(s->codec, FQ_STAGE_DECODE))
        return NOT_APPLICABLE;
    memset(s->z, 0, s->total * sizeof *s->z);
    if (round_trip(s, &err) != FQ_OK)
        return broken(note, err.text);
    for (size_t i = 0; i < s->total; i++)
        if (s->y[i] < 0.0F || s->y[i] > 0.0F)
            return broken(note, "a zero vector does not decode to zero");
    return HOLDS;
}

/* One-hot at each place, constant, and constant of alternating sign: where a rotation without randomness fails. No
 * bound is set on the error, theory allows much; it must be finite (fq_codec_decode looks). */
static enum verdict spiky_vectors(struct subject *s, char *note) {
    struct fq_error err = {0};
    memset(s->z, 0, s->total * sizeof *s->z);
    for (size_t i = 0; i < s->n; i++)
        s->z[i * s->dim + (i * 7) % s->dim] = i % 2 == 0 ? 1.0F : -3.0F;
    if (round_trip(s, &err) != FQ_OK)
        return broken(note, err.text);
    for (size_t i = 0; i < s->total; i++)
        s->z[i] = (i / s->dim) % 2 == 0 ? 0.7F : (i % 2 == 0 ? 0.7F : -0.7F);
    return round_trip(s, &err) == FQ_OK ? HOLDS : broken(note, err.text);
}

/* A power of two, so that formats whose scales are powers of two see the same mantissas. */
static enum verdict huge_norms(struct subject *s, char *note) {
    struct fq_error err = {0};
    char why[NOTE];
    if (!fq_codec_has(s->codec, FQ_STAGE_DECODE))
        return NOT_APPLICABLE;
    scaled_batch(s, 8192.0F);
    if (round_trip(s, &err) != FQ_OK) /* a format of small range says so and names the vector; clipping breaks this */
        return strstr(err.text, "has no representation") != NULL ? HOLDS : broken(note, err.text);
    const double error = relative_error(s);
    if (error <= 1.05 * s->usual + 1e-6)
        return HOLDS;
    snprintf(why, sizeof why, "relative error %.3g at norm 8192, %.3g at norm 1", error, s->usual);
    return broken(note, why);
}

/* Float16 scalars cannot resolve such vectors: a scale may round to zero or to twice its value, and min/max codes
 * multiply that by their range. What comes back must still be tiny. */
static enum verdict tiny_norms(struct subject *s, char *note) {
    struct fq_error err = {0};
    if (!fq_codec_has(s->codec, FQ_STAGE_DECODE))
        return NOT_APPLICABLE;
    scaled_batch(s, 1e-6F);
    if (round_trip(s, &err) != FQ_OK)
        return broken(note, err.text);
    for (size_t i = 0; i < s->total; i++)
        if (!(fabsf(s->y[i]) < 1e-5F))
            return broken(note, "norm 1e-6 decodes to a coordinate above 1e-5");
    return HOLDS;
}

/* 1e30 squared overflows float32: refuse by name, or get it right. */
static enum verdict overflow(struct subject *s, char *note) {
    struct fq_error err = {0};
    const size_t at = 2, g = fq_codec_footprint(s->codec)->granularity;
    scaled_batch(s, 1.0F);
    for (size_t j = 0; j < s->dim; j++)
        s->z[at * s->dim + j] *= 1e30F;
    if (fq_codec_encode(s->codec, s->n, s->z, &err) != FQ_OK) {
        char named[64];
        if (g == 1)
            snprintf(named, sizeof named, "vector %zu ", at);
        else
            snprintf(named, sizeof named, "vectors %zu to %zu", at / g * g, at / g * g + g - 1);
        return strstr(err.text, named) != NULL ? HOLDS : broken(note, err.text);
    }
    if (!fq_codec_has(s->codec, FQ_STAGE_DECODE))
        return HOLDS;
    if (fq_codec_decode(s->codec, s->y, &err) != FQ_OK)
        return broken(note, err.text);
    return relative_error(s) <= 1.05 + 2.0 * s->usual ? HOLDS : broken(note, "norm 1e30 decodes to garbage");
}

static enum verdict not_finite(struct subject *s, char *note) {
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const size_t vector = s->n - 1, coordinate = s->dim / 2;
    char named[64];
    snprintf(named, sizeof named, "vector %zu, coordinate %zu", vector, coordinate);
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        struct fq_error err = {0};
        scaled_batch(s, 1.0F);
        s->z[vector * s->dim + coordinate] = bad[k];
        if (fq_codec_encode(s->codec, s->n, s->z, &err) == FQ_OK)
            return broken(note, "a value that is not finite was encoded");
        if (strstr(err.text, named) == NULL)
            return broken(note, err.text);
    }
    return HOLDS;
}

/* ---- agreement between stages and backends
 * --------------------------------------------------------------------------*/

static enum verdict score_is_decode(struct subject *s, char *note) {
    struct fq_error err = {0};
    if (!fq_codec_has(s->codec, FQ_STAGE_DECODE) || !fq_codec_has(s->codec, FQ_STAGE_SCORE))
        return NOT_APPLICABLE;
    if (s->method->quantizes_query != NULL && s->method->quantizes_query(&s->config.params))
        return NOT_APPLICABLE;
    scaled_batch(s, 1.0F);
    if (round_trip(s, &err) != FQ_OK)
        return broken(note, err.text);
    enum verdict verdict = HOLDS;
    float *scores = malloc(s->n * s->n * sizeof *scores);
    if (scores == NULL)
        return broken(note, "out of memory");
    if (fq_codec_scores(s->codec, s->n, s->x, scores, &err) != FQ_OK)
        verdict = broken(note, err.text);
    for (size_t i = 0; verdict == HOLDS && i < s->n * s->n; i++) {
        const float *q = s->x + i / s->n * s->dim, *y = s->y + i % s->n * s->dim;
        double sum = 0.0, length = 0.0;
        for (size_t j = 0; j < s->dim; j++) {
            sum += (double)q[j] * (double)y[j];
            length += (double)y[j] * (double)y[j];
        }
        if (fabs((double)scores[i] - sum) > 1e-4 * sqrt(length)) { /* the queries are unit vectors */
            char why[NOTE];
            snprintf(why, sizeof why, "query %zu, vector %zu: score %.6g, <q, decode> %.6g", i / s->n, i % s->n,
                     (double)scores[i], sum);
            verdict = broken(note, why);
        }
    }
    free(scores);
    return verdict;
}

static enum verdict attend_is_decode(struct subject *s, char *note) {
    struct fq_error err = {0};
    const struct fq_kernels *k = s->method->kernels[s->config.backend];
    if (k->attend == NULL || k->decode == NULL)
        return NOT_APPLICABLE;
    scaled_batch(s, 1.0F);
    if (round_trip(s, &err) != FQ_OK)
        return broken(note, err.text);
    float out[FQ_MAX_DIM], *weights = malloc(s->n * sizeof *weights);
    if (weights == NULL)
        return broken(note, "out of memory");
    for (size_t i = 0; i < s->n; i++)
        weights[i] = 1.0F / (float)(i + 1);
    enum verdict verdict = HOLDS;
    if (fq_codec_attend(s->codec, weights, out, &err) != FQ_OK)
        verdict = broken(note, err.text);
    for (size_t j = 0; verdict == HOLDS && j < s->dim; j++) {
        double sum = 0.0, size = 0.0;
        for (size_t i = 0; i < s->n; i++) {
            sum += (double)weights[i] * (double)s->y[i * s->dim + j];
            size += (double)weights[i] * fabs((double)s->y[i * s->dim + j]);
        }
        if (fabs((double)out[j] - sum) > 1e-4 * size + 1e-9)
            verdict = broken(note, "attend differs from the weighted sum of decoded vectors");
    }
    free(weights);
    return verdict;
}

static enum verdict same_codes_on_backend(struct subject *s, enum fq_backend backend, char *note) {
    struct fq_codec_config config = s->config;
    struct fq_codec *other = NULL;
    struct fq_error err = {0};
    size_t bytes = 0, other_bytes = 0;
    config.backend = backend;
    if (fq_codec_open(&config, &other, &err) != FQ_OK)
        return broken(note, err.text);
    enum verdict verdict = HOLDS;
    char why[NOTE];
    if (fq_codec_learns(s->codec) && fq_codec_train(s->codec, s->n, s->x, "as the other", &err) != FQ_OK)
        verdict = broken(note, err.text);
    else if (fq_codec_encode(s->codec, s->n, s->z, &err) != FQ_OK ||
             fq_codec_encode(other, s->n, s->z, &err) != FQ_OK) {
        verdict = broken(note, err.text);
    } else {
        const uint8_t *a = fq_codec_records(s->codec, &bytes), *b = fq_codec_records(other, &other_bytes);
        size_t at = 0;
        while (at < bytes && a[at] == b[at])
            at++;
        if (at < bytes) {
            snprintf(why, sizeof why, "%s and %s differ at byte %zu of %zu", fq_backend_name(s->config.backend),
                     fq_backend_name(backend), at, bytes);
            verdict = broken(note, why);
        }
    }
    fq_codec_close(other);
    return verdict;
}

static enum verdict backends_agree(struct subject *s, char *note) {
    enum verdict verdict = NOT_APPLICABLE;
    scaled_batch(s, 1.0F);
    for (int b = 0; b < FQ_BACKENDS && verdict != BROKEN; b++)
        if (b != (int)s->config.backend && s->method->kernels[b] != NULL && fq_cpu_has((enum fq_backend)b))
            verdict = same_codes_on_backend(s, (enum fq_backend)b, note);
    return verdict;
}

/* ---- cases --------------------------------------------------------------------------------------------------------*/

enum cases { EVERY, FIRST, DEFAULTS_AND_EDGES };
static const struct invariant {
    const char *what, *absent; /* absent: why it may apply to no case */
    enum verdict (*check)(struct subject *s, char *note);
    enum cases on;
    bool starts_process;
} invariants[] = {
    {"the same vectors give the same bytes, in any batch", "", deterministic, EVERY, false},
    {"bytes written = bytes promised; canaries and shared state intact", "", keeps_promises, EVERY, false},
    {"codes are the only channel (moved, replaced, scratch refilled)", "", codes_only, EVERY, false},
    {"a batch as large as a gate's decodes alike in a fresh process", "not asked for", fresh_process, FIRST, true},
    {"the hardest vectors at odd shapes decode alike in a fresh process", "not asked for", fresh_process_hard,
     DEFAULTS_AND_EDGES, true},
    {"zero vectors decode to zero", "no decode stage", zero_vectors, EVERY, false},
    {"one-hot and constant vectors stay finite", "", spiky_vectors, EVERY, false},
    {"norm 8192: same relative error, or refused by vector", "no decode stage", huge_norms, EVERY, false},
    {"norm 1e-6: every coordinate below 1e-5", "no decode stage", tiny_norms, EVERY, false},
    {"norm 1e30: right, or refused by vector", "", overflow, EVERY, false},
    {"NaN and Inf refused by vector and coordinate", "", not_finite, EVERY, false},
    {"score = <q, decode> within 1e-4", "score or decode absent, or the query quantized", score_is_decode, EVERY,
     false},
    {"attend = weighted sum of decoded within 1e-4", "no attend kernel of its own", attend_is_decode, EVERY, false},
    {"all backends write the same codes", "one backend here", backends_agree, EVERY, false},
};
enum { INVARIANTS = sizeof invariants / sizeof invariants[0] };

struct tally {
    size_t held[INVARIANTS], tried[INVARIANTS];
    bool failed[INVARIANTS];
    char note[INVARIANTS][NOTE];
    size_t cases;
};

static int subject_open(struct subject *s, struct fq_error *err) {
    const struct fq_footprint f = s->method->footprint(&s->config.params, &s->config.shape);
    const size_t g = f.granularity > 0 ? f.granularity : 1;
    s->n = g * FEWEST_GROUPS > FEWEST_VECTORS ? g * FEWEST_GROUPS : (FEWEST_VECTORS + g - 1) / g * g;
    s->total = s->n * s->dim;
    s->x = malloc(s->total * sizeof *s->x);
    s->z = malloc(s->total * sizeof *s->z);
    s->y = calloc(s->total, sizeof *s->y);
    if (s->x == NULL || s->z == NULL || s->y == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory");
    for (size_t i = 0; i < s->n; i++) {
        double v[FQ_MAX_DIM], sum = 0.0;
        fq_random_gaussian(fq_stream_key("data", 3), (uint64_t)i * FQ_MAX_DIM, s->dim, v);
        for (size_t j = 0; j < s->dim; j++)
            sum += v[j] * v[j];
        for (size_t j = 0; j < s->dim; j++)
            s->x[i * s->dim + j] = (float)(v[j] / sqrt(sum));
    }
    const bool learns = fq_method_learns(s->method, &s->config.params);
    s->config.train = learns ? s->x : NULL;
    s->config.n_train = learns ? s->n : 0;
    FQ_TRY(fq_codec_open(&s->config, &s->codec, err));
    scaled_batch(s, 1.0F);
    FQ_TRY(round_trip(s, err));
    s->usual = fq_codec_has(s->codec, FQ_STAGE_DECODE) ? relative_error(s) : 0.0;
    return FQ_OK;
}

static void subject_close(struct subject *s) {
    fq_codec_close(s->codec);
    free(s->x);
    free(s->z);
    free(s->y);
}

static void fail_case(struct tally *t, size_t i, const char *name, const char *note) {
    if (!t->failed[i])
        snprintf(t->note[i], NOTE, "%.100s: %.290s", name, note);
    t->failed[i] = true;
}

static bool runs_on(const struct invariant *i, const struct check_sink *sink, bool first, bool defaults, bool edge) {
    if (i->starts_process && !sink->options->fresh_process)
        return false;
    return i->on == FIRST ? first : i->on == EVERY ? !edge : defaults;
}

/* edge: a dimension for those invariants alone that ask for it. false: the method refuses this dimension, with its
 * reason in `refusal`. */
static bool run_case(struct tally *t, const struct check_sink *sink, const struct fq_method *method, const char *params,
                     size_t dim, bool edge, char refusal[NOTE]) {
    struct fq_error err = {0};
    struct subject s = {.method = method, .dim = dim, .quick = sink->options->quick};
    char name[NOTE], note[NOTE] = "";
    s.config = (struct fq_codec_config){
        .method = method, .shape = {dim, FQ_KEY}, .seed = 11, .backend = fq_backend_pick(method)};
    snprintf(name, sizeof name, "%s%sd=%zu", params, params[0] != '\0' ? ", " : "", dim);
    fq_params_default(method, &s.config.params);
    if (fq_params_parse(method, params, &s.config.params, &err) != FQ_OK ||
        fq_params_check(method, &s.config.params, &s.config.shape, &err) != FQ_OK) {
        snprintf(refusal, NOTE, "%.390s", err.text);
        return false;
    }
    const bool first = !edge && t->cases == 0;
    t->cases += !edge;
    if (subject_open(&s, &err) != FQ_OK) {
        fail_case(t, 0, name, err.text);
        subject_close(&s);
        return true;
    }
    for (size_t i = 0; i < INVARIANTS; i++) {
        if (!runs_on(&invariants[i], sink, first, params[0] == '\0', edge))
            continue;
        t->tried[i]++;
        const enum verdict verdict = invariants[i].check(&s, note);
        t->held[i] += verdict == HOLDS;
        if (verdict == BROKEN)
            fail_case(t, i, name, note);
    }
    subject_close(&s);
    return true;
}

static void report(struct check_sink *sink, const struct tally *t, const char *refused) {
    for (size_t i = 0; i < INVARIANTS; i++) {
        struct fq_check check = {.kind = FQ_CHECK_INVARIANT, .passed = !t->failed[i]};
        snprintf(check.what, sizeof check.what, "%s", invariants[i].what);
        if (t->failed[i])
            snprintf(check.note, sizeof check.note, "%s", t->note[i]);
        else if (t->held[i] == 0)
            snprintf(check.note, sizeof check.note, "does not apply: %s", invariants[i].absent);
        if (t->failed[i])
            snprintf(check.source, sizeof check.source, "held in %zu of %zu cases", t->held[i], t->tried[i]);
        else
            snprintf(check.source, sizeof check.source, "%zu case%s%s%.60s", t->held[i], t->held[i] == 1 ? "" : "s",
                     i == 0 && refused[0] != '\0' ? ", refuses d = " : "", i == 0 ? refused : "");
        fq_check_add(sink, &check);
    }
}

static bool seen_before(const struct fq_method *method, size_t i) {
    for (size_t j = 0; j < i; j++)
        if (method->gates[j].dim == method->gates[i].dim &&
            strcmp(method->gates[j].params, method->gates[i].params) == 0)
            return true;
    return method->gates[i].params[0] == '\0';
}

void fq_check_invariants(struct check_sink *sink, const struct fq_method *method) {
    static const size_t dims[] = {64, 128, 96, 80, 200};
    struct tally tally = {0};
    char refusal[NOTE] = "", refused[64] = "";
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++)
        if (!run_case(&tally, sink, method, "", dims[i], false, refusal)) {
            const size_t used = strlen(refused);
            snprintf(refused + used, sizeof refused - used, "%s%zu", used > 0 ? " " : "", dims[i]);
        }
    for (size_t i = 0; i < method->n_gates; i++)
        if (!seen_before(method, i) &&
            !run_case(&tally, sink, method, method->gates[i].params, method->gates[i].dim, false, refusal))
            fail_case(&tally, 0, method->gates[i].params, refusal);
    /* One coordinate, no multiple of anything, one more than a power of two. A method may refuse them. */
    static const size_t edges[] = {1, 7, 33, 192, 257};
    for (size_t i = 0; sink->options->fresh_process && i < sizeof edges / sizeof edges[0]; i++)
        (void)run_case(&tally, sink, method, "", edges[i], true, refusal);
    if (tally.cases == 0)
        fail_case(&tally, 0, "every dimension tried", refusal);
    report(sink, &tally, refused);
}
