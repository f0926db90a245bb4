/* Trains a codebook of methods/tcq and prints it as a C file. How it is built and run: methods/tcq/README.md.
 *
 * Generalised Lloyd: encode iid N(0,1) groups of 128 with Viterbi, replace each state's value by the mean of the
 * samples that it was given, repeat, with fresh samples each time. Start: the values that the successors of one state
 * can take are 2^b levels spread over the normal distribution, shifted from state to state (the classical cosets).
 * Which symbol means which level is turned by three places from one state to the next: with the same order everywhere
 * the iteration ends 10 % (2 bits) to 20 % (3 bits) higher. Samples come from the stream "tcq training", those of the
 * last line from "tcq test"; the same command prints the same table. */
#include "harness/base/random.h"
#include "methods/tcq/tcq.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = 128 };

struct tally {
    double distance;
    double sum[TCQ_MAX_STATES];
    double count[TCQ_MAX_STATES];
};

/* Inverse of the normal distribution function, by bisection: exact enough to start from. */
static double quantile(double p) {
    double low = -9, high = 9;
    for (int i = 0; i < 80; i++) {
        const double middle = (low + high) / 2;
        *(erfc(-middle / sqrt(2)) / 2 < p ? &low : &high) = middle;
    }
    return low;
}

static void start(int bits, float *codebook) {
    const size_t states = (size_t)1 << (bits + TCQ_MEMORY);
    for (size_t s = 0; s < states; s++) {
        const size_t low = s % TCQ_LOWS, level = (s / TCQ_LOWS + 3 * low) % (states / TCQ_LOWS);
        const size_t rank = level * TCQ_LOWS + low;
        codebook[s] = (float)quantile(((double)rank + 0.5) / (double)states);
    }
}

static void fill(uint64_t key, uint64_t group, float *z) {
    double g[GROUP];
    fq_random_gaussian(key, group * GROUP, GROUP, g);
    for (int i = 0; i < GROUP; i++)
        z[i] = (float)g[i];
}

/* Two halves, each summed in order, whether or not two threads run them: the sums do not depend on the machine. */
static double encode_all(int bits, const float *codebook, uint64_t key, uint64_t first, size_t groups,
                         struct tally *total) {
    static struct tally half[2];
    memset(half, 0, sizeof half);
#pragma omp parallel for
    for (int h = 0; h < 2; h++) {
        void *scratch = malloc(tcq_viterbi_bytes(GROUP));
        if (!scratch)
            abort();
        for (size_t g = (size_t)h * groups / 2; g < (size_t)(h + 1) * groups / 2; g++) {
            float z[GROUP];
            uint16_t state[GROUP];
            fill(key, first + g, z);
            half[h].distance += tcq_viterbi(bits, codebook, GROUP, z, state, scratch);
            for (int i = 0; i < GROUP; i++) {
                half[h].sum[state[i]] += (double)z[i];
                half[h].count[state[i]] += 1;
            }
        }
        free(scratch);
    }
    for (size_t s = 0; s < TCQ_MAX_STATES; s++) {
        total->sum[s] = half[0].sum[s] + half[1].sum[s];
        total->count[s] = half[0].count[s] + half[1].count[s];
    }
    return (half[0].distance + half[1].distance) / ((double)groups * GROUP);
}

int main(int argc, char **argv) {
    const int bits = argc > 1 ? atoi(argv[1]) : 0;
    const int iterations = argc > 2 ? atoi(argv[2]) : 300;
    const size_t groups = argc > 3 ? (size_t)atol(argv[3]) : 6000;
    if (bits < TCQ_LEAST_BITS || bits > TCQ_MOST_BITS || iterations < 1 || groups < 1) {
        fprintf(stderr, "usage: tcq_codebook BITS [ITERATIONS [GROUPS]], BITS 2 to 4\n");
        return 2;
    }
    static float codebook[TCQ_MAX_STATES];
    static struct tally tally;
    const size_t states = (size_t)1 << (bits + TCQ_MEMORY);
    const uint64_t key = fq_stream_key("tcq training", 1), test = fq_stream_key("tcq test", 1);
    start(bits, codebook);
    for (int i = 0; i < iterations; i++) {
        /* Fresh samples each time: the last means are not fitted to one set. */
        const double distance = encode_all(bits, codebook, key, (uint64_t)i * groups, groups, &tally);
        for (size_t s = 0; s < states; s++)
            if (tally.count[s] > 0)
                codebook[s] = (float)(tally.sum[s] / tally.count[s]);
        if (i % 20 == 0 || i + 1 == iterations)
            fprintf(stderr, "iteration %d: %.6f\n", i, distance);
    }
    fprintf(stderr, "fresh data: %.6f\n", encode_all(bits, codebook, test, 0, 4 * groups, &tally));
    printf("/* Codebook of the %d-bit trellis: %zu values by state, for N(0,1). Made by scripts/tcq_codebook.c, which\n"
           " * methods/tcq/README.md says how to run; not to be edited. */\n#include \"methods/tcq/tcq.h\"\n\n"
           "const float tcq_codebook_%d[] = {\n",
           bits, states, bits);
    for (size_t s = 0; s < states; s++)
        printf("%s%.6fF,%s", s % 8 == 0 ? "    " : " ", (double)codebook[s], s % 8 == 7 ? "\n" : "");
    printf("};\n");
    return 0;
}
