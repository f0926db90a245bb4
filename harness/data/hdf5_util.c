/* What reading HDF5 needs in more than one place: opening without the library's own noise, attributes of either string
 * kind, slices as float32.
 *
 * The library prints a page of its internals for every failure; here that is switched off, and each failure becomes one
 * sentence about the file. */
#include "harness/base/half.h"
#include "harness/data/dataset_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* At exit the library closes what is open, and crashes if a file could not be closed before because the disk was full
 * (seen with 1.10.8): the user would read a sentence and then get a segmentation fault instead of its exit status. All
 * files are closed by hand here, so that clean-up is switched off; it has to be before the library's first call. */
__attribute__((constructor)) static void no_clean_up_at_exit(void) {
    (void)H5dont_atexit();
}

int fq_h5_open(const char *path, hid_t *file, struct fq_error *err) {
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    *file = H5I_INVALID_HID;
    struct stat st;
    if (stat(path, &st) != 0)
        return fq_fail(err, FQ_USAGE, "cannot open '%s': %s", path, strerror(errno));
    if (H5Fis_hdf5(path) <= 0)
        return fq_fail(err, FQ_USAGE,
                       "'%s' (%lld bytes) is no HDF5 file; expected .h5 or .hdf5 (KV set or ann-benchmarks), .fvecs, "
                       ".bvecs, .npy or .gguf",
                       path, (long long)st.st_size);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    /* Reading takes no lock: file systems without locks would refuse, and a reader harms nobody. */
    (void)H5Pset_file_locking(access, 0, 1);
    *file = H5Fopen(path, H5F_ACC_RDONLY, access);
    (void)H5Pclose(access);
    if (*file < 0)
        return fq_fail(
            err, FQ_USAGE,
            "'%s' begins as an HDF5 file but cannot be opened: it is truncated or damaged (%lld bytes); copy "
            "or capture it again",
            path, (long long)st.st_size);
    return FQ_OK;
}

hid_t fq_h5_half_type(void) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (type < 0)
        return type;
    if (H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 || H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, 15) < 0) {
        (void)H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

static int read_text(hid_t attribute, hid_t type, char *out, size_t size) {
    if (H5Tget_class(type) != H5T_STRING)
        return -1;
    hid_t space = H5Aget_space(attribute);
    hssize_t points = H5Sget_simple_extent_npoints(space);
    (void)H5Sclose(space);
    if (points != 1)
        return -1;
    if (H5Tis_variable_str(type) > 0) {
        hid_t memory = H5Tcopy(H5T_C_S1);
        (void)H5Tset_size(memory, H5T_VARIABLE);
        (void)H5Tset_cset(memory, H5Tget_cset(type));
        char *text = NULL;
        int failed = H5Aread(attribute, memory, &text) < 0 || text == NULL;
        if (!failed)
            (void)snprintf(out, size, "%s", text);
        (void)H5free_memory(text);
        (void)H5Tclose(memory);
        return failed ? -1 : 0;
    }
    size_t n = H5Tget_size(type);
    char *text = calloc(n + 1, 1);
    int failed = text == NULL || H5Aread(attribute, type, text) < 0;
    if (!failed)
        (void)snprintf(out, size, "%s", text);
    free(text);
    return failed ? -1 : 0;
}

int fq_h5_text(hid_t object, const char *name, char *out, size_t size) {
    out[0] = '\0';
    if (H5Aexists(object, name) <= 0)
        return -1;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return -1;
    hid_t type = H5Aget_type(attribute);
    int result = type < 0 ? -1 : read_text(attribute, type, out, size);
    (void)H5Tclose(type);
    (void)H5Aclose(attribute);
    return result;
}

int fq_h5_count(hid_t object, const char *name, size_t *out) {
    *out = 0;
    if (H5Aexists(object, name) <= 0)
        return -1;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return -1;
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    long long value = -1;
    int fine = H5Tget_class(type) == H5T_INTEGER && H5Sget_simple_extent_npoints(space) == 1 &&
               H5Aread(attribute, H5T_NATIVE_LLONG, &value) >= 0 && value >= 0;
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    (void)H5Aclose(attribute);
    if (!fine)
        return -1;
    *out = (size_t)value;
    return 0;
}

int fq_h5_matrix_open(hid_t file, const char *path, const char *name, int rank, struct fq_h5_matrix *out,
                      struct fq_error *err) {
    memset(out, 0, sizeof *out);
    out->id = H5Dopen2(file, name, H5P_DEFAULT);
    if (out->id < 0)
        return fq_fail(err, FQ_USAGE, "'%s': the data set '%s' is missing or damaged", path, name);
    hid_t space = H5Dget_space(out->id), type = H5Dget_type(out->id);
    int found_rank = H5Sget_simple_extent_ndims(space);
    if (found_rank == rank)
        (void)H5Sget_simple_extent_dims(space, out->size, NULL);
    out->class = H5Tget_class(type);
    out->bytes_per_number = H5Tget_size(type);
    hid_t half = fq_h5_half_type();
    out->half = H5Tequal(type, half) > 0;
    (void)H5Tclose(half);
    (void)H5Tclose(type);
    (void)H5Sclose(space);
    int code = FQ_OK;
    if (found_rank != rank)
        code = fq_fail(err, FQ_USAGE, "'%s': '%s' has %d dimensions, expected %d", path, name, found_rank, rank);
    else if (out->class != H5T_FLOAT && out->class != H5T_INTEGER)
        code = fq_fail(err, FQ_USAGE, "'%s': '%s' holds no numbers; expected float16 or float32", path, name);
    if (code != 0)
        fq_h5_matrix_close(out);
    return code;
}

void fq_h5_matrix_close(struct fq_h5_matrix *m) {
    if (m->id > 0)
        (void)H5Dclose(m->id);
    m->id = H5I_INVALID_HID;
}

static int read_half(const struct fq_h5_matrix *m, hid_t memory, hid_t space, size_t n, float *out) {
    uint16_t *halves = malloc(n * sizeof *halves);
    hid_t type = fq_h5_half_type();
    int failed = halves == NULL || H5Dread(m->id, type, memory, space, H5P_DEFAULT, halves) < 0;
    if (!failed)
        fq_halves_to_floats(n, halves, out);
    (void)H5Tclose(type);
    free(halves);
    return failed ? -1 : 0;
}

int fq_h5_matrix_read(const struct fq_h5_matrix *m, int rank, const hsize_t *offset, const hsize_t *count, float *out,
                      const char *path, const char *name, struct fq_error *err) {
    hid_t space = H5Dget_space(m->id), memory = H5Screate_simple(rank, count, NULL);
    size_t n = 1;
    for (int i = 0; i < rank; i++)
        n *= (size_t)count[i];
    int failed = H5Sselect_hyperslab(space, H5S_SELECT_SET, offset, NULL, count, NULL) < 0;
    if (!failed && m->half)
        failed = read_half(m, memory, space, n, out) != 0;
    else if (!failed)
        failed = H5Dread(m->id, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, out) < 0;
    (void)H5Sclose(memory);
    (void)H5Sclose(space);
    if (failed)
        return fq_fail(err, FQ_USAGE, "'%s': '%s' cannot be read: the file is truncated or damaged", path, name);
    return FQ_OK;
}
