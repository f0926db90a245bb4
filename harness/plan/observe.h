/* Facts of a cell as they are observed while it runs; internal to the plan floor.
 *
 * Names are what contracts and the audit refer to (docs/fairness.md lists them). Nothing here is copied from the sweep:
 * threads are counted, the backend is the one that ran, bytes are those that were written. */
#ifndef FQ_PLAN_OBSERVE_H
#define FQ_PLAN_OBSERVE_H

#include "harness/base/env.h"
#include "harness/base/pool.h"
#include "harness/measure/codec.h"
#include "harness/plan/cell.h"

/* Facts of machine, binary and method that hold for every cell: device, cpu_model, isa_cap, compiler, flags_hash,
 * binary_sha256, blas_core, blas_threads, blas_coretype, threads_configured, cpu_set, backend, plugin, imports, seed.
 */
int fq_observe_conditions(struct fq_cell *cell, const struct fq_method *method, enum fq_backend backend,
                          struct fq_error *err);

/* threads_alive, cpu_over_wall, wall_ns, cpu_ns. */
int fq_observe_watch(struct fq_cell *cell, const struct fq_watch_result *watch, struct fq_error *err);

/* rate_bits, promised_bytes, written_bytes, side_bytes, tail_bytes, shared_bytes, vectors, canaries, shared_state;
 * training (what the codec was fitted to) of one that learns; also cell->rate_bits. value may be NULL (one codec) or
 * the second codec of a model cell: then bytes are summed. */
int fq_observe_codecs(struct fq_cell *cell, const struct fq_codec *key, const struct fq_codec *value, size_t dim,
                      struct fq_error *err);

/* The machine's facts for a results file: those of base and of the libraries this floor links. Returns how many. */
size_t fq_observe_machine(struct fq_fact *out, size_t max);
enum { FQ_MACHINE_FACTS = FQ_ENV_MAX + 8 };

#endif
