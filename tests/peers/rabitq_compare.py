"""RaBitQ-Library's own quantizers against rabitq@library (records byte by byte) and rabitq (the optimum that the library misses).

Environment: FQ_RABITQ_DRIVER, the compiled rabitq_driver.cpp; FQ_RABITQ_COMMIT.
"""
import os
import subprocess
import tempfile

import numpy as np

import peer

DRIVER = os.environ.get("FQ_RABITQ_DRIVER", "")
NAME = f"RaBitQ-Library {os.environ.get('FQ_RABITQ_COMMIT', '')}".strip()
if not os.path.exists(DRIVER):
    peer.skip("RaBitQ-Library", "no compiled driver (FQ_RABITQ_DRIVER)")


def theirs(form, bits, faster, x):
    with tempfile.TemporaryDirectory() as folder:
        x.tofile(folder + "/x.f32")
        subprocess.run([DRIVER, form, str(bits), str(faster), str(x.shape[1]), folder + "/x.f32", folder + "/out.bin"], check=True)
        return np.fromfile(folder + "/out.bin", dtype=np.uint8).reshape(len(x), -1)


def factor_places(bits, d):
    """Byte ranges of the float32 factors in a split record."""
    first = d // 8
    places = [first, first + 4, first + 8]
    if bits > 1:
        second = first + 12 + (bits - 1) * d // 8
        places += [second, second + 4]
    return places


def split(bits, d, faster, n):
    search = "faster_quant" if faster else "shipped"
    what = f"split records, {bits} bits, search={search}"
    x = peer.gaussian(n, d, 100 + d)
    ours, them = peer.Ours("rabitq@library", f"bits={bits} rotation=none search={search}", x), theirs("split", bits, faster, x)
    if them.shape != ours.records.shape:
        peer.line(NAME, what, f"d={d}", str(ours.records.shape[1]), str(them.shape[1]), "differs", "bytes of a record")
        return
    places = factor_places(bits, d)
    is_code = np.ones(them.shape[1], dtype=bool)
    worst = 0.0
    same = ours.records == them
    for at in places:
        is_code[at:at + 4] = False
    equal_codes = same[:, is_code].all(axis=1)
    for at in places:
        a = ours.records[equal_codes, at:at + 4].copy().view(np.float32)[:, 0].astype(np.float64)
        b = them[equal_codes, at:at + 4].copy().view(np.float32)[:, 0].astype(np.float64)
        worst = max(worst, float((abs(a - b) / np.maximum(abs(b), 1e-30)).max()))
    allowed = 0.002  # magnitudes normalised in another order of float32 sums: a code on the edge of a cell
    peer.compare_codes(NAME, what, f"Gaussian, n={n}, d={d}", ours.records[:, is_code], them[:, is_code], allowed,
                       f"{them.shape[1]} bytes; factors within {worst:.0e}")
    if worst > 2e-4:
        peer.line(NAME, what, f"d={d}", "", "", "differs", f"factors differ by {worst:.1e}")


def scalar(bits, d, faster, n):
    search = "faster_quant" if faster else "shipped"
    x = peer.gaussian(n, d, 200 + d)
    them = theirs("scalar", bits, faster, x)
    code = them[:, :d].astype(np.float64)
    delta, offset = them[:, d:d + 4].copy().view(np.float32), them[:, d + 4:d + 8].copy().view(np.float32)
    ours = peer.Ours("rabitq@library", f"bits={bits} rotation=none search={search} form=reconstruction", x)
    peer.compare_paired(NAME, f"squared error of quantize_scalar (RECONSTRUCTION), {bits} bits, search={search}", f"Gaussian, n={n}, d={d}",
                        peer.relative_errors(x, ours.decoded), peer.relative_errors(x, code * delta + offset))
    if not faster:
        best = peer.Ours("rabitq", f"bits={bits} rotation=none scale=mse scalar=fp32", x)
        a, b = (peer.relative_errors(x, best.decoded), peer.relative_errors(x, code * delta + offset))
        ratio = b.mean() / a.mean()
        never_worse = (a <= b * (1 + 1e-5) + 1e-9).all()
        peer.line(NAME, f"the paper's optimum (rabitq) against the shipped search, {bits} bits", f"Gaussian, n={n}, d={d}",
                  peer.show(*peer.mean_interval(a)), peer.show(*peer.mean_interval(b)), "differs" if not never_worse else "agrees" if ratio < 1.0001 else "within" if ratio < 1.001 else "explained",
                  f"tolerance .1 %; theirs is {ratio:.5f} times ours, better on none of the vectors" if never_worse else "theirs is better somewhere")


def rotation(d):
    x = peer.gaussian(500, d, 300 + d)
    ours = peer.Ours("rabitq@library", "bits=2", x)
    with tempfile.TemporaryDirectory() as folder:
        ours.shared.tofile(folder + "/flips.bin")
        x.tofile(folder + "/x.f32")
        subprocess.run([DRIVER, "rotate", str(d), folder + "/flips.bin", folder + "/x.f32", folder + "/y.f32"], check=True)
        them = np.fromfile(folder + "/y.f32", dtype=np.float32).reshape(len(x), -1)
    scale = np.linalg.norm(x, axis=1, keepdims=True) / d ** 0.5
    worst = float((abs(ours.rotated - them) / scale).max())
    peer.line(NAME, "FhtKacRotator with the same sign bits", f"Gaussian, n=500, d={d}", "", "", "agrees" if worst < 4e-6 else "differs",
              f"coordinates within {worst:.0e} of their root mean square")


for dim in (64, 96, 128, 200, 256):
    rotation(dim)
for dim in (64, 128):
    for width in range(1, 10):
        split(width, dim, 0, 4000)
    for width in (2, 3, 4, 8):
        split(width, dim, 1, 4000)
    for width in (1, 2, 3, 4):
        scalar(width, dim, 0, 20000)
    for width in (2, 3, 4):
        scalar(width, dim, 1, 20000)
peer.finish()
