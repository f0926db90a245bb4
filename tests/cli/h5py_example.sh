#!/usr/bin/env bash
# The example of docs/formats.md: a KV set written with h5py alone is opened and measured. Skipped, with the reason, where h5py is not installed.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant
python=${PYTHON:-python3}

if ! "$python" -c 'import h5py, numpy' 2>"$dir/why.txt"; then
    printf 'h5py is not importable by %s (%s); pip install h5py numpy, or name another one in PYTHON\n' "$python" "$(tail -n 1 "$dir/why.txt")"
    exit 77
fi
"$python" docs/examples/write_kv_set.py "$dir/kv.h5" || fail "the example does not run"

sweep "$dir/kv.yaml" '  - {name: fp16}
  - {name: turboquant-mse, bits: 2}' "{kv: $dir/kv.h5, tensors: [key, value]}"
sed -i 's/^metrics:.*/metrics: [distortion, inner_product, attention, bytes]/' "$dir/kv.yaml"
expect 0 -- "$fq" run "$dir/kv.yaml" --out "$dir/kv-results.h5"
expect 0 -- "$fq" report "$dir/kv-results.h5" --out "$dir/report"
# float16 on disk: fp16 must give the values back unchanged, keys and values
for tensor in key value; do
    awk -F, -v t="$tensor" '$3 == t && $4 == "fp16" && $8 == "rel_mse" {n++; if ($9 != 0) bad = 1} END {exit !(n == 1 && !bad)}' \
        "$dir/report/cells.csv" || fail "fp16 does not reproduce a float16 $tensor exactly"
done

# the mistakes that a writer makes: refused, with what is wrong
"$python" - "$dir" <<'P' || fail "the broken sets could not be written"
import sys, shutil, h5py, numpy as np
d = sys.argv[1]
for name in ("schema", "shape", "gap", "nan"):
    shutil.copy(f"{d}/kv.h5", f"{d}/{name}.h5")
with h5py.File(f"{d}/schema.h5", "a") as f:
    f.attrs["schema"] = "fairquant/kv/9"
with h5py.File(f"{d}/shape.h5", "a") as f:
    del f["layer_001/key"]
    f["layer_001/key"] = np.zeros((2, 63, 32), np.float16)
with h5py.File(f"{d}/gap.h5", "a") as f:
    f.move("layer_001", "layer_002")
with h5py.File(f"{d}/nan.h5", "a") as f:
    f["layer_001/value"][1, 7, 3] = np.nan
P
for case in 'schema fairquant/kv/1' 'shape layer_001' 'gap layer_001' 'nan layer'; do
    read -r name pattern <<<"$case"
    sed "s#$dir/kv.h5#$dir/$name.h5#" "$dir/kv.yaml" >"$dir/$name.yaml"
    "$fq" run "$dir/$name.yaml" --out "$dir/$name-results.h5" >"$dir/out.txt" 2>&1 </dev/null && fail "$name is accepted"
    grep -q -- "$pattern" "$dir/out.txt" || { fail "$name: '$pattern' is missing"; tail -n 5 "$dir/out.txt" >&2; }
done
exit "$bad"
