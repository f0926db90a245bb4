#!/usr/bin/env bash
# centre: from the sweep to facts and to the table: keys alone, bytes counted, refusals in a sentence.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant

python=${PYTHON:-python3}
if ! "$python" -c 'import h5py, numpy' 2>"$dir/why.txt"; then
    printf 'h5py is not importable by %s (%s); pip install h5py numpy, or name another one in PYTHON\n' "$python" "$(tail -n 1 "$dir/why.txt")"
    exit 77
fi
# Two layers, two windows, one large common part.
"$python" - "$dir/set.h5" <<'PY'
import sys, h5py, numpy as np
rng = np.random.default_rng(1)
with h5py.File(sys.argv[1], "w") as f:
    f.attrs.update(schema="fairquant/kv/1", model="made", corpus="made", rope="post", source="tests/cli/centre.sh")
    f.attrs["n_tokens"], f.attrs["context"] = np.int64(128), np.int64(64)
    for layer in range(2):
        g = f.create_group(f"layer_{layer:03d}")
        g["key"] = (rng.standard_normal((2, 128, 32)) + 20 * rng.standard_normal((2, 1, 32))).astype(np.float32)
        g["value"] = rng.standard_normal((2, 128, 32)).astype(np.float32)
        g["query"] = rng.standard_normal((4, 128, 32)).astype(np.float32)
PY

sweep "$dir/s.yaml" '  - {name: q4_0, centre: [none, calibrated, running]}' "{kv: $dir/set.h5, tensors: [key, value]}"
sed -i 's/^metrics:.*/metrics: [distortion, attention, bytes]/' "$dir/s.yaml"
expect 0 'q4_0 centre=running' 'centre=calibrated, values of set.h5: not planned' -- "$fq" plan "$dir/s.yaml"
expect 0 '6 cells, 6 run now, 0 kept, 0 failed' -- "$fq" run "$dir/s.yaml" --out "$dir/r.h5" --quiet
expect 0 -- "$fq" audit "$dir/r.h5"
expect 0 -- "$fq" report "$dir/r.h5" --out "$dir/report"
"$python" - "$dir" <<'PY' || fail "numbers or facts of centred cells"
import csv, sys, h5py
rows = [r for r in csv.DictReader(open(sys.argv[1] + "/report/cells.csv")) if r["tensor"] == "key" and r["replicate"] == "0"]
value = {(r["label"], r["metric"]): float(r["value"]) for r in rows if r["value"]}
for kind in "calibrated", "running":
    assert value[f"q4_0 centre={kind}", "rel_mse"] < 0.8 * value["q4_0", "rel_mse"]
    assert value[f"q4_0 centre={kind}", "rate_bits"] == value["q4_0", "rate_bits"] == 4.5
assert value["q4_0 centre=calibrated", "shared_bytes"] - value["q4_0", "shared_bytes"] == 4 * 2 * 2 * 32
assert value["q4_0 centre=running", "shared_bytes"] == value["q4_0", "shared_bytes"]
with h5py.File(sys.argv[1] + "/r.h5") as f:
    facts = {(f["cells"][x["cell"]]["label"].decode(), x["name"].decode()): x["text"].decode() for x in f["facts"][:]}
assert facts["q4_0", "centre"] == "none" and ("q4_0", "centre_source") not in facts
assert facts["q4_0 centre=calibrated", "centre_shared_bytes"] == "512"
assert "other half" in facts["q4_0 centre=calibrated", "centre_source"]
assert "decoded" in facts["q4_0 centre=running", "centre_source"]
PY

sweep "$dir/bad.yaml" '  - {name: q4_0}
  - {name: q4_0, centre: rope-bias}' "{kv: $dir/set.h5, tensors: [key, value]}"
expect 2 'bad\.yaml:12' 'no key_bias' -- "$fq" plan "$dir/bad.yaml"
sweep "$dir/bad.yaml" '  - {name: q4_0}
  - {name: q4_0, centre: calibrated}'
expect 2 'bad\.yaml:12' 'plain vectors' -- "$fq" run "$dir/bad.yaml" --out "$dir/none.h5"
sweep "$dir/bad.yaml" '  - {name: q4_0, centre: median}'
expect 2 'bad\.yaml:11' 'calibrated' 'median' -- "$fq" plan "$dir/bad.yaml"
absent "$dir/none.h5" "$dir/none.h5.journal"
exit "$bad"
