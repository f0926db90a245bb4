/* The facts codes_only, codes_probed and probe_sandbox: is what a cell measured in its codes?
 *
 * Two probes. A small one on vectors of its own comes first, once per instance and shape in a process: it is cheap and
 * looks into scratch and moved records, too. Then a witness keeps one of the batches that the measurement encodes, and
 * a fresh process is asked for them: in each model cell, in the codec cell of each instance's first seed and, drawn by
 * the stream "sample", in one of four of the others; in each speed process once for each instance, in a drawn block. A
 * probe costs some 30 ms, a cell from a tenth of a second on. */
#include "harness/plan/bench_internal.h"

#include "harness/base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The twin is the same code on the same shape; what holds for one holds for the other. */
static struct fq_probed *find_probed(const struct fq_bench *bench, size_t instance, size_t dim, enum fq_tensor tensor) {
    const struct fq_sweep_instance *all = bench->plan->sweep->instances;
    for (size_t i = 0; i < bench->n_probed; i++) {
        struct fq_probed *at = &bench->probed[i];
        if (at->dim == dim && at->tensor == tensor && all[at->instance].method == all[instance].method &&
            strcmp(all[at->instance].parameters, all[instance].parameters) == 0)
            return at;
    }
    return NULL;
}

static int probe(struct fq_codec *codec, size_t dim, char sentence[FQ_PROBE_SENTENCE], struct fq_error *err) {
    const size_t g = fq_codec_footprint(codec)->granularity, n = g < 8 ? 8 * g : 2 * g;
    float *x = malloc(n * dim * sizeof *x);
    if (!x)
        return fq_fail(err, FQ_FAILED, "out of memory");
    fq_bench_gaussian("sample", n * dim, x);
    int code = fq_codec_learns(codec) ? fq_codec_train(codec, n, x, "the probe's own vectors", err) : 0;
    if (code == 0)
        code = fq_codec_probe_codes_only(codec, n, x, sentence, err);
    if (code == 0 && sentence[0] == '\0')
        code = fq_probe_fresh_process(codec, n, x, sentence, err);
    free(x);
    return code;
}

/* "identical" is said only of a process that could reach nothing outside. */
static const char *clean(void) {
    return strcmp(fq_probe_sandbox(), "none") == 0 ? "identical, but the fresh process was not shut in" : "identical";
}

/* The first finding stands, whichever tensor or probe it is of. */
static int note(struct fq_cell *cell, const char *sentence, const char *what, struct fq_error *err) {
    const char *before = fq_cell_fact_text(cell, "codes_only");
    if (!before || strncmp(before, "identical", strlen("identical")) == 0)
        FQ_TRY(fq_cell_fact(cell, "codes_only", err, "%s", sentence[0] ? sentence : clean()));
    FQ_TRY(fq_cell_fact(cell, "codes_probed", err, "%s", what));
    return fq_cell_fact(cell, "probe_sandbox", err, "%s", fq_probe_sandbox());
}

int fq_bench_probe(struct fq_bench *bench, const struct fq_planned *p, struct fq_codec *codec, size_t dim,
                   enum fq_tensor tensor, struct fq_cell *cell, struct fq_error *err) {
    struct fq_probed *known = find_probed(bench, p->instance, dim, tensor);
    if (!known) {
        struct fq_probed *grown = realloc(bench->probed, (bench->n_probed + 1) * sizeof *grown);
        if (!grown)
            return fq_fail(err, FQ_FAILED, "out of memory");
        bench->probed = grown;
        known = &grown[bench->n_probed];
        *known = (struct fq_probed){.instance = p->instance, .dim = dim, .tensor = tensor};
        FQ_TRY(probe(codec, dim, known->sentence, err));
        bench->n_probed++;
    }
    return note(cell, known->sentence, "vectors of the probe's own", err);
}

int fq_bench_probe_codec(struct fq_codec *codec, size_t dim, struct fq_cell *cell, struct fq_error *err) {
    char sentence[FQ_PROBE_SENTENCE] = "";
    FQ_TRY(probe(codec, dim, sentence, err));
    return note(cell, sentence, "vectors of the probe's own", err);
}

/* ---- what was measured -------------------------------------------------------------------------------------------*/

static bool is_first_seed(const struct fq_bench *bench, const struct fq_planned *p) {
    if (p->policy)
        return true;
    const struct fq_sweep_instance *at = &bench->plan->sweep->instances[p->instance];
    return at->n_seeds == 0 || p->cell.seed == at->seeds[0];
}

static double drawn(const char *stream, uint64_t seed) {
    double u = 0.0;
    fq_random_uniform(fq_stream_key(stream, seed), UINT64_C(1) << 40, 1, &u);
    return u;
}

int fq_bench_witness_begin(const struct fq_bench *bench, const struct fq_planned *p, struct fq_codec *codec,
                           struct fq_error *err) {
    const uint64_t draw = (uint64_t)p->cell.order;
    const bool model = strcmp(p->cell.kind, "model") == 0;
    if (!codec || (!model && !is_first_seed(bench, p) && drawn("sample", draw) >= 0.25))
        return 0;
    return fq_witness_begin(codec, draw, err);
}

int fq_bench_witness_end(struct fq_codec *codec, struct fq_cell *cell, struct fq_error *err) {
    char sentence[FQ_PROBE_SENTENCE], what[80];
    if (!codec || !fq_witness_present(codec))
        return 0;
    FQ_TRY(fq_witness_end(codec, what, sizeof what, sentence, err));
    return note(cell, sentence, what, err);
}

int fq_bench_probe_timed(struct fq_bench *bench, const struct fq_planned *p, struct fq_codec *codec, size_t dim,
                         struct fq_cell *cell, struct fq_error *err) {
    const struct fq_sweep *s = bench->plan->sweep;
    const uint64_t draw = (uint64_t)p->cell.process * s->n_instances + p->instance;
    const size_t block = (size_t)(drawn("sample", draw) * (double)s->blocks);
    struct fq_probed *known = find_probed(bench, p->instance, dim, p->tensor);
    char sentence[FQ_PROBE_SENTENCE], what[80];
    if ((size_t)p->cell.block != block)
        return 0;
    FQ_TRY(fq_probe_last_batch(codec, bench->n_x, bench->x, draw, sentence, err));
    if (known && known->sentence[0] == '\0') /* later blocks of this instance say so, too */
        snprintf(known->sentence, sizeof known->sentence, "%s", sentence);
    snprintf(what, sizeof what, "the last timed batch, %zu vectors", bench->n_x);
    return note(cell, sentence, what, err);
}
