/* Everything that can be measured on one method instance, each yielding series (series.h).
 *
 * One walk over the data encodes every matrix once and feeds all metrics asked for, so that they speak of the same
 * codes. The order of samples and their labels depend on the data and the options only: two methods pair sample by
 * sample. Random choices (probing queries, sampled positions) come from the streams "query" and "sample" of
 * `data_seed`, never from the rotation's.
 *
 * KV sets. A matrix is one (layer, KV head); it is encoded window by window (dataset context), as a cache would be.
 * label_a = layer * kv_heads + kv_head ("layer and head"; query-side metrics use layer * heads + head), label_b = 0 or
 * the window. Vector sets and generated vectors. label_a = vector, or the block of 64 vectors that a sample averages
 * (weight: how many).
 *
 * Metrics (d = dim, e = x - xhat, est = the method's estimate of t = <q, x>; "decode, then dot product" stands in where
 * a method has no score stage):
 *   distortion
 *     rel_mse            ||e||^2 / ||x||^2, mean over vectors (KV: one sample per layer and head; else one per vector).
 *                        A zero vector counts ||e||^2 over the mean energy of the window or block it is in.
 *     energy_mse         sum ||e||^2 / sum ||x||^2 of the same vectors (weights: energy)
 *     cosine             <x, xhat> / (||x|| ||xhat||), mean over vectors
 *   inner product of generated and vector data, queries built at rho = <q,x> / (||q|| ||x||):
 *     ip_dvar_rho0       d (est - t)^2 / (||q|| ||x||)^2 for q uniform on the sphere, independent of x
 *     ip_slope_rho50 _rho90 _rho100      est / t, mean: 1 = unbiased
 *     ip_rmse_sqrtd_rho0 _rho50 _rho90 _rho100   sqrt(d) (est - t) / (||q|| ||x||), statistic rms
 *     ip_tail_2 .. _6    share of independent-query errors beyond k standard deviations
 *     ip_sq_error        (est - t)^2 / (||q|| ||x||)^2 at rho 0
 *     ip_bias_binK, ip_true_binK   K = 0..9: mean signed error and mean rho of queries with rho in [K/10, (K+1)/10)
 *   inner product with real queries (KV sets and sets with queries):
 *     ip_slope           slope of the regression of est on t, per layer and query head (or per query)
 *     ip_rel_rmse        rms(est - t) / rms(t) of the same pairs
 *     ip_bias            mean (est - t) / (||q|| ||x||)
 *   attention, causal inside the window, sampled query positions; one sample per layer and query head:
 *     logit_rmse         rms of (est - t) / sqrt(d)          softmax_kl  KL(full || quantized), nats
 *     topk_overlap_1, _8 shared share of the k largest logits (over min(k, keys))
 *     output_rel_error   ||o - ohat|| / ||o||: tensor key: K quantized, V full; tensor value: V quantized, K full
 *   needle, keys and vectors: a key is looked for by a query close to it (cosine about 0.71 with the key less the mean
 *   of its window), as long as full-precision softmax needs to give it weight 1/2; 3 contexts (a quarter, half, all of
 *   the window; vector sets: windows of 512) x 5 depths (0, 1/4 .. 1); one sample per needle that full precision finds:
 *     needle_recall      1 if it has the largest estimate      needle_mass   its softmax weight from estimates
 *     needle_rank        its place among the estimates         needle_full   1 if full precision finds it, of all
 *     needle_recall_contextC, needle_mass_contextC, needle_recall_depthD, needle_mass_depthD   the same by cell
 *   With a centre, all of these still compare estimates of x and <q, x> with x and <q, x> themselves: rel_mse is
 * against
 *   ||x||^2, and shared_bytes has the centre's floats in it.
 *   bytes (one sample each): rate_bits, record_bytes, side_bytes, tail_bytes, shared_bytes, per vector but the last */
#ifndef FQ_MEASURE_MEASURES_H
#define FQ_MEASURE_MEASURES_H

#include "harness/base/pool.h"
#include "harness/data/dataset.h"
#include "harness/measure/centre.h"
#include "harness/measure/codec.h"
#include "harness/measure/series.h"

enum {
    FQ_MEASURE_DISTORTION = 1U,
    FQ_MEASURE_INNER_PRODUCT = 2U,
    FQ_MEASURE_ATTENTION = 4U, /* KV sets with queries (tensor key), with queries and values */
    FQ_MEASURE_BYTES = 8U,
    FQ_MEASURE_NEEDLE = 16U /* keys and vectors, without a centre */
};

struct fq_measure_options {
    unsigned metrics;           /* FQ_MEASURE_... */
    uint64_t data_seed;         /* streams "query" and "sample" */
    size_t max_windows;         /* KV: windows measured, evenly spaced; 0: all */
    size_t window_queries;      /* KV: sampled query positions per window and query head */
    size_t max_pairs;           /* vectors: how many vectors get probing queries (distortion always sees all) */
    size_t max_real_queries;    /* vectors: queries of the set that are used */
    enum fq_centre_kind centre; /* KV sets, tensor key: taken off each key and put back after decoding (centre.h) */
};
/* All metrics, seed 1, every window, 4 positions, 4096 vectors, 64 queries, no centre. */
void fq_measure_options_default(struct fq_measure_options *options);

/* Can this metric be had from this data and this codec? Attention needs a KV set with queries (and values, for tensor
 * value); inner products of a KV set need keys and queries; distortion needs a decode stage. */
bool fq_measure_possible(unsigned metric, const struct fq_dataset_info *info, const struct fq_codec *codec);
/* Measures the tensor that the codec was opened for and appends series to `list`. A metric that is asked for and not
 * possible is FQ_USAGE, and says why: nothing is left out in silence. */
int fq_measure_dataset(struct fq_codec *codec, struct fq_dataset *set, const struct fq_measure_options *options,
                       struct fq_series_list *list, struct fq_error *err);

/* Bytes since the codec was opened. `tensor` is a label: "key", "value", "vectors". */
int fq_measure_bytes(const struct fq_codec *codec, const char *tensor, struct fq_series_list *list,
                     struct fq_error *err);
/* "vectors" unless the set is a KV set. */
const char *fq_tensor_label(const struct fq_dataset_info *info, enum fq_tensor tensor);

/* ---- speed ----------------------------------------------------------------------------------------------------- */

struct fq_speed_options {
    uint64_t warmup_limit_ns; /* warm-up ends when stable (three rounds within 5 %) or here */
    uint64_t block_ns;        /* the timed region repeats all stages until it has lasted this long */
    int process, block;       /* label_a, label_b */
};
void fq_speed_options_default(struct fq_speed_options *options); /* 200 ms, 20 ms, 0, 0 */

struct fq_speed_facts {
    struct fq_watch_result watch; /* of the timed region: threads alive, CPU over wall */
    uint64_t rounds, warmup_rounds;
    bool warmup_stable; /* false: the limit ended it */
    double read_gb_per_s, multiply_add_gop_per_s, clock_overhead_ns;
};

/* One block: every stage that the method has, over x[n][dim] and q[n_queries][dim]. Yields, for each stage S,
 *   ns_S            ns per vector (per query for prepare, per pair for score)
 *   bytes_moved_S   bytes read and written per vector, by the shapes
 *   floor_ns_S      bytes moved over the bandwidth measured in this process, with as many threads, on a working set
 *                   of the size that this stage reads and writes in one round
 *   over_floor_S    ns_S / floor_ns_S; below 1 is impossible */
int fq_measure_speed(struct fq_codec *codec, size_t n, const float *x, size_t n_queries, const float *q,
                     const char *tensor, const struct fq_speed_options *options, struct fq_series_list *list,
                     struct fq_speed_facts *facts, struct fq_error *err);

/* Physical floors of this machine with the pool's threads, measured once per process, number of threads and size of the
 * working set: bandwidth of whatever level of memory holds that many bytes. */
struct fq_floors {
    double bytes_per_ns;         /* the faster of reading and copying (read + written) */
    double multiply_adds_per_ns; /* independent float multiply-adds in plain C */
    size_t stream_bytes;
};
int fq_floors_measure(size_t working_set_bytes, struct fq_floors *out, struct fq_error *err);

#endif
