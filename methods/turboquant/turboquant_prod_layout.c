/* turboquant-prod: layout of records and shared state, and setup, for the paper's algorithm and for its released
 * variant.
 *
 * The sketch is drawn from the stream "sketch", never from "rotation": a sketch that shares its numbers with the
 * rotation is not independent of the first stage's residual. */
#include "methods/turboquant/turboquant_prod.h"

#include "methods/common/dense.h"
#include "methods/common/lloyd_max.h"
#include "methods/common/pack.h"
#include "methods/common/sphere.h"

#include <math.h>

/* sqrt(w) k. Gaussian: k = sqrt(pi/2) / w. Orthonormal: k = 1 / (w E|u_1|), exact at finite w; its limit
 * sqrt(pi / (2 w)) would leave a bias of +1/(4w). */
static double gain_of(enum prod_sketch sketch, size_t w) {
    if (sketch == PROD_ORTHOGONAL)
        return 1 / (sqrt((double)w) * fq_sphere_mean_abs(w));
    return sqrt(acos(-1.0) / (2 * (double)w));
}

void turboquant_prod_lay_out(struct turboquant_prod *prod) {
    const struct fq_footprint stage = fq_scalar_code_footprint(&prod->stage);
    const size_t w = stage.work_dim, scalar = fq_scalar_bytes(prod->stage.scalar);
    prod->work_dim = w;
    prod->sign_at = fq_packed_bytes(prod->stage.bits, w);
    prod->norm_at = prod->sign_at + fq_packed_bytes(1, w);
    prod->residual_at = prod->norm_at + scalar;
    prod->record_bytes = prod->residual_at + (prod->stores_residual ? scalar : 0);
    prod->sketch_at = stage.shared_bytes;
    prod->gain = gain_of(prod->sketch, w);
    prod->constant_residual = sqrt(fq_lloyd_max_distortion(prod->stage.bits));
}

struct fq_footprint turboquant_prod_footprint(const struct turboquant_prod *prod) {
    const size_t w = prod->work_dim;
    return (struct fq_footprint){
        .granularity = 1,
        .record_bytes = prod->record_bytes,
        .side_bytes = prod->record_bytes - prod->norm_at,
        .work_dim = w,
        .prepared_bytes = 2 * w * sizeof(float),
        .shared_bytes = prod->sketch_at + (w * w * sizeof(float) + 63) / 64 * 64,
        /* residual, codeword, indices and signs (3 w floats hold them all), and one vector more to rotate back */
        .scratch_bytes = (4 * w * sizeof(float) + 63) / 64 * 64,
    };
}

size_t turboquant_prod_setup_scratch(const struct turboquant_prod *prod) {
    const size_t sketch = prod->work_dim * (prod->sketch == PROD_ORTHOGONAL ? prod->work_dim : 1) * sizeof(double);
    const size_t stage = fq_scalar_code_setup_scratch(&prod->stage);
    return sketch > stage ? sketch : stage;
}

void turboquant_prod_setup(const struct turboquant_prod *prod, const struct fq_streams *streams, void *shared,
                           void *scratch) {
    fq_scalar_code_setup(&prod->stage, streams, shared, scratch);
    float *sketch = (float *)shared + prod->sketch_at / sizeof(float);
    if (prod->sketch == PROD_ORTHOGONAL)
        fq_dense_haar(streams->gaussian, streams->sketch, prod->work_dim, sketch, scratch);
    else
        fq_dense_gaussian(streams->gaussian, streams->sketch, prod->work_dim, sketch, scratch);
    for (size_t j = prod->work_dim * prod->work_dim; j % 16 != 0; j++)
        sketch[j] = 0; /* padding to 64 bytes, defined so that equal seeds give equal blocks */
}
