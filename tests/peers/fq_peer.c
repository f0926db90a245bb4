/* Our side of a comparison with the original code: one method, one parameter set, vectors from a file, everything that
 * came out to files. A driver for the scripts beside it, not a test; it links the methods and base, and no harness.
 *
 *   fq_peer METHOD PARAMS DIM SEED key|value VECTORS.f32 OUT [QUERIES.f32 [TRAINING.f32]]
 * Files of vectors are float32, rows of DIM, no header; "-" stands for no queries. Writes OUT/records.bin,
 * OUT/rotated.f32 (rows of work_dim, what encode saw), OUT/shared.bin, OUT/decoded.f32, OUT/scores.f32 (query by query,
 * with queries), and prints one line of JSON. Vectors beyond a whole number of records are left out. Exit 2: a sentence
 * on stderr. */
#include "harness/base/random.h"
#include "methods/common/method_run.h"
#include "methods/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, const char *name) {
    fprintf(stderr, "fq_peer: %s: %s\n", what, name);
    exit(2);
}

static void *bytes_of(size_t n) {
    void *p = aligned_alloc(64, n / 64 * 64 + 64);
    if (!p)
        die("out of memory", "buffers");
    memset(p, 0xA5, n / 64 * 64 + 64);
    return p;
}

static float *read_rows(const char *path, size_t dim, size_t *n) {
    FILE *f = fopen(path, "rb");
    if (!f)
        die("cannot be read", path);
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    rewind(f);
    *n = (size_t)size / sizeof(float) / dim;
    float *x = bytes_of(*n * dim * sizeof *x);
    if (fread(x, sizeof *x * dim, *n, f) != *n)
        die("ended early", path);
    fclose(f);
    return x;
}

static void write_file(const char *folder, const char *name, const void *data, size_t bytes) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f) != 0)
        die("cannot be written", path);
}

static const struct fq_method *find(const char *name) {
    for (size_t i = 0; fq_methods[i]; i++)
        if (strcmp(fq_methods[i]->name, name) == 0)
            return fq_methods[i];
    die("no such method", name);
    return NULL;
}

static void train(struct fq_method_run *run, const struct fq_streams *streams, const char *path) {
    const struct fq_method *m = run->method;
    const bool wants = m->train && (m->needs_training ? m->needs_training(&run->params) : !m->data_oblivious);
    if (!wants)
        return;
    if (!path)
        die("learns from data and got no training file", m->name);
    size_t n;
    float *x = read_rows(path, run->shape.dim, &n);
    void *work = bytes_of(m->setup_scratch ? m->setup_scratch(&run->params, &run->shape) : 0);
    m->train(&run->params, &run->shape, streams, n, x, run->shared, work);
    free(work);
    free(x);
}

int main(int argc, char **argv) {
    if (argc < 8)
        die("usage", "METHOD PARAMS DIM SEED key|value VECTORS OUT [QUERIES [TRAINING]]");
    const struct fq_method *method = find(argv[1]);
    const size_t dim = strtoul(argv[3], NULL, 10);
    const struct fq_streams streams = fq_streams_for(strtoull(argv[4], NULL, 10));
    struct fq_method_run run;
    if (dim < 1 || dim > FQ_MAX_DIM || fq_method_run_open(&run, method, argv[2], dim, &streams) != 0)
        die("parameters or dimension refused", argv[2]);
    run.shape.tensor = strcmp(argv[5], "value") == 0 ? FQ_VALUE : FQ_KEY;
    const struct fq_footprint f = method->footprint(&run.params, &run.shape);
    if (run.shape.tensor == FQ_VALUE) { /* opened as keys: the shared state and scratch of values may be larger */
        free(run.scratch);
        run.footprint = f;
        run.call.shape = run.shape;
        run.scratch = bytes_of(f.scratch_bytes);
        run.call.scratch = run.scratch;
    }
    train(&run, &streams, argc > 9 ? argv[9] : NULL);

    size_t n, n_queries = 0;
    float *x = read_rows(argv[6], dim, &n);
    const size_t groups = n / f.granularity;
    n = groups * f.granularity;
    uint8_t *records = bytes_of(groups * f.record_bytes);
    float *rotated = bytes_of(n * f.work_dim * sizeof *rotated), *decoded = bytes_of(n * dim * sizeof *decoded);
    if (run.kernels->rotate)
        run.kernels->rotate(&run.call, n, x, rotated);
    else
        memcpy(rotated, x, n * dim * sizeof *x);
    if (fq_method_run_encode(&run, groups, x, records) != groups)
        die("a vector has no representation", method->name);
    write_file(argv[7], "rotated.f32", rotated, n * f.work_dim * sizeof *rotated);
    write_file(argv[7], "shared.bin", run.shared, f.shared_bytes);
    write_file(argv[7], "records.bin", records, groups * f.record_bytes);
    if (run.kernels->decode) {
        fq_method_run_decode(&run, groups, records, decoded);
        write_file(argv[7], "decoded.f32", decoded, n * dim * sizeof *decoded);
    }
    if (argc > 8 && strcmp(argv[8], "-") != 0 && run.kernels->score) {
        float *q = read_rows(argv[8], dim, &n_queries), *scores = bytes_of(n_queries * n * sizeof *scores);
        for (size_t i = 0; i < n_queries; i++)
            fq_method_run_score(&run, q + i * dim, groups, records, scores + i * n);
        write_file(argv[7], "scores.f32", scores, n_queries * n * sizeof *scores);
        free(q);
        free(scores);
    }
    printf("{\"n\": %zu, \"queries\": %zu, \"granularity\": %zu, \"record_bytes\": %zu, \"side_bytes\": %zu, "
           "\"work_dim\": %zu, \"shared_bytes\": %zu, \"decodes\": %d}\n",
           n, n_queries, f.granularity, f.record_bytes, f.side_bytes, f.work_dim, f.shared_bytes,
           run.kernels->decode != NULL);
    free(x);
    free(records);
    free(rotated);
    free(decoded);
    fq_method_run_close(&run);
    return 0;
}
