/* Writes a results file, whole or not at all.
 *
 * HDF5 builds the file in memory; its image is then written by the ordinary path for files that are whole or absent.
 * So a full disk is one sentence, where HDF5 writing to the disk itself would fail late, inside its own exit handler.
 * It must not change what it writes. */
#include "harness/plan/results.h"

#include "harness/base/file.h"
#include "harness/base/sha256.h"
#include "harness/plan/results_schema.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_ROWS = 4096 };

static int out_of_memory(const char *path, struct fq_error *err) {
    return fq_fail(err, FQ_FAILED, "out of memory while writing results '%s'", path);
}

static bool put_text(hid_t file, const char *name, const char *text) {
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    (void)H5Tset_size(type, strlen(text) + 1);
    const hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool ok = attribute >= 0 && H5Awrite(attribute, type, text) >= 0;
    if (attribute >= 0)
        (void)H5Aclose(attribute);
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    return ok;
}

static bool put_count(hid_t file, const char *name, uint64_t value) {
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(file, name, H5T_STD_U64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool ok = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_UINT64, &value) >= 0;
    if (attribute >= 0)
        (void)H5Aclose(attribute);
    (void)H5Sclose(space);
    return ok;
}

/* One table of n rows. Compressed and with a checksum per chunk: facts repeat in every cell, and a flipped bit must be
 * an error instead of another number. */
static bool put_rows(hid_t file, const char *name, hid_t memory, size_t n, const void *rows) {
    const hid_t stored = H5Tcopy(memory);
    if (H5Tget_class(stored) == H5T_COMPOUND)
        (void)H5Tpack(stored);
    const hsize_t size = n, chunk = n < CHUNK_ROWS ? n : CHUNK_ROWS;
    const hid_t space = H5Screate_simple(1, &size, NULL), how = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_obj_track_times(how, false);
    if (n > 0) {
        (void)H5Pset_chunk(how, 1, &chunk);
        (void)H5Pset_deflate(how, 3);
        (void)H5Pset_fletcher32(how);
    }
    const hid_t set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, how, H5P_DEFAULT);
    const bool ok = set >= 0 && (n == 0 || H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) >= 0);
    if (set >= 0)
        (void)H5Dclose(set);
    (void)H5Pclose(how);
    (void)H5Sclose(space);
    (void)H5Tclose(stored);
    return ok;
}

static bool put_compound(hid_t file, const char *name, hid_t type, size_t n, const void *rows) {
    const bool ok = put_rows(file, name, type, n, rows);
    (void)H5Tclose(type);
    return ok;
}

static bool put_facts(hid_t file, const struct fq_results *r) {
    size_t n = 0, at = 0;
    for (size_t c = 0; c < r->n_cells; c++)
        n += r->cells[c].n_facts;
    struct fq_fact_row *rows = calloc(n + 1, sizeof *rows);
    if (!rows)
        return false;
    for (size_t c = 0; c < r->n_cells; c++)
        for (size_t i = 0; i < r->cells[c].n_facts; i++) {
            rows[at].cell = (uint32_t)c;
            rows[at++].fact = r->cells[c].facts[i];
        }
    const bool ok = put_compound(file, "facts", fq_type_fact_row(), n, rows);
    free(rows);
    return ok;
}

struct samples {
    double *value, *weight;
    int32_t *label_a, *label_b;
};

static void free_samples(struct samples *s) {
    free(s->value);
    free(s->weight);
    free(s->label_a);
    free(s->label_b);
}

/* The row was zeroed and only text is copied: what lies behind the end of a string must not reach a file. */
static void copy_series(const struct fq_series *from, struct fq_series_row *row, struct samples *s, size_t first) {
    snprintf(row->metric, sizeof row->metric, "%s", from->metric);
    snprintf(row->tensor, sizeof row->tensor, "%s", from->tensor);
    snprintf(row->unit, sizeof row->unit, "%s", from->unit);
    snprintf(row->statistics, sizeof row->statistics, "%s", from->statistics);
    snprintf(row->resample, sizeof row->resample, "%s", from->resample);
    row->weighted = from->weight != NULL;
    row->first = first;
    row->n = from->n;
    for (size_t i = 0; i < from->n; i++) {
        s->value[first + i] = from->value[i];
        s->weight[first + i] = from->weight ? from->weight[i] : 1.0;
        s->label_a[first + i] = from->label_a[i];
        s->label_b[first + i] = from->label_b[i];
    }
}

static bool put_series(hid_t file, const struct fq_results *r) {
    size_t n_series = 0, n = 0, at = 0, first = 0;
    for (size_t c = 0; c < r->n_cells; c++) {
        n_series += r->cells[c].series.n;
        for (size_t i = 0; i < r->cells[c].series.n; i++)
            n += r->cells[c].series.series[i].n;
    }
    struct fq_series_row *rows = calloc(n_series + 1, sizeof *rows);
    struct samples s = {calloc(n + 1, sizeof *s.value), calloc(n + 1, sizeof *s.weight),
                        calloc(n + 1, sizeof *s.label_a), calloc(n + 1, sizeof *s.label_b)};
    bool ok = rows && s.value && s.weight && s.label_a && s.label_b;
    for (size_t c = 0; ok && c < r->n_cells; c++)
        for (size_t i = 0; i < r->cells[c].series.n; i++) {
            const struct fq_series *from = &r->cells[c].series.series[i];
            rows[at].cell = (uint32_t)c;
            copy_series(from, &rows[at++], &s, first);
            first += from->n;
        }
    if (ok) {
        const hid_t group = H5Gcreate2(file, "samples", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        ok = group >= 0 && put_compound(file, "series", fq_type_series_row(), n_series, rows) &&
             put_rows(group, "value", H5T_NATIVE_DOUBLE, n, s.value) &&
             put_rows(group, "weight", H5T_NATIVE_DOUBLE, n, s.weight) &&
             put_rows(group, "label_a", H5T_NATIVE_INT32, n, s.label_a) &&
             put_rows(group, "label_b", H5T_NATIVE_INT32, n, s.label_b);
        if (group >= 0)
            (void)H5Gclose(group);
    }
    free(rows);
    free_samples(&s);
    return ok;
}

static bool build(hid_t file, const struct fq_results *r) {
    const char *text = r->sweep_text ? r->sweep_text : "";
    return put_text(file, "schema", FQ_RESULTS_SCHEMA) && put_text(file, "sweep_name", r->sweep_name) &&
           put_text(file, "sweep_sha256", r->sweep_sha256) && put_text(file, "written_by", "fairquant " FQ_VERSION) &&
           put_count(file, "planned", r->planned) &&
           put_rows(file, "sweep_text", H5T_NATIVE_UINT8, strlen(text), text) &&
           put_compound(file, "machine", fq_type_fact(), r->n_machine, r->machine) &&
           put_compound(file, "cells", fq_type_cell(), r->n_cells, r->cells) && put_facts(file, r) &&
           put_series(file, r);
}

/* The bytes of the finished file, malloc'ed; NULL when memory is out. */
static void *image_of(const struct fq_results *r, size_t *size) {
    void *image = NULL;
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    (void)H5Pset_fapl_core(access, (size_t)1 << 18, false);
    const hid_t file = H5Fcreate("results", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    if (file >= 0 && build(file, r) && H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0) {
        const ssize_t n = H5Fget_file_image(file, NULL, 0);
        image = n > 0 ? malloc((size_t)n) : NULL;
        if (image && H5Fget_file_image(file, image, (size_t)n) != n) {
            free(image);
            image = NULL;
        }
        *size = n > 0 ? (size_t)n : 0;
    }
    if (file >= 0)
        (void)H5Fclose(file);
    (void)H5Pclose(access);
    return image;
}

int fq_results_write(const char *path, const struct fq_results *results, struct fq_error *err) {
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    struct fq_outfile out;
    FQ_TRY(fq_outfile_open(&out, path, err)); /* before the work: an unwritable path is told at once */
    size_t size = 0;
    void *image = image_of(results, &size);
    if (!image) {
        fq_outfile_abort(&out);
        return out_of_memory(path, err);
    }
    char block[FQ_RESULTS_BLOCK] = "", sha256[FQ_SHA256_HEX];
    fq_sha256(image, size, sha256);
    snprintf(block, sizeof block, "%s%s\n", FQ_RESULTS_MARK, sha256);
    (void)fwrite(block, 1, sizeof block, out.stream); /* a short write is seen by commit */
    (void)fwrite(image, 1, size, out.stream);
    free(image);
    return fq_outfile_commit(&out, err);
}

int fq_results_append(struct fq_results *into, struct fq_cell *cell, struct fq_error *err) {
    if (into->n_cells == into->cells_room) {
        const size_t room = into->cells_room ? 2 * into->cells_room : 64;
        struct fq_cell *grown = realloc(into->cells, room * sizeof *grown);
        if (!grown)
            return fq_fail(err, FQ_FAILED, "out of memory for %zu cells", room);
        into->cells = grown;
        into->cells_room = room;
    }
    into->cells[into->n_cells++] = *cell;
    memset(cell, 0, sizeof *cell);
    return 0;
}

void fq_results_free(struct fq_results *results) {
    for (size_t i = 0; i < results->n_cells; i++)
        fq_cell_free(&results->cells[i]);
    free(results->cells);
    free(results->machine);
    free(results->sweep_text);
    memset(results, 0, sizeof *results);
}
