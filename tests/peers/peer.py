"""What the comparisons share: our side through fq_peer, inputs, intervals, and the lines of the table.

A line of the table is one JSON object in $FQ_PEER_LINES and one line of text. Verdicts: `equal` (codes or bytes), `agrees` (distortion within
the interval or 1e-4, or float32 numbers within rounding), `within` (a tolerance that the note and docs/fidelity.md state), `differs` (neither: the run fails), `explained` (differs, and the reason is checked by the script itself), `skipped`.
"""
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

FQ_PEER = os.environ.get("FQ_PEER", "build/peers/fq_peer")
LINES = os.environ.get("FQ_PEER_LINES", os.devnull)
failed = 0


class Ours:
    """One run of one of our methods: records, what encode saw, decoded vectors, scores [query][vector]."""

    def __init__(self, method, params, x, queries=None, training=None, seed=1, tensor="key"):
        x = np.ascontiguousarray(x, dtype=np.float32)
        with tempfile.TemporaryDirectory() as folder:
            def put(name, rows):
                path = os.path.join(folder, name)
                np.ascontiguousarray(rows, dtype=np.float32).tofile(path)
                return path
            command = [FQ_PEER, method, params, str(x.shape[1]), str(seed), tensor, put("x.f32", x), folder]
            if queries is not None or training is not None:
                command.append(put("q.f32", queries) if queries is not None else "-")
            if training is not None:
                command.append(put("t.f32", training))
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(done.stderr.strip())
            self.info = json.loads(done.stdout)
            n = self.info["n"]
            self.records = np.fromfile(os.path.join(folder, "records.bin"), dtype=np.uint8).reshape(-1, self.info["record_bytes"])
            self.rotated = np.fromfile(os.path.join(folder, "rotated.f32"), dtype=np.float32).reshape(n, -1)
            self.shared = np.fromfile(os.path.join(folder, "shared.bin"), dtype=np.uint8)
            if self.info["decodes"]:
                self.decoded = np.fromfile(os.path.join(folder, "decoded.f32"), dtype=np.float32).reshape(n, -1)
            if queries is not None:
                self.scores = np.fromfile(os.path.join(folder, "scores.f32"), dtype=np.float32).reshape(len(queries), n)
        self.bits = 8 * self.info["record_bytes"] / (self.info["granularity"] * x.shape[1])


def gaussian(n, d, seed):
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def unit(x):
    return (x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)).astype(np.float32)


def relative_errors(x, decoded):
    x = x.astype(np.float64)
    return ((x - decoded) ** 2).sum(1) / (x * x).sum(1)


def mean_interval(values):
    """Mean and half the 95 % interval over vectors."""
    values = np.asarray(values, dtype=np.float64)
    return values.mean(), 1.96 * values.std(ddof=1) / len(values) ** 0.5


def density(z):
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) if math.isfinite(z) else 0.0


def below(z):
    return 0.5 * math.erfc(-z / math.sqrt(2))


def table_distortion(levels):
    """E (z - Q(z))^2 for z of N(0,1) and nearest levels, in closed form."""
    levels = [float(v) for v in levels]
    edges = [-math.inf] + [(a + b) / 2 for a, b in zip(levels, levels[1:])] + [math.inf]
    total = 0.0
    for c, low, high in zip(levels, edges, edges[1:]):
        mass, first = below(high) - below(low), density(low) - density(high)
        second = (low * density(low) if math.isfinite(low) else 0) - (high * density(high) if math.isfinite(high) else 0) + mass
        total += second - 2 * c * first + c * c * mass
    return total


def line(peer, what, inputs, ours, theirs, verdict, note=""):
    global failed
    failed += verdict == "differs"
    row = {"peer": peer, "what": what, "inputs": inputs, "ours": ours, "theirs": theirs, "verdict": verdict, "note": note}
    with open(LINES, "a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")
    print(f"{verdict:9} {peer}: {what} [{inputs}]: ours {ours}, theirs {theirs}{'; ' + note if note else ''}", flush=True)


def skip(peer, why):
    line(peer, "all", "", "-", "-", "skipped", why)
    sys.exit(0)


def show(mean, half):
    return f"{mean:.5g} +- {half:.2g}"


def compare_paired(peer, what, inputs, ours, theirs, note=""):
    """Distortion of the same vectors through the same codes: the mean difference must lie within its own 95 % interval, or below 1e-4 of the mean
    (float32 against double)."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    difference, half = mean_interval(ours - theirs)
    agrees = abs(difference) <= max(half, 1e-4 * abs(ours.mean()))
    text = f"difference {difference:.1e} +- {half:.1e}"
    line(peer, what, inputs, show(*mean_interval(ours)), show(*mean_interval(theirs)), "agrees" if agrees else "differs",
         f"{text}{'; ' + note if note else ''}")
    return agrees


def compare_unpaired(peer, what, inputs, ours, theirs, note=""):
    """Distortion under different random rotations or sketches: two means, their difference against its 95 % interval. Values are one number per
    draw where a draw is what varies, else per vector."""
    (a, ha), (b, hb) = mean_interval(ours), mean_interval(theirs)
    half = (ha * ha + hb * hb) ** 0.5
    line(peer, what, inputs, show(a, ha), show(b, hb), "agrees" if abs(a - b) <= half else "differs",
         f"difference {a - b:.1e} +- {half:.1e}{'; ' + note if note else ''}")
    return abs(a - b) <= half


def compare_rough(peer, what, inputs, ours, theirs, margin, note=""):
    """One draw of a random sketch on each side: means per vector, within a relative margin that is said."""
    (a, ha), (b, hb) = mean_interval(ours), mean_interval(theirs)
    line(peer, what, inputs, show(a, ha), show(b, hb), "within" if abs(b / a - 1) <= margin else "differs",
         f"tolerance {100 * margin:g} %{'; ' + note if note else ''}")


def compare_codes(peer, what, inputs, ours, theirs, allowed=0.0, note=""):
    """Rows of codes or bytes; `allowed` is the share of rows that may differ, with its reason in `note`."""
    rows = (np.asarray(ours) != np.asarray(theirs)).any(axis=1)
    share = rows.mean()
    verdict = "equal" if share == 0 else "agrees" if share <= allowed else "differs"
    text = f"{int(rows.sum())} of {len(rows)} rows differ" if share else f"all {len(rows)} rows equal"
    line(peer, what, inputs, "", "", verdict, f"{text}{'; ' + note if note else ''}")
    return verdict != "differs"


def finish():
    sys.exit(1 if failed else 0)
