#!/usr/bin/env python3
"""Writes a KV set (schema fairquant/kv/1) from any engine; needs numpy and h5py only.

With Transformers the cache that a forward pass returns is nearly the file already:

    out = model(input_ids, use_cache=True)          # one sequence, batch size 1
    keys, values = layers_of(out.past_key_values)   # lists over layers of [kv_head][token][dim]
    write_kv_set("mine.h5", keys, values, model="org/name", corpus="my-text")

Transformers stores keys after RoPE, so rope="post". Queries are not part of its cache. Attention metrics need them: keep
what the rotary embedding returns (its first value, [batch][head][token][dim]) with a forward hook or by wrapping
apply_rotary_pos_emb, and pass the list over layers as `queries`.

Run as a program it writes a small random set, which the tests then open:

    python3 write_kv_set.py OUT.h5
"""
import hashlib
import sys

import h5py
import numpy as np


def as_array(tensor):
    """numpy from a numpy array or a torch tensor (bfloat16 included), with a leading batch axis of 1 removed."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().to("cpu").float().numpy()
    array = np.asarray(tensor)
    if array.ndim == 4:
        if array.shape[0] != 1:
            raise ValueError(f"expected one sequence, found a batch of {array.shape[0]}: write one file each")
        array = array[0]
    if array.ndim != 3:
        raise ValueError(f"expected [head][token][dim], found shape {array.shape}")
    return array


def layers_of(past_key_values):
    """Two lists over layers, keys and values, from each form that Transformers has given its cache."""
    if hasattr(past_key_values, "layers"):  # cache made of layer objects
        pairs = [(layer.keys, layer.values) for layer in past_key_values.layers]
    elif hasattr(past_key_values, "key_cache"):  # DynamicCache with two lists
        pairs = list(zip(past_key_values.key_cache, past_key_values.value_cache))
    else:  # the legacy tuple of (key, value)
        pairs = [(pair[0], pair[1]) for pair in past_key_values]
    return [as_array(k) for k, _ in pairs], [as_array(v) for _, v in pairs]


def write_kv_set(path, keys, values, queries=None, *, model, corpus, model_sha256="", corpus_sha256="", rope="post",
                 context=None, source="write_kv_set.py", half=True):
    """keys[l], values[l]: [kv_head][token][dim]; queries[l]: [head][token][dim], where head is a multiple of kv_head.

    context: the tokens that attended to each other, when the capture was made of windows; the whole length if it was
    one. half: float16 on disk; float32 otherwise. Values that float16 cannot hold are an error here, not infinities there.
    """
    tokens = keys[0].shape[1]
    kind = np.float16 if half else np.float32

    def put(group, name, array, like):
        array = as_array(array)
        if array.shape[1:] != like.shape[1:]:
            raise ValueError(f"{group.name}/{name}: expected [head]{list(like.shape[1:])}, found {list(array.shape)}")
        if not np.isfinite(array).all() or np.abs(array).max() > np.finfo(kind).max:
            raise ValueError(f"{group.name}/{name}: has NaN, Inf or values beyond {kind.__name__}: pass half=False")
        group.create_dataset(name, data=array.astype(kind))

    with h5py.File(path, "w") as f:
        f.attrs["schema"] = "fairquant/kv/1"
        f.attrs["model"] = model
        f.attrs["model_sha256"] = model_sha256
        f.attrs["corpus"] = corpus
        f.attrs["corpus_sha256"] = corpus_sha256
        f.attrs["n_tokens"] = np.int64(tokens)
        f.attrs["context"] = np.int64(context or tokens)
        f.attrs["rope"] = rope
        f.attrs["source"] = source
        for layer, (key, value) in enumerate(zip(keys, values)):
            group = f.create_group(f"layer_{layer:03d}")
            put(group, "key", key, keys[0])
            put(group, "value", value, keys[0])
            if queries is not None:
                put(group, "query", queries[layer], keys[0])


def demo(path):
    """Two layers, two KV heads, four query heads, 64 tokens, d = 32, in the legacy form of the cache."""
    rng = np.random.default_rng(1)
    past = tuple((rng.standard_normal((1, 2, 64, 32), dtype=np.float32),
                  rng.standard_normal((1, 2, 64, 32), dtype=np.float32)) for _ in range(2))
    keys, values = layers_of(past)
    queries = [rng.standard_normal((4, 64, 32), dtype=np.float32) for _ in range(2)]
    text = b"sixty-four tokens of nothing in particular"
    write_kv_set(path, keys, values, queries, model="random", corpus="noise",
                 corpus_sha256=hashlib.sha256(text).hexdigest())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: write_kv_set.py OUT.h5")
    demo(sys.argv[1])
