/* Lloyd-Max codebooks for one coordinate of a uniform unit vector times sqrt(d): density (1 - t^2/d)^((d-3)/2).
 *
 * The optimum is the fixed point of Lloyd's iteration, c_k = centroid of its cell. Lloyd itself crawls at 8 bits (its
 * rate tends to 1 with the number of levels), so a few of its steps are followed by Newton's method on the same
 * equations, whose Jacobian is tridiagonal; a Newton step that does not shrink the residual, or breaks the order, is
 * replaced by a step of Lloyd's. By symmetry only the positive half is solved. Setup only: no kernel calls this. */
#include "methods/common/lloyd_max.h"
#include "methods/common/sphere.h"

#include <math.h>
#include <string.h>

enum { MAX_HALF = 128, LLOYD_STEPS = 20, MAX_STEPS = 500, NODES = 10 };

/* Gauss-Legendre rule of 20 points on [-1, 1], positive half. */
static const double node[NODES] = {0.0765265211334973, 0.2277858511416451, 0.3737060887154195, 0.5108670019508271,
                                   0.6360536807265150, 0.7463319064601508, 0.8391169718222188, 0.9122344282513259,
                                   0.9639719272779138, 0.9931285991850949};
static const double weight[NODES] = {0.1527533871307258, 0.1491729864726037, 0.1420961093183820, 0.1316886384491766,
                                     0.1181945319615184, 0.1019301198172404, 0.0832767415767048, 0.0626720483341091,
                                     0.0406014298003869, 0.0176140071391521};

struct half_code {
    size_t n; /* positive levels */
    double d;
    double total;           /* mass of the positive half */
    double level[MAX_HALF]; /* ascending */
    double mean[MAX_HALF];  /* centroid of each cell under these levels */
    double mass[MAX_HALF];
    double bound[MAX_HALF + 1]; /* 0, midpoints, sqrt(d) */
};

static double density(double d, double t) {
    const double s = 1 - t * t / d;
    return s > 0 ? pow(s, (d - 3) / 2) : 0;
}

static double mass_of(double d, double low, double high) {
    const double middle = (low + high) / 2, half = (high - low) / 2;
    double sum = 0;
    for (size_t i = 0; i < NODES; i++)
        sum += weight[i] * (density(d, middle + half * node[i]) + density(d, middle - half * node[i]));
    return sum * half;
}

/* Minus the antiderivative of t f(t). */
static double moment_above(double d, double t) {
    const double s = 1 - t * t / d;
    return s > 0 ? d / (d - 1) * pow(s, (d - 1) / 2) : 0;
}

static void find_centroids(struct half_code *code) {
    code->bound[0] = 0;
    for (size_t k = 1; k < code->n; k++)
        code->bound[k] = (code->level[k - 1] + code->level[k]) / 2;
    code->bound[code->n] = sqrt(code->d);
    double inner = 0;
    for (size_t k = 0; k < code->n; k++) {
        const double low = code->bound[k], high = code->bound[k + 1];
        /* The last cell may be sixty sigma wide, too wide for the rule; its mass is what the others leave. */
        code->mass[k] = k + 1 < code->n ? mass_of(code->d, low, high) : code->total - inner;
        inner += code->mass[k];
        code->mean[k] = (moment_above(code->d, low) - moment_above(code->d, high)) / code->mass[k];
    }
}

static double residual(const struct half_code *code) {
    double worst = 0;
    for (size_t k = 0; k < code->n; k++)
        worst = fmax(worst, fabs(code->level[k] - code->mean[k]));
    return worst;
}

/* Solves J step = level - mean for the tridiagonal Jacobian J of level - mean, and moves the levels by it. */
static void newton_step(struct half_code *code) {
    double upper[MAX_HALF], step[MAX_HALF];
    const size_t n = code->n;
    for (size_t k = 0; k < n; k++) {
        const double low = code->bound[k], high = code->bound[k + 1];
        /* How the centroid follows its two bounds; a bound follows each of its two levels by one half. */
        const double by_low = k > 0 ? density(code->d, low) * (code->mean[k] - low) / code->mass[k] / 2 : 0;
        const double by_high = k + 1 < n ? density(code->d, high) * (high - code->mean[k]) / code->mass[k] / 2 : 0;
        double diagonal = 1 - by_low - by_high, right = code->level[k] - code->mean[k];
        if (k > 0) {
            diagonal += by_low * upper[k - 1];
            right += by_low * step[k - 1];
        }
        upper[k] = -by_high / diagonal;
        step[k] = right / diagonal;
    }
    for (size_t k = n; k-- > 0;) {
        if (k + 1 < n)
            step[k] -= upper[k] * step[k + 1];
        code->level[k] -= step[k];
    }
}

static int is_ordered(const struct half_code *code) {
    double previous = 0;
    for (size_t k = 0; k < code->n; k++) {
        if (!(code->level[k] > previous))
            return 0;
        previous = code->level[k];
    }
    return previous < sqrt(code->d);
}

static void lloyd_step(struct half_code *code) {
    memcpy(code->level, code->mean, sizeof code->level);
    find_centroids(code);
}

static void solve(struct half_code *code) {
    find_centroids(code);
    for (int i = 0; i < MAX_STEPS && residual(code) > 1e-13; i++) {
        if (i < LLOYD_STEPS) {
            lloyd_step(code);
            continue;
        }
        const struct half_code before = *code;
        newton_step(code);
        if (is_ordered(code))
            find_centroids(code);
        if (!is_ordered(code) || !(residual(code) < residual(&before))) {
            if (residual(&before) < 1e-11)
                return; /* as far as double carries */
            *code = before;
            lloyd_step(code);
        }
    }
}

void fq_lloyd_max_sphere(int bits, size_t dim, float *levels, float *bounds) {
    if (bits == 0) {
        levels[0] = 0;
        return;
    }
    const double d = (double)dim;
    struct half_code code = {.n = (size_t)1 << (bits - 1), .d = d};
    code.total = sqrt(d * acos(-1.0)) / 2 / fq_gamma_ratio(dim);
    for (size_t k = 0; k < code.n; k++) {
        /* The Gaussian level, folded into |t| < sqrt(d). */
        const double g = fq_lloyd_max_level(bits, code.n + k);
        code.level[k] = g / sqrt(1 + g * g / d);
    }
    solve(&code);
    for (size_t k = 0; k < code.n; k++) {
        levels[code.n + k] = (float)code.level[k];
        levels[code.n - 1 - k] = -levels[code.n + k];
        bounds[code.n - 1 - k] = -(float)code.bound[k];
        bounds[code.n - 1 + k] = (float)code.bound[k];
    }
}
