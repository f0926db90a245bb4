/* Codes-only probes: is there any channel from encode to decode besides records and shared state?
 *
 * Each writes "" (none found) or one sentence into `sentence`; what they return is an error only when the probe itself
 * could not be carried out. Byte totals and stage times of the codec are left as they were. */
#ifndef FQ_MEASURE_PROBE_H
#define FQ_MEASURE_PROBE_H

#include "harness/measure/codec.h"

#include <stdbool.h>

enum { FQ_PROBE_SENTENCE = 240 };

/* In this process: encodes x[n][dim], copies the records elsewhere, overwrites vectors and records by another batch,
 * and decodes the copy: it must equal the first decode bit for bit. Also with two different fillings of scratch, so
 * that a method which reads scratch before writing it is seen. n >= granularity. The records of the last encode are
 * lost. */
int fq_codec_probe_codes_only(struct fq_codec *codec, size_t n, const float *x, char sentence[FQ_PROBE_SENTENCE],
                              struct fq_error *err);

/* In another process, which never saw the vectors: writes parameters, shared state and records to a temporary file,
 * runs this executable with `--decode-probe FILE`, and compares what it decodes, scores and attends, bit for bit. */
int fq_probe_fresh_process(struct fq_codec *codec, size_t n, const float *x, char sentence[FQ_PROBE_SENTENCE],
                           struct fq_error *err);

/* ---- the batches of a measurement ----
 *
 * A probe of a batch of its own says nothing of a method that is honest when it is probed. So one batch of those that a
 * measurement encodes is kept, drawn by the stream "sample": its vectors, records and shared state, what was decoded
 * from it for the measurement, and one of the queries it was scored with. Afterwards a fresh process decodes and
 * scores the same records, and everything must agree bit for bit: what it says, what this process says now, and what
 * the measurement was given. A few of the vectors are also encoded again in a small batch: the same bytes. */
int fq_witness_begin(struct fq_codec *codec, uint64_t draw, struct fq_error *err);
bool fq_witness_present(const struct fq_codec *codec);
/* Ends it. `what` (may be NULL) receives "batch 18 of 60, 512 vectors"; "no whole group" if nothing but the float16
 * tail was encoded, which no method ever sees. The records of the last encode are lost. */
int fq_witness_end(struct fq_codec *codec, char *what, size_t what_size, char sentence[FQ_PROBE_SENTENCE],
                   struct fq_error *err);
/* The same for the records that the last encode left, whose vectors were x[n][dim]: after a timed region, in which
 * nothing may be copied. */
int fq_probe_last_batch(struct fq_codec *codec, size_t n, const float *x, uint64_t draw,
                        char sentence[FQ_PROBE_SENTENCE], struct fq_error *err);

/* How the last fresh process was shut in: "seccomp and landlock", "seccomp", or "none". Shut in, it can open nothing:
 * no file, no socket, no shared memory. "not tried" before the first. */
const char *fq_probe_sandbox(void);

/* The other side: main (and test programs) call this when argv[1] is "--decode-probe", after the built-in methods are
 * registered. Writes FILE.out and ends the process; returns the exit status if it comes to nothing. */
int fq_probe_main(const char *file);

#endif
