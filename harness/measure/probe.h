/* Codes-only probes: is there any channel from encode to decode besides records and shared state?
 *
 * Each writes "" (none found) or one sentence into `sentence`; what they return is an error only when the probe itself
 * could not be carried out. Byte totals and stage times of the codec are left as they were. */
#ifndef FQ_MEASURE_PROBE_H
#define FQ_MEASURE_PROBE_H

#include "harness/measure/codec.h"

enum { FQ_PROBE_SENTENCE = 240 };

/* In this process: encodes x[n][dim], copies the records elsewhere, overwrites vectors and records by another batch,
 * and decodes the copy: it must equal the first decode bit for bit. Also with two different fillings of scratch, so
 * that a method which reads scratch before writing it is seen. n >= granularity. The records of the last encode are
 * lost. */
int fq_codec_probe_codes_only(struct fq_codec *codec, size_t n, const float *x, char sentence[FQ_PROBE_SENTENCE],
                              struct fq_error *err);

/* In another process, which never saw the vectors: writes parameters, shared state and records to a temporary file,
 * runs this executable with `--decode-probe FILE`, and compares what it decodes and scores, bit for bit. */
int fq_probe_fresh_process(struct fq_codec *codec, size_t n, const float *x, char sentence[FQ_PROBE_SENTENCE],
                           struct fq_error *err);

/* The other side: main (and test programs) call this when argv[1] is "--decode-probe", after the built-in methods are
 * registered. Writes FILE.out; returns the exit status. */
int fq_probe_main(const char *file);

#endif
