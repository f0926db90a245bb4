/* The control: a plug-in that keeps every rule. The audit must find nothing in it. */
#include "tests/cheats/base.h"

static const struct fq_kernels kernels = {
    .encode = base_encode, .prepare = base_prepare, .score = base_score, .decode = base_decode};

static const struct fq_method method =
    BASE_METHOD("honest", "int8 with one scale per vector, by the rules", base_footprint, NULL, &kernels);

BASE_PLUGIN(method);
