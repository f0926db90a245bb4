/* Reads a results file and refuses, with one sentence, whatever is none, is damaged or was cut short.
 *
 * It must not trust a single count of the file: sizes and row numbers are checked before they are used. */
#include "harness/plan/results.h"

#include "harness/base/file.h"
#include "harness/base/sha256.h"
#include "harness/plan/results_schema.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int damaged(const char *path, const char *what, struct fq_error *err) {
    return fq_fail(err, FQ_USAGE,
                   "'%s': %s cannot be read: the results file is truncated or damaged; copy it again or run the sweep "
                   "again",
                   path, what);
}

/* A text attribute of the root, or false. */
static bool get_text(hid_t file, const char *name, char *out, size_t size) {
    const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
    if (attribute < 0)
        return false;
    const hid_t stored = H5Aget_type(attribute), type = H5Tcopy(H5T_C_S1);
    bool ok = false;
    char *text = NULL;
    if (H5Tget_class(stored) == H5T_STRING && H5Tis_variable_str(stored) > 0) {
        (void)H5Tset_size(type, H5T_VARIABLE);
        ok = H5Aread(attribute, type, &text) >= 0 && text;
        if (ok)
            snprintf(out, size, "%s", text);
        (void)H5free_memory(text);
    } else if (H5Tget_class(stored) == H5T_STRING) {
        (void)H5Tset_size(type, H5Tget_size(stored) + 1);
        text = calloc(1, H5Tget_size(stored) + 1);
        ok = text && H5Aread(attribute, type, text) >= 0;
        if (ok)
            snprintf(out, size, "%s", text);
        free(text);
    }
    (void)H5Tclose(type);
    (void)H5Tclose(stored);
    (void)H5Aclose(attribute);
    return ok;
}

static bool get_count(hid_t file, const char *name, size_t *out) {
    uint64_t value = 0;
    const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
    const bool ok = attribute >= 0 && H5Aread(attribute, H5T_NATIVE_UINT64, &value) >= 0;
    if (attribute >= 0)
        (void)H5Aclose(attribute);
    *out = (size_t)value;
    return ok;
}

/* True if every member of the wanted compound is in the stored one. */
static bool has_members(hid_t stored, hid_t wanted) {
    if (H5Tget_class(wanted) != H5T_COMPOUND)
        return H5Tget_class(stored) == H5Tget_class(wanted);
    if (H5Tget_class(stored) != H5T_COMPOUND)
        return false;
    const int n = H5Tget_nmembers(wanted);
    for (int i = 0; i < n; i++) {
        char *name = H5Tget_member_name(wanted, (unsigned)i);
        const bool there = name && H5Tget_member_index(stored, name) >= 0;
        (void)H5free_memory(name);
        if (!there)
            return false;
    }
    return true;
}

/* All rows of a one-dimensional table, zeroed first, one spare row at the end; NULL if it is not as expected. */
static void *get_rows(hid_t file, const char *name, hid_t type, size_t row_bytes, size_t *n) {
    void *rows = NULL;
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0)
        return NULL;
    const hid_t space = H5Dget_space(set), stored = H5Dget_type(set);
    hsize_t size = 0;
    if (H5Sget_simple_extent_ndims(space) == 1 && H5Sget_simple_extent_dims(space, &size, NULL) == 1 &&
        has_members(stored, type) && size < SIZE_MAX / row_bytes - 1)
        rows = calloc((size_t)size + 1, row_bytes);
    if (rows && size > 0 && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) < 0) {
        free(rows);
        rows = NULL;
    }
    *n = (size_t)size;
    (void)H5Tclose(stored);
    (void)H5Sclose(space);
    (void)H5Dclose(set);
    return rows;
}

static void *get_compound(hid_t file, const char *name, hid_t type, size_t row_bytes, size_t *n) {
    void *rows = get_rows(file, name, type, row_bytes, n);
    (void)H5Tclose(type);
    return rows;
}

static int read_cells(hid_t file, const char *path, struct fq_results *out, struct fq_error *err) {
    size_t n = 0;
    struct fq_cell *cells = get_compound(file, "cells", fq_type_cell(), sizeof *cells, &n);
    if (!cells)
        return damaged(path, "/cells", err);
    for (size_t i = 0; i < n; i++) { /* what the file does not hold must not be taken from it */
        cells[i].facts = NULL;
        cells[i].n_facts = cells[i].facts_room = 0;
        memset(&cells[i].series, 0, sizeof cells[i].series);
    }
    out->cells = cells;
    out->n_cells = n;
    out->cells_room = n + 1;
    return 0;
}

static int read_facts(hid_t file, const char *path, struct fq_results *out, struct fq_error *err) {
    size_t n = 0;
    struct fq_fact_row *rows = get_compound(file, "facts", fq_type_fact_row(), sizeof *rows, &n);
    if (!rows)
        return damaged(path, "/facts", err);
    int code = 0;
    for (size_t i = 0; code == 0 && i < n; i++) {
        if (rows[i].cell >= out->n_cells)
            code = damaged(path, "/facts (a row names a cell that is not there)", err);
        else
            code = fq_cell_fact(&out->cells[rows[i].cell], rows[i].fact.name, err, "%s", rows[i].fact.text);
    }
    free(rows);
    return code;
}

struct samples {
    double *value, *weight;
    int32_t *label_a, *label_b;
    size_t n;
};

static int fill_series(const struct fq_series_row *row, const struct samples *s, struct fq_cell *cell,
                       struct fq_error *err) {
    struct fq_series *series =
        fq_series_add(&cell->series, row->metric, row->tensor, row->unit, row->statistics, row->resample, err);
    if (!series)
        return err->code;
    for (size_t i = (size_t)row->first; i < row->first + row->n; i++)
        FQ_TRY(
            fq_series_push(series, s->value[i], row->weighted ? s->weight[i] : 1.0, s->label_a[i], s->label_b[i], err));
    return 0;
}

static int read_series(hid_t file, const char *path, struct fq_results *out, struct fq_error *err) {
    size_t n = 0, counts[4] = {0};
    struct samples s = {get_rows(file, "samples/value", H5T_NATIVE_DOUBLE, sizeof(double), &counts[0]),
                        get_rows(file, "samples/weight", H5T_NATIVE_DOUBLE, sizeof(double), &counts[1]),
                        get_rows(file, "samples/label_a", H5T_NATIVE_INT32, sizeof(int32_t), &counts[2]),
                        get_rows(file, "samples/label_b", H5T_NATIVE_INT32, sizeof(int32_t), &counts[3]), 0};
    struct fq_series_row *rows = get_compound(file, "series", fq_type_series_row(), sizeof *rows, &n);
    int code = 0;
    s.n = counts[0];
    if (!s.value || !s.weight || !s.label_a || !s.label_b || !rows)
        code = damaged(path, "/series or /samples", err);
    else if (counts[1] != s.n || counts[2] != s.n || counts[3] != s.n)
        code = damaged(path, "/samples (columns of unequal length)", err);
    for (size_t i = 0; code == 0 && i < n; i++) {
        if (rows[i].cell >= out->n_cells || rows[i].first > s.n || rows[i].n > s.n - rows[i].first)
            code = damaged(path, "/series (a row points outside the samples)", err);
        else
            code = fill_series(&rows[i], &s, &out->cells[rows[i].cell], err);
    }
    free(rows);
    free(s.value);
    free(s.weight);
    free(s.label_a);
    free(s.label_b);
    return code;
}

static int read_all(hid_t file, const char *path, struct fq_results *out, struct fq_error *err) {
    char schema[64] = "";
    if (!get_text(file, "schema", schema, sizeof schema) || strcmp(schema, FQ_RESULTS_SCHEMA) != 0 ||
        !get_text(file, "sweep_name", out->sweep_name, sizeof out->sweep_name) ||
        !get_text(file, "sweep_sha256", out->sweep_sha256, sizeof out->sweep_sha256) ||
        !get_count(file, "planned", &out->planned))
        return damaged(path, "the attributes of the root", err);
    size_t n = 0;
    out->sweep_text = get_rows(file, "sweep_text", H5T_NATIVE_UINT8, 1, &n);
    if (!out->sweep_text)
        return damaged(path, "/sweep_text", err);
    out->machine = get_compound(file, "machine", fq_type_fact(), sizeof *out->machine, &out->n_machine);
    if (!out->machine)
        return damaged(path, "/machine", err);
    FQ_TRY(read_cells(file, path, out, err));
    FQ_TRY(read_facts(file, path, out, err));
    return read_series(file, path, out, err);
}

/* What else the file is, for the sentence. */
static int no_results_file(const char *path, struct fq_error *err) {
    char schema[64] = "none";
    if (H5Fis_hdf5(path) <= 0)
        return fq_fail(err, FQ_USAGE, "'%s': expected a results file (HDF5, schema %s), found another kind of file",
                       path, FQ_RESULTS_SCHEMA);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file >= 0) {
        (void)get_text(file, "schema", schema, sizeof schema);
        (void)H5Fclose(file);
    }
    return fq_fail(err, FQ_USAGE,
                   "'%s': expected a results file (schema %s), found an HDF5 file of schema %s; name a file that "
                   "`fairquant run` or `fairquant merge` wrote",
                   path, FQ_RESULTS_SCHEMA, schema);
}

/* The user block says what all other bytes must hash to. */
static int check_bytes(const char *path, struct fq_error *err) {
    static const char mark[] = FQ_RESULTS_MARK;
    char *bytes = NULL, sha256[FQ_SHA256_HEX];
    size_t n = 0;
    FQ_TRY(fq_read_text(path, &bytes, &n, err));
    int code = 0;
    if (n < sizeof mark - 1 || memcmp(bytes, mark, sizeof mark - 1) != 0) {
        code = no_results_file(path, err);
    } else if (n < FQ_RESULTS_BLOCK) {
        code = damaged(path, "the user block", err);
    } else {
        fq_sha256(bytes + FQ_RESULTS_BLOCK, n - FQ_RESULTS_BLOCK, sha256);
        if (memcmp(bytes + sizeof mark - 1, sha256, FQ_SHA256_HEX - 1) != 0)
            code = damaged(path, "the whole file (its SHA-256 is not the one written in it)", err);
    }
    free(bytes);
    return code;
}

int fq_results_read(const char *path, struct fq_results *out, struct fq_error *err) {
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    memset(out, 0, sizeof *out);
    if (access(path, R_OK) != 0)
        return fq_fail(
            err, FQ_USAGE,
            "'%s': no such results file, or it cannot be read; `fairquant run SWEEP.yaml --out %s` makes one", path,
            path);
    FQ_TRY(check_bytes(path, err));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return damaged(path, "the file", err);
    const int code = read_all(file, path, out, err);
    (void)H5Fclose(file);
    if (code != 0)
        fq_results_free(out);
    return code;
}
