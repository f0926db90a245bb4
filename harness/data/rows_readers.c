/* The byte formats behind rows_file.h: rows of a fixed number of bytes at a fixed offset, read by seek and read.
 *
 * .fvecs/.bvecs: each row is a 32-bit length, then that many float32 or bytes. .npy: a header that is a Python literal,
 * then the matrix; only two-dimensional C order is read, of float16, float32, float64 or uint8, little endian. */
#include "harness/base/half.h"
#include "harness/data/rows_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum number { NUMBER_U8, NUMBER_F16, NUMBER_F32, NUMBER_F64 };

struct raw {
    FILE *file;
    char path[4096];
    enum number number;
    size_t dim, row_bytes, offset; /* of the first row */
    int has_length;                /* each row begins with its length */
    unsigned char *row;            /* one row as stored */
};

static size_t bytes_of(enum number number) {
    static const size_t bytes[] = {1, 2, 4, 8};
    return bytes[number];
}

static void widen(enum number number, const unsigned char *from, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        double wide;
        switch (number) {
        case NUMBER_U8:
            out[i] = (float)from[i];
            break;
        case NUMBER_F16:
            memcpy(&half, from + 2 * i, sizeof half);
            out[i] = fq_half_to_float(half);
            break;
        case NUMBER_F32:
            memcpy(&out[i], from + 4 * i, sizeof out[i]);
            break;
        case NUMBER_F64:
            memcpy(&wide, from + 8 * i, sizeof wide);
            out[i] = (float)wide;
            break;
        }
    }
}

static int raw_read(void *state, size_t first, size_t n, float *out, struct fq_error *err) {
    struct raw *r = state;
    size_t lead = r->has_length ? sizeof(int32_t) : 0;
    if (fseeko(r->file, (off_t)(r->offset + first * r->row_bytes), SEEK_SET) != 0)
        return fq_fail(err, FQ_USAGE, "cannot read '%s' at row %zu: %s", r->path, first, strerror(errno));
    for (size_t i = 0; i < n; i++) {
        if (fread(r->row, 1, r->row_bytes, r->file) != r->row_bytes)
            return fq_fail(err, FQ_USAGE, "cannot read '%s' at row %zu: the file became shorter while it was read",
                           r->path, first + i);
        int32_t length = (int32_t)r->dim;
        if (r->has_length)
            memcpy(&length, r->row, sizeof length);
        if (length != (int32_t)r->dim)
            return fq_fail(err, FQ_USAGE, "'%s': row %zu says length %d, row 0 says %zu; all rows must be equally long",
                           r->path, first + i, (int)length, r->dim);
        widen(r->number, r->row + lead, r->dim, out + i * r->dim);
    }
    return FQ_OK;
}

static void raw_close(void *state) {
    struct raw *r = state;
    (void)fclose(r->file);
    free(r->row);
    free(r);
}

static int raw_open(const char *path, struct raw **out, struct fq_error *err) {
    *out = NULL;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return fq_fail(err, FQ_USAGE, "cannot open '%s': %s", path, strerror(errno));
    struct raw *r = calloc(1, sizeof *r);
    if (r == NULL) {
        (void)fclose(file);
        return fq_fail(err, FQ_USAGE, "out of memory while opening '%s'", path);
    }
    r->file = file;
    (void)snprintf(r->path, sizeof r->path, "%s", path);
    *out = r;
    return FQ_OK;
}

static long long bytes_in(FILE *file) {
    if (fseeko(file, 0, SEEK_END) != 0)
        return -1;
    long long n = (long long)ftello(file);
    return fseeko(file, 0, SEEK_SET) == 0 ? n : -1;
}

/* Once dim, number, offset and has_length are known: row size, buffer, and how the reader is called. */
static int finish(struct raw *r, size_t rows, struct fq_rows_reader *out, struct fq_error *err) {
    r->row_bytes = r->dim * bytes_of(r->number) + (r->has_length ? sizeof(int32_t) : 0);
    r->row = malloc(r->row_bytes);
    if (r->row == NULL)
        return fq_fail(err, FQ_USAGE, "out of memory while opening '%s'", r->path);
    *out = (struct fq_rows_reader){.rows = rows, .dim = r->dim, .state = r, .read = raw_read, .close = raw_close};
    return FQ_OK;
}

static int check_dim(const struct raw *r, long long dim, struct fq_error *err) {
    if (dim >= 1 && dim <= FQ_MAX_DIM)
        return FQ_OK;
    return fq_fail(err, FQ_USAGE, "'%s': vectors of length %lld; expected 1 to %d", r->path, dim, FQ_MAX_DIM);
}

/* ---- fvecs, bvecs ---- */

static int read_vecs(struct raw *r, const char *ending, struct fq_rows_reader *out, struct fq_error *err) {
    int32_t length = 0;
    long long size = bytes_in(r->file);
    if (size < (long long)sizeof length || fread(&length, sizeof length, 1, r->file) != 1)
        return fq_fail(err, FQ_USAGE, "'%s' (%lld bytes) is too short to hold a vector", r->path, size);
    FQ_TRY(check_dim(r, length, err));
    r->dim = (size_t)length;
    r->number = strcmp(ending, ".bvecs") == 0 ? NUMBER_U8 : NUMBER_F32;
    r->has_length = 1;
    long long row = (long long)sizeof length + length * (long long)bytes_of(r->number);
    if (size % row != 0)
        return fq_fail(err, FQ_USAGE,
                       "'%s': %lld bytes are no whole number of rows of %lld bytes (dim %zu); the file is truncated or "
                       "no %s file",
                       r->path, size, row, r->dim, ending + 1);
    return finish(r, (size_t)(size / row), out, err);
}

int fq_vecs_open(const char *path, const char *ending, struct fq_rows_reader *out, struct fq_error *err) {
    struct raw *r;
    FQ_TRY(raw_open(path, &r, err));
    int code = read_vecs(r, ending, out, err);
    if (code != 0)
        raw_close(r);
    return code;
}

/* ---- npy ---- */

/* What follows `'key':` in the header, or NULL. */
static const char *header_value(const char *header, const char *key) {
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *p = strstr(header, quoted);
    if (p == NULL)
        return NULL;
    p += strlen(quoted);
    p += strspn(p, " ");
    if (*p != ':')
        return NULL;
    return p + 1 + strspn(p + 1, " ");
}

static int read_number(struct raw *r, const char *descr, struct fq_error *err) {
    static const struct {
        const char *descr;
        enum number number;
    } known[] = {{"'|u1'", NUMBER_U8}, {"'<f2'", NUMBER_F16}, {"'<f4'", NUMBER_F32}, {"'<f8'", NUMBER_F64}};
    for (size_t i = 0; descr != NULL && i < sizeof known / sizeof known[0]; i++)
        if (strncmp(descr, known[i].descr, strlen(known[i].descr)) == 0) {
            r->number = known[i].number;
            return FQ_OK;
        }
    size_t n = descr != NULL ? strcspn(descr, ",}") : 0;
    return fq_fail(err, FQ_USAGE, "'%s': numbers of type %.*s; expected '<f2', '<f4', '<f8' or '|u1'", r->path, (int)n,
                   descr != NULL ? descr : "");
}

static int read_npy_header(struct raw *r, char **header, struct fq_error *err) {
    unsigned char start[12];
    size_t got = fread(start, 1, sizeof start, r->file);
    if (got < 10 || memcmp(start, "\x93NUMPY", 6) != 0)
        return fq_fail(err, FQ_USAGE, "'%s' is no .npy file: it does not begin with its signature", r->path);
    if (start[6] < 1 || start[6] > 3 || (start[6] >= 2 && got < 12))
        return fq_fail(err, FQ_USAGE, "'%s': .npy format version %d; expected 1, 2 or 3", r->path, start[6]);
    size_t length = (size_t)start[8] | (size_t)start[9] << 8, begin = 10;
    if (start[6] >= 2) {
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
        begin = 12;
    }
    enum { LONGEST = 1 << 16 };
    char *text = length <= LONGEST ? calloc(length + 1, 1) : NULL;
    if (text == NULL || fseeko(r->file, (off_t)begin, SEEK_SET) != 0 || fread(text, 1, length, r->file) != length) {
        free(text);
        return fq_fail(err, FQ_USAGE, "'%s': the .npy header is truncated or damaged", r->path);
    }
    r->offset = begin + length;
    *header = text;
    return FQ_OK;
}

static int read_npy(struct raw *r, const char *header, long long size, struct fq_rows_reader *out,
                    struct fq_error *err) {
    FQ_TRY(read_number(r, header_value(header, "descr"), err));
    const char *order = header_value(header, "fortran_order"), *shape = header_value(header, "shape");
    if (order == NULL || strncmp(order, "False", 5) != 0)
        return fq_fail(err, FQ_USAGE,
                       "'%s' is stored in Fortran order; save numpy.ascontiguousarray(x) instead, rows are vectors",
                       r->path);
    unsigned long long rows = 0;
    long long dim = 0;
    char end[2] = "";
    if (shape == NULL || sscanf(shape, "(%llu, %lld%1[)]", &rows, &dim, end) != 3)
        return fq_fail(err, FQ_USAGE, "'%s': shape %.*s; expected a matrix (vectors, dim)", r->path,
                       shape != NULL ? (int)(strcspn(shape, ")") + 1) : 0, shape != NULL ? shape : "");
    FQ_TRY(check_dim(r, dim, err));
    r->dim = (size_t)dim;
    unsigned long long row = r->dim * bytes_of(r->number);
    unsigned long long stored = size > (long long)r->offset ? (unsigned long long)size - r->offset : 0;
    if (rows > stored / row)
        return fq_fail(err, FQ_USAGE,
                       "'%s': the header says %llu vectors of %lld numbers, the file holds %llu; it is "
                       "truncated",
                       r->path, rows, dim, stored / row);
    return finish(r, (size_t)rows, out, err);
}

int fq_npy_open(const char *path, struct fq_rows_reader *out, struct fq_error *err) {
    struct raw *r;
    char *header = NULL;
    FQ_TRY(raw_open(path, &r, err));
    long long size = bytes_in(r->file);
    int code = read_npy_header(r, &header, err);
    if (code == 0)
        code = read_npy(r, header, size, out, err);
    free(header);
    if (code != 0)
        raw_close(r);
    return code;
}
