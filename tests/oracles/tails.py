#!/usr/bin/env python3
"""Expected values of the gates "share of errors of <q,x> beyond 2 and 3 sigma", from the standard library alone.

For a query q uniform on the sphere and independent of x, the error <q, x - xhat> is L u: L the error's length, u one
coordinate of a uniform unit vector. So the share beyond t standard deviations is the mean over L of
P(|u| > t sqrt(E L^2 / d) / L), where only L is drawn. Codes are written down again here, from their papers:
one bit (RaBitQ, EDEN: signs), Lloyd-Max of 2 bits (EDEN), both with the unbiased scale, L^2 = 1/cos^2 - 1, and the sign
sketch (QJL, m Gaussian rows): L^2 = (c sum |a_i| - 1)^2 + c^2 m chi^2_{d-1}, c = sqrt(pi/2)/m, a_i standard normal.

Run by hand: python3 tests/oracles/tails.py [DRAWS]
"""
import bisect
import math
import random
import sys

STEPS = 40000


def sphere_tail(d):
    """x -> P(|u| > x) for one coordinate u of a uniform unit vector, by the trapezium rule and interpolation."""
    density = [max(1 - (i / STEPS) ** 2, 0) ** ((d - 3) / 2) for i in range(STEPS + 1)]
    above = [0.0] * (STEPS + 1)
    for i in range(STEPS - 1, -1, -1):
        above[i] = above[i + 1] + (density[i] + density[i + 1]) / 2

    def tail(x):
        if x >= 1:
            return 0.0
        at = x * STEPS
        i = int(at)
        return (above[i] + (at - i) * (above[i + 1] - above[i])) / above[0]

    return tail


def squared_length_of_code(d, levels):
    """L^2 for x uniform on the sphere, `levels` positive and ascending, coded by the nearest level."""
    edges = [(a + b) / 2 for a, b in zip(levels, levels[1:])]
    x = [abs(random.gauss(0, 1)) for _ in range(d)]
    norm2 = sum(v * v for v in x)
    unit = math.sqrt(d / norm2)
    code = [levels[bisect.bisect(edges, v * unit)] for v in x]
    dot = sum(v * c for v, c in zip(x, code))
    return norm2 * sum(c * c for c in code) / dot**2 - 1


def squared_length_of_sketch(d, m):
    c = math.sqrt(math.pi / 2) / m
    along = c * sum(abs(random.gauss(0, 1)) for _ in range(m)) - 1
    return along**2 + c * c * m * 2 * random.gammavariate((d - 1) / 2, 1)


def report(name, d, draw, n):
    lengths = [draw() for _ in range(n)]
    mean = sum(lengths) / n
    tail = sphere_tail(d)
    for t in (2, 3):
        share = [tail(t * math.sqrt(mean / d / square)) for square in lengths]
        value = sum(share) / n
        spread = math.sqrt(sum((s - value) ** 2 for s in share) / n / n)
        constant = tail(t / math.sqrt(d))
        print(f"{name} d={d}: beyond {t} sigma {value:.6f} +- {1.96 * spread:.6f}, at constant length {constant:.6f}")


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    random.seed(1)
    for d in (64, 128):
        report("one bit", d, lambda: squared_length_of_code(d, [1.0]), n)
        report("Lloyd-Max, 2 bits", d, lambda: squared_length_of_code(d, [0.452780034636, 1.510417608499]), n)
        report("sign sketch, m = d", d, lambda: squared_length_of_sketch(d, d), n)


if __name__ == "__main__":
    main()
