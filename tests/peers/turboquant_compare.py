"""The TurboQuant release's Python (accuracy/turbo_quant.py, a script on the authors' OpenReview code) against turboquant-mse and turboquant-prod.

The module is imported as it is and runs on the CPU: its `.to("cuda")` is redirected. Environment: FQ_TURBOQUANT, the folder; FQ_TURBOQUANT_COMMIT.
"""
import importlib.util
import math
import os

import numpy as np
import torch

import peer

original_to = torch.Tensor.to
torch.Tensor.to = lambda self, *where, **named: self if where[:1] == ("cuda",) else original_to(self, *where, **named)
spec = importlib.util.spec_from_file_location("turbo_quant", os.path.join(os.environ["FQ_TURBOQUANT"], "turbo_quant.py"))
release = importlib.util.module_from_spec(spec)
spec.loader.exec_module(release)
NAME = f"TurboQuant release, comparison repository {os.environ.get('FQ_TURBOQUANT_COMMIT', '')} (torch {torch.__version__})"
DRAWS = 12


def nearest(levels, z):
    bounds = (levels[1:] + levels[:-1]) / 2
    return np.searchsorted(bounds, z)


# Positive Lloyd-Max levels of N(0,1), methods.md 1.3 and appendix A.
OPTIMUM = {1: [0.797884560803], 2: [0.452780034636, 1.510417608499], 3: [0.245094178944, 0.756005281206, 1.343909278505, 2.151945704537],
           4: [0.128395029851, 0.388048299490, 0.656759118532, 0.942340456487, 1.256231197347, 1.618046386022, 2.069017226531, 2.732589570995],
           5: [0.065889659771, 0.198051829669, 0.331378305760, 0.466699522977, 0.604933624009, 0.747135703688, 0.894565117388, 1.048783319923,
               1.211804380609, 1.386340339587, 1.576228078612, 1.787233217703, 2.028728399395, 2.317739404195, 2.691119577377, 3.260732493401]}


def mse(bits, d, n):
    x = peer.unit(peer.gaussian(n, d, 30))
    theirs = release.quantize_vectors(torch.tensor(x), bits, torch.eye(d)).numpy()
    inputs = f"unit Gaussian, n={n}, d={d}, no rotation"
    ours = peer.Ours("turboquant-mse", f"bits={bits} rotation=none scale=raw scalar=fp32", x)
    table = release.CENTROIDS[bits - 1].numpy().astype(np.float64)
    gap = float(abs(table + table[::-1]).max())
    code = nearest(table, theirs.astype(np.float64) * d ** 0.5)
    best = np.array([-v for v in reversed(OPTIMUM[bits])] + OPTIMUM[bits])
    mine = nearest(best, ours.decoded.astype(np.float64) * d ** 0.5)
    share = float((mine != code).mean())
    a, b = peer.relative_errors(x, ours.decoded), peer.relative_errors(x, theirs)
    ratio = b.mean() / a.mean()
    predicted = peer.table_distortion(table) / peer.table_distortion(best)
    peer.line(NAME, f"quantize_vectors, {bits} bits, against turboquant-mse: squared error", inputs, peer.show(*peer.mean_interval(a)), peer.show(*peer.mean_interval(b)),
              "within" if abs(ratio - 1) < 0.001 else "explained" if predicted > 1.01 and abs(ratio / predicted - 1) < 0.03 else "differs",
              f"tolerance .1 %; theirs is {ratio:.5f} times ours, its table {predicted:.5f} times the optimum for N(0,1); {100 * share:.2g} % of codes differ because its levels do "
              f"(by up to {abs(table - best).max():.2g}; asymmetry {gap:.1g})")


def errors_of(decoded_scores, q, x):
    exact = q.astype(np.float64) @ x.astype(np.float64).T
    return x.shape[1] * float(((decoded_scores - exact) ** 2).mean())


def prod(bits, d, n):
    """Its unbiased variant: orthogonal sketch, constant residual norm, a fresh sketch a call. One number per draw on both sides."""
    x, q = peer.unit(peer.gaussian(n, d, 31)), peer.unit(peer.gaussian(32, d, 32))
    torch.manual_seed(bits)
    theirs, ours = [], []
    for draw in range(DRAWS):
        decoded = release.quantize_vectors_unbiased(torch.tensor(x), bits, torch.eye(d)).numpy()
        theirs.append(errors_of(q.astype(np.float64) @ decoded.astype(np.float64).T, q, x))
        scores = peer.Ours("turboquant-prod", f"bits={bits} rotation=none sketch=orthogonal residual=constant scalar=fp32", x, q, seed=draw + 1).scores
        ours.append(errors_of(scores, q, x))
    ratio = np.mean(theirs) / np.mean(ours)
    half = 2.07 * math.sqrt(np.var(theirs, ddof=1) + np.var(ours, ddof=1)) / math.sqrt(DRAWS)  # Student, 22 degrees of freedom
    predicted = 1 + 1 / (2 * d)  # its gain sqrt(pi/(2d)) is the limit of large d, 1 + 1/(4d) times the exact one that ours has
    difference = predicted * np.mean(ours) - np.mean(theirs)
    peer.line(NAME, f"quantize_vectors_unbiased, {bits} bits, against turboquant-prod sketch=orthogonal residual=constant: d Var of <q,x>",
              f"unit Gaussian, n={n}, 32 queries, d={d}, {DRAWS} sketches a side", f"{np.mean(ours):.5g}", f"{np.mean(theirs):.5g}",
              "agrees" if abs(difference) <= half else "differs",
              f"theirs is {ratio:.4f} +- {half / np.mean(ours):.4f} times ours; its gain, the limit of large d, predicts {predicted:.4f}")


def prod_release(bits, d, n):
    """Its unbiased variant with our sketch matrix in place of its own draw: decoded vectors against turboquant-prod@release, one by one."""
    x = peer.unit(peer.gaussian(n, d, 33))
    ours = peer.Ours("turboquant-prod@release", f"bits={bits} rotation=none scalar=fp32", x)
    sketch = ours.shared.view(np.float32)[-d * d:].reshape(d, d).T  # stored by columns, last in the shared state
    assert abs(sketch @ sketch.T - np.eye(d)).max() < 1e-4
    draw, release.generate_random_rotation = release.generate_random_rotation, lambda dim: torch.tensor(sketch.copy())
    theirs = release.quantize_vectors_unbiased(torch.tensor(x), bits, torch.eye(d)).numpy()
    release.generate_random_rotation = draw
    distance = np.linalg.norm(ours.decoded - theirs, axis=1)
    apart = float((distance > 1e-4).mean())
    peer.line(NAME, f"quantize_vectors_unbiased, {bits} bits, same sketch matrix, against turboquant-prod@release: decoded vectors", f"unit Gaussian, n={n}, d={d}",
              f"{ours.bits:g} bits", "no norm stored", "equal" if distance.max() < 1e-5 else "agrees" if apart < 0.002 else "differs",
              f"{100 * apart:.2g} % of vectors farther apart than 1e-4 (a sign of a projection near zero), the others within {distance[distance <= 1e-4].max():.0e}")


for dim in (128, 1536):
    for width in (1, 2, 3, 4, 5):
        mse(width, dim, 4000 if dim == 128 else 400)
for width in (1, 2, 3, 4, 5):
    prod_release(width, 128, 4000)
    prod(width, 128, 2000)
peer.finish()
