/* How long a sweep will take, from a small calibration.
 *
 * It only weighs cells against each other and gives a first guess of the whole; the progress line corrects it as cells
 * end. No result may depend on it. */
#include "harness/plan/cost.h"

#include "harness/base/clock.h"
#include "harness/base/cpu.h"
#include "harness/base/pool.h"
#include "harness/base/random.h"
#include "harness/measure/codec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char fq_cost_how[] =
    "estimated by encoding a few vectors with every method on this machine; a model pass is taken to read all weights "
    "once per token at 20 GB/s";

enum { CALIBRATION_VECTORS = 64 };
static const double ns_per_weight_byte = 0.05;  /* per token and byte of the model's file */
static const double measure_ns_per_float = 6.0; /* comparing, dot products, sampling: per coordinate of a codec cell */
static const double fixed_ns = 8e7;             /* probes, files, opening */
static const double needle_windows = 4.5; /* prompts of needle_text, in windows: 3.5 of long contexts, 4.75 of 512 */
static const double timed_ns = 2e7;       /* shortest timed region of a speed cell */

/* One method instance at one shape. */
struct price {
    size_t instance, dim;
    enum fq_tensor tensor;
    double open_ns, vector_ns;
};

struct prices {
    struct price *at;
    size_t n;
};

static void gaussian_floats(size_t n, float *out) {
    double block[256];
    const uint64_t key = fq_stream_key("sample", 0);
    for (size_t i = 0; i < n; i += 256) {
        const size_t m = n - i < 256 ? n - i : 256;
        fq_random_gaussian(key, i, m, block);
        for (size_t j = 0; j < m; j++)
            out[i + j] = (float)block[j];
    }
}

static void measure(const struct fq_sweep *s, struct price *price) {
    const struct fq_sweep_instance *at = &s->instances[price->instance];
    const struct fq_codec_config config = {.method = at->method,
                                           .params = at->params,
                                           .shape = {price->dim, price->tensor},
                                           .seed = at->seeds[0],
                                           .backend = fq_backend_pick(at->method)};
    struct fq_codec *codec = NULL;
    struct fq_error ignored = {0};
    /* CPU time of one thread instead of wall time: whatever else the machine does now is no property of the sweep. */
    const uint64_t begin = fq_process_cpu_ns();
    if (fq_codec_open(&config, &codec, &ignored) != 0)
        return;
    price->open_ns = (double)(fq_process_cpu_ns() - begin);
    const size_t g = fq_codec_footprint(codec)->granularity, n = g * ((CALIBRATION_VECTORS + g - 1) / g);
    float *x = malloc(2 * n * price->dim * sizeof *x);
    if (x) {
        gaussian_floats(n * price->dim, x);
        if (fq_codec_learns(codec))
            (void)fq_codec_train(codec, n, x, "a calibration of the plan's times", &ignored);
        const uint64_t encode = fq_process_cpu_ns();
        if (fq_codec_encode(codec, n, x, &ignored) == 0 && fq_codec_has(codec, FQ_STAGE_DECODE))
            (void)fq_codec_decode(codec, x + n * price->dim, &ignored);
        price->vector_ns = (double)(fq_process_cpu_ns() - encode) / (double)n;
    }
    free(x);
    fq_codec_close(codec);
}

static const struct price *price_of(const struct fq_sweep *s, struct prices *prices, size_t instance, size_t dim,
                                    enum fq_tensor tensor, struct fq_error *err) {
    for (size_t i = 0; i < prices->n; i++) {
        const struct price *p = &prices->at[i];
        if (p->instance == instance && p->dim == dim && p->tensor == tensor)
            return p;
    }
    struct price *grown = realloc(prices->at, (prices->n + 1) * sizeof *grown);
    if (!grown) {
        (void)fq_fail(err, FQ_FAILED, "out of memory");
        return NULL;
    }
    prices->at = grown;
    struct price *p = &grown[prices->n++];
    *p = (struct price){.instance = instance, .dim = dim, .tensor = tensor};
    measure(s, p);
    return p;
}

static double model_pass_ns(const struct fq_plan *plan, const struct fq_planned *p) {
    const struct fq_sweep_model *m = &plan->sweep->models[p->source];
    struct stat st;
    const double bytes = stat(plan->models[p->source].path, &st) == 0 ? (double)st.st_size : 0;
    const double needles = fq_plan_metrics(plan, p) & FQ_METRIC_NEEDLE_TEXT ? needle_windows : 0.0;
    return bytes * ns_per_weight_byte * (double)m->context * ((double)m->chunks + needles);
}

int fq_cost_estimate(struct fq_plan *plan, struct fq_error *err) {
    struct prices prices = {0};
    const struct fq_sweep *s = plan->sweep;
    int code = fq_pool_start(1, err);
    for (size_t i = 0; code == 0 && i < plan->n_cells; i++) {
        struct fq_planned *p = &plan->cells[i];
        const bool model = strcmp(p->cell.kind, "model") == 0, speed = strcmp(p->cell.kind, "speed") == 0;
        if (p->noise_floor) { /* opened twice, and with fewer threads */
            p->cost_ns = 2.0 * model_pass_ns(plan, p);
            continue;
        }
        if (p->policy) { /* scores and outputs once more, beside the model's own */
            p->cost_ns = 2.0 * model_pass_ns(plan, p);
            continue;
        }
        const size_t dim = model ? plan->models[p->source].dim : plan->data[p->source].dim;
        const struct price *price = price_of(s, &prices, p->instance, dim, p->tensor, err);
        if (!price) {
            code = err->code;
            break;
        }
        const double threads = speed ? s->instances[p->instance].threads : s->workers;
        const double coding = price->vector_ns * (double)p->vectors / threads;
        if (model)
            p->cost_ns = price->open_ns + coding + model_pass_ns(plan, p);
        else if (speed)
            p->cost_ns = 4 * coding + (coding > timed_ns ? coding : timed_ns);
        else
            p->cost_ns =
                fixed_ns + price->open_ns + coding + measure_ns_per_float * (double)p->vectors * (double)dim / threads;
    }
    free(prices.at);
    return code;
}
