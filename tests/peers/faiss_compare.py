"""faiss 1.15.1 against ours: IndexRaBitQ (1 to 9 bits), IndexRaBitQFastScan, IndexEDEN, the scalar quantizers QT_*_tqmse, QT_*_tq and QT_*_eden, PQ.

Inputs are Gaussian vectors (uniform directions), which is what any rotation makes of them; faiss has no rotation inside, so ours runs with
rotation=none. Bytes are those of sa_code_size, all of them. Where faiss learns a centre, it is trained on x and -x, whose mean is exactly zero.
"""
import heapq
import math

import faiss
import numpy as np

import peer

NAME = f"faiss {faiss.__version__}"
IP = faiss.METRIC_INNER_PRODUCT
if faiss.__version__ != "1.15.1":
    peer.skip("faiss", f"version {faiss.__version__} found, 1.15.1 expected")


def mirrored(x):
    return np.concatenate([x, -x])


def rate(code_size, d):
    return 8 * code_size / d


def all_scores(index, q):
    """Inner products of every query with every stored vector, in the order of the vectors."""
    values, ids = index.search(q, index.ntotal)
    out = np.empty_like(values)
    np.put_along_axis(out, ids, values, axis=1)
    return out


def pair_errors(scores, q, x):
    """d times the squared error of <q,x>, vectors and queries of length one; mean over queries: one number per vector."""
    exact = q.astype(np.float64) @ x.astype(np.float64).T
    return x.shape[1] * ((scores - exact) ** 2).mean(axis=0)


START = [0, 0.15, 0.20, 0.52, 0.59, 0.71, 0.75, 0.77, 0.81]


def running_root_codes(x, bits):
    """x_u by the shipped search in float32, with 1/sqrt(denominator) carried along by one step of its first-order expansion."""
    one = np.float32
    top = 2 ** (bits - 1) - 1
    norm = one(np.sqrt((x.astype(np.float64) ** 2).sum()))
    a = abs(x / norm)
    end = one(top + 10) / a.max()
    start = end * one(START[bits - 1])
    inverse = one(1) / a
    code = [int(float(start * v) + 1e-5) for v in a]
    square, dot = one(len(a) * 0.25), one(0)
    for v, e in zip(a, code):
        square += one(e * e + e)
        dot += one(e + 0.5) * v
    root = one(1) / np.sqrt(square)
    steps = [(one(e + 1) * w, i) for i, (e, w) in enumerate(zip(code, inverse)) if one(e + 1) * w < end]
    heapq.heapify(steps)
    best, best_t = one(0), one(0)
    while steps:
        t, i = heapq.heappop(steps)
        code[i] += 1
        gain = one(2 * code[i])
        square += gain
        dot += a[i]
        root *= one(1) - one(0.5) * gain / (square - gain + gain * one(0.5))
        if dot * root > best:
            best, best_t = dot * root, t
        after = one(code[i] + 1) * inverse[i]
        if code[i] < top and after < end:
            heapq.heappush(steps, (after, i))
    e = np.minimum((best_t * a + 1e-5).astype(np.int64), top)
    return np.where(x > 0, (1 << (bits - 1)) + e, np.where(x < 0, top - e, e))


def rabitq(bits, d, n):
    x, q = peer.unit(peer.gaussian(n, d, 1)), peer.unit(peer.gaussian(24, d, 2))
    index = faiss.IndexRaBitQ(d, IP, bits)
    index.qb = 0
    index.train(mirrored(x))
    index.add(x)
    theirs = all_scores(index, q)
    ours = peer.Ours("rabitq@library", f"bits={bits} rotation=none", x, q)
    best = peer.Ours("rabitq", f"bits={min(bits, 8)} rotation=none scalar=fp32", x, q)
    size, inputs = index.sa_code_size(), f"unit Gaussian, n={n}, 24 queries, d={d}"
    assert rate(size, d) == (bits + (64 if bits == 1 else 160) / d)
    codes = index.sa_encode(x)
    signs = np.unpackbits(codes[:, :d // 8], axis=1, bitorder="little")
    peer.compare_codes(NAME, f"IndexRaBitQ nb_bits={bits}: sign plane", inputs, (x > 0).astype(np.uint8), signs, note=f"{size} bytes, {rate(size, d):g} bits")
    if bits == 1:
        worst = float(abs(theirs - ours.scores).max())
        peer.line(NAME, "IndexRaBitQ nb_bits=1: every estimate of <q,x>", inputs, "rabitq@library", "IndexRaBitQ qb=0", "agrees" if worst < 2e-6 else "differs",
                  f"largest difference {worst:.0e}")
        return
    ex = np.unpackbits(codes[:, d // 8 + 12:d // 8 + 12 + (bits - 1) * d // 8], axis=1, bitorder="little").reshape(n, d, bits - 1)
    full = (signs.astype(np.int64) << (bits - 1)) + (ex.astype(np.int64) << np.arange(bits - 1)).sum(axis=2)
    a, b = pair_errors(ours.scores, q, x), pair_errors(theirs, q, x)
    sample = range(24)
    reproduced = np.mean([(running_root_codes(x[v], bits) == full[v]).all() for v in sample])
    peer.line(NAME, f"IndexRaBitQ nb_bits={bits}: d Var of <q,x>, against rabitq@library", inputs, peer.show(*peer.mean_interval(a)), peer.show(*peer.mean_interval(b)),
              "explained" if reproduced >= 0.9 else "differs",
              f"theirs is {b.mean() / a.mean():.3f} times ours: it updates 1/sqrt in the sweep by a first-order step whose error adds up; a search with that step "
              f"gives its codes for {100 * reproduced:.0f} % of {len(sample)} vectors, the library's exact root gives rabitq@library's")
    u = x.astype(np.float64)
    grid = full - (2 ** bits - 1) / 2
    cosine = (grid * u).sum(1) / np.sqrt((grid ** 2).sum(1) * (u ** 2).sum(1))
    if bits <= 8:
        ours_var, theirs_var = peer.relative_errors(x, best.decoded), 1 / cosine ** 2 - 1
        ratio = theirs_var.mean() / ours_var.mean()
        never = (theirs_var >= ours_var * (1 - 1e-5) - 1e-9).all()
        peer.line(NAME, f"IndexRaBitQ nb_bits={bits}: 1/cos^2 - 1 of its codes against the optimum (rabitq)", inputs, peer.show(*peer.mean_interval(ours_var)),
                  peer.show(*peer.mean_interval(theirs_var)), "explained" if never else "differs", f"theirs is {ratio:.3f} times ours, better on none of the vectors")
    decoded = index.sa_decode(codes)
    error, one_bit = peer.relative_errors(x, decoded), peer.Ours("rabitq", "bits=1 rotation=none scalar=fp32", x)
    if bits == 4:
        peer.compare_paired(NAME, "IndexRaBitQ nb_bits=4: sa_decode is its sign plane alone, i.e. rabitq at 1 bit", inputs, peer.relative_errors(x, one_bit.decoded),
                            error, "so no squared error of 2 to 9 bits can be had through sa_decode")


def rabitq_query(bits_of_query, ours_query, d, n):
    """qb bits of query, min/max, round to nearest: faiss' and ours at the same width."""
    x, q = peer.unit(peer.gaussian(n, d, 3)), peer.unit(peer.gaussian(48, d, 4))
    index = faiss.IndexRaBitQ(d, IP, 1)
    index.qb, index.centered = bits_of_query, False
    index.train(mirrored(x))
    index.add(x)
    ours = peer.Ours("rabitq", f"bits=1 rotation=none scalar=fp32 query={ours_query}", x, q)
    theirs = all_scores(index, q)
    worst = float(abs(theirs - ours.scores).max())
    same = "every estimate within 1e-5" if worst < 1e-5 else f"largest difference {worst:.1e}"
    peer.compare_paired(NAME, f"IndexRaBitQ qb={bits_of_query}: d Var of <q,x> against rabitq query={ours_query}", f"unit Gaussian, n={n}, 48 queries, d={d}",
                        pair_errors(ours.scores, q, x), pair_errors(theirs, q, x), same)


def fastscan(d, n):
    x, q = peer.unit(peer.gaussian(n, d, 5)), peer.unit(peer.gaussian(24, d, 6))
    for bits in (1, 4):
        index = faiss.IndexRaBitQFastScan(d, IP, 32, bits)
        index.train(mirrored(x))
        index.add(x)
        theirs = all_scores(index, q)
        flat = faiss.IndexRaBitQ(d, IP, bits)
        flat.qb = 0
        flat.train(mirrored(x))
        flat.add(x)
        ours = peer.Ours("rabitq@library", f"bits={bits} rotation=none", x, q)
        mine, theirs_flat = peer.mean_interval(pair_errors(ours.scores, q, x)), pair_errors(all_scores(flat, q), q, x).mean()
        mean, half = peer.mean_interval(pair_errors(theirs, q, x))
        size = index.sa_code_size()
        # its look-up tables hold the query in 8 bits; methods.md 4.3 has .6562 against .6560 at rho = .5, i.e. .1 % of the variance
        peer.line(NAME, f"IndexRaBitQFastScan nb_bits={bits}, qb={index.qb}: d Var of <q,x>", f"unit Gaussian, n={n}, 24 queries, d={d}", peer.show(*mine),
                  peer.show(mean, half), "within" if abs(mean / (mine[0] if bits == 1 else theirs_flat) - 1) < 0.01 else "differs",
                  f"tolerance 1 % of {'ours' if bits == 1 else 'IndexRaBitQ of faiss, which is explained apart'}; {size} bytes, {rate(size, d):g} bits; {mean / mine[0]:.4f} times ours" + ("" if bits == 1 else f", {mean / theirs_flat:.4f} times IndexRaBitQ of faiss"))


QT = {b: getattr(faiss.ScalarQuantizer, f"QT_{b}bit_eden") for b in range(1, 9)}


def tables(d):
    """The Lloyd-Max tables that faiss ships, against the optimum of methods.md 1.3."""
    best = [0.363380227632, 0.117481847829, 0.034547760789, 0.009501008008, 2.504668356e-3, 6.44239665e-4, 1.63478230e-4, 4.1185083e-5]
    for bits in range(1, 9):
        index = faiss.IndexScalarQuantizer(d, QT[bits], IP)
        index.train(np.zeros((1, d), dtype=np.float32))
        value = peer.table_distortion(faiss.vector_to_array(index.sq.trained)[:2 ** bits])
        ratio = value / best[bits - 1]
        peer.line(NAME, f"Lloyd-Max table of {bits} bits: exact distortion for N(0,1)", "closed form", f"{best[bits - 1]:.8g}", f"{value:.8g}",
                  "agrees" if abs(ratio - 1) < 1e-4 else "explained" if bits == 8 else "differs", "" if bits < 8 else f"{ratio:.3f} times the optimum: not converged")


def lloyd_codes(records, bits, d):
    """Our packed codes without the scalar, and a mask of vectors with a coordinate next to a decision bound."""
    return records[:, :math.ceil(bits * d / 8)]


def near_bound(x, bounds):
    """Vectors with a coordinate so close to a bound that float32 may send it to either side."""
    z = x.astype(np.float64) * (x.shape[1] ** 0.5) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    return (abs(z[:, :, None] - np.asarray(bounds)) < 3e-6).any(axis=(1, 2)).mean()


def eden(bits, d, n):
    x = peer.gaussian(n, d, 7) * np.float32(3.7)
    for scale, kind in (("unbiased", faiss.EDENScaleType_UNBIASED), ("mse", faiss.EDENScaleType_BIASED)):
        index = faiss.IndexEDEN(d, IP, bits, kind)
        index.train(mirrored(x))
        codes = index.sa_encode(x)
        size = index.sa_code_size()
        assert size == math.ceil(bits * d / 8) + 8, size
        ours = peer.Ours("eden", f"bits={bits} rotation=none scale={scale} scalar=fp32", x)
        inputs = f"Gaussian of length 3.7 sqrt(d), n={n}, d={d}"
        table = faiss.vector_to_array(index.sq.trained)
        note = f"{size} bytes, {rate(size, d):g} bits (ours {ours.bits:g}, with one scalar where theirs has two)"
        allowed = 1.0 if bits == 8 else near_bound(x, table[2 ** bits:]) * 1.5 + 1e-3
        same = (lloyd_codes(ours.records, bits, d) == codes[:, :math.ceil(bits * d / 8)]).all(axis=1).mean()
        if scale == "unbiased":
            if bits == 8:
                peer.line(NAME, "IndexEDEN 8 bits: codes", inputs, "", "", "explained", f"{100 * (1 - same):.0f} % of rows differ: its 8-bit table is another; {note}")
            else:
                peer.compare_codes(NAME, f"IndexEDEN {bits} bits: packed codes against eden", inputs, lloyd_codes(ours.records, bits, d),
                                   codes[:, :math.ceil(bits * d / 8)], allowed, note)
        a, b = peer.relative_errors(x, ours.decoded), peer.relative_errors(x, index.sa_decode(codes))
        if bits < 8:
            peer.compare_paired(NAME, f"IndexEDEN {bits} bits, scale={scale}: squared error", inputs, a, b)
        else:
            peer.line(NAME, f"IndexEDEN 8 bits, scale={scale}: squared error", inputs, peer.show(*peer.mean_interval(a)), peer.show(*peer.mean_interval(b)), "explained",
                      f"theirs is {b.mean() / a.mean():.3f} times ours: its 8-bit table is not converged")


def scalar_quantizers(d, n):
    x = peer.unit(peer.gaussian(n, d, 8))
    for bits in (1, 2, 3, 4, 8):
        kind = getattr(faiss.ScalarQuantizer, f"QT_{bits}bit_tqmse")
        index = faiss.IndexScalarQuantizer(d, kind, IP)
        index.train(x)
        size = index.sa_code_size()
        ours = peer.Ours("turboquant-mse", f"bits={bits} rotation=none scale=raw scalar=fp32", x)
        codes = index.sa_encode(x)
        inputs = f"unit Gaussian, n={n}, d={d}"
        note = f"{size} bytes, {rate(size, d):g} bits, no norm stored (ours {ours.bits:g})"
        a, b = peer.relative_errors(x, ours.decoded), peer.relative_errors(x, index.sa_decode(codes))
        if bits < 8:
            bounds = faiss.vector_to_array(index.sq.trained)[2 ** bits:] * d ** 0.5  # its table is for unit vectors: levels / sqrt(d)
            peer.compare_codes(NAME, f"QT_{bits}bit_tqmse: packed codes against turboquant-mse", inputs, lloyd_codes(ours.records, bits, d), codes,
                               near_bound(x, bounds) * 1.5 + 1e-3, note)
            peer.compare_paired(NAME, f"QT_{bits}bit_tqmse: squared error", inputs, a, b)
        else:
            peer.line(NAME, "QT_8bit_tqmse: squared error", inputs, peer.show(*peer.mean_interval(a)), peer.show(*peer.mean_interval(b)), "explained",
                      f"theirs is {b.mean() / a.mean():.3f} times ours: its 8-bit table is not converged; {note}")
        three = (3 * x.astype(np.float64)).astype(np.float32)
        scaled = peer.relative_errors(three, index.sa_decode(index.sa_encode(three)))
        if bits == 4:
            peer.line(NAME, "QT_4bit_tqmse fed vectors of norm 3: squared error", inputs, peer.show(*peer.mean_interval(a)), peer.show(*peer.mean_interval(scaled)), "explained",
                      "it stores no norm and clips: unit vectors only; turboquant-mse stores one scalar and is the same at any norm")
    for bits in (1, 2, 3, 4, 5, 6, 7):
        index = faiss.IndexScalarQuantizer(d, QT[bits], IP)
        index.train(x)
        scaled = (x.astype(np.float64) * d ** 0.5).astype(np.float32)
        ours = peer.Ours("eden", f"bits={bits} rotation=none scalar=fp32", x)
        table = faiss.vector_to_array(index.sq.trained)
        peer.compare_codes(NAME, f"QT_{bits}bit_eden fed sqrt(d) x: packed codes against eden", f"unit Gaussian, n={n}, d={d}", lloyd_codes(ours.records, bits, d),
                           index.sa_encode(scaled), near_bound(x, table[2 ** bits:]) * 1.5 + 1e-3, f"{index.sa_code_size()} bytes")


def turboquant_full(d, n):
    """QT_*_tq: Lloyd-Max at one bit less, and signs of the residual under its own projection (fast Hadamard with signs, or a dense rotation)."""
    x, q = peer.unit(peer.gaussian(n, d, 9)), peer.unit(peer.gaussian(24, d, 10))
    for bits in (2, 3, 4, 5):
        index = faiss.IndexScalarQuantizer(d, getattr(faiss.ScalarQuantizer, f"QT_{bits}bit_tq"), IP)
        index.train(x)
        index.add(x)
        size, inputs = index.sa_code_size(), f"unit Gaussian, n={n}, 24 queries, d={d}"
        codes = index.sa_encode(x)
        planes = np.unpackbits(codes[:, :(bits - 1) * d // 8], axis=1, bitorder="little").reshape(n, bits - 1, d)
        stage = (planes.astype(np.int64) << np.arange(bits - 1)[None, :, None]).sum(axis=1)
        plain = peer.Ours("turboquant-mse", f"bits={bits - 1} rotation=none scalar=fp32", x)
        mine = np.unpackbits(lloyd_codes(plain.records, bits - 1, d), axis=1, bitorder="little")[:, :(bits - 1) * d].reshape(n, d, bits - 1)
        table = faiss.vector_to_array(index.sq.trained)[2 ** (bits - 1):2 ** bits - 1]
        peer.compare_codes(NAME, f"QT_{bits}bit_tq: first stage against turboquant-mse at {bits - 1} bits", inputs,
                           (mine.astype(np.int64) << np.arange(bits - 1)).sum(axis=2), stage, near_bound(x, table) * 1.5 + 1e-3,
                           f"{size} bytes, {rate(size, d):g} bits")
        norm, gamma = codes[:, -8:-4].copy().view(np.float32)[:, 0], codes[:, -4:].copy().view(np.float32)[:, 0]
        residual = np.linalg.norm(x.astype(np.float64) - plain.decoded, axis=1)
        worst = max(float(abs(norm - 1).max()), float(abs(gamma / residual - 1).max()))
        peer.line(NAME, f"QT_{bits}bit_tq: stored norm and residual norm", inputs, "", "", "agrees" if worst < 1e-4 else "differs", f"within {worst:.0e} of the true ones")
        ours = peer.Ours("turboquant-prod", f"bits={bits} rotation=none sketch=orthogonal scalar=fp32", x, q)
        a, b = pair_errors(ours.scores, q, x), pair_errors(all_scores(index, q), q, x)
        first = peer.relative_errors(x, plain.decoded)
        # what its sign stage would give with the gain that its orthonormal projection needs, sqrt(d) more than it has
        decoded = index.sa_decode(codes).astype(np.float64)
        base = plain.decoded.astype(np.float64)
        fixed = base + d ** 0.5 * (decoded - base)
        c = pair_errors(q.astype(np.float64) @ fixed.T, q, x)
        m, h = peer.mean_interval(b)
        gain = float(((decoded - base) * (x - base)).sum() / ((x - base) ** 2).sum())
        expected = first.mean() * (1 - 2 * gain + gain * gain * math.pi / 2)  # first stage plus `gain` of an unbiased sign stage
        peer.line(NAME, f"QT_{bits}bit_tq as it is: d Var of <q,x>", inputs, peer.show(*peer.mean_interval(a)), peer.show(m, h),
                  "explained" if abs(m / expected - 1) < 0.05 and abs(gain * d ** 0.5 - 1) < 0.05 else "differs",
                  f"its sign stage is sqrt(d) too small: it gives back {100 * gain:.2g} % of the residual (1/sqrt(d) = {100 / d ** 0.5:.2g} %), which predicts {expected:.4g}")
        peer.compare_rough(NAME, f"QT_{bits}bit_tq with its sign stage times sqrt(d): d Var of <q,x> against turboquant-prod sketch=orthogonal", inputs, a, c, 0.03,
                           "another sketch, one draw of each")


def pq(d, n):
    """k-means codebooks of 256 entries for every 4 coordinates, 10 rounds of Lloyd's iteration from different starts: one mean per seed."""
    training, x, seeds = peer.gaussian(10000, d, 11), peer.gaussian(n, d, 12), (1, 2, 3)
    ours = [peer.Ours("pq", "sub_dim=4 code_bits=8 norm=none iterations=10", x, training=training, seed=s) for s in seeds]
    size = ours[0].info["record_bytes"]
    a, b = [peer.relative_errors(x, o.decoded).mean() for o in ours], []
    for s in seeds:
        index = faiss.IndexPQ(d, d // 4, 8, IP)
        index.pq.cp.seed, index.pq.cp.niter = s, 10
        index.train(training)
        assert index.sa_code_size() == size
        b.append(peer.relative_errors(x, index.sa_decode(index.sa_encode(x))).mean())
    ratio = np.mean(b) / np.mean(a)
    peer.line(NAME, f"IndexPQ M={size}, 8 bits: squared error", f"Gaussian, 10000 training, n={n}, d={d}, 3 seeds", peer.show(*peer.mean_interval(a)),
              peer.show(*peer.mean_interval(b)), "within" if abs(ratio - 1) < 0.01 else "differs",
              f"{size} bytes on both sides; theirs is {ratio:.4f} times ours; tolerance 1 %: it starts from random vectors, ours from k-means++")


for dim in (64, 128):
    for width in range(1, 10):
        rabitq(width, dim, 1500)
rabitq_query(4, "4bit", 128, 1500)
rabitq_query(8, "8bit", 128, 1500)
fastscan(128, 1504)
for dim in (64, 128):
    for width in range(1, 9):
        eden(width, dim, 4000)
tables(64)
scalar_quantizers(128, 4000)
turboquant_full(128, 2000)
pq(64, 4000)
peer.finish()
