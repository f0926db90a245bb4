/* HDF5 types of the rows of a results file, one place for writer and reader.
 *
 * It must not open files. */
#include "harness/plan/results_schema.h"

#include <stddef.h>

/* One member: a fixed-size, zero-terminated string when `type` is negative. */
static void member(hid_t row, const char *name, size_t offset, size_t size, hid_t type) {
    if (type >= 0) {
        (void)H5Tinsert(row, name, offset, type);
        return;
    }
    const hid_t text = H5Tcopy(H5T_C_S1);
    (void)H5Tset_size(text, size);
    (void)H5Tinsert(row, name, offset, text);
    (void)H5Tclose(text);
}

#define TEXT(row, type, field) member(row, #field, offsetof(type, field), sizeof(((type *)0)->field), -1)
#define NUMBER(row, type, field, h5) member(row, #field, offsetof(type, field), 0, h5)

hid_t fq_type_fact(void) {
    const hid_t row = H5Tcreate(H5T_COMPOUND, sizeof(struct fq_fact));
    TEXT(row, struct fq_fact, name);
    TEXT(row, struct fq_fact, text);
    return row;
}

hid_t fq_type_fact_row(void) {
    const hid_t row = H5Tcreate(H5T_COMPOUND, sizeof(struct fq_fact_row));
    NUMBER(row, struct fq_fact_row, cell, H5T_NATIVE_UINT32);
    member(row, "name", offsetof(struct fq_fact_row, fact.name), sizeof(((struct fq_fact *)0)->name), -1);
    member(row, "text", offsetof(struct fq_fact_row, fact.text), sizeof(((struct fq_fact *)0)->text), -1);
    return row;
}

hid_t fq_type_series_row(void) {
    const hid_t row = H5Tcreate(H5T_COMPOUND, sizeof(struct fq_series_row));
    NUMBER(row, struct fq_series_row, cell, H5T_NATIVE_UINT32);
    TEXT(row, struct fq_series_row, metric);
    TEXT(row, struct fq_series_row, tensor);
    TEXT(row, struct fq_series_row, unit);
    TEXT(row, struct fq_series_row, statistics);
    TEXT(row, struct fq_series_row, resample);
    NUMBER(row, struct fq_series_row, weighted, H5T_NATIVE_UINT8);
    NUMBER(row, struct fq_series_row, first, H5T_NATIVE_UINT64);
    NUMBER(row, struct fq_series_row, n, H5T_NATIVE_UINT64);
    return row;
}

hid_t fq_type_cell(void) {
    const hid_t row = H5Tcreate(H5T_COMPOUND, sizeof(struct fq_cell));
    TEXT(row, struct fq_cell, id);
    TEXT(row, struct fq_cell, key);
    TEXT(row, struct fq_cell, kind);
    TEXT(row, struct fq_cell, data);
    TEXT(row, struct fq_cell, model);
    TEXT(row, struct fq_cell, method);
    TEXT(row, struct fq_cell, parameters);
    TEXT(row, struct fq_cell, label);
    TEXT(row, struct fq_cell, role);
    TEXT(row, struct fq_cell, rate_class);
    TEXT(row, struct fq_cell, contract);
    NUMBER(row, struct fq_cell, seed, H5T_NATIVE_UINT64);
    NUMBER(row, struct fq_cell, replicate, H5T_NATIVE_INT);
    NUMBER(row, struct fq_cell, process, H5T_NATIVE_INT);
    NUMBER(row, struct fq_cell, block, H5T_NATIVE_INT);
    NUMBER(row, struct fq_cell, order, H5T_NATIVE_UINT64);
    NUMBER(row, struct fq_cell, ok, H5T_NATIVE_HBOOL);
    TEXT(row, struct fq_cell, reason);
    NUMBER(row, struct fq_cell, nominal_bits, H5T_NATIVE_DOUBLE);
    NUMBER(row, struct fq_cell, rate_bits, H5T_NATIVE_DOUBLE);
    return row;
}
