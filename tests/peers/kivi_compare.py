"""KIVI's own CPU-capable quantizer (quant/new_pack.py) against kivi: keys grouped along tokens, values along channels.

The module is imported as it is; only its GPU compiler (triton) is replaced by an empty stand-in, because none of the functions used here needs it.
Environment: FQ_KIVI, a checkout; FQ_KIVI_COMMIT.
"""
import os
import sys
import types

import numpy as np
import torch

import peer

triton = types.ModuleType("triton")
triton.jit = lambda function: function
triton.language = types.ModuleType("triton.language")
triton.language.constexpr = int
sys.modules["triton"], sys.modules["triton.language"] = triton, triton.language
sys.path.insert(0, os.environ["FQ_KIVI"])
from quant import new_pack  # noqa: E402

# This torch has no clamp_ and round_ for half on a CPU. Through float32 both are exact.
for operation in ("clamp_", "round_"):
    def through_float(self, *bounds, original=getattr(torch.Tensor, operation)):
        return self.copy_(original(self.float(), *bounds)) if self.dtype == torch.float16 else original(self, *bounds)
    setattr(torch.Tensor, operation, through_float)

NAME = f"KIVI {os.environ.get('FQ_KIVI_COMMIT', '')} (torch {torch.__version__})"


def theirs(tensor, x, group, bits, kind):
    """Codes [token][channel] and decoded values; x[token][channel] in tensors of type `kind`, as the model's cache would be."""
    data = torch.tensor(x).to(kind)[None, None].contiguous()
    pack, unpack = ((new_pack.quant_and_pack_kcache, new_pack.unpack_and_dequant_kcache) if tensor == "key" else
                    (new_pack.quant_and_pack_vcache, new_pack.unpack_and_dequant_vcache))
    code, scale, least = pack(data.clone(), group, bits)
    decoded = unpack(code, scale, least, group, bits)
    levels = new_pack.unpack_tensor(code, bits, 2 if tensor == "key" else 3)
    return levels[0, 0].numpy().astype(np.uint8), decoded[0, 0].to(torch.float32).numpy()


def our_codes(ours, tensor, d, group, bits):
    """[token][channel] from our records: codes of group g at g * code_bytes; keys have a group per channel, values per `group` channels."""
    groups = d if tensor == "key" else d // group
    size = group * bits // 8
    packed = ours.records[:, :groups * size].reshape(len(ours.records), groups, size)
    levels = np.unpackbits(packed, axis=2, bitorder="little").reshape(len(ours.records), groups, group, bits)
    levels = (levels.astype(np.int64) << np.arange(bits)).sum(axis=3).astype(np.uint8)
    if tensor == "key":
        return levels.transpose(0, 2, 1).reshape(-1, d)
    return levels.reshape(-1, d)


def compare(tensor, bits, group, kind):
    d, n = 128, 4096
    x = peer.gaussian(n, d, 20)
    if tensor == "key":  # channels of unlike size and offset, as keys have
        x = x * np.exp(peer.gaussian(1, d, 21)) + 3 * peer.gaussian(1, d, 22)
    x = x.astype(np.float16).astype(np.float32)  # what an fp16 cache holds
    name = str(kind).replace("torch.", "")
    try:
        codes, decoded = theirs(tensor, x, group, bits, kind)
    except RuntimeError as why:
        peer.line(NAME, f"{tensor}, {bits} bits, group {group}, {name} tensors", "", "-", "-", "skipped", str(why).splitlines()[0])
        return
    ours = peer.Ours("kivi", f"bits={bits} group={group}", x, tensor=tensor)
    mine = our_codes(ours, tensor, d, group, bits)
    off = int(abs(mine.astype(int) - codes.astype(int)).max())
    share = float((mine != codes).mean())
    inputs = f"{'Gaussian with channel sizes and offsets' if tensor == 'key' else 'Gaussian'}, fp16, n={n}, d={d}"
    limit = 0.006 if kind == torch.float16 else 0.003
    peer.line(NAME, f"{tensor}, {bits} bits, group {group}, {name} tensors: codes", inputs, "", "", "equal" if share == 0 else "within" if off <= 1 and share <= limit else "differs",
              f"tolerance {100 * limit:g} %; {100 * share:.2g} % of codes differ, by at most {off}: " + ("its differences and quotients are rounded to fp16" if kind == torch.float16 else
                                                                      "its scale and minimum are float32, ours the stored fp16"))
    a, b = peer.relative_errors(x, ours.decoded), peer.relative_errors(x, decoded)
    ratio = b.mean() / a.mean()
    peer.line(NAME, f"{tensor}, {bits} bits, group {group}, {name} tensors: squared error", inputs, peer.show(*peer.mean_interval(a)), peer.show(*peer.mean_interval(b)),
              "within" if abs(ratio - 1) < 0.001 else "differs", f"tolerance .1 %; theirs is {ratio:.5f} times ours; {ours.bits:g} bits with fp16 scales")


for kind in (torch.float16, torch.float32):
    for tensor in ("key", "value"):
        for bits in (2, 4):
            for group in (32, 64):
                compare(tensor, bits, group, kind)
peer.finish()
