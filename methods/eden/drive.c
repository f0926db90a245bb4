/* drive: EDEN's one-bit ancestor as published: signs of one randomized Hadamard round, S = ||y||_2^2 / ||y||_1.
 *
 * Codewords are +-1, not the levels of N(0,1), so that the stored scalar is the paper's own number; the estimates are
 * those of eden at one bit. */
#include "methods/eden/eden.h"

#include "methods/common/known_answer.h"
#include "methods/common/method_run.h"
#include "methods/common/scalar_code_gates.h"

#include <math.h>
#include <stdio.h>

extern const struct fq_method fq_method_drive;

static const struct fq_param_spec params[] = {
    [DRIVE_ROTATION] = FQ_PARAM_ROTATION(FQ_ROTATION_RHT),
    [DRIVE_ROUNDS] = EDEN_PARAM_ROUNDS,
    [DRIVE_SCALE] = EDEN_PARAM_SCALE,
    [DRIVE_SCALAR] = FQ_PARAM_SCALAR,
};

struct fq_scalar_code drive_code(const struct fq_params *values, const struct fq_shape *shape) {
    return (struct fq_scalar_code){
        .bits = 1,
        .rotation = (enum fq_rotation_kind)values->v[DRIVE_ROTATION],
        .rounds = (int)values->v[DRIVE_ROUNDS],
        .codebook = FQ_CODEBOOK_GAUSSIAN,
        .scale = values->v[DRIVE_SCALE] > 0 ? FQ_SCALE_MSE : FQ_SCALE_UNBIASED,
        .scalar = (enum fq_scalar_kind)values->v[DRIVE_SCALAR],
        .dim = shape->dim,
    };
}

static double nominal_bits(const struct fq_params *values) {
    (void)values;
    return 1;
}

static int check(const struct fq_params *values, const struct fq_shape *shape, char *why, size_t why_size) {
    const struct fq_scalar_code code = drive_code(values, shape);
    return fq_scalar_code_check(&code, why, why_size);
}

static struct fq_footprint footprint(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = drive_code(values, shape);
    return fq_scalar_code_footprint(&code);
}

static void setup(const struct fq_params *values, const struct fq_shape *shape, const struct fq_streams *streams,
                  void *shared, void *scratch) {
    const struct fq_scalar_code code = drive_code(values, shape);
    fq_scalar_code_setup(&code, streams, shared, scratch);
    float *levels = shared; /* the first block of the shared state (scalar_code.h) */
    levels[0] = -1;
    levels[1] = 1;
}

static size_t setup_scratch(const struct fq_params *values, const struct fq_shape *shape) {
    const struct fq_scalar_code code = drive_code(values, shape);
    return fq_scalar_code_setup_scratch(&code);
}

static const struct fq_gate gates[] = {
    {"scale=mse", 64, FQ_GATE_MSE, 0.35758, 0.03, FQ_TABLE_1_6},
    {"scale=mse", 128, FQ_GATE_MSE, 0.36065, 0.03, FQ_TABLE_1_6},
    {"scale=unbiased", 64, FQ_GATE_IP_VAR, 0.56335, 0.03, FQ_TABLE_1_6},
    {"scale=unbiased", 128, FQ_GATE_IP_VAR, 0.56751, 0.03, FQ_TABLE_1_6},
    {"scale=unbiased rotation=haar", 128, FQ_GATE_IP_VAR, 0.56751, 0.03, FQ_TABLE_1_6},
    {"scale=unbiased rotation=none", 1536, FQ_GATE_IP_VAR, 0.5705, 0.03, "pi/2 - 1 - .4/d, methods.md 1.6, 13"},
    {"scale=unbiased", 128, FQ_GATE_SLOPE, 1, 0.01, "methods.md 1.1: unbiased"},
    {"scale=unbiased", 64, FQ_GATE_SELF_IP, 1, 0.001, "methods.md 1.1: exact"},
    {"scale=mse", 64, FQ_GATE_SLOPE, 0.642, 0.01, FQ_TABLE_1_6},
};

/* Appendix B, row b = 1. Its scales are for levels +-0.797884560803. */
static void known_answers(const struct fq_answers *answers) {
    enum { MAX_RECORD = 64 };
    static const char source[] = "methods.md appendix B, b = 1";
    static const struct {
        const char *params;
        double scale, estimate, error; /* error 0: the appendix has none */
    } rows[] = {{"rounds=1 scale=unbiased scalar=fp32", 1.5680439, 2.513329, 0},
                {"rounds=1 scale=mse scalar=fp32", 0.5176698, 0.829744, 0.669863}};
    const double level = 0.797884560803;
    const struct fq_streams streams = fq_appendix_b_streams();
    float x[FQ_APPENDIX_B_DIM], q[FQ_APPENDIX_B_DIM], decoded[FQ_APPENDIX_B_DIM], estimate;
    uint8_t record[MAX_RECORD];
    fq_appendix_b_vectors(x, q);
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        struct fq_method_run run;
        char what[96];
        if (fq_method_run_open(&run, &fq_method_drive, rows[r].params, FQ_APPENDIX_B_DIM, &streams) != 0) {
            answers->emit(answers->sink, rows[r].params, 1, 0, 0, "the set-up of appendix B failed");
            continue;
        }
        if (fq_method_run_encode(&run, 1, x, record) == 1) {
            fq_method_run_decode(&run, 1, record, decoded);
            fq_method_run_score(&run, q, 1, record, &estimate);
            double error = 0, norm = 0;
            for (size_t i = 0; i < FQ_APPENDIX_B_DIM; i++) {
                error += pow((double)x[i] - (double)decoded[i], 2);
                norm += pow((double)x[i], 2);
            }
            snprintf(what, sizeof what, "sum of code_i (i+1), %s", rows[r].params);
            answers->emit(answers->sink, what, fq_appendix_b_code_sum[0], fq_appendix_b_code_sum_of(1, record), 0,
                          source);
            snprintf(what, sizeof what, "scale S, %s", rows[r].params);
            answers->emit(answers->sink, what, level * rows[r].scale,
                          (double)fq_scalar_get(FQ_SCALAR_FP32, record + FQ_APPENDIX_B_DIM / 8), 2e-7, source);
            snprintf(what, sizeof what, "estimate of <q,x>, %s", rows[r].params);
            answers->emit(answers->sink, what, rows[r].estimate, (double)estimate, 3e-6, source);
            if (rows[r].error > 0)
                answers->emit(answers->sink, "relative squared error", rows[r].error, error / norm, 2e-6, source);
        } else {
            answers->emit(answers->sink, rows[r].params, 1, 0, 0, "the record of appendix B could not be made");
        }
        fq_method_run_close(&run);
    }
}

const struct fq_method fq_method_drive = {
    .abi = FQ_METHOD_ABI,
    .name = "drive",
    .role = FQ_CONTENDER,
    .paper = "Vargaftik, Ben Basat, Portnoy, Mendelson, Ben Itzhak, Mitzenmacher 2021, DRIVE, arXiv 2105.08339",
    .summary = "signs of one randomized Hadamard round, scale ||y||_2^2 / ||y||_1",
    .bits_formula = "(w + s) / d; w = d or d padded for the rotation, s = 16 (fp16) or 32 (fp32)",
    .params = params,
    .n_params = DRIVE_PARAMS,
    .data_oblivious = true,
    .nominal_bits = nominal_bits,
    .check = check,
    .footprint = footprint,
    .setup = setup,
    .setup_scratch = setup_scratch,
    .kernels = {[FQ_REF] = &drive_ref},
    .gates = gates,
    .n_gates = sizeof gates / sizeof gates[0],
    .known_answers = known_answers,
};
