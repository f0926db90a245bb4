/* The inside of a bench, shared by bench.c (codec and model cells) and bench_speed.c. */
#ifndef FQ_PLAN_BENCH_INTERNAL_H
#define FQ_PLAN_BENCH_INTERNAL_H

#include "harness/measure/codec.h"
#include "harness/measure/perplexity.h"
#include "harness/measure/probe.h"
#include "harness/plan/bench.h"

struct fq_probed {
    size_t instance, dim;
    enum fq_tensor tensor;
    char sentence[FQ_PROBE_SENTENCE]; /* what was found; "" for nothing */
};

struct fq_bench {
    const struct fq_plan *plan;

    struct fq_dataset *set; /* of sweep.data[set_index] */
    size_t set_index;

    struct fq_ppl_reference *reference; /* of sweep.models[reference_index] */
    size_t reference_index;

    fq_bench_progress *progress; /* may be NULL */
    void *progress_arg;
    char keep[3500];            /* folder of finished windows; "" for none */
    const struct fq_cell *cell; /* that is running */
    double before;              /* part of the running cell that its full-precision pass was */

    struct fq_codec **timed; /* [n_instances], on the data below; NULL until first used */
    float *x, *q;            /* vectors and queries of the timed dataset */
    size_t timed_index, n_x;

    struct fq_probed *probed;
    size_t n_probed;
};

int fq_bench_set(struct fq_bench *bench, size_t index, struct fq_error *err); /* opens, if another was open */
int fq_bench_codec(struct fq_bench *bench, const struct fq_planned *p, size_t dim, enum fq_tensor tensor,
                   struct fq_codec **out, struct fq_error *err);

/* ---- bench_probe.c: facts codes_only, codes_probed, probe_sandbox ---- */
/* On vectors of its own, before the measurement: once per instance and shape in this process. */
int fq_bench_probe(struct fq_bench *bench, const struct fq_planned *p, struct fq_codec *codec, size_t dim,
                   enum fq_tensor tensor, struct fq_cell *cell, struct fq_error *err);
/* Around a measurement: one of its batches is kept and examined afterwards, if this cell is one of those; codec may be
 * NULL. */
int fq_bench_witness_begin(const struct fq_bench *bench, const struct fq_planned *p, struct fq_codec *codec,
                           struct fq_error *err);
int fq_bench_witness_end(struct fq_codec *codec, struct fq_cell *cell, struct fq_error *err);
/* After a timed block: the records that its last round left, if this block is the drawn one. */
int fq_bench_probe_timed(struct fq_bench *bench, const struct fq_planned *p, struct fq_codec *codec, size_t dim,
                         struct fq_cell *cell, struct fq_error *err);

/* fq_ppl_progress of an arm; arg is the bench. */
void fq_bench_arm_progress(void *bench, size_t done, size_t total);
int fq_bench_floor(struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell,
                   struct fq_error *err); /* bench_floor.c */

/* The full-precision pass of the cell's model: opens it, if another was open. Facts of that pass, and of the needles
 * that the cell was asked for. */
int fq_bench_reference(struct fq_bench *bench, const struct fq_planned *p, struct fq_error *err);
int fq_bench_model_facts(const struct fq_bench *bench, const struct fq_sweep_model *m, struct fq_cell *cell,
                         struct fq_error *err);
/* Where attention errors were measured, or why not. */
int fq_bench_attention_fact(const struct fq_bench *bench, struct fq_cell *cell, struct fq_error *err);
int fq_bench_needle_facts(const struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell,
                          struct fq_error *err);
int fq_bench_policy(struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell,
                    struct fq_error *err); /* bench_policy.c */

/* A probe on vectors of its own, and a fact that says what was found: of codecs without an instance. */
int fq_bench_probe_codec(struct fq_codec *codec, size_t dim, struct fq_cell *cell, struct fq_error *err);

/* The number of threads that this cell's pool has. */
unsigned fq_bench_threads(const struct fq_bench *bench, const struct fq_planned *p);

int fq_bench_speed(struct fq_bench *bench, const struct fq_planned *p, struct fq_cell *cell, struct fq_error *err);
void fq_bench_speed_close(struct fq_bench *bench);

/* n gaussian floats of a named stream: values for probes and queries, where only the shape matters. */
void fq_bench_gaussian(const char *stream, size_t n, float *out);

#endif
