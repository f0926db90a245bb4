/* What theory predicts for "rotate, Lloyd-Max, scale", for every method that is that pipeline.
 *
 * One list for the right methods and for the negative control that gets the codebook's scale wrong: the control is
 * refuted by the gates that its neighbours pass, not by gates made for it. Rows name each parameter they depend on,
 * because defaults differ. Sources: methods.md 1.4 (S = 1, exact by quadrature of the sphere marginal with the Gaussian
 * codebook; the rows at d = 96 and 200 and the slopes by the same integral) and 1.6 (Monte Carlo, other scales). */
#ifndef FQ_METHODS_COMMON_SCALAR_CODE_GATES_H
#define FQ_METHODS_COMMON_SCALAR_CODE_GATES_H

#define FQ_EXACT_SPHERE "sphere marginal x Gaussian codebook, quadrature (methods.md 1.4)"
#define FQ_TABLE_1_6 "methods.md 1.6"

#define FQ_SCALAR_CODE_GATES                                                                                           \
    {"bits=1 scale=raw", 64, FQ_GATE_MSE, 0.358397, 0.03, FQ_EXACT_SPHERE},                                            \
        {"bits=2 scale=raw", 64, FQ_GATE_MSE, 0.114546, 0.03, FQ_EXACT_SPHERE},                                        \
        {"bits=3 scale=raw", 64, FQ_GATE_MSE, 0.0334437, 0.03, FQ_EXACT_SPHERE},                                       \
        {"bits=4 scale=raw", 64, FQ_GATE_MSE, 0.00917116, 0.03, FQ_EXACT_SPHERE},                                      \
        {"bits=1 scale=raw", 128, FQ_GATE_MSE, 0.360891, 0.03, FQ_EXACT_SPHERE},                                       \
        {"bits=2 scale=raw", 128, FQ_GATE_MSE, 0.116005, 0.03, FQ_EXACT_SPHERE},                                       \
        {"bits=3 scale=raw", 128, FQ_GATE_MSE, 0.0339791, 0.03, FQ_EXACT_SPHERE},                                      \
        {"bits=4 scale=raw", 128, FQ_GATE_MSE, 0.00932486, 0.03, FQ_EXACT_SPHERE},                                     \
        {"bits=8 scale=raw scalar=fp32", 128, FQ_GATE_MSE, 4.03903e-5, 0.03, FQ_EXACT_SPHERE},                         \
        {"bits=2 scale=raw rotation=haar", 96, FQ_GATE_MSE, 0.115517, 0.03, FQ_EXACT_SPHERE},                          \
        {"bits=4 scale=raw rotation=haar", 96, FQ_GATE_MSE, 0.00927118, 0.03, FQ_EXACT_SPHERE},                        \
        {"bits=3 scale=raw rotation=haar", 200, FQ_GATE_MSE, 0.0341800, 0.03, FQ_EXACT_SPHERE},                        \
        {"bits=4 scale=raw rotation=rht rounds=2", 128, FQ_GATE_MSE, 0.00932486, 0.03, FQ_EXACT_SPHERE},               \
        {"bits=2 scale=raw rotation=none", 128, FQ_GATE_MSE_GAUSS, 0.116005, 0.03, FQ_EXACT_SPHERE},                   \
        {"bits=4 scale=raw rotation=none", 128, FQ_GATE_MSE_GAUSS, 0.00932486, 0.03, FQ_EXACT_SPHERE},                 \
        {"bits=1 scale=raw", 128, FQ_GATE_SLOPE, 0.637864, 0.01, FQ_EXACT_SPHERE},                                     \
        {"bits=4 scale=raw", 128, FQ_GATE_SLOPE, 0.991269, 0.003, FQ_EXACT_SPHERE},                                    \
        {"bits=2 scale=matched", 64, FQ_GATE_MSE, 0.11648, 0.03, FQ_TABLE_1_6},                                        \
        {"bits=2 scale=matched", 128, FQ_GATE_MSE, 0.11884, 0.03, FQ_TABLE_1_6},                                       \
        {"bits=3 scale=matched", 128, FQ_GATE_MSE, 0.03383, 0.03, FQ_TABLE_1_6},                                       \
        {"bits=4 scale=matched", 128, FQ_GATE_MSE, 0.00918, 0.03, FQ_TABLE_1_6},                                       \
        {"bits=2 scale=matched", 128, FQ_GATE_SLOPE, 0.940, 0.01, FQ_TABLE_1_6},                                       \
        {"bits=2 scale=mse", 128, FQ_GATE_MSE, 0.11524, 0.03, FQ_TABLE_1_6},                                           \
        {"bits=4 scale=mse", 128, FQ_GATE_MSE, 0.00916, 0.03, FQ_TABLE_1_6},                                           \
        {"bits=1 scale=unbiased", 64, FQ_GATE_IP_VAR, 0.56335, 0.03, FQ_TABLE_1_6},                                    \
        {"bits=1 scale=unbiased", 128, FQ_GATE_IP_VAR, 0.56751, 0.03, FQ_TABLE_1_6},                                   \
        {"bits=2 scale=unbiased", 128, FQ_GATE_IP_VAR, 0.13059, 0.03, FQ_TABLE_1_6},                                   \
        {"bits=3 scale=unbiased", 128, FQ_GATE_IP_VAR, 0.03474, 0.03, FQ_TABLE_1_6},                                   \
        {"bits=4 scale=unbiased", 128, FQ_GATE_IP_VAR, 0.00925, 0.03, FQ_TABLE_1_6},                                   \
        {"bits=1 scale=unbiased", 128, FQ_GATE_SLOPE, 1, 0.01, "methods.md 1.1"}, {                                    \
        "bits=1 scale=unbiased", 128, FQ_GATE_SELF_IP, 1, 0.001, "methods.md 1.1"                                      \
    }

#endif
