/* Facts of a cell as they are observed while it runs.
 *
 * It must not judge: a canary that died is written down here and failed by the audit. */
#include "harness/plan/observe.h"

#include "harness/base/blas.h"
#include "harness/base/cpu.h"
#include "harness/data/model.h"
#include "harness/measure/catalog.h"

#include <cyaml/cyaml.h>
#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* The machine's facts, asked once a process; the sanitized or replaced binary does not change under way. */
static const char *machine_fact(const char *name) {
    static struct fq_env_fact facts[FQ_ENV_MAX];
    static size_t n;
    if (n == 0)
        n = fq_env_collect(facts, FQ_ENV_MAX);
    for (size_t i = 0; i < n; i++)
        if (strcmp(facts[i].name, name) == 0)
            return facts[i].text;
    return "not readable";
}

int fq_observe_conditions(struct fq_cell *cell, const struct fq_method *method, enum fq_backend backend,
                          struct fq_error *err) {
    static const char *const copied[] = {"cpu_model",     "compiler",   "flags_hash",
                                         "binary_sha256", "sanitizers", "governor"};
    char cpus[256] = "";
    const char *plugin = fq_catalog_origin(method), *imports = fq_catalog_imports(method);
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        FQ_TRY(fq_cell_fact(cell, copied[i], err, "%s", machine_fact(copied[i])));
    fq_pool_cpu_set(cpus, sizeof cpus);
    fq_blas_use(fq_pool_threads());
    FQ_TRY(fq_cell_fact(cell, "device", err, "%s", backend == FQ_CUDA || backend == FQ_HIP ? "gpu" : "cpu"));
    FQ_TRY(fq_cell_fact(cell, "backend", err, "%s", fq_backend_name(backend)));
    FQ_TRY(fq_cell_fact(cell, "isa_cap", err, "%s", fq_backend_name(fq_isa_cap())));
    FQ_TRY(fq_cell_fact(cell, "threads_configured", err, "%u", fq_pool_threads()));
    FQ_TRY(fq_cell_fact(cell, "cpu_set", err, "%s", cpus));
    FQ_TRY(fq_cell_fact(cell, "blas_core", err, "%s", fq_blas_core()));
    FQ_TRY(fq_cell_fact(cell, "blas_threads", err, "%u", fq_blas_threads()));
    FQ_TRY(fq_cell_fact(cell, "blas_coretype", err, "%s", fq_blas_coretype()[0] ? fq_blas_coretype() : "unset"));
    FQ_TRY(fq_cell_fact(cell, "plugin", err, "%s", plugin[0] ? plugin : "built in"));
    FQ_TRY(fq_cell_fact(cell, "imports", err, "%s", imports));
    FQ_TRY(fq_cell_fact(cell, "layout", err, "records"));
    return fq_cell_fact(cell, "seed", err, "%" PRIu64, cell->seed);
}

int fq_observe_watch(struct fq_cell *cell, const struct fq_watch_result *watch, struct fq_error *err) {
    FQ_TRY(fq_cell_fact(cell, "threads_alive", err, "%u", watch->threads_alive_max));
    FQ_TRY(fq_cell_fact(cell, "cpu_over_wall", err, "%.17g", watch->cpu_over_wall));
    FQ_TRY(fq_cell_fact(cell, "watch_samples", err, "%" PRIu64, watch->samples));
    FQ_TRY(fq_cell_fact(cell, "wall_ns", err, "%" PRIu64, watch->wall_ns));
    return fq_cell_fact(cell, "cpu_ns", err, "%" PRIu64, watch->cpu_ns);
}

/* "intact", or the first sentence of either codec. */
static const char *worse(const char *a, const char *b) {
    return strcmp(a, "intact") != 0 || !b ? a : b;
}

int fq_observe_codecs(struct fq_cell *cell, const struct fq_codec *key, const struct fq_codec *value, size_t dim,
                      struct fq_error *err) {
    struct fq_bytes b = {0}, more = {0};
    const struct fq_codec *first = key ? key : value, *second = key ? value : NULL;
    fq_codec_bytes(first, &b);
    if (second) {
        fq_codec_bytes(second, &more);
        b.vectors += more.vectors;
        b.record_bytes += more.record_bytes;
        b.tail_bytes += more.tail_bytes;
        b.side_bytes += more.side_bytes;
        b.shared_bytes += more.shared_bytes;
        b.promised_bytes += more.promised_bytes;
    }
    if (b.vectors == 0)
        return fq_fail(err, FQ_FAILED, "nothing was encoded");
    cell->rate_bits = 8.0 * (double)(b.record_bytes + b.tail_bytes) / ((double)b.vectors * (double)dim);
    FQ_TRY(fq_cell_fact(cell, "rate_bits", err, "%.17g", cell->rate_bits));
    FQ_TRY(fq_cell_fact(cell, "promised_bytes", err, "%" PRIu64, b.promised_bytes));
    FQ_TRY(fq_cell_fact(cell, "written_bytes", err, "%" PRIu64, b.record_bytes + b.tail_bytes));
    FQ_TRY(fq_cell_fact(cell, "side_bytes", err, "%" PRIu64, b.side_bytes));
    FQ_TRY(fq_cell_fact(cell, "tail_bytes", err, "%" PRIu64, b.tail_bytes));
    FQ_TRY(fq_cell_fact(cell, "shared_bytes", err, "%" PRIu64, b.shared_bytes));
    FQ_TRY(fq_cell_fact(cell, "vectors", err, "%" PRIu64, b.vectors));
    const char *canaries = worse(fq_codec_canaries(first), second ? fq_codec_canaries(second) : NULL);
    const char *shared = worse(fq_codec_shared_state(first), second ? fq_codec_shared_state(second) : NULL);
    FQ_TRY(fq_cell_fact(cell, "canaries", err, "%s", canaries));
    FQ_TRY(fq_cell_fact(cell, "shared_state", err, "%s", strcmp(shared, "intact") == 0 ? "unchanged" : shared));
    if (fq_codec_learns(first))
        FQ_TRY(fq_cell_fact(cell, "training", err, "%s", fq_codec_training(first)));
    const char *complaint = fq_codec_complaint(first);
    if (complaint[0] == '\0' && second)
        complaint = fq_codec_complaint(second);
    return fq_cell_fact(cell, "complaint", err, "%s", complaint[0] ? complaint : "none");
}

static void put(struct fq_fact *out, size_t max, size_t *n, const char *name, const char *text) {
    if (*n == max)
        return;
    struct fq_fact *fact = &out[(*n)++];
    memset(fact, 0, sizeof *fact);
    snprintf(fact->name, sizeof fact->name, "%.39s", name);
    snprintf(fact->text, sizeof fact->text, "%.255s", text);
}

size_t fq_observe_machine(struct fq_fact *out, size_t max) {
    struct fq_env_fact facts[FQ_ENV_MAX];
    const size_t n_env = fq_env_collect(facts, FQ_ENV_MAX);
    unsigned major = 0, minor = 0, release = 0;
    char text[64];
    size_t n = 0;
    for (size_t i = 0; i < n_env; i++)
        put(out, max, &n, facts[i].name, facts[i].text);
    (void)H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    put(out, max, &n, "hdf5", text);
    put(out, max, &n, "libcyaml", cyaml_version_str);
    put(out, max, &n, "libyaml", yaml_get_version_string());
    put(out, max, &n, "libllama", fq_model_available() ? "linked" : "absent (make setup builds it)");
    return n;
}
