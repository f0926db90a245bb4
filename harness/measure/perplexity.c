/* Perplexity and its pairs: the windows of a text through a model, once at full precision and once per arm with
 * somebody on the cache. Which positions count, and how, follows llama.cpp's perplexity tool; the arithmetic is in
 * ppl_score.c, the logits of the full-precision pass are kept by ppl_logits.c. Must not open codecs: which method runs
 * is the caller's affair. */
#include "harness/base/file.h"
#include "harness/base/pool.h"
#include "harness/data/manifest.h"
#include "harness/measure/ppl_internal.h"
#include "harness/measure/ppl_kept.h"
#include "harness/measure/ppl_score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE = 64 }; /* rows rounded at a time: 64 of 151,936 words are 19 MB */

/* ---- scoring a window ---- */

/* Rows come graph by graph; each is rounded as the stored ones are, and compared with its own. */
struct scoring {
    const struct fq_ppl_reference *ref;
    size_t chunk, first;     /* first: scored token of rows[0] */
    const float *rows;       /* a slice, as the model made them */
    const uint8_t *full;     /* the stored window; NULL: this is the full-precision pass itself */
    float *scratch;          /* [workers][vocabulary], full-precision pass only */
    struct fq_logits *store; /* where the pass is written to; NULL for an arm */
};

static void score_rows(void *arg, unsigned worker, size_t begin, size_t end) {
    const struct scoring *s = arg;
    const struct fq_ppl_reference *ref = s->ref;
    const size_t vocabulary = ref->model_info.vocabulary, bytes = fq_logits_row_bytes(vocabulary);
    const int32_t *next = ref->tokens + s->chunk * ref->info.context + ref->info.context / 2 + 1;
    for (size_t i = begin; i < end; i++) {
        const float *row = s->rows + i * vocabulary;
        const size_t at = s->first + i;
        struct fq_logits_row *packed = (struct fq_logits_row *)(void *)(ref->packed + i * bytes);
        fq_logits_pack(row, vocabulary, next[at], packed);
        ref->scores.nll[at] = packed->nll;
        if (s->full) {
            const struct fq_logits_row *full = (const struct fq_logits_row *)(const void *)(s->full + at * bytes);
            ref->scores.full_nll[at] = full->nll;
            ref->scores.kl[at] = fq_logits_kl(full, packed, vocabulary);
            ref->scores.same[at] = full->best == packed->best ? 1.0 : 0.0;
        } else { /* what the rounding alone costs */
            float *rounded = s->scratch + worker * vocabulary;
            fq_logits_unpack(packed, vocabulary, rounded);
            ref->scores.kl[at] = fq_score_kl(row, rounded, vocabulary);
        }
    }
}

static int score_graph(void *arg, size_t first, size_t n, const float *rows, struct fq_error *err) {
    struct scoring *s = arg;
    const size_t vocabulary = s->ref->model_info.vocabulary;
    int code = 0;
    for (size_t i = 0; code == 0 && i < n; i += SLICE) {
        const size_t here = n - i < SLICE ? n - i : SLICE;
        s->first = first + i - s->ref->info.context / 2;
        s->rows = rows + i * vocabulary;
        fq_pool_run(here, 1, score_rows, s);
        if (s->store)
            code = fq_logits_add(s->store, s->ref->packed, here, err);
    }
    fq_pool_rest(); /* the model's own threads go on */
    return code;
}

static double sum(const double *x, size_t n) {
    double s = 0.0;
    for (size_t i = 0; i < n; i++)
        s += x[i];
    return s;
}

/* One window through a model, scored into ref->scores. */
static int run_window(struct fq_ppl_reference *ref, struct fq_model *model, size_t chunk,
                      const struct fq_ppl_agent *agent, struct scoring *s, struct fq_error *err) {
    const size_t context = ref->info.context;
    memcpy(ref->window, ref->tokens + chunk * context, context * sizeof *ref->window);
    if (ref->model_info.add_bos)
        ref->window[0] = fq_model_bos(model);
    s->chunk = chunk;
    return fq_model_eval_rows(model, ref->window, context, agent->tensors, agent->attention, agent->arg, context / 2,
                              context - 1, score_graph, s, err);
}

/* ---- the full-precision pass ---- */

static int load_tokens(struct fq_ppl_reference *ref, const struct fq_ppl_config *config, struct fq_error *err) {
    char path[4096];
    FQ_TRY(fq_manifest_resolve(config->corpus, "corpus", path, sizeof path, ref->info.corpus_sha256, err));
    char *text = NULL;
    size_t bytes = 0, found = 0, needed = config->context * config->chunks;
    FQ_TRY(fq_read_text(path, &text, &bytes, err));
    int code = fq_model_tokenize(ref->model, text, bytes, true, &ref->tokens, &found, err);
    free(text);
    FQ_TRY(code);
    ref->n_tokens = found;
    if (found < needed)
        return fq_fail(err, FQ_USAGE,
                       "%s: %zu chunks of %zu tokens need %zu, the corpus has %zu; take fewer chunks or a longer text",
                       path, config->chunks, config->context, needed, found);
    return 0;
}

static const struct fq_ppl_agent nobody = {.tensor = "kv"};

/* A window that is not stored yet. */
static int make_window(struct fq_ppl_reference *ref, size_t chunk, struct fq_error *err) {
    const size_t n = ref->info.scored;
    uint64_t hook_ns;
    struct fq_logits_note note = {0};
    struct scoring s = {.ref = ref, .store = ref->store};
    s.scratch = malloc(fq_pool_threads() * ref->model_info.vocabulary * sizeof *s.scratch);
    if (!s.scratch)
        return fq_fail(err, FQ_FAILED, "out of memory for rows of %zu logits", ref->model_info.vocabulary);
    int code = fq_logits_begin(ref->store, chunk, err);
    fq_model_times(ref->model, &hook_ns, &note.eval_ns);
    if (code == 0)
        code = run_window(ref, ref->model, chunk, &nobody, &s, err);
    fq_model_times(ref->model, &hook_ns, &note.eval_ns);
    free(s.scratch);
    FQ_TRY(code);
    for (size_t i = 0; i < n; i++) {
        note.rounding_kl_sum += ref->scores.kl[i];
        note.rounding_kl_max = fmax(note.rounding_kl_max, ref->scores.kl[i]);
    }
    ref->info.evaluated++;
    return fq_logits_end(ref->store, &note, err);
}

static int full_window(struct fq_ppl_reference *ref, size_t chunk, struct fq_error *err) {
    const size_t n = ref->info.scored, bytes = fq_logits_row_bytes(ref->model_info.vocabulary);
    const int32_t *next = ref->tokens + chunk * ref->info.context + ref->info.context / 2 + 1;
    const uint8_t *rows = NULL;
    struct fq_logits_note note;
    FQ_TRY(fq_logits_map(ref->store, chunk, &rows, &note, err));
    if (!rows) {
        FQ_TRY(make_window(ref, chunk, err));
        FQ_TRY(fq_logits_map(ref->store, chunk, &rows, &note, err));
    }
    for (size_t i = 0; rows && i < n; i++) {
        const struct fq_logits_row *row = (const struct fq_logits_row *)(const void *)(rows + i * bytes);
        ref->scores.nll[i] = row->nll;
        if (row->token != next[i])
            rows = NULL;
    }
    if (!rows)
        return fq_fail(err, FQ_FAILED, "the stored logits of window %zu in %s are of another text; remove the folder",
                       chunk, fq_logits_folder(ref->store));
    ref->chunk_nll[chunk] = sum(ref->scores.nll, n);
    ref->info.eval_ns += note.eval_ns;
    ref->info.rounding_kl += note.rounding_kl_sum / (double)(n * ref->info.chunks);
    ref->info.rounding_kl_max = fmax(ref->info.rounding_kl_max, note.rounding_kl_max);
    return 0;
}

static int full_pass(struct fq_ppl_reference *ref, const struct fq_ppl_config *config, struct fq_error *err) {
    for (size_t c = 0; c < ref->info.chunks; c++) {
        FQ_TRY(full_window(ref, c, err));
        if (config->progress)
            config->progress(config->progress_arg, c + 1, ref->info.chunks);
    }
    ref->info.perplexity = exp(sum(ref->chunk_nll, ref->info.chunks) / (double)(ref->info.chunks * ref->info.scored));
    if (!isfinite(ref->info.perplexity))
        return fq_fail(err, FQ_FAILED, "the full-precision perplexity of %s is not finite", ref->info.model->name);
    return 0;
}

static int open_store(struct fq_ppl_reference *ref, struct fq_error *err) {
    const size_t batch = fq_model_batch(ref->model), n = ref->info.scored;
    const struct fq_logits_key key = {.model_sha256 = ref->model_info.sha256,
                                      .corpus_sha256 = ref->info.corpus_sha256,
                                      .library = ref->model_info.library,
                                      .context = ref->info.context,
                                      .batch = batch,
                                      .scored = n,
                                      .vocabulary = ref->model_info.vocabulary,
                                      .threads = ref->threads};
    FQ_TRY(fq_logits_open(&key, &ref->store, err));
    ref->packed = malloc(SLICE * fq_logits_row_bytes(key.vocabulary));
    ref->window = malloc(ref->info.context * sizeof *ref->window);
    ref->chunk_nll = calloc(ref->info.chunks, sizeof *ref->chunk_nll);
    ref->scores.nll = calloc(4 * n, sizeof(double));
    if (!ref->packed || !ref->window || !ref->chunk_nll || !ref->scores.nll)
        return fq_fail(err, FQ_FAILED, "out of memory for the scores of %zu tokens x %zu words", n, key.vocabulary);
    ref->scores.n = n;
    ref->scores.full_nll = ref->scores.nll + n;
    ref->scores.kl = ref->scores.nll + 2 * n;
    ref->scores.same = ref->scores.nll + 3 * n;
    ref->info.chunk_nll = ref->chunk_nll;
    ref->info.logits_folder = fq_logits_folder(ref->store);
    return 0;
}

static int open_reference(struct fq_ppl_reference *ref, const struct fq_ppl_config *config, struct fq_error *err) {
    FQ_TRY(fq_model_open(config->model, config->context, config->threads, &ref->model, err));
    ref->model_info = *fq_model_info(ref->model);
    ref->info.model = &ref->model_info;
    ref->threads = config->threads;
    ref->info.context = config->context;
    ref->info.chunks = config->chunks;
    ref->info.scored = config->context - 1 - config->context / 2;
    FQ_TRY(load_tokens(ref, config, err));
    FQ_TRY(open_store(ref, err));
    return full_pass(ref, config, err);
}

int fq_ppl_reference_open(const struct fq_ppl_config *config, struct fq_ppl_reference **out, struct fq_error *err) {
    *out = NULL;
    if (config->context < 4 || config->chunks < 1)
        return fq_fail(err, FQ_USAGE,
                       "perplexity: expected context >= 4 and chunks >= 1, found context %zu, chunks %zu",
                       config->context, config->chunks);
    struct fq_ppl_reference *ref = calloc(1, sizeof *ref);
    if (!ref)
        return fq_fail(err, FQ_FAILED, "out of memory");
    int code = open_reference(ref, config, err);
    if (code != 0) {
        fq_ppl_reference_close(ref);
        return code;
    }
    *out = ref;
    return 0;
}

void fq_ppl_reference_close(struct fq_ppl_reference *ref) {
    if (!ref)
        return;
    fq_model_close(ref->model);
    for (size_t i = 0; i < FQ_CENTRE_KINDS; i++)
        fq_centre_close(ref->centre[i]);
    fq_logits_close(ref->store);
    free(ref->tokens);
    free(ref->window);
    free(ref->packed);
    free(ref->chunk_nll);
    free(ref->scores.nll);
    free(ref->generated);
    fq_ppl_needles_close(ref->needles);
    free(ref);
}

const struct fq_ppl_info *fq_ppl_reference_info(const struct fq_ppl_reference *ref) {
    return &ref->info;
}

/* ---- a run with an agent on the cache ---- */

/* One run: where its windows are kept, and what its agent saved. */
struct run {
    struct fq_ppl_reference *ref;
    struct fq_model *model;
    const struct fq_ppl_agent *agent;
    struct fq_ppl_kept *kept; /* NULL: nowhere */
    void *state;
    double total;
};

/* A window that an earlier run finished: its scores as they were, against the same stored row. */
static int restore_window(struct run *r, size_t chunk, struct fq_ppl_kept_window *window, const uint8_t *full,
                          struct fq_error *err) {
    struct fq_ppl_scores *scores = &r->ref->scores;
    const size_t bytes = fq_logits_row_bytes(r->ref->model_info.vocabulary);
    FQ_TRY(fq_ppl_kept_get(r->kept, chunk, scores, window, r->state, err));
    for (size_t i = 0; i < scores->n; i++)
        scores->full_nll[i] = ((const struct fq_logits_row *)(const void *)(full + i * bytes))->nll;
    if (r->agent->restore)
        r->agent->restore(r->agent->arg, chunk, r->state);
    return 0;
}

static int new_window(struct run *r, size_t chunk, struct fq_ppl_kept_window *window, struct scoring *s,
                      struct fq_error *err) {
    struct fq_ppl_reference *ref = r->ref;
    if (r->agent->window)
        FQ_TRY(r->agent->window(r->agent->arg, chunk, err));
    FQ_TRY(run_window(ref, r->model, chunk, r->agent, s, err));
    fq_model_times(r->model, &window->hook_ns, &window->eval_ns);
    window->nll_sum = sum(ref->scores.nll, ref->info.scored);
    if (!isfinite(window->nll_sum))
        return fq_fail(err, FQ_FAILED, "%s, chunk %zu: the log-likelihood is not finite with this cache",
                       ref->info.model->name, chunk);
    if (!r->kept)
        return 0;
    if (r->agent->save)
        r->agent->save(r->agent->arg, r->state);
    return fq_ppl_kept_put(r->kept, &ref->scores, window, r->state, err);
}

static int run_chunks(struct run *r, struct fq_series_list *out, size_t first, fq_ppl_progress *progress,
                      void *progress_arg, struct fq_error *err) {
    struct fq_ppl_reference *ref = r->ref;
    const size_t found = fq_ppl_kept_count(r->kept), last = ref->info.chunks - 1;
    ref->resumed = found < last ? found : last; /* threads, canaries and probes are observed in what runs now */
    if (found > ref->resumed)
        fq_ppl_kept_cut(r->kept, ref->resumed);
    for (size_t c = 0; c < ref->info.chunks; c++) {
        struct fq_logits_note note;
        struct fq_ppl_kept_window window = {0};
        struct scoring s = {.ref = ref};
        FQ_TRY(fq_logits_map(ref->store, c, &s.full, &note, err));
        if (!s.full)
            return fq_fail(err, FQ_FAILED, "the full-precision logits of window %zu are gone from %s; run again", c,
                           fq_logits_folder(ref->store));
        FQ_TRY(c < ref->resumed ? restore_window(r, c, &window, s.full, err) : new_window(r, c, &window, &s, err));
        r->total += window.nll_sum;
        ref->hook_ns += window.hook_ns;
        ref->eval_ns += window.eval_ns;
        FQ_TRY(fq_ppl_series_push(out->series + first, c, ref->info.context, &ref->scores, err));
        if (progress)
            progress(progress_arg, c + 1, ref->info.chunks);
    }
    return 0;
}

static int run(struct fq_ppl_reference *ref, struct fq_model *model, const struct fq_ppl_agent *agent, bool resumable,
               fq_ppl_progress *progress, void *progress_arg, struct fq_series_list *out, double *perplexity,
               struct fq_error *err) {
    size_t first;
    struct run r = {.ref = ref, .model = model, .agent = agent};
    FQ_TRY(fq_ppl_series_add(out, agent->tensor, ref->info.context, &first, err));
    if (ref->keep[0] && resumable) {
        char identity[256];
        snprintf(identity, sizeof identity, "%s %.150s", ref->identity, fq_logits_name(ref->store));
        FQ_TRY(fq_ppl_kept_open(ref->keep, identity, ref->info.scored, agent->state_bytes, &r.kept, err));
    }
    r.state = malloc(agent->state_bytes + 1);
    int code = r.state ? 0 : fq_fail(err, FQ_FAILED, "out of memory");
    fq_model_times(model, &ref->hook_ns, &ref->eval_ns); /* what came before is not this run's */
    ref->hook_ns = ref->eval_ns = 0;
    if (code == 0)
        code = run_chunks(&r, out, first, progress, progress_arg, err);
    fq_ppl_kept_close(r.kept);
    free(r.state);
    FQ_TRY(code);
    *perplexity = exp(r.total / (double)(ref->info.chunks * ref->info.scored));
    return 0;
}

void fq_ppl_keep(struct fq_ppl_reference *ref, const char *path, const char *identity) {
    (void)snprintf(ref->keep, sizeof ref->keep, "%s", path ? path : "");
    (void)snprintf(ref->identity, sizeof ref->identity, "%s", path ? identity : "");
}

size_t fq_ppl_resumed(const struct fq_ppl_reference *ref) {
    return ref->resumed;
}

int fq_ppl_run(struct fq_ppl_reference *ref, const struct fq_ppl_agent *agent, fq_ppl_progress *progress,
               void *progress_arg, struct fq_series_list *out, double *perplexity, struct fq_error *err) {
    if (!ref->model)
        return fq_fail(err, FQ_FAILED, "%s could not be opened again after the noise floor", ref->info.model->name);
    return run(ref, ref->model, agent, agent->save != NULL, progress, progress_arg, out, perplexity, err);
}

/* ---- the noise floor ---- */

unsigned fq_ppl_floor_threads(unsigned threads) {
    return threads > 1 ? (threads + 1) / 2 : 2;
}

size_t fq_ppl_floor_batch(size_t context) {
    const size_t batch = (context < 512 ? context : 512) * 3 / 8;
    return batch < 2 ? 2 : batch;
}

int fq_ppl_noise_floor(struct fq_ppl_reference *ref, const char *tensor, fq_ppl_progress *progress, void *progress_arg,
                       struct fq_series_list *out, double *perplexity, struct fq_error *err) {
    const struct fq_ppl_agent agent = {.tensor = tensor};
    const char *path = ref->model_info.path;
    const size_t context = ref->info.context;
    struct fq_model *other = NULL;
    if (ref->wants_generation)
        FQ_TRY(fq_ppl_own_words(ref, err));
    if (ref->wants_needle_text)
        FQ_TRY(fq_ppl_own_needles(ref, err));
    fq_model_close(ref->model); /* two contexts of a large model do not fit beside each other */
    ref->model = NULL;
    int code = fq_model_open_batch(path, context, fq_ppl_floor_batch(context), fq_ppl_floor_threads(ref->threads),
                                   &other, err);
    if (code == 0)
        code = run(ref, other, &agent, true, progress, progress_arg, out, perplexity, err);
    if (code == 0 && ref->wants_generation)
        code = fq_ppl_generate_with(ref, other, &agent, out, err);
    if (code == 0 && ref->wants_needle_text)
        code = fq_ppl_needle_text_with(ref, other, &agent, out, err);
    fq_model_close(other);
    const int again = fq_model_open(path, context, ref->threads, &ref->model, code == 0 ? err : &(struct fq_error){0});
    return code != 0 ? code : again;
}

void fq_ppl_times(const struct fq_ppl_reference *ref, uint64_t *hook_ns, uint64_t *eval_ns) {
    *hook_ns = ref->hook_ns;
    *eval_ns = ref->eval_ns;
}

struct fq_model *fq_ppl_model(struct fq_ppl_reference *ref) {
    return ref->model;
}
