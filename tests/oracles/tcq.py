#!/usr/bin/env python3
"""Squared error of the trellis codes of methods/tcq on iid N(0,1), from the tables alone and the standard library.

A path of n states s_1 .. s_n obeys s_t = (s_{t-1} >> b) | (symbol << (L - b)) with L = b + 6 bits of state, s_1 free, and
decodes to codebook[s_1] .. codebook[s_n]. The least squared distance to a vector is found by dynamic programming over all
predecessors of all states; nothing of methods/tcq is run. Printed: the mean over vectors of |y - yhat|^2 / n with its
standard error, at S = 1 (no scale), n = 128.

Run by hand: python3 tests/oracles/tcq.py [VECTORS]   (1,000: about two minutes)
"""
import math
import random
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
N = 128


def codebook(bits):
    text = (ROOT / f"methods/tcq/codebook_{bits}.c").read_text()
    body = text[text.index("{") + 1 : text.rindex("}")]
    values = [float(v) for v in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", body)]
    assert len(values) == 1 << (bits + 6), (bits, len(values))
    return values


def least_distance(y, levels, bits):
    low = len(levels) >> bits  # states that share their predecessors' upper bits
    cost = [(y[0] - c) ** 2 for c in levels]
    for value in y[1:]:
        # A state s comes from any state whose upper L - b bits are the lower L - b bits of s.
        reach = [min(cost[m << bits : (m + 1) << bits]) for m in range(low)] * (1 << bits)
        cost = [r + (value - c) ** 2 for r, c in zip(reach, levels)]
    return min(cost)


def main():
    vectors = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for bits in (2, 3, 4):
        levels, draw = codebook(bits), random.Random(20261124 + bits)
        errors = [least_distance([draw.gauss(0, 1) for _ in range(N)], levels, bits) / N for _ in range(vectors)]
        mean = sum(errors) / vectors
        spread = math.sqrt(sum((e - mean) ** 2 for e in errors) / (vectors - 1) / vectors)
        print(f"{bits} bits, n = {N}: {mean:.6f} +- {spread:.6f} ({vectors} vectors)")


if __name__ == "__main__":
    main()
